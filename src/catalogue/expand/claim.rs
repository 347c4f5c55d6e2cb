//! Claims of an instance: volumes of its own, and what a provider grants.

use super::Site;
use crate::catalogue::param::{is_above_zero, is_quantity};
use crate::catalogue::rule::{ClaimKind, ClaimWish};
use crate::catalogue::scope::Miss;
use crate::model::{ClaimSpec, KubernetesSpec, ResourceKind};
use crate::yaml::{Located, Problem};

impl<'a> Site<'_, '_, '_, 'a> {
    /// Makes a volume claim.
    pub(super) fn volume(&mut self, wish: &ClaimWish) {
        if !self.scope.holds(wish.when.as_ref(), &mut self.yard.problems) {
            return;
        }
        let ClaimKind::Volume { size, storage_class, access_modes, labels } = &wish.want else {
            return;
        };
        let place = self.scope.claim_place(wish, &mut self.yard.problems);
        let (Some((namespace, name)), Some(size)) = (place, size) else { return };
        let Some(size) = self.quantity(size) else { return };
        let problems = &mut self.yard.problems;
        let storage_class = storage_class
            .as_ref()
            .and_then(|tree| self.scope.text(tree, problems))
            .filter(|class| !class.is_empty());
        let mut modes: Vec<String> =
            access_modes.iter().filter_map(|tree| self.scope.text(tree, problems)).collect();
        if modes.is_empty() {
            modes.push("ReadWriteOnce".to_owned());
        }
        let labels = self.labels(labels.as_ref());
        let host = self.yard.namespace(&namespace);
        let spec = ClaimSpec { namespace, name, size, storage_class, access_modes: modes, labels };
        let mut resource =
            self.resource(ResourceKind::Claim, &wish.id, KubernetesSpec::Claim(spec));
        resource.host = Some(host.clone());
        resource.needs = [host].into();
        resource.class = self.claim_class();
        self.ground.insert(resource.id.clone());
        self.add(resource);
    }

    fn quantity(&mut self, tree: &Located) -> Option<String> {
        let text = self.scope.text(tree, &mut self.yard.problems)?;
        if is_quantity(&text) && is_above_zero(&text) {
            return Some(text);
        }
        let message = format!("`{text}` is no size such as `10Gi`");
        self.yard.problems.push(Problem::error("wrong-value", message).at(&tree.span));
        None
    }

    /// Makes what grants a claim: resources of the instance that asks, in the order of the grant, before its own steps.
    pub(super) fn grant(&mut self, wish: &'a ClaimWish) {
        if !self.scope.holds(wish.when.as_ref(), &mut self.yard.problems) {
            return;
        }
        let scope = match self.scope.granted(wish, &mut self.yard.problems) {
            Ok(scope) => scope,
            Err(Miss::Absent { .. }) => return,
            Err(miss) => {
                miss.report(&format!("claim.{}", wish.id), &wish.at, &mut self.yard.problems);
                return;
            }
        };
        let Some(asking) = scope.asking.clone() else { return };
        let around = std::mem::replace(&mut self.scope, scope);
        for secret in &asking.grant.secrets {
            self.secret(secret);
        }
        for step in &asking.grant.steps {
            self.step(step);
        }
        self.scope = around;
        // All that the instance does itself comes after it.
        self.ground.append(&mut self.previous);
    }
}
