//! Bodies as they pass: counted while they stream, cut when a budget or a credential ends, never gathered.

use crate::exchange::{BodyScanner, Exchange, Scrubber};
use crate::origin::Lease;
use crate::passage::Passage;
use crate::serve::request::field_bytes;
use cofferdam_policy::net::credential::CredentialName;
use cofferdam_policy::net::grant::Methods;
use cofferdam_policy::net::path::PathPattern;
use cofferdam_policy::net::refusal::{Refusal, RefusalReason};
use cofferdam_policy::net::verdict::{Permitted as _, RequestPermit};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

/// How much of a refused request's body is read, and how long: before the answer, and in all.
const DRAINED_BYTES_MAX: u64 = 16 << 20;
const DRAINED_FIRST_TIME_MAX: Duration = Duration::from_millis(100);
const DRAINED_TIME_MAX: Duration = Duration::from_secs(5);

/// Why a body ended before its end.
pub(crate) type Cut = Box<dyn std::error::Error + Send + Sync>;

/// A request's body, counted, and looked through for handles.
#[derive(Debug)]
pub(crate) struct Counted {
    inner: Incoming,
    passage: Arc<Passage>,
    exchange: Arc<Exchange>,
    scanner: Option<BodyScanner>,
    trailers: Trailers,
}

/// What becomes of a request's trailers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trailers {
    /// They go on, but for those that belong into a head.
    Cleaned,
    /// They don't: some servers take them for fields of the head, which was judged and changed without them.
    Dropped,
}

impl Trailers {
    /// Where a grant says more of a request than where it goes, trailers can't take that back.
    pub(crate) fn under(permit: &RequestPermit) -> Self {
        let grant = permit.grant();
        let reads_all = grant.paths.iter().any(PathPattern::is_everything);
        let is_open = grant.credential.is_none() && grant.methods == Methods::Any && reads_all;
        if is_open { Self::Cleaned } else { Self::Dropped }
    }
}

/// A handle stood in what was sent.
#[derive(Debug, Clone, Copy, Error)]
#[error("a handle stands in the body")]
pub(crate) struct Leaked;

impl Counted {
    pub(crate) fn new(
        inner: Incoming,
        passage: Arc<Passage>,
        exchange: Arc<Exchange>,
        trailers: Trailers,
    ) -> Self {
        let scanner = exchange.body_scanner();
        Self { inner, passage, exchange, scanner, trailers }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let frame = match std::task::ready!(Pin::new(&mut self.inner).poll_frame(context)) {
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
            Some(Ok(frame)) => frame,
        };
        Poll::Ready(match self.checked(&frame) {
            Ok(()) => self.passed(frame).map(Ok),
            Err(cut) => Some(Err(cut)),
        })
    }

    /// What goes on of it; trailers are the last.
    fn passed(&self, frame: Frame<Bytes>) -> Option<Frame<Bytes>> {
        let mut trailers = match frame.into_trailers() {
            Ok(trailers) => trailers,
            Err(data) => return Some(data),
        };
        self.exchange.clean_trailers(&mut trailers);
        (self.trailers == Trailers::Cleaned && !trailers.is_empty()).then(|| Frame::trailers(trailers))
    }

    fn checked(&mut self, frame: &Frame<Bytes>) -> Result<(), Cut> {
        let scanned = match (frame.data_ref(), frame.trailers_ref(), &mut self.scanner) {
            (Some(data), _, Some(scanner)) => scanner.push(data),
            (None, Some(trailers), Some(_)) => self.exchange.leak_in_headers(trailers).map_or(Ok(()), Err),
            (..) => Ok(()),
        };
        if let Err(leak) = scanned {
            self.passage.words().leaked(&leak, self.passage.destination());
            self.passage.cut(RefusalReason::HandleMisplaced);
            return Err(Leaked.into());
        }
        let trailers = frame.trailers_ref().map_or(0, field_bytes);
        Ok(self.passage.up(length(frame).saturating_add(trailers))?)
    }
}

fn length(frame: &Frame<Bytes>) -> u64 {
    frame.data_ref().map_or(0, |data| u64::try_from(data.len()).unwrap_or(u64::MAX))
}

impl Body for Counted {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        self.get_mut().poll(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A request's body that was read and looked at, and keeps its room until it is sent.
#[derive(Debug)]
pub(crate) struct Whole {
    inner: Full<Bytes>,
    _room: Option<OwnedSemaphorePermit>,
}

impl Whole {
    pub(crate) fn new(bytes: Vec<u8>, room: Option<OwnedSemaphorePermit>) -> Self {
        Self { inner: Full::new(bytes.into()), _room: room }
    }
}

/// Reads what is left of a refused request: a client that still writes when its stream ends may never read why. Most are
/// done before the answer is ready; the others go on beside it, up to a bound.
pub(crate) async fn drain(mut body: Incoming) {
    let mut left = DRAINED_BYTES_MAX;
    if timeout(DRAINED_FIRST_TIME_MAX, drain_some(&mut body, &mut left)).await.is_err() {
        tokio::spawn(async move {
            // Whatever is unread then is the client's loss.
            let _late = timeout(DRAINED_TIME_MAX, drain_some(&mut body, &mut left)).await;
        });
    }
}

async fn drain_some(body: &mut Incoming, left: &mut u64) {
    while *left > 0
        && let Some(Ok(frame)) = body.frame().await
    {
        *left = left.saturating_sub(length(&frame).max(1));
    }
}

/// A request's body on its way to an origin.
#[derive(Debug, Default)]
pub(crate) enum Outgoing {
    /// As it comes from the cell.
    Passed(Counted),
    /// As it was looked at.
    Whole(Whole),
    /// None.
    #[default]
    Empty,
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.get_mut() {
            Self::Passed(body) => body.poll(context),
            Self::Whole(body) => {
                Pin::new(&mut body.inner).poll_frame(context).map_err(|never| match never {})
            }
            Self::Empty => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Passed(body) => body.is_end_stream(),
            Self::Whole(body) => body.inner.is_end_stream(),
            Self::Empty => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Passed(body) => body.size_hint(),
            Self::Whole(body) => body.inner.size_hint(),
            Self::Empty => SizeHint::with_exact(0),
        }
    }
}

/// A response's body on its way into the cell.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The gateway's own words.
    Said(Full<Bytes>),
    /// As it comes from an origin.
    Passed(Box<Passed>),
}

/// An origin's body, and the connection that it comes by.
#[derive(Debug)]
pub(crate) struct Passed {
    inner: Incoming,
    passage: Arc<Passage>,
    lease: Option<Lease>,
    scrubbing: Option<Scrubbing>,
    has_ended: bool,
    room: Arc<OwnedSemaphorePermit>,
}

/// Bytes that keep the room of their answer until they are written: hyper has them for as long as the client takes none,
/// when the answer itself is long gone.
struct Kept {
    bytes: Bytes,
    _room: Arc<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The same bytes, with their room.
pub(crate) fn kept(bytes: Bytes, room: &Arc<OwnedSemaphorePermit>) -> Bytes {
    Bytes::from_owner(Kept { bytes, _room: Arc::clone(room) })
}

/// Where a secret was sent, none comes back.
#[derive(Debug)]
pub(crate) struct Scrubbing {
    pub(crate) scrubber: Scrubber,
    pub(crate) exchange: Arc<Exchange>,
    credential: Option<CredentialName>,
    /// What comes after what was held back: nothing, once it is `None`.
    last: Option<Frame<Bytes>>,
}

impl Scrubbing {
    pub(crate) fn new(scrubber: Scrubber, exchange: Arc<Exchange>, permit: &RequestPermit) -> Self {
        Self { scrubber, exchange, credential: permit.credential().cloned(), last: None }
    }

    /// The part of a frame that can go on now.
    fn pass(&mut self, frame: Frame<Bytes>) -> Option<Frame<Bytes>> {
        match frame.into_data() {
            Ok(data) => Some(Frame::data(self.scrubber.push(data))).filter(|frame| length(frame) > 0),
            Err(frame) => {
                let mut trailers = frame.into_trailers().unwrap_or_default();
                self.exchange.scrub_fields(self.credential.as_ref(), &mut trailers);
                let held = self.scrubber.finish();
                let trailers = Frame::trailers(trailers);
                if held.is_empty() {
                    return Some(trailers);
                }
                self.last = Some(trailers);
                Some(Frame::data(held))
            }
        }
    }

    fn rest(&mut self) -> Option<Frame<Bytes>> {
        let held = self.scrubber.finish();
        if held.is_empty() { None } else { Some(Frame::data(held)) }
    }
}

impl Passed {
    pub(crate) fn new(
        inner: Incoming,
        passage: Arc<Passage>,
        lease: Lease,
        scrubbing: Option<Scrubbing>,
        room: OwnedSemaphorePermit,
    ) -> Self {
        Self { inner, passage, lease: Some(lease), scrubbing, has_ended: false, room: Arc::new(room) }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let frame = std::task::ready!(self.poll_bare(context));
        let kept = |frame: Frame<Bytes>| frame.map_data(|data| kept(data, &self.room));
        Poll::Ready(frame.map(|frame| frame.map(kept)))
    }

    fn poll_bare(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        loop {
            if let Some(last) = self.scrubbing.as_mut().and_then(|scrubbing| scrubbing.last.take()) {
                return Poll::Ready(Some(Ok(last)));
            }
            let frame = match std::task::ready!(Pin::new(&mut self.inner).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => {
                    return Poll::Ready(Some(Err(self.cut(RefusalReason::UpstreamMalformed, error))));
                }
                None => {
                    self.has_ended = true;
                    return Poll::Ready(self.scrubbing.as_mut().and_then(Scrubbing::rest).map(Ok));
                }
            };
            if let Err(exhausted) = self.passage.down(length(&frame)) {
                return Poll::Ready(Some(Err(self.cut(exhausted.reason(), exhausted))));
            }
            let Some(scrubbing) = &mut self.scrubbing else { return Poll::Ready(Some(Ok(frame))) };
            if let Some(frame) = scrubbing.pass(frame) {
                return Poll::Ready(Some(Ok(frame)));
            }
        }
    }

    /// The head is long gone: what is wrong is told to the owner, and the agent sees a body cut short.
    fn cut(&mut self, reason: RefusalReason, error: impl Into<Cut>) -> Cut {
        let passage = &self.passage;
        let (destination, method, path) = (passage.destination(), passage.method(), passage.path());
        passage.words().refused(&Refusal::of_request(reason, destination, method, path));
        self.lease = None;
        error.into()
    }

    fn is_at_end(&self) -> bool {
        self.has_ended || (self.scrubbing.is_none() && self.inner.is_end_stream())
    }
}

impl Drop for Passed {
    /// A connection whose response was read to its end may serve again; any other ends here.
    fn drop(&mut self) {
        if (self.has_ended || self.inner.is_end_stream())
            && let Some(lease) = self.lease.take()
        {
            lease.give_back();
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.get_mut() {
            Self::Said(body) => Pin::new(body).poll_frame(context).map_err(|never| match never {}),
            Self::Passed(passed) => passed.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Said(body) => body.is_end_stream(),
            Self::Passed(passed) => passed.is_at_end(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Said(body) => body.size_hint(),
            Self::Passed(passed) => passed.inner.size_hint(),
        }
    }
}
