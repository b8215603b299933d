//! A stream whose HTTP/1 is followed byte by byte on its way in: what is malformed, or comes too slowly, ends it.

use super::idle::{Idleness, Waited};
use crate::protocol::head::{HeadError, Requests};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// From the first byte of a head to its last.
const HEAD_TIME_MAX: Duration = Duration::from_secs(30);

/// Why a stream was given up.
#[derive(Debug, Clone, Copy)]
pub(super) enum Broken {
    /// No request.
    Malformed(HeadError),
    /// A head that does not come to its end.
    Slow,
}

/// The stream, and how far its requests have come.
#[derive(Debug)]
pub(super) struct Guarded<S> {
    stream: S,
    requests: Requests,
    broken: Option<Broken>,
    /// Runs while a head is begun and not whole.
    clock: Option<Pin<Box<Sleep>>>,
    idleness: Arc<Idleness>,
}

impl<S> Guarded<S> {
    pub(super) fn new(stream: S, idleness: Arc<Idleness>) -> Self {
        Self { stream, requests: Requests::new(), broken: None, clock: None, idleness }
    }

    pub(super) fn into_parts(self) -> (Option<Broken>, S) {
        (self.broken, self.stream)
    }

    fn give_up(&mut self, broken: Broken) -> Poll<io::Result<()>> {
        self.broken = Some(broken);
        Poll::Ready(Err(io::ErrorKind::InvalidData.into()))
    }
}

impl<S: Waited> Guarded<S> {
    /// Waits between two requests, without room for either.
    pub(super) async fn coming(&mut self) -> io::Result<()> {
        self.requests.rest();
        std::future::poll_fn(|context| self.stream.poll_coming(context)).await
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(broken) = self.broken {
            return self.give_up(broken);
        }
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, into);
        self.idleness.waits(read.is_pending() && self.requests.is_between_requests());
        match read {
            Poll::Ready(Ok(())) => {
                let read = into.filled().get(before..).unwrap_or_default();
                if let Err(error) = self.requests.push(read) {
                    into.set_filled(before);
                    return self.give_up(Broken::Malformed(error));
                }
                if !self.requests.is_in_a_head() {
                    self.clock = None;
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending if self.requests.is_in_a_head() => {
                let clock = self.clock.get_or_insert_with(|| Box::pin(tokio::time::sleep(HEAD_TIME_MAX)));
                match clock.as_mut().poll(context) {
                    Poll::Ready(()) => self.give_up(Broken::Slow),
                    Poll::Pending => Poll::Pending,
                }
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.idleness.flushed(false);
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.idleness.flushed(false);
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.idleness.flushed(matches!(flushed, Poll::Ready(Ok(()))));
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
