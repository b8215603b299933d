//! Bringing what was written to the disk, in the fewest flushes.
//!
//! A few entries are flushed one by one; many by one syncfs(2) of their file system, which also writes what others left
//! there. It decides nothing about order: that is in `run`.

use super::ApplyError;
use super::place::failed;
use crate::beneath;
use crate::path::WorkspacePath;
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::collections::BTreeSet;

/// Up to how many entries each is flushed by itself. Beyond, a flush each costs more than one of all.
pub(super) const SINGLE_FLUSHES_MAX: usize = 32;

/// Flushes the whole file system on which `fd` lies.
pub(super) fn file_system(fd: BorrowedFd<'_>) -> Result<(), ApplyError> {
    rustix::fs::syncfs(fd).map_err(failed("flush"))
}

/// Flushes one open file or directory.
pub(super) fn one(fd: impl AsFd) -> Result<(), ApplyError> {
    rustix::fs::fsync(fd).map_err(failed("flush"))
}

/// Flushes the directories of `paths` below `tree`.
pub(super) fn parents<'a>(
    tree: BorrowedFd<'_>,
    paths: impl Iterator<Item = &'a WorkspacePath>,
) -> Result<(), ApplyError> {
    let directories: BTreeSet<&[u8]> = paths.map(WorkspacePath::parent).collect();
    if directories.len() > SINGLE_FLUSHES_MAX {
        return whole(tree);
    }
    for path in directories {
        match beneath::open_same_mount(tree, path, OFlags::RDONLY | OFlags::DIRECTORY) {
            Ok(fd) => one(fd)?,
            // Removed by this very apply, or by the owner: the directory above is in the list, or theirs to flush.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
            // It can't be listed, only entered.
            Err(Errno::ACCESS) => return whole(tree),
            Err(source) => return Err(ApplyError::Place { act: "flush", source }),
        }
    }
    Ok(())
}

/// Flushes the files `paths`, whose modes changed.
pub(super) fn files<'a>(
    tree: BorrowedFd<'_>,
    paths: impl Iterator<Item = &'a WorkspacePath>,
) -> Result<(), ApplyError> {
    let mut flushed = 0;
    for path in paths {
        flushed += 1;
        let opened = beneath::open_same_mount(tree, path.as_bytes(), OFlags::RDONLY | OFlags::NONBLOCK);
        match opened {
            Ok(fd) if flushed <= SINGLE_FLUSHES_MAX => one(fd)?,
            // Too many, or not to be read.
            Ok(_) | Err(_) => return whole(tree),
        }
    }
    Ok(())
}

/// Flushes the tree's root.
pub(super) fn root(tree: BorrowedFd<'_>) -> Result<(), ApplyError> {
    one(beneath::open_directory(tree, b"").map_err(failed("open"))?)
}

fn whole(tree: BorrowedFd<'_>) -> Result<(), ApplyError> {
    file_system(beneath::open_directory(tree, b"").map_err(failed("open"))?.as_fd())
}
