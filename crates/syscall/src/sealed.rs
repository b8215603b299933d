//! Texts too long for a packet, handed over as sealed memory files: what was checked can't change under its reader.

use rustix::fd::{AsFd as _, OwnedFd};
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;

/// A sealed memory file of these bytes.
///
/// # Errors
/// The kernel's.
pub fn sealed(name: &str, bytes: &[u8]) -> Result<OwnedFd, Errno> {
    let file = rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut rest = bytes;
    while !rest.is_empty() {
        let written = rustix::io::retry_on_intr(|| rustix::io::write(&file, rest))?;
        rest = rest.get(written..).unwrap_or_default();
    }
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    rustix::fs::fcntl_add_seals(&file, seals)?;
    Ok(file)
}

/// Reads a sealed memory file whole.
///
/// # Errors
/// `EPERM` if it is not sealed, `EFBIG` if it is longer than `bytes_max`, else the kernel's.
pub fn unsealed(file: &OwnedFd, bytes_max: usize) -> Result<Vec<u8>, Errno> {
    let wanted = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    if !rustix::fs::fcntl_get_seals(file)?.contains(wanted) {
        return Err(Errno::PERM);
    }
    let size = usize::try_from(rustix::fs::fstat(file)?.st_size).ok().ok_or(Errno::FBIG)?;
    if size > bytes_max {
        return Err(Errno::FBIG);
    }
    let mut bytes = vec![0_u8; size];
    let mut at = 0;
    while at < size {
        let room = bytes.get_mut(at..).ok_or(Errno::FBIG)?;
        match rustix::io::retry_on_intr(|| rustix::io::pread(file.as_fd(), &mut *room, at as u64))? {
            0 => return Err(Errno::BADMSG),
            read => at += read,
        }
    }
    Ok(bytes)
}
