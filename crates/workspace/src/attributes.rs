//! Giving a made file or directory the mode, times and owner of the one it stands for.
//!
//! Extended attributes, ACLs, and the bits that change who runs a program are never carried over.

use crate::beneath;
use crate::ownership::Ownership;
use rustix::fd::AsFd;
use rustix::fs::{AtFlags, Mode, Statx, Timespec, Timestamps, UTIME_OMIT};
use rustix::io::{Errno, Result};

/// Permissions and the sticky bit.
const MODE_KEPT: u32 = 0o1777;

/// What of a file is carried over to one that stands for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Looks {
    mode: u32,
    uid: u32,
    gid: u32,
    mtime_seconds: i64,
    mtime_nanos: u32,
}

impl Looks {
    pub(crate) fn of(stat: &Statx) -> Self {
        Self {
            mode: beneath::permissions(stat) & MODE_KEPT,
            uid: stat.stx_uid,
            gid: stat.stx_gid,
            mtime_seconds: stat.stx_mtime.tv_sec,
            mtime_nanos: stat.stx_mtime.tv_nsec,
        }
    }

    pub(crate) fn with_mode(self, mode: u32) -> Self {
        Self { mode: mode & MODE_KEPT, ..self }
    }

    /// Makes the open `fd` look so.
    pub(crate) fn put_on(&self, fd: impl AsFd, ownership: Ownership) -> Result<()> {
        let fd = fd.as_fd();
        let uid = ownership.uid(self.uid);
        let gid = ownership.gid(self.gid);
        let now = beneath::stat_fd(fd)?;
        if (now.stx_uid, now.stx_gid) != (uid.as_raw(), gid.as_raw()) {
            tolerate(ownership, rustix::fs::fchown(fd, Some(uid), Some(gid)))?;
        }
        rustix::fs::fchmod(fd, Mode::from_raw_mode(self.mode))?;
        rustix::fs::futimens(fd, &self.times())
    }

    /// The same for a symbolic link, which has no mode of its own.
    pub(crate) fn put_on_link(&self, directory: impl AsFd, name: &[u8], ownership: Ownership) -> Result<()> {
        let (uid, gid) = (Some(ownership.uid(self.uid)), Some(ownership.gid(self.gid)));
        tolerate(ownership, rustix::fs::chownat(&directory, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW))?;
        rustix::fs::utimensat(&directory, name, &self.times(), AtFlags::SYMLINK_NOFOLLOW)
    }

    fn times(&self) -> Timestamps {
        Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            last_modification: Timespec { tv_sec: self.mtime_seconds, tv_nsec: i64::from(self.mtime_nanos) },
        }
    }
}

/// An ordinary user can't give files away: what belongs to others becomes their own, as with any copy. For uid 0 a
/// wrong owner would be a hole in the cell, and stays an error.
fn tolerate(ownership: Ownership, changed: Result<()>) -> Result<()> {
    match (ownership, changed) {
        (Ownership::AsIs, Err(Errno::PERM | Errno::INVAL)) => Ok(()),
        (_, changed) => changed,
    }
}
