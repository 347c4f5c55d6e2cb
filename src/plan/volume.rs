//! The volumes of claims: one that stays behind is made to be outlived by its bytes, one that is wanted again is as it was.

use super::decision::Decision;
use super::{Action, Marking, Step};
use crate::model::{Class, Found, Volume};

impl Step {
    /// Whether the volume of a claim that stays is to outlive it, and would not so far.
    pub fn saves_volume(&self) -> bool {
        let found = self.found.as_ref().filter(|found| found.class == Class::Data);
        let volume = found.and_then(|found| found.volume.as_ref());
        let stays = self.action.retained().is_some() && !self.is_kept_unseen();
        stays && volume.is_some_and(Volume::goes_with_claim)
    }
}

/// A claim that is wanted and was kept before: its volume gets its policy back, whatever else is done.
pub(super) fn wanted(found: &Found, mut decision: Decision) -> Decision {
    let before = found.volume.as_ref().and_then(|volume| volume.before.as_ref());
    if before.is_some() && decision.action == Action::Keep && decision.changes.is_empty() {
        decision.action = Action::Mark { how: Marking::Volume };
    }
    decision.notes.extend(note(found, &decision.action));
    decision
}

/// What a person should know of the volume of a claim.
pub(super) fn note(found: &Found, action: &Action) -> Option<String> {
    let Volume { name, policy, before } = found.volume.as_ref()?;
    let retain = Volume::RETAIN;
    if action.retained().is_some() && found.class == Class::Data {
        return match policy.as_deref() {
            Some(policy) if policy == retain => None,
            Some(policy) => Some(format!(
                "its volume {name} will outlive it: reclaim policy {policy} -> {retain}"
            )),
            None => Some(format!(
                "the reclaim policy of its volume {name} cannot be seen or set: whoever deletes the claim may take its bytes along"
            )),
        };
    }
    let before = before.as_ref().filter(|_| action.changes_something())?;
    Some(format!("its volume {name} goes with it again: reclaim policy back to {before}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;
    use crate::plan::Precondition;

    fn claim(policy: Option<&str>, before: Option<&str>) -> Found {
        let text = |text: Option<&str>| text.map(str::to_owned);
        let volume = Volume { name: "pv".to_owned(), policy: text(policy), before: text(before) };
        Found { class: Class::Data, volume: Some(volume), ..Found::ours() }
    }

    fn stays(why: &str, found: Found) -> Step {
        Step {
            id: "a/claim/data".parse().unwrap(),
            action: Action::Retain { why: why.to_owned() },
            wanted: None,
            found: Some(Arc::new(found)),
            after: BTreeSet::new(),
            precondition: Precondition::Nothing,
            changes: Vec::new(),
            notes: Vec::new(),
            readers: Vec::new(),
        }
    }

    #[test]
    fn only_a_volume_known_to_go_with_a_claim_that_stays_is_changed() {
        assert!(stays("it holds data", claim(Some("Delete"), None)).saves_volume());
        assert!(!stays("it holds data", claim(Some("Retain"), Some("Delete"))).saves_volume());
        assert!(!stays("it holds data", claim(None, None)).saves_volume());
        let unseen = format!("{}: pods", crate::plan::prune::UNSEEN);
        assert!(!stays(&unseen, claim(Some("Delete"), None)).saves_volume());
        let cache = Found { class: Class::Stateless, ..claim(Some("Delete"), None) };
        assert!(!stays("kept by you", cache).saves_volume());
    }

    #[test]
    fn a_claim_that_is_wanted_again_gives_the_policy_back_once() {
        let of = |found: &Found| wanted(found, Decision::plain(Action::Keep));
        let kept = of(&claim(Some("Retain"), Some("Delete")));
        assert_eq!(kept.action, Action::Mark { how: Marking::Volume });
        assert!(kept.notes.iter().any(|note| note.contains("back to Delete")), "{kept:?}");
        for as_it_was in [claim(Some("Delete"), None), claim(Some("Retain"), None)] {
            assert_eq!(of(&as_it_was), Decision::plain(Action::Keep));
        }
    }

    #[test]
    fn a_claim_that_stays_says_what_becomes_of_its_volume() {
        let note = |found: &Found| note(found, &Action::Retain { why: "data".to_owned() });
        let changed = note(&claim(Some("Delete"), None)).unwrap();
        assert_eq!(changed, "its volume pv will outlive it: reclaim policy Delete -> Retain");
        assert!(note(&claim(None, None)).unwrap().contains("cannot be seen"));
        assert_eq!(note(&claim(Some("Retain"), Some("Delete"))), None);
    }
}
