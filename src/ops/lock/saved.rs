//! The pins that a saved plan carries along, so that it is rendered from the same charts on another machine.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Lock, Pin};
use crate::model::{Digest, Failure, FailureKind, ResourceId};

/// Pinned charts and what they were.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedLock {
    /// The chart of each step.
    #[schemars(with = "BTreeMap<String, SavedPin>")]
    pub charts: BTreeMap<ResourceId, SavedPin>,
    /// SHA-256 of each chart and file, by its address and version.
    #[schemars(with = "BTreeMap<String, String>")]
    pub digests: BTreeMap<String, Digest>,
}

/// The chart of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedPin {
    /// Where it comes from, without its version.
    pub chart: String,
    /// Its version.
    pub version: String,
}

impl Lock {
    /// The pins as a saved plan carries them.
    pub(in crate::ops) fn saved(&self) -> SavedLock {
        let pin = |pin: &Pin| SavedPin { chart: pin.chart.clone(), version: pin.version.clone() };
        SavedLock {
            charts: self.charts.iter().map(|(id, one)| (id.clone(), pin(one))).collect(),
            digests: self.digests.clone(),
        }
    }

    /// Refuses when the file pins something else than the plan was made with. What only one of them pins is no contradiction:
    /// the first apply of a plan writes its pins into the file.
    pub(in crate::ops) fn agrees_with(&self, saved: &SavedLock) -> Result<(), Failure> {
        let differs = |what: String, now: &str, then: &str| {
            Err(Failure::new(FailureKind::Stale, "`datamill.lock` changed since the plan was made")
                .because(format!("{what} was {then} and is {now}"))
                .hint("make a new plan:\n    datamill plan --out FILE"))
        };
        for (id, then) in &saved.charts {
            match self.charts.get(id) {
                Some(now) if now.chart != then.chart || now.version != then.version => {
                    return differs(format!("the chart of `{id}`"), &now.version, &then.version);
                }
                Some(_) | None => {}
            }
        }
        for (key, then) in &saved.digests {
            match self.digests.get(key) {
                Some(now) if now != then => {
                    return differs(format!("`{key}`"), now.as_str(), then.as_str());
                }
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    /// Takes up the pins of a plan.
    pub(in crate::ops) fn lay(&mut self, saved: &SavedLock) {
        for (id, pin) in &saved.charts {
            let pin = Pin { chart: pin.chart.clone(), version: pin.version.clone() };
            self.charts.insert(id.clone(), pin);
        }
        self.digests.extend(saved.digests.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::super::pin::tests::desired;
    use super::*;

    #[test]
    fn a_moved_pin_contradicts_and_an_empty_file_takes_the_plans() {
        let mut lock = Lock::default();
        lock.note_charts(desired("1.2.3").resources.values());
        lock.digests.insert("x@1".to_owned(), Digest::of("x"));
        let saved = lock.saved();
        let mut empty = Lock::default();
        assert_eq!(empty.agrees_with(&saved), Ok(()));
        empty.lay(&saved);
        assert_eq!(empty, lock);
        assert_eq!(lock.agrees_with(&saved), Ok(()));
        let mut moved = lock.clone();
        moved.note_charts(desired("2.0.0").resources.values());
        let failure = moved.agrees_with(&saved).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Stale);
        assert!(failure.causes[0].contains("was 1.2.3 and is 2.0.0"), "{failure:?}");
        let mut other = lock;
        other.digests.insert("x@1".to_owned(), Digest::of("y"));
        assert!(other.agrees_with(&saved).is_err());
    }
}
