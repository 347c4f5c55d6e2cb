//! What a plan writes and takes away, object by object.

use std::collections::{BTreeMap, BTreeSet};

use super::read::{list, text};
use crate::model::{Family, KubernetesSpec, Object, ObjectRef, ResourceId, ResourceKind};
use crate::plan::{Action, Block, Plan, Shown, Step};

/// How a kind is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The API group; empty for the core.
    pub group: String,
    /// `deployments`.
    pub plural: String,
    /// Whether its objects lie in namespaces.
    pub namespaced: bool,
}

/// How kinds are served, by API version and kind.
pub type ServedKinds = BTreeMap<(String, String), Served>;

/// What becomes of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is not there yet, or is made anew.
    Comes,
    /// It changes.
    Changes,
    /// It stays as it is.
    Stays,
}

/// An object of a step.
#[derive(Debug, Clone)]
pub(super) struct Written<'a> {
    pub(super) step: &'a ResourceId,
    pub(super) object: &'a Object,
    pub(super) name: ObjectRef,
    pub(super) fate: Fate,
    /// Whether it is run by Helm and not kept.
    pub(super) hook: bool,
}

/// All that a plan writes and takes away.
#[derive(Debug, Clone)]
pub struct Wishes<'a> {
    pub(super) plan: &'a Plan,
    pub(super) written: Vec<Written<'a>>,
    /// What goes.
    pub(super) gone: Vec<(&'a ResourceId, ObjectRef)>,
    /// Releases that Helm writes: the step, the namespace.
    pub(super) releases: Vec<(&'a ResourceId, String)>,
}

/// Whether a step was blocked since it could not be looked at: what it would write is wished for all the same.
pub(super) fn is_unseen(action: &Action) -> bool {
    matches!(action.block(), Some(Block::Unreachable { .. } | Block::Preflight { .. }))
}

fn writes(action: &Action) -> bool {
    matches!(
        action,
        Action::Create
            | Action::Update
            | Action::Repair
            | Action::Replace
            | Action::Adopt
            | Action::Deferred { .. }
    ) || is_unseen(action)
}

impl<'a> Wishes<'a> {
    /// What a plan wishes for.
    pub fn of(plan: &'a Plan) -> Self {
        let mut wishes = Self { plan, written: Vec::new(), gone: Vec::new(), releases: Vec::new() };
        for step in &plan.steps {
            if step.id.kind.family() != Family::Kubernetes {
                continue;
            }
            if writes(&step.action) {
                wishes.add(step);
            } else if matches!(step.action, Action::Delete | Action::GoesWith { .. }) {
                let found = step.found.iter().flat_map(|found| &found.objects);
                wishes.gone.extend(found.map(|found| (&step.id, found.object.clone())));
                if step.id.kind == ResourceKind::Release {
                    let mut first = step.found.iter().flat_map(|found| &found.objects);
                    let namespace = first.find_map(|found| found.object.namespace.clone());
                    wishes.releases.extend(namespace.map(|namespace| (&step.id, namespace)));
                }
            }
        }
        wishes
    }

    fn add(&mut self, step: &'a Step) {
        let Some(wanted) = &step.wanted else { return };
        if let Some(KubernetesSpec::Release(spec)) = wanted.kubernetes() {
            self.releases.push((&step.id, spec.namespace.clone()));
        }
        let Some(rendered) = &wanted.rendered else { return };
        let anew = step.found.is_none()
            || matches!(step.action, Action::Create | Action::Replace | Action::Deferred { .. });
        let mut comes = BTreeSet::new();
        let mut changes = BTreeSet::new();
        for change in &step.changes {
            let Some(object) = &change.object else { continue };
            match (&change.from, &change.to, change.path.is_empty()) {
                (Shown::Absent, _, true) => drop(comes.insert(object)),
                (_, Shown::Absent, true) => self.gone.push((&step.id, object.clone())),
                _ => drop(changes.insert(object)),
            }
        }
        for object in &rendered.objects {
            let Some(name) = object.reference() else { continue };
            let fate = if anew || comes.contains(&name) {
                Fate::Comes
            } else if changes.contains(&name) {
                Fate::Changes
            } else {
                Fate::Stays
            };
            self.written.push(Written { step: &step.id, object, name, fate, hook: false });
        }
        for object in &rendered.hooks {
            let test = object.annotation("helm.sh/hook").is_some_and(|events| {
                events.split(',').all(|event| event.trim().starts_with("test"))
            });
            if let (Some(name), false) = (object.reference(), test) {
                let fate = Fate::Comes;
                self.written.push(Written { step: &step.id, object, name, fate, hook: true });
            }
        }
    }

    /// What comes or changes: what stays asks for nothing new.
    pub(super) fn moving(&self) -> impl Iterator<Item = &Written<'a>> {
        self.written.iter().filter(|written| written.fate != Fate::Stays)
    }

    /// The namespaces that something is written in, or that are wanted themselves.
    pub fn namespaces(&self) -> BTreeSet<String> {
        let inside = self.written.iter().filter_map(|written| written.name.namespace.clone());
        let themselves = self.written.iter().filter(|w| w.name.kind == "Namespace");
        let themselves = themselves.map(|written| written.name.name.clone());
        let releases = self.releases.iter().map(|(_, namespace)| namespace.clone());
        inside.chain(themselves).chain(releases).collect()
    }

    /// Whether something that runs comes or changes.
    pub fn runs_pods(&self) -> bool {
        self.moving().any(|written| super::pod::template(&written.object.0).is_some())
    }

    /// Whether something that claims a volume comes.
    pub fn claims_volumes(&self) -> bool {
        self.moving().any(|written| {
            written.name.kind == "PersistentVolumeClaim"
                || !list(&written.object.0, "/spec/volumeClaimTemplates").is_empty()
        })
    }

    /// Whether a pod of the plan names a runtime class.
    pub fn names_runtime_class(&self) -> bool {
        let mut templates =
            self.moving().filter_map(|written| super::pod::template(&written.object.0));
        templates.any(|template| !text(template, "/spec/runtimeClassName").is_empty())
    }

    /// Whether a namespace goes.
    pub(super) fn deletes_namespaces(&self) -> bool {
        self.gone.iter().any(|(_, name)| name.kind == "Namespace")
    }

    /// How the kinds are served that the plan itself defines.
    pub(super) fn defined(&self) -> ServedKinds {
        let mut all = ServedKinds::new();
        for written in self.written.iter().filter(|w| w.name.kind == "CustomResourceDefinition") {
            let json = &written.object.0;
            let group = text(json, "/spec/group");
            let served = Served {
                group: group.to_owned(),
                plural: text(json, "/spec/names/plural").to_owned(),
                namespaced: text(json, "/spec/scope") != "Cluster",
            };
            for version in list(json, "/spec/versions") {
                let version = format!("{group}/{}", text(version, "/name"));
                let kind = text(json, "/spec/names/kind").to_owned();
                all.insert((version, kind), served.clone());
            }
        }
        all
    }

    /// The steps that stand before a step, directly or not, itself included.
    pub(super) fn before(&self, step: &'a ResourceId) -> BTreeSet<&'a ResourceId> {
        let mut before = BTreeSet::from([step]);
        // What a step waits for stands before it, so one way back through the plan finds all.
        for other in self.plan.steps.iter().rev() {
            if before.contains(&other.id) {
                before.extend(&other.after);
            }
        }
        before
    }
}
