//! Connections out of the cell, as its relay hands them over: a socket, and where it was going.
//!
//! The relay has no authority. What it says is a claim, and what it sends may be any descriptor: only a connected TCP
//! socket is taken.

use crate::bounds::UNSENT_BYTES_MAX;
use cofferdam_policy::net::arrival::{ARRIVAL_BYTES_MAX, Arrival};
use cofferdam_syscall::packet;
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::io::Errno;
use rustix::net::sockopt::{
    set_socket_keepalive, set_tcp_keepidle, set_tcp_nodelay, socket_acceptconn, socket_domain,
    socket_protocol, socket_type,
};
use rustix::net::{AddressFamily, RecvFlags, SocketType, ipproto};
use std::io;
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::net::TcpStream;

/// The most connections that are open at once; those beyond are closed as they come.
pub(crate) const CONNECTIONS_MAX: usize = 4_096;

/// A connection on which nothing is said is asked after this long whether it still stands.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(120);

/// The gateway's end of the socket to the relay.
#[derive(Debug)]
pub(crate) struct Arrivals(AsyncFd<OwnedFd>);

impl Arrivals {
    pub(crate) fn new(socket: OwnedFd) -> io::Result<Self> {
        Ok(Self(crate::stream::watched(socket)?))
    }

    /// The next connection; `None` when the cell is gone. What is no connection is closed and passed over.
    pub(crate) async fn next(&self) -> io::Result<Option<(Arrival, TcpStream)>> {
        loop {
            let mut ready = self.0.readable().await?;
            match packet::receive(self.0.get_ref().as_fd(), ARRIVAL_BYTES_MAX, RecvFlags::DONTWAIT) {
                Ok(None) => return Ok(None),
                Ok(Some((message, descriptors))) => {
                    if let Some(arrived) = arrived(&message, descriptors) {
                        return Ok(Some(arrived));
                    }
                }
                Err(Errno::AGAIN) => ready.clear_ready(),
                // Too long, or more than could be taken: a claim that can't be read.
                Err(Errno::MSGSIZE) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

fn arrived(message: &[u8], descriptors: Vec<OwnedFd>) -> Option<(Arrival, TcpStream)> {
    let arrival = Arrival::decode(message).ok()?;
    let mut descriptors = descriptors.into_iter();
    let (Some(socket), None) = (descriptors.next(), descriptors.next()) else { return None };
    Some((arrival, connection(socket)?))
}

/// A socket that came from the cell, if it is a connection.
pub(crate) fn connection(socket: OwnedFd) -> Option<TcpStream> {
    is_tcp_connection(&socket).then_some(())?;
    prepare(&socket).ok()?;
    TcpStream::from_std(socket.into()).ok()
}

/// socket(7): any kind of descriptor can come.
fn is_tcp_connection(socket: &OwnedFd) -> bool {
    let inet = [AddressFamily::INET, AddressFamily::INET6];
    socket_domain(socket).is_ok_and(|domain| inet.contains(&domain))
        && socket_type(socket) == Ok(SocketType::STREAM)
        && socket_protocol(socket) == Ok(Some(ipproto::TCP))
        && socket_acceptconn(socket) == Ok(false)
        && rustix::net::getpeername(socket).is_ok()
}

fn prepare(socket: &OwnedFd) -> Result<(), Errno> {
    rustix::io::ioctl_fionbio(socket, true)?;
    tune(socket)
}

/// What any connection of the gateway's gets.
pub(crate) fn tune(socket: impl rustix::fd::AsFd) -> Result<(), Errno> {
    set_tcp_nodelay(&socket, true)?;
    set_socket_keepalive(&socket, true)?;
    set_tcp_keepidle(&socket, KEEPALIVE_IDLE)?;
    cofferdam_syscall::network::keep_unsent(socket.as_fd(), UNSENT_BYTES_MAX)
}
