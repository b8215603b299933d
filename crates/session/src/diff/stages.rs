//! Where change sets are staged: in the session's own directory, for the owner alone.
//!
//! A stage is made under a name of its own and renamed to its digest when it is whole. Who uses one holds a lock on it;
//! those that nobody uses are cleared by the next.

use crate::error::{Error, ErrorKind};
use crate::state::{self, SessionPlace};
use cofferdam_workspace::changeset::Digest;
use cofferdam_workspace::discard;
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::fs::{CWD, FlockOperation, Mode, flock};
use rustix::io::Errno;
use std::os::unix::ffi::OsStrExt as _;

/// The most stages that one process has under way.
const ONE_PROCESS_MAX: u32 = 10_000;

/// A stage in use.
#[derive(Debug)]
pub(super) struct Stage {
    /// Locked.
    directory: OwnedFd,
    partial: String,
}

pub(super) fn cannot(act: &str) -> impl Fn(Errno) -> Error + '_ {
    move |errno| {
        Error::new(ErrorKind::State, format!("cannot {act} the staged changes"))
            .because(errno)
            .hint("is the disk full? cofferdam doctor")
    }
}

impl Stage {
    /// An empty one; what nobody uses any more goes.
    pub(super) fn begin(place: &SessionPlace) -> Result<Self, Error> {
        match rustix::fs::mkdir(place.stages(), Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(cannot("make room for")(errno)),
        }
        let stages = state::open_directory(&place.stages())?;
        // One at a time: another's stage is not locked yet when it has just been made.
        flock(&stages, FlockOperation::LockExclusive).map_err(cannot("lock"))?;
        clear(place, &stages);
        let partial = fresh(&stages).map_err(cannot("make room for"))?;
        let directory = state::open_directory(&place.stages().join(&partial))?;
        flock(&directory, FlockOperation::NonBlockingLockShared).map_err(cannot("lock"))?;
        Ok(Self { directory, partial })
    }

    /// Where the contents of directory `number` are to lie.
    pub(super) fn contents(&self, number: usize) -> Result<OwnedFd, Error> {
        let name = number.to_string();
        match rustix::fs::mkdirat(&self.directory, name.as_str(), Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(cannot("make room for")(errno)),
        }
        cofferdam_workspace::changeset::open_stage(self.directory.as_fd(), &name).map_err(cannot("open"))
    }

    /// The same, emptied.
    pub(super) fn emptied(&self, number: usize) -> Result<OwnedFd, Error> {
        let removed = discard::remove(self.directory.as_fd(), number.to_string().as_bytes());
        removed.map_err(|error| {
            Error::new(ErrorKind::State, "cannot clear the staged changes")
                .because(error)
                .hint("cofferdam doctor")
        })?;
        self.contents(number)
    }

    /// Gives the stage its name. An equal one that is there already stays, and this one keeps its own.
    pub(super) fn finish(&mut self, place: &SessionPlace, digest: Digest) -> Result<(), Error> {
        let (from, to) = (place.stages().join(&self.partial), place.stages().join(digest.to_string()));
        match rustix::fs::renameat_with(CWD, &from, CWD, &to, rustix::fs::RenameFlags::NOREPLACE) {
            Ok(()) | Err(Errno::EXIST | Errno::NOTEMPTY) => Ok(()),
            Err(errno) => Err(cannot("name")(errno)),
        }
    }
}

/// A directory that nobody has, and its name: this very process may still show an earlier stage.
fn fresh(stages: &OwnedFd) -> Result<String, Errno> {
    let process = rustix::process::getpid().as_raw_nonzero();
    for number in 0..ONE_PROCESS_MAX {
        let name = format!("partial.{process}.{number}");
        match rustix::fs::mkdirat(stages, name.as_str(), Mode::RWXU) {
            Ok(()) => return Ok(name),
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
    }
    Err(Errno::EXIST)
}

/// Removes the stages that nobody holds. What can't be removed now is removed with the session.
fn clear(place: &SessionPlace, stages: &OwnedFd) {
    let Ok(found) = std::fs::read_dir(place.stages()) else { return };
    for name in found.flatten().map(|entry| entry.file_name()) {
        let Ok(held) = state::open_directory(&place.stages().join(&name)) else { continue };
        if flock(&held, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _left_over = discard::remove(stages.as_fd(), name.as_bytes()).is_err();
        }
    }
}
