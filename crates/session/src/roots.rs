//! Which directories the owner's were that a session started from: another one may lie at the same path later.
//!
//! Noted once, at the first start. Moving a directory above, or exchanging the directory itself for another, changes the
//! ctime of nothing in it (ATTACKS 18). It says nothing of what lies in them.

use crate::error::{Error, ErrorKind};
use crate::state::SessionPlace;
use rustix::fd::{AsFd as _, BorrowedFd};
use rustix::fs::{AtFlags, StatxFlags};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a directory is known by again: its number, and its birth, by which two of the same number on two file systems, or
/// one after the other, are told apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Root {
    inode: u64,
    born: Option<(i64, u32)>,
}

impl Root {
    /// Of an open directory.
    ///
    /// # Errors
    /// [`ErrorKind::Workspace`].
    pub(crate) fn of(directory: BorrowedFd<'_>) -> Result<Self, Error> {
        let wanted = StatxFlags::INO | StatxFlags::BTIME;
        let stat = rustix::fs::statx(directory, "", AtFlags::EMPTY_PATH, wanted).map_err(|errno| {
            Error::new(ErrorKind::Workspace, "cannot look at a directory of the session's")
                .because(errno)
                .hint("is the directory still there?")
        })?;
        let known = StatxFlags::from_bits_retain(stat.stx_mask).contains(StatxFlags::BTIME);
        let born = known.then_some((stat.stx_btime.tv_sec, stat.stx_btime.tv_nsec));
        Ok(Self { inode: stat.stx_ino, born })
    }
}

/// Notes the directory under each layer, by its number, if none is noted yet.
///
/// # Errors
/// [`ErrorKind::State`].
pub(crate) fn note<'r>(
    place: &SessionPlace,
    roots: impl Iterator<Item = (usize, BorrowedFd<'r>)>,
) -> Result<(), Error> {
    let path = place.roots();
    if path.exists() {
        return Ok(());
    }
    let mut noted = BTreeMap::new();
    for (number, root) in roots {
        noted.insert(number, Root::of(root.as_fd())?);
    }
    let partial = path.with_extension("partial");
    let text = serde_json::to_vec(&noted).unwrap_or_default();
    std::fs::write(&partial, text).and_then(|()| std::fs::rename(&partial, &path)).map_err(|error| {
        Error::new(ErrorKind::State, "cannot note which directories the session starts from")
            .because(error)
            .hint("is the disk full? cofferdam doctor")
    })
}

/// Whether `directory` is another one than that which the session's layer `number` was laid over. What was never noted
/// is not known to be another.
///
/// # Errors
/// [`ErrorKind::Workspace`].
pub(crate) fn is_another(
    place: &SessionPlace,
    number: usize,
    directory: BorrowedFd<'_>,
) -> Result<bool, Error> {
    let text = std::fs::read(place.roots()).ok();
    let noted = text.and_then(|text| serde_json::from_slice::<BTreeMap<usize, Root>>(&text).ok());
    match noted.as_ref().and_then(|noted| noted.get(&number)) {
        Some(root) => Ok(*root != Root::of(directory)?),
        None => Ok(false),
    }
}
