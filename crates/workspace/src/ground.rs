//! The ground a session is to stand on: an owner's directory, looked at before it is used as a workspace.
//!
//! It opens and judges; it changes nothing, mounts nothing, and does not read what the directory holds.

mod filesystem;
mod mounts;

pub use filesystem::FileSystem;
pub use mounts::{Mount, MountsError, parse_mounts};

use crate::beneath;
use cofferdam_policy::path::{AbsPath, PathError};
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The longest `/proc/self/mountinfo` read, in bytes.
const MOUNTS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What a workspace must keep clear of.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The owner's home directory.
    pub home: &'a AbsPath,
    /// Where sessions are kept.
    pub state: &'a AbsPath,
    /// The other workspaces of the session.
    pub others: &'a [AbsPath],
    /// Whether the directory is to be copied, so that its file system need not carry an overlay.
    pub copied: bool,
}

/// A directory that can be a workspace.
#[derive(Debug)]
pub struct Ground {
    /// Its path without symbolic links.
    pub path: AbsPath,
    /// The directory itself, opened for listing.
    pub fd: OwnedFd,
    /// The device of its file system.
    pub dev: u64,
    /// Its inode.
    pub ino: u64,
    /// To whom it belongs.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// What it lies on.
    pub filesystem: FileSystem,
    /// Mount points below it. An overlay shows what lies *under* them, not what is mounted there.
    pub mounts_below: Vec<Mount>,
}

/// Why a directory can't be a workspace.
#[derive(Debug, thiserror::Error)]
pub enum GroundError {
    /// It does not exist.
    #[error("{path:?} does not exist")]
    Missing {
        /// As it was given.
        path: PathBuf,
    },
    /// It is a file.
    #[error("{path:?} is not a directory")]
    NotDirectory {
        /// As it was given.
        path: PathBuf,
    },
    /// It can't be opened.
    #[error("cannot open {path:?}")]
    Open {
        /// As it was given.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: Errno,
    },
    /// Its path can't be shown or typed.
    #[error("the path of the workspace cannot be used")]
    Path(#[from] PathError),
    /// It was exchanged while it was being opened.
    #[error("{path} changed while it was being opened")]
    Moved {
        /// Where it was found.
        path: AbsPath,
    },
    /// It is `/`.
    #[error("the root directory can't be a workspace")]
    Root,
    /// It is the home directory.
    #[error("{path} is the home directory itself")]
    Home {
        /// The home directory.
        path: AbsPath,
    },
    /// The home directory lies in it.
    #[error("{path} holds the home directory")]
    AboveHome {
        /// The directory.
        path: AbsPath,
    },
    /// Sessions are kept in it, or it lies among them.
    #[error("{path} and the state directory {state} lie in one another")]
    State {
        /// The directory.
        path: AbsPath,
        /// The state directory.
        state: AbsPath,
    },
    /// It is another workspace of the session, or lies in one, or holds one.
    #[error("{path} and the workspace {other} lie in one another")]
    Nested {
        /// The directory.
        path: AbsPath,
        /// The other one.
        other: AbsPath,
    },
    /// It belongs to the system.
    #[error("{path} is or lies in the system directory {system}")]
    System {
        /// The directory.
        path: AbsPath,
        /// The system directory.
        system: &'static str,
    },
    /// Its file system can't be the lower layer of an overlay.
    #[error("{path} lies on {filesystem}, over which no overlay can be laid")]
    NotOverlayable {
        /// The directory.
        path: AbsPath,
        /// What it lies on.
        filesystem: FileSystem,
    },
    /// The table of mounts can't be read.
    #[error("cannot read the table of mounts")]
    Mounts(#[source] MountsError),
}

/// Not to be a workspace, nor anything below.
const SYSTEM_TREES: &[&str] = &[
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/lost+found",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
];

/// Below a system tree, yet meant for people's files. The directory itself stays refused.
const SYSTEM_EXCEPTIONS: &[&str] = &["/usr/src", "/usr/local/src", "/run/media"];

/// Not to be a workspace themselves: others keep their files in them.
const SYSTEM_DIRECTORIES: &[&str] = &["/home", "/var", "/var/lib", "/var/log", "/tmp", "/var/tmp"];

/// Opens `path` (symbolic links in it are the owner's and are followed) and judges it.
///
/// # Errors
/// [`GroundError`] names the one reason against it.
pub fn inspect(path: &Path, surroundings: &Surroundings<'_>) -> Result<Ground, GroundError> {
    // 1. Where does it really lie? From here on the path is free of links.
    let found = rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| open_error(path, errno))?;
    let canonical =
        canonical_path(&found).map_err(|source| GroundError::Open { path: path.into(), source })?;
    let stat = beneath::stat_fd(&found).map_err(|source| GroundError::Open { path: path.into(), source })?;
    if beneath::kind(&stat) != FileType::Directory {
        return Err(GroundError::NotDirectory { path: path.into() });
    }
    let canonical = AbsPath::new(canonical)?;
    // 2. Is it a place for a workspace at all?
    check_place(&canonical, surroundings)?;
    // 3. Open the very same directory again by the path that will be shown and mounted.
    let fd = open_absolute(&canonical).map_err(|errno| match errno {
        Errno::NOENT | Errno::LOOP | Errno::NOTDIR => GroundError::Moved { path: canonical.clone() },
        source => GroundError::Open { path: canonical.as_path().into(), source },
    })?;
    let again = beneath::stat_fd(&fd).map_err(|source| GroundError::Open { path: path.into(), source })?;
    if (again.stx_ino, device(&again)) != (stat.stx_ino, device(&stat)) {
        return Err(GroundError::Moved { path: canonical });
    }
    // 4. Can an overlay be laid over it, and what is mounted below?
    let filesystem = FileSystem::of(&fd).map_err(|source| GroundError::Open { path: path.into(), source })?;
    if !surroundings.copied && !filesystem.is_overlayable() {
        return Err(GroundError::NotOverlayable { path: canonical, filesystem });
    }
    let mounts_below = mounts_below(&canonical).map_err(GroundError::Mounts)?;
    let (dev, ino) = (device(&again), again.stx_ino);
    Ok(Ground {
        path: canonical,
        fd,
        dev,
        ino,
        uid: again.stx_uid,
        gid: again.stx_gid,
        filesystem,
        mounts_below,
    })
}

/// Where the directory `path` really lies, and the directory itself, opened by that path. Links on the way are followed.
pub(crate) fn settle(path: &Path) -> Result<(AbsPath, OwnedFd), Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let found = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
    let path = AbsPath::new(canonical_path(&found)?).map_err(|_unusable| Errno::ILSEQ)?;
    let fd = open_absolute(&path)?;
    let (found, again) = (beneath::stat_fd(&found)?, beneath::stat_fd(&fd)?);
    if (found.stx_ino, device(&found)) == (again.stx_ino, device(&again)) {
        Ok((path, fd))
    } else {
        Err(Errno::STALE)
    }
}

/// Opens an absolute path in which no component may be a symbolic link.
pub(crate) fn open_absolute(path: &AbsPath) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat2(CWD, path.as_path(), flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)
}

fn open_error(path: &Path, errno: Errno) -> GroundError {
    let path = path.to_owned();
    match errno {
        Errno::NOENT => GroundError::Missing { path },
        Errno::NOTDIR => GroundError::NotDirectory { path },
        source => GroundError::Open { path, source },
    }
}

/// The kernel's own word for where an open file lies.
fn canonical_path(fd: impl AsFd) -> Result<PathBuf, Errno> {
    let link = format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd());
    let target = rustix::fs::readlinkat(CWD, link, Vec::new())?;
    Ok(PathBuf::from(OsStr::from_bytes(target.as_bytes())))
}

fn device(stat: &rustix::fs::Statx) -> u64 {
    rustix::fs::makedev(stat.stx_dev_major, stat.stx_dev_minor)
}

fn check_place(path: &AbsPath, surroundings: &Surroundings<'_>) -> Result<(), GroundError> {
    if *path == AbsPath::root() {
        return Err(GroundError::Root);
    }
    if path == surroundings.home {
        return Err(GroundError::Home { path: path.clone() });
    }
    if surroundings.home.is_within(path) {
        return Err(GroundError::AboveHome { path: path.clone() });
    }
    if let Some(system) = system_directory(path) {
        return Err(GroundError::System { path: path.clone(), system });
    }
    let state = surroundings.state;
    if path.is_within(state) || state.is_within(path) {
        return Err(GroundError::State { path: path.clone(), state: state.clone() });
    }
    match surroundings.others.iter().find(|other| path.is_within(other) || other.is_within(path)) {
        Some(other) => Err(GroundError::Nested { path: path.clone(), other: other.clone() }),
        None => Ok(()),
    }
}

fn system_directory(path: &AbsPath) -> Option<&'static str> {
    let path = path.as_path();
    let excepted = SYSTEM_EXCEPTIONS.iter().any(|tree| path.starts_with(tree) && path != Path::new(tree));
    let tree = SYSTEM_TREES.iter().find(|tree| path.starts_with(tree) && !excepted);
    let itself = SYSTEM_DIRECTORIES.iter().find(|directory| path == Path::new(directory));
    tree.or(itself).copied()
}

fn mounts_below(path: &AbsPath) -> Result<Vec<Mount>, MountsError> {
    let fd = rustix::fs::open("/proc/self/mountinfo", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .map_err(MountsError::Read)?;
    let table = beneath::read_to_end(&fd, 0, MOUNTS_BYTES_MAX).map_err(MountsError::Read)?;
    let mut mounts = parse_mounts(&table)?;
    mounts.retain(|mount| mount.point.starts_with(path.as_path()) && mount.point != path.as_path());
    Ok(mounts)
}

#[cfg(test)]
mod tests;
