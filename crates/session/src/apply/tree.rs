//! One directory of the owner's under an apply: open, with the place where what is replaced is kept; and what the
//! engine's failures mean to people.
//!
//! It decides nothing; what is written is the engine's part.

use super::record::Locked;
use crate::error::{Error, ErrorKind};
use crate::state::{self, make_private};
use cofferdam_policy::path::AbsPath;
use cofferdam_workspace::apply::{self, Applied, ApplyError, ApplyId, Conflict, PutPath, Standing};
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use sha2::{Digest as _, Sha256};
use std::path::PathBuf;

/// The most conflicts that are named in an error.
const NAMED_MAX: usize = 5;

/// How much of the digest of its path names a directory's place, in bytes.
const KEY_BYTES: usize = 16;

pub(super) struct Tree {
    pub(super) path: AbsPath,
    pub(super) fd: OwnedFd,
    state: OwnedFd,
}

/// Where the state of applies to `directory` lies.
fn place(records: &Locked, directory: &AbsPath) -> PathBuf {
    let digest = Sha256::digest(directory.as_str().as_bytes());
    let key: String = digest.iter().take(KEY_BYTES).map(|byte| format!("{byte:02x}")).collect();
    records.records.directory.join(key)
}

impl Tree {
    pub(super) fn open(records: &Locked, directory: &AbsPath) -> Result<Self, Error> {
        let fd = state::open_directory(directory.as_path()).map_err(|error| {
            Error::new(ErrorKind::Workspace, format!("cannot write to {directory}"))
                .because(error)
                .hint("is the directory still there?")
        })?;
        let place = place(records, directory);
        make_private(&place, records.uid)?;
        Ok(Self { path: directory.clone(), fd, state: state::open_directory(&place)? })
    }

    /// Fails if another directory lies at its path than the one that was looked at.
    pub(super) fn require_same(&self, seen: BorrowedFd<'_>) -> Result<(), Error> {
        let identity = |fd: BorrowedFd<'_>| rustix::fs::fstat(fd).map(|stat| (stat.st_dev, stat.st_ino)).ok();
        let (now, then) = (identity(self.fd.as_fd()), identity(seen));
        if now.is_some() && now == then {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Conflict, format!("cannot apply to {}", self.path))
            .since("it is another directory than the one that was looked at")
            .hint("look at it again: cofferdam diff"))
    }

    pub(super) fn apply(&self, id: ApplyId, batch: &apply::Batch<'_>) -> Result<Applied, ApplyError> {
        apply::apply(self.fd.as_fd(), self.state.as_fd(), id, batch)
    }

    pub(super) fn undo(&self, undone: ApplyId, id: ApplyId) -> Result<Applied, ApplyError> {
        apply::undo(self.fd.as_fd(), self.state.as_fd(), undone, id)
    }

    /// Finishes or takes back what was cut off in this directory.
    pub(super) fn recover(&self) -> Result<(), Error> {
        apply::recover(self.fd.as_fd(), self.state.as_fd())
            .map(|_| ())
            .map_err(|error| self.error("recover", error))
    }

    /// Whether this apply (or undo) is written and not taken back.
    pub(super) fn stands(&self, id: ApplyId) -> Result<bool, Error> {
        let all = apply::list(self.state.as_fd()).map_err(|error| self.error("look at", error))?;
        Ok(all.contains(&(id, Standing::Applied)))
    }

    pub(super) fn put_by(&self, id: ApplyId) -> Result<Vec<PutPath>, Error> {
        apply::put_by(self.state.as_fd(), id).map_err(|error| self.error("look at", error))
    }

    /// Removes what is kept of an apply that is not to be undone any more. What can't be removed now takes room only.
    pub(super) fn forget(&self, id: ApplyId) {
        let _takes_room = apply::forget(self.state.as_fd(), id).is_err();
    }

    /// What to tell people; `act` is a verb for what was to be done with the directory.
    pub(super) fn error(&self, act: &str, error: ApplyError) -> Error {
        let what = format!("cannot {act} {}", self.path);
        let failed = |kind, hint: &str| Error::new(kind, what.clone()).hint(hint.to_owned());
        match error {
            ApplyError::Conflicts(conflicts) => {
                failed(ErrorKind::Conflict, "look at it again: cofferdam diff").since(named(&conflicts))
            }
            ApplyError::Content { .. } => {
                failed(ErrorKind::Moved, "look at it again: cofferdam diff").because(error)
            }
            ApplyError::AlreadyUndone { .. } | ApplyError::Unknown { .. } => {
                failed(ErrorKind::Nothing, "see what can be undone: cofferdam show").because(error)
            }
            ApplyError::Busy => failed(ErrorKind::WrongState, "wait for it, and try again").because(error),
            ApplyError::OtherFileSystem { .. } => failed(
                ErrorKind::Workspace,
                "name the other file system as a workspace of its own: cofferdam run -w",
            )
            .because(error),
            ApplyError::NoExchange { .. } => {
                failed(ErrorKind::Workspace, "bring it back by hand, from: cofferdam diff").because(error)
            }
            ApplyError::Abandoned { .. } => {
                failed(ErrorKind::Conflict, "what was there before is kept: cofferdam doctor").because(error)
            }
            ApplyError::Change { .. }
            | ApplyError::Stage { .. }
            | ApplyError::Place { .. }
            | ApplyError::Clear(_) => failed(
                ErrorKind::State,
                "is the disk full, or the directory not yours to write? cofferdam doctor",
            )
            .because(error),
            ApplyError::Unrecovered { .. } | ApplyError::Unsettled { .. } => {
                failed(ErrorKind::State, "mend the cause, and it is settled by: cofferdam diff")
                    .because(error)
            }
            ApplyError::OtherTree { .. } | ApplyError::Journal { .. } => {
                failed(ErrorKind::State, "cofferdam doctor").because(error)
            }
            ApplyError::IdTaken { .. } | ApplyError::Batch { .. } => {
                failed(ErrorKind::Internal, "please report this").because(error)
            }
        }
    }
}

fn named(conflicts: &[Conflict]) -> String {
    let mut named: Vec<String> = conflicts
        .iter()
        .take(NAMED_MAX)
        .map(|conflict| format!("{}: {}", conflict.path, conflict.reason))
        .collect();
    let more = conflicts.len().saturating_sub(NAMED_MAX);
    if more > 0 {
        named.push(format!("and {more} more"));
    }
    named.join("; ")
}
