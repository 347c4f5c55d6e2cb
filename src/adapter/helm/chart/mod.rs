//! Charts: found in a repository, a registry, an archive or a folder; kept under the digest of what they are.

mod content;
mod fetch;
mod index;
mod inspect;
mod pin;
mod registry;
mod schema;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value as Json, json};

pub use content::ChartContent;
pub use inspect::{Findings, unknown_keys};
pub use pin::{pins, with_key};
pub use schema::{Misfit, misfits};

pub(super) use self::registry::Registry;

use self::fetch::FetchError;
use super::HelmSettings;
use crate::adapter::files;
use crate::model::{ChartSource, Digest, Failure, FailureKind};

/// A chart on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    /// The archive or folder.
    pub path: PathBuf,
    /// The digest of the archive, or of the folder's files.
    pub digest: Digest,
}

/// The name of a chart source in `datamill.lock` and in messages.
pub fn source_key(source: &ChartSource) -> String {
    let with = |url: &str, version: &Option<String>| match version {
        Some(version) => format!("{url}@{version}"),
        None => url.to_owned(),
    };
    match source {
        ChartSource::Repository { url, name, version } => {
            with(&format!("{}/{name}", url.trim_end_matches('/')), version)
        }
        ChartSource::Oci { url, version } => with(url, version),
        ChartSource::Archive { url, .. } => url.clone(),
        ChartSource::Folder(path) => path.display().to_string(),
    }
}

impl HelmSettings {
    /// Brings a chart to this machine, unless it is there.
    pub async fn chart(&self, source: &ChartSource) -> Result<Chart, Failure> {
        let key = source_key(source);
        let pin = self.pins.get(&key);
        match source {
            ChartSource::Folder(path) => folder(path),
            ChartSource::Archive { url, sha256, mirrors } => {
                let wanted = sha256.as_ref().map(|hex| Digest::recorded(hex.to_ascii_lowercase()));
                let wanted = wanted.or_else(|| pin.cloned());
                match self.kept(wanted.as_ref()) {
                    Some(chart) => Ok(chart),
                    None => self.archive(&key, url, mirrors, wanted.as_ref()).await,
                }
            }
            ChartSource::Repository { url, name, version } => {
                if let Some(chart) = self.kept(pin) {
                    return Ok(chart);
                }
                if let Some(chart) = self.resolved(&key, version.as_deref()) {
                    return checked(&key, chart, pin);
                }
                let chart = self.of_repository(url, name, version.as_deref()).await?;
                let chart = checked(&key, chart, pin)?;
                self.note_resolved(&key, &chart);
                Ok(chart)
            }
            ChartSource::Oci { url, version } => {
                if let Some(chart) = self.kept(pin) {
                    return Ok(chart);
                }
                if let Some(chart) = self.resolved(&key, version.as_deref()) {
                    return checked(&key, chart, pin);
                }
                let chart = self.of_registry(&key, url, version.as_deref()).await?;
                let chart = checked(&key, chart, pin)?;
                self.note_resolved(&key, &chart);
                Ok(chart)
            }
        }
    }

    /// The archive of a digest, if it is here.
    fn kept(&self, digest: Option<&Digest>) -> Option<Chart> {
        let digest = digest?;
        let path = self.charts.join(format!("{digest}.tgz"));
        let bytes = files::read_bytes(&path).ok()?;
        // A file that is not what its name says is fetched again.
        (Digest::of(bytes) == *digest).then(|| Chart { path, digest: digest.clone() })
    }

    fn keep(&self, bytes: &[u8]) -> Result<Chart, Failure> {
        let digest = Digest::of(bytes);
        let path = self.charts.join(format!("{digest}.tgz"));
        files::write(&path, bytes).map_err(|error| {
            Failure::new(FailureKind::Preflight, "cannot keep a chart").caused_by(&error)
        })?;
        Ok(Chart { path, digest })
    }

    /// What an exact version was the last time; a published version does not change.
    fn resolved(&self, key: &str, version: Option<&str>) -> Option<Chart> {
        let exact = version?.trim_start_matches('v');
        semver::Version::parse(exact).ok()?;
        let digest = files::read(&self.resolution(key)).ok()?;
        self.kept(Some(&Digest::recorded(digest.trim())))
    }

    fn note_resolved(&self, key: &str, chart: &Chart) {
        // Only saves a look-up next time.
        files::write(&self.resolution(key), chart.digest.as_str()).ok();
    }

    fn resolution(&self, key: &str) -> PathBuf {
        let key = self.mirrored(key);
        self.charts.join("resolved").join(Digest::of(key).as_str())
    }

    /// Tries the address and then its mirrors. One that holds another archive than the wanted one ends the search: that is
    /// no matter of luck.
    async fn archive(
        &self,
        key: &str,
        url: &str,
        mirrors: &[String],
        wanted: Option<&Digest>,
    ) -> Result<Chart, Failure> {
        let mut failed: Option<Failure> = None;
        for place in std::iter::once(url).chain(mirrors.iter().map(String::as_str)) {
            match self.bytes_at(key, place).await {
                Ok(bytes) => {
                    let found = Digest::of(&bytes);
                    return match wanted.filter(|wanted| **wanted != found) {
                        Some(wanted) => Err(differs(key, wanted, &found)
                            .because(format!("it was taken from `{place}`"))),
                        None => self.keep(&bytes),
                    };
                }
                Err(error) => {
                    failed = Some(match failed {
                        None => error,
                        Some(first) => error.causes.into_iter().fold(first, Failure::because),
                    });
                }
            }
        }
        let what = format!("cannot get chart `{key}`");
        Err(failed.unwrap_or_else(|| Failure::new(FailureKind::Bug, what)))
    }

    async fn bytes_at(&self, key: &str, place: &str) -> Result<Vec<u8>, Failure> {
        let what = || format!("cannot get chart `{key}`");
        if place.contains("://") {
            return fetch::get(&self.mirrored(place)).await.map_err(|e| unfetched(what(), &e));
        }
        files::read_bytes(Path::new(place))
            .map_err(|error| Failure::new(FailureKind::Preflight, what()).caused_by(&error))
    }

    async fn of_repository(
        &self,
        url: &str,
        name: &str,
        version: Option<&str>,
    ) -> Result<Chart, Failure> {
        let what = || format!("cannot get chart `{name}` from `{url}`");
        let base = self.mirrored(url);
        let base = base.trim_end_matches('/');
        let text = fetch::get(&format!("{base}/index.yaml"))
            .await
            .map_err(|error| unfetched(what(), &error))?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let index = tokio::task::spawn_blocking(move || index::Index::parse(&text))
            .await
            .map_err(|error| Failure::new(FailureKind::Bug, what()).caused_by(&error))?
            .map_err(|error| Failure::new(FailureKind::Preflight, what()).caused_by(&error))?;
        let entry = index.pick(name, version).map_err(|missing| {
            let failure = Failure::new(FailureKind::Usage, what()).because(missing.because);
            missing.hint.into_iter().fold(failure, Failure::hint)
        })?;
        let mut last = None;
        for address in &entry.urls {
            let address = index::absolute(base, address);
            match fetch::get(&self.mirrored(&address)).await {
                Ok(bytes) => {
                    let found = Digest::of(&bytes);
                    if let Some(wanted) = &entry.digest
                        && *wanted != found
                    {
                        return Err(differs(&format!("{name} {}", entry.version), wanted, &found)
                            .because("the repository's index names the wanted one"));
                    }
                    return self.keep(&bytes);
                }
                Err(error) => last = Some(error),
            }
        }
        Err(match last {
            Some(error) => unfetched(what(), &error),
            None => Failure::new(FailureKind::Preflight, what())
                .because(format!("its index has no address for version {}", entry.version)),
        })
    }

    async fn of_registry(
        &self,
        key: &str,
        url: &str,
        version: Option<&str>,
    ) -> Result<Chart, Failure> {
        let what = || format!("cannot get chart `{key}`");
        let failed = |error: &dyn std::error::Error| {
            Failure::new(FailureKind::Preflight, what()).caused_by(error)
        };
        files::create_folder(&self.charts).map_err(|error| failed(&error))?;
        let folder = tempfile::tempdir_in(&self.charts).map_err(|error| failed(&error))?;
        let registry = Registry::at(&self.mirrored(url));
        let pulled = self.pull(&registry, version, folder.path()).await;
        pulled.map_err(|error| registry.explain(&what(), &error))?;
        let files = files::list(folder.path()).map_err(|error| failed(&error))?;
        let archive = files.iter().find(|path| path.extension().is_some_and(|e| e == "tgz"));
        let archive = archive.ok_or_else(|| failed(&std::fmt::Error))?;
        let bytes = files::read_bytes(archive).map_err(|error| failed(&error))?;
        self.keep(&bytes)
    }
}

fn checked(key: &str, chart: Chart, pin: Option<&Digest>) -> Result<Chart, Failure> {
    match pin {
        Some(pin) if *pin != chart.digest => Err(differs(key, pin, &chart.digest)
            .because("`datamill.lock` names the wanted one")
            .hint("if the new one is right, remove the old line from `datamill.lock`")),
        Some(_) | None => Ok(chart),
    }
}

fn differs(key: &str, wanted: &Digest, found: &Digest) -> Failure {
    let what = format!("chart `{key}` is not the one that is wanted");
    Failure::new(FailureKind::Usage, what).because(format!("wanted sha256 {wanted}, found {found}"))
}

fn unfetched(what: String, error: &FetchError) -> Failure {
    let (kind, url, hint) = match error {
        FetchError::Missing { url, .. } => (FailureKind::Usage, url, "check the address"),
        FetchError::Failed { url, .. } => (FailureKind::Preflight, url, "try again later"),
    };
    let host = url.split("://").last().and_then(|rest| rest.split('/').next()).unwrap_or(url);
    Failure::new(kind, what).caused_by(error).hint(format!(
        "{hint}, or name another place of it in the flavour:\n    mirrors: {{{host}: \"https://…\"}}"
    ))
}

fn folder(path: &Path) -> Result<Chart, Failure> {
    let what = || format!("cannot use chart `{}`", path.display());
    if files::read(&path.join("Chart.yaml")).is_err() {
        let failure = Failure::new(FailureKind::Usage, what());
        return Err(failure.because("the folder has no `Chart.yaml` that can be read"));
    }
    let content = ChartContent::read(path)
        .map_err(|error| Failure::new(FailureKind::Usage, what()).caused_by(&error))?;
    Ok(Chart { path: path.to_owned(), digest: content.digest() })
}

impl Chart {
    /// Reads the chart's files.
    pub async fn content(&self) -> Result<Arc<ChartContent>, Failure> {
        let path = self.path.clone();
        let what = format!("cannot read chart `{}`", path.display());
        let read = tokio::task::spawn_blocking(move || ChartContent::read(&path)).await;
        match read {
            Ok(Ok(content)) => Ok(Arc::new(content)),
            Ok(Err(error)) => Err(Failure::new(FailureKind::Usage, what).caused_by(&error)),
            Err(error) => Err(Failure::new(FailureKind::Bug, what).caused_by(&error)),
        }
    }
}

/// A chart as it stands in cache entries.
impl From<&Chart> for Json {
    fn from(chart: &Chart) -> Self {
        json!(chart.digest.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(cache: &Path) -> HelmSettings {
        HelmSettings::new("helm", "datamill", cache)
    }

    #[tokio::test]
    async fn a_folder_s_digest_follows_its_files() {
        let cache = tempfile::tempdir().unwrap();
        let chart = cache.path().join("c");
        let source = ChartSource::Folder(chart.clone());
        let failure = settings(cache.path()).chart(&source).await.unwrap_err();
        assert!(failure.causes[0].contains("Chart.yaml"), "{failure:?}");
        files::write(&chart.join("Chart.yaml"), "name: c\nversion: 1.0.0\n").unwrap();
        files::write(&chart.join("templates/x.yaml"), "a: 1\n").unwrap();
        let one = settings(cache.path()).chart(&source).await.unwrap();
        assert_eq!(one, settings(cache.path()).chart(&source).await.unwrap());
        files::write(&chart.join("templates/x.yaml"), "a: 2\n").unwrap();
        assert_ne!(one.digest, settings(cache.path()).chart(&source).await.unwrap().digest);
        let two = settings(cache.path()).chart(&source).await.unwrap();
        files::write(&chart.join(".helmignore"), "*.bak\n").unwrap();
        let three = settings(cache.path()).chart(&source).await.unwrap();
        files::write(&chart.join("templates/x.bak"), "a: 2\n").unwrap();
        assert_ne!(two.digest, three.digest);
        assert_eq!(three.digest, settings(cache.path()).chart(&source).await.unwrap().digest);
    }

    #[tokio::test]
    async fn an_archive_that_is_gone_is_taken_from_its_mirror_when_it_is_the_same() {
        let cache = tempfile::tempdir().unwrap();
        let mirror = cache.path().join("c.tgz");
        files::write(&mirror, "an archive").unwrap();
        let from = |sha256: Digest| ChartSource::Archive {
            url: "http://127.0.0.1:9/c.tgz".to_owned(),
            sha256: Some(sha256.as_str().to_owned()),
            mirrors: vec!["/nowhere/c.tgz".to_owned(), mirror.display().to_string()],
        };
        let settings = settings(cache.path());
        let chart = settings.chart(&from(Digest::of("an archive"))).await.unwrap();
        assert_eq!(chart.digest, Digest::of("an archive"));
        let failure = settings.chart(&from(Digest::of("another"))).await.unwrap_err();
        assert!(failure.causes.concat().contains("c.tgz"), "{failure:?}");
        files::remove(&mirror).unwrap();
        let failure = settings.chart(&from(Digest::of("a third"))).await.unwrap_err();
        assert!(failure.causes.concat().contains("/nowhere/c.tgz"), "{failure:?}");
    }

    #[test]
    fn a_wrong_digest_names_both() {
        let (pin, found) = (Digest::of("a"), Digest::of("b"));
        let chart = Chart { path: PathBuf::new(), digest: found.clone() };
        let failure = checked("x", chart, Some(&pin)).unwrap_err();
        assert!(
            failure.causes[0].contains(pin.as_str()) && failure.causes[0].contains(found.as_str())
        );
        assert_eq!(failure.kind, FailureKind::Usage);
    }
}
