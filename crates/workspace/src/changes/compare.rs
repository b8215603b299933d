//! Whether two files have the same content, in constant memory.
//!
//! Nothing else of them is compared here.

use super::COMPARED_BYTES_MAX;
use crate::beneath;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::OFlags;
use rustix::io::{Errno, Result};

const BUFFER_BYTES: usize = 128 * 1024;

/// Compares the regular files `name` of two directories, both of `size` bytes.
pub(super) fn same_content(
    a: impl AsFd,
    b: impl AsFd,
    name: &[u8],
    size: u64,
) -> std::result::Result<bool, Denied> {
    if size > COMPARED_BYTES_MAX {
        return Ok(false);
    }
    if size == 0 {
        return Ok(true);
    }
    let a = open(a)(name)?;
    let b = open(b)(name)?;
    let mut buffers = (vec![0; BUFFER_BYTES], vec![0; BUFFER_BYTES]);
    let mut offset = 0;
    loop {
        let one = fill(&a, &mut buffers.0, offset)?;
        let other = fill(&b, &mut buffers.1, offset)?;
        if one != other {
            return Ok(false);
        }
        if one.is_empty() {
            return Ok(true);
        }
        offset = offset.saturating_add(u64::try_from(one.len()).unwrap_or(u64::MAX));
    }
}

/// Compares two symbolic links.
pub(super) fn same_target(a: impl AsFd, b: impl AsFd, name: &[u8]) -> Result<bool> {
    Ok(rustix::fs::readlinkat(a, name, Vec::new())? == rustix::fs::readlinkat(b, name, Vec::new())?)
}

/// Why two files could not be compared.
#[derive(Debug)]
pub(crate) struct Denied(pub(crate) Errno);

impl From<Errno> for Denied {
    fn from(errno: Errno) -> Self {
        Self(errno)
    }
}

fn open<Fd: AsFd>(directory: Fd) -> impl Fn(&[u8]) -> Result<OwnedFd> {
    move |name| beneath::open(&directory, name, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)
}

fn fill<'a>(fd: &OwnedFd, buffer: &'a mut [u8], offset: u64) -> Result<&'a [u8]> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let at = offset.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
        match rustix::io::pread(fd, rest, at) {
            Ok(0) => break,
            Ok(read) => filled = filled.saturating_add(read),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(buffer.get(..filled).unwrap_or_default())
}
