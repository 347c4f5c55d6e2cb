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
    /// Whether it is listed to find what bears our marks.
    pub sought: bool,
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
    /// What goes by a call of its own, with its labels as far as they were seen.
    pub(super) gone: Vec<Gone<'a>>,
    /// Releases that Helm writes: the step, the namespace.
    pub(super) releases: Vec<(&'a ResourceId, String)>,
    /// Releases that Helm takes away.
    pub(super) leaving: Vec<(&'a ResourceId, String)>,
}

/// An object that goes.
#[derive(Debug, Clone)]
pub(super) struct Gone<'a> {
    pub(super) step: &'a ResourceId,
    pub(super) name: ObjectRef,
    /// As it was seen; nothing where only its name is known.
    pub(super) live: Option<&'a Object>,
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
        let mut wishes = Self {
            plan,
            written: Vec::new(),
            gone: Vec::new(),
            releases: Vec::new(),
            leaving: Vec::new(),
        };
        for step in &plan.steps {
            if step.id.kind.family() != Family::Kubernetes {
                continue;
            }
            if writes(&step.action) {
                wishes.add(step);
            } else if step.action == Action::Delete {
                // What goes with its host is not asked for: nobody deletes it on its own.
                wishes.remove(step);
            }
        }
        wishes
    }

    fn remove(&mut self, step: &'a Step) {
        let found = || step.found.iter().flat_map(|found| &found.objects);
        for change in step.changes.iter().filter(|change| change.to == Shown::Absent) {
            let Some(name) = change.object.clone() else { continue };
            let live = found().find(|found| found.object == name).and_then(|f| f.live.as_ref());
            self.gone.push(Gone { step: &step.id, name, live });
        }
        if step.id.kind == ResourceKind::Release {
            let namespace = found().find_map(|found| found.object.namespace.clone());
            self.leaving.extend(namespace.map(|namespace| (&step.id, namespace)));
        }
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
                (_, Shown::Absent, true) => {
                    self.gone.push(Gone { step: &step.id, name: object.clone(), live: None });
                }
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

    /// The steps that stay since not everything could be listed.
    pub(super) fn kept_unseen(&self) -> impl Iterator<Item = &'a Step> + use<'a> {
        self.plan.steps.iter().filter(|step| step.is_kept_unseen())
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
        self.gone.iter().any(|gone| gone.name.kind == "Namespace")
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
                sought: false,
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
