//! What of a change set is taken: whole entries, or some of the changes of a text.
//!
//! It names paths and numbers, no contents: what it stands for is a change set of its own, with its own digest.

use cofferdam_policy::path::AbsPath;
pub use cofferdam_workspace::path::WorkspacePath;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What is taken of each directory; what is not named is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Selection {
    /// By directory, as in [`crate::diff::DirectoryDiff::path`], and path.
    pub taken: BTreeMap<AbsPath, BTreeMap<WorkspacePath, Take>>,
}

/// How much of an entry is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Take {
    /// All of it: content, kind, mode.
    Whole,
    /// A link that leads, or may lead, out of the workspace: it is taken by itself only.
    Alone,
    /// Of a text that is modified, added or deleted, the changes with these numbers ([`crate::diff::Hunk::changes`]).
    Changes(BTreeSet<u32>),
}

impl Selection {
    /// Takes `path` of `directory`, in place of what was taken of it.
    pub fn take(&mut self, directory: &AbsPath, path: &WorkspacePath, take: Take) {
        self.taken.entry(directory.clone()).or_default().insert(path.clone(), take);
    }

    /// Takes nothing of `path`.
    pub fn leave(&mut self, directory: &AbsPath, path: &WorkspacePath) {
        if let Some(taken) = self.taken.get_mut(directory) {
            taken.remove(path);
        }
    }

    /// What is taken of `path`.
    #[must_use]
    pub fn of(&self, directory: &AbsPath, path: &WorkspacePath) -> Option<&Take> {
        self.taken.get(directory)?.get(path)
    }

    /// Whether nothing is taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.taken.values().all(BTreeMap::is_empty)
    }
}

#[cfg(test)]
mod fuzz;
