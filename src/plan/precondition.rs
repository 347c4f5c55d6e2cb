//! What must still be so directly before a write: taken from what was seen, and compared with a second look.

use std::collections::BTreeMap;

use super::Precondition;
use crate::model::{Digest, Found, Observed};

impl Precondition {
    /// What a plan made from this sight relies on: uids of all that lives, and the digest of the compared fields.
    pub fn of(found: &Found) -> Self {
        let mut uids = BTreeMap::new();
        if let Some(uid) = &found.version.uid {
            uids.insert(String::new(), uid.clone());
        }
        let mut parts = Vec::new();
        if let Some(fields) = &found.version.fields {
            parts.push(fields.as_str());
        }
        for object in found.objects.iter().filter(|object| object.live.is_some()) {
            if let Some(uid) = &object.version.uid {
                uids.insert(object.object.to_string(), uid.clone());
            }
            if let Some(fields) = &object.version.fields {
                parts.push(fields.as_str());
            }
        }
        let fields = (!parts.is_empty()).then(|| Digest::of_parts(parts));
        Self::Unchanged { uids, fields }
    }

    /// Says in words what is no longer so, when a second look in the same manner shows a difference.
    pub fn broken_by(&self, now: &Observed) -> Option<String> {
        match (self, now) {
            (Self::Nothing, _) | (Self::Absent, Observed::Absent) => None,
            (_, Observed::Unreachable { because }) => Some(format!("cannot look: {because}")),
            (Self::Absent, Observed::Present(_)) => Some("it is there by now".to_owned()),
            (Self::Unchanged { uids, .. }, Observed::Absent) => {
                (!uids.is_empty()).then(|| "it is gone by now".to_owned())
            }
            (Self::Unchanged { uids, fields }, Observed::Present(found)) => match Self::of(found) {
                Self::Unchanged { uids: now, .. } if *uids != now => {
                    Some("it was made anew, or something in it came or went".to_owned())
                }
                Self::Unchanged { fields: now, .. } if *fields != now => {
                    Some("somebody changed it".to_owned())
                }
                Self::Unchanged { .. } | Self::Absent | Self::Nothing => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Version;

    fn found(uid: &str, fields: &str) -> Found {
        let version = Version { uid: Some(uid.to_owned()), fields: Some(Digest::of(fields)) };
        Found { version, ..Found::ours() }
    }

    #[test]
    fn a_second_look_that_differs_breaks_it() {
        let seen = Precondition::of(&found("1", "a"));
        let now = |found| Observed::Present(Box::new(found));
        assert_eq!(seen.broken_by(&now(found("1", "a"))), None);
        for other in [now(found("2", "a")), now(found("1", "b")), Observed::Absent] {
            assert!(seen.broken_by(&other).is_some(), "{other:?}");
        }
        assert!(Precondition::Absent.broken_by(&now(found("1", "a"))).is_some());
        assert_eq!(Precondition::Absent.broken_by(&Observed::Absent), None);
    }
}
