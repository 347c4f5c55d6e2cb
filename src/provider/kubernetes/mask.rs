//! No picture of an object holds the value of a secret: a keyed hash stands for it, so that two of them can be told apart.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::session::Session;
use super::snapshot::{sealed, stand_in};
use crate::model::{
    AfterApply, Identity, KubernetesSpec, Object, ObjectFound, ObjectRef, Observed, Redactor,
    Resource, ResourceId, pointer_to, stands_for_secret,
};

/// Takes secret values out of what is compared as objects of ours. Those of releases are compared as Helm has them, and masked
/// in the plan.
pub(super) fn mask_all(
    session: &Session,
    wanted: &[&Resource],
    all: &mut BTreeMap<ResourceId, Observed>,
) {
    for resource in wanted {
        let by_itself = matches!(
            resource.kubernetes(),
            Some(
                KubernetesSpec::Release(_)
                    | KubernetesSpec::Secret(_)
                    | KubernetesSpec::Installation
                    | KubernetesSpec::Wait(_)
            ) | None
        );
        let (Some(Observed::Present(found)), false) = (all.get_mut(&resource.id), by_itself) else {
            continue;
        };
        let pictures = resource.rendered.iter().flat_map(|rendered| &rendered.objects);
        let fed: BTreeMap<ObjectRef, Vec<String>> = pictures
            .filter_map(|object| Some((object.reference()?, fed_places(&object.0))))
            .collect();
        for object in &mut found.objects {
            let fed = fed.get(&object.object).map(Vec::as_slice).unwrap_or_default();
            mask(object, fed, session);
        }
    }
}

/// Where secrets are put into an object, as JSON pointers.
fn fed_places(picture: &Json) -> Vec<String> {
    fn below(path: &str, json: &Json, into: &mut Vec<String>) {
        match json {
            Json::String(text) if stands_for_secret(text) => into.push(path.to_owned()),
            Json::Object(map) => {
                map.iter().for_each(|(key, item)| below(&pointer_to(path, key), item, into));
            }
            Json::Array(items) => items
                .iter()
                .enumerate()
                .for_each(|(at, item)| below(&pointer_to(path, &at.to_string()), item, into)),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
    }
    let mut places = Vec::new();
    below("", picture, &mut places);
    places
}

/// Takes secret values out of a picture: those that are known, and what stands where one is put.
fn mask(found: &mut ObjectFound, fed: &[String], session: &Session) {
    let hide = |object: &mut Object| {
        hide_fed(object, fed, &session.redactor, &session.identity);
        *object = sealed(session, object);
    };
    found.live.iter_mut().for_each(hide);
    match &mut found.after {
        AfterApply::Would(object) | AfterApply::NotChecked(object) => hide(object),
        AfterApply::Rejected(_) | AfterApply::Unwanted => {}
    }
}

/// What is known is masked as the memory of what was applied has it.
fn hide_fed(object: &mut Object, fed: &[String], redactor: &Redactor, who: &Identity) {
    if object.kind() == "Secret" {
        return;
    }
    for path in fed {
        if let Some(Json::String(text)) = object.0.pointer_mut(path)
            && !text.contains("(known after ")
            && !redactor.finds(text)
        {
            *text = stand_in(who, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{InstallationId, RunId, Secret};
    use crate::plan::Shown;
    use crate::plan::diff;

    #[test]
    fn what_stands_where_a_secret_is_put_is_hidden_whoever_knows_it() {
        let of = |v: &str| {
            Object(json!({"kind": "ConfigMap", "data": {"v": v, "w": "seen", "a/b": ["x", v]}}))
        };
        let fed = fed_places(&of("u:(secret)@h").0);
        assert_eq!(fed, ["/data/a~1b/1", "/data/v"]);
        let owner = InstallationId("abc".to_owned());
        let who = Identity::new("demo", "small", "t", owner, RunId("r".to_owned()));
        let redactor = Redactor::default();
        let hidden = |text: &str| {
            let mut object = of(text);
            hide_fed(&mut object, &fed, &redactor, &who);
            object
        };
        let (old, new) = (hidden("rotA777"), hidden("rotB888"));
        assert!(!old.0.to_string().contains("rotA777") && old.0.to_string().contains("seen"));
        assert_eq!(hidden("rotA777"), old);
        let found = diff::objects(&old, &new);
        assert_eq!(found.len(), 2, "they are told apart: {found:?}");
        assert!(found.iter().all(|d| (&d.from, &d.to) == (&Shown::Masked, &Shown::Masked)));
        redactor.learn(&Secret::new("rotA777"));
        assert_eq!(hidden("rotA777"), of("rotA777"), "known ones are masked as everywhere");
    }
}
