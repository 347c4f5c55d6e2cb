//! What we wrote last: a snapshot of each resource's objects, taken from the server's answers to our writes and kept in Secrets
//! beside the record of the installation, compressed and in parts. Memory only: without it nothing is decided otherwise, and
//! plans say that the origin of a change is not known. Secret values are in it as keyed hashes.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use data_encoding::BASE64;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::compare::absent_is;
use super::installation::NAMESPACE;
use super::manager;
use super::normal::normal;
use super::owner::owner_of;
use super::session::Session;
use crate::adapter::kube::{KubeError, Listing, Only, Propagation, Write};
use crate::model::{
    Digest, Identity, LastApplied, Marks, Object, ObjectRef, Owner, ResourceId, Scope, Secret,
    label,
};

/// On each part: which snapshot it belongs to.
pub(super) const MEMORY: &str = "datamill.dev/memory";
/// On each part: its number, how many there are, and the digest of the whole.
const PART: &str = "datamill.dev/part";
/// Under which key.
const KEY: &str = "snapshot";
/// Bytes of a part; in base 64 it stays below 512 KiB.
const LARGEST: usize = 360 * 1024;
/// What is read may not grow beyond this: somebody else may have written it.
const LARGEST_READ: u64 = 64 * 1024 * 1024;
/// Grows when an older datamill must not read it.
const VERSION: u32 = 2;

/// A snapshot as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Snapshot {
    version: u32,
    id: ResourceId,
    inputs: Digest,
    objects: Vec<Object>,
}

/// What is remembered of one resource.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Remembered {
    /// The digest of the inputs it was made from.
    pub(super) inputs: Digest,
    /// Its objects.
    pub(super) objects: LastApplied,
}

/// The object as plans and snapshots may hold it: without bookkeeping, and with keyed hashes for the values of a Secret. Two
/// values are equal when their hashes are.
pub(super) fn sealed(session: &Session, object: &Object) -> Object {
    let mut object = normal(object);
    if object.kind() == "Secret" {
        seal(&session.identity, &mut object);
    }
    hide_in(&mut object.0, session);
    object
}

fn seal(who: &Identity, object: &mut Object) {
    let name = object.reference().map(|name| name.to_string()).unwrap_or_default();
    for map in ["data", "stringData"] {
        let Some(data) = object.0.get_mut(map).and_then(Json::as_object_mut) else { continue };
        for (key, value) in data.iter_mut() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let digest = Digest::of_parts([who.owner.0.as_str(), &name, key, &text]);
            *value = Json::String(format!("(secret {})", digest.short(32)));
        }
    }
}

/// A keyed hash that stands for a secret value in a picture.
pub(super) fn stand_in(who: &Identity, value: &str) -> String {
    let digest = Digest::of_parts([who.owner.0.as_str(), "value", value]);
    format!("(secret {})", digest.short(32))
}

/// Takes known secret values out of a picture.
fn hide_in(json: &mut Json, session: &Session) {
    match json {
        Json::String(text) => {
            let mut stand = |value: &Secret| stand_in(&session.identity, value.reveal());
            *text = session.redactor.redact_with(text, &mut stand);
        }
        Json::Array(items) => items.iter_mut().for_each(|item| hide_in(item, session)),
        Json::Object(map) => map.values_mut().for_each(|item| hide_in(item, session)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

/// The name that all parts of a resource's snapshot share.
fn name_of(who: &Identity, id: &ResourceId) -> String {
    // Instances of one name in two flavours are two things.
    let flavour = match id.scope {
        Scope::Instance(_) => who.flavour.as_str(),
        Scope::Target => "",
    };
    let digest = Digest::of_parts([who.owner.0.as_str(), flavour, &id.to_string()]);
    digest.short(20).to_owned()
}

fn reference(name: String) -> ObjectRef {
    ObjectRef {
        api_version: "v1".to_owned(),
        kind: "Secret".to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        name,
    }
}

/// The parts of a snapshot as objects.
fn parts(who: &Identity, snapshot: &Snapshot) -> Vec<Object> {
    let packed = pack(snapshot);
    let whole = Digest::of(&packed);
    let name = name_of(who, &snapshot.id);
    let mut labels = Marks::of_installation(who);
    labels.insert(MEMORY.to_owned(), name.clone());
    let count = packed.len().div_ceil(LARGEST);
    let part = |(at, bytes): (usize, &[u8])| {
        let own = if at == 0 { String::new() } else { format!("-{at}") };
        Object(json!({
            "apiVersion": "v1", "kind": "Secret", "type": "datamill.dev/applied",
            "metadata": {
                "name": format!("datamill-applied-{name}{own}"), "namespace": NAMESPACE,
                "labels": labels, "annotations": {PART: format!("{at}/{count}/{whole}")},
            },
            "data": {KEY: BASE64.encode(bytes)},
        }))
    };
    packed.chunks(LARGEST).enumerate().map(part).collect()
}

fn pack(snapshot: &Snapshot) -> Vec<u8> {
    let text = serde_json::to_vec(snapshot).unwrap_or_default();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to memory does not fail.
    encoder.write_all(&text).ok();
    encoder.finish().unwrap_or_default()
}

/// Puts a snapshot together; nothing when parts are missing, of different writes, or damaged.
fn unpack(parts: &BTreeMap<usize, (String, Vec<u8>)>) -> Option<Snapshot> {
    let (_, (of, _)) = parts.first_key_value()?;
    let (count, whole) = of.split_once('/')?;
    let count: usize = count.parse().ok()?;
    let of_one_write: Vec<&[u8]> = (0..count)
        .map(|at| parts.get(&at).filter(|(other, _)| other == of).map(|(_, b)| b.as_slice()))
        .collect::<Option<_>>()?;
    let packed = of_one_write.concat();
    if Digest::of(&packed).as_str() != whole {
        return None;
    }
    let mut text = Vec::new();
    GzDecoder::new(packed.as_slice()).take(LARGEST_READ).read_to_end(&mut text).ok()?;
    let snapshot: Snapshot = serde_json::from_slice(&text).ok()?;
    (snapshot.version == VERSION).then_some(snapshot)
}

/// A part's number, `count/digest` of the whole, and its bytes.
fn part_of(secret: &Object) -> Option<(usize, (String, Vec<u8>))> {
    let (at, of) = secret.annotation(PART)?.split_once('/')?;
    let data = secret.0.get("data")?.get(KEY)?.as_str()?;
    Some((at.parse().ok()?, (of.to_owned(), BASE64.decode(data.as_bytes()).ok()?)))
}

/// Remembers what the server made of a write. That it cannot be remembered is no reason to fail: the write is done.
pub(super) async fn remember(
    session: &Session,
    id: &ResourceId,
    inputs: &Digest,
    objects: &[Object],
) {
    if let Some(before) = session.identity.renames.id_before(id) {
        forget(session, &before).await;
    }
    let objects: Vec<Object> = objects.iter().map(|object| sealed(session, object)).collect();
    let snapshot = Snapshot { version: VERSION, id: id.clone(), inputs: inputs.clone(), objects };
    let write = Write::by(manager(&session.identity, id)).forced();
    for part in parts(&session.identity, &snapshot) {
        if let Err(error) = session.cluster.apply(&part, &write).await {
            let error = session.redactor.redact(&error.to_string());
            tracing::warn!(%id, %error, "cannot remember what was applied");
            return;
        }
    }
}

/// All that is remembered in this installation. What cannot be read is not remembered.
pub(super) async fn recall(session: &Session) -> BTreeMap<ResourceId, Remembered> {
    let found = session.cluster.list(&listing(session, None)).await.unwrap_or_default();
    let mut by_name: BTreeMap<String, BTreeMap<usize, (String, Vec<u8>)>> = BTreeMap::new();
    for secret in &found {
        if let (Some(name), Some((at, part))) = (secret.label(MEMORY), part_of(secret)) {
            by_name.entry(name.to_owned()).or_default().insert(at, part);
        }
    }
    let whole = by_name.into_iter().filter_map(|(name, parts)| Some((name, unpack(&parts)?)));
    whole
        // One of another flavour's instance of the same name has another name.
        .filter(|(name, snapshot)| *name == name_of(&session.identity, &snapshot.id))
        .map(|(_, snapshot)| {
            let named = snapshot.objects.into_iter();
            let objects = named.filter_map(|object| Some((object.reference()?, Some(object))));
            let remembered = Remembered { inputs: snapshot.inputs, objects: objects.collect() };
            (session.identity.renames.id(snapshot.id), remembered)
        })
        .collect()
}

fn listing(session: &Session, name: Option<&str>) -> Listing {
    let owner = crate::model::label_value(&session.identity.owner.0);
    let memory = name.map_or_else(|| MEMORY.to_owned(), |name| format!("{MEMORY}={name}"));
    let selector = format!("{}={owner},{memory}", label::OWNER);
    Listing::of("v1", "Secret").namespace(NAMESPACE).labels(selector)
}

/// Forgets a resource, which is gone.
pub(super) async fn forget(session: &Session, id: &ResourceId) {
    let name = name_of(&session.identity, id);
    if let Err(error) = remove(session, Some(&name)).await {
        let error = session.redactor.redact(&error.to_string());
        tracing::warn!(%id, %error, "cannot forget what was applied");
    }
}

/// Forgets everything of an installation, which is gone.
pub(super) async fn forget_all(session: &Session) -> Result<(), KubeError> {
    remove(session, None).await
}

async fn remove(session: &Session, name: Option<&str>) -> Result<(), KubeError> {
    let parts = match session.cluster.list(&listing(session, name).metadata_only()).await {
        // Who may not look there did not write there.
        Err(KubeError::Forbidden(_)) => Vec::new(),
        other => absent_is(other, Vec::new())?,
    };
    for part in parts {
        let ours = owner_of(&part, &session.identity, None) == Owner::Ours;
        if let (Some(name), true) = (part.reference(), ours) {
            let only = Only { uid: part.uid(), version: None };
            session.cluster.delete(&reference(name.name), only, Propagation::Background).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rand::distr::{Alphanumeric, SampleString as _};

    use super::*;
    use crate::model::{InstallationId, RunId};

    fn who() -> Identity {
        Identity::new("demo", "small", "t", InstallationId("abc".to_owned()), RunId("r".to_owned()))
    }

    fn snapshot(text: &str) -> Snapshot {
        let object = Object(json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "x"}, "data": {"text": text}}));
        Snapshot {
            version: VERSION,
            id: "a/objects/x".parse().unwrap(),
            inputs: Digest::of("inputs"),
            objects: vec![object],
        }
    }

    fn read(parts: &[Object]) -> Option<Snapshot> {
        unpack(&parts.iter().filter_map(part_of).collect())
    }

    #[test]
    fn a_snapshot_comes_back_whole_or_not_at_all() {
        let small = snapshot("x");
        let one = parts(&who(), &small);
        assert_eq!((one.len(), read(&one)), (1, Some(small)));
        let large = snapshot(&Alphanumeric.sample_string(&mut rand::rng(), 1_500_000));
        let several = parts(&who(), &large);
        assert!(several.len() > 2);
        assert!(several.iter().all(|part| part.0.to_string().len() < 512 * 1024));
        assert_eq!(read(&several), Some(large));
        assert_eq!(read(&several[1..]), None, "the first is missing");
        assert_eq!(read(&several[..several.len() - 1]), None, "the last is missing");
        let mut mixed = parts(&who(), &snapshot(&"y".repeat(10)));
        mixed.extend(several[1..].iter().cloned());
        assert_eq!(read(&mixed), Some(snapshot(&"y".repeat(10))), "what is left of an older one");
    }

    #[test]
    fn parts_are_ours_and_no_resource() {
        for part in parts(&who(), &snapshot("x")) {
            assert_eq!(owner_of(&part, &who(), None), Owner::Ours);
            assert_eq!(super::super::discover::id_of(&part), None);
        }
        let other = Identity { flavour: "big".to_owned(), ..who() };
        let id = snapshot("x").id;
        assert_ne!(name_of(&who(), &id), name_of(&other, &id));
        let shared = "target/namespace/x".parse().unwrap();
        assert_eq!(name_of(&who(), &shared), name_of(&other, &shared));
    }

    #[test]
    fn values_of_secrets_are_hashes_that_tell_them_apart() {
        let secret = |value: &str| {
            let mut object = Object(json!({"apiVersion": "v1", "kind": "Secret",
                "metadata": {"name": "s", "namespace": "n"}, "data": {"key": value}}));
            seal(&who(), &mut object);
            object
        };
        assert_eq!(secret("aHVudGVy"), secret("aHVudGVy"));
        assert_ne!(secret("aHVudGVy"), secret("aHVudGVx"));
        assert!(!secret("aHVudGVy").0.to_string().contains("aHVudGVy"));
    }
}
