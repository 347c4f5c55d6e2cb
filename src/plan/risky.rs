//! Changes that need the user's word for each object by its name: definitions that lose what their objects use, fields that cannot
//! change in place, releases that are wanted elsewhere.

use serde_json::Value as Json;

use super::decide::{created, removed, whole};
use super::decision::Decision;
use super::objects::Survey;
use super::{
    Action, Block, Change, Effect, Origin, Permits, Precondition, Shown, allowance, growth, prune,
};
use crate::model::{Class, Found, Object, ReleaseSpec, Resource, ResourceKind};

/// Definitions that would take away what objects of their kind may use, where nobody allowed it: a change of the files is
/// refused; what somebody added by hand is left as it is.
pub(super) fn narrowed(
    wanted: &Resource,
    survey: &mut Survey,
    permits: &Permits,
    drift: bool,
) -> Option<Decision> {
    let open: Vec<_> =
        survey.lost.iter().filter(|(object, _)| !permits.allows(object)).cloned().collect();
    if open.is_empty() {
        return None;
    }
    let says = open.iter().map(|(object, lost)| format!("{object}: {}", lost.join("; ")));
    let says = says.collect::<Vec<_>>().join("; ");
    let of_open = |change: &Change| {
        change.object.as_ref().is_some_and(|object| open.iter().any(|(one, _)| one == object))
    };
    // Objects of a release are put back one by one; others only together.
    let all = survey.changes.iter().all(of_open);
    let left = format!("left as somebody made it, since it would lose: {says}");
    if drift && all {
        let mut decision = Decision::plain(Action::Keep).note(left);
        decision.changes.clone_from(&survey.changes);
        return Some(decision);
    }
    if drift && wanted.id.kind == ResourceKind::Release {
        survey.changes.retain(|change| !of_open(change));
        survey.lost.retain(|lost| !open.contains(lost));
        survey.notes.push(left);
        return None;
    }
    let why = format!("{says}; objects of that kind may use it, so see first that none does");
    let allow = open.iter().map(|(object, _)| allowance(&object.kind, &object.name)).collect();
    let mut decision = Decision::blocked(Block::Unapproved { why, allow });
    decision.changes.clone_from(&survey.changes);
    Some(decision)
}

/// A release of ours that lives under another name or in another namespace than is wanted by now: it never gets a double. With
/// the user's word the old one goes, its volumes stay where they are, and a new one comes.
pub(super) fn moved(
    resource: &Resource,
    wanted: &ReleaseSpec,
    found: &Found,
    permits: &Permits,
) -> Option<Decision> {
    let text = |key: &str| found.outputs.get(key).and_then(Json::as_str);
    let (release, namespace) = (text("release")?, text("namespace")?);
    if found.release.is_none() || (release == wanted.release && namespace == wanted.namespace) {
        return None;
    }
    let from = format!("release `{release}` in namespace `{namespace}`");
    let allow = allowance("Release", release);
    if !permits.allowed.iter().any(|one| one.eq_ignore_ascii_case(&allow)) {
        let why = format!(
            "it is installed as {from}, and wanted as `{}` in `{}`: it would be uninstalled there and installed anew, and \
             its volumes would stay behind in `{namespace}`; to leave it where it is, write `release: {release}` and \
             `namespace: {namespace}` in the section of the instance",
            wanted.release, wanted.namespace
        );
        return Some(Decision::blocked(Block::Unapproved { why, allow: [allow].into() }));
    }
    let mut decision = Decision::plain(Action::Replace);
    decision.precondition = Precondition::of(found);
    let goes =
        found.objects.iter().filter(|one| one.live.is_some() && !prune::outlives(one, false));
    decision.changes = goes.map(|one| removed(one.object.clone())).collect();
    let drawn = resource.rendered.iter().flat_map(|rendered| &rendered.objects);
    decision.changes.extend(drawn.filter_map(Object::reference).map(created));
    Some(decision.note(format!("{from} goes; its volumes stay there")))
}

/// Fields that cannot change in place: with the user's word for each object, stateless things are made anew; data is not.
pub(super) fn immutable(
    wanted: &Resource,
    found: &Found,
    survey: Survey,
    permits: &Permits,
    origin: Origin,
) -> Decision {
    let data = survey.immutable.iter().find(|refused| refused.class == Class::Data);
    let class = if data.is_some() { Class::Data } else { wanted.class };
    let Some(first) = data.or(survey.immutable.first()) else {
        return Decision::plain(Action::Keep);
    };
    match class {
        Class::Data => {
            let why =
                growth::refusal(wanted, found, &first.object, &first.says).unwrap_or_else(|| {
                    format!("{} cannot be changed in place: {}", first.object, first.says)
                });
            Decision::blocked(Block::Preflight { why })
        }
        Class::Stateful if permits.production => Decision::blocked(Block::Protected {
            why: format!("{} would have to be made anew: {}", first.object, first.says),
        }),
        Class::Stateful | Class::Stateless => {
            let open: Vec<_> =
                survey.immutable.iter().filter(|one| !permits.allows(&one.object)).collect();
            let mut decision = if open.is_empty() {
                // Of a release only these objects go; what else is in it is upgraded.
                let release = wanted.id.kind == ResourceKind::Release;
                Decision::plain(if release { Action::Update } else { Action::Replace })
            } else {
                let says: Vec<_> =
                    open.iter().map(|one| format!("{}: {}", one.object, one.says)).collect();
                let why = format!(
                    "what cannot change in place would go and be made anew: {}",
                    says.join("; ")
                );
                let names = open.iter().map(|one| allowance(&one.object.kind, &one.object.name));
                Decision::blocked(Block::Unapproved { why, allow: names.collect() })
            };
            for refused in &survey.immutable {
                decision.notes.push(format!("{}: {}", refused.object, refused.says));
                decision.changes.push(whole(
                    refused.object.clone(),
                    (Shown::Text("present".to_owned()), Shown::Text("present".to_owned())),
                    Effect::Recreate,
                    origin,
                ));
            }
            decision.changes.extend(survey.changes);
            decision.notes.extend(survey.notes);
            decision
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{
        ChartSource, CrdPolicy, HelmWait, KubernetesSpec, ReleaseFound, ReleaseStatus, Spec,
        Value as Wanted,
    };

    fn spec(release: &str, namespace: &str) -> ReleaseSpec {
        ReleaseSpec {
            namespace: namespace.to_owned(),
            release: release.to_owned(),
            chart: ChartSource::Folder("/chart".into()),
            crds: CrdPolicy::Skip,
            values: Wanted::Null,
            wait: HelmWait::Ready,
            hooks: true,
            shared_with: Vec::new(),
            exposes_secret: None,
        }
    }

    fn found(stored: bool) -> Found {
        let release = ReleaseFound { revision: 1, status: ReleaseStatus::Deployed, held: None };
        let outputs = [("release", "a"), ("namespace", "n")];
        Found {
            release: stored.then_some(release),
            outputs: outputs.map(|(key, value)| (key.to_owned(), json!(value))).into(),
            ..Found::ours()
        }
    }

    #[test]
    fn a_release_that_is_wanted_elsewhere_waits_for_a_word() {
        let nothing = Permits::default();
        let resource = Resource::new(
            "x/release/a".parse().unwrap(),
            Spec::kubernetes(KubernetesSpec::Installation),
        );
        let of = |wanted: &ReleaseSpec, found: &Found, permits: &Permits| {
            moved(&resource, wanted, found, permits)
        };
        assert_eq!(of(&spec("a", "n"), &found(true), &nothing), None, "it is in its place");
        assert_eq!(of(&spec("b", "n"), &found(false), &nothing), None, "only remains are there");
        for wanted in [spec("b", "n"), spec("a", "m")] {
            let decision = of(&wanted, &found(true), &nothing).unwrap();
            let Action::Blocked { by: Block::Unapproved { allow, .. } } = &decision.action else {
                panic!("{decision:?}")
            };
            let allowed = Permits { allowed: allow.clone(), ..Permits::default() };
            let decision = of(&wanted, &found(true), &allowed).unwrap();
            assert_eq!(decision.action, Action::Replace);
            assert_ne!(decision.precondition, Precondition::Nothing);
        }
    }
}
