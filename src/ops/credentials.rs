//! `credentials`: what opens what was installed, and where it is kept; the values only when they are asked for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use crate::model::{Credential, Failure, FailureKind, LoginPart, Secret, SecretRef};
use crate::ui::Screen;

use super::{Ended, Settings, load, scene};

/// Lists logins and keys of the instances that are meant; `reveal` shows their values.
pub async fn credentials(
    settings: &Settings,
    screen: &Screen,
    reveal: bool,
) -> Result<Ended, Failure> {
    let project = load::load(settings, screen)?;
    let scene = scene::look_at(settings, screen, project).await?;
    let found = scene.expanded()?.credentials.into_iter();
    let found: Vec<_> = found.filter(|one| scene.is_meant(&one.instance)).collect();
    let mut values = BTreeMap::new();
    if reveal {
        if !scene.runs() {
            return Err(Failure::new(FailureKind::Preflight, "the cluster does not run")
                .hint("start it:\n    datamill start"));
        }
        let wanted: BTreeSet<SecretRef> = found.iter().flat_map(kept).cloned().collect();
        values = scene.kubernetes.secrets(&scene.known, wanted).await?;
    }
    let rows: Vec<_> = found.iter().map(|one| row(one, reveal.then_some(&values))).collect();
    let heading = ["instance", "what", "user", if reveal { "value" } else { "kept in" }];
    let text = if rows.is_empty() {
        "nothing that was installed asks for a login".to_owned()
    } else {
        screen.table(&heading, &rows)
    };
    let listed: Vec<_> = found.iter().map(|one| document(one, reveal.then_some(&values))).collect();
    screen.print_document("credentials", &json!({ "credentials": listed }), &text);
    if !reveal && found.iter().any(|one| kept(one).next().is_some()) {
        screen.note("`datamill credentials --reveal` shows the values");
    }
    Ok(Ended::Well)
}

/// Where its parts are kept.
fn kept(one: &Credential) -> impl Iterator<Item = &SecretRef> {
    one.user.iter().chain([&one.secret]).filter_map(|part| match part {
        LoginPart::Secret(at) => Some(at),
        LoginPart::Text(_) => None,
    })
}

type Values = BTreeMap<SecretRef, Secret>;

fn row(one: &Credential, values: Option<&Values>) -> Vec<String> {
    let user = one.user.as_ref().map(|user| shown(user, values)).unwrap_or_default();
    let secret = match (&one.secret, values) {
        (LoginPart::Text(_), None) => "the component's settings".to_owned(),
        (secret, values) => shown(secret, values),
    };
    vec![one.instance.to_string(), one.name.clone(), user, secret]
}

/// A part as a person reads it: its value where that is known, else where it is kept.
fn shown(part: &LoginPart, values: Option<&Values>) -> String {
    match (part, values) {
        (LoginPart::Text(text), _) => text.clone(),
        (LoginPart::Secret(_), None) => part.to_string(),
        (LoginPart::Secret(at), Some(values)) => match values.get(at) {
            Some(value) => value.reveal().to_owned(),
            None => format!("not there yet: {part}"),
        },
    }
}

/// `{instance, name, user: {value | secret}, secret: {value | secret}}`, a value only where it is not kept in a Secret or was asked for.
fn document(one: &Credential, values: Option<&Values>) -> Json {
    let part = |part: &LoginPart, is_open: bool| match part {
        LoginPart::Text(text) if is_open => json!({ "value": text }),
        LoginPart::Text(_) => json!({}),
        LoginPart::Secret(at) => {
            let value = values.and_then(|values| values.get(at)).map(Secret::reveal);
            json!({
                "secret": {"namespace": at.namespace, "name": at.name, "key": at.key},
                "value": value,
            })
        }
    };
    json!({
        "instance": one.instance,
        "name": one.name,
        "user": one.user.as_ref().map(|user| part(user, true)),
        "secret": part(&one.secret, values.is_some()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> SecretRef {
        SecretRef {
            namespace: "n".to_owned(),
            name: "login".to_owned(),
            key: "password".to_owned(),
        }
    }

    fn credential(secret: LoginPart) -> Credential {
        let user = Some(LoginPart::Text("admin".to_owned()));
        Credential { instance: "ui".parse().unwrap(), name: "web".to_owned(), user, secret }
    }

    #[test]
    fn a_value_is_shown_only_when_it_is_asked_for() {
        let values = BTreeMap::from([(at(), Secret::new("hunter2"))]);
        let one = credential(LoginPart::Secret(at()));
        assert_eq!(row(&one, None), ["ui", "web", "admin", "key password of Secret n/login"]);
        assert_eq!(row(&one, Some(&values)), ["ui", "web", "admin", "hunter2"]);
        assert!(!document(&one, None).to_string().contains("hunter2"));
        assert_eq!(document(&one, Some(&values))["secret"]["value"], "hunter2");
        let plain = credential(LoginPart::Text("hunter2".to_owned()));
        assert_eq!(row(&plain, None)[3], "the component's settings");
        assert!(!document(&plain, None).to_string().contains("hunter2"));
        assert_eq!(row(&plain, Some(&values))[3], "hunter2");
    }

    #[test]
    fn what_is_not_there_yet_says_where_it_will_be() {
        let one = credential(LoginPart::Secret(at()));
        let none = BTreeMap::new();
        assert_eq!(row(&one, Some(&none))[3], "not there yet: key password of Secret n/login");
        assert_eq!(document(&one, Some(&none))["secret"]["value"], Json::Null);
    }
}
