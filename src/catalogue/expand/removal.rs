//! What a component says of its end: nodes that go before what they guard. They stand in the chain of needs, so that the order
//! of deletion is that of every other node, turned round.

use std::collections::BTreeSet;

use super::Site;
use crate::catalogue::component::{GoneWish, GuardWish, Keeping, SelectedWish};
use crate::catalogue::condition::reference;
use crate::model::{
    Gone, Guard, KubernetesSpec, RemovalRules, RemovalSpec, ResourceId, ResourceKind, Selected,
    VolumeRule, check_selector,
};
use crate::yaml::{Located, Problem};

/// The node that goes last: how long things may take, and what becomes of volume claims.
const MANNER: &str = "manner";
/// The node that goes first.
const GUARD: &str = "guard";

impl Site<'_, '_, '_, '_> {
    /// What holds for the whole end of an instance; every step needs it, so it goes after them.
    pub(super) fn manner(&mut self) {
        let delete = &self.member.component.delete;
        let volumes = match &delete.pvcs_where {
            Some((keeping, selector)) => Some(VolumeRule {
                keep: *keeping == Keeping::Keep,
                selector: Some(selector.clone()),
            }),
            None => delete
                .pvcs
                .map(|keeping| VolumeRule { keep: keeping == Keeping::Keep, selector: None }),
        };
        // Keeping everything is what happens anyway.
        let volumes = volumes.filter(|rule| !rule.keep || rule.selector.is_some());
        let rules = RemovalRules {
            timeout: delete.timeout.map(|timeout| timeout.as_secs().max(1)),
            volumes,
            ..RemovalRules::default()
        };
        if rules != RemovalRules::default() {
            let id = self.removal(MANNER, rules, BTreeSet::new());
            self.ground.insert(id);
        }
    }

    /// What must be gone before a step goes stands behind it: what comes later needs it, hence goes first.
    pub(super) fn gone_before(&mut self, step: &str, is_crds: bool) {
        let wishes = self.member.component.delete.wait_gone.iter();
        let first = self.member.component.steps.first().map(|step| step.id.as_str());
        let own: Vec<&GoneWish> = wishes
            .filter(|wish| {
                wish.before.as_ref().map_or(first, |(id, _)| Some(id.as_str())) == Some(step)
            })
            .collect();
        let gone: Vec<Gone> = own.into_iter().filter_map(|wish| self.gone(wish)).collect();
        if gone.is_empty() {
            return;
        }
        let needs: BTreeSet<ResourceId> = if is_crds {
            self.ground.iter().filter(|id| id.kind == ResourceKind::Crds).cloned().collect()
        } else {
            self.previous.clone()
        };
        let id = self.removal(step, RemovalRules { gone, ..RemovalRules::default() }, needs);
        if is_crds {
            self.ground.insert(id);
        } else {
            self.previous.insert(id);
        }
    }

    /// Guards, and what is deleted first: needs everything of the instance, so it goes before everything.
    pub(super) fn guard(&mut self) {
        let delete = &self.member.component.delete;
        let guards: Vec<Guard> = delete.guards.iter().flat_map(|wish| self.guards(wish)).collect();
        let selected: Vec<Selected> =
            delete.selected.iter().filter_map(|wish| self.selected(wish)).collect();
        if guards.is_empty() && selected.is_empty() {
            return;
        }
        let rules = RemovalRules { guards, selected, ..RemovalRules::default() };
        let needs = self.own.clone();
        self.removal(GUARD, rules, needs);
    }

    fn removal(
        &mut self,
        name: &str,
        rules: RemovalRules,
        needs: BTreeSet<ResourceId>,
    ) -> ResourceId {
        let spec = RemovalSpec {
            namespace: self.member.namespace.clone(),
            name: format!("{}-removal-{name}", self.member.release),
            rules,
        };
        let mut resource =
            self.resource(ResourceKind::Removal, name, KubernetesSpec::Removal(spec));
        resource.needs.extend(needs);
        let id = resource.id.clone();
        self.add(resource);
        id
    }

    fn gone(&mut self, wish: &GoneWish) -> Option<Gone> {
        let of = self.scope.object(&wish.of, None, &mut self.yard.problems)?;
        let selector = match &wish.selector {
            Some(tree) => Some(self.selector(tree)?),
            None => None,
        };
        Some(Gone { of, selector, timeout: wish.timeout.map(|time| time.as_secs().max(1)) })
    }

    fn guards(&mut self, wish: &GuardWish) -> Vec<Guard> {
        let because =
            wish.because.as_ref().and_then(|tree| self.scope.text(tree, &mut self.yard.problems));
        let test = std::slice::from_ref(&wish.test);
        let found = self.scope.conditions(test, &mut self.yard.problems);
        found.into_iter().map(|one| Guard { test: one.test, because: because.clone() }).collect()
    }

    fn selected(&mut self, wish: &SelectedWish) -> Option<Selected> {
        const VOLUMES: [&str; 2] = ["PersistentVolumeClaim", "PersistentVolume"];
        let kind = self.scope.text(&wish.kind, &mut self.yard.problems)?;
        let full = if kind.contains('/') { format!("{kind}/*") } else { format!("v1/{kind}/*") };
        let lower = format!("{}/*", kind.to_lowercase());
        let namespace = &self.member.namespace;
        let of = reference(&lower, namespace).or_else(|| reference(&full, namespace));
        let problem = match &of {
            None => Some(format!("`{kind}` is no kind such as `Pod` or `apps/v1/Deployment`")),
            Some(of) if VOLUMES.contains(&of.kind.as_str()) => {
                Some("volumes are not deleted by a selector here; write `delete.pvcs`".to_owned())
            }
            Some(of) if of.namespace.is_none() => {
                Some(format!("`{kind}` lies in no namespace, so what is selected may be anybody's"))
            }
            Some(_) => None,
        };
        if let Some(message) = problem {
            self.yard.problems.push(Problem::error("selected", message).at(&wish.kind.span));
            return None;
        }
        let selector = self.selector(&wish.selector)?;
        Some(Selected { of: of?, selector, wait: wish.wait })
    }

    fn selector(&mut self, tree: &Located) -> Option<String> {
        let text = self.scope.text(tree, &mut self.yard.problems)?;
        match check_selector(&text) {
            Ok(()) => Some(text),
            Err(part) => {
                let message = format!("`{part}` is no part of a label selector");
                self.yard.problems.push(
                    Problem::error("selector", message)
                        .at(&tree.span)
                        .help("write for example: app=jupyter,component!=hub"),
                );
                None
            }
        }
    }
}
