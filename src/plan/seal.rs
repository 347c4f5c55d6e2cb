//! Digests that say whether two values are equal and not what they are: keyed by what only those know who may look at the
//! cluster, and by a number of the document's own.

use crate::model::Digest;

/// The key of one document's digests.
#[derive(Clone, PartialEq, Eq)]
pub struct Seal(Digest);

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(seal)")
    }
}

impl Seal {
    /// A seal from a document's random number and the uid of the cluster, which the document itself does not name; nothing
    /// as long as there is no cluster.
    pub fn new(number: &str, cluster: Option<&str>) -> Self {
        Self(Digest::of_parts(["datamill seal", number, cluster.unwrap_or_default()]))
    }

    /// The keyed digest of a value.
    pub fn of(&self, value: &str) -> Digest {
        Digest::of_parts([self.0.as_str(), value])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_equal_under_one_seal_only() {
        let one = Seal::new("1", Some("uid"));
        assert_eq!(one.of("a"), Seal::new("1", Some("uid")).of("a"));
        assert_ne!(one.of("a"), one.of("b"));
        for other in [Seal::new("2", Some("uid")), Seal::new("1", Some("u")), Seal::new("1", None)]
        {
            assert_ne!(one.of("a"), other.of("a"));
        }
        assert_ne!(one.of("a"), Digest::of("a"));
        assert_eq!(format!("{one:?}"), "(seal)");
    }
}
