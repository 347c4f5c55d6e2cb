//! Who acts: project, flavour, target, installation and run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Name, ResourceId, Scope};

/// The random id of an installation (project + target): 10 characters of base 32, drawn at the first apply.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstallationId(pub String);

/// The id of one run: host, process and a random part, so that a later run can tell whether it may still live.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub String);

impl fmt::Display for InstallationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is written on everything datamill makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// `project.name` or what stands for it.
    pub project: String,
    /// The flavour file's stem.
    pub flavour: String,
    /// `local-<provider>-<cluster>`, `hybrid-<first 10 of the kube-system UID>` and so on; never a file name.
    pub target: String,
    /// The installation.
    pub owner: InstallationId,
    /// This run.
    pub run: RunId,
    /// Whether it acts for every flavour of the project (`--all-flavours`), not for its own alone.
    #[serde(default)]
    pub every_flavour: bool,
    /// Instances that the flavour renames (`moved:`): what bears an old name is theirs.
    #[serde(default)]
    pub renames: Renames,
    /// What this run takes over (`adopt`): it counts as ours.
    #[serde(default)]
    pub adopts: Adopts,
}

impl Identity {
    /// Who acts for one flavour, renames nothing and takes nothing over.
    pub fn new(
        project: &str,
        flavour: &str,
        target: &str,
        owner: InstallationId,
        run: RunId,
    ) -> Self {
        Self {
            project: project.to_owned(),
            flavour: flavour.to_owned(),
            target: target.to_owned(),
            owner,
            run,
            every_flavour: false,
            renames: Renames::default(),
            adopts: Adopts::default(),
        }
    }
}

/// Old names of instances, and what they are called now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Renames(BTreeMap<Name, Name>);

impl Renames {
    /// From pairs of the old and the new name.
    pub fn new(pairs: impl IntoIterator<Item = (Name, Name)>) -> Self {
        Self(pairs.into_iter().collect())
    }

    /// What an instance is called now, by the name that a mark holds.
    pub fn now<'a>(&'a self, marked: &'a str) -> &'a str {
        let new = self.0.iter().find(|(old, _)| old.as_str() == marked).map(|(_, new)| new);
        new.map_or(marked, Name::as_str)
    }

    /// What an instance was called before.
    pub fn before(&self, now: &Name) -> Option<&Name> {
        self.0.iter().find(|(_, new)| *new == now).map(|(old, _)| old)
    }

    /// The id under which a resource goes now.
    #[must_use]
    pub fn id(&self, id: ResourceId) -> ResourceId {
        match &id.scope {
            Scope::Instance(name) => match self.0.get(name) {
                Some(new) => ResourceId { scope: Scope::Instance(new.clone()), ..id },
                None => id,
            },
            Scope::Target => id,
        }
    }

    /// The id under which a resource of a renamed instance went before.
    pub fn id_before(&self, id: &ResourceId) -> Option<ResourceId> {
        let old = self.before(id.instance_name()?)?;
        Some(ResourceId { scope: Scope::Instance(old.clone()), ..id.clone() })
    }

    /// Old and new names.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &Name)> {
        self.0.iter()
    }
}

/// What a run takes over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopts {
    /// Which resources.
    pub ids: BTreeSet<ResourceId>,
    /// From which flavour of the project, beside what bears nobody's mark.
    pub from: Option<String>,
    /// Installations that are there, as marks name them: what bears the marks of another one is nobody's.
    pub alive: BTreeSet<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_bears_an_old_name_goes_under_the_new_one() {
        let name = |text: &str| text.parse::<Name>().unwrap();
        let renames = Renames::new([(name("kafka"), name("queue"))]);
        assert_eq!(renames.now("kafka"), "queue");
        assert_eq!(renames.now("queue"), "queue");
        assert_eq!(renames.now("spark"), "spark");
        let id = |text: &str| text.parse::<ResourceId>().unwrap();
        assert_eq!(renames.id(id("kafka/release/x")), id("queue/release/x"));
        assert_eq!(renames.id(id("target/namespace/kafka")), id("target/namespace/kafka"));
        assert_eq!(renames.id_before(&id("queue/release/x")), Some(id("kafka/release/x")));
        assert_eq!(renames.id_before(&id("spark/release/x")), None);
    }
}
