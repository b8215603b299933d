//! A stream whose HTTP is followed byte by byte on its way in: what is malformed, or comes too slowly, ends it.

use super::crowd::{LongHeads, Room, SHORT_BYTES_MAX};
use super::idle::{Idleness, Waited};
use crate::protocol::block::Blocks;
use crate::protocol::head::{HeadError, Requests};
use cofferdam_policy::net::refusal::RefusalReason;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
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

impl Broken {
    pub(super) fn reason(self) -> RefusalReason {
        match self {
            Self::Malformed(HeadError::TooLong) => RefusalReason::TooLarge,
            Self::Malformed(_) => RefusalReason::MessageMalformed,
            Self::Slow => RefusalReason::TooSlow,
            Self::Crowded => RefusalReason::TooManyOpen,
        }
    }
}

/// How far heads have come, by what is spoken.
pub(super) trait Heads: Unpin {
    /// Takes the next bytes, which may go on iff it is `Ok`.
    fn push(&mut self, bytes: &[u8]) -> Result<(), HeadError>;
    /// How much of a head has come that is not whole; `None` where bytes are not gathered.
    fn gathered(&self) -> Option<usize>;
    /// Whether a head is begun and not whole.
    fn is_in_a_head(&self) -> bool;
    /// Whether all that has come are whole requests.
    fn is_between_requests(&self) -> bool;
}

impl Heads for Requests {
    fn push(&mut self, bytes: &[u8]) -> Result<(), HeadError> {
        self.push(bytes)
    }

    fn gathered(&self) -> Option<usize> {
        self.gathered()
    }

    fn is_in_a_head(&self) -> bool {
        self.is_in_a_head()
    }

    fn is_between_requests(&self) -> bool {
        self.is_between_requests()
    }
}

impl Heads for Blocks {
    fn push(&mut self, bytes: &[u8]) -> Result<(), HeadError> {
        self.push(bytes)
    }

    fn gathered(&self) -> Option<usize> {
        self.gathered()
    }

    fn is_in_a_head(&self) -> bool {
        self.gathered().is_some()
    }

    /// Never so that the connection could be taken from hyper.
    fn is_between_requests(&self) -> bool {
        false
    }
}

/// Why a stream was given up, for those who have it no more; once at most.
pub(super) type Verdict = Arc<OnceLock<Broken>>;

/// The stream, and how far its requests have come.
#[derive(Debug)]
pub(super) struct Guarded<S, H = Requests> {
    stream: S,
    requests: H,
    broken: Verdict,
    /// Runs while a head is begun and not whole.
    clock: Option<Pin<Box<Sleep>>>,
    room: Room,
    idleness: Arc<Idleness>,
}

impl<S, H: Heads> Guarded<S, H> {
    pub(super) fn new(stream: S, requests: H, idleness: Arc<Idleness>, heads: &Arc<LongHeads>) -> Self {
        let room = Room::new(heads);
        Self { stream, requests, broken: Verdict::default(), clock: None, room, idleness }
    }

    pub(super) fn into_parts(self) -> (Option<Broken>, S) {
        (self.broken.get().copied(), self.stream)
    }

    /// Where it stands why it was given up, if it was.
    pub(super) fn verdict(&self) -> Verdict {
        Arc::clone(&self.broken)
    }

    fn give_up(&mut self, broken: Broken) -> Poll<io::Result<()>> {
        let _before = self.broken.set(broken);
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

impl<S: AsyncRead + Unpin, H: Heads> AsyncRead for Guarded<S, H> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(broken) = self.broken.get().copied() {
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

impl<S: AsyncWrite + Unpin, H: Heads> AsyncWrite for Guarded<S, H> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::block::tests::{PREFACE, frame};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    const HEADERS: u8 = 1;
    const END_HEADERS: u8 = 4;

    /// What is read of a connection by HTTP/2 on which so much is said, until nothing more is to be had.
    async fn read(said: &[u8], heads: &Arc<LongHeads>) -> (usize, Option<Broken>) {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        client.write_all(said).await.unwrap();
        let mut guarded = Guarded::new(server, Blocks::new(), Arc::default(), heads);
        let (mut read, mut buffer) = (0, vec![0; 4 << 10]);
        let patience = Duration::from_millis(50);
        while let Ok(Ok(more)) = tokio::time::timeout(patience, guarded.read(&mut buffer)).await {
            read += more;
        }
        (read, guarded.into_parts().0)
    }

    #[test]
    fn the_attack_of_blocks_without_an_end_gets_no_more_room_than_long_heads_have() {
        crate::tests::harness::run(async {
            let heads: Arc<LongHeads> = Arc::default();
            let begun = [PREFACE, &frame(HEADERS, 0, &[1; 16_000])].concat();
            let (all, broken) = read(&begun, &heads).await;
            assert!(all == begun.len() && broken.is_none(), "there is room: {all}");
            let context = Context::from_waker(std::task::Waker::noop());
            let mut rooms: Vec<Room> = (0..1_000).map(|_| Room::new(&heads)).collect();
            let taken =
                rooms.iter_mut().filter_map(|room| room.poll(&context).is_ready().then_some(())).count();
            assert!(taken < 1_000);
            let (some, broken) = read(&begun, &heads).await;
            assert!(some < begun.len() && broken.is_none(), "it waits: {some}");
            assert!(rooms.iter().any(|room| room.is_pressed(&context)), "and presses the oldest");
            // The control: what ends needs no room.
            let whole =
                [PREFACE, &frame(HEADERS, END_HEADERS, &[1; 5_000]), &frame(0, 0, &[2; 90_000])].concat();
            assert_eq!(read(&whole, &heads).await.0, whole.len());
            let endless = [&begun[..], &frame(9, 0, &[1; 60_000])].concat();
            let (_, broken) = read(&endless, &Arc::default()).await;
            assert!(matches!(broken, Some(Broken::Malformed(HeadError::TooLong))), "{broken:?}");
        });
    }
}
