//! Labels: what a session has touched, as one level of confidentiality and one of integrity.
//!
//! A label only ever rises: [`Label::join`] is the only way to combine two, and it takes the maximum on
//! both axes. Nothing here lowers one; that is a person's release, which comes with the airlock.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Who may see it, from everybody to the owner alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidentiality {
    /// Anybody may see it.
    Public,
    /// The owner's projects and those who work on them.
    Internal,
    /// The owner alone.
    Private,
}

/// Whether a stranger may have had a hand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Integrity {
    /// Only the owner and what the owner chose.
    Trusted,
    /// Anything else.
    Untrusted,
}

/// A pair of levels and the sources that raised it to them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    confidentiality: Confidentiality,
    integrity: Integrity,
    sources: BTreeSet<String>,
}

impl Label {
    /// The label of every session until the airlock exists: `internal`, `trusted`, no sources.
    #[must_use]
    pub fn initial() -> Self {
        Self::new(Confidentiality::Internal, Integrity::Trusted, [])
    }

    /// A label at these levels, raised by `sources`.
    #[must_use]
    pub fn new<const N: usize>(
        confidentiality: Confidentiality,
        integrity: Integrity,
        sources: [String; N],
    ) -> Self {
        Self { confidentiality, integrity, sources: sources.into() }
    }

    /// The least label that is at or above both: the maximum on each axis, the union of the sources.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        Self {
            confidentiality: self.confidentiality.max(other.confidentiality),
            integrity: self.integrity.max(other.integrity),
            sources: self.sources.union(&other.sources).cloned().collect(),
        }
    }

    /// The level of confidentiality.
    #[must_use]
    pub fn confidentiality(&self) -> Confidentiality {
        self.confidentiality
    }

    /// The level of integrity.
    #[must_use]
    pub fn integrity(&self) -> Integrity {
        self.integrity
    }

    /// What raised it, in order of name.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn label() -> impl Strategy<Value = Label> {
        let confidentiality = prop_oneof![
            Just(Confidentiality::Public),
            Just(Confidentiality::Internal),
            Just(Confidentiality::Private)
        ];
        let integrity = prop_oneof![Just(Integrity::Trusted), Just(Integrity::Untrusted)];
        (confidentiality, integrity, "[a-z]{0,3}").prop_map(|(c, i, s)| Label::new(c, i, [s]))
    }

    proptest! {
        #[test]
        fn a_label_only_ever_rises(a in label(), b in label()) {
            let joined = a.join(&b);
            prop_assert!(joined.confidentiality() >= a.confidentiality());
            prop_assert!(joined.integrity() >= a.integrity());
            prop_assert!(a.sources().all(|s| joined.sources().any(|t| t == s)));
        }

        #[test]
        fn joining_does_not_depend_on_the_order(a in label(), b in label(), c in label()) {
            prop_assert_eq!(a.join(&b), b.join(&a));
            prop_assert_eq!(a.join(&b).join(&c), a.join(&b.join(&c)));
            prop_assert_eq!(a.join(&a), a);
        }
    }
}
