//! Looking at wanted resources: all live objects in one sweep, then a dry run for each.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::compare::{Live, observe_with, read_live, version_of};
use super::discover::{Marked, applied_of, moved_from, needs_of, protection_of, unwanted};
use super::history;
use super::later;
use super::mask::mask_all;
use super::normal::normal;
use super::owner::class_of;
use super::release;
use super::render::{Drawing, Fill, draw, secrets_in};
use super::session::{Link, Session};
use super::several::several;
use super::{
    AT_A_TIME, Kubernetes, crds, health, installation, manager, namespace, outputs_of, secret,
    volume,
};
use crate::adapter::kube::KubeError;
use crate::model::{
    AfterApply, Digest, Found, Health, Identity, Known, KubernetesSpec, Object, ObjectFound,
    ObjectRef, Observed, Owner, POLICY, Progress, Rendered, Resource, ResourceId, ResourceKind,
    SecretRef, Value, Version, annotation, label, label_value,
};

impl Kubernetes {
    pub(super) async fn observe_all(
        &self,
        wanted: &[&Resource],
        who: &Identity,
        known: &Known,
    ) -> BTreeMap<ResourceId, Observed> {
        let of_all = |observed: &Observed| {
            wanted.iter().map(|resource| (resource.id.clone(), observed.clone())).collect()
        };
        let unreachable = |error: KubeError| Observed::Unreachable {
            because: self.settings.redactor.redact(&error.to_string()),
        };
        let host = wanted.first().and_then(|resource| resource.host.as_ref());
        let session = match self.session(known, host, who).await {
            Ok(Some(session)) => session,
            // A host that is absent makes its contents absent without asking.
            Ok(None) => return of_all(&Observed::Absent),
            Err(error) => return of_all(&unreachable(error)),
        };
        let names = wanted
            .iter()
            .filter(|resource| resource.id.kind != ResourceKind::Release)
            .filter_map(|resource| resource.rendered.as_ref())
            .flat_map(|rendered| &rendered.objects)
            .filter_map(Object::reference);
        let sweep =
            futures::try_join!(self.marked(&session, false), read_live(&session.cluster, names),);
        let (marked, live) = match sweep {
            Ok(both) => both,
            Err(error) => return of_all(&unreachable(error)),
        };
        let known = &self.with_fields(&session, wanted, known).await;
        let releases: Vec<_> = wanted
            .iter()
            .filter_map(|resource| match resource.kubernetes() {
                Some(KubernetesSpec::Release(spec)) => Some((*resource, spec)),
                _ => None,
            })
            .collect();
        let sight = Sight { session: &session, marked: &marked, live: &live, known };
        let sight = &sight;
        let look = |resource: &Resource| {
            let resource = resource.clone();
            async move {
                let observed = sight.observe(&resource).await.unwrap_or_else(unreachable);
                (resource.id, observed)
            }
        };
        let others = wanted.iter().filter(|resource| resource.id.kind != ResourceKind::Release);
        let (others, releases) = futures::join!(
            several(others.map(|resource| look(resource)).collect(), AT_A_TIME),
            release::observe(&session, &self.settings.helm, &releases, &marked),
        );
        let mut all: BTreeMap<_, _> = others.into_iter().chain(releases).collect();
        later::take_back_refusals(wanted, &mut all);
        // Only now all values are known that must not be in a picture.
        mask_all(&session, wanted, &mut all);
        let there = all.iter_mut().filter_map(|(id, observed)| match observed {
            Observed::Present(found) => Some((id, found.as_mut())),
            Observed::Absent | Observed::Unreachable { .. } => None,
        });
        volume::add(&session, &marked, there).await;
        if let Err(error) = history::tell(&session, wanted, &mut all).await {
            return of_all(&unreachable(error));
        }
        Box::pin(self.add_health(&session, wanted, known, &mut all)).await;
        all
    }

    /// Adds how those are that are there.
    async fn add_health(
        &self,
        session: &Session,
        wanted: &[&Resource],
        known: &Known,
        all: &mut BTreeMap<ResourceId, Observed>,
    ) {
        let there: Vec<Resource> = wanted
            .iter()
            .filter(|resource| {
                all.get(&resource.id).and_then(Observed::found).is_some_and(|found| {
                    found.owner == Owner::Ours && resource.id.kind != ResourceKind::Installation
                })
            })
            .map(|resource| self.with_outputs(resource, known))
            .collect();
        let there: Vec<&Resource> = there.iter().collect();
        let Ok(healths) = health::healths(&link(session), &there, &self.settling).await else {
            return;
        };
        for (id, health) in healths {
            if let Some(Observed::Present(found)) = all.get_mut(&id) {
                found.health = health;
            }
        }
    }
}

/// The cluster of a session, whoever acts.
pub(super) fn link(session: &Session) -> Link {
    Link {
        cluster: session.cluster.clone(),
        host: session.host.clone(),
        simulated: session.simulated,
        kubeconfig: session.kubeconfig.clone(),
        context: session.context.clone(),
        version: session.version.clone(),
        redactor: session.redactor.clone(),
        embedded: false,
    }
}

/// A resource drawn anew with what is known now: outputs, and Secret values where they are given. Nothing when it takes more
/// than its spec to draw it (manifests hold no places, so their picture is good as it is).
pub(super) fn redraw(
    resource: &Resource,
    who: &Identity,
    known: &Known,
    secrets: &BTreeMap<SecretRef, String>,
) -> Option<Rendered> {
    let old = resource.rendered.as_ref()?;
    if old.unknown.is_empty() && secrets.is_empty() {
        return Some(old.clone());
    }
    // Which kinds lie in no namespace was known when the picture was drawn.
    let cluster_wide: BTreeSet<String> = old
        .objects
        .iter()
        .filter_map(Object::reference)
        .filter(|name| name.namespace.is_none())
        .map(|name| {
            let group = name.api_version.split_once('/').map_or("", |(group, _)| group);
            format!("{group}/{}", name.kind)
        })
        .collect();
    let drawing = Drawing {
        identity: who,
        fill: Fill {
            output: &|of, name| known.get(of, name).cloned(),
            secret: &|at| secrets.get(at).cloned(),
        },
        manifests: &[],
        cluster_wide: &cluster_wide,
    };
    draw(resource, &drawing).ok().flatten()
}

/// A given value of a Secret as text, when all its places are known.
pub(super) fn given(
    value: &Value,
    known: &Known,
    secrets: &BTreeMap<SecretRef, String>,
) -> Option<String> {
    let mut whole = true;
    let json = value.to_json(&mut |leaf| {
        let found = match leaf {
            crate::model::Leaf::Output(of, name) => known.get(of, name).cloned(),
            crate::model::Leaf::Secret(at) => secrets.get(at).cloned().map(Json::String),
        };
        whole &= found.is_some();
        found.unwrap_or_default()
    });
    whole.then(|| match &json {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => json.to_string(),
    })
}

/// What a look at one resource needs.
struct Sight<'a> {
    session: &'a Session,
    marked: &'a Marked,
    live: &'a Live,
    known: &'a Known,
}

impl Sight<'_> {
    async fn observe(&self, resource: &Resource) -> Result<Observed, KubeError> {
        match resource.kubernetes() {
            Some(KubernetesSpec::Installation) => installation::observe(self.session).await,
            // It only looks: how it stands is its health, and that is not known before it was asked for.
            Some(KubernetesSpec::Wait(_)) => Ok(Observed::Present(Box::new(Found {
                health: Health::Settling(Progress {
                    waits_for: "its conditions could not be looked at".to_owned(),
                    mark: Digest::of(resource.id.to_string()),
                }),
                host: resource.host.clone(),
                ..Found::ours()
            }))),
            Some(KubernetesSpec::Release(_)) | None => Ok(Observed::Absent),
            Some(
                KubernetesSpec::Namespace(_)
                | KubernetesSpec::Crds(_)
                | KubernetesSpec::Secret(_)
                | KubernetesSpec::Claim(_)
                | KubernetesSpec::Objects(_)
                | KubernetesSpec::Removal(_)
                | KubernetesSpec::Job(_),
            ) => match &resource.rendered {
                Some(rendered) => self.observe_objects(resource, rendered).await,
                None => Ok(Observed::Unreachable {
                    because: "what it would be could not be drawn".to_owned(),
                }),
            },
        }
    }

    async fn observe_objects(
        &self,
        resource: &Resource,
        picture: &Rendered,
    ) -> Result<Observed, KubeError> {
        let id = &resource.id;
        let who = &self.session.identity;
        let manager = manager(who, id);
        let secrets = secret::read(self.session, secrets_in(resource)).await?;
        let mut objects = if let Some(KubernetesSpec::Secret(spec)) = resource.kubernetes() {
            let given = |value: &Value| given(value, self.known, &secrets);
            secret::observe(self.session, resource, spec, picture, &manager, &given).await?
        } else {
            let drawn = redraw(resource, who, self.known, &secrets);
            let drawn = drawn.as_ref().unwrap_or(picture);
            if drawn.unknown.is_empty() {
                observe_with(self.session, id, &drawn.objects, &manager, None, self.live).await?
            } else {
                self.unchecked(&drawn.objects)
            }
        };
        for object in &mut objects {
            self.judge(object, picture);
        }
        objects.extend(self.surplus(id, picture, &objects));
        if objects.iter().all(|object| object.live.is_none()) {
            return Ok(Observed::Absent);
        }
        Ok(Observed::Present(Box::new(self.found(resource, picture, objects))))
    }

    fn found(&self, resource: &Resource, picture: &Rendered, objects: Vec<ObjectFound>) -> Found {
        let live = picture.objects.iter().filter_map(|o| self.live.get(&o.reference()?));
        let ours: Vec<&Object> = live
            .filter(|o| o.label(label::OWNER).is_some() && o.annotation(annotation::NODE).is_some())
            .collect();
        let needs = ours.iter().filter_map(|object| object.annotation(annotation::NEEDS));
        Found {
            owner: whole_owner(&objects),
            version: Version { uid: None, ..version_of(&[]) },
            applied: applied_of(ours.iter().copied()),
            outputs: outputs_of(resource, &picture.objects, &self.session.identity),
            needs: needs_of(self.session, needs),
            moved_from: ours.iter().find_map(|object| moved_from(self.session, object)),
            protection: protection_of(ours.iter().copied()),
            host: resource.host.clone(),
            class: ours.first().map_or(resource.class, |object| class_of(object)),
            keep: ours.iter().any(|o| o.annotation(POLICY) == Some("keep")),
            flavour: ours.first().and_then(|o| o.label(label::FLAVOUR)).map(str::to_owned),
            extra: ours.iter().any(|object| object.label(label::EXTRA).is_some()),
            size: ours.first().and_then(|object| super::claim::size_of(object)),
            objects,
            ..Found::ours()
        }
    }

    /// Objects that hold what is not known yet: the server is not asked.
    fn unchecked(&self, objects: &[Object]) -> Vec<ObjectFound> {
        let found = objects.iter().filter_map(|object| {
            let name = object.reference()?;
            let live = self.live.get(&name);
            Some(ObjectFound {
                wanted: true,
                live: live.map(normal),
                after: AfterApply::NotChecked(normal(object)),
                owner: live.map_or(Owner::Ours, |live| {
                    super::owner_of(live, &self.session.identity, None)
                }),
                class: class_of(object),
                version: Version {
                    uid: live.and_then(Object::uid).map(str::to_owned),
                    fields: None,
                },
                object: name,
            })
        });
        found.collect()
    }

    /// What somebody else's is good for, and what a namespace on its way out means.
    fn judge(&self, found: &mut ObjectFound, picture: &Rendered) {
        let Some(live) = self.live.get(&found.object) else { return };
        let whose = match &found.owner {
            Owner::Ours => None,
            Owner::Other(whose) => Some(whose.clone()),
            Owner::Unmarked { manager, .. } => Some(manager.clone().unwrap_or_default()),
        };
        match found.object.kind.as_str() {
            "Namespace" => {
                if let Some(waits) = namespace::terminating(live) {
                    let says = format!("namespace {} is being deleted: {waits}", found.object.name);
                    found.owner = Owner::Ours;
                    found.after = AfterApply::Rejected(says);
                } else if let Some(manager) = whose {
                    // Using is not owning: anybody's namespace will do.
                    let manager = (!manager.is_empty()).then_some(manager);
                    found.owner = Owner::Unmarked { manager, suitable: true };
                }
            }
            "CustomResourceDefinition" => {
                let wanted =
                    picture.objects.iter().find(|o| o.reference().as_ref() == Some(&found.object));
                let suitable = wanted.is_some_and(|wanted| crds::suffices(live, wanted));
                if let Some(manager) = whose {
                    let manager = (!manager.is_empty()).then_some(manager);
                    found.owner = Owner::Unmarked { manager, suitable };
                }
            }
            _ => {}
        }
    }

    /// What bears the resource's mark and is wanted no more. The same object may be listed in another version of its API.
    fn surplus(
        &self,
        id: &ResourceId,
        picture: &Rendered,
        wanted: &[ObjectFound],
    ) -> Vec<ObjectFound> {
        let key = |name: &ObjectRef| {
            let group = name.api_version.split_once('/').map_or("", |(group, _)| group).to_owned();
            (group, name.kind.clone(), name.namespace.clone(), name.name.clone())
        };
        let names = picture.objects.iter().filter_map(Object::reference);
        let mut wanted: BTreeSet<_> = wanted.iter().map(|object| key(&object.object)).collect();
        wanted.extend(names.map(|name| key(&name)));
        let marked = self.marked.objects.get(id).map(Vec::as_slice).unwrap_or_default();
        let surplus = marked.iter().filter_map(|object| {
            let name = object.reference()?;
            // What outlives its instance is a thing by itself elsewhere, and discovered as that.
            let stays = wanted.contains(&key(&name))
                || id.lasts() && object.lasts()
                || object.annotation(secret::ASSUMED).is_some()
                || is_of_another_flavour(object, &self.session.identity);
            if stays { None } else { unwanted(object) }
        });
        surplus.collect()
    }
}

/// Whether an instance of the same name in another flavour made it.
fn is_of_another_flavour(object: &Object, who: &Identity) -> bool {
    let theirs = object.label(label::FLAVOUR);
    object.label(label::INSTANCE).is_some()
        && theirs.is_some_and(|theirs| theirs != label_value(&who.flavour))
}

/// Whose a resource is, from its objects: somebody else's part counts, then ours, then what is used.
fn whole_owner(objects: &[ObjectFound]) -> Owner {
    let live = || objects.iter().filter(|object| object.live.is_some());
    let in_the_way = live().find(|object| match &object.owner {
        Owner::Ours => false,
        Owner::Other(_) => true,
        Owner::Unmarked { suitable, .. } => !suitable,
    });
    if let Some(object) = in_the_way {
        return object.owner.clone();
    }
    let all_used = live().all(|object| object.owner != Owner::Ours);
    match live().next() {
        Some(object) if all_used => object.owner.clone(),
        Some(_) | None => Owner::Ours,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Class;

    fn found(live: bool, owner: Owner) -> ObjectFound {
        ObjectFound {
            object: namespace::reference("x"),
            wanted: true,
            live: live.then_some(Object(Json::Null)),
            after: AfterApply::Unwanted,
            owner,
            class: Class::Stateless,
            version: Version::default(),
        }
    }

    #[test]
    fn what_is_in_the_way_decides_whose_a_resource_is() {
        let used = || Owner::Unmarked { manager: None, suitable: true };
        let bad = || Owner::Unmarked { manager: None, suitable: false };
        assert_eq!(whole_owner(&[found(false, bad()), found(true, Owner::Ours)]), Owner::Ours);
        assert_eq!(whole_owner(&[found(true, used()), found(true, Owner::Ours)]), Owner::Ours);
        assert_eq!(whole_owner(&[found(true, used()), found(true, used())]), used());
        assert_eq!(whole_owner(&[found(true, Owner::Ours), found(true, bad())]), bad());
    }
}
