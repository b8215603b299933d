//! The ids that an attempt's user namespace has: as a cell would have them.
//!
//! An ordinary user keeps their own; uid 0 takes a range that is nobody else's.

use crate::start::UID_RANGES;
use cofferdam_syscall::process::{Fork, Namespaces, clone_into_namespaces, exit_now};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{
    DumpableBehavior, Gid, Pid, Signal, Uid, WaitId, WaitIdOptions, pidfd_send_signal, waitid,
};
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
                rustix::thread::set_thread_groups(&[])?;
                rustix::thread::set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT)?;
                rustix::thread::set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT)?;
                rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable)
            }
        }
    }
}

/// Writes the maps of the namespace that `pid` is in (user_namespaces(7)).
pub(super) fn write_maps(pid: Pid, ids: Ids) -> Result<(), Errno> {
    let file = |name: &str| format!("/proc/{}/{name}", pid.as_raw_nonzero());
    match ids {
        Ids::Own { uid, gid } => {
            write(&file("setgroups"), "deny")?;
            write(&file("uid_map"), &format!("{uid} {uid} 1\n"))?;
            write(&file("gid_map"), &format!("{gid} {gid} 1\n"))
        }
        Ids::Single => {
            write(&file("uid_map"), "0 0 1\n")?;
            write(&file("gid_map"), "0 0 1\n")
        }
        Ids::Range { base } => {
            let map = format!("0 {base} {IDS_COUNT}\n");
            write(&file("uid_map"), &map)?;
            write(&file("gid_map"), &map)
        }
    }
}

fn write(path: &str, value: &str) -> Result<(), Errno> {
    let file = rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(&file, value.as_bytes()).map(drop)
}

/// A user namespace with these ids, held by its descriptor alone.
pub(super) fn namespace_with(ids: Ids) -> Result<OwnedFd, Errno> {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    match clone_into_namespaces(Namespaces::USER)? {
        Fork::Child => {
            drop(writer);
            // Nothing but a namespace to be described; gone when the other end closes, however.
            let _ended = rustix::io::read(&reader, &mut [0_u8; 1]);
            exit_now(0)
        }
        Fork::Parent(pid, pidfd) => {
            let path = format!("/proc/{}/ns/user", pid.as_raw_nonzero());
            let open = || rustix::fs::open(path.as_str(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
            let namespace = write_maps(pid, ids).and_then(|()| open());
            let _gone = pidfd_send_signal(&pidfd, Signal::KILL).is_err();
            let _reaped = waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED).is_ok();
            namespace
        }
    }
}
