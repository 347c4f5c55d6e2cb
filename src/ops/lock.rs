//! `datamill.lock`: which version of each component's charts was used, so that the next machine uses the same. Written beside
//! the project, meant to be committed. The cluster's own marks decide what is ours; this file never does.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::adapter::files;
use crate::adapter::helm::chart;
use crate::model::{
    ChartSource, Digest, Failure, FailureKind, KubernetesSpec, Manifests, Resource, Spec,
};
use crate::yaml;

/// The file's format.
const VERSION: u32 = 1;

/// The lock file's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lock {
    version: u32,
    /// SHA-256 of each chart and file that was fetched, by its address and version.
    #[serde(default)]
    digests: BTreeMap<String, Digest>,
    /// The installation id of remote targets, by target.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    installations: BTreeMap<String, String>,
}

impl Default for Lock {
    fn default() -> Self {
        Self { version: VERSION, digests: BTreeMap::new(), installations: BTreeMap::new() }
    }
}

impl Lock {
    /// Reads the file; one that is not there is empty.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let text = match files::read(path) {
            Ok(text) => text,
            Err(error) if error.is_missing() => return Ok(Self::default()),
            Err(error) => {
                return Err(
                    Failure::new(FailureKind::Usage, "cannot use the lock file").caused_by(&error)
                );
            }
        };
        let broken = |because: String| {
            Failure::new(FailureKind::Usage, format!("cannot use `{}`", path.display()))
                .because(because)
                .hint("take the file back from version control, or remove it to pin anew")
        };
        let source = yaml::Source::new(path, text);
        let tree = yaml::parse(&source).map_err(|problem| {
            let line = problem.at.as_ref().map_or(1, yaml::Span::line);
            broken(format!("line {line}: {}", problem.message))
        })?;
        let lock: Self =
            serde_json::from_value(tree.to_json()).map_err(|error| broken(error.to_string()))?;
        if lock.version == VERSION {
            Ok(lock)
        } else {
            Err(broken(format!("its version is {}, this program reads {VERSION}", lock.version)))
        }
    }

    /// The pinned digests.
    pub(super) fn digests(&self) -> &BTreeMap<String, Digest> {
        &self.digests
    }

    /// Takes up what the charts of rendered resources turned out to be; digests of folders are not pinned, since a folder is
    /// under version control itself.
    pub(super) fn learn<'a>(&mut self, resources: impl IntoIterator<Item = &'a Resource>) {
        for resource in resources {
            let digest = resource.rendered.as_ref().and_then(|rendered| rendered.chart.as_ref());
            if let (Some(key), Some(digest)) = (key_of(resource), digest) {
                self.digests.insert(key, digest.clone());
            }
        }
    }

    /// Writes the file when it differs from what is there.
    pub(super) fn write(&self, path: &Path) -> Result<(), Failure> {
        let json = serde_json::to_value(self).map_err(|error| {
            Failure::new(FailureKind::Bug, "cannot write the lock file").caused_by(&error)
        })?;
        let text = format!(
            "# Written by datamill: what was fetched, by its SHA-256. Commit this file.\n{}",
            yaml::to_yaml(&json)
        );
        if files::read(path).is_ok_and(|now| now == text) {
            return Ok(());
        }
        files::write(path, text).map_err(|error| {
            Failure::new(FailureKind::Partial, "cannot write the lock file").caused_by(&error)
        })
    }
}

/// The key under which what a resource fetches is pinned.
fn key_of(resource: &Resource) -> Option<String> {
    let Spec::Kubernetes(spec) = &resource.spec else { return None };
    match spec.as_ref() {
        KubernetesSpec::Release(release) => chart_key(&release.chart),
        KubernetesSpec::Crds(crds) => match &crds.from {
            Manifests::Chart(chart) | Manifests::ChartFolder(chart, _) => chart_key(chart),
            Manifests::Remote(file) => Some(file.url.clone()),
            Manifests::Inline(_) | Manifests::Files(_) => None,
        },
        KubernetesSpec::Objects(objects) => match &objects.from {
            Manifests::Remote(file) => Some(file.url.clone()),
            Manifests::Inline(_)
            | Manifests::Files(_)
            | Manifests::Chart(_)
            | Manifests::ChartFolder(..) => None,
        },
        KubernetesSpec::Installation
        | KubernetesSpec::Namespace(_)
        | KubernetesSpec::Secret(_)
        | KubernetesSpec::Claim(_)
        | KubernetesSpec::Job(_)
        | KubernetesSpec::Removal(_)
        | KubernetesSpec::Wait(_) => None,
    }
}

/// The key under which a chart is pinned; nothing for a folder, which is under version control itself.
fn chart_key(source: &ChartSource) -> Option<String> {
    match source {
        ChartSource::Folder(_) => None,
        ChartSource::Repository { .. } | ChartSource::Oci { .. } | ChartSource::Archive { .. } => {
            Some(chart::source_key(source))
        }
    }
}
