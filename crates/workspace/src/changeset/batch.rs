//! From a change set to the steps that write it, and no judgement: what is refused or in conflict has no step.
//!
//! What a step expects is what was looked at when the change set was read, so that whatever the owner did since is found
//! by the apply. Where the contents lie is known to [`staged_file`] alone.

use super::{ChangeSet, Entry, EntryKind, StagedContents};
use crate::apply::{Act, Batch, ContentDigest, Expected, StagedFile, Step};
use crate::changes::Change;
use crate::path::WorkspacePath;
use rustix::io::Errno;

/// The bits of a mode, as git writes it, that make a file a program.
const EXECUTABLE: u32 = 0o111;

/// The longest target of a link, in bytes.
const TARGET_BYTES_MAX: usize = 4_096;

/// Why a change set is no batch.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// A content is not in the stage.
    #[error("cannot find the staged content of {path}")]
    Content {
        /// Of which entry.
        path: WorkspacePath,
        /// The kernel's answer.
        #[source]
        source: Errno,
    },
    /// An entry asks for what nobody writes.
    #[error("nothing can be made of the entry {path}")]
    Entry {
        /// Which.
        path: WorkspacePath,
    },
}

impl Entry {
    /// Whether it can be written: nothing speaks against it.
    #[must_use]
    pub const fn is_free(&self) -> bool {
        self.refused.is_none() && self.conflict.is_none()
    }
}

/// The steps that write all of `set` against which nothing speaks; `staged` holds its contents.
///
/// # Errors
/// [`BatchError`].
pub fn batch<'s>(set: &ChangeSet, staged: &'s StagedContents) -> Result<Batch<'s>, BatchError> {
    let free = set.entries.iter().filter(|entry| entry.is_free());
    let steps = free.map(|entry| step(entry, staged)).collect::<Result<Vec<_>, _>>()?;
    Ok(Batch { staged: staged.directory(), steps })
}

fn step(entry: &Entry, staged: &StagedContents) -> Result<Step, BatchError> {
    let unfit = || BatchError::Entry { path: entry.path.clone() };
    let mode = entry.mode_after.unwrap_or(0);
    let act = match (entry.change, entry.kind) {
        (Change::Deleted, EntryKind::File | EntryKind::Dir | EntryKind::Symlink) => Act::Remove,
        (Change::Mode, EntryKind::File) => Act::SetExecutable(mode & EXECUTABLE != 0),
        (Change::Added | Change::Modified | Change::Type, EntryKind::File) => {
            Act::PutFile(staged_file(entry).ok_or_else(unfit)?)
        }
        (Change::Added | Change::Modified | Change::Type, EntryKind::Symlink) => {
            let (content, place) = (entry.content.ok_or_else(unfit)?, entry.place.ok_or_else(unfit)?);
            let target = staged.bytes(&content, place, TARGET_BYTES_MAX);
            let found = |source| BatchError::Content { path: entry.path.clone(), source };
            Act::PutSymlink(target.map_err(found)?)
        }
        (Change::Added | Change::Type, EntryKind::Dir) => Act::PutDirectory,
        (Change::Mode, EntryKind::Dir | EntryKind::Symlink)
        | (Change::Modified, EntryKind::Dir)
        | (_, EntryKind::Gitlink) => return Err(unfit()),
    };
    let expected = entry.before.clone().map_or(Expected::Missing, Expected::Present);
    Ok(Step { path: entry.path.clone(), expected, act })
}

/// Where the content of a file is, and what it must be; nothing for an entry without one.
#[must_use]
pub fn staged_file(entry: &Entry) -> Option<StagedFile> {
    let (content, place) = (entry.content?, entry.place?);
    Some(StagedFile {
        name: place.file_name(&content).into_bytes(),
        offset: place.offset(),
        size: entry.size_after?,
        sha256: ContentDigest(*content.as_bytes()),
        executable: entry.mode_after? & EXECUTABLE != 0,
    })
}
