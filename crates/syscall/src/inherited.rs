//! Taking over descriptors that were handed to this process at its start.

use rustix::fd::{BorrowedFd, FromRawFd as _, OwnedFd};
use rustix::io::{Errno, FdFlags};
use std::sync::atomic::{AtomicBool, Ordering};

/// The first number after the standard streams.
const FIRST: i32 = 3;

static TAKEN: AtomicBool = AtomicBool::new(false);

/// The three descriptors after the standard streams, with close-on-exec set; once for each process.
///
/// To be called first of all in `main`, before anything else could have opened a descriptor.
///
/// # Errors
/// `EBADF` if one of them is not open, `EALREADY` at a second call.
pub fn take() -> Result<[OwnedFd; 3], Errno> {
    if TAKEN.swap(true, Ordering::SeqCst) {
        return Err(Errno::ALREADY);
    }
    for number in FIRST..FIRST + 3 {
        // SAFETY: borrowed for this one call, which answers EBADF if the number is not open.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        rustix::io::fcntl_setfd(descriptor, FdFlags::CLOEXEC)?;
    }
    // SAFETY: all were open just now; the flag above makes sure that they are taken once, and the caller that
    // nobody else owns them.
    Ok([FIRST, FIRST + 1, FIRST + 2].map(|number| unsafe { OwnedFd::from_raw_fd(number) }))
}
