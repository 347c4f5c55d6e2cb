//! `connect`: how a client on the way to something installed is set up.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::model::{Connection, Failure, FailureKind, Leaf, Secret, SecretRef};
use crate::ui::Screen;
use crate::yaml::nearest;

use super::scene::{self, Scene};
use super::{Ended, Settings, load};

/// Shows the settings of one client, or of all that there are; secrets are read when the settings are used, unless `reveal` shows
/// them.
pub async fn connect(
    settings: &Settings,
    screen: &Screen,
    client: Option<&str>,
    reveal: bool,
) -> Result<Ended, Failure> {
    let project = load::load(settings, screen)?;
    let scene = scene::look_at(settings, screen, project).await?;
    needs_containers(&scene)?;
    let all = scene.expanded()?.connections.into_iter();
    let all: Vec<_> = all.filter(|one| scene.is_meant(&one.instance)).collect();
    let found: Vec<_> =
        all.iter().filter(|one| client.is_none_or(|client| one.client == client)).collect();
    if let (true, Some(client)) = (found.is_empty(), client) {
        return Err(unknown(client, &all));
    }
    let mut values = BTreeMap::new();
    if reveal {
        let wanted: BTreeSet<SecretRef> = found.iter().flat_map(|one| secrets(one)).collect();
        values = scene.kubernetes.secrets(&scene.known, wanted).await?;
    }
    let context = scene.known.text(&scene.cluster.id, "context").map(str::to_owned);
    let shown: Vec<_> =
        found.iter().map(|one| (*one, filled(one, &values, context.as_deref()))).collect();
    let text = match shown.as_slice() {
        [] => "nothing in the flavour says how a client connects to it".to_owned(),
        // One alone can be piped to where it belongs.
        [(_, text)] => text.clone(),
        several => several
            .iter()
            .map(|(one, text)| format!("# {} ({})\n{text}", one.client, one.instance))
            .collect::<Vec<_>>()
            .join("\n\n"),
    };
    let listed: Vec<_> = shown
        .iter()
        .map(
            |(one, text)| json!({"instance": one.instance, "client": one.client, "settings": text}),
        )
        .collect();
    screen.print_document("connect", &json!({ "clients": listed }), text.trim_end());
    Ok(Ended::Well)
}

/// Refuses what only a cluster with containers can do.
pub(super) fn needs_containers(scene: &Scene<'_>) -> Result<(), Failure> {
    if scene.simulated() {
        return Err(Failure::new(FailureKind::Preflight, "nothing answers in this cluster")
            .because("no container runs in a simulated cluster")
            .hint("take a provider that runs containers:\n    datamill apply --provider kind"));
    }
    if !scene.runs() {
        return Err(Failure::new(FailureKind::Preflight, "the cluster does not run")
            .hint("start it:\n    datamill start"));
    }
    Ok(())
}

fn unknown(client: &str, all: &[Connection]) -> Failure {
    let names: BTreeSet<&str> = all.iter().map(|one| one.client.as_str()).collect();
    let failure =
        Failure::new(FailureKind::Usage, format!("nothing in the flavour is a `{client}`"));
    let known = match names.len() {
        0 => "no component of it names a client".to_owned(),
        _ => format!("known here: {}", names.iter().copied().collect::<Vec<_>>().join(", ")),
    };
    match nearest(client, names.iter().copied()) {
        Some(near) => failure.because(known).hint(format!("did you mean `{near}`?")),
        None => failure.because(known),
    }
}

fn secrets(one: &Connection) -> Vec<SecretRef> {
    let leaves = one.settings.leaves().into_iter();
    leaves
        .filter_map(|leaf| match leaf {
            Leaf::Secret(at) => Some(at),
            Leaf::Output(..) => None,
        })
        .collect()
}

/// The settings as text: a secret that is not shown is a command that reads it.
fn filled(one: &Connection, values: &BTreeMap<SecretRef, Secret>, context: Option<&str>) -> String {
    let filled = one.settings.to_json(&mut |leaf| match leaf {
        Leaf::Secret(at) => match values.get(at) {
            Some(value) => json!(value.reveal()),
            None => json!(reads(at, context)),
        },
        Leaf::Output(of, name) => json!(format!("(known after {of} is ready: {name})")),
    });
    filled.as_str().map_or_else(|| filled.to_string(), str::to_owned)
}

/// A command for a shell that gives a secret.
fn reads(at: &SecretRef, context: Option<&str>) -> String {
    let context = context.map(|name| format!(" --context {name}")).unwrap_or_default();
    let key = at.key.replace('.', "\\.");
    format!(
        "$(kubectl{context} -n {} get secret {} -o jsonpath='{{.data.{key}}}' | base64 -d)",
        at.namespace, at.name
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Value;

    #[test]
    fn a_secret_is_read_by_whoever_uses_the_settings() {
        let at = SecretRef { namespace: "n".into(), name: "login".into(), key: "ca.crt".into() };
        let settings =
            Value::Join(vec![Value::text("CA=\""), Value::Secret(at.clone()), Value::text("\"")]);
        let one = Connection { instance: "a".parse().unwrap(), client: "x".into(), settings };
        assert_eq!(
            filled(&one, &BTreeMap::new(), Some("here")),
            "CA=\"$(kubectl --context here -n n get secret login -o jsonpath='{.data.ca\\.crt}' | base64 -d)\""
        );
        let values = BTreeMap::from([(at, Secret::new("PEM"))]);
        assert_eq!(filled(&one, &values, None), "CA=\"PEM\"");
    }

    #[test]
    fn a_client_that_nobody_names_gets_those_that_are() {
        let one = |client: &str| Connection {
            instance: "a".parse().unwrap(),
            client: client.to_owned(),
            settings: Value::Null,
        };
        let failure = unknown("pslq", &[one("psql"), one("s3")]);
        assert_eq!(failure.causes, ["known here: psql, s3"]);
        assert!(failure.hints.iter().any(|hint| hint.contains("psql")), "{failure:?}");
    }
}
