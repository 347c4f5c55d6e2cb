//! Secrets: rules, not values. Values are drawn once, when a key is absent, and never drawn anew; given values and copies
//! follow their source. No value is ever shown.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use data_encoding::{BASE64, HEXLOWER};
use rand::Rng as _;
use rand::distr::{Alphanumeric, SampleString as _};
use serde_json::{Map, Value as Json, json};

use super::compare::merge;
use super::credential;
use super::failure::provider_error;
use super::normal::compared;
use super::owner::{class_of, owner_of};
use super::session::Session;
use super::snapshot::sealed;
use crate::adapter::kube::{Cluster, KubeError, Write};
use crate::model::{
    AfterApply, Failure, FailureKind, Object, ObjectFound, ObjectRef, Owner, Redactor, Rendered,
    Resource, Secret, SecretPart, SecretRef, SecretRule, SecretSpec, Value, Version,
};
use crate::provider::ProviderError;

/// What stands for a value in every picture.
pub(super) const HIDDEN: &str = "(secret)";
/// On a Secret that an operator would have made, on clusters where none runs.
pub const ASSUMED: &str = "datamill.dev/assumed";
/// How long a copy waits for its source.
const PATIENCE: Duration = Duration::from_mins(2);
/// How often it looks.
const POLL: Duration = Duration::from_millis(500);

/// The reference of a Secret.
pub fn reference(namespace: &str, name: &str) -> ObjectRef {
    ObjectRef {
        api_version: "v1".to_owned(),
        kind: "Secret".to_owned(),
        namespace: Some(namespace.to_owned()),
        name: name.to_owned(),
    }
}

/// The value of a key of a Secret object, learned by the redactor.
pub(super) fn value_of(session: &Session, object: &Object, key: &str) -> Option<String> {
    value_in(&session.redactor, object, key).map(|value| value.reveal().to_owned())
}

fn value_in(redactor: &Redactor, object: &Object, key: &str) -> Option<Secret> {
    let encoded = object.0.get("data")?.get(key)?.as_str()?;
    let value = Secret::new(String::from_utf8(BASE64.decode(encoded.as_bytes()).ok()?).ok()?);
    redactor.learn(&value);
    Some(value)
}

/// The values behind references, learned by the redactor; what is not there has no entry.
pub async fn read(
    session: &Session,
    refs: BTreeSet<SecretRef>,
) -> Result<BTreeMap<SecretRef, String>, KubeError> {
    let values = values(&session.cluster, &session.redactor, refs).await?;
    Ok(values.into_iter().map(|(at, value)| (at, value.reveal().to_owned())).collect())
}

/// The same without a session.
pub async fn values(
    cluster: &Cluster,
    redactor: &Redactor,
    refs: BTreeSet<SecretRef>,
) -> Result<BTreeMap<SecretRef, Secret>, KubeError> {
    let mut values = BTreeMap::new();
    let mut objects: BTreeMap<ObjectRef, Option<Object>> = BTreeMap::new();
    for at in refs {
        let name = reference(&at.namespace, &at.name);
        if !objects.contains_key(&name) {
            let object = cluster.get(&name).await?;
            objects.insert(name.clone(), object);
        }
        let object = objects.get(&name).and_then(Option::as_ref);
        if let Some(value) = object.and_then(|object| value_in(redactor, object, &at.key)) {
            values.insert(at, value);
        }
    }
    Ok(values)
}

/// What a key will hold.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    /// What it holds.
    AsItIs(String),
    /// This.
    Is(String),
    /// A value that is drawn on writing.
    Drawn,
    /// Nobody knows yet: its source is not there.
    Unknown(SecretRef),
}

async fn wanted(
    session: &Session,
    spec: &SecretSpec,
    live: Option<&Object>,
    given: &(dyn Fn(&Value) -> Option<String> + Send + Sync),
) -> Result<BTreeMap<String, Wanted>, KubeError> {
    let copies = spec.keys.values().filter_map(|key| {
        if let SecretRule::Copy(at) = &key.rule { Some(at.clone()) } else { None }
    });
    let sources = read(session, copies.collect()).await?;
    let mut keys = BTreeMap::new();
    for (name, key) in &spec.keys {
        let held = live.and_then(|live| value_of(session, live, name));
        let target = match &key.rule {
            SecretRule::Given(value) => Some(given(value).unwrap_or_default()),
            SecretRule::Param(secret) => Some(secret.reveal().to_owned()),
            SecretRule::Copy(at) if sources.contains_key(at) => sources.get(at).cloned(),
            SecretRule::Copy(at) => {
                let unknown = || Wanted::Unknown(at.clone());
                keys.insert(name.clone(), held.map_or_else(unknown, Wanted::AsItIs));
                continue;
            }
            SecretRule::Alnum { .. }
            | SecretRule::Hex { .. }
            | SecretRule::Base64 { .. }
            | SecretRule::Uuid
            | SecretRule::Rsa { .. }
            | SecretRule::Tls { .. }
            | SecretRule::Part { .. }
            | SecretRule::Htpasswd { .. } => None,
        };
        let wanted = match (target, held) {
            (Some(target), Some(held)) if target == held => Wanted::AsItIs(held),
            (Some(target), _) => {
                session.redactor.learn(&Secret::new(target.clone()));
                Wanted::Is(target)
            }
            (None, Some(held)) => Wanted::AsItIs(held),
            (None, None) => Wanted::Drawn,
        };
        keys.insert(name.clone(), wanted);
    }
    settle_together(spec, &mut keys);
    Ok(keys)
}

/// What is drawn together stays together: where a part of a pair is gone, the whole pair is drawn. A line of a password file
/// follows its password.
fn settle_together(spec: &SecretSpec, keys: &mut BTreeMap<String, Wanted>) {
    for (name, key) in &spec.keys {
        match &key.rule {
            SecretRule::Rsa { .. } | SecretRule::Tls { .. } => {
                // A public half can be told from its private one.
                let can_tell = matches!(key.rule, SecretRule::Rsa { .. })
                    && matches!(keys.get(name), Some(Wanted::AsItIs(_)));
                let members: Vec<&String> =
                    credential::drawn_with(&spec.keys, name).map(|(name, _)| name).collect();
                if !can_tell && members.iter().any(|one| keys.get(*one) == Some(&Wanted::Drawn)) {
                    keys.extend(members.into_iter().map(|one| (one.clone(), Wanted::Drawn)));
                }
            }
            SecretRule::Htpasswd { user, password } => {
                let opens = match (keys.get(name), keys.get(password)) {
                    (
                        Some(Wanted::AsItIs(line)),
                        Some(Wanted::AsItIs(password) | Wanted::Is(password)),
                    ) => credential::opens(line, user, password),
                    _ => false,
                };
                if !opens {
                    keys.insert(name.clone(), Wanted::Drawn);
                }
            }
            SecretRule::Alnum { .. }
            | SecretRule::Hex { .. }
            | SecretRule::Base64 { .. }
            | SecretRule::Uuid
            | SecretRule::Part { .. }
            | SecretRule::Given(_)
            | SecretRule::Param(_)
            | SecretRule::Copy(_) => {}
        }
    }
}

/// The values that are drawn, by key: first those that stand alone, then what follows from others.
fn drawn(
    spec: &SecretSpec,
    wanted: &BTreeMap<String, Wanted>,
) -> Result<BTreeMap<String, String>, String> {
    let is_drawn = |name: &str| wanted.get(name) == Some(&Wanted::Drawn);
    let mut values = BTreeMap::new();
    for (name, key) in spec.keys.iter().filter(|(name, _)| is_drawn(name)) {
        match &key.rule {
            SecretRule::Rsa { .. } | SecretRule::Tls { .. } => {
                values.extend(credential::draw(&spec.keys, name)?);
            }
            SecretRule::Part { of, part: SecretPart::RsaPublic } => {
                if let Some(Wanted::AsItIs(private)) = wanted.get(of) {
                    let public = credential::rsa_public(private);
                    let what = || format!("`{of}` holds no RSA key in PEM, so `{name}` is unknown");
                    values.insert(name.clone(), public.ok_or_else(what)?);
                }
            }
            SecretRule::Part { .. } | SecretRule::Htpasswd { .. } => {}
            rule @ (SecretRule::Alnum { .. }
            | SecretRule::Hex { .. }
            | SecretRule::Base64 { .. }
            | SecretRule::Uuid
            | SecretRule::Given(_)
            | SecretRule::Param(_)
            | SecretRule::Copy(_)) => {
                values.insert(name.clone(), draw(rule));
            }
        }
    }
    for (name, key) in spec.keys.iter().filter(|(name, _)| is_drawn(name)) {
        let SecretRule::Htpasswd { user, password } = &key.rule else { continue };
        let value = match wanted.get(password) {
            Some(Wanted::AsItIs(value) | Wanted::Is(value)) => Some(value.as_str()),
            _ => values.get(password).map(String::as_str),
        };
        let line = credential::htpasswd(user, value.unwrap_or_default())?;
        values.insert(name.clone(), line);
    }
    Ok(values)
}

fn draw(rule: &SecretRule) -> String {
    let bytes = |length: usize| {
        let mut bytes = vec![0; length];
        rand::rng().fill_bytes(&mut bytes);
        bytes
    };
    match rule {
        SecretRule::Alnum { length } => Alphanumeric.sample_string(&mut rand::rng(), *length),
        SecretRule::Hex { length } => HEXLOWER.encode(&bytes(*length)),
        SecretRule::Base64 { length } => BASE64.encode(&bytes(*length)),
        SecretRule::Uuid => uuid(&bytes(16)),
        SecretRule::Rsa { .. }
        | SecretRule::Tls { .. }
        | SecretRule::Part { .. }
        | SecretRule::Htpasswd { .. }
        | SecretRule::Given(_)
        | SecretRule::Param(_)
        | SecretRule::Copy(_) => String::new(),
    }
}

/// Sixteen random bytes as a UUID of version 4.
fn uuid(bytes: &[u8]) -> String {
    let mut number = bytes.iter().fold(0_u128, |number, byte| (number << 8) | u128::from(*byte));
    number = number & !(0xf << 76) | (0x4 << 76);
    number = number & !(0x3 << 62) | (0x2 << 62);
    let text = format!("{number:032x}");
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default().to_owned();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

fn with_data(rendered: &Object, data: Map<String, Json>) -> Object {
    let mut object = rendered.clone();
    if let Some(map) = object.0.as_object_mut() {
        map.insert("data".to_owned(), Json::Object(data));
    }
    object
}

fn encoded(value: &str) -> Json {
    Json::String(BASE64.encode(value.as_bytes()))
}

/// The Secret as it is and as it would be, values hidden.
pub(super) async fn observe(
    session: &Session,
    resource: &Resource,
    spec: &SecretSpec,
    rendered: &Rendered,
    manager: &str,
    given: &(dyn Fn(&Value) -> Option<String> + Send + Sync),
) -> Result<Vec<ObjectFound>, KubeError> {
    let name = reference(&spec.namespace, &spec.name);
    let Some(picture) = rendered.objects.first() else { return Ok(Vec::new()) };
    let live = super::compare::read_live(&session.cluster, [name.clone()]).await?.remove(&name);
    let keys = wanted(session, spec, live.as_ref(), given).await?;
    let data = keys
        .iter()
        .map(|(key, wanted)| {
            let value = match wanted {
                Wanted::AsItIs(value) | Wanted::Is(value) => value.as_str(),
                Wanted::Drawn | Wanted::Unknown(_) => "",
            };
            (key.clone(), encoded(value))
        })
        .collect();
    let sent = with_data(picture, data);
    let write = Write::by(manager).forced().dry();
    let after = match session.cluster.apply(&sent, &write).await {
        Ok(after) => AfterApply::Would(sealed(session, &after)),
        Err(error) if error.means_absent() => AfterApply::NotChecked(sealed(session, &sent)),
        Err(error) if error.is_transient() => return Err(error),
        Err(error) => AfterApply::Rejected(session.redactor.redact(&error.to_string())),
    };
    let owner = live
        .as_ref()
        .map_or(Owner::Ours, |live| owner_of(live, &session.identity, Some(&resource.id)));
    let version = live.as_ref().map_or_else(Version::default, |live| Version {
        uid: live.uid().map(str::to_owned),
        fields: Some(compared(live, &sent)),
    });
    Ok(vec![ObjectFound {
        object: name,
        wanted: true,
        class: class_of(picture),
        live: live.as_ref().map(|live| sealed(session, live)),
        after,
        owner,
        version,
    }])
}

/// What a copy takes its values from, made with placeholders where no operator would make it.
async fn assume(
    session: &Session,
    resource: &Resource,
    missing: &[SecretRef],
    manager: &str,
) -> Result<(), ProviderError> {
    let mut by_name: BTreeMap<ObjectRef, Vec<&str>> = BTreeMap::new();
    for at in missing {
        by_name.entry(reference(&at.namespace, &at.name)).or_default().push(&at.key);
    }
    for (name, keys) in by_name {
        let failed = |error: KubeError| {
            provider_error(
                format!("cannot make a placeholder for {name}"),
                &error,
                &session.redactor,
            )
        };
        let live = session.cluster.get(&name).await.map_err(failed)?;
        if live.as_ref().is_some_and(|live| live.annotation(ASSUMED).is_none()) {
            // Somebody's real Secret lacks the key: that is for them to mend.
            continue;
        }
        let marks = crate::model::Marks::new(&session.identity, &resource.id, resource.class, []);
        let mut annotations = marks.annotations;
        annotations.insert(ASSUMED.to_owned(), "true".to_owned());
        let mut object = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {
                "name": name.name, "namespace": name.namespace,
                "labels": marks.labels, "annotations": annotations,
            },
        });
        let held = live.as_ref().and_then(|live| live.0.get("data")).cloned().unwrap_or(json!({}));
        merge(&mut object, &json!({"data": held}));
        for key in keys {
            let value = Alphanumeric.sample_string(&mut rand::rng(), 24);
            session.redactor.learn(&Secret::new(value.clone()));
            merge(&mut object, &json!({"data": {key: encoded(&value)}}));
        }
        let write = Write::by(manager).forced();
        session.cluster.apply(&Object(object), &write).await.map_err(failed)?;
    }
    Ok(())
}

/// Writes the Secret, and returns it as the server has it: keys that are absent are drawn, the rest stays or follows its source. Waits for the sources of copies.
pub(super) async fn put(
    session: &Session,
    resource: &Resource,
    spec: &SecretSpec,
    rendered: &Rendered,
    manager: &str,
    given: &(dyn Fn(&Value) -> Option<String> + Send + Sync),
    progress: &(dyn Fn(String) + Send + Sync),
) -> Result<Vec<Object>, ProviderError> {
    let name = reference(&spec.namespace, &spec.name);
    let failed = |error: KubeError| {
        provider_error(format!("cannot write {name}"), &error, &session.redactor)
    };
    let started = tokio::time::Instant::now();
    let Some(picture) = rendered.objects.first() else { return Ok(Vec::new()) };
    loop {
        let live = session.cluster.get(&name).await.map_err(failed)?;
        if let Some(live) = &live {
            let owner = owner_of(live, &session.identity, Some(&resource.id));
            super::compare::may_touch(&name, &owner)?;
        }
        let keys = wanted(session, spec, live.as_ref(), given).await.map_err(failed)?;
        let missing: Vec<SecretRef> = keys
            .values()
            .filter_map(|key| match key {
                Wanted::Unknown(at) => Some(at.clone()),
                Wanted::AsItIs(_) | Wanted::Is(_) | Wanted::Drawn => None,
            })
            .collect();
        if let Some(first) = missing.first() {
            if session.simulated && started.elapsed() < POLL {
                assume(session, resource, &missing, manager).await?;
            } else if started.elapsed() > PATIENCE {
                return Err(missing_source(&name, first));
            } else {
                progress(format!("waits for Secret {first}"));
            }
            tokio::time::sleep(POLL).await;
            continue;
        }
        let drawn = drawn(spec, &keys).map_err(|why| cannot_draw(&name, why))?;
        let written = write(session, picture, live.as_ref(), keys, &drawn, manager).await;
        return written.map(|object| vec![object]).map_err(failed);
    }
}

fn missing_source(name: &ObjectRef, source: &SecretRef) -> ProviderError {
    ProviderError::permanent(
        Failure::new(FailureKind::NotReady, format!("{name} copies a key that is not there"))
            .because(format!(
                "Secret {}/{} has no key `{}`",
                source.namespace, source.name, source.key
            ))
            .hint(format!(
                "see whether what makes it runs:\n\n    kubectl -n {} get secrets,pods",
                source.namespace
            )),
    )
}

fn cannot_draw(name: &ObjectRef, why: String) -> ProviderError {
    let failure = Failure::new(FailureKind::Preflight, format!("cannot draw what {name} holds"));
    ProviderError::permanent(failure.because(why))
}

async fn write(
    session: &Session,
    picture: &Object,
    live: Option<&Object>,
    keys: BTreeMap<String, Wanted>,
    drawn: &BTreeMap<String, String>,
    manager: &str,
) -> Result<Object, KubeError> {
    let mut data = Map::new();
    for (key, wanted) in keys {
        let value = match wanted {
            Wanted::AsItIs(value) | Wanted::Is(value) => value,
            Wanted::Drawn => drawn.get(&key).cloned().unwrap_or_default(),
            Wanted::Unknown(_) => continue,
        };
        session.redactor.learn(&Secret::new(value.clone()));
        data.insert(key, encoded(&value));
    }
    // With the run that writes it: a second try of this run finds its own work.
    let mut object = super::objects::with_run(session, &with_data(picture, data));
    let Some(live) = live else {
        // Created, not applied: of two that draw at once, the second must not overwrite the first.
        return session.cluster.create(&object, &Write::by(manager)).await;
    };
    let version = live.0.pointer("/metadata/resourceVersion").cloned().unwrap_or_default();
    merge(&mut object.0, &json!({"metadata": {"resourceVersion": version}}));
    session.cluster.apply(&object, &Write::by(manager).forced()).await
}

/// Placeholders that a Secret of ours was copied from, in words.
pub(super) fn assumed(found: &[Object]) -> Vec<String> {
    found
        .iter()
        .filter(|object| object.annotation(ASSUMED).is_some())
        .filter_map(Object::reference)
        .map(|name| format!("{name} holds placeholders: what would make it does not run here"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_values_have_the_shape_of_their_rule() {
        let alnum = draw(&SecretRule::Alnum { length: 40 });
        assert!(alnum.len() == 40 && alnum.chars().all(|c| c.is_ascii_alphanumeric()));
        assert_eq!(draw(&SecretRule::Hex { length: 16 }).len(), 32);
        let raw = draw(&SecretRule::Base64 { length: 32 });
        assert_eq!(BASE64.decode(raw.as_bytes()).unwrap().len(), 32);
        let uuid = draw(&SecretRule::Uuid);
        let parts: Vec<usize> = uuid.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert!(uuid.get(14..15) == Some("4") && "89ab".contains(uuid.get(19..20).unwrap()));
        assert_ne!(draw(&SecretRule::Uuid), uuid);
    }

    fn pair() -> SecretSpec {
        let part = |part| SecretRule::Part { of: "tls.crt".to_owned(), part };
        let line = SecretRule::Htpasswd { user: "ada".to_owned(), password: "password".to_owned() };
        let keys = [
            ("auth", line),
            ("password", SecretRule::Alnum { length: 8 }),
            ("rsa", SecretRule::Rsa { bits: 2048 }),
            ("rsa.pub", SecretRule::Part { of: "rsa".to_owned(), part: SecretPart::RsaPublic }),
            ("tls.crt", SecretRule::Tls { names: vec!["a".to_owned()], days: 1 }),
            ("tls.key", part(SecretPart::TlsKey)),
        ];
        SecretSpec {
            namespace: "n".to_owned(),
            name: "s".to_owned(),
            secret_type: "Opaque".to_owned(),
            keys: keys
                .map(|(name, rule)| (name.to_owned(), crate::model::SecretKey { rule }))
                .into(),
            keep: false,
        }
    }

    #[test]
    fn what_is_drawn_together_is_kept_together_or_drawn_together() {
        let spec = pair();
        let all: BTreeMap<String, Wanted> =
            spec.keys.keys().map(|key| (key.clone(), Wanted::Drawn)).collect();
        let values = drawn(&spec, &all).unwrap();
        assert_eq!(values.len(), 6);
        let held = |but: &[&str]| {
            let mut keys: BTreeMap<String, Wanted> = values
                .iter()
                .map(|(key, value)| {
                    let drawn = but.contains(&key.as_str());
                    (key.clone(), if drawn { Wanted::Drawn } else { Wanted::AsItIs(value.clone()) })
                })
                .collect();
            settle_together(&spec, &mut keys);
            let drawn = keys.iter().filter(|(_, wanted)| **wanted == Wanted::Drawn);
            drawn.map(|(key, _)| key.clone()).collect::<Vec<_>>()
        };
        assert_eq!(held(&[]), Vec::<String>::new());
        assert_eq!(held(&["tls.key"]), ["tls.crt", "tls.key"]);
        assert_eq!(held(&["rsa"]), ["rsa", "rsa.pub"]);
        // The private half in use is never thrown away for the sake of the public one.
        assert_eq!(held(&["rsa.pub"]), ["rsa.pub"]);
        assert_eq!(held(&["password"]), ["auth", "password"]);
        let mut other = held_values(&values);
        other.insert("password".to_owned(), Wanted::Is("other".to_owned()));
        settle_together(&spec, &mut other);
        assert_eq!(other["auth"], Wanted::Drawn);
        let line = drawn(&spec, &other).unwrap();
        assert!(credential::opens(&line["auth"], "ada", "other"));
    }

    fn held_values(values: &BTreeMap<String, String>) -> BTreeMap<String, Wanted> {
        values.iter().map(|(key, value)| (key.clone(), Wanted::AsItIs(value.clone()))).collect()
    }
}
