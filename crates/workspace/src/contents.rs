//! Copying the content of one open file to another: shared where the file system can, holes staying holes.
//!
//! In constant memory. Names, permissions and times are the caller's part.

use rustix::fd::OwnedFd;
use rustix::fs::{SeekFrom, Statx};
use rustix::io::Errno;

/// How much is copied between two calls of the callback, in bytes.
pub(crate) const STEP_BYTES: u64 = 64 * 1024 * 1024;

/// How contents can be copied between two file systems, as far as it was found out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Contents {
    /// Whether the file system shares contents, until it says that it doesn't.
    shares: bool,
}

impl Contents {
    pub(crate) fn new() -> Self {
        Self { shares: true }
    }

    /// Copies what `from`, looked at as `stat`, holds to the empty file `to`; `told` hears how many bytes came.
    pub(crate) fn copy(
        &mut self,
        from: &OwnedFd,
        to: &OwnedFd,
        stat: &Statx,
        told: &mut dyn FnMut(u64),
    ) -> Result<(), Errno> {
        let size = stat.stx_size;
        if size == 0 {
            return Ok(());
        }
        if self.shares {
            match rustix::fs::ioctl_ficlone(to, from) {
                Ok(()) => {
                    told(size);
                    return Ok(());
                }
                Err(Errno::OPNOTSUPP | Errno::XDEV | Errno::NOTTY | Errno::INVAL) => self.shares = false,
                Err(errno) => return Err(errno),
            }
        }
        let is_sparse = stat.stx_blocks.saturating_mul(512) < size;
        if !is_sparse {
            return range(from, to, 0, size, told);
        }
        rustix::fs::ftruncate(to, size)?;
        let mut at = 0;
        while at < size {
            let start = match rustix::fs::seek(from, SeekFrom::Data(at)) {
                Ok(start) => start,
                // Only a hole is left.
                Err(Errno::NXIO) => break,
                Err(errno) => return Err(errno),
            };
            let end = rustix::fs::seek(from, SeekFrom::Hole(start))?.min(size);
            range(from, to, start, end, told)?;
            at = end.max(start.saturating_add(1));
        }
        Ok(())
    }
}

fn range(from: &OwnedFd, to: &OwnedFd, start: u64, end: u64, told: &mut dyn FnMut(u64)) -> Result<(), Errno> {
    let (mut read_at, mut write_at) = (start, start);
    while read_at < end {
        let step = usize::try_from(end.saturating_sub(read_at).min(STEP_BYTES)).unwrap_or(usize::MAX);
        match rustix::fs::copy_file_range(from, Some(&mut read_at), to, Some(&mut write_at), step) {
            // The original became shorter while it was copied.
            Ok(0) => return Ok(()),
            Ok(copied) => told(u64::try_from(copied).unwrap_or(u64::MAX)),
            Err(Errno::INTR) => {}
            Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM | Errno::BADF) => {
                return by_hand(from, to, read_at, end, told);
            }
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

fn by_hand(
    from: &OwnedFd,
    to: &OwnedFd,
    start: u64,
    end: u64,
    told: &mut dyn FnMut(u64),
) -> Result<(), Errno> {
    const BUFFER_BYTES: u64 = 1024 * 1024;
    let length = usize::try_from(end.saturating_sub(start).min(BUFFER_BYTES)).unwrap_or(usize::MAX);
    let mut buffer = vec![0; length];
    let mut at = start;
    while at < end {
        let wanted = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX).min(length);
        let read = match rustix::io::pread(from, buffer.get_mut(..wanted).unwrap_or_default(), at) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(errno),
        };
        let mut rest = buffer.get(..read).unwrap_or_default();
        while !rest.is_empty() {
            let written = rustix::io::pwrite(to, rest, at)?;
            rest = rest.get(written..).unwrap_or_default();
            at = at.saturating_add(u64::try_from(written).unwrap_or(u64::MAX));
        }
        told(u64::try_from(read).unwrap_or(u64::MAX));
    }
    Ok(())
}
