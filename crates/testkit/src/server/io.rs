//! What stands between hyper and tokio: reading, writing, starting tasks, and a body that comes from a channel.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Bytes, Frame};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;

/// One read is at most so long.
const READ_BYTES_MAX: usize = 16 << 10;

/// A connection of tokio's as hyper wants it.
#[derive(Debug)]
pub(super) struct Connection<S> {
    stream: S,
    buffer: Box<[u8]>,
}

impl<S> Connection<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, buffer: vec![0; READ_BYTES_MAX].into() }
    }
}

impl<S: AsyncRead + Unpin> hyper::rt::Read for Connection<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut cursor: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let room = cursor.remaining().min(this.buffer.len());
        let mut buffer = ReadBuf::new(this.buffer.get_mut(..room).unwrap_or_default());
        ready!(Pin::new(&mut this.stream).poll_read(context, &mut buffer))?;
        cursor.put_slice(buffer.filled());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> hyper::rt::Write for Connection<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

/// Starts hyper's own tasks in the server's runtime.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tasks;

impl<F> hyper::rt::Executor<F> for Tasks
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, task: F) {
        drop(tokio::spawn(task));
    }
}

/// A body whose pieces are made while it is sent.
#[derive(Debug)]
pub(super) struct Pieces {
    pub(super) pieces: mpsc::Receiver<Bytes>,
    /// Known beforehand, so that there is a `content-length`.
    pub(super) length: Option<u64>,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.pieces.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.length.map_or_else(hyper::body::SizeHint::default, hyper::body::SizeHint::with_exact)
    }
}
