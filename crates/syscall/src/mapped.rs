//! Writing to a file by storing into a mapping of it, which changes the bytes and no time stamp by itself.

use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::ptr;

use rustix::fs::fstat;
use rustix::io::Errno;

/// Stores `bytes` at the beginning of `file`, which must be open for reading and writing and at least as long.
///
/// If somebody shortens the file meanwhile, SIGBUS ends the process. See `mmap(2)`.
///
/// # Errors
/// `EINVAL` if there is nothing to store or the file is too short; else the errno of `fstat`, `mmap` or `munmap`.
pub fn store(file: BorrowedFd<'_>, bytes: &[u8]) -> Result<(), Errno> {
    let size = usize::try_from(fstat(file)?.st_size).unwrap_or(0);
    if bytes.is_empty() || size < bytes.len() {
        return Err(Errno::INVAL);
    }
    let (access, length) = (libc::PROT_READ | libc::PROT_WRITE, bytes.len());
    // SAFETY: the address is the kernel's to choose, so that no memory in use is replaced; the descriptor is open for
    // the whole call, as it is borrowed.
    let start = unsafe { libc::mmap(ptr::null_mut(), length, access, libc::MAP_SHARED, file.as_raw_fd(), 0) };
    if start == libc::MAP_FAILED {
        return Err(last_errno());
    }
    // SAFETY: `start` is the beginning of `length` writable bytes that were mapped just now and that nothing else in
    // this process knows of, so that `bytes` can't overlap them; no reference to them is made.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), start.cast::<u8>(), length) };
    // SAFETY: unmaps what was mapped above, whole, and no pointer to it is used any more.
    let unmapped = unsafe { libc::munmap(start, length) };
    if unmapped == 0 { Ok(()) } else { Err(last_errno()) }
}

fn last_errno() -> Errno {
    Errno::from_raw_os_error(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::os::fd::AsFd as _;

    #[test]
    fn what_is_stored_is_in_the_file_and_a_shorter_file_is_refused() {
        let path = std::env::temp_dir().join(format!("cofferdam-mapped-{}", std::process::id()));
        fs::write(&path, "planted").unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        store(file.as_fd(), b"STORE").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"STOREed");
        assert_eq!(store(file.as_fd(), b"longer than it"), Err(Errno::INVAL));
        fs::remove_file(&path).unwrap();
    }
}
