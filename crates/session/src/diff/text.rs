//! The text of a changed file on both sides, for showing it.
//!
//! The new side comes from the stage, so that what is shown is what the digest covers; the old one is what the owner
//! has now. Long files are not read at all.

use super::{Change, Diff, DirectoryDiff, Entry, EntryKind};
use rustix::fd::{AsFd as _, BorrowedFd};
use rustix::io::Errno;

/// A side of more than this many bytes is not shown as text.
pub const UNSHOWN_BYTES_MAX: u64 = 1 << 20;

/// Both sides of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// What the owner has.
    pub before: Vec<u8>,
    /// What was staged.
    pub after: Vec<u8>,
}

/// Why a change is not shown as text.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// It holds a NUL.
    #[error("binary")]
    Binary,
    /// More than [`UNSHOWN_BYTES_MAX`].
    #[error("too long to be shown")]
    TooLong,
    /// Nothing of it is text: a directory, a device, a change of mode.
    #[error("no text")]
    None,
    /// It can't be read.
    #[error("cannot read it")]
    Read(#[from] Errno),
}

impl Diff {
    /// Both sides of an entry of one of its directories.
    ///
    /// # Errors
    /// [`TextError`] says what to say instead.
    pub fn text(&self, directory: &DirectoryDiff, entry: &Entry) -> Result<Text, TextError> {
        match entry.kind {
            EntryKind::File | EntryKind::Symlink if entry.change == Change::Mode => {
                return Err(TextError::None);
            }
            EntryKind::File | EntryKind::Symlink => {}
            EntryKind::Dir | EntryKind::Gitlink => return Err(TextError::None),
        }
        if entry.binary {
            return Err(TextError::Binary);
        }
        if entry.size_before.max(entry.size_after).is_some_and(|size| size > UNSHOWN_BYTES_MAX) {
            return Err(TextError::TooLong);
        }
        let before = match entry.size_before {
            Some(_) => owners(directory.original.as_fd(), entry)?,
            None => Vec::new(),
        };
        let after = match directory.staged_bytes(entry, bytes_max()) {
            Some(content) => content?,
            None if entry.mode_after.is_some() => return Err(TextError::None),
            None => Vec::new(),
        };
        Ok(Text { before, after })
    }
}

fn owners(root: BorrowedFd<'_>, entry: &Entry) -> Result<Vec<u8>, Errno> {
    let path = entry.path.as_bytes();
    if entry.mode_before == Some(0o120_000) {
        return cofferdam_workspace::changeset::link_target(root, path);
    }
    cofferdam_workspace::changeset::small_file(root, path, bytes_max())
}

fn bytes_max() -> usize {
    usize::try_from(UNSHOWN_BYTES_MAX).unwrap_or(usize::MAX)
}
