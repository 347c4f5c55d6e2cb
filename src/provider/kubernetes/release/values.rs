//! The values of a release with all places filled in, as far as they are known; and what of them decides whether the release
//! changed: secrets count by a keyed hash.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::BASE64;
use serde_json::Value as Json;

use super::super::failure::failure;
use super::super::session::Session;
use crate::adapter::kube::KubeError;
use crate::model::{
    Digest, Failure, Identity, Known, Leaf, Object, ObjectRef, Secret, SecretRef, Value,
};

/// Values ready for Helm.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Filled {
    /// With secrets; [`Leaf::shown`] stands where something is not known.
    pub(super) json: Json,
    /// For the digest of the inputs: a keyed hash stands for each secret.
    pub(super) hashed: Json,
    /// What is not known.
    pub(super) unknown: BTreeSet<Leaf>,
    /// Whether secrets stand in `json`.
    pub(super) has_secrets: bool,
}

/// Fills in outputs that are known and secrets that are in the cluster.
pub(super) async fn fill(
    values: &Value,
    known: &Known,
    session: Option<&Session>,
    identity: &Identity,
) -> Result<Filled, Failure> {
    let wanted: BTreeSet<_> = values
        .leaves()
        .into_iter()
        .filter_map(|leaf| match leaf {
            Leaf::Secret(at) => Some(at),
            Leaf::Output(..) => None,
        })
        .collect();
    let secrets = match session {
        Some(session) if !wanted.is_empty() => read(session, &wanted).await?,
        Some(_) | None => BTreeMap::new(),
    };
    Ok(put_in(values, known, &secrets, identity))
}

fn put_in(
    values: &Value,
    known: &Known,
    secrets: &BTreeMap<SecretRef, Secret>,
    identity: &Identity,
) -> Filled {
    let mut unknown = BTreeSet::new();
    let mut has_secrets = false;
    let json = values.to_json(&mut |leaf| {
        let value = match leaf {
            Leaf::Output(of, name) => known.get(of, name).cloned(),
            Leaf::Secret(at) => {
                let secret = secrets.get(at);
                has_secrets |= secret.is_some();
                secret.map(|secret| Json::String(secret.reveal().to_owned()))
            }
        };
        value.unwrap_or_else(|| {
            unknown.insert(leaf.clone());
            Json::String(leaf.shown())
        })
    });
    let hashed = values.to_json(&mut |leaf| match leaf {
        Leaf::Output(of, name) => {
            known.get(of, name).cloned().unwrap_or_else(|| Json::String(leaf.shown()))
        }
        Leaf::Secret(at) => Json::String(match secrets.get(at) {
            Some(secret) => {
                let parts = [identity.owner.0.as_str(), &at.to_string(), secret.reveal()];
                Digest::of_parts(parts).as_str().to_owned()
            }
            None => leaf.shown(),
        }),
    });
    Filled { json, hashed, unknown, has_secrets }
}

/// The secrets that a release was made with, at the places where it takes them: they may have changed since.
pub(super) fn held(values: &Value, config: &Json) -> Vec<Secret> {
    match (values, config) {
        (Value::Map(map), Json::Object(there)) => {
            let both = map.iter().filter_map(|(key, value)| Some((value, there.get(key)?)));
            both.flat_map(|(value, there)| held(value, there)).collect()
        }
        (Value::List(items), Json::Array(there)) => {
            items.iter().zip(there).flat_map(|(item, there)| held(item, there)).collect()
        }
        (Value::Secret(_), Json::String(text)) => vec![Secret::new(text.as_str())],
        (Value::Join(parts), Json::String(text)) if !values.is_plain() => {
            let part = match parts.as_slice() {
                [Value::Secret(_), Value::Text(after)] => text.strip_suffix(after.as_str()),
                [Value::Text(before), Value::Secret(_)] => text.strip_prefix(before.as_str()),
                [Value::Text(before), Value::Secret(_), Value::Text(after)] => text
                    .strip_prefix(before.as_str())
                    .and_then(|rest| rest.strip_suffix(after.as_str())),
                _ => None,
            };
            let is_secret = values.leaves().iter().any(|leaf| matches!(leaf, Leaf::Secret(_)));
            let whole = is_secret.then_some(text.as_str());
            whole.into_iter().chain(part).map(Secret::new).collect()
        }
        _ => Vec::new(),
    }
}

/// Reads keys of Secrets; what is not there has no entry. Every value becomes known to the redactor.
async fn read(
    session: &Session,
    wanted: &BTreeSet<SecretRef>,
) -> Result<BTreeMap<SecretRef, Secret>, Failure> {
    let mut found = BTreeMap::new();
    let mut read: BTreeMap<ObjectRef, Option<Object>> = BTreeMap::new();
    for at in wanted {
        let name = ObjectRef {
            api_version: "v1".to_owned(),
            kind: "Secret".to_owned(),
            namespace: Some(at.namespace.clone()),
            name: at.name.clone(),
        };
        if !read.contains_key(&name) {
            let object = match session.cluster.get(&name).await {
                Err(KubeError::NotFound(_)) => None,
                other => other.map_err(|error| {
                    failure(format!("cannot read {name}"), &error, &session.redactor)
                })?,
            };
            read.insert(name.clone(), object);
        }
        let data = read.get(&name).and_then(Option::as_ref).and_then(|o| o.0.pointer("/data"));
        let value = data.and_then(|data| data.get(&at.key)).and_then(Json::as_str);
        if let Some(bytes) = value.and_then(|text| BASE64.decode(text.as_bytes()).ok()) {
            let secret = Secret::new(String::from_utf8_lossy(&bytes).into_owned());
            session.redactor.learn(&secret);
            found.insert(at.clone(), secret);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{InstallationId, Outputs, ResourceId, ResourceKind, RunId};

    #[test]
    fn places_are_filled_and_secrets_count_by_a_hash() {
        let of = ResourceId::target(ResourceKind::Bucket, "lake");
        let at = |key: &str| SecretRef {
            namespace: "n".to_owned(),
            name: "s".to_owned(),
            key: key.to_owned(),
        };
        let output = |name: &str| Value::Output { of: of.clone(), name: name.to_owned() };
        let values = Value::Map(
            [
                ("a".to_owned(), output("known")),
                ("b".to_owned(), output("later")),
                ("c".to_owned(), Value::Secret(at("x"))),
                ("d".to_owned(), Value::Join(vec![Value::text("p="), Value::Secret(at("y"))])),
            ]
            .into_iter()
            .collect(),
        );
        let identity =
            Identity::new("p", "f", "t", InstallationId("o".to_owned()), RunId("r".to_owned()));
        let mut known = Known::default();
        known.insert(of.clone(), Outputs::from([("known".to_owned(), json!(7))]));
        let secrets = |value: &str| BTreeMap::from([(at("x"), Secret::new(value))]);
        let filled = put_in(&values, &known, &secrets("hunter2"), &identity);
        assert_eq!(filled.json["a"], 7);
        assert_eq!(filled.json["b"], "(known after target/bucket/lake: later)");
        assert_eq!(
            (&filled.json["c"], &filled.json["d"]),
            (&json!("hunter2"), &json!("p=(secret)"))
        );
        assert!(filled.has_secrets && !filled.hashed.to_string().contains("hunter2"));
        assert_eq!(filled.unknown.len(), 2);
        let other = put_in(&values, &known, &secrets("hunter3"), &identity);
        assert_ne!(filled.hashed, other.hashed);
        assert_eq!(filled.hashed, put_in(&values, &known, &secrets("hunter2"), &identity).hashed);
    }

    #[test]
    fn what_a_release_holds_of_secrets_is_found_where_it_takes_them() {
        let secret = || {
            let [namespace, name, key] = ["n", "s", "k"].map(str::to_owned);
            Value::Secret(SecretRef { namespace, name, key })
        };
        let map = |key: &str, value| Value::Map([(key.to_owned(), value)].into());
        let url = Value::Join(vec![Value::text("u:"), secret(), Value::text("@h")]);
        let values = Value::List(vec![map("a", secret()), map("b", url), map("c", Value::Null)]);
        let config = json!([{"a": "old1", "z": "other"}, {"b": "u:old2@h"}, {"c": "seen"}]);
        let found = held(&values, &config);
        let found: Vec<&str> = found.iter().map(Secret::reveal).collect();
        assert_eq!(found, ["old1", "u:old2@h", "old2"]);
    }
}
