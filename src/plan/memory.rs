//! What the last apply left behind: the digest of its inputs and, for a release, how it ended.

use super::Action;
use super::decision::Decision;
use crate::model::{Found, ReleaseFound, ReleaseStatus, Resource};

/// Whether the inputs of the last apply are those that are wanted now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inputs {
    /// They are.
    Same,
    /// They are others.
    Differ,
    /// Nobody recorded them, or nothing was rendered.
    Unknown,
}

/// A recorded digest shorter than this says nothing.
const SHORTEST_DIGEST: usize = 8;

/// Compares what was recorded with what is wanted; a label may hold the beginning of a digest only.
pub(super) fn inputs(wanted: &Resource, found: &Found) -> Inputs {
    let (Some(rendered), Some(applied)) = (&wanted.rendered, &found.applied) else {
        return Inputs::Unknown;
    };
    let recorded = applied.inputs.as_str();
    if recorded.len() >= SHORTEST_DIGEST && rendered.inputs.as_str().starts_with(recorded) {
        Inputs::Same
    } else {
        Inputs::Differ
    }
}

/// The action when nothing refuses and at least a part is there; `unchanged` says that the live objects are as wanted.
pub(super) fn settled(
    inputs: Inputs,
    is_release: bool,
    unchanged: bool,
    release: Option<&ReleaseFound>,
) -> Decision {
    if let Some(note) = release.and_then(trouble) {
        return Decision::plain(Action::Update).note(note);
    }
    match (inputs, unchanged) {
        (Inputs::Same, true) => Decision::plain(Action::Keep),
        (Inputs::Same, false) => Decision::plain(Action::Repair),
        // Without memory a release's values cannot be told from others that render alike.
        (Inputs::Unknown, true) if !is_release => Decision::plain(Action::Keep),
        (Inputs::Unknown | Inputs::Differ, _) => {
            let decision = Decision::plain(Action::Update);
            match release.and_then(|release| release.held.as_ref()) {
                Some(who) => decision.note(format!("waits for {who}")),
                None => decision,
            }
        }
    }
}

/// Why a release must be upgraded even if nothing changed.
fn trouble(release: &ReleaseFound) -> Option<String> {
    match (release.status, &release.held) {
        (ReleaseStatus::Deployed, _) => None,
        (_, Some(who)) => Some(format!("waits for {who}")),
        (ReleaseStatus::Pending, None) => {
            Some(format!("takes over revision {}, which was begun and not ended", release.revision))
        }
        (ReleaseStatus::Failed, None) => Some(format!("revision {} failed", release.revision)),
        (ReleaseStatus::Uninstalling, None) => {
            Some("its removal was begun and not ended".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::{Applied, Digest, KubernetesSpec, Rendered, ResourceId, ResourceKind, Spec};

    fn wanted(inputs: &Digest) -> Resource {
        let id = ResourceId::target(ResourceKind::Installation, "x");
        let mut resource = Resource::new(id, Spec::kubernetes(KubernetesSpec::Installation));
        resource.rendered = Some(Rendered {
            objects: Vec::new(),
            hooks: Vec::new(),
            ignored: Vec::new(),
            inputs: inputs.clone(),
            unknown: BTreeSet::new(),
            unstable: BTreeSet::new(),
            chart: None,
            findings: Vec::new(),
            warnings: Vec::new(),
        });
        resource
    }

    #[test]
    fn a_recorded_beginning_is_enough_but_not_a_short_one() {
        let digest = Digest::of("inputs");
        let recorded = |text: &str| {
            let applied = Some(Applied { inputs: Digest::recorded(text), run: None });
            inputs(&wanted(&digest), &Found { applied, ..Found::ours() })
        };
        assert_eq!(recorded(digest.as_str()), Inputs::Same);
        assert_eq!(recorded(digest.short(40)), Inputs::Same);
        assert_eq!(recorded(digest.short(3)), Inputs::Differ);
        assert_eq!(recorded(""), Inputs::Differ);
        assert_eq!(recorded(Digest::of("other").short(40)), Inputs::Differ);
        assert_eq!(inputs(&wanted(&digest), &Found::ours()), Inputs::Unknown);
    }

    #[test]
    fn a_release_is_upgraded_when_inputs_differ_and_repaired_when_they_do_not() {
        use Inputs::{Differ, Same, Unknown};
        use ReleaseStatus::{Deployed, Failed, Pending, Uninstalling};
        let table = [
            (Same, true, Deployed, Action::Keep),
            (Same, false, Deployed, Action::Repair),
            (Differ, true, Deployed, Action::Update),
            (Differ, false, Deployed, Action::Update),
            (Unknown, true, Deployed, Action::Update),
            (Same, true, Failed, Action::Update),
            (Same, true, Pending, Action::Update),
            (Same, true, Uninstalling, Action::Update),
        ];
        for (inputs, unchanged, status, action) in table {
            let release = ReleaseFound { revision: 3, status, held: None };
            let decision = settled(inputs, true, unchanged, Some(&release));
            assert_eq!(decision.action, action, "{inputs:?} {unchanged} {status:?}");
            assert_eq!(decision.notes.is_empty(), status == Deployed);
        }
        assert_eq!(settled(Unknown, false, true, None).action, Action::Keep);
    }

    #[test]
    fn a_held_release_is_waited_for() {
        let held = Some("run 7 on this machine".to_owned());
        let release = ReleaseFound { revision: 3, status: ReleaseStatus::Pending, held };
        let decision = settled(Inputs::Same, true, true, Some(&release));
        assert_eq!(decision.action, Action::Update);
        assert_eq!(decision.notes, ["waits for run 7 on this machine"]);
    }
}
