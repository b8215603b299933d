//! Bringing up the loopback device of a fresh network namespace, and what the kernel keeps of a connection.

use crate::process::check;
use rustix::fd::{AsRawFd as _, BorrowedFd};
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

/// Bounds what a TCP socket keeps that it could not send yet (`TCP_NOTSENT_LOWAT`, tcp(7)); what is on its way does not
/// count.
///
/// # Errors
/// The kernel's: `ENOPROTOOPT` or `EOPNOTSUPP` for what is no TCP socket.
pub fn keep_unsent(socket: BorrowedFd<'_>, bytes_max: u32) -> Result<(), Errno> {
    let length = libc::socklen_t::try_from(size_of::<u32>()).ok().ok_or(Errno::INVAL)?;
    // SAFETY: the socket is open; the value is an initialised integer of the length said, and only read.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_NOTSENT_LOWAT,
            (&raw const bytes_max).cast(),
            length,
        )
    };
    check(result.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fd::AsFd as _;
    use rustix::net::sockopt::set_socket_recv_buffer_size;
    use std::io::Write as _;
    use std::net::{TcpListener, TcpStream};

    const BYTES_MAX: u32 = 128 << 10;

    /// What a socket takes whose other side reads nothing.
    fn taken(prepare: impl Fn(&TcpStream)) -> usize {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        set_socket_recv_buffer_size(&listener, 4 << 10).unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let _reads_nothing = listener.accept().unwrap();
        prepare(&stream);
        stream.set_nonblocking(true).unwrap();
        std::iter::from_fn(|| stream.write(&[0; 16 << 10]).ok()).sum()
    }

    #[test]
    fn a_socket_keeps_no_more_unsent_than_it_was_told() {
        let bound = usize::try_from(BYTES_MAX).unwrap();
        assert!(taken(|_| {}) > 4 * bound, "without that it keeps more");
        let kept = taken(|stream| keep_unsent(stream.as_fd(), BYTES_MAX).unwrap());
        assert!(kept < 3 * bound, "{kept}");
    }

    #[test]
    fn what_is_no_tcp_socket_is_told_nothing() {
        let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert!(keep_unsent(one.as_fd(), BYTES_MAX).is_err());
    }
}
