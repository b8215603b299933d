//! Bodies as they pass: counted while they stream, cut when a budget or a credential ends, never gathered.

use crate::origin::Lease;
use crate::passage::{Exhausted, Passage};
use cofferdam_policy::net::refusal::{Refusal, RefusalReason};
use http_body_util::Full;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Why a body ended before its end.
pub(crate) type Cut = Box<dyn std::error::Error + Send + Sync>;

/// Which way a body goes.
#[derive(Debug, Clone, Copy)]
enum Way {
    Up,
    Down,
}

/// Another's body, counted.
#[derive(Debug)]
pub(crate) struct Counted {
    inner: Incoming,
    way: Way,
    passage: Arc<Passage>,
}

impl Counted {
    /// A request's.
    pub(crate) fn up(inner: Incoming, passage: Arc<Passage>) -> Self {
        Self { inner, way: Way::Up, passage }
    }

    /// A response's.
    pub(crate) fn down(inner: Incoming, passage: Arc<Passage>) -> Self {
        Self { inner, way: Way::Down, passage }
    }

    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let frame = match std::task::ready!(Pin::new(&mut self.inner).poll_frame(context)) {
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
            Some(Ok(frame)) => frame,
        };
        let count = frame.data_ref().map_or(0, |data| u64::try_from(data.len()).unwrap_or(u64::MAX));
        let counted = match self.way {
            Way::Up => self.passage.up(count),
            Way::Down => self.passage.down(count),
        };
        Poll::Ready(Some(counted.map(|()| frame).map_err(Into::into)))
    }

    pub(crate) fn passage(&self) -> &Arc<Passage> {
        &self.passage
    }
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

/// A request's body on its way to an origin.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// As it comes from the cell.
    Passed(Counted),
    /// None.
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
            Self::Empty => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Passed(body) => body.is_end_stream(),
            Self::Empty => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Passed(body) => body.size_hint(),
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
    body: Counted,
    lease: Option<Lease>,
    has_ended: bool,
}

impl Passed {
    pub(crate) fn new(body: Counted, lease: Lease) -> Self {
        Self { body, lease: Some(lease), has_ended: false }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let frame = std::task::ready!(self.body.poll(context));
        match &frame {
            None => self.has_ended = true,
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                let exhausted = error.downcast_ref::<Exhausted>();
                let reason =
                    exhausted.map_or(RefusalReason::UpstreamMalformed, |exhausted| exhausted.reason());
                let passage = self.body.passage();
                let (destination, method, path) = (passage.destination(), passage.method(), passage.path());
                passage.words().refused(&Refusal::of_request(reason, destination, method, path));
                self.lease = None;
            }
        }
        Poll::Ready(frame)
    }
}

impl Drop for Passed {
    /// A connection whose response was read to its end may serve again; any other ends here.
    fn drop(&mut self) {
        if (self.has_ended || self.body.is_end_stream())
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
            Self::Passed(passed) => passed.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Said(body) => body.size_hint(),
            Self::Passed(passed) => passed.body.size_hint(),
        }
    }
}
