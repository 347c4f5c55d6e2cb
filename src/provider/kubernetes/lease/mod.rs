//! The lock of a target: a Lease `kube-system/datamill-<project>` that the run at work renews. Whether a holder still lives is
//! judged by watching whether it renews, never by comparing its clock with ours.

mod keep;
mod slot;
mod take;

use std::sync::Arc;
use std::time::Duration;

pub use keep::Keeper;
pub(super) use slot::read;
pub use slot::{ClusterSlot, Slot};
pub use take::{Claim, Refused, Taken, take};

use super::session::Session;
use crate::adapter::clock;
use crate::adapter::kube::KubeError;
use crate::model::{Digest, Runner};

/// Tells the time since 1970; another one in tests.
pub type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// How long a lock lives without a sign of life, and what follows from that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// A holder that is silent for two terms is dead.
    pub term: Duration,
}

impl Default for Terms {
    /// 60 s, renewed every 15 s (`peers.md` D.7).
    fn default() -> Self {
        Self { term: Duration::from_mins(1) }
    }
}

impl Terms {
    /// How long between two renewals.
    pub fn renewal(self) -> Duration {
        self.term / 4
    }

    /// After this time without a renewal that went well, the holder counts the lock as lost: before anybody may take it.
    pub fn deadline(self) -> Duration {
        self.term * 3 / 4
    }

    /// How long between two tries of a renewal that did not go well.
    fn retry(self) -> Duration {
        self.term / 30
    }

    /// How long between two looks at somebody else's lock.
    fn glance(self) -> Duration {
        (self.term / 20).max(Duration::from_millis(100))
    }
}

/// A lock as it is, or as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Who holds it; nobody when it is free.
    pub holder: Option<Runner>,
    /// How long it lives without a sign of life, in the holder's own words.
    pub term: Duration,
    /// Since when it is held, by the holder's clock.
    pub acquired: Option<Duration>,
    /// The last sign of life, by the holder's clock.
    pub renewed: Option<Duration>,
    /// How often it changed hands.
    pub transitions: u64,
    /// What it is known by: uid and resource version; empty for one that is to be made.
    pub version: (String, String),
}

impl Lease {
    /// What changes when its holder is alive.
    fn pulse(&self) -> (Option<&Runner>, Option<Duration>, Option<Duration>, u64) {
        (self.holder.as_ref(), self.acquired, self.renewed, self.transitions)
    }

    /// Who holds it and since when, in words.
    pub fn says(&self) -> String {
        let since = |time: Option<Duration>| {
            time.map_or_else(|| "an unknown time".to_owned(), |time| clock::words(time.as_secs()))
        };
        match &self.holder {
            None => "nobody holds it".to_owned(),
            Some(holder) => format!(
                "{} holds it since {} for `{}`, run {}; its last sign of life was at {}",
                holder.who,
                since(self.acquired),
                holder.command,
                holder.run,
                since(self.renewed),
            ),
        }
    }
}

/// The lock of a session's project as it is.
pub(super) async fn of(session: &Session) -> Result<Option<Lease>, KubeError> {
    read(&session.cluster, &session.identity.project).await
}

/// The name of what a project keeps in `kube-system`: `datamill-<project>` where that is a name, else with a hash.
pub fn object_name(project: &str) -> String {
    const LONGEST: usize = 40;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let safe: String = project
        .chars()
        .map(|c| c.to_ascii_lowercase())
        .map(|c| if plain(c) { c } else { '-' })
        .take(LONGEST)
        .collect();
    let safe = safe.trim_matches('-');
    if safe == project && !safe.is_empty() {
        format!("datamill-{safe}")
    } else {
        format!("datamill-{safe}-{}", Digest::of(project).short(10))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_one_that_a_cluster_takes_and_no_two_projects_share() {
        assert_eq!(object_name("demo"), "datamill-demo");
        let odd = ["Demo", "demo.", "de_mo", "de-mo-", "ü", &"x".repeat(51), &"x".repeat(52), ""];
        let names: std::collections::BTreeSet<_> =
            odd.iter().map(|name| object_name(name)).collect();
        assert_eq!(names.len(), odd.len());
        for name in names {
            assert!(name.len() <= 63, "{name}");
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
        }
    }

    #[test]
    fn a_holder_gives_up_before_anybody_may_take_its_lock() {
        let terms = Terms::default();
        assert_eq!(terms.renewal(), Duration::from_secs(15));
        assert!(terms.deadline() < terms.term && terms.renewal() * 2 < terms.deadline());
    }
}
