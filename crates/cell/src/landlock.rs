//! The second wall around files: Landlock rules that hold whatever the mounts say.
//!
//! Made by pid 1 for itself once the view stands, so that every process of the cell lives in one domain and
//! debuggers work among them. Rights that a newer kernel knows are denied too; none is taken for granted.

use cofferdam_policy::plan::Entry;
use cofferdam_syscall::confine::{
    LandlockRights, landlock_allow, landlock_confine, landlock_ruleset, landlock_version,
};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// The least version that the cell takes: renames between directories came with it (Linux 5.19).
pub const LANDLOCK_VERSION_MIN: u32 = 2;

// <linux/landlock.h>
const EXECUTE: LandlockRights = 1 << 0;
const WRITE_FILE: LandlockRights = 1 << 1;
const READ_FILE: LandlockRights = 1 << 2;
const READ_DIR: LandlockRights = 1 << 3;
const REMOVE_DIR: LandlockRights = 1 << 4;
const REMOVE_FILE: LandlockRights = 1 << 5;
const MAKE_CHAR: LandlockRights = 1 << 6;
const MAKE_DIR: LandlockRights = 1 << 7;
const MAKE_REG: LandlockRights = 1 << 8;
const MAKE_SOCK: LandlockRights = 1 << 9;
const MAKE_FIFO: LandlockRights = 1 << 10;
const MAKE_BLOCK: LandlockRights = 1 << 11;
const MAKE_SYM: LandlockRights = 1 << 12;
const REFER: LandlockRights = 1 << 13;
const TRUNCATE: LandlockRights = 1 << 14;
const IOCTL_DEV: LandlockRights = 1 << 15;

const READ: LandlockRights = EXECUTE | READ_FILE | READ_DIR;
/// Everything but device nodes, which no rule allows anywhere.
const WRITE: LandlockRights = WRITE_FILE
    | REMOVE_DIR
    | REMOVE_FILE
    | MAKE_DIR
    | MAKE_REG
    | MAKE_SOCK
    | MAKE_FIFO
    | MAKE_SYM
    | REFER
    | TRUNCATE
    | IOCTL_DEV;
const DEVICE: LandlockRights = READ_FILE | WRITE_FILE | TRUNCATE | IOCTL_DEV;

/// The version that this kernel offers, if it is enough.
///
/// # Errors
/// `ENOSYS` or `EOPNOTSUPP` without Landlock, `EPROTO` if it is older than [`LANDLOCK_VERSION_MIN`].
pub fn version() -> Result<u32, Errno> {
    let version = landlock_version()?;
    if version < LANDLOCK_VERSION_MIN { Err(Errno::PROTO) } else { Ok(version) }
}

fn known(version: u32) -> LandlockRights {
    let oldest = READ | WRITE | MAKE_CHAR | MAKE_BLOCK;
    match version {
        0..=2 => oldest & !(TRUNCATE | IOCTL_DEV),
        3..=4 => oldest & !IOCTL_DEV,
        _ => oldest,
    }
}

/// Confines the calling process, and all that it starts, to reading the view and writing where the plan says.
pub(crate) fn confine(entry: &Entry) -> Result<(), Errno> {
    let version = version()?;
    let known = known(version);
    let ruleset = landlock_ruleset(version, known, 0)?;
    let allow = |path: &std::path::Path, rights: LandlockRights| -> Result<(), Errno> {
        landlock_allow(ruleset.as_fd(), place(path)?.as_fd(), rights & known)
    };
    allow(std::path::Path::new("/"), READ)?;
    for path in &entry.writable {
        allow(path.as_path(), READ | WRITE)?;
    }
    for path in &entry.devices {
        allow(path.as_path(), DEVICE)?;
    }
    landlock_confine(ruleset.as_fd())
}

fn place(path: &std::path::Path) -> Result<OwnedFd, Errno> {
    rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_asked_for_the_rights_that_it_knows() {
        assert_eq!(known(2) & (TRUNCATE | IOCTL_DEV), 0);
        assert_eq!(known(3) & (TRUNCATE | IOCTL_DEV), TRUNCATE);
        assert_eq!(known(5) & (TRUNCATE | IOCTL_DEV), TRUNCATE | IOCTL_DEV);
        assert_eq!(known(2) & REFER, REFER, "without it no file moves from one directory to another");
    }

    #[test]
    fn device_nodes_are_denied_and_no_rule_allows_them() {
        assert_eq!(known(2) & (MAKE_CHAR | MAKE_BLOCK), MAKE_CHAR | MAKE_BLOCK);
        assert_eq!((READ | WRITE | DEVICE) & (MAKE_CHAR | MAKE_BLOCK), 0);
    }
}
