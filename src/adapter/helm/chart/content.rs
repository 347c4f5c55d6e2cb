//! The files of a chart, whether it is a folder or an archive, subcharts included.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::Value as Json;

use crate::adapter::files::{self, FileError};
use crate::model::Digest;
use crate::yaml;

/// More than any chart has, unpacked.
const MOST_BYTES: u64 = 256 * 1024 * 1024;
/// Archives within archives are followed so deep.
const MOST_DEPTH: usize = 4;

/// The files of a chart by their path below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChartContent {
    files: BTreeMap<String, Vec<u8>>,
}

/// A chart that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The archive is damaged.
    #[error("the archive is damaged")]
    Archive(#[from] std::io::Error),
}

impl ChartContent {
    /// Reads a folder or an archive.
    pub fn read(path: &Path) -> Result<Self, ContentError> {
        let mut content = Self::default();
        if path.is_dir() {
            let ignore = Ignore::parse(&files::read(&path.join(".helmignore")).unwrap_or_default());
            content.add_folder(path, "", &ignore)?;
        } else {
            content.add_archive(&files::read_bytes(path)?, "", 0)?;
        }
        Ok(content)
    }

    fn add_folder(
        &mut self,
        folder: &Path,
        below: &str,
        ignore: &Ignore,
    ) -> Result<(), ContentError> {
        for path in files::list(folder)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let inside = format!("{below}{name}");
            if ignore.matches(&inside, path.is_dir()) {
                continue;
            }
            if path.is_dir() {
                self.add_folder(&path, &format!("{inside}/"), ignore)?;
            } else {
                let bytes = files::read_bytes(&path)?;
                self.files.insert(inside, bytes);
            }
        }
        Ok(())
    }

    fn add_archive(&mut self, bytes: &[u8], below: &str, depth: usize) -> Result<(), ContentError> {
        let mut archive = tar::Archive::new(GzDecoder::new(bytes).take(MOST_BYTES));
        for entry in archive.entries()? {
            let mut entry = entry?;
            let path = entry.path()?.to_string_lossy().into_owned();
            // The first part is the chart's name, which says nothing.
            let Some((_, inside)) = path.trim_start_matches("./").split_once('/') else { continue };
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            let inside = format!("{below}{inside}");
            if is_subchart(&inside) && depth < MOST_DEPTH {
                let folder = format!("{}/", inside.trim_end_matches(".tgz"));
                self.add_archive(&bytes, &folder, depth + 1)?;
            }
            self.files.insert(inside, bytes);
        }
        Ok(())
    }

    /// The digest over all files and their paths.
    pub fn digest(&self) -> Digest {
        let digests: Vec<_> =
            self.files.iter().map(|(path, bytes)| (path, Digest::of(bytes))).collect();
        Digest::of_parts(digests.iter().flat_map(|(path, digest)| [path.as_str(), digest.as_str()]))
    }

    /// A file's text.
    pub fn text(&self, path: &str) -> Option<String> {
        self.files.get(path).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// The first document of a YAML file; nothing when there is none that can be read.
    pub fn document(&self, path: &str) -> Option<Json> {
        yaml::manifests(&self.text(path)?).ok()?.into_iter().next()
    }

    /// Name and version.
    pub fn title(&self) -> (String, String) {
        let chart = self.document("Chart.yaml").unwrap_or_default();
        let text = |key: &str| chart.get(key).and_then(Json::as_str).unwrap_or("?").to_owned();
        (text("name"), text("version"))
    }

    /// The texts of all templates, subcharts' included.
    pub fn templates(&self) -> impl Iterator<Item = String> + '_ {
        self.files
            .iter()
            .filter(|(path, _)| path.starts_with("templates/") || path.contains("/templates/"))
            .map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned())
    }

    /// The custom resource definitions in `crds/` folders, subcharts' included.
    pub fn crds(&self) -> Result<Vec<Json>, yaml::ManifestError> {
        let mut crds = Vec::new();
        for (path, bytes) in &self.files {
            let is_yaml = ["yaml", "yml", "json"].iter().any(|end| has_extension(path, end));
            if is_yaml && lies_in_crds(path) {
                crds.extend(yaml::manifests(&String::from_utf8_lossy(bytes))?);
            }
        }
        crds.retain(|crd| crd.get("kind").is_some());
        Ok(crds)
    }

    /// The custom resource definitions in a folder and those below it.
    pub fn crds_below(&self, folder: &str) -> Result<Vec<Json>, yaml::ManifestError> {
        let mut crds = Vec::new();
        let inside = format!("{folder}/");
        for (_, bytes) in self.files.iter().filter(|(path, _)| path.starts_with(&inside)) {
            crds.extend(yaml::manifests(&String::from_utf8_lossy(bytes))?);
        }
        crds.retain(|crd| crd.get("kind").is_some());
        Ok(crds)
    }

    /// Files by path.
    pub fn files(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.files
    }
}

fn is_subchart(path: &str) -> bool {
    has_extension(path, "tgz")
        && path
            .rsplit_once('/')
            .is_some_and(|(folder, _)| folder == "charts" || folder.ends_with("/charts"))
}

/// Whether Helm takes a file for a custom resource definition: in the folder `crds` of the chart, or of a subchart.
fn lies_in_crds(path: &str) -> bool {
    let mut path = path;
    while let Some((_, rest)) = path.strip_prefix("charts/").and_then(|rest| rest.split_once('/')) {
        path = rest;
    }
    path.starts_with("crds/")
}

fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

/// `.helmignore`, as far as charts use it: names and paths with `*`, `?`, a trailing `/` for folders, `!` for exceptions.
struct Ignore(Vec<(bool, String)>);

impl Ignore {
    fn parse(text: &str) -> Self {
        let rules = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
        Self(
            rules
                .map(|rule| match rule.strip_prefix('!') {
                    Some(rule) => (false, rule.to_owned()),
                    None => (true, rule.to_owned()),
                })
                .collect(),
        )
    }

    fn matches(&self, path: &str, is_folder: bool) -> bool {
        let mut ignored = false;
        for (ignores, rule) in &self.0 {
            let only_folders = rule.ends_with('/');
            let pattern = rule.trim_end_matches('/');
            let name = path.rsplit('/').next().unwrap_or(path);
            let hit = match pattern.strip_prefix('/') {
                Some(rooted) => glob(rooted, path),
                None if pattern.contains('/') => glob(pattern, path),
                None => glob(pattern, name),
            };
            if hit && (is_folder || !only_folders) {
                ignored = *ignores;
            }
        }
        ignored
    }
}

/// `*` stands for anything but `/`, `?` for one character.
fn glob(pattern: &str, text: &str) -> bool {
    let mut pattern_left = pattern.chars();
    match pattern_left.next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = pattern_left.as_str();
            let mut tail = text;
            loop {
                if glob(rest, tail) {
                    return true;
                }
                let mut chars = tail.chars();
                match chars.next() {
                    None | Some('/') => return false,
                    Some(_) => tail = chars.as_str(),
                }
            }
        }
        Some(wanted) => {
            let mut chars = text.chars();
            match chars.next() {
                Some(found) if found == wanted || (wanted == '?' && found != '/') => {
                    glob(pattern_left.as_str(), chars.as_str())
                }
                Some(_) | None => false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn helmignore_leaves_out_what_it_names() {
        let ignore = Ignore::parse("# c\n*.bak\n.git/\n/ci\ndocs/*.md\n*.tmp\n!keep.tmp\n");
        let cases = [
            ("a.bak", false, true),
            ("x/a.bak", false, true),
            (".git", true, true),
            (".git", false, false),
            ("ci", true, true),
            ("x/ci", true, false),
            ("docs/a.md", false, true),
            ("a.tmp", false, true),
            ("keep.tmp", false, false),
            ("values.yaml", false, false),
        ];
        for (path, is_folder, wanted) in cases {
            assert_eq!(ignore.matches(path, is_folder), wanted, "{path}");
        }
    }

    #[test]
    fn an_archive_reads_as_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let chart = folder.path().join("c");
        for (path, text) in [
            ("Chart.yaml", "name: c\nversion: 1.2.3\n"),
            ("templates/x.yaml", "a: {{ .Values.b }}\n"),
            ("crds/k.yaml", "kind: CustomResourceDefinition\n"),
            ("charts/sub/charts/deep/crds/k.yaml", "kind: CustomResourceDefinition\n"),
            ("templates/crds/k.yaml", "kind: {{ .Values.kind }}\n"),
            ("charts/sub/templates/y.yaml", "z\n"),
        ] {
            files::write(&chart.join(path), text).unwrap();
        }
        let packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut builder = tar::Builder::new(packed);
        builder.append_dir_all("c", &chart).unwrap();
        let archive = folder.path().join("c.tgz");
        files::write(&archive, builder.into_inner().unwrap().finish().unwrap()).unwrap();
        let unpacked = ChartContent::read(&archive).unwrap();
        assert_eq!(unpacked, ChartContent::read(&chart).unwrap());
        assert_eq!(unpacked.title(), ("c".to_owned(), "1.2.3".to_owned()));
        assert_eq!(unpacked.templates().count(), 3);
        assert_eq!(unpacked.crds().unwrap().len(), 2);
        files::write(&archive, "no archive").unwrap();
        assert!(ChartContent::read(&archive).is_err());
    }
}
