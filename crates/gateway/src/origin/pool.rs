//! Connections that wait for another request to the same place under the same grant.
//!
//! A grant names the credential, so no connection ever serves two. HTTP/2 connections are shared, others are lent.

use super::connect::Dialed;
use super::handover::{Unanswered, Unfilled};
use super::{Failure, Site};
use crate::body::Outgoing;
use crate::bounds::{
    NARROW_WINDOW_BYTES, SENDING_BYTES_MAX, WIDE_CONNECTION_WINDOW_BYTES, WIDE_CONNECTIONS_MAX,
    WIDE_WINDOW_BYTES,
};
use crate::passage::Revoked;
use cofferdam_policy::net::credential::CredentialName;
use cofferdam_policy::net::grant::Scheme;
use cofferdam_policy::net::host::Destination;
use cofferdam_policy::net::verdict::{Permitted as _, RequestPermit};
use hyper::Response;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::rt::Executor;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Shorter than most servers keep a connection that says nothing.
const IDLE_TIME_MAX: Duration = Duration::from_secs(50);
/// As many as one cell may well use at once: with fewer, a busy cell's requests would open most of theirs anew.
const IDLE_PER_PLACE_MAX: usize = 256;
const PLACES_MAX: usize = 1_024;
/// Head of a response, and what is read of a body before it is passed on.
const HEAD_BYTES_MAX: usize = 64 << 10;
const FIELDS_MAX: usize = 200;

/// A grant, and where it leads. By another scheme what is asked there would go in clear text, or to somebody else.
type Place = (usize, Scheme, Destination);
type Old = http1::SendRequest<Outgoing>;
type New = http2::SendRequest<Outgoing>;

#[derive(Debug, Default)]
struct Waiting {
    new: Option<(New, Instant)>,
    old: Vec<(Old, Instant)>,
}

/// All that wait.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    places: Arc<Mutex<HashMap<Place, Waiting>>>,
    /// For connections that may bring much at once.
    wide: Arc<Semaphore>,
    revoked: Revoked,
}

#[derive(Debug)]
enum Sender {
    Old(Old),
    New(New),
}

/// Whether a connection may serve more than one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reuse {
    /// Those of its grant.
    OfGrant,
    /// The owner has allowed this one, and no other.
    Never,
}

/// A connection on loan, for one request.
#[derive(Debug)]
pub(crate) struct Lease {
    sender: Sender,
    place: Place,
    reuse: Reuse,
    pool: Pool,
}

impl Pool {
    pub(crate) fn new(revoked: Revoked) -> Self {
        Self { places: Arc::default(), wide: Arc::new(Semaphore::new(WIDE_CONNECTIONS_MAX)), revoked }
    }

    /// One that waits for this grant and place.
    pub(crate) fn waiting(&self, permit: &RequestPermit, reuse: Reuse) -> Option<Lease> {
        if reuse == Reuse::Never {
            return None;
        }
        let place = place(permit);
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = places.get_mut(&place)?;
        let now = Instant::now();
        if let Some((sender, used)) = &mut waiting.new {
            if sender.is_closed() {
                waiting.new = None;
            } else {
                *used = now;
                return Some(Lease { sender: Sender::New(sender.clone()), place, reuse, pool: self.clone() });
            }
        }
        while let Some((sender, since)) = waiting.old.pop() {
            if !sender.is_closed() && now.duration_since(since) < IDLE_TIME_MAX {
                return Some(Lease { sender: Sender::Old(sender), place, reuse, pool: self.clone() });
            }
        }
        None
    }

    /// Begins HTTP on a new connection. It is cut when its credential is revoked.
    pub(crate) async fn open(
        &self,
        permit: &RequestPermit,
        reuse: Reuse,
        dialed: Dialed,
    ) -> Result<Lease, Failure> {
        let place = place(permit);
        let credential = permit.credential().cloned();
        let is_new = dialed.is_http2();
        let sender = match dialed {
            Dialed::Tls(stream) if is_new => {
                let cut = Cut { credential: credential.clone(), revoked: self.revoked.clone() };
                let wide = Arc::clone(&self.wide).try_acquire_owned().ok();
                let window = wide.as_ref().map_or(NARROW_WINDOW_BYTES, |_room| WIDE_WINDOW_BYTES);
                let (sender, connection) = http2::Builder::new(cut)
                    .timer(TokioTimer::new())
                    .initial_stream_window_size(window)
                    .initial_connection_window_size(WIDE_CONNECTION_WINDOW_BYTES)
                    .max_send_buf_size(SENDING_BYTES_MAX)
                    .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX))
                    .handshake(TokioIo::new(*stream))
                    .await
                    .map_err(Failure::Malformed)?;
                self.drive(credential, async move {
                    let ended = connection.await;
                    drop(wide);
                    ended
                });
                if reuse == Reuse::OfGrant {
                    let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
                    places.entry(place.clone()).or_default().new = Some((sender.clone(), Instant::now()));
                }
                Sender::New(sender)
            }
            Dialed::Tls(stream) => self.begin(credential, *stream).await?,
            Dialed::Clear(socket) => self.begin(credential, socket).await?,
        };
        Ok(Lease { sender, place, reuse, pool: self.clone() })
    }

    async fn begin<S>(&self, credential: Option<CredentialName>, stream: S) -> Result<Sender, Failure>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let handshake = old_builder().handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(Failure::Malformed)?;
        self.drive(credential, connection);
        Ok(Sender::Old(sender))
    }

    fn drive<C>(&self, credential: Option<CredentialName>, connection: C)
    where
        C: Future<Output = hyper::Result<()>> + Send + 'static,
    {
        Cut { credential, revoked: self.revoked.clone() }.execute(connection);
    }

    fn give_back(&self, place: Place, sender: Old) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= PLACES_MAX {
            places.clear();
        }
        let waiting = places.entry(place).or_default();
        if waiting.old.len() < IDLE_PER_PLACE_MAX {
            waiting.old.push((sender, Instant::now()));
        }
    }

    /// Closes what has waited too long; to be called now and then.
    pub(crate) fn sweep(&self) {
        let now = Instant::now();
        let is_fresh = |since: &Instant| now.duration_since(*since) < IDLE_TIME_MAX;
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|_, waiting| {
            waiting.old.retain(|(sender, since)| is_fresh(since) && !sender.is_closed());
            waiting.new = waiting.new.take().filter(|(sender, used)| is_fresh(used) && !sender.is_closed());
            waiting.new.is_some() || !waiting.old.is_empty()
        });
    }
}

/// Runs the parts of a connection until its credential is revoked. HTTP/2 has several: with any one of them left, what
/// was sent goes on.
#[derive(Debug, Clone)]
struct Cut {
    credential: Option<CredentialName>,
    revoked: Revoked,
}

impl<F> Executor<F> for Cut
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, part: F) {
        let Self { credential, revoked } = self.clone();
        tokio::spawn(async move {
            // How it ended is told by the request that it carried.
            let _ended = revoked.unless(credential.as_ref(), part).await;
        });
    }
}

fn place(permit: &RequestPermit) -> Place {
    (permit.index(), permit.grant().scheme, permit.destination().clone())
}

/// HTTP/1.1 towards an origin.
pub(crate) fn old_builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX).max_headers(FIELDS_MAX);
    builder
}

impl Lease {
    /// Sends the request; on failure it comes back, if nothing of it was sent.
    pub(super) async fn send(
        &mut self,
        mut request: Unfilled,
        to: &Site,
    ) -> Result<Response<Incoming>, Unanswered> {
        match &mut self.sender {
            Sender::Old(sender) => {
                to.address_old(request.request_mut());
                request.send(sender).await
            }
            Sender::New(sender) => {
                to.address_new(request.request_mut());
                request.send(sender).await
            }
        }
    }

    /// The response has been read to its end: the connection may serve again.
    pub(crate) fn give_back(self) {
        match (self.sender, self.reuse) {
            (Sender::Old(sender), Reuse::OfGrant) => self.pool.give_back(self.place, sender),
            (Sender::New(_), Reuse::OfGrant | Reuse::Never) | (Sender::Old(_), Reuse::Never) => {}
        }
    }
}
