//! What differs without anybody having changed the files: the part of a plan that `--refresh-only` shows.

use super::{Action, Change, Plan};

/// The steps that drift is in, with those changes only.
pub fn drift(plan: &Plan) -> Plan {
    let drifted = |change: &Change| change.origin.is_drift();
    let steps = plan.steps.iter().filter(|step| {
        step.action == Action::Repair
            || (step.action.changes_something() || step.action == Action::Keep)
                && step.changes.iter().any(drifted)
    });
    let mut steps: Vec<_> = steps.cloned().collect();
    for step in steps.iter_mut().filter(|step| step.action != Action::Repair) {
        step.changes.retain(drifted);
        step.action = Action::Repair;
    }
    let ids: std::collections::BTreeSet<_> = steps.iter().map(|step| step.id.clone()).collect();
    for step in &mut steps {
        step.after.retain(|after| ids.contains(after));
    }
    Plan { steps, notes: Vec::new() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::plan::{Effect, Origin, Precondition, Shown, Step};

    fn step(id: &str, action: Action, origins: &[Origin]) -> Step {
        let change = |origin: &Origin| Change {
            object: None,
            path: "/x".to_owned(),
            from: Shown::Absent,
            to: Shown::Absent,
            effect: Effect::InPlace,
            origin: *origin,
            by: None,
        };
        Step {
            id: id.parse().unwrap(),
            action,
            wanted: None,
            found: None,
            after: BTreeSet::from(["x/release/x".parse().unwrap()]),
            precondition: Precondition::Nothing,
            changes: origins.iter().map(change).collect(),
            notes: Vec::new(),
            readers: Vec::new(),
        }
    }

    #[test]
    fn only_what_nobody_changed_in_the_files_is_drift() {
        let plan = Plan {
            steps: vec![
                step("a/release/a", Action::Create, &[Origin::You]),
                step("b/release/b", Action::Repair, &[Origin::Somebody]),
                step("c/release/c", Action::Update, &[Origin::You, Origin::Somebody]),
                step("d/release/d", Action::Delete, &[Origin::You]),
                step("e/release/e", Action::Keep, &[]),
            ],
            notes: vec!["a note".to_owned()],
        };
        let drift = drift(&plan);
        let ids: Vec<_> = drift.steps.iter().map(|step| step.id.to_string()).collect();
        assert_eq!(ids, ["b/release/b", "c/release/c"]);
        assert!(drift.steps.iter().all(|s| s.changes.len() == 1 && s.after.is_empty()));
    }
}
