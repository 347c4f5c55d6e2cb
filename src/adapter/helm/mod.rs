//! The door to Helm: its program, its plugins, its charts and the way it stores releases. Helm runs with a configuration,
//! cache and plugin folder of our own, so that nobody's plugins or repositories change the outcome.

mod call;
pub mod chart;
mod failure;
mod lock;
mod plugin;
mod post_render;
mod storage;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::model::{Digest, Redactor};

pub use call::{CallError, ClusterAccess, Hold, Template, Uninstall, Upgrade, WaitFor};
pub use failure::{HelmFailure, explain};
pub use lock::{Holder, ReleaseLock};
pub use post_render::{
    Dropped, RULES_VARIABLE, Rules, apply_rules_told, post_render, post_render_by_variable,
};
pub use storage::{StorageError, StoredRelease, status_from_word};

/// How Helm is run.
#[derive(Debug, Clone, Default)]
pub struct HelmSettings {
    /// The helm 4 program.
    pub program: PathBuf,
    /// datamill's own file: the post-renderer plugin calls it.
    pub self_exe: PathBuf,
    /// Helm's configuration, cache, data and plugin folders, and private files of running calls.
    pub home: PathBuf,
    /// Chart archives, named by their digest.
    pub charts: PathBuf,
    /// Rendered manifests.
    pub rendered: PathBuf,
    /// What comparisons of releases with their clusters found.
    pub compared: PathBuf,
    /// Locks of releases.
    pub locks: PathBuf,
    /// The user's registry logins; Helm's own default when absent.
    pub registry_config: Option<PathBuf>,
    /// What stands for a host, or for the beginning of an address, on this machine.
    pub mirrors: BTreeMap<String, String>,
    /// Digests that charts must have, by [`chart::source_key`] (from `datamill.lock`).
    pub pins: BTreeMap<String, Digest>,
    /// This machine's name, as it stands in run ids.
    pub host: String,
    /// Masks secrets in what Helm says.
    pub redactor: Redactor,
    /// Renderings at a time.
    turns: Option<Arc<Semaphore>>,
}

impl HelmSettings {
    /// Settings with all folders under a cache folder.
    pub fn new(program: impl Into<PathBuf>, self_exe: impl Into<PathBuf>, cache: &Path) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, NonZero::get);
        Self {
            program: program.into(),
            self_exe: self_exe.into(),
            home: cache.join("helm"),
            charts: cache.join("charts"),
            rendered: cache.join("rendered"),
            compared: cache.join("compared"),
            locks: cache.join("locks"),
            registry_config: None,
            mirrors: BTreeMap::new(),
            pins: BTreeMap::new(),
            host: String::new(),
            redactor: Redactor::default(),
            turns: Some(Arc::new(Semaphore::new(cores))),
        }
    }

    /// Where the user's Helm keeps the logins of `helm registry login`: a program with folders of ours would not find them.
    pub fn usual_registry_config(environment: &BTreeMap<String, String>, home: &Path) -> PathBuf {
        let folder =
            |key: &str| environment.get(key).filter(|folder| !folder.is_empty()).map(PathBuf::from);
        let of_platform = || {
            if cfg!(target_os = "macos") {
                home.join("Library/Preferences/helm")
            } else {
                home.join(".config/helm")
            }
        };
        folder("HELM_REGISTRY_CONFIG").unwrap_or_else(|| {
            folder("HELM_CONFIG_HOME")
                .or_else(|| folder("XDG_CONFIG_HOME").map(|folder| folder.join("helm")))
                .unwrap_or_else(of_platform)
                .join("registry/config.json")
        })
    }

    /// Waits until a rendering may begin: as many run at a time as the machine has cores.
    pub async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        let turns = self.turns.as_ref()?;
        Arc::clone(turns).acquire_owned().await.ok()
    }

    /// An address with the mirror of its host, or of its beginning, in place.
    pub fn mirrored(&self, url: &str) -> String {
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        for (from, to) in self.mirrors.iter().rev() {
            let from = from.trim_end_matches('/');
            if let Some(path) = url.strip_prefix(from)
                && from.contains("://")
                && (path.is_empty() || path.starts_with('/'))
            {
                return format!("{}{path}", to.trim_end_matches('/'));
            }
            if let Some(path) = rest.strip_prefix(from)
                && (path.is_empty() || path.starts_with('/'))
            {
                let to = to.trim_end_matches('/');
                let scheme =
                    if to.contains("://") { String::new() } else { format!("{scheme}://") };
                return format!("{scheme}{to}{path}");
            }
        }
        url.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_logins_are_looked_for_where_their_helm_puts_them() {
        let at = |variables: &[(&str, &str)]| {
            let text = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
            let environment = variables.iter().map(text).collect();
            HelmSettings::usual_registry_config(&environment, Path::new("/h"))
        };
        assert_eq!(at(&[("HELM_REGISTRY_CONFIG", "/r.json")]), Path::new("/r.json"));
        assert_eq!(
            at(&[("HELM_CONFIG_HOME", "/c"), ("XDG_CONFIG_HOME", "/x")]),
            Path::new("/c/registry/config.json")
        );
        assert_eq!(at(&[("XDG_CONFIG_HOME", "/x")]), Path::new("/x/helm/registry/config.json"));
        assert!(at(&[]).starts_with("/h"));
    }

    #[test]
    fn a_mirror_stands_for_a_host_or_the_beginning_of_an_address() {
        let mut settings = HelmSettings::new("helm", "datamill", Path::new("/c"));
        settings.mirrors = [
            ("charts.example.org", "mirror.local/charts"),
            ("https://other.org/a", "http://127.0.0.1:1/b/"),
            ("quay.io", "oci://registry.local/quay"),
        ]
        .map(|(from, to)| (from.to_owned(), to.to_owned()))
        .into();
        let cases = [
            ("https://charts.example.org/x/index.yaml", "https://mirror.local/charts/x/index.yaml"),
            ("https://charts.example.org.evil/x", "https://charts.example.org.evil/x"),
            ("https://other.org/a/x.tgz", "http://127.0.0.1:1/b/x.tgz"),
            ("https://other.org/ab", "https://other.org/ab"),
            ("oci://quay.io/strimzi", "oci://registry.local/quay/strimzi"),
        ];
        for (from, to) in cases {
            assert_eq!(settings.mirrored(from), to);
        }
    }
}
