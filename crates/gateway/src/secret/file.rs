//! Files of our own that hold or guard secrets: private, written whole or not at all, locked across processes.
//!
//! It refuses what others could have written; it repairs nothing.

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// How long another process may hold a lock, in seconds: a refresh over the network is the longest.
const LOCK_SECONDS_MAX: u64 = 20;
const LOCK_TRY_EVERY: Duration = Duration::from_millis(10);

/// Makes a directory that only the owner may enter, and those above it, or checks that it is so.
pub(super) fn private_directory(path: &Path) -> std::io::Result<()> {
    if let Some(above) = path.parent().filter(|above| !above.exists()) {
        private_directory(above)?;
    }
    match rustix::fs::mkdir(path, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno.into()),
    }
    let found = rustix::fs::stat(path)?;
    if found.st_mode & 0o170_000 != 0o040_000 {
        return Err(std::io::Error::other("it is no directory"));
    }
    Ok(())
}

/// Checks that a directory is the owner's and closed to others.
pub(super) fn check_closed(path: &Path) -> std::io::Result<()> {
    let found = rustix::fs::lstat(path)?;
    let mine = found.st_uid == rustix::process::geteuid().as_raw();
    if !mine || found.st_mode & 0o170_077 != 0o040_000 {
        return Err(std::io::Error::other("it must be a directory of your own that nobody else may enter"));
    }
    Ok(())
}

/// Reads a private file of the owner's; nothing if it is not there.
pub(super) fn read_private(path: &Path, bytes_max: usize) -> std::io::Result<Option<Zeroizing<Vec<u8>>>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(errno.into()),
    };
    let found = rustix::fs::fstat(&file)?;
    let mine = found.st_uid == rustix::process::geteuid().as_raw();
    if !mine || found.st_mode & 0o170_077 != 0o100_000 {
        return Err(std::io::Error::other("it must be a file of your own that nobody else may read"));
    }
    read_within(file, bytes_max).map(Some)
}

/// Reads to the end, into memory that is overwritten when it goes; more than `bytes_max` is an error.
pub(super) fn read_within(file: impl std::io::Read, bytes_max: usize) -> std::io::Result<Zeroizing<Vec<u8>>> {
    // The room is there from the start: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(bytes_max + 1));
    file.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > bytes_max {
        return Err(std::io::Error::other(format!("it has more than {bytes_max} bytes")));
    }
    Ok(bytes)
}

/// Puts a private file in place of what was there: whole or not at all, also after a loss of power.
pub(super) fn put_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let partial = path.with_extension("partial");
    match std::fs::remove_file(&partial) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::open(&partial, flags, Mode::RUSR | Mode::WUSR)?);
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&partial, path)?;
    match path.parent() {
        Some(above) => File::open(above)?.sync_all(),
        None => Ok(()),
    }
}

/// One of our locks; given back when it goes, also by a killed process.
#[derive(Debug)]
pub(super) struct Lock {
    _held: File,
}

impl Lock {
    /// Waits for it, and not for ever.
    pub(super) fn take(path: &Path) -> std::io::Result<Self> {
        let end = Instant::now() + Duration::from_secs(LOCK_SECONDS_MAX);
        loop {
            if let Some(lock) = Self::try_take(path)? {
                return Ok(lock);
            }
            if Instant::now() > end {
                return Err(std::io::Error::other(format!(
                    "another process holds it for {LOCK_SECONDS_MAX} s"
                )));
            }
            std::thread::sleep(LOCK_TRY_EVERY);
        }
    }

    /// Takes it if nobody has it.
    pub(super) fn try_take(path: &Path) -> std::io::Result<Option<Self>> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?);
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { _held: file })),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }
}
