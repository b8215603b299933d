//! A cell's connection: a socket, and what has been read of it ahead to see what it speaks.

use rustix::fd::OwnedFd;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// How much is asked of a socket at once while its first bytes are looked at.
const STEP_BYTES: usize = 4 << 10;

/// A socket with bytes read ahead of those who will read it.
#[derive(Debug)]
pub(crate) struct Client {
    socket: TcpStream,
    ahead: Vec<u8>,
    /// Up to here what was read ahead has been taken.
    taken: usize,
}

impl Client {
    pub(crate) fn new(socket: TcpStream) -> Self {
        Self { socket, ahead: Vec::new(), taken: 0 }
    }

    /// The same socket, with `bytes` to be read before all others: what another reader took too much.
    pub(crate) fn give_back(&mut self, bytes: &[u8]) {
        let rest = self.ahead.get(self.taken..).unwrap_or_default();
        self.ahead = [bytes, rest].concat();
        self.taken = 0;
    }

    /// What has been read ahead and not taken yet.
    pub(crate) fn ahead(&self) -> &[u8] {
        self.ahead.get(self.taken..).unwrap_or_default()
    }

    /// Takes `count` bytes of what was read ahead.
    pub(crate) fn drop_ahead(&mut self, count: usize) {
        self.taken = self.ahead.len().min(self.taken.saturating_add(count));
        if self.taken == self.ahead.len() {
            (self.ahead, self.taken) = (Vec::new(), 0);
        }
    }

    /// Reads more ahead; whether there was more.
    pub(crate) async fn read_ahead(&mut self) -> io::Result<bool> {
        self.ahead.reserve(STEP_BYTES);
        Ok(self.socket.read_buf(&mut self.ahead).await? > 0)
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Ends it so that the other side sees a reset: what is not allowed must not look like a polite end.
    pub(crate) fn reset(self) {
        reset(self.socket);
    }
}

/// Closes with a reset (`SO_LINGER` of zero, socket(7)).
pub(crate) fn reset(socket: TcpStream) {
    // Where this fails the socket is beyond a reset, and closed anyway.
    let _closed = rustix::net::sockopt::set_socket_linger(&socket, Some(std::time::Duration::ZERO));
}

impl AsyncRead for Client {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.socket).poll_read(context, into);
        }
        let count = self.ahead().len().min(into.remaining());
        into.put_slice(self.ahead().get(..count).unwrap_or_default());
        self.drop_ahead(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Client {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

/// A socket of packets, to be waited for; it does not block from here on.
#[expect(
    deprecated,
    reason = "what is deprecated is unsound for types that change their descriptor; this one can't"
)]
pub(crate) fn watched(socket: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    rustix::io::ioctl_fionbio(&socket, true)?;
    AsyncFd::new(socket)
}
