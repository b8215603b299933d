//! Bringing a batch of changes into the owner's directory, wholly or not at all, and taking it back.
//!
//! The hard promise: after an apply or an undo that ended, or that was cut off anywhere and followed by [`recover`],
//! every path of the batch is as before or every path is as after; nothing that the owner saved meanwhile is lost.
//! How:
//! 1. every step's expectation is checked;
//! 2. what is to be put is copied beside the tree, into a *private place* on the same file system, its content
//!    checked against its digest;
//! 3. a journal says all that will be done; contents and journal are on the disk before the next step;
//! 4. each entry changes places with the staged one in one rename, and what came out is looked at: if it is not what
//!    was expected (an editor saved meanwhile), all that was done so far is done backwards;
//! 5. what came out is kept, untouched, and is the material of an undo;
//! 6. the renames are on the disk before the journal is marked as committed, in one rename.
//!
//! An undo is an apply whose contents are the kept originals, recognises what was applied by its content, and can be
//! undone itself.
//!
//! The private place lies in the state directory if that is on the tree's file system; then nothing but the targets
//! is ever seen in the tree. Else it is a directory `.cofferdam-ID` (0700) at the tree's root, gone when the apply or
//! the recovery ends, and what came out is copied to the state directory before the commit.
//!
//! What is written: contents, links, directories, the executable bit. A replaced file's owner, group and permissions
//! are kept (its ACL and extended attributes stay with the kept original); a new file is 0644 or 0755, a new directory
//! 0755, whatever the umask. Bits that change who runs a program are never written.
//!
//! What is *not* here: what a change set is, whether a person has seen it, who may apply it. One state directory
//! serves one tree; that the caller sees to. A process that holds a file open while it is replaced goes on writing into the
//! kept original, as with every replacement by rename; until the commit that is noticed by its times and size.

mod back;
mod check;
mod durable;
mod exchange;
mod place;
mod recover;
mod run;
mod stage;
mod undo;

pub use crate::journal::{ApplyId, ContentDigest, EntryKind, JournalError, STEPS_MAX};
pub use place::{Standing, forget, list};
pub use recover::{Recovered, recover};
pub use undo::{PutPath, put_by, undo};

use crate::beneath;
use crate::changes::Moment;
use crate::discard::DiscardError;
use crate::ground::FileSystem;
use crate::path::WorkspacePath;
use rustix::fd::BorrowedFd;
use rustix::fs::Statx;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Steps that belong together, and where their contents lie.
#[derive(Debug)]
pub struct Batch<'a> {
    /// The private directory that holds the contents, as regular files.
    pub staged: BorrowedFd<'a>,
    /// In any order; a path occurs once.
    pub steps: Vec<Step>,
}

/// One path, what lies there, and what is to be there.
#[derive(Debug, Clone)]
pub struct Step {
    /// Below the tree.
    pub path: WorkspacePath,
    /// What must lie there.
    pub expected: Expected,
    /// What is done.
    pub act: Act,
}

/// What is to be at a path.
#[derive(Debug, Clone)]
pub enum Act {
    /// A file, new or in place of what is expected.
    PutFile(StagedFile),
    /// A symbolic link to these bytes, new or in place of what is expected.
    PutSymlink(Vec<u8>),
    /// A directory, new or in place of a file or link.
    PutDirectory,
    /// Nothing. A directory goes only if all that is in it is listed too.
    Remove,
    /// The expected file, executable or not.
    SetExecutable(bool),
}

/// A content in [`Batch::staged`].
#[derive(Debug, Clone)]
pub struct StagedFile {
    /// Its name there: one name, no path.
    pub name: Vec<u8>,
    /// Where in that file it begins, if others lie in it too; nothing: it is the whole file.
    pub offset: Option<u64>,
    /// Its size in bytes.
    pub size: u64,
    /// What its content must be.
    pub sha256: ContentDigest,
    /// Whether the file is to be executable.
    pub executable: bool,
}

/// What must lie at a path for its step to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Nothing.
    Missing,
    /// This very entry.
    Present(Seen),
}

/// An entry as it was seen. Of a directory only kind, device and inode must still be the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// What it is.
    pub kind: EntryKind,
    /// Major and minor number.
    pub device: (u32, u32),
    /// Its number there.
    pub inode: u64,
    /// When it was last changed.
    pub ctime: Moment,
    /// In bytes.
    pub size: u64,
    /// For a file, if its content counts beyond its times: a store through a mapping changes no time stamp.
    pub sha256: Option<ContentDigest>,
}

impl Seen {
    /// What `stat` tells of an entry, without its content; `None` for a device, FIFO or socket.
    pub(crate) fn of(stat: &Statx) -> Option<Self> {
        Some(Self {
            kind: EntryKind::of(stat)?,
            device: (stat.stx_dev_major, stat.stx_dev_minor),
            inode: stat.stx_ino,
            ctime: Moment { seconds: stat.stx_ctime.tv_sec, nanos: stat.stx_ctime.tv_nsec },
            size: stat.stx_size,
            sha256: None,
        })
    }

    pub(crate) fn is(&self, stat: &Statx) -> bool {
        let Some(now) = Self::of(stat) else { return false };
        let (same, content) = ((now.kind, now.device, now.inode), (now.ctime, now.size));
        same == (self.kind, self.device, self.inode)
            && (self.kind == EntryKind::Directory || content == (self.ctime, self.size))
    }
}

impl Expected {
    /// What lies at `path` below `tree` now, without its content.
    ///
    /// # Errors
    /// The kernel's answer; [`Errno::NOTSUP`] for a device, FIFO or socket.
    pub fn now(tree: BorrowedFd<'_>, path: &WorkspacePath) -> Result<Self, Errno> {
        let parent = match check::open_parent(tree, path) {
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(Self::Missing),
            opened => opened?,
        };
        let Some(stat) = beneath::stat_name(parent, path.name())? else { return Ok(Self::Missing) };
        Seen::of(&stat).map(Self::Present).ok_or(Errno::NOTSUP)
    }
}

/// An apply that is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// What [`undo`] takes.
    pub id: ApplyId,
}

/// A path that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Where.
    pub path: WorkspacePath,
    /// In what way.
    pub reason: ConflictReason,
}

/// In what way a path is not as it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConflictReason {
    /// It is gone.
    Gone,
    /// Something lies there now.
    Appeared,
    /// It is of another kind, or a directory above is no directory any more.
    OtherKind,
    /// It was changed or replaced.
    Changed,
    /// A directory holds what is not listed.
    NotEmpty,
    /// It is a device, a FIFO or a socket.
    Special,
    /// The directory above is missing.
    NoParent,
}

impl fmt::Display for ConflictReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "it is gone",
            Self::Appeared => "something lies there now",
            Self::OtherKind => "it is of another kind now",
            Self::Changed => "it was changed",
            Self::NotEmpty => "it holds more than what is to be removed",
            Self::Special => "it is a device, a FIFO or a socket",
            Self::NoParent => "the directory above it is missing",
        })
    }
}

/// Why nothing was applied. But for [`ApplyError::Unsettled`] and [`ApplyError::Abandoned`] the tree is as it was.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Another apply, undo or recovery is at work.
    #[error("another apply is at work on this directory")]
    Busy,
    /// A former one was cut off; [`recover`] first.
    #[error("the apply {id} was cut off and is not recovered")]
    Unrecovered {
        /// Which.
        id: ApplyId,
    },
    /// The id names another apply already.
    #[error("there is an apply {id} already")]
    IdTaken {
        /// Which.
        id: ApplyId,
    },
    /// There is no such apply to be undone.
    #[error("there is no apply {id}")]
    Unknown {
        /// What was asked for.
        id: ApplyId,
    },
    /// It was undone before.
    #[error("the apply {id} is undone already")]
    AlreadyUndone {
        /// What was asked for.
        id: ApplyId,
    },
    /// The batch contradicts itself.
    #[error("the batch cannot be applied: {path} {fault}")]
    Batch {
        /// The first path that is wrong, shown harmlessly.
        path: String,
        /// What is wrong with it.
        fault: BatchFault,
    },
    /// Paths are not as expected.
    #[error("{} paths are not as expected", .0.len())]
    Conflicts(Vec<Conflict>),
    /// A staged content is not the one that was announced.
    #[error("the content for {path} is not the one that was reviewed")]
    Content {
        /// For which path.
        path: WorkspacePath,
    },
    /// The path lies on another file system than the tree's root.
    #[error(
        "cannot apply {path}: it lies on another file system than the directory's root, or is a mount point"
    )]
    OtherFileSystem {
        /// Which.
        path: WorkspacePath,
    },
    /// Entries can't change places there.
    #[error("cannot apply on {file_system}: it cannot exchange two files in one step")]
    NoExchange {
        /// What the tree lies on.
        file_system: FileSystem,
    },
    /// A path of the tree can't be changed.
    #[error("cannot change {path}")]
    Change {
        /// Which.
        path: WorkspacePath,
        /// The kernel's answer.
        #[source]
        source: Errno,
    },
    /// What is to be put, or to be kept, can't be stored.
    #[error("cannot store what is needed for {path}")]
    Stage {
        /// For which path.
        path: WorkspacePath,
        /// The kernel's answer.
        #[source]
        source: Errno,
    },
    /// The state directory or the private place can't be used.
    #[error("cannot {act} the private place of the apply")]
    Place {
        /// A verb.
        act: &'static str,
        /// The kernel's answer.
        #[source]
        source: Errno,
    },
    /// What is left over there can't be removed.
    #[error("cannot clear the private place of the apply")]
    Clear(#[source] DiscardError),
    /// A journal can't be read.
    #[error("the journal of the apply {id} is damaged")]
    Journal {
        /// Of which apply.
        id: ApplyId,
        /// In what way.
        #[source]
        source: JournalError,
    },
    /// The recovery was given another tree.
    #[error("the apply {id} belongs to another directory")]
    OtherTree {
        /// Which.
        id: ApplyId,
    },
    /// It was taken back, except where the owner changed what had just been put: that stays. What was there before is
    /// kept with the apply, which stands as [`Standing::Abandoned`].
    #[error("the apply was taken back, but for {} paths that were changed meanwhile", left.len())]
    Abandoned {
        /// Which apply.
        id: ApplyId,
        /// The paths that stay as the owner made them.
        left: Vec<WorkspacePath>,
        /// Why it was taken back.
        #[source]
        source: Box<ApplyError>,
    },
    /// It was cut off, and the way back too: [`recover`] settles it one way or the other.
    #[error("the apply {id} was cut off and has to be recovered")]
    Unsettled {
        /// Which.
        id: ApplyId,
        /// What cut off the way back, or the end.
        #[source]
        source: Box<ApplyError>,
    },
}

/// In what way a batch contradicts itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BatchFault {
    /// It has no steps, or more than [`STEPS_MAX`].
    Count,
    /// A path occurs twice.
    Twice,
    /// The act does not fit what is expected.
    Expected,
    /// The path lies below one that is to be no directory.
    Below,
    /// The name of a staged content, or a link's target, is none.
    Name,
}

impl fmt::Display for BatchFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Count => "has no steps or too many",
            Self::Twice => "occurs twice",
            Self::Expected => "is to become what it cannot become from what is expected there",
            Self::Below => "lies below what will be no directory",
            Self::Name => "has a content or target without a proper name",
        })
    }
}

/// Applies `batch` to the directory `tree`; `state` is the owner's private directory (0700) for this tree. The id is
/// new and random.
///
/// # Errors
/// [`ApplyError`]; but for [`ApplyError::Unsettled`], nothing is changed.
pub fn apply(
    tree: BorrowedFd<'_>,
    state: BorrowedFd<'_>,
    id: ApplyId,
    batch: &Batch<'_>,
) -> Result<Applied, ApplyError> {
    let state = place::State::lock(state)?;
    state.refuse_pending()?;
    let intents = run::intents(batch)?;
    run::run(&run::Work { tree, state: &state, id, undoes: None }, intents)
}

#[cfg(test)]
mod tests;
