//! Bringing up the loopback device of a fresh network namespace.

use crate::process::check;
use rustix::fd::AsRawFd as _;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

/// Sets `lo` up in the caller's network namespace (`netdevice(7)`).
///
/// # Errors
/// The kernel's: `EPERM` without `CAP_NET_ADMIN` over the namespace.
pub fn loopback_up() -> Result<(), Errno> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    // SAFETY: `ifreq` is a plain C structure of integers and arrays, for which zero bytes are valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, byte) in request.ifr_name.iter_mut().zip(*b"lo") {
        *place = byte as libc::c_char;
    }
    request.ifr_ifru.ifru_flags =
        libc::c_short::try_from(libc::IFF_UP | libc::IFF_RUNNING).ok().ok_or(Errno::INVAL)?;
    // SAFETY: the socket is open; the request is initialised, NUL-terminated by its zeroes, and only read.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    check(result.into())
}
