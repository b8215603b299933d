//! A connection between two requests: it keeps its socket and its keys, and nothing of what HTTP needs to read.
//!
//! Programs hold many connections open on which they ask nothing, and for each hyper keeps a buffer of 8 KiB to read and
//! one to write. So its part is given up as soon as the last answer is out, and made anew when the next byte has come.
//! Nothing is read here: what the byte belongs to is for those to say who read requests.

use crate::body::{Answer, Cut};
use crate::stream::Client;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tokio_rustls::server::TlsStream;

/// A stream that can be waited for without a buffer to read into.
pub(crate) trait Waited {
    /// Ready when a read could give something, be it the stream's end. To be asked after a read had to wait: what has
    /// been decrypted already is not seen here.
    fn poll_coming(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;
}

impl Waited for Client {
    fn poll_coming(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.ahead().is_empty() { self.socket().poll_read_ready(context) } else { Poll::Ready(Ok(())) }
    }
}

impl<S: Waited> Waited for Box<S> {
    fn poll_coming(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.as_ref().poll_coming(context)
    }
}

impl<S: Waited> Waited for TlsStream<S> {
    fn poll_coming(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_ref().0.poll_coming(context)
    }
}

/// What is known of a connection from both its sides: the requests that were taken from it, and its bytes.
#[derive(Debug, Default)]
pub(super) struct Idleness {
    under_way: AtomicUsize,
    is_waiting: AtomicBool,
    is_flushed: AtomicBool,
}

impl Idleness {
    /// Whether every answer is out, and the last read had to wait for a request to begin.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) == 0
            && self.is_waiting.load(Ordering::Relaxed)
            && self.is_flushed.load(Ordering::Relaxed)
    }

    /// A read came to its end, or has to wait between two requests.
    pub(super) fn waits(&self, is_waiting: bool) {
        self.is_waiting.store(is_waiting, Ordering::Relaxed);
    }

    /// All is written, or something is not.
    pub(super) fn flushed(&self, is_flushed: bool) {
        self.is_flushed.store(is_flushed, Ordering::Relaxed);
    }

    /// A request, until its answer has gone.
    pub(super) fn begin(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(self))
    }
}

/// A request whose answer is not out.
#[derive(Debug)]
pub(super) struct UnderWay(Arc<Idleness>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The body of an answer, which is under way until it has been taken.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) answer: Answer,
    pub(super) _under_way: UnderWay,
}

impl Body for Told {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        Pin::new(&mut self.get_mut().answer).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.answer.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.answer.size_hint()
    }
}
