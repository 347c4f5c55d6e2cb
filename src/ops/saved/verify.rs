//! Whether a saved plan may still be carried out: pure comparisons of what it says with what is.

use crate::config::Inputs;
use crate::model::{Digest, Failure, FailureKind};
use crate::plan::Seal;

use super::document::SavedPlan;

/// Who and where an apply is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) project: &'a str,
    pub(super) flavour: &'a str,
    pub(super) target: &'a str,
    /// The installation id of the cluster; nothing where no record of it is.
    pub(super) installation: Option<&'a str>,
}

fn stale(what: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Stale, what).hint("make a new plan:\n    datamill plan --out FILE")
}

/// It must not be too old; a clock that stands before its creation is only a wrong clock.
pub(super) fn age(plan: &SavedPlan, now: u64) -> Result<(), Failure> {
    if now < plan.expires {
        return Ok(());
    }
    let hours = now.saturating_sub(plan.created) / 3600;
    Err(stale("the plan expired")
        .because(format!("it was made {hours} h ago and is good for 24 h")))
}

/// It must be for this project and flavour.
pub(super) fn project(plan: &SavedPlan, place: Place<'_>) -> Result<(), Failure> {
    differs("project", &plan.project, place.project)?;
    differs("flavour", &plan.flavour, place.flavour)
}

/// It must be for this target and this installation. A plan that names none was made for a stopped cluster, and its
/// fingerprint says which.
pub(super) fn target(plan: &SavedPlan, place: Place<'_>) -> Result<(), Failure> {
    differs("target", &plan.target, place.target)?;
    match (&plan.installation, place.installation) {
        (Some(then), Some(now)) => differs("installation", then, now),
        (None, _) | (_, None) => Ok(()),
    }
}

fn differs(what: &str, then: &str, now: &str) -> Result<(), Failure> {
    if then == now {
        return Ok(());
    }
    Err(Failure::new(FailureKind::Foreign, format!("the plan is for another {what}"))
        .because(format!("it was made for `{then}`, and this is `{now}`")))
}

/// The seal of a plan, and whether its cluster is this one. `uids` are what this cluster may be known by; none without one.
pub(super) fn seal(plan: &SavedPlan, uids: &[String]) -> Result<Seal, Failure> {
    let Some(then) = &plan.fingerprint else {
        // That a cluster came into being since is seen by its record, and step by step.
        return Ok(Seal::new(&plan.number, None));
    };
    let fits = |uid: &&String| fingerprint(&plan.number, uid) == *then;
    match uids.iter().find(fits) {
        Some(uid) => Ok(Seal::new(&plan.number, Some(uid))),
        None if uids.is_empty() => {
            Err(Failure::new(FailureKind::Foreign, "the cluster of the plan is not here")
                .because(format!("the plan was made for `{}`, which was there then", plan.target)))
        }
        None => Err(Failure::new(FailureKind::Foreign, "the plan is for another cluster")
            .because(format!("`{}` has another fingerprint than the plan's", plan.target))),
    }
}

/// The fingerprint of a cluster in a plan.
pub(super) fn fingerprint(number: &str, uid: &str) -> Digest {
    Seal::new(number, Some(uid)).of("fingerprint")
}

/// The files and variables must be those that it was made from.
pub(super) fn inputs(plan: &SavedPlan, now: &Inputs, seal: &Seal) -> Result<(), Failure> {
    let mut changed = Vec::new();
    for (file, then) in &plan.inputs {
        match now.files.get(file) {
            Some(digest) if seal.of(digest.as_str()) == *then => {}
            Some(_) => changed.push(format!("`{file}` changed")),
            None => changed.push(format!("`{file}` is not read any more")),
        }
    }
    let new = now.files.keys().filter(|file| !plan.inputs.contains_key(*file));
    changed.extend(new.map(|file| format!("`{file}` was not there")));
    for (name, then) in &plan.environment {
        let value = now.environment.get(name).and_then(Option::as_ref);
        let digest = value.map(|value| seal.of(value.reveal()));
        if digest != *then {
            changed.push(format!("the environment variable `{name}` has another value"));
        }
    }
    if changed.is_empty() {
        return Ok(());
    }
    let mut failure = stale("what the plan was made from changed");
    failure.causes = changed;
    Err(failure)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::document::tests::sample;
    use super::*;
    use crate::model::Secret;

    #[test]
    fn a_plan_is_good_for_a_day() {
        let plan = sample();
        assert_eq!(age(&plan, plan.created - 60), Ok(()));
        assert_eq!(age(&plan, plan.expires - 1), Ok(()));
        let failure = age(&plan, plan.expires + 3600).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Stale);
        assert!(failure.causes[0].contains("25 h ago"), "{failure:?}");
    }

    #[test]
    fn another_project_target_or_installation_is_not_ours() {
        let plan = sample();
        let place = Place {
            project: "demo",
            flavour: "demo",
            target: "local-kwok-datamill-demo",
            installation: None,
        };
        assert_eq!(project(&plan, place).and(target(&plan, place)), Ok(()));
        for (failure, word) in [
            (project(&plan, Place { project: "x", ..place }), "project"),
            (project(&plan, Place { flavour: "x", ..place }), "flavour"),
            (target(&plan, Place { target: "x", ..place }), "target"),
            (target(&plan, Place { installation: Some("x"), ..place }), "installation"),
        ] {
            let failure = failure.unwrap_err();
            assert_eq!(failure.kind, FailureKind::Foreign);
            assert!(failure.what.ends_with(word), "{failure:?}");
        }
    }

    #[test]
    fn the_cluster_is_known_by_its_fingerprint() {
        let plan = SavedPlan { fingerprint: Some(fingerprint("1", "uid")), ..sample() };
        let uids = |uids: &[&str]| uids.iter().map(|uid| (*uid).to_owned()).collect::<Vec<_>>();
        assert_eq!(seal(&plan, &uids(&["other", "uid"])), Ok(Seal::new("1", Some("uid"))));
        let elsewhere = seal(&plan, &uids(&["other"])).unwrap_err();
        assert!(elsewhere.what.contains("another cluster"), "{elsewhere:?}");
        assert_eq!(seal(&plan, &[]).unwrap_err().kind, FailureKind::Foreign);
        assert_eq!(seal(&sample(), &uids(&["new"])), Ok(Seal::new("1", None)));
    }

    #[test]
    fn every_changed_file_and_variable_is_named() {
        let seal = Seal::new("1", None);
        let file = |text: &str| Digest::of(text);
        let now = Inputs {
            files: BTreeMap::from([
                ("a.yaml".to_owned(), file("a")),
                ("b.yaml".to_owned(), file("new")),
                ("c.yaml".to_owned(), file("c")),
            ]),
            environment: BTreeMap::from([
                ("SAME".to_owned(), Some(Secret::new("x"))),
                ("OTHER".to_owned(), Some(Secret::new("y"))),
                ("UNSET".to_owned(), None),
            ]),
        };
        let then = |text: &str| seal.of(file(text).as_str());
        let mut plan = sample();
        plan.inputs = BTreeMap::from([
            ("a.yaml".to_owned(), then("a")),
            ("b.yaml".to_owned(), then("b")),
            ("d.yaml".to_owned(), then("d")),
        ]);
        plan.environment = BTreeMap::from([
            ("SAME".to_owned(), Some(seal.of("x"))),
            ("OTHER".to_owned(), Some(seal.of("x"))),
            ("UNSET".to_owned(), None),
        ]);
        let failure = inputs(&plan, &now, &seal).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Stale);
        assert_eq!(
            failure.causes,
            [
                "`b.yaml` changed",
                "`d.yaml` is not read any more",
                "`c.yaml` was not there",
                "the environment variable `OTHER` has another value",
            ]
        );
    }
}
