//! What outlives its instance, claims and kept Secrets, may bear one id and lie in several places: which of them the files mean,
//! and what the others go by.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Class, Desired, Discovery, Found, KubernetesSpec, Name, Object, ObjectFound, ObjectRef, Owner,
    ResourceId, ResourceKind, Snapshot,
};

/// The kind of the object that a claim is.
pub const CLAIM: &str = "PersistentVolumeClaim";
const SECRET: &str = "Secret";
/// Helm's own word for what stays; ours too, so that one word means one thing in a cluster.
pub const POLICY: &str = "helm.sh/resource-policy";

impl Object {
    /// Whether it outlives its instance as a thing by itself: a claim, or a Secret that is kept.
    pub fn lasts(&self) -> bool {
        let kept = || self.annotation(POLICY) == Some("keep");
        self.kind() == CLAIM || self.kind() == SECRET && kept()
    }
}

impl ResourceId {
    /// Whether it stands for things that outlive their instance each by itself.
    pub fn lasts(&self) -> bool {
        matches!(self.kind, ResourceKind::Claim | ResourceKind::Secret)
    }

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
        let lasts = |one: &&ObjectFound| one.live.as_ref().is_some_and(Object::lasts);
        self.objects.iter().find(lasts).map(|one| &one.object)
    }
}

impl Discovery {
    /// Gives each claim and each kept Secret the id under which it is meant: its own where the files want it, else one by its
    /// place. What was left behind is listed beside what came instead, and what needed the one needs the other.
    pub fn tell_apart(&mut self, desired: &Desired) {
        let mut renamed = Vec::new();
        for (id, found) in &self.found {
            // What follows its instance to another name keeps its place: where it was found once, it is what is meant.
            let follows = found.moved_from.is_some() && found.bears.is_none();
            let may = id.lasts() && found.owner == Owner::Ours && !follows;
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

impl Snapshot {
    /// Takes what wanted resources are made of out of what was found under ids that nobody wants: its step has another name now,
    /// and what is left of the old one goes without it. What is a release is not its objects alone, and a chart's claim has an
    /// id of its own.
    pub fn hand_over(&mut self, desired: &Desired) {
        let seen = self.observed.iter().filter(|(id, _)| desired.get(id).is_some());
        let part = |id: &ResourceId, one: &ObjectFound| {
            let of_a_chart = id.kind == ResourceKind::Release && one.object.kind == CLAIM;
            let ours = one.wanted && one.live.is_some() && one.owner == Owner::Ours;
            one.version.uid.clone().filter(|_| ours && !of_a_chart)
        };
        let parts: BTreeSet<String> = seen
            .filter_map(|(id, seen)| Some((id, seen.found()?)))
            .flat_map(|(id, found)| found.objects.iter().filter_map(move |one| part(id, one)))
            .collect();
        let handed =
            |one: &ObjectFound| one.version.uid.as_ref().is_some_and(|u| parts.contains(u));
        self.discovered.found.retain(|id, found| {
            if desired.get(id).is_some() || !found.objects.iter().any(handed) {
                return true;
            }
            found.objects.retain(|one| !handed(one));
            !found.objects.is_empty() || found.release.is_some()
        });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{AfterApply, Applied, ClaimSpec, Digest, Observed, Resource, Spec, Version};

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
        let secret = |keep: bool| {
            let mut found = Found { class: Class::Stateless, ..claim("old", "login", true) };
            let marks = json!({POLICY: if keep { "keep" } else { "" }});
            let object = &mut found.objects[0];
            object.object.kind = SECRET.to_owned();
            let live = object.live.as_mut().unwrap();
            live.0["kind"] = SECRET.into();
            live.0["metadata"]["annotations"] = marks;
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
    fn of_several_the_wanted_one_follows_its_instance_to_another_name() {
        let mut several: Vec<_> = ["old", "new"].map(|at| claim(at, "store-data", true)).into();
        for found in &mut several {
            found.bears = Some(id("store/claim/data"));
            found.moved_from = Some("shop".parse().unwrap());
        }
        let by_place =
            |found: Found| (id("store/claim/data").by_place(found.lasting().unwrap()), found);
        let all = told(several.into_iter().map(by_place).collect(), &wanted("new"));
        assert_eq!(all, ["store/claim/data", "store/claim/old/store-data"]);
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
    fn what_a_wanted_step_is_made_of_is_no_part_of_one_that_had_another_name() {
        let of = |names: &[&str]| {
            let one = |name: &&str| {
                let mut object = claim("new", name, true).objects.remove(0);
                object.version.uid = Some((*name).to_owned());
                object.wanted = true;
                object
            };
            Found { objects: names.iter().map(one).collect(), ..Found::ours() }
        };
        let (wanted_one, was) = (id("store/claim/data"), id("store/claim/volume"));
        let left = |names: &[&str]| {
            let seen = Observed::Present(Box::new(of(&["one"])));
            let mut snapshot = Snapshot::default();
            snapshot.observed.insert(wanted_one.clone(), seen);
            snapshot.discovered.found.insert(wanted_one.clone(), of(&["one"]));
            snapshot.discovered.found.insert(was.clone(), of(names));
            snapshot.hand_over(&wanted("new"));
            assert_eq!(snapshot.discovered.found[&wanted_one], of(&["one"]));
            snapshot.discovered.found.remove(&was)
        };
        assert_eq!(left(&["one"]), None);
        assert_eq!(left(&["one", "two"]), Some(of(&["two"])));
        assert_eq!(left(&["two"]), Some(of(&["two"])));
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
