//! The guard against the wrong cluster: to which existing clusters a flavour was applied. A cluster that somebody else made is
//! known by its uid alone, so whichever answers would be taken for the right one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Lock;
use crate::model::{Failure, FailureKind};

/// The clusters of one flavour, by the target's identity.
pub(super) type Targets = BTreeMap<String, KnownTarget>;

/// How a cluster was reached when the flavour was applied to it: words for people, its uid decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KnownTarget {
    context: String,
    server: String,
}

/// The existing cluster that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ops) struct Answering {
    /// The target's identity, made of the cluster's uid.
    pub(in crate::ops) target: String,
    /// The context it was reached by.
    pub(in crate::ops) context: String,
    /// The address of its API server.
    pub(in crate::ops) server: String,
    /// Whether the user named the context, by flag or in the section.
    pub(in crate::ops) named: bool,
}

impl Lock {
    /// Refuses a cluster that the flavour was not applied to, when it was applied to others; and to guess among several.
    pub(in crate::ops) fn recognise(&self, flavour: &str, now: &Answering) -> Result<(), Failure> {
        let Some(known) = self.targets.get(flavour).filter(|known| !known.is_empty()) else {
            return Ok(());
        };
        let is_known = known.contains_key(&now.target);
        if is_known && (now.named || known.len() == 1) {
            return Ok(());
        }
        let others: Vec<_> = known.iter().filter(|(target, _)| **target != now.target).collect();
        let what = if is_known {
            format!("flavour `{flavour}` has several clusters, and no context says which is meant")
        } else {
            format!("this is not the cluster that flavour `{flavour}` was applied to")
        };
        let mut failure = Failure::new(FailureKind::Foreign, what);
        for (target, one) in &others {
            let says = sentence(target, &one.context, &one.server);
            failure = failure.because(format!("it was applied to {says}"));
        }
        let says = sentence(&now.target, &now.context, &now.server);
        failure = failure.because(format!("what answers now is {says}"));
        let mut names: Vec<_> = others.iter().map(|(_, one)| one.context.as_str()).collect();
        names.extend(is_known.then_some(now.context.as_str()));
        // A name that leads here now leads nowhere else.
        names.retain(|name| is_known || *name != now.context);
        for name in &names {
            failure =
                failure.hint(format!("to work on that of `{name}`:\n    add --context {name}"));
        }
        if names.is_empty() {
            failure = failure.hint(format!(
                "context `{}` led to another cluster before; choose another file:\n    add --kubeconfig FILE",
                now.context
            ));
        }
        if is_known {
            return Err(failure);
        }
        Err(failure
            .hint("if this cluster is meant, let the flavour have it too:\n    add --new-target"))
    }

    /// Notes that the flavour is applied to the cluster. Another one that had the same context at the same address is gone.
    pub(in crate::ops) fn note_target(&mut self, flavour: &str, now: &Answering) {
        let known = self.targets.entry(flavour.to_owned()).or_default();
        let one = KnownTarget { context: now.context.clone(), server: now.server.clone() };
        known.retain(|_, other| *other != one);
        // How others of a team reach it is not to be changed by each run.
        known.entry(now.target.clone()).or_insert(one);
    }

    /// Forgets that the flavour was applied to the target, or all flavours.
    pub(in crate::ops) fn forget_target(&mut self, flavour: Option<&str>, target: &str) {
        for (name, known) in &mut self.targets {
            if flavour.is_none_or(|flavour| flavour == name) {
                known.remove(target);
            }
        }
        self.targets.retain(|_, known| !known.is_empty());
    }
}

/// A cluster in words.
fn sentence(target: &str, context: &str, server: &str) -> String {
    let uid = target.trim_start_matches("hybrid-");
    format!("context `{context}` at {server}, uid {uid}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(target: &str, context: &str, named: bool) -> Answering {
        Answering {
            target: format!("hybrid-{target}"),
            context: context.to_owned(),
            server: format!("https://{target}.example"),
            named,
        }
    }

    #[test]
    fn the_first_cluster_is_taken_and_another_one_is_refused_with_both_named() {
        let mut lock = Lock::default();
        assert_eq!(lock.recognise("demo", &at("aa", "one", false)), Ok(()));
        lock.note_target("demo", &at("aa", "one", false));
        assert_eq!(lock.recognise("demo", &at("aa", "another-name", false)), Ok(()));
        assert_eq!(lock.recognise("other", &at("bb", "two", false)), Ok(()), "of another flavour");
        for named in [false, true] {
            let failure = lock.recognise("demo", &at("bb", "two", named)).unwrap_err();
            assert_eq!(failure.kind, FailureKind::Foreign);
            let said = failure.causes.join("\n");
            for words in
                ["`one` at https://aa.example, uid aa…", "`two` at https://bb.example, uid bb…"]
            {
                assert!(said.contains(words), "{said}");
            }
            let hints = failure.hints.join("\n");
            assert!(hints.contains("--context one") && hints.contains("--new-target"), "{hints}");
        }
        let same_name = lock.recognise("demo", &at("bb", "one", true)).unwrap_err();
        assert!(!same_name.hints.join("\n").contains("--context one"), "{same_name:?}");
    }

    #[test]
    fn among_several_clusters_the_context_says_which() {
        let mut lock = Lock::default();
        lock.note_target("demo", &at("aa", "staging", true));
        lock.note_target("demo", &at("bb", "production", true));
        assert_eq!(lock.recognise("demo", &at("aa", "staging", true)), Ok(()));
        assert_eq!(lock.recognise("demo", &at("bb", "production", true)), Ok(()));
        let failure = lock.recognise("demo", &at("bb", "production", false)).unwrap_err();
        let hints = failure.hints.join("\n");
        assert!(hints.contains("--context staging"), "{hints}");
        assert!(hints.contains("--context production"), "{hints}");
        assert!(!hints.contains("--new-target"), "{hints}");
        lock.forget_target(Some("demo"), "hybrid-aa");
        assert_eq!(lock.recognise("demo", &at("bb", "production", false)), Ok(()));
        lock.forget_target(None, "hybrid-bb");
        assert_eq!(lock, Lock::default());
    }

    #[test]
    fn a_cluster_made_anew_at_the_same_address_takes_the_place_of_the_old_one() {
        let mut lock = Lock::default();
        let mut old = at("aa", "one", false);
        old.server = "https://127.0.0.1:6443".to_owned();
        let new = Answering { target: "hybrid-bb".to_owned(), ..old.clone() };
        lock.note_target("demo", &old);
        lock.note_target("demo", &new);
        assert_eq!(lock.targets["demo"].keys().collect::<Vec<_>>(), ["hybrid-bb"]);
        assert_eq!(lock.recognise("demo", &new), Ok(()));
    }
}
