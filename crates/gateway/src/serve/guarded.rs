//! A stream whose HTTP/1 is followed byte by byte on its way in: what is malformed, or comes too slowly, ends it.

use super::crowd::{LongHeads, Room, SHORT_BYTES_MAX};
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

/// What is read at once. With more, hyper would make its buffers larger for as long as a connection stands.
const READ_BYTES_MAX: usize = 16 << 10;

/// Why a stream was given up.
#[derive(Debug, Clone, Copy)]
pub(super) enum Broken {
    /// No request.
    Malformed(HeadError),
    /// A head that does not come to its end.
    Slow,
    /// A long head that does not come to its end, whose room others need.
    Crowded,
}

/// The stream, and how far its requests have come.
#[derive(Debug)]
pub(super) struct Guarded<S> {
    stream: S,
    requests: Requests,
    broken: Option<Broken>,
    /// Runs while a head is begun and not whole.
    clock: Option<Pin<Box<Sleep>>>,
    room: Room,
    idleness: Arc<Idleness>,
}

impl<S> Guarded<S> {
    pub(super) fn new(stream: S, idleness: Arc<Idleness>, heads: &Arc<LongHeads>) -> Self {
        let room = Room::new(heads);
        Self { stream, requests: Requests::new(), broken: None, clock: None, room, idleness }
    }

    pub(super) fn into_parts(self) -> (Option<Broken>, S) {
        (self.broken, self.stream)
    }

    fn give_up(&mut self, broken: Broken) -> Poll<io::Result<()>> {
        self.broken = Some(broken);
        Poll::Ready(Err(io::ErrorKind::InvalidData.into()))
    }

    /// How much may be read now; nothing while there is no room for what a head has become.
    fn poll_most(&mut self, context: &Context<'_>) -> Poll<usize> {
        match self.requests.gathered() {
            Some(gathered @ ..SHORT_BYTES_MAX) => {
                self.room.leave();
                Poll::Ready(SHORT_BYTES_MAX - gathered)
            }
            Some(_) => self.room.poll(context).map(|()| READ_BYTES_MAX),
            None => {
                self.room.leave();
                Poll::Ready(READ_BYTES_MAX)
            }
        }
    }

    /// There is nothing to read: a head that was begun may wait for so long.
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.room.is_pressed(context) {
            return self.give_up(Broken::Crowded);
        }
        if !self.requests.is_in_a_head() {
            return Poll::Pending;
        }
        let clock = self.clock.get_or_insert_with(|| Box::pin(tokio::time::sleep(HEAD_TIME_MAX)));
        match clock.as_mut().poll(context) {
            Poll::Ready(()) => self.give_up(Broken::Slow),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Reads no more than this.
fn poll_read_some<S: AsyncRead + Unpin>(
    stream: &mut S,
    context: &mut Context<'_>,
    into: &mut ReadBuf<'_>,
    most: usize,
) -> Poll<io::Result<()>> {
    if into.remaining() <= most {
        return Pin::new(stream).poll_read(context, into);
    }
    let mut part = ReadBuf::new(into.initialize_unfilled_to(most));
    let read = Pin::new(stream).poll_read(context, &mut part);
    let count = part.filled().len();
    into.advance(count);
    read
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
        let Poll::Ready(most) = self.poll_most(context) else { return self.wait(context) };
        let before = into.filled().len();
        let read = poll_read_some(&mut self.stream, context, into, most);
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
            Poll::Pending => self.wait(context),
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
