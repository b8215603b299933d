//! Taking over descriptors that were handed to this process at its start.

use rustix::fd::{BorrowedFd, FromRawFd as _, OwnedFd};
use rustix::io::{Errno, FdFlags};
use std::sync::atomic::{AtomicBool, Ordering};

/// The first number after the standard streams.
const FIRST: i32 = 3;

static TAKEN: AtomicBool = AtomicBool::new(false);

/// The first `N` descriptors after the standard streams, with close-on-exec set; once for each process.
///
/// To be called first of all in `main`, before anything else could have opened a descriptor.
///
/// # Errors
/// `EBADF` if one of them is not open, `EALREADY` at a second call.
pub fn take<const N: usize>() -> Result<[OwnedFd; N], Errno> {
    if TAKEN.swap(true, Ordering::SeqCst) {
        return Err(Errno::ALREADY);
    }
    for number in (FIRST..).take(N) {
        // SAFETY: borrowed for this one call, which answers EBADF if the number is not open.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        rustix::io::fcntl_setfd(descriptor, FdFlags::CLOEXEC)?;
    }
    let mut numbers = FIRST..;
    Ok(std::array::from_fn(|_| {
        let number = numbers.next().unwrap_or(FIRST);
        // SAFETY: all were open just now, and each number comes once; the flag above makes sure that they are taken
        // once, and the caller that nobody else owns them.
        unsafe { OwnedFd::from_raw_fd(number) }
    }))
}
