//! A file of the owner's as it is looked at for a merge: its content, and by what an apply will know that it still is
//! what was merged with.
//!
//! Nothing is written, and links are not followed.

use super::encoding::Digest;
use super::read::git_mode;
use super::stage;
use crate::apply::{ContentDigest, Seen};
use crate::beneath;
use rustix::fd::BorrowedFd;
use rustix::fs::FileType;
use rustix::io::Errno;

/// A regular file of the owner's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnersFile {
    /// With the SHA-256 of its content.
    pub seen: Seen,
    /// As git writes it.
    pub mode: u32,
    /// All of it.
    pub content: Vec<u8>,
}

/// Looks at the file `path` below `root`.
///
/// # Errors
/// The kernel's answer; [`Errno::NOENT`] also where something else lies there, [`Errno::FBIG`] beyond `bytes_max`,
/// [`Errno::STALE`] if it changed while it was read.
pub fn owners_file(root: BorrowedFd<'_>, path: &[u8], bytes_max: usize) -> Result<OwnersFile, Errno> {
    let file = stage::open(root, path)?;
    let before = beneath::stat_fd(&file)?;
    if beneath::kind(&before) != FileType::RegularFile {
        return Err(Errno::NOENT);
    }
    let size = usize::try_from(before.stx_size).unwrap_or(usize::MAX);
    let content = beneath::read_to_end(&file, size, bytes_max)?;
    let (seen, again) = (Seen::of(&before), Seen::of(&beneath::stat_fd(&file)?));
    let Some(mut seen) = seen.filter(|seen| Some(seen) == again.as_ref() && content.len() == size) else {
        return Err(Errno::STALE);
    };
    seen.sha256 = Some(ContentDigest(*Digest::of(&content).as_bytes()));
    Ok(OwnersFile { seen, mode: git_mode(&before), content })
}
