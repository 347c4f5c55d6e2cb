//! Whose an object is, read from what is written on it.

use crate::model::{Class, Identity, Object, Owner, ResourceId, label, label_value};
use serde_json::Value as Json;

/// Whose a live object is: `id` is the resource that wants it, if any. `suitable` of an unmarked one is for the caller to
/// say; here it is `false`.
pub fn owner_of(live: &Object, who: &Identity, id: Option<&ResourceId>) -> Owner {
    let taken = id.is_some_and(|id| who.adopts.ids.contains(id));
    let Some(owner) = live.label(label::OWNER) else {
        if taken {
            return Owner::Ours;
        }
        return Owner::Unmarked { manager: manager_of(live), suitable: false };
    };
    if owner != label_value(&who.owner.0) {
        if taken && !who.adopts.alive.contains(owner) {
            return Owner::Ours;
        }
        let project = live.label(label::PROJECT).unwrap_or("unknown");
        return Owner::Other(format!("project {project}, installation {owner}"));
    }
    let instance = live.label(label::INSTANCE).map(|marked| who.renames.now(marked));
    let flavour = live.label(label::FLAVOUR);
    let from = who.adopts.from.as_deref().filter(|_| taken).map(label_value);
    let others = flavour
        .is_some_and(|name| name != label_value(&who.flavour) && from.as_deref() != Some(name));
    if instance.is_some() && others && !who.every_flavour {
        return Owner::Other(format!("flavour {}", flavour.unwrap_or_default()));
    }
    let wanted = id.map(|id| id.instance_name().map(|name| label_value(name.as_str())));
    match (wanted, instance) {
        (None, _) => Owner::Ours,
        (Some(wanted), instance) if wanted.as_deref() == instance => Owner::Ours,
        (Some(_), Some(instance)) => Owner::Other(format!("instance {instance}")),
        (Some(_), None) => Owner::Other("the target itself".to_owned()),
    }
}

/// Who manages an object that bears no mark of ours, as far as it tells.
pub fn manager_of(live: &Object) -> Option<String> {
    if let Some(release) = live.annotation("meta.helm.sh/release-name") {
        return Some(format!("Helm release {release}"));
    }
    if let Some(owner) = live.0.pointer("/metadata/ownerReferences/0") {
        let text = |key: &str| owner.get(key).and_then(Json::as_str).unwrap_or_default();
        return Some(format!("{} {}", text("kind"), text("name")));
    }
    if let Some(manager) = live.label("app.kubernetes.io/managed-by") {
        return Some(manager.to_owned());
    }
    let entries = live.0.pointer("/metadata/managedFields")?.as_array()?;
    entries
        .iter()
        .filter(|entry| entry.get("subresource").is_none())
        .find_map(|entry| entry.get("manager")?.as_str())
        .map(str::to_owned)
}

/// The class written on an object; where nothing can be read, a volume and a claim of one are data and the rest is stateless.
pub fn class_of(object: &Object) -> Class {
    let written = object.label(label::CLASS).and_then(Class::from_word);
    written.unwrap_or(match object.kind() {
        "PersistentVolumeClaim" | "PersistentVolume" => Class::Data,
        _ => Class::Stateless,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{InstallationId, Marks, ResourceKind, RunId};
    use serde_json::json;

    fn who() -> Identity {
        Identity::new(
            "demo",
            "small",
            "local-kwok-x",
            InstallationId("abc".to_owned()),
            RunId("r".to_owned()),
        )
    }

    fn marked(who: &Identity, instance: &str) -> (ResourceId, Object) {
        let id = ResourceId::instance(&instance.parse().unwrap(), ResourceKind::Objects, "x");
        let marks = Marks::new(who, &id, Class::Stateless, []);
        (
            id,
            Object(json!({"metadata": {"labels": marks.labels, "annotations": marks.annotations}})),
        )
    }

    #[test]
    fn an_object_is_ours_only_with_our_installation_flavour_and_instance() {
        let (id, object) = marked(&who(), "kafka");
        assert_eq!(owner_of(&object, &who(), Some(&id)), Owner::Ours);
        assert_eq!(owner_of(&object, &who(), None), Owner::Ours);
        let (other, _) = marked(&who(), "spark");
        assert!(matches!(owner_of(&object, &who(), Some(&other)), Owner::Other(_)));
        let stranger = Identity { owner: InstallationId("zzz".to_owned()), ..who() };
        assert!(matches!(owner_of(&object, &stranger, Some(&id)), Owner::Other(_)));
        let flavour = Identity { flavour: "big".to_owned(), ..who() };
        let every = Identity { every_flavour: true, ..flavour.clone() };
        assert_eq!(
            owner_of(&object, &flavour, Some(&id)),
            Owner::Other("flavour small".to_owned())
        );
        assert_eq!(owner_of(&object, &every, Some(&id)), Owner::Ours);
    }

    #[test]
    fn a_claim_whose_class_was_lost_is_data() {
        let of = |kind: &str, word: Option<&str>| {
            let labels = word.map(|word| json!({label::CLASS: word}));
            class_of(&Object(json!({"kind": kind, "metadata": {"labels": labels}})))
        };
        for kind in ["PersistentVolumeClaim", "PersistentVolume"] {
            assert_eq!(of(kind, None), Class::Data);
            assert_eq!(of(kind, Some("dta")), Class::Data);
            assert_eq!(of(kind, Some("stateless")), Class::Stateless);
        }
        assert_eq!(of("Secret", None), Class::Stateless);
        assert_eq!(of("Secret", Some("data")), Class::Data);
    }

    #[test]
    fn an_unmarked_object_names_its_manager() {
        let table = [
            (json!({"annotations": {"meta.helm.sh/release-name": "x"}}), Some("Helm release x")),
            (json!({"labels": {"app.kubernetes.io/managed-by": "argo"}}), Some("argo")),
            (json!({"ownerReferences": [{"kind": "Job", "name": "j"}]}), Some("Job j")),
            (
                json!({"managedFields": [{"manager": "kubelet", "subresource": "status"}, {"manager": "kubectl-create"}]}),
                Some("kubectl-create"),
            ),
            (json!({}), None),
        ];
        for (metadata, manager) in table {
            let owner = owner_of(&Object(json!({"metadata": metadata})), &who(), None);
            let manager = manager.map(str::to_owned);
            assert_eq!(owner, Owner::Unmarked { manager, suitable: false });
        }
    }
}
