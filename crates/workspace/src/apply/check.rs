//! Whether a batch makes sense and every path is as it is expected to be. It changes nothing.

use super::run::{Deed, Intent};
use super::{ApplyError, BatchFault, Conflict, ConflictReason, Expected};
use crate::beneath::{self, Listing};
use crate::journal::EntryKind;
use crate::path::{WorkspacePath, joined, split};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{OFlags, Statx};
use rustix::io::Errno;
use std::collections::HashMap;

/// The most conflicts that are named.
const CONFLICTS_MAX: usize = 1_000;

/// What is known of a step's surroundings.
#[derive(Debug)]
pub(super) struct Found {
    /// What lies at the path.
    pub(super) before: Option<Statx>,
    /// The nearest directory above that exists.
    pub(super) above: Statx,
}

/// Opens the directory that holds `path`, to be named in renames.
pub(super) fn open_parent(tree: BorrowedFd<'_>, path: &WorkspacePath) -> Result<OwnedFd, Errno> {
    beneath::open_same_mount(tree, path.parent(), OFlags::PATH | OFlags::DIRECTORY)
}

/// Brings the steps into the order in which they can be done: what leaves first, children before their directory; then
/// what is put, a directory before its children. Then sees whether they contradict each other.
pub(super) fn order(intents: &mut [Intent<'_>]) -> Result<(), ApplyError> {
    if intents.is_empty() || intents.len() > super::STEPS_MAX {
        return Err(ApplyError::Batch { path: ".".to_owned(), fault: BatchFault::Count });
    }
    intents.sort_by(|a, b| match (&a.deed, &b.deed) {
        (Deed::Leave, Deed::Leave) => b.path.cmp(&a.path),
        (Deed::Leave, _) => std::cmp::Ordering::Less,
        (_, Deed::Leave) => std::cmp::Ordering::Greater,
        (_, _) => a.path.cmp(&b.path),
    });
    let mut by_path: HashMap<&[u8], &Deed<'_>> = HashMap::with_capacity(intents.len());
    for intent in intents.iter() {
        if by_path.insert(intent.path.as_bytes(), &intent.deed).is_some() {
            return Err(fault(intent, BatchFault::Twice));
        }
    }
    for intent in intents.iter() {
        let kind = match &intent.expected {
            Expected::Missing => None,
            Expected::Present(seen) => Some(seen.kind),
        };
        let fits = match (&intent.deed, kind) {
            (Deed::Leave, kind) => kind.is_some(),
            (Deed::Mode(_), kind) => kind == Some(EntryKind::File),
            (deed, kind) => !(deed.puts_directory() && kind == Some(EntryKind::Directory)),
        };
        if !fits {
            return Err(fault(intent, BatchFault::Expected));
        }
        let leaves = matches!(intent.deed, Deed::Leave);
        let above = by_path.get(intent.path.parent());
        if above.is_some_and(|deed| !leaves && !deed.puts_directory()) {
            return Err(fault(intent, BatchFault::Below));
        }
    }
    Ok(())
}

fn fault(intent: &Intent<'_>, fault: BatchFault) -> ApplyError {
    ApplyError::Batch { path: intent.path.to_string(), fault }
}

/// Looks at every path. Conflicts are all named at once.
pub(super) fn check(tree: BorrowedFd<'_>, intents: &[Intent<'_>]) -> Result<Vec<Found>, ApplyError> {
    let root = beneath::stat_fd(tree).map_err(super::place::failed("look at"))?;
    let paths: HashMap<&[u8], &Deed<'_>> =
        intents.iter().map(|intent| (intent.path.as_bytes(), &intent.deed)).collect();
    let checking = Checking { tree, root, paths };
    let mut found = Vec::with_capacity(intents.len());
    let mut conflicts = Vec::new();
    for intent in intents {
        match checking.one(intent) {
            Ok(one) => found.push(one),
            Err(Refusal::Conflict(reason)) => conflicts.push(Conflict { path: intent.path.clone(), reason }),
            Err(Refusal::Error(source)) => return Err(kernel_error(&intent.path, source)),
        }
        if conflicts.len() == CONFLICTS_MAX {
            break;
        }
    }
    if conflicts.is_empty() { Ok(found) } else { Err(ApplyError::Conflicts(conflicts)) }
}

/// The error for a path of the tree.
pub(super) fn kernel_error(path: &WorkspacePath, source: Errno) -> ApplyError {
    match source {
        Errno::XDEV | Errno::BUSY => ApplyError::OtherFileSystem { path: path.clone() },
        source => ApplyError::Change { path: path.clone(), source },
    }
}

/// Why one step can't be taken: the tree is not as expected, or the kernel says no.
pub(super) enum Refusal {
    Conflict(ConflictReason),
    Error(Errno),
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Self::Error(errno)
    }
}

struct Checking<'a> {
    tree: BorrowedFd<'a>,
    root: Statx,
    paths: HashMap<&'a [u8], &'a Deed<'a>>,
}

impl Checking<'_> {
    fn one(&self, intent: &Intent<'_>) -> Result<Found, Refusal> {
        let parent = match open_parent(self.tree, &intent.path) {
            Ok(parent) => parent,
            Err(errno @ (Errno::NOENT | Errno::NOTDIR | Errno::LOOP)) => {
                return self.below_new(intent, errno);
            }
            Err(errno) => return Err(errno.into()),
        };
        let above = beneath::stat_fd(&parent)?;
        if self.is_elsewhere(&above) {
            return Err(Errno::XDEV.into());
        }
        let before = beneath::stat_name(&parent, intent.path.name())?;
        let conflict = |reason| Err(Refusal::Conflict(reason));
        match (&intent.expected, &before) {
            (Expected::Missing, None) => {}
            (Expected::Missing, Some(_)) => return conflict(ConflictReason::Appeared),
            (Expected::Present(_), None) => return conflict(ConflictReason::Gone),
            (Expected::Present(seen), Some(stat)) => {
                if self.is_elsewhere(stat) {
                    return Err(Errno::XDEV.into());
                }
                match EntryKind::of(stat) {
                    None => return conflict(ConflictReason::Special),
                    Some(kind) if kind != seen.kind => return conflict(ConflictReason::OtherKind),
                    Some(_) if !seen.is(stat) => return conflict(ConflictReason::Changed),
                    Some(EntryKind::Directory) => self.all_listed(parent.as_fd(), intent)?,
                    Some(EntryKind::File | EntryKind::Symlink) => {}
                }
            }
        }
        Ok(Found { before, above })
    }

    fn is_elsewhere(&self, stat: &Statx) -> bool {
        let of = |stat: &Statx| (stat.stx_mnt_id, stat.stx_dev_major, stat.stx_dev_minor);
        of(stat) != of(&self.root)
    }

    /// A path whose directory is not there yet: it must be put by the same batch.
    fn below_new(&self, intent: &Intent<'_>, errno: Errno) -> Result<Found, Refusal> {
        let missing =
            if errno == Errno::NOENT { ConflictReason::NoParent } else { ConflictReason::OtherKind };
        if intent.expected != Expected::Missing {
            return Err(Refusal::Conflict(if errno == Errno::NOENT {
                ConflictReason::Gone
            } else {
                missing
            }));
        }
        let mut parent = intent.path.parent();
        if !self.paths.get(parent).is_some_and(|deed| deed.puts_directory()) {
            return Err(Refusal::Conflict(missing));
        }
        loop {
            parent = split(parent).0;
            match beneath::open_same_mount(self.tree, parent, OFlags::PATH | OFlags::DIRECTORY) {
                Ok(fd) => return Ok(Found { before: None, above: beneath::stat_fd(fd)? }),
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) if !parent.is_empty() => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// A directory that goes: all that is in it has to leave in the same batch.
    fn all_listed(&self, parent: BorrowedFd<'_>, intent: &Intent<'_>) -> Result<(), Refusal> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let fd = beneath::open_same_mount(parent, intent.path.name(), flags)?;
        Listing::new().read::<Refusal>(fd.as_fd(), |name, _| {
            match self.paths.get(joined(intent.path.as_bytes(), name).as_slice()) {
                Some(Deed::Leave) => Ok(()),
                Some(_) | None => Err(Refusal::Conflict(ConflictReason::NotEmpty)),
            }
        })
    }
}
