//! The ids that an attempt's user namespace has: as a cell would have them.
//!
//! An ordinary user keeps their own; uid 0 takes a range that is nobody else's.

use crate::start::UID_RANGES;
use cofferdam_cell::idmap::{self, Maps};
use cofferdam_policy::plan::IdExtent;
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Pid};
use std::fmt;
use std::ops::Range;

/// The first of the host's ids that cells get when the owner is uid 0.
pub(super) const CELL_IDS_START: u32 = UID_RANGES.start;
/// Ids of one cell.
const IDS_COUNT: u32 = UID_RANGES.size;

/// The host's ids from which cells get theirs when the owner is uid 0.
pub(super) fn cell_ids() -> Range<u64> {
    let start = u64::from(UID_RANGES.start);
    start..start.saturating_add(u64::from(UID_RANGES.size).saturating_mul(u64::from(UID_RANGES.ranges)))
}

/// The ids of a user namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ids {
    /// The owner's own, and no other.
    Own { uid: u32, gid: u32 },
    /// Root alone.
    Single,
    /// From root on, these of the namespace above.
    Range { base: u32 },
}

impl fmt::Display for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own { uid, gid } => write!(f, "uid {uid} and gid {gid} map to themselves"),
            Self::Single => write!(f, "id 0 maps to itself"),
            Self::Range { base } => write!(f, "ids 0 to {} map to {base} and following", IDS_COUNT - 1),
        }
    }
}

impl Ids {
    /// What a cell of this owner's has.
    pub(super) fn of_cell(uid: u32, gid: u32) -> Self {
        if uid == 0 { Self::Range { base: CELL_IDS_START } } else { Self::Own { uid, gid } }
    }

    /// Those of a namespace within one that has these.
    pub(super) fn nested(self) -> Self {
        match self {
            Self::Own { .. } | Self::Single => self,
            Self::Range { .. } => Self::Range { base: 0 },
        }
    }

    /// The act of mapping them.
    pub(super) fn mapping(self) -> &'static str {
        match self {
            Self::Own { .. } | Self::Single => "map the owner's own ids",
            Self::Range { .. } => "map a range of ids for the cell",
        }
    }

    /// In the namespace: from nobody to its root, where the ids changed at all.
    pub(super) fn become_root(self) -> Result<(), Errno> {
        match self {
            Self::Own { .. } | Self::Single => Ok(()),
            Self::Range { .. } => {
                idmap::become_cell_root()?;
                rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable)
            }
        }
    }

    /// Calls `act` with these as maps of a user namespace.
    fn as_maps<T>(self, act: impl FnOnce(&Maps<'_>) -> T) -> T {
        let one = |id| IdExtent { inside: id, outside: id, count: 1 };
        let (uids, gids) = match self {
            Self::Own { uid, gid } => (one(uid), one(gid)),
            Self::Single => (one(0), one(0)),
            Self::Range { base } => {
                let all = IdExtent { inside: 0, outside: base, count: IDS_COUNT };
                (all, all)
            }
        };
        let privileged = match self {
            Self::Own { .. } => false,
            Self::Single | Self::Range { .. } => true,
        };
        act(&Maps { uids: &[uids], gids: &[gids], privileged })
    }
}

/// Writes the maps of the namespace that `pid` is in.
pub(super) fn write_maps(pid: Pid, ids: Ids) -> Result<(), Errno> {
    let proc = idmap::host_proc()?;
    ids.as_maps(|maps| idmap::write_maps(proc.as_fd(), pid, maps))
}

/// A user namespace with these ids, held by its descriptor alone.
pub(super) fn namespace_with(ids: Ids) -> Result<OwnedFd, Errno> {
    let proc = idmap::host_proc()?;
    ids.as_maps(|maps| idmap::namespace_with(proc.as_fd(), maps))
}
