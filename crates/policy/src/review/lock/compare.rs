//! Two readings of a lock file, compared.
//!
//! It says what moved, not whether that is good: a checksum that changed while the version stayed is the classic sign of
//! a replaced package, and a source that changed is the other.

use super::{DIFFERENCES_MAX, LockFormat, Pin, Reading, Unreadable};
use std::collections::{BTreeMap, BTreeSet};

/// One dependency that is not pinned as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its name.
    pub name: String,
    /// What happened to it.
    pub change: Change,
}

/// What happened to a dependency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It was not there in any version, or not in this one.
    Added {
        /// At which version.
        version: String,
        /// How.
        pin: Pin,
    },
    /// It is gone, or this version of it is.
    Removed {
        /// At which version.
        version: String,
        /// How.
        pin: Pin,
    },
    /// It is pinned otherwise.
    Changed {
        /// The versions, also if they are the same.
        version: (String, String),
        /// How it was.
        before: Pin,
        /// How it is.
        after: Pin,
    },
}

impl Change {
    /// Whether the version moved.
    #[must_use]
    pub fn is_of_version(&self) -> bool {
        matches!(self, Self::Changed { version: (before, after), .. } if before != after)
    }

    /// Whether it comes from elsewhere than before.
    #[must_use]
    pub fn is_of_source(&self) -> bool {
        matches!(self, Self::Changed { before, after, .. } if before.source != after.source)
    }

    /// Whether the same version has another content than before, or no longer says which.
    #[must_use]
    pub fn is_of_checksum(&self) -> bool {
        matches!(self, Self::Changed { before, after, .. } if before.checksums != after.checksums)
            && !self.is_of_version()
    }
}

/// What two texts of a lock file differ in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// By name, at most [`DIFFERENCES_MAX`].
    pub differences: Vec<Difference>,
    /// How many more there are.
    pub more: usize,
    /// Lines or entries that were not understood: before, after. Their differences are not among the others.
    pub not_understood: (u64, u64),
    /// The texts differ, and no dependency does: in order, in edges, or in what was not understood.
    pub differs_otherwise: bool,
}

/// What differs between `before` and `after`; a file that is not there has no dependencies.
///
/// # Errors
/// [`Unreadable`] if one of them is not understood at all; nothing can be said of the change then.
pub fn compare(
    format: LockFormat,
    before: Option<&[u8]>,
    after: Option<&[u8]>,
) -> Result<Comparison, Unreadable> {
    let read = |text: Option<&[u8]>| text.map_or(Ok(Reading::default()), |text| Reading::of(format, text));
    let (old, new) = (read(before)?, read(after)?);
    let not_understood = (old.not_understood, new.not_understood);
    let mut differences = Vec::new();
    let names: BTreeSet<&String> = old.pins.keys().chain(new.pins.keys()).collect();
    let none = BTreeMap::new();
    for name in names {
        let (old, new) = (old.pins.get(name).unwrap_or(&none), new.pins.get(name).unwrap_or(&none));
        differences
            .extend(changes(old, new).into_iter().map(|change| Difference { name: name.clone(), change }));
    }
    let more = differences.len().saturating_sub(DIFFERENCES_MAX);
    let differs_otherwise = differences.is_empty() && before != after;
    differences.truncate(DIFFERENCES_MAX);
    Ok(Comparison { differences, more, not_understood, differs_otherwise })
}

/// What happened to the versions of one dependency. If one version went and one came, it moved.
fn changes(old: &BTreeMap<String, Pin>, new: &BTreeMap<String, Pin>) -> Vec<Change> {
    let mut changes = Vec::new();
    for (version, before) in old {
        if let Some(after) = new.get(version).filter(|after| *after != before) {
            let version = (version.clone(), version.clone());
            changes.push(Change::Changed { version, before: before.clone(), after: after.clone() });
        }
    }
    let gone: Vec<_> = old.iter().filter(|(version, _)| !new.contains_key(*version)).collect();
    let come: Vec<_> = new.iter().filter(|(version, _)| !old.contains_key(*version)).collect();
    if let ([(old, before)], [(new, after)]) = (gone.as_slice(), come.as_slice()) {
        let version = ((*old).clone(), (*new).clone());
        changes.push(Change::Changed { version, before: (*before).clone(), after: (*after).clone() });
        return changes;
    }
    changes.extend(
        gone.into_iter().map(|(version, pin)| Change::Removed { version: version.clone(), pin: pin.clone() }),
    );
    changes.extend(
        come.into_iter().map(|(version, pin)| Change::Added { version: version.clone(), pin: pin.clone() }),
    );
    changes
}
