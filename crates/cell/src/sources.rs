//! Sources: host files and directories, opened once as detached mounts and used by descriptor from then on.

use crate::idmap::SourceMaps;
use crate::wire::Failure;
use cofferdam_policy::plan::Source;
use cofferdam_syscall::mount::map_ids;
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};

/// Opens source `number` as a detached copy of its mount, with its ids shown through `maps`.
///
/// No link is followed: the path was resolved when the authority was computed, and one that has become a link
/// since (ATTACKS 2) does not open. What is opened must be the same inode as then.
pub(crate) fn open(number: usize, source: &Source, maps: Option<&SourceMaps>) -> Result<OwnedFd, Failure> {
    let kind = if source.directory { OFlags::DIRECTORY } else { OFlags::empty() };
    let place = rustix::fs::openat2(
        rustix::fs::CWD,
        source.path.as_path(),
        OFlags::PATH | OFlags::CLOEXEC | kind,
        Mode::empty(),
        ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS,
    )
    .map_err(|errno| cannot(number, errno))?;
    if let Some(expected) = source.identity {
        let found = rustix::fs::fstat(&place).map_err(|errno| cannot(number, errno))?;
        if (found.st_dev, found.st_ino) != expected {
            return Err(Failure::SourceMoved { source: number });
        }
    }
    let flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    let tree = open_tree(&place, "", flags).map_err(|errno| cannot(number, errno))?;
    if let Some(namespace) = maps.and_then(|maps| maps.of(source.ids)) {
        map_ids(tree.as_fd(), namespace).map_err(|errno| cannot(number, errno))?;
    }
    Ok(tree)
}

fn cannot(number: usize, errno: Errno) -> Failure {
    Failure::Source { source: number, errno: errno.raw_os_error() }
}
