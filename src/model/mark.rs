//! Marks: the labels and annotations that say whose a thing is. No state file: this is the state.

use std::collections::BTreeMap;

use super::{Class, Digest, Identity, Resource, ResourceId, Scope};

/// Keys of labels.
pub mod label {
    /// The project.
    pub const PROJECT: &str = "datamill.dev/project";
    /// The target.
    pub const TARGET: &str = "datamill.dev/target";
    /// The flavour.
    pub const FLAVOUR: &str = "datamill.dev/flavour";
    /// The installation id.
    pub const OWNER: &str = "datamill.dev/owner";
    /// The instance, absent on what belongs to the target.
    pub const INSTANCE: &str = "datamill.dev/instance";
    /// Kind and name of the node, `<kind>.<name>`.
    pub const NODE: &str = "datamill.dev/node";
    /// `data`, `stateful` or `stateless`.
    pub const CLASS: &str = "datamill.dev/class";
    /// On what `-c` installed outside the flavour.
    pub const EXTRA: &str = "datamill.dev/extra";
    /// On the storage of a Helm release only: `<revision>-<first 40 characters of the inputs' digest>`.
    pub const SPEC_HASH: &str = "datamill.dev/spec-hash";
    /// On the storage of a Helm release only: `run`, or `none` where its hooks never run.
    pub const HOOKS: &str = "datamill.dev/hooks";
    /// On the storage of a Helm release only: the run that wrote it.
    pub const RUN: &str = "datamill.dev/run";
}

/// Keys of annotations.
pub mod annotation {
    /// The ids that must be there first, blank-separated: deletion goes the other way round.
    pub const NEEDS: &str = "datamill.dev/needs";
    /// The whole id of the node, since a label may be cut.
    pub const NODE: &str = "datamill.dev/id";
    /// The digest of the inputs it was made from.
    pub const SPEC_HASH: &str = "datamill.dev/spec-hash";
    /// The run that wrote it last.
    pub const RUN: &str = "datamill.dev/run";
    /// What a person said about whether it may go, as JSON.
    pub const PROTECT: &str = "datamill.dev/protect";
    /// The rules by which something of an instance goes, as JSON.
    pub const REMOVAL: &str = "datamill.dev/removal";
    /// On the volume of a kept claim: its reclaim policy before it was made to outlive the claim.
    pub const RECLAIM_POLICY: &str = "datamill.dev/reclaim-policy";
    /// `started` on a Job that counts as ready as soon as it runs.
    pub const READY: &str = "datamill.dev/ready";
}

/// The longest label value that the API server takes.
const LONGEST: usize = 63;

/// A text as a label value: as it is when it fits, else its first 50 characters, `-`, 10 of its hash. Characters a label
/// may not hold become `.`. Two texts never become the same: a mark says whose a thing is.
pub fn label_value(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric();
    let safe: String = text
        .chars()
        .map(|c| if plain(c) || matches!(c, '-' | '_' | '.') { c } else { '.' })
        .collect();
    let ends_well = safe.starts_with(plain) && safe.ends_with(plain);
    if safe == text && safe.len() <= LONGEST && (ends_well || safe.is_empty()) {
        return safe;
    }
    let digest = Digest::of(text);
    let head: String = safe.trim_start_matches(|c| !plain(c)).chars().take(50).collect();
    let between = if head.is_empty() { "" } else { "-" };
    format!("{head}{between}{}", digest.short(10))
}

/// The marks of one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks {
    /// For selection.
    pub labels: BTreeMap<String, String>,
    /// For memory.
    pub annotations: BTreeMap<String, String>,
}

impl Marks {
    /// The marks of a resource: its labels, and the annotations that do not depend on what is written in it.
    pub fn new<'a>(
        identity: &Identity,
        id: &ResourceId,
        class: Class,
        needs: impl IntoIterator<Item = &'a ResourceId>,
    ) -> Self {
        let mut labels = Self::of_installation(identity);
        if let Scope::Instance(name) = &id.scope {
            labels.insert(label::FLAVOUR.to_owned(), label_value(&identity.flavour));
            labels.insert(label::INSTANCE.to_owned(), label_value(name.as_str()));
        }
        let node = format!("{}.{}", id.kind.word(), id.name);
        labels.insert(label::NODE.to_owned(), label_value(&node));
        labels.insert(label::CLASS.to_owned(), class.word().to_owned());
        let needs: Vec<_> = needs.into_iter().map(ToString::to_string).collect();
        let mut annotations = BTreeMap::from([(annotation::NODE.to_owned(), id.to_string())]);
        if !needs.is_empty() {
            annotations.insert(annotation::NEEDS.to_owned(), needs.join(" "));
        }
        Self { labels, annotations }
    }

    /// The marks of a wanted resource.
    pub fn of(identity: &Identity, resource: &Resource) -> Self {
        let mut marks = Self::new(identity, &resource.id, resource.class, &resource.needs);
        if resource.extra {
            marks.labels.insert(label::EXTRA.to_owned(), "true".to_owned());
        }
        marks
    }

    /// The labels that everything of an installation bears.
    pub fn of_installation(identity: &Identity) -> BTreeMap<String, String> {
        BTreeMap::from([
            (label::PROJECT.to_owned(), label_value(&identity.project)),
            (label::TARGET.to_owned(), label_value(&identity.target)),
            (label::OWNER.to_owned(), label_value(&identity.owner.0)),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_value_always_fits() {
        assert_eq!(label_value("demo"), "demo");
        for text in ["x".repeat(64), "x".repeat(200), "-lead".to_owned(), "trail-".to_owned()] {
            let value = label_value(&text);
            assert!(value.len() <= LONGEST, "{value}");
            assert!(value.starts_with(|c: char| c.is_ascii_alphanumeric()), "{value}");
            assert!(value.ends_with(|c: char| c.is_ascii_alphanumeric()), "{value}");
        }
        let texts = ["a b", "a+b", "a.b", "a/b", "büro", "bäro", "b.ro", "ü", "ä", "-a", "a"];
        let long = ["x".repeat(64), "x".repeat(65)];
        let all: Vec<String> = texts.map(str::to_owned).into_iter().chain(long).collect();
        let values: std::collections::BTreeSet<_> =
            all.iter().map(|text| label_value(text)).collect();
        assert_eq!(values.len(), all.len(), "{values:?}");
    }
}
