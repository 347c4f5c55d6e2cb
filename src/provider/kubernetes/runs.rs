//! The last runs of a project, beside its installation record: ConfigMap `kube-system/datamill-<project>`, compressed. Memory
//! for people and for the next machine; nothing is decided by it, and without it nothing breaks.

use std::io::{Read as _, Write as _};

use data_encoding::BASE64;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value as Json, json};

use super::lease::object_name;
use crate::adapter::kube::{Cluster, KubeError, Only, Propagation, Write};
use crate::model::{Identity, Marks, Object, ObjectRef, RunRecord};

/// How many runs are remembered.
pub const KEPT: usize = 20;
/// What is written is smaller than this; older runs go first.
const LARGEST: usize = 512 * 1024;
/// What is read may not grow beyond this: somebody else may have written it.
const LARGEST_READ: u64 = 64 * 1024 * 1024;
/// Under which key.
const KEY: &str = "runs.json.gz";
/// The field manager.
const MANAGER: &str = "datamill";

fn reference(project: &str) -> ObjectRef {
    ObjectRef {
        api_version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
        namespace: Some(super::installation::NAMESPACE.to_owned()),
        name: object_name(project),
    }
}

/// The remembered runs of a project, oldest first; none when there is no record, or none that makes sense.
pub async fn read(cluster: &Cluster, project: &str) -> Result<Vec<RunRecord>, KubeError> {
    let map = cluster.get(&reference(project)).await?;
    Ok(map.as_ref().map(runs_of).unwrap_or_default())
}

fn runs_of(map: &Object) -> Vec<RunRecord> {
    let packed = map.0.get("binaryData").and_then(|data| data.get(KEY)).and_then(Json::as_str);
    packed.and_then(unpack).unwrap_or_default()
}

/// Writes what became of runs into the record, whoever wrote others meanwhile.
pub async fn write(cluster: &Cluster, who: &Identity, runs: &[RunRecord]) -> Result<(), KubeError> {
    let name = reference(&who.project);
    let mut last = KubeError::Changed("the record of runs changes all the time".to_owned());
    for _ in 0..3 {
        let now = cluster.get(&name).await?;
        let mut all = now.as_ref().map(runs_of).unwrap_or_default();
        for run in runs {
            all.retain(|other| other.by.run != run.by.run);
            all.push(run.clone());
        }
        let version = now.as_ref().and_then(|map| map.0.pointer("/metadata/resourceVersion"));
        let object = json!({
            "apiVersion": name.api_version, "kind": name.kind,
            "metadata": {
                "name": name.name, "namespace": name.namespace,
                "labels": Marks::of_installation(who), "resourceVersion": version,
            },
            "binaryData": {KEY: pack(all)},
        });
        let written = match &now {
            Some(_) => cluster.merge(&name, &object, MANAGER).await,
            None => cluster.create(&Object(object), &Write::by(MANAGER)).await,
        };
        match written {
            Ok(_) => return Ok(()),
            Err(
                error @ (KubeError::Changed(_)
                | KubeError::AlreadyExists(_)
                | KubeError::NotFound(_)),
            ) => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// Removes the record.
pub async fn remove(cluster: &Cluster, project: &str) -> Result<(), KubeError> {
    let name = reference(project);
    cluster.delete(&name, Only::default(), Propagation::Background).await.map(drop)
}

/// The newest runs as compressed JSON in base 64, as many as fit.
fn pack(mut runs: Vec<RunRecord>) -> String {
    runs.sort_by_key(|run| run.begun);
    let surplus = runs.len().saturating_sub(KEPT);
    runs.drain(..surplus);
    loop {
        let packed = compressed(&runs);
        if packed.len() < LARGEST || runs.is_empty() {
            return packed;
        }
        if runs.len() == 1 {
            // A run of its own is never that large, unless what failed says very much.
            for run in &mut runs {
                run.failed.clear();
            }
            let packed = compressed(&runs);
            return if packed.len() < LARGEST { packed } else { String::new() };
        }
        runs.remove(0);
    }
}

fn compressed(runs: &[RunRecord]) -> String {
    let json = serde_json::to_vec(runs).unwrap_or_default();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to memory does not fail.
    encoder.write_all(&json).ok();
    BASE64.encode(&encoder.finish().unwrap_or_default())
}

fn unpack(text: &str) -> Option<Vec<RunRecord>> {
    let bytes = BASE64.decode(text.as_bytes()).ok()?;
    let mut json = Vec::new();
    GzDecoder::new(bytes.as_slice()).take(LARGEST_READ).read_to_end(&mut json).ok()?;
    serde_json::from_slice(&json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Digest, Intent, RunId, Runner};

    fn run(at: u64, failures: usize) -> RunRecord {
        let by = Runner {
            who: "ann@laptop".to_owned(),
            run: RunId(format!("laptop.{at}.x")),
            command: "apply".to_owned(),
        };
        let mut run = RunRecord::new(by, "demo", at);
        for n in 0..failures {
            let id = format!("a{n}/objects/main").parse().unwrap();
            // What does not compress.
            let says: String =
                (0..20).map(|m| Digest::of(format!("{at} {n} {m}")).to_string()).collect();
            run.failed.insert(id, says);
        }
        let intent = Intent { action: "create".to_owned(), at };
        run.open.insert("a/objects/open".parse().unwrap(), intent);
        run
    }

    #[test]
    fn the_newest_runs_are_kept_as_they_were() {
        let all: Vec<_> = (0..30).rev().map(|at| run(at, 3)).collect();
        let kept = unpack(&pack(all)).unwrap();
        assert_eq!(kept, (10..30).map(|at| run(at, 3)).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_written_stays_below_half_a_mebibyte() {
        let packed = pack((0..30).map(|at| run(at, 200)).collect());
        assert!(packed.len() < LARGEST, "{}", packed.len());
        let kept = unpack(&packed).unwrap();
        assert_eq!(kept.last(), Some(&run(29, 200)), "the newest is kept first");
        let huge = unpack(&pack(vec![run(1, 2_000)])).unwrap();
        assert_eq!(huge[0].open.len(), 1, "what is open outlives what failed");
    }

    #[test]
    fn garbage_is_no_memory() {
        for text in ["", "!", "AAAA", &BASE64.encode(b"no gzip")] {
            assert_eq!(unpack(text), None, "{text}");
        }
        assert_eq!(runs_of(&Object(json!({"binaryData": {KEY: "x"}}))), Vec::new());
    }
}
