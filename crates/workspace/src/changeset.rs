//! The change set: what a session changed, staged as a private copy, with one digest over what would be written.
//!
//! Contents are copied first and looked at afterwards, and only in the copy: a store through a mapping, during or
//! after, changes neither what is shown nor what the digest covers (ATTACKS 18). It decides what is in conflict with
//! the owner's own edits, what is never brought back, and what the owner's rules ignore. It writes nowhere but into
//! the stage, starts nothing, and does not judge what a content means.

pub mod base;
pub mod batch;
pub mod encoding;
pub mod ignore;
pub mod included;
mod owners;
pub mod put;
mod read;
pub(crate) mod refusal;
mod renames;
mod stage;
mod staged;

pub use encoding::Digest;
pub use owners::{OwnersFile, owners_file};
pub use read::read;
pub use stage::{FILE_BYTES_MAX, STAGED_BYTES_MAX, restage};
pub use staged::{Place, StagedContents, StagedReader};

use crate::apply::Seen;
use crate::beneath;
use crate::census::kept::Kept;
use crate::changes::{Change, ChangeError, Moment};
use crate::path::{WorkspacePath, split};
use base::{Base, Conflict};
use cofferdam_policy::mask::MaskSet;
use ignore::OwnersRules;
use included::Included;
use put::Put;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

pub use refusal::Refusal;

/// The most entries of one change set.
pub const ENTRIES_MAX: usize = 1_000_000;

/// The most ignored paths, and files of git's, that are named; counting goes on.
pub const NAMED_MAX: usize = 10_000;

/// What is read, and where to.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// The upper layer, or the copy.
    pub layer: BorrowedFd<'a>,
    /// When the copy was finished; nothing for an upper layer.
    pub copy_finished: Option<Moment>,
    /// The owner's directory.
    pub original: BorrowedFd<'a>,
    /// The masks that held in the session.
    pub masks: &'a MaskSet,
    /// What was left out of a copy, sorted.
    pub hidden: &'a [WorkspacePath],
    /// What the owner's files are measured by.
    pub base: Base,
    /// Which of the owner's directories lay where when the session started, if that was kept.
    pub kept: Option<&'a Kept>,
    /// The owner's rules of what to ignore that lie outside the directory.
    pub rules: &'a OwnersRules,
    /// What is taken although rules ignore it.
    pub included: &'a Included,
    /// What earlier applies of the session left.
    pub put: &'a Put,
    /// An empty directory for the contents, nobody else's; [`StagedContents`] reads them.
    pub stage: BorrowedFd<'a>,
}

/// A change set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeSet {
    /// Over what would be written.
    pub digest: Digest,
    /// In the order of the paths' bytes.
    pub entries: Vec<Entry>,
    /// What the owner's rules ignore; not in the digest.
    pub ignored: Named,
    /// Files of git directories that the owner has too: not in the digest either.
    pub git: Named,
    /// What lies too deep to be named: never applied.
    pub unnamed: u64,
}

/// Paths that are counted, and named as far as there is room.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// How many there are.
    pub count: u64,
    /// The first [`NAMED_MAX`] of them that are worth a name.
    pub paths: Vec<WorkspacePath>,
}

impl Named {
    fn count_path(&mut self, path: Option<WorkspacePath>) {
        self.count = self.count.saturating_add(1);
        if self.paths.len() < NAMED_MAX {
            self.paths.extend(path);
        }
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Where.
    pub path: WorkspacePath,
    /// What happens.
    pub change: Change,
    /// A file with the same content that is deleted in the same set.
    pub renamed_from: Option<WorkspacePath>,
    /// What it becomes; what it was, if it goes.
    pub kind: EntryKind,
    /// What the owner had there when this was read; nothing if there was nothing.
    pub before: Option<Seen>,
    /// As git writes modes; nothing if the owner has none.
    pub mode_before: Option<u32>,
    /// Nothing if it goes.
    pub mode_after: Option<u32>,
    /// In bytes, of files and links.
    pub size_before: Option<u64>,
    /// In bytes.
    pub size_after: Option<u64>,
    /// Whether a NUL is among the first bytes of either side.
    pub binary: bool,
    /// Why it can't be laid over what the owner has now.
    pub conflict: Option<Conflict>,
    /// Why it is never brought back.
    pub refused: Option<Refusal>,
    /// The SHA-256 of its content: of a file's bytes, or a link's target.
    pub content: Option<Digest>,
    /// Where in the stage that content lies.
    pub place: Option<Place>,
}

/// Kinds of what a change set holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryKind {
    /// A regular file; also a device, FIFO or socket, which is refused.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A git directory, or a file that points to one.
    Gitlink,
}

impl EntryKind {
    const fn code(self) -> u8 {
        match self {
            Self::File => b'f',
            Self::Dir => b'd',
            Self::Symlink => b'l',
            Self::Gitlink => b'g',
        }
    }
}

impl ChangeSet {
    /// The same with other entries, and with their digest.
    #[must_use]
    pub fn with_entries(&self, entries: Vec<Entry>) -> Self {
        let mut set = Self { entries, ..self.clone() };
        set.seal();
        set
    }

    /// Sorts the entries and makes their digest anew.
    pub fn seal(&mut self) {
        self.entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        self.digest = encoding::digest(self.entries.iter().filter_map(Entry::written).collect());
    }
}

impl ChangeSet {
    /// A directory of the owner's stays if something stays in it that rules ignore; `ignored` would have gone with it.
    fn keep_what_holds_ignored(&mut self, ignored: &[WorkspacePath]) {
        let above: BTreeSet<&[u8]> = ignored.iter().flat_map(|path| ancestors(path.as_bytes())).collect();
        for entry in self.entries.iter_mut().filter(|entry| above.contains(entry.path.as_bytes())) {
            entry.refused = entry.refused.or(Some(Refusal::HoldsIgnored));
        }
    }
}

/// The directories above a path, without the root.
fn ancestors(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::successors(Some(split(path).0), |above| Some(split(above).0))
        .take_while(|above| !above.is_empty())
}

impl Entry {
    /// What it would write; nothing if it is refused.
    #[must_use]
    pub fn written(&self) -> Option<encoding::Written<'_>> {
        self.refused.is_none().then(|| encoding::Written {
            path: self.path.as_bytes(),
            change: self.change,
            kind: self.kind,
            mode: self.mode_after.unwrap_or(0),
            content: self.content,
        })
    }
}

/// Why there is no change set.
#[derive(Debug, thiserror::Error)]
pub enum ChangeSetError {
    /// The layers can't be read.
    #[error(transparent)]
    Read(#[from] ChangeError),
    /// A file vanished or became another while it was read: the session runs.
    #[error("{path} changed while it was read")]
    Moved {
        /// Relative to the workspace, shown harmlessly.
        path: String,
    },
    /// The copy can't be written.
    #[error("cannot keep a copy of {path}")]
    Stage {
        /// Relative to the workspace, shown harmlessly.
        path: String,
        /// The kernel's answer.
        #[source]
        source: Errno,
    },
    /// More than [`ENTRIES_MAX`] entries, or more than a walk looks at.
    #[error("there are more than {ENTRIES_MAX} changes")]
    TooMany,
    /// More than [`STAGED_BYTES_MAX`].
    #[error("what changed is longer than {STAGED_BYTES_MAX} bytes")]
    TooLong,
}

/// Opens the directory `name` of a stage.
///
/// # Errors
/// The kernel's answer.
pub fn open_stage(stage: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Errno> {
    beneath::open_directory(stage, name.as_bytes())
}

/// Opens the directory `path` below `root`; no link is followed.
///
/// # Errors
/// The kernel's answer.
pub fn open_below(root: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd, Errno> {
    beneath::open_directory(root, path)
}

/// What lies at a path, as far as git would keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// A regular file.
    File {
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// A symbolic link.
    Symlink,
}

/// What lies at `path` below `root`; nothing for a directory or what git does not keep.
///
/// # Errors
/// The kernel's answer.
pub fn look(root: BorrowedFd<'_>, path: &[u8]) -> Result<Option<Looked>, Errno> {
    let Some(stat) = beneath::stat_path(root, path)? else { return Ok(None) };
    Ok(match beneath::kind(&stat) {
        FileType::RegularFile => Some(Looked::File { executable: beneath::permissions(&stat) & 0o100 != 0 }),
        FileType::Symlink => Some(Looked::Symlink),
        FileType::Directory
        | FileType::Fifo
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown => None,
    })
}

/// The content of the regular file `path` below `root`, of at most `bytes_max` bytes.
///
/// # Errors
/// The kernel's answer; [`Errno::NOENT`] also where something else lies there, [`Errno::FBIG`] beyond `bytes_max`.
pub fn small_file(root: BorrowedFd<'_>, path: &[u8], bytes_max: usize) -> Result<Vec<u8>, Errno> {
    beneath::read_small(root, path, bytes_max)?.ok_or(Errno::NOENT)
}

/// The target of the link `path` below `root`.
///
/// # Errors
/// The kernel's answer.
pub fn link_target(root: BorrowedFd<'_>, path: &[u8]) -> Result<Vec<u8>, Errno> {
    let (parent, name) = split(path);
    let parent = beneath::open(root, parent, OFlags::PATH | OFlags::DIRECTORY)?;
    Ok(rustix::fs::readlinkat(parent, name, Vec::new())?.into_bytes())
}

#[cfg(test)]
mod tests;
