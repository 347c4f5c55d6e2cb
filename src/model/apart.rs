//! What outlives its instance, claims and kept Secrets, may bear one id and lie in several places: which of them the files mean,
//! and what the others go by.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Class, Desired, Discovery, Found, KubernetesSpec, Name, ObjectRef, Owner, ResourceId,
    ResourceKind,
};

const CLAIM: &str = "PersistentVolumeClaim";
const SECRET: &str = "Secret";

impl ResourceId {
    /// The id of a claim or a Secret by the place where it lies: for one whose own id stands for another.
    #[must_use]
    pub fn by_place(&self, object: &ObjectRef) -> Self {
        let namespace = object.namespace.as_deref().unwrap_or_default();
        Self { name: format!("{namespace}/{}", object.name), ..self.clone() }
    }
}

impl Desired {
    /// Whether a claim that no file names is in use: a workload of a wanted instance made it for itself, and lives where it is.
    pub fn uses(&self, id: &ResourceId, found: &Found) -> bool {
        let made_by_a_workload = id.kind == ResourceKind::Claim && found.applied.is_none();
        let Some(instance) = id.instance_name().filter(|_| made_by_a_workload) else {
            return false;
        };
        self.has(instance) && found.lasting().is_none_or(|claim| self.lives_at(instance, claim))
    }

    /// Whether anything of an instance is wanted.
    pub fn has(&self, instance: &Name) -> bool {
        self.resources.keys().any(|id| id.instance_name() == Some(instance))
    }

    /// Whether an instance lives in the namespace of an object; where none is said for it, it may.
    fn lives_at(&self, instance: &Name, object: &ObjectRef) -> bool {
        let own = self.resources.values().filter(|one| one.id.instance_name() == Some(instance));
        let hosts: BTreeSet<&str> = own
            .filter_map(|one| one.host.as_ref())
            .filter(|host| host.kind == ResourceKind::Namespace)
            .map(|host| host.name.as_str())
            .collect();
        hosts.is_empty() || object.namespace.as_deref().is_some_and(|name| hosts.contains(name))
    }

    /// Whether what an id stands for is wanted where this object lies; nothing where nobody wants the instance.
    fn means(&self, id: &ResourceId, object: &ObjectRef) -> Option<bool> {
        let instance = id.instance_name().filter(|instance| self.has(instance))?;
        let is = |namespace: &str, name: &str| {
            object.namespace.as_deref() == Some(namespace) && object.name == name
        };
        Some(match self.get(id).and_then(|wanted| wanted.kubernetes()) {
            Some(KubernetesSpec::Claim(spec)) => is(&spec.namespace, &spec.name),
            Some(KubernetesSpec::Secret(spec)) => is(&spec.namespace, &spec.name),
            _ => self.lives_at(instance, object),
        })
    }
}

impl Found {
    /// The live claim or kept Secret that it is, if it is one.
    pub fn lasting(&self) -> Option<&ObjectRef> {
        let live = self.objects.iter().filter(|object| object.live.is_some());
        let mut objects = live.map(|object| &object.object);
        objects.find(|object| object.kind == CLAIM || self.keep && object.kind == SECRET)
    }
}

impl Discovery {
    /// Gives each claim and each kept Secret the id under which it is meant: its own where the files want it, else one by its
    /// place. What was left behind is listed beside what came instead, and what needed the one needs the other.
    pub fn tell_apart(&mut self, desired: &Desired) {
        let mut renamed = Vec::new();
        for (id, found) in &self.found {
            let lasts = matches!(id.kind, ResourceKind::Claim | ResourceKind::Secret);
            // What follows its instance to another name keeps its place.
            let may = lasts && found.owner == Owner::Ours && found.moved_from.is_none();
            let Some(object) = found.lasting().filter(|_| may) else { continue };
            let written = found.bears.as_ref().unwrap_or(id);
            let by_name = desired.get(written).is_some();
            let meant = match desired.means(written, object) {
                Some(true) if by_name || found.bears.is_none() => written.clone(),
                Some(false) => written.by_place(object),
                Some(true) | None => continue,
            };
            if meant != *id {
                renamed.push((id.clone(), meant, written.clone()));
            }
        }
        for (id, meant, written) in renamed {
            let Some(mut found) = self.found.remove(&id) else { continue };
            found.bears = (meant != written).then_some(written);
            self.found.insert(meant, found);
        }
        self.need_all_of_them();
    }

    /// What the files call data is data, whatever is written on it: a mark that was weakened lets nothing go.
    pub fn class_by(&mut self, files: &Desired) {
        for (id, found) in &mut self.found {
            let meant = found.bears.as_ref().unwrap_or(id);
            if files.get(meant).is_some_and(|wanted| wanted.class == Class::Data) {
                found.class = Class::Data;
            }
        }
    }

    /// What needs the thing of an id needs all that bear it: none goes before what may use it.
    fn need_all_of_them(&mut self) {
        let mut others: BTreeMap<ResourceId, Vec<ResourceId>> = BTreeMap::new();
        for (id, found) in &self.found {
            if let Some(written) = &found.bears {
                others.entry(written.clone()).or_default().push(id.clone());
            }
        }
        for found in self.found.values_mut() {
            let more = found.needs.iter().filter_map(|need| others.get(need)).flatten();
            let more: Vec<_> = more.cloned().collect();
            found.needs.extend(more);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{
        AfterApply, Applied, ClaimSpec, Digest, Object, ObjectFound, Resource, Spec, Version,
    };

    fn id(text: &str) -> ResourceId {
        text.parse().unwrap()
    }

    fn claim(namespace: &str, name: &str, ours: bool) -> Found {
        let object = Object(json!({"apiVersion": "v1", "kind": CLAIM,
            "metadata": {"name": name, "namespace": namespace}}));
        let applied = ours.then(|| Applied { inputs: Digest::of("x"), run: None });
        let object = ObjectFound {
            object: object.reference().unwrap(),
            wanted: false,
            live: Some(object),
            after: AfterApply::Unwanted,
            owner: Owner::Ours,
            class: Class::Data,
            version: Version::default(),
        };
        Found { objects: vec![object], applied, class: Class::Data, ..Found::ours() }
    }

    fn wanted(namespace: &str) -> Desired {
        let mut desired = Desired::default();
        let spec = ClaimSpec {
            namespace: namespace.to_owned(),
            name: "store-data".to_owned(),
            size: "1Gi".to_owned(),
            storage_class: None,
            access_modes: Vec::new(),
            labels: BTreeMap::new(),
        };
        let mut claim =
            Resource::new(id("store/claim/data"), Spec::kubernetes(KubernetesSpec::Claim(spec)));
        claim.host = Some(ResourceId::target(ResourceKind::Namespace, namespace));
        desired.insert(claim);
        desired
    }

    fn told(found: Vec<(ResourceId, Found)>, desired: &Desired) -> Vec<String> {
        let found = found.into_iter().collect();
        let mut all = Discovery { found, ..Discovery::default() };
        all.tell_apart(desired);
        all.found.keys().map(ToString::to_string).collect()
    }

    #[test]
    fn a_claim_that_is_wanted_elsewhere_goes_by_its_place() {
        let one = || vec![(id("store/claim/data"), claim("old", "store-data", true))];
        assert_eq!(told(one(), &wanted("old")), ["store/claim/data"]);
        assert_eq!(told(one(), &wanted("new")), ["store/claim/old/store-data"]);
        assert_eq!(told(one(), &Desired::default()), ["store/claim/data"]);
        let mut renamed = one();
        renamed[0].1.moved_from = Some("shop".parse().unwrap());
        assert_eq!(told(renamed, &wanted("new")), ["store/claim/data"]);
    }

    #[test]
    fn a_kept_secret_goes_by_its_place_too_and_another_one_does_not() {
        let secret = |keep| {
            let mut found = Found { keep, class: Class::Stateless, ..claim("old", "login", true) };
            found.objects[0].object.kind = SECRET.to_owned();
            vec![(id("store/secret/login"), found)]
        };
        assert_eq!(told(secret(true), &wanted("new")), ["store/secret/old/login"]);
        assert_eq!(told(secret(true), &wanted("old")), ["store/secret/login"]);
        assert_eq!(told(secret(false), &wanted("new")), ["store/secret/login"]);
    }

    #[test]
    fn of_several_the_wanted_one_has_the_id() {
        let several = || {
            let one = |namespace: &str| {
                let found = claim(namespace, "store-data", true);
                let own = id("store/claim/data").by_place(found.lasting().unwrap());
                (own, Found { bears: Some(id("store/claim/data")), ..found })
            };
            vec![one("old"), one("new")]
        };
        let both = ["store/claim/new/store-data", "store/claim/old/store-data"];
        assert_eq!(told(several(), &Desired::default()), both);
        assert_eq!(told(several(), &wanted("new")), ["store/claim/data", both[1]]);
        assert_eq!(told(several(), &wanted("old")), ["store/claim/data", both[0]]);
    }

    #[test]
    fn a_class_that_was_weakened_gives_way_to_the_files() {
        let weak = || Found { class: Class::Stateless, ..claim("old", "store-data", true) };
        let class = |files: &Desired, wanted_at: &Desired| {
            let found = [(id("store/claim/data"), weak())].into();
            let mut all = Discovery { found, ..Discovery::default() };
            all.tell_apart(wanted_at);
            all.class_by(files);
            all.found.into_values().next().unwrap().class
        };
        let mut files = wanted("old");
        assert_eq!(class(&files, &Desired::default()), Class::Stateless, "they say nothing of it");
        let claim = files.resources.get_mut(&id("store/claim/data")).unwrap();
        claim.class = Class::Data;
        assert_eq!(class(&files, &Desired::default()), Class::Data);
        assert_eq!(class(&files, &wanted("new")), Class::Data, "left behind at its old place");
        assert_eq!(class(&Desired::default(), &Desired::default()), Class::Stateless);
    }

    #[test]
    fn what_needs_a_claim_needs_each_that_bears_its_id() {
        let user = Found { needs: [id("store/claim/data")].into(), ..Found::ours() };
        let found = [
            (id("store/release/store"), user),
            (id("store/claim/data"), claim("old", "store-data", true)),
        ];
        let mut all = Discovery { found: found.into(), ..Discovery::default() };
        all.tell_apart(&wanted("new"));
        let needs = &all.found[&id("store/release/store")].needs;
        assert!(needs.contains(&id("store/claim/old/store-data")), "{needs:?}");
    }

    #[test]
    fn a_claim_of_a_workload_is_in_use_where_its_instance_lives() {
        let made = id("store/claim/data-store-0");
        let uses = |namespace: &str, ours| {
            wanted("new").uses(&made, &claim(namespace, "data-store-0", ours))
        };
        assert!(uses("new", false) && !uses("old", false) && !uses("new", true));
        assert!(!Desired::default().uses(&made, &claim("new", "data-store-0", false)));
        let away = vec![(made.clone(), claim("old", "data-store-0", false))];
        assert_eq!(told(away, &wanted("new")), ["store/claim/old/data-store-0"]);
    }
}
