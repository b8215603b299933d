//! What a session changed: the upper layer of its overlay against the owner's directory, or its copy against the
//! original.
//!
//! It reads, O(changes) for an overlay, and judges nothing: what may be applied is the review's part. Git directories
//! are outside and only counted. Owners, extended attributes and times are no changes. It can be run in a helper user
//! namespace that may read what the agent made unreadable: it needs the two directories and nothing else.

pub(crate) mod compare;
mod summary;
pub(crate) mod walk;

pub use walk::is_index;

use crate::path::WorkspacePath;
use cofferdam_policy::mask::MaskSet;
use rustix::fd::BorrowedFd;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// The most entries that are looked at.
pub const VISITED_MAX: u64 = 4_000_000;

/// The most entries that are listed in a summary, if the caller asks for more.
pub const ENTRIES_MAX: usize = 100_000;

/// Files of equal size beyond this many bytes count as modified without being compared.
pub const COMPARED_BYTES_MAX: u64 = 1 << 30;

/// What to compare.
#[derive(Debug, Clone, Copy)]
pub struct ChangeQuery<'a> {
    /// The owner's directory.
    pub original: BorrowedFd<'a>,
    /// The masks: what the agent made under a masked name is pointed out.
    pub masks: &'a MaskSet,
    /// What was hidden or left out, sorted. The agent never saw it, and its absence is no change.
    pub hidden: &'a [WorkspacePath],
    /// The most entries to be listed; counting goes on.
    pub entries_max: usize,
}

/// What differs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeSummary {
    /// New files and directories.
    pub added: u64,
    /// Files and links with other content.
    pub modified: u64,
    /// Files, and whole directories as one each.
    pub deleted: u64,
    /// A file where a directory was, and the like.
    pub typed: u64,
    /// Other permissions and nothing else.
    pub mode: u64,
    /// Files in git directories.
    pub git_internal: u64,
    /// Of these, all but indexes: an index is rewritten by merely looking, the rest would be lost.
    #[serde(default)]
    pub git_kept: u64,
    /// Changes that touch a masked path; counted above too.
    pub masked: u64,
    /// In the order of their paths, directory by directory.
    pub entries: Vec<ChangeEntry>,
    /// Whether there are more than are listed, or than were looked at.
    pub truncated: bool,
}

impl ChangeSummary {
    /// Whether nothing changed outside git directories.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.total() == 0
    }

    /// All changes outside git directories.
    #[must_use]
    pub fn total(&self) -> u64 {
        [self.added, self.modified, self.deleted, self.typed, self.mode]
            .iter()
            .fold(0, |sum, n| sum.saturating_add(*n))
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeEntry {
    /// Where.
    pub path: WorkspacePath,
    /// What happened.
    pub change: Change,
    /// What it is now; what it was, if it is gone.
    pub kind: FileKind,
    /// Whether a mask hides the path, or something below a directory that is gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub masked: bool,
    /// The permissions before and after, if they differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<(u32, u32)>,
}

/// What happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It is new.
    Added,
    /// It has other content.
    Modified,
    /// It is gone.
    Deleted,
    /// It is of another kind.
    Type,
    /// It has other permissions only.
    Mode,
}

/// Kinds of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A device, FIFO or socket: never applied.
    Special,
}

/// A moment by the clock of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moment {
    /// Since 1970.
    pub seconds: i64,
    /// Below a billion.
    pub nanos: u32,
}

/// Why the changes can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The agent took the permissions away (or the owner has none): run it again in a helper user namespace.
    #[error("cannot read {path} without more privilege")]
    NeedsPrivilege {
        /// Relative to the workspace, shown harmlessly.
        path: String,
    },
    /// Something can't be read.
    #[error("cannot read {path}")]
    Read {
        /// Relative to the workspace, shown harmlessly.
        path: String,
        /// The kernel's answer.
        #[source]
        source: Errno,
    },
}

/// Reads the upper layer `upper` (mounted with `userxattr`).
///
/// # Errors
/// [`ChangeError`]: a part that can't be read is never left out silently.
pub fn of_upper(upper: BorrowedFd<'_>, query: &ChangeQuery<'_>) -> Result<ChangeSummary, ChangeError> {
    summary::read(upper, query, walk::Layer::Upper)
}

/// Compares the copy `copy`, which was finished at `finished` ([`crate::copy::Copied`]).
///
/// # Errors
/// As [`of_upper`].
pub fn of_copy(
    copy: BorrowedFd<'_>,
    finished: Moment,
    query: &ChangeQuery<'_>,
) -> Result<ChangeSummary, ChangeError> {
    summary::read(copy, query, walk::Layer::Copy { finished })
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests;
