//! Where an apply keeps what it works with: the state directory, its lock, and the private place.
//!
//! The state directory holds one directory for each apply, and its name says how it stands: `pending-ID` (under way or
//! cut off), `applied-ID`, `undone-ID`, `abandoned-ID` (rolled back except where the owner had changed a path). In it:
//! `journal`, renamed to `committed` or `abandoned`, and numbered entries: before the exchange what is to be put, after it
//! what came out. Checkpoints of a session's own layer will have names of their own beside these.

use super::ApplyError;
use crate::beneath::{self, Listing};
use crate::discard;
use crate::journal::{ApplyId, JOURNAL_BYTES_MAX, Journal, JournalError, PlaceKind};
use crate::path::visible;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

/// The most entries of a state directory.
const STATE_ENTRIES_MAX: usize = 1_000_000;

pub(super) const JOURNAL_NEW: &str = "journal.new";
pub(super) const JOURNAL: &str = "journal";
pub(super) const COMMITTED: &str = "committed";
pub(super) const ABANDONED: &str = "abandoned";

/// How an apply stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Under way, or cut off.
    Pending,
    /// Done; can be undone.
    Applied,
    /// Done and undone.
    Undone,
    /// Rolled back, but for paths that the owner had changed; what was there before is kept.
    Abandoned,
}

impl Standing {
    const ALL: [Self; 4] = [Self::Pending, Self::Applied, Self::Undone, Self::Abandoned];

    const fn prefix(self) -> &'static str {
        match self {
            Self::Pending => "pending-",
            Self::Applied => "applied-",
            Self::Undone => "undone-",
            Self::Abandoned => "abandoned-",
        }
    }

    pub(super) fn name(self, id: ApplyId) -> String {
        format!("{}{id}", self.prefix())
    }
}

pub(super) fn failed(act: &'static str) -> impl Fn(Errno) -> ApplyError {
    move |source| ApplyError::Place { act, source }
}

/// All applies that `state` knows, sorted by id.
///
/// # Errors
/// [`ApplyError::Place`].
pub fn list(state: BorrowedFd<'_>) -> Result<Vec<(ApplyId, Standing)>, ApplyError> {
    let fd = beneath::open_directory(state, b"").map_err(failed("read"))?;
    let names = Listing::new().sorted(fd.as_fd(), STATE_ENTRIES_MAX).map_err(failed("read"))?;
    let mut found: Vec<_> = names.iter().filter_map(|(name, _)| parse_name(name.to_bytes())).collect();
    found.sort_unstable();
    Ok(found)
}

fn parse_name(name: &[u8]) -> Option<(ApplyId, Standing)> {
    let name = std::str::from_utf8(name).ok()?;
    Standing::ALL.into_iter().find_map(|standing| {
        let id = name.strip_prefix(standing.prefix())?;
        Some((ApplyId::parse(id)?, standing))
    })
}

/// Forgets an apply that is settled: it can't be undone afterwards. That it is unknown is no error.
///
/// # Errors
/// [`ApplyError::Unrecovered`] for one that is pending, [`ApplyError::Busy`], [`ApplyError::Clear`].
pub fn forget(state: BorrowedFd<'_>, id: ApplyId) -> Result<(), ApplyError> {
    let state = State::lock(state)?;
    state.refuse_pending()?;
    if state.open(Standing::Applied, id)?.is_some() {
        // Cut off half way, it must not look as if it could be undone.
        state.restand(id, Standing::Applied, Standing::Undone)?;
    }
    for standing in [Standing::Undone, Standing::Abandoned] {
        discard::remove(state.fd(), standing.name(id).as_bytes()).map_err(ApplyError::Clear)?;
    }
    Ok(())
}

/// The state directory, locked against every other apply, undo and recovery as long as this lives.
#[derive(Debug)]
pub(super) struct State {
    fd: OwnedFd,
    _lock: OwnedFd,
}

impl State {
    pub(super) fn lock(state: BorrowedFd<'_>) -> Result<Self, ApplyError> {
        let fd = beneath::open_directory(state, b"").map_err(failed("open"))?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let lock = rustix::fs::openat(&fd, "lock", flags, Mode::RUSR | Mode::WUSR).map_err(failed("lock"))?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { fd, _lock: lock }),
            Err(Errno::WOULDBLOCK) => Err(ApplyError::Busy),
            Err(source) => Err(ApplyError::Place { act: "lock", source }),
        }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    pub(super) fn refuse_pending(&self) -> Result<(), ApplyError> {
        match list(self.fd())?.into_iter().find(|(_, standing)| *standing == Standing::Pending) {
            Some((id, _)) => Err(ApplyError::Unrecovered { id }),
            None => Ok(()),
        }
    }

    /// Opens the directory of an apply; `None` if it does not stand so.
    pub(super) fn open(&self, standing: Standing, id: ApplyId) -> Result<Option<OwnedFd>, ApplyError> {
        match beneath::open_directory(self.fd(), standing.name(id).as_bytes()) {
            Ok(fd) => Ok(Some(fd)),
            Err(Errno::NOENT) => Ok(None),
            Err(source) => Err(ApplyError::Place { act: "open", source }),
        }
    }

    /// Says how the apply `id` stands from now on.
    pub(super) fn restand(&self, id: ApplyId, from: Standing, to: Standing) -> Result<(), ApplyError> {
        let (from, to) = (from.name(id), to.name(id));
        rustix::fs::renameat_with(self.fd(), from, self.fd(), to, RenameFlags::NOREPLACE)
            .map_err(failed("mark"))
    }
}

/// The journal `name` in the directory of an apply; `None` if there is none.
pub(super) fn read_journal(
    directory: BorrowedFd<'_>,
    name: &str,
    id: ApplyId,
) -> Result<Option<Journal>, ApplyError> {
    let bytes = beneath::read_small(directory, name.as_bytes(), JOURNAL_BYTES_MAX).map_err(failed("read"))?;
    let Some(bytes) = bytes else { return Ok(None) };
    let journal = Journal::parse(&bytes).map_err(|source| ApplyError::Journal { id, source })?;
    if journal.id == id {
        Ok(Some(journal))
    } else {
        Err(ApplyError::Journal { id, source: JournalError::Steps })
    }
}

/// The directory whose numbered entries change places with those of the tree.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) fd: OwnedFd,
    pub(super) kind: PlaceKind,
}

impl Place {
    /// Which kind of place serves: renames reach from the state directory into the tree only on one mount.
    pub(super) fn kind(tree: BorrowedFd<'_>, state: BorrowedFd<'_>) -> Result<PlaceKind, ApplyError> {
        let tree = beneath::stat_fd(tree).map_err(failed("look at"))?;
        let state = beneath::stat_fd(state).map_err(failed("look at"))?;
        let of = |stat: &rustix::fs::Statx| (stat.stx_mnt_id, stat.stx_dev_major, stat.stx_dev_minor);
        Ok(if of(&tree) == of(&state) { PlaceKind::State } else { PlaceKind::Tree })
    }

    /// Makes the place for the apply whose directory `pending` is.
    pub(super) fn make(
        tree: BorrowedFd<'_>,
        pending: BorrowedFd<'_>,
        id: ApplyId,
        kind: PlaceKind,
    ) -> Result<Self, ApplyError> {
        match kind {
            PlaceKind::State => {}
            PlaceKind::Tree => {
                rustix::fs::mkdirat(tree, hidden_name(id), Mode::RWXU).map_err(failed("make"))?;
            }
        }
        Self::open(tree, pending, id, kind)
    }

    /// Opens a place that was made.
    pub(super) fn open(
        tree: BorrowedFd<'_>,
        pending: BorrowedFd<'_>,
        id: ApplyId,
        kind: PlaceKind,
    ) -> Result<Self, ApplyError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let fd = match kind {
            PlaceKind::State => beneath::open_directory(pending, b""),
            PlaceKind::Tree => beneath::open_same_mount(tree, hidden_name(id).as_bytes(), flags),
        };
        Ok(Self { fd: fd.map_err(failed("open"))?, kind })
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The name that an entry has in the place and in the directory of its apply.
pub(super) fn number_name(number: usize) -> String {
    number.to_string()
}

fn hidden_name(id: ApplyId) -> String {
    format!(".cofferdam-{id}")
}

/// Removes the place at the tree's root, if there is one.
pub(super) fn clear_tree(tree: BorrowedFd<'_>, id: ApplyId) -> Result<(), ApplyError> {
    discard::remove(tree, hidden_name(id).as_bytes()).map_err(ApplyError::Clear)?;
    Ok(())
}

/// Removes all that an apply left that is not to be settled any more: it had not begun, or was taken back wholly. The
/// journal goes first: without it, the rest means nothing.
pub(super) fn clear(tree: BorrowedFd<'_>, state: &State, id: ApplyId) -> Result<(), ApplyError> {
    if let Some(pending) = state.open(Standing::Pending, id)? {
        match rustix::fs::unlinkat(&pending, JOURNAL, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(source) => return Err(ApplyError::Place { act: "clear", source }),
        }
    }
    clear_tree(tree, id)?;
    discard::remove(state.fd(), Standing::Pending.name(id).as_bytes()).map_err(ApplyError::Clear)?;
    Ok(())
}

/// Removes the kept originals of an apply and leaves its record.
pub(super) fn clear_kept(directory: BorrowedFd<'_>) -> Result<(), ApplyError> {
    let names = Listing::new().sorted(directory, STATE_ENTRIES_MAX).map_err(failed("read"))?;
    for (name, kind) in names.iter().filter(|(name, _)| name.to_bytes() != COMMITTED.as_bytes()) {
        let directory_flag = if *kind == FileType::Directory { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        rustix::fs::unlinkat(directory, name, directory_flag).map_err(|source| {
            ApplyError::Clear(discard::DiscardError::Remove { name: visible(name.to_bytes()), source })
        })?;
    }
    Ok(())
}
