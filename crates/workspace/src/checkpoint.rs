//! Checkpoints of a session's own layers, so that also what an agent destroys *inside* can be taken back.
//!
//! A checkpoint is a copy of all that the session writes to: the upper layers, the copies that stand for workspaces, and
//! the home. It costs as much as the session changed. A restore copies the checkpoint again, puts the copy in place of
//! the layers by renames, and keeps what was there as a further checkpoint: so it can be taken back, and costs no second
//! copy. Whether a session runs, and that nothing in it moves meanwhile, is the caller's part; the owner's directories
//! are not looked at.

mod duplicate;
mod exchange;
mod record;

pub use duplicate::Counts;
pub use record::{CheckpointId, Record, Why};

use crate::beneath;
use crate::discard::{self, DiscardError};
use cofferdam_policy::event::UnixNanos;
use duplicate::Walk;
use record::Tree;
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::fs::{FlockOperation, Mode, OFlags, RenameFlags, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// How many checkpoints made by hand are kept.
pub const BY_HAND_KEPT: usize = 100;
/// How many of those that restores make are kept.
pub const BEFORE_RESTORES_KEPT: usize = 10;
/// Up to how many entries each is flushed by itself; beyond, one flush of the file system is cheaper.
const SINGLE_FLUSHES_MAX: u64 = 32;

/// Where checkpoints lie in a session's directory.
const DIRECTORY: &str = "checkpoints";
/// One that is being made.
const PARTIAL: &str = "partial";
/// A restore that has begun: it goes on at the next opportunity, whatever happens.
const RESTORING: &str = "restoring";
/// What the name of one that is being removed begins with.
const GONE: &str = "gone.";

/// Why there is no checkpoint, or no restore.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// A path of a layer can't be read.
    #[error("cannot read {path}")]
    Read {
        /// Below the session's directory, shown harmlessly.
        path: String,
        /// The kernel's answer.
        #[source]
        source: Errno,
    },
    /// A path of the copy can't be written.
    #[error("cannot write the copy of {path}")]
    Write {
        /// Below the session's directory, shown harmlessly.
        path: String,
        /// The kernel's answer.
        #[source]
        source: Errno,
    },
    /// The place where checkpoints lie can't be used.
    #[error("cannot {act}")]
    Place {
        /// What was being done.
        act: &'static str,
        /// The kernel's answer.
        #[source]
        source: Errno,
    },
    /// A record is not understood.
    #[error("cannot read the record of {name}")]
    Record {
        /// Of which checkpoint.
        name: String,
    },
    /// There is none with that id.
    #[error("there is no checkpoint {0}")]
    Unknown(CheckpointId),
    /// What is left over can't be removed.
    #[error("cannot clear what is left of a checkpoint")]
    Clear(#[source] DiscardError),
}

pub(crate) fn failed(act: &'static str) -> impl Fn(Errno) -> CheckpointError {
    move |source| CheckpointError::Place { act, source }
}

/// A restore, as it is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// The checkpoint that the layers are equal to now.
    pub checkpoint: CheckpointId,
    /// What they were before, as a checkpoint.
    pub saved_as: CheckpointId,
}

/// A session's checkpoints, for one process at a time.
#[derive(Debug)]
pub struct Checkpoints<'s> {
    session: BorrowedFd<'s>,
    /// Locked.
    directory: OwnedFd,
}

/// All checkpoints of the session whose directory this is, oldest first. One that is being made is none.
///
/// # Errors
/// [`CheckpointError`].
pub fn list(session: BorrowedFd<'_>) -> Result<Vec<Record>, CheckpointError> {
    match beneath::open_directory(session, DIRECTORY.as_bytes()) {
        Ok(directory) => records(&directory),
        Err(Errno::NOENT) => Ok(Vec::new()),
        Err(errno) => Err(failed("open the checkpoints")(errno)),
    }
}

/// Whether a restore has begun that is not through.
///
/// # Errors
/// [`CheckpointError`].
pub fn is_unsettled(session: BorrowedFd<'_>) -> Result<bool, CheckpointError> {
    let path = format!("{DIRECTORY}/{RESTORING}");
    let found = beneath::stat_path(session, path.as_bytes()).map_err(failed("look for a restore"))?;
    Ok(found.is_some())
}

fn records(directory: &OwnedFd) -> Result<Vec<Record>, CheckpointError> {
    let mut found = Vec::new();
    for name in names(directory)? {
        let Some(id) = CheckpointId::parse(&name) else { continue };
        found.push(Record::read(directory, id)?);
    }
    found.sort_by_key(|record| record.id);
    Ok(found)
}

/// The most entries that the directory of checkpoints may have.
const ENTRIES_MAX: usize = 10_000;

fn names(directory: &OwnedFd) -> Result<Vec<String>, CheckpointError> {
    let again = beneath::open_directory(directory, b"").map_err(failed("open the checkpoints"))?;
    let listed =
        beneath::Listing::new().sorted(again.as_fd(), ENTRIES_MAX).map_err(failed("list the checkpoints"))?;
    Ok(listed.into_iter().filter_map(|(name, _)| name.into_string().ok()).collect())
}

impl<'s> Checkpoints<'s> {
    /// Those of the session whose directory this is. Waits for another process that is at work on them.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn lock(session: BorrowedFd<'s>) -> Result<Self, CheckpointError> {
        match rustix::fs::mkdirat(session, DIRECTORY, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(failed("make room for checkpoints")(errno)),
        }
        let directory =
            beneath::open_directory(session, DIRECTORY.as_bytes()).map_err(failed("open the checkpoints"))?;
        rustix::io::retry_on_intr(|| flock(&directory, FlockOperation::LockExclusive))
            .map_err(failed("lock the checkpoints"))?;
        Ok(Self { session, directory })
    }

    /// All of them, oldest first.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn records(&self) -> Result<Vec<Record>, CheckpointError> {
        records(&self.directory)
    }

    /// Removes what a process left that was killed at a checkpoint. A restore that has begun is left alone.
    ///
    /// # Errors
    /// [`CheckpointError::Clear`].
    pub fn clear(&self) -> Result<(), CheckpointError> {
        for name in names(&self.directory)? {
            if name == PARTIAL || name.starts_with(GONE) {
                discard::remove(self.directory.as_fd(), name.as_bytes()).map_err(CheckpointError::Clear)?;
            }
        }
        Ok(())
    }

    /// What the layers are now: two equal answers mean that nothing was changed between. Reads no contents.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn look(&self) -> Result<Counts, CheckpointError> {
        let mut walk = Walk::new();
        for tree in Tree::all(self.session)? {
            walk.tree(tree.name(), self.session, &tree.path(), None)?;
        }
        Ok(walk.finish())
    }

    /// Copies the layers. Nobody may write to them meanwhile; what comes is only then a checkpoint when it is kept.
    ///
    /// # Errors
    /// [`CheckpointError`]; what was copied so far is cleared, or will be by the next.
    pub fn copy(&self, why: Why, at: UnixNanos) -> Result<Record, CheckpointError> {
        let (partial, id) = self.begin()?;
        let mut walk = Walk::new();
        for tree in Tree::all(self.session)? {
            walk.tree(tree.name(), self.session, &tree.path(), Some(&partial))?;
        }
        let record = Record { id, at, why, counts: walk.finish() };
        record.write(&partial)?;
        Ok(record)
    }

    /// Makes what was copied a checkpoint, durably.
    ///
    /// # Errors
    /// [`CheckpointError`]; there is none then.
    pub fn keep(&self, record: &Record) -> Result<(), CheckpointError> {
        let partial = self.open(PARTIAL)?;
        flush(&partial, record.counts.entries())?;
        self.rename(PARTIAL, &record.id.to_string())?;
        one(&self.directory)?;
        one(self.session)
    }

    /// Removes the oldest of each sort, beyond how many of them are kept.
    ///
    /// # Errors
    /// [`CheckpointError`]; a second call goes on.
    pub fn thin(&self, regular_kept: usize) -> Result<Vec<CheckpointId>, CheckpointError> {
        let mut left = [regular_kept.max(1), BY_HAND_KEPT, BEFORE_RESTORES_KEPT];
        let mut gone = Vec::new();
        for record in self.records()?.iter().rev() {
            let [regular, by_hand, before_restores] = &mut left;
            let left = match record.why {
                Why::Regular => regular,
                Why::ByHand => by_hand,
                Why::BeforeRestore { .. } => before_restores,
            };
            match left.checked_sub(1) {
                Some(fewer) => *left = fewer,
                None => gone.push(record.id),
            }
        }
        for id in &gone {
            self.rename(&id.to_string(), &format!("{GONE}{id}"))?;
        }
        self.clear()?;
        gone.sort_unstable();
        Ok(gone)
    }

    /// An empty place for a new checkpoint, and its id: above all that there are.
    fn begin(&self) -> Result<(OwnedFd, CheckpointId), CheckpointError> {
        self.clear()?;
        let last = self.records()?.last().map(|record| record.id);
        rustix::fs::mkdirat(&self.directory, PARTIAL, Mode::RWXU)
            .map_err(failed("make room for a checkpoint"))?;
        Ok((self.open(PARTIAL)?, CheckpointId::after(last)))
    }

    fn open(&self, name: &str) -> Result<OwnedFd, CheckpointError> {
        beneath::open_directory(&self.directory, name.as_bytes()).map_err(failed("open a checkpoint"))
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), CheckpointError> {
        rustix::fs::renameat_with(&self.directory, from, &self.directory, to, RenameFlags::NOREPLACE)
            .map_err(failed("name a checkpoint"))
    }
}

fn one(fd: impl rustix::fd::AsFd) -> Result<(), CheckpointError> {
    rustix::fs::fsync(fd).map_err(failed("bring a checkpoint to the disk"))
}

/// Brings a whole copy with so many entries to the disk.
fn flush(top: &OwnedFd, entries: u64) -> Result<(), CheckpointError> {
    let cannot = failed("bring a checkpoint to the disk");
    if entries > SINGLE_FLUSHES_MAX {
        return rustix::fs::syncfs(top).map_err(cannot);
    }
    let mut directories = vec![Vec::new()];
    let mut listing = beneath::Listing::new();
    while let Some(path) = directories.pop() {
        let fd = beneath::open_directory(top, &path).map_err(&cannot)?;
        for (name, kind) in listing.sorted(fd.as_fd(), ENTRIES_MAX).map_err(&cannot)? {
            match kind {
                rustix::fs::FileType::Directory => {
                    directories.push(crate::path::joined(&path, name.to_bytes()));
                }
                rustix::fs::FileType::RegularFile => {
                    one(beneath::open(&fd, name.to_bytes(), OFlags::RDONLY).map_err(&cannot)?)?;
                }
                // Their names are all that there is of them.
                rustix::fs::FileType::Symlink
                | rustix::fs::FileType::Fifo
                | rustix::fs::FileType::Socket
                | rustix::fs::FileType::CharacterDevice
                | rustix::fs::FileType::BlockDevice
                | rustix::fs::FileType::Unknown => {}
            }
        }
        one(&fd)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
