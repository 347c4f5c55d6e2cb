//! Rendered manifests kept from run to run under the digest of all that goes into them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::adapter::files;
use crate::adapter::helm::chart::{Chart, Findings};
use crate::adapter::helm::{Dropped, HelmSettings};
use crate::model::{Digest, Failure};

/// Grows when entries of an older datamill must not be read.
const VERSION: &str = "3";

/// What Helm made of a chart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Drawing {
    /// Objects after the post-renderer, namespaces as the chart gives them.
    pub(super) objects: Vec<Json>,
    /// Hooks, the same.
    pub(super) hooks: Vec<Json>,
    /// Fields that were taken out of objects.
    pub(super) dropped: Vec<Dropped>,
    /// Lines about values keys.
    pub(super) warnings: Vec<String>,
    /// Lines about what is drawn anew each time.
    pub(super) drawn_anew: Vec<String>,
}

/// What a chart's templates tell, kept beside the chart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Told {
    unstable: std::collections::BTreeSet<String>,
    asks_cluster: bool,
}

/// The key of a drawing.
pub(super) fn key<'a>(parts: impl IntoIterator<Item = &'a str>) -> Digest {
    Digest::of_parts([VERSION].into_iter().chain(parts))
}

fn path(helm: &HelmSettings, key: &Digest) -> PathBuf {
    helm.rendered.join(format!("{key}.json"))
}

/// A drawing of an earlier run.
pub(super) fn load(helm: &HelmSettings, key: &Digest) -> Option<Drawing> {
    serde_json::from_str(&files::read(&path(helm, key)).ok()?).ok()
}

/// Keeps a drawing. A cache that cannot be written only costs time.
pub(super) fn save(helm: &HelmSettings, key: &Digest, drawing: &Drawing) {
    if let Ok(text) = serde_json::to_string(drawing) {
        files::write_private(&path(helm, key), text).ok();
    }
}

/// Lines that an earlier run found out about what a chart draws anew each time.
pub(super) fn load_lines(helm: &HelmSettings, key: &Digest) -> Option<Vec<String>> {
    serde_json::from_str(&files::read(&path(helm, key)).ok()?).ok()
}

/// Keeps such lines.
pub(super) fn save_lines(helm: &HelmSettings, key: &Digest, lines: &[String]) {
    if let Ok(text) = serde_json::to_string(lines) {
        files::write_private(&path(helm, key), text).ok();
    }
}

/// What a chart's templates tell; read once per chart.
pub(super) async fn findings(helm: &HelmSettings, chart: &Chart) -> Result<Findings, Failure> {
    let path = helm.charts.join(format!("{}.{VERSION}.json", chart.digest));
    let kept = files::read(&path).ok().and_then(|text| serde_json::from_str::<Told>(&text).ok());
    if let Some(told) = kept {
        return Ok(Findings { unstable: told.unstable, asks_cluster: told.asks_cluster });
    }
    let findings = Findings::of(&*chart.content().await?);
    let told = Told { unstable: findings.unstable.clone(), asks_cluster: findings.asks_cluster };
    if let Ok(text) = serde_json::to_string(&told) {
        files::write(&path, text).ok();
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_drawing_is_found_under_its_key_alone() {
        let folder = tempfile::tempdir().unwrap();
        let helm = HelmSettings::new("helm", "datamill", folder.path());
        let drawing = Drawing {
            objects: vec![json!({"kind": "Service"})],
            hooks: vec![],
            dropped: vec![],
            warnings: vec!["w".to_owned()],
            drawn_anew: vec!["d".to_owned()],
        };
        save(&helm, &key(["a"]), &drawing);
        assert_eq!(load(&helm, &key(["a"])), Some(drawing));
        assert_eq!(load(&helm, &key(["b"])), None);
        files::write(&path(&helm, &key(["a"])), "half").unwrap();
        assert_eq!(load(&helm, &key(["a"])), None);
    }
}
