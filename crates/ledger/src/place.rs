//! Where the ledger lies, and whether that place can be trusted.
//!
//! The file itself is looked at by name and never opened here once it exists: closing any descriptor of it would
//! drop the locks that SQLite holds for this process (<https://sqlite.org/howtocorrupt.html>, section 2.2). Since
//! the directory is the owner's alone, nobody else can change the file between the look and SQLite's open.

use crate::error::Error;
use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

const FILE_NAME: &str = "ledger.db";
const LOCK_NAME: &str = "ledger.lock";

/// Permission bits that let anybody but the owner in.
const OTHERS: u32 = 0o077;

/// A directory that only the owner can enter.
#[derive(Debug)]
pub(crate) struct Place {
    directory: OwnedFd,
    path: PathBuf,
    file: PathBuf,
}

impl Place {
    /// Opens `directory` and checks that it is the owner's alone.
    pub(crate) fn open(directory: &Path) -> Result<Self, Error> {
        // Made absolute because SQLite would take a relative `file:…` for a URI.
        let path = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
        let fd = match rustix::fs::open(&path, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::LOOP | Errno::NOTDIR) => return Err(Error::Irregular { path, expected: "directory" }),
            Err(source) => return Err(Error::Place { act: "open", path, source }),
        };
        let stat = rustix::fs::fstat(&fd).map_err(|source| Error::Place {
            act: "open",
            path: path.clone(),
            source,
        })?;
        check_private(&path, &stat)?;
        Ok(Self { directory: fd, file: path.join(FILE_NAME), path })
    }

    /// The ledger's file.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// The length of the file, after checking that it is the owner's alone; `None` where there is none.
    pub(crate) fn file_length(&self) -> Result<Option<i64>, Error> {
        let stat = match rustix::fs::statat(&self.directory, FILE_NAME, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(None),
            Err(source) => return Err(self.failed("look at", source)),
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Error::Irregular { path: self.file.clone(), expected: "file" });
        }
        check_private(&self.file, &stat)?;
        Ok(Some(stat.st_size))
    }

    /// Makes an empty file, unless there is one. To be called under [`Place::lock`] only.
    pub(crate) fn create_file(&self) -> Result<(), Error> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::WRONLY;
        match rustix::fs::openat(&self.directory, FILE_NAME, flags, Mode::RUSR | Mode::WUSR) {
            // Nobody can have it open yet, so closing this descriptor drops no lock.
            Ok(_) => rustix::fs::fsync(&self.directory).map_err(|source| self.failed("create", source)),
            Err(Errno::EXIST) => Ok(()),
            Err(source) => Err(self.failed("create", source)),
        }
    }

    /// Waits until this process alone makes or migrates the ledger; ends when the descriptor is closed.
    pub(crate) fn lock(&self) -> Result<OwnedFd, Error> {
        let failed = |source| Error::Place { act: "lock", path: self.path.join(LOCK_NAME), source };
        let flags = OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDWR;
        let lock =
            rustix::fs::openat(&self.directory, LOCK_NAME, flags, Mode::RUSR | Mode::WUSR).map_err(failed)?;
        rustix::io::retry_on_intr(|| rustix::fs::flock(&lock, FlockOperation::LockExclusive))
            .map_err(failed)?;
        Ok(lock)
    }

    fn failed(&self, act: &'static str, source: Errno) -> Error {
        Error::Place { act, path: self.file.clone(), source }
    }
}

/// Refuses what another user owns or can reach: it could be rewritten, and read, by others.
fn check_private(path: &Path, stat: &Stat) -> Result<(), Error> {
    let path = path.to_owned();
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        return Err(Error::ForeignOwner { path, uid: stat.st_uid });
    }
    match stat.st_mode & 0o777 {
        mode if mode & OTHERS != 0 => Err(Error::Exposed { path, mode }),
        _ => Ok(()),
    }
}
