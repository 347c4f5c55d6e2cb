//! Ordering over edges; knows no nouns of ours.
