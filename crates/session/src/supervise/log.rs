//! The session's log: what the program printed, bounded, in two files that take turns.
//!
//! Raw bytes are kept; whoever shows them passes them through the terminal's filter.

use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::path::{Path, PathBuf};

/// The most bytes of one file; twice as much is kept at the most (ATTACKS 7: log flooding).
pub(crate) const LOG_BYTES_MAX: u64 = 16 << 20;

#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    /// Opened with the first byte.
    file: Option<OwnedFd>,
    length: u64,
}

/// The older of the two files.
pub(crate) fn former(path: &Path) -> PathBuf {
    path.with_extension("1")
}

impl Log {
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path, file: None, length: 0 }
    }

    /// Appends; a full disk loses the log's tail, never the session.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        let _lost = self.try_append(bytes).is_err();
    }

    fn try_append(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        if self.length > LOG_BYTES_MAX {
            self.file = None;
            rustix::fs::rename(&self.path, former(&self.path))?;
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let file = open(&self.path)?;
                self.length = u64::try_from(rustix::fs::fstat(&file)?.st_size).unwrap_or_default();
                none.insert(file)
            }
        };
        let mut rest = bytes;
        while !rest.is_empty() {
            let written = rustix::io::retry_on_intr(|| rustix::io::write(&*file, rest))?;
            self.length = self.length.saturating_add(written as u64);
            rest = rest.get(written..).unwrap_or_default();
        }
        Ok(())
    }
}

fn open(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::from_raw_mode(0o600))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_fills_two_files_and_no_more() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut log = Log::at(path.clone());
        let block = vec![b'x'; 1 << 20];
        for _ in 0..50 {
            log.append(&block);
        }
        let size = |path: &Path| std::fs::metadata(path).unwrap().len();
        assert!(size(&path) + size(&former(&path)) <= 2 * (LOG_BYTES_MAX + (1 << 20)) + (1 << 20));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2);
    }
}
