//! Custom resources whose definition changes in the same plan: the server judges them by the definition it has now, so its
//! refusal says nothing about what comes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::normal::normal;
use crate::model::{AfterApply, Object, ObjectRef, Observed, Resource, ResourceId, ResourceKind};

/// Group and kind of what a definition defines.
type Defined = (String, String);

/// Takes refusals of objects back whose definition is among the wanted ones and changes: they are not checked yet.
pub(super) fn take_back_refusals(wanted: &[&Resource], all: &mut BTreeMap<ResourceId, Observed>) {
    let changing = changing(all);
    if changing.is_empty() {
        return;
    }
    let pictures: BTreeMap<ObjectRef, &Object> = wanted
        .iter()
        .filter_map(|resource| resource.rendered.as_ref())
        .flat_map(|rendered| &rendered.objects)
        .filter_map(|object| Some((object.reference()?, object)))
        .collect();
    for observed in all.values_mut() {
        let Observed::Present(found) = observed else { continue };
        for object in &mut found.objects {
            let refused = matches!(object.after, AfterApply::Rejected(_));
            if let (true, Some(picture)) = (refused, pictures.get(&object.object))
                && changing.contains(&defined_by(&object.object))
            {
                object.after = AfterApply::NotChecked(normal(picture));
            }
        }
    }
}

/// What the definitions define that will change.
fn changing(all: &BTreeMap<ResourceId, Observed>) -> BTreeSet<Defined> {
    all.iter()
        .filter(|(id, _)| id.kind == ResourceKind::Crds)
        .filter_map(|(_, observed)| observed.found())
        .flat_map(|found| &found.objects)
        .filter_map(|object| match &object.after {
            AfterApply::Would(after) if object.live.as_ref() != Some(after) => definition(after),
            AfterApply::NotChecked(after) => definition(after),
            AfterApply::Would(_) | AfterApply::Rejected(_) | AfterApply::Unwanted => None,
        })
        .collect()
}

fn definition(object: &Object) -> Option<Defined> {
    let text = |pointer: &str| object.0.pointer(pointer).and_then(Json::as_str).map(str::to_owned);
    Some((text("/spec/group")?, text("/spec/names/kind")?))
}

fn defined_by(object: &ObjectRef) -> Defined {
    let group = object.api_version.split_once('/').map_or("", |(group, _)| group);
    (group.to_owned(), object.kind.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{
        Class, CrdsSpec, Digest, Found, KubernetesSpec, Manifests, ObjectFound, Owner, Rendered,
        Spec, Version,
    };

    fn definition_of(size: u8) -> Object {
        Object(json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "widgets.example.org"},
            "spec": {"group": "example.org", "names": {"kind": "Widget"}, "size": size},
        }))
    }

    fn widget() -> Object {
        Object(json!({"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "w"}}))
    }

    fn found(object: &Object, live: Option<Object>, after: AfterApply) -> Observed {
        let mut found = Found::ours();
        found.objects.push(ObjectFound {
            object: object.reference().unwrap(),
            wanted: true,
            live,
            after,
            owner: Owner::Ours,
            class: Class::Stateless,
            version: Version::default(),
        });
        Observed::Present(Box::new(found))
    }

    #[test]
    fn only_a_changing_definition_takes_a_refusal_back() {
        let crds: ResourceId = "thing/crds/definitions".parse().unwrap();
        let objects: ResourceId = "thing/objects/widget".parse().unwrap();
        let spec = CrdsSpec { from: Manifests::Inline(Vec::new()), names: Vec::new() };
        let mut wanted =
            Resource::new(objects.clone(), Spec::kubernetes(KubernetesSpec::Crds(spec)));
        wanted.rendered = Some(Rendered {
            objects: vec![widget()],
            hooks: Vec::new(),
            ignored: Vec::new(),
            inputs: Digest::of("x"),
            unknown: BTreeSet::new(),
            unstable: BTreeSet::new(),
            chart: None,
            findings: Vec::new(),
            warnings: Vec::new(),
        });
        for (newer, taken_back) in [(2, true), (1, false)] {
            let definition = found(
                &definition_of(1),
                Some(definition_of(1)),
                AfterApply::Would(definition_of(newer)),
            );
            let refused = found(&widget(), None, AfterApply::Rejected("no such field".to_owned()));
            let mut all = BTreeMap::from([(crds.clone(), definition), (objects.clone(), refused)]);
            take_back_refusals(&[&wanted], &mut all);
            let after = &all[&objects].found().unwrap().objects[0].after;
            assert_eq!(matches!(after, AfterApply::NotChecked(_)), taken_back, "{newer}");
        }
    }
}
