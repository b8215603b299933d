//! What the gateway gives up before it hears the first word from a cell.
//!
//! It holds secrets and reads hostile bytes. So from here on it can start no program, write no file, and read none but
//! those that say how names are resolved; it makes sockets of the internet's families and no others. Where a session has
//! a login that is to be refreshed, the directory of the store and its key stay open, and nothing beside them.

mod calls;

use crate::trail::TRAIL_BYTES_MAX;
use cofferdam_syscall::confine::{
    install_filter, landlock_allow, landlock_confine, landlock_ruleset, landlock_version,
};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Resource, Rlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The longest file of a store that is kept, in bytes: more than any of them has.
const KEPT_FILE_BYTES_MAX: u64 = 16 << 20;
/// Open descriptors: two for each connection, and some.
const DESCRIPTORS_MAX: u64 = 16_384;
/// Memory: what an agent makes the gateway keep is not to be taken from the host. Past it the gateway ends, and with it
/// the session's way out.
pub(crate) const MEMORY_BYTES_MAX: u64 = 512 << 20;

// <linux/landlock.h>
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const REMOVE_FILE: u64 = 1 << 5;
const MAKE_REG: u64 = 1 << 8;
/// Everything that the oldest version that is taken knows: the cell needs the same one.
const ALL_OF_VERSION_2: u64 = (1 << 14) - 1;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;
const VERSION_MIN: u32 = 2;
/// Neither abstract sockets nor signals beyond itself.
const SCOPED: u64 = 3;

/// What could not be given up.
#[derive(Debug, Error)]
pub(crate) enum ConfineError {
    /// Limits and the like.
    #[error("cannot limit the process")]
    Process(#[source] Errno),
    /// Landlock.
    #[error("cannot deny access to files by Landlock")]
    Landlock(#[source] Errno),
    /// Too old.
    #[error(
        "cannot deny access to files: this kernel's Landlock has version {0}, and {VERSION_MIN} is needed"
    )]
    OldLandlock(u32),
    /// A file that has to stay readable.
    #[error("cannot open {file}")]
    File {
        /// Which.
        file: PathBuf,
        /// Why.
        #[source]
        source: Errno,
    },
    /// Seccomp.
    #[error("cannot filter system calls")]
    Filter(#[source] Errno),
}

/// Leaves the owner's terminal, whose interrupts and whose end are not meant for it; leaves no core and lets nobody
/// trace it. That it ends with its supervisor is seen on the socket: the parent that started it goes when a terminal is
/// detached, and a child of that one supervises from then on.
pub(crate) fn stand_alone() -> Result<(), Errno> {
    match rustix::process::setsid() {
        // The leader of a group has no other to leave.
        Ok(_) | Err(Errno::PERM) => {}
        Err(errno) => return Err(errno),
    }
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    rustix::process::setrlimit(Resource::Core, none)
}

/// Gives up all but sockets, these files and the store that is kept (its directory, its key), for good. To be called
/// while there is one thread.
pub(crate) fn confine(readable: &[&Path], kept: Option<&(PathBuf, PathBuf)>) -> Result<(), ConfineError> {
    limits(kept.map_or(0, |_| KEPT_FILE_BYTES_MAX).max(TRAIL_BYTES_MAX)).map_err(ConfineError::Process)?;
    rustix::thread::set_no_new_privs(true).map_err(ConfineError::Process)?;
    drop_capabilities().map_err(ConfineError::Process)?;
    landlock(readable, kept)?;
    install_filter(&calls::filter(kept.is_some())).map_err(ConfineError::Filter)
}

fn limits(file_bytes_max: u64) -> Result<(), Errno> {
    let most = rustix::process::getrlimit(Resource::Nofile).maximum;
    let most = most.map_or(DESCRIPTORS_MAX, |most| most.min(DESCRIPTORS_MAX));
    rustix::process::setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: Some(most) })?;
    let most = Some(MEMORY_BYTES_MAX);
    rustix::process::setrlimit(Resource::Data, Rlimit { current: most, maximum: most })?;
    let most = Some(file_bytes_max);
    rustix::process::setrlimit(Resource::Fsize, Rlimit { current: most, maximum: most })
}

/// Root's too: none to use, and none to gain.
fn drop_capabilities() -> Result<(), Errno> {
    for capability in CapabilitySet::all().iter() {
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            // What this kernel does not have, or what an ordinary user can't give up and never gains.
            Ok(()) | Err(Errno::INVAL | Errno::PERM) => {}
            Err(errno) => return Err(errno),
        }
    }
    rustix::thread::clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    rustix::thread::set_capabilities(None, sets)
}

fn landlock(readable: &[&Path], kept: Option<&(PathBuf, PathBuf)>) -> Result<(), ConfineError> {
    let version = landlock_version().map_err(ConfineError::Landlock)?;
    let handled = match version {
        0..VERSION_MIN => return Err(ConfineError::OldLandlock(version)),
        VERSION_MIN => ALL_OF_VERSION_2,
        3..=4 => ALL_OF_VERSION_2 | TRUNCATE,
        5.. => ALL_OF_VERSION_2 | TRUNCATE | IOCTL_DEV,
    };
    let scoped = if version >= 6 { SCOPED } else { 0 };
    let ruleset = landlock_ruleset(version, handled, scoped).map_err(ConfineError::Landlock)?;
    let changed = (READ_FILE | WRITE_FILE | READ_DIR | REMOVE_FILE | MAKE_REG | TRUNCATE) & handled;
    let kept = kept.into_iter();
    let kept = kept.flat_map(|(store, key)| [(store.as_path(), changed), (key.as_path(), READ_FILE)]);
    for (path, access) in readable.iter().map(|path| (*path, READ_FILE)).chain(kept) {
        let Some(file) = place(path)? else { continue };
        landlock_allow(ruleset.as_fd(), file.as_fd(), access).map_err(ConfineError::Landlock)?;
    }
    landlock_confine(ruleset.as_fd()).map_err(ConfineError::Landlock)
}

/// A file that is not there is not readable later either.
fn place(path: &Path) -> Result<Option<OwnedFd>, ConfineError> {
    match rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
        Ok(file) => Ok(Some(file)),
        Err(Errno::NOENT) => Ok(None),
        Err(source) => Err(ConfineError::File { file: path.to_owned(), source }),
    }
}
