//! What comparisons of earlier runs found: a release none of whose objects was written since is as it was then, so that nothing
//! of it has to be read or dry-run again. Kept in the cache; losing it only costs time. It holds digests and names, no content.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::super::discover::Marked;
use super::super::normal::normal;
use super::super::session::Session;
use super::stored::Head;
use super::{HelmSettings, short_inputs};
use crate::adapter::files;
use crate::model::{
    AfterApply, Class, Digest, Object, ObjectFound, ObjectRef, Owner, ReleaseStatus, Rendered,
    Resource, ResourceId, Version,
};
use crate::plan::diff;

/// Grows when entries of an older datamill must not be read.
const VERSION: &str = "1";

/// The comparisons of one installation's releases that found nothing different, by release.
pub(super) struct Compared {
    path: PathBuf,
    kept: BTreeMap<String, Entry>,
    fresh: Mutex<BTreeMap<String, Entry>>,
}

/// One release: under which circumstances it was compared, and what its objects were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    key: Digest,
    objects: Vec<Part>,
}

/// One object of a release that was as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    object: ObjectRef,
    class: Class,
    fields: Option<Digest>,
}

impl Compared {
    /// What was kept for an installation; nothing when there is none or it cannot be read.
    pub(super) fn load(session: &Session, helm: &HelmSettings) -> Self {
        let name = Digest::of_parts([
            VERSION,
            session.identity.owner.0.as_str(),
            session.identity.flavour.as_str(),
        ]);
        let path = helm.compared.join(format!("{}.json", name.short(40)));
        let text = files::read(&path).unwrap_or_default();
        let kept = serde_json::from_str(&text).unwrap_or_default();
        Self { path, kept, fresh: Mutex::default() }
    }

    /// The objects of a release whose circumstances are those of the last comparison.
    pub(super) fn recall(
        &self,
        key: &Digest,
        resource: &Resource,
        listed: &Listed<'_>,
    ) -> Option<Vec<ObjectFound>> {
        let entry = self.kept.get(&resource.id.to_string()).filter(|entry| entry.key == *key)?;
        let found = entry.objects.iter().map(|part| {
            let object = listed.by_name.get(&part.object)?;
            let picture = normal(object);
            Some(ObjectFound {
                object: part.object.clone(),
                wanted: true,
                after: AfterApply::Would(picture.clone()),
                live: Some(picture),
                owner: Owner::Ours,
                class: part.class,
                version: Version {
                    uid: object.uid().map(str::to_owned),
                    fields: part.fields.clone(),
                },
            })
        });
        let found: Vec<ObjectFound> = found.collect::<Option<_>>()?;
        self.keep(&resource.id.to_string(), entry.clone());
        Some(found)
    }

    /// Remembers a comparison, when it found nothing different.
    pub(super) fn learn(&self, key: Digest, resource: &Resource, found: &[ObjectFound]) {
        if found.iter().all(is_as_wanted) {
            let part = |object: &ObjectFound| Part {
                object: object.object.clone(),
                class: object.class,
                fields: object.version.fields.clone(),
            };
            let objects = found.iter().map(part).collect();
            self.keep(&resource.id.to_string(), Entry { key, objects });
        }
    }

    fn keep(&self, id: &str, entry: Entry) {
        let mut fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        fresh.insert(id.to_owned(), entry);
    }

    /// Writes down what was learnt, if it differs from what was kept. Releases that were not asked for stay as they are.
    pub(super) fn save(self) {
        let fresh = self.fresh.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut all = self.kept.clone();
        all.extend(fresh);
        if all == self.kept {
            return;
        }
        if let Ok(text) = serde_json::to_string(&all) {
            // A cache that cannot be written only costs time.
            files::write_private(&self.path, text).ok();
        }
    }
}

/// What bears our marks, as it was just listed: names, labels and versions.
pub(super) struct Listed<'a> {
    marked: &'a Marked,
    by_name: BTreeMap<ObjectRef, &'a Object>,
}

impl<'a> Listed<'a> {
    pub(super) fn new(marked: &'a Marked) -> Self {
        let objects = marked.objects.values().flatten();
        let named = objects.filter_map(|object| Some((object.reference()?, object)));
        Self { marked, by_name: named.collect() }
    }

    /// What bears a release's mark.
    pub(super) fn objects(&self, id: &ResourceId) -> &'a [Object] {
        self.marked.objects.get(id).map(Vec::as_slice).unwrap_or_default()
    }

    /// What bears a release's mark, and what of it is listed elsewhere (claims); nothing when an object is missing.
    fn of(&self, resource: &Resource, rendered: &Rendered) -> Option<Vec<(ObjectRef, &'a Object)>> {
        let own = self.marked.objects.get(&resource.id).into_iter().flatten();
        let mut all: BTreeMap<ObjectRef, &Object> =
            own.filter_map(|object| Some((object.reference()?, object))).collect();
        for name in rendered.objects.iter().filter_map(Object::reference) {
            let object = self.by_name.get(&name)?;
            all.insert(name, object);
        }
        Some(all.into_iter().collect())
    }
}

/// The circumstances of a comparison: the stored revision, its inputs, and each live object's uid and version. Nothing when the
/// release is in motion or was made from other inputs, or when not all of it bears our marks: then it must be looked at.
pub(super) fn key(resource: &Resource, head: &Head, listed: &Listed<'_>) -> Option<Digest> {
    let rendered = resource.rendered.as_ref()?;
    let applied = head.applied()?;
    let settled = head.status == ReleaseStatus::Deployed
        && rendered.unknown.is_empty()
        && applied.inputs.as_str() == short_inputs(rendered);
    if !settled {
        return None;
    }
    let text = |object: &Object, at: &str| object.0.pointer(at)?.as_str().map(str::to_owned);
    let mut parts = vec![rendered.inputs.as_str().to_owned()];
    let mut add = |name: &ObjectRef, object: &Object| {
        parts.push(name.to_string());
        parts.push(text(object, "/metadata/uid")?);
        parts.push(text(object, "/metadata/resourceVersion")?);
        Some(())
    };
    add(&head.secret.reference()?, &head.secret)?;
    for (name, object) in listed.of(resource, rendered)? {
        add(&name, object)?;
    }
    Some(Digest::of_parts(parts.iter().map(String::as_str)))
}

/// Whether an object is there, ours, and what the next write would make of it.
fn is_as_wanted(found: &ObjectFound) -> bool {
    match (&found.live, &found.after) {
        (Some(live), AfterApply::Would(after)) => {
            found.wanted && found.owner == Owner::Ours && diff::objects(live, after).is_empty()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value as Json, json};

    use super::*;
    use crate::model::{KubernetesSpec, ResourceKind, Spec, label};

    fn service(version: &str) -> Object {
        Object(json!({"apiVersion": "v1", "kind": "Service", "metadata": {
            "name": "a", "namespace": "n", "uid": "u", "resourceVersion": version}}))
    }

    fn resource(inputs: &str) -> Resource {
        let id = ResourceId::instance(&"x".parse().unwrap(), ResourceKind::Release, "main");
        let mut resource = Resource::new(id, Spec::kubernetes(KubernetesSpec::Installation));
        resource.rendered = Some(Rendered {
            objects: vec![service("0")],
            hooks: Vec::new(),
            ignored: Vec::new(),
            inputs: Digest::of(inputs),
            unknown: BTreeSet::new(),
            unstable: BTreeSet::new(),
            chart: None,
            findings: Vec::new(),
            warnings: Vec::new(),
        });
        resource
    }

    fn marked(objects: Vec<Object>) -> Marked {
        Marked { objects: [(resource("a").id, objects)].into(), ..Marked::default() }
    }

    fn key_of(head: &Head, objects: Vec<Object>) -> Option<Digest> {
        key(&resource("a"), head, &Listed::new(&marked(objects)))
    }

    fn head(inputs: &str, status: &str) -> Head {
        let hash = super::super::stored::spec_hash(3, &Digest::of(inputs));
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {
            "name": "sh.helm.release.v1.r.v3", "namespace": "n", "uid": "s", "resourceVersion": "7",
            "labels": {"name": "r", "version": "3", "status": status, label::SPEC_HASH: hash}}});
        Head::read(Object(secret)).unwrap()
    }

    #[test]
    fn every_write_to_an_object_or_its_release_makes_another_key() {
        let deployed = head("a", "deployed");
        let seen = |version: &str| key_of(&deployed, vec![service(version)]);
        assert!(seen("1").is_some());
        assert_eq!(seen("1"), seen("1"));
        assert_ne!(seen("1"), seen("2"));
        assert_eq!(key_of(&head("b", "deployed"), vec![service("1")]), None, "other inputs");
        assert_eq!(key_of(&head("a", "failed"), vec![service("1")]), None, "it must be mended");
        assert_eq!(key_of(&deployed, vec![]), None, "an object is missing");
        let surplus = Object(json!({"kind": "ConfigMap", "apiVersion": "v1",
            "metadata": {"name": "b", "uid": "v", "resourceVersion": "1"}}));
        let with_surplus = key_of(&deployed, vec![service("1"), surplus]);
        assert!(with_surplus.is_some() && with_surplus != seen("1"));
    }

    #[test]
    fn only_a_comparison_without_a_difference_is_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        let empty = || Compared {
            path: path.clone(),
            kept: serde_json::from_str(&files::read(&path).unwrap_or_default()).unwrap_or_default(),
            fresh: Mutex::default(),
        };
        let wanted = resource("a");
        let found = |after: Json| ObjectFound {
            object: service("1").reference().unwrap(),
            wanted: true,
            live: Some(normal(&service("1"))),
            after: AfterApply::Would(Object(after)),
            owner: Owner::Ours,
            class: Class::Stateless,
            version: Version { uid: Some("u".to_owned()), fields: Some(Digest::of("f")) },
        };
        let key = Digest::of("key");
        let there = marked(vec![service("1")]);
        let drifted = found(json!({"apiVersion": "v1", "kind": "Service", "spec": {"x": 1},
            "metadata": {"name": "a", "namespace": "n"}}));
        let compared = empty();
        compared.learn(key.clone(), &wanted, &[drifted]);
        compared.save();
        assert_eq!(empty().recall(&key, &wanted, &Listed::new(&there)), None);

        let compared = empty();
        compared.learn(key.clone(), &wanted, &[found(normal(&service("1")).0)]);
        compared.save();
        let recalled = empty().recall(&key, &wanted, &Listed::new(&there)).unwrap();
        assert_eq!(recalled[0].version.fields, Some(Digest::of("f")));
        assert!(is_as_wanted(&recalled[0]));
        assert_eq!(empty().recall(&Digest::of("other"), &wanted, &Listed::new(&there)), None);
        assert_eq!(empty().recall(&key, &wanted, &Listed::new(&Marked::default())), None);
    }
}
