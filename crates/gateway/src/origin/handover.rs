//! The last act before a request goes: its secret comes into it, when a connection is there that takes it.
//!
//! A request waits for much: a place to be read, its body, an address, a connection, TLS. Meanwhile it holds no secret,
//! only which one is due; so what is revoked while it waits is not sent. Here alone what waits becomes what hyper sends.
//! No connection is opened here, and nothing is judged.

use super::Failure;
use crate::body::Outgoing;
use crate::exchange::{Due, Exchange};
use crate::passage::Passage;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::{Request, Response};
use std::sync::Arc;

/// A request that holds no secret, and the one that is due.
#[derive(Debug)]
pub(crate) struct Unfilled {
    request: Request<Outgoing>,
    due: Option<Due>,
    exchange: Arc<Exchange>,
    passage: Arc<Passage>,
}

/// A connection that takes a request at once. It is all that a secret is put into a request for.
#[derive(Debug)]
pub(crate) struct Live<'c, C>(&'c mut C);

/// How a request was not answered; it comes back, if nothing of it was sent.
pub(super) type Unanswered = (Failure, Option<Unfilled>);

impl Unfilled {
    pub(crate) fn new(
        request: Request<Outgoing>,
        due: Option<Due>,
        exchange: Arc<Exchange>,
        passage: Arc<Passage>,
    ) -> Self {
        Self { request, due, exchange, passage }
    }

    /// All of it but its secret.
    pub(super) fn request_mut(&mut self) -> &mut Request<Outgoing> {
        &mut self.request
    }

    /// Sends it. Between the look at what is revoked and the connection nothing waits; what is revoked after that ends
    /// the connection.
    pub(crate) async fn send<C: Carrier>(mut self, over: &mut C) -> Result<Response<Incoming>, Unanswered> {
        let live = match Live::of(over).await {
            Ok(live) => live,
            Err(error) => return Err((Failure::of_request(error), Some(self))),
        };
        let put = self.due.as_ref().map_or(Ok(()), |due| {
            self.passage.carries();
            self.exchange.put(due, &mut self.request, &live)
        });
        if let Err(reason) = put {
            return Err((Failure::Withheld(reason), None));
        }
        let Self { request, due, exchange, passage } = self;
        live.0.carry(request).await.map_err(|mut error| {
            // It holds the secret by now; before it is sent again that is looked at, and put, anew.
            let unsent = error.take_message().map(|request| Self { request, due, exchange, passage });
            (Failure::of_request(error.into_error()), unsent)
        })
    }
}

impl<'c, C: Carrier> Live<'c, C> {
    async fn of(connection: &'c mut C) -> hyper::Result<Self> {
        connection.ready().await?;
        Ok(Self(connection))
    }
}

#[cfg(test)]
impl<'c> Live<'c, ()> {
    /// For what is only looked at.
    pub(crate) fn of_nothing(nothing: &'c mut ()) -> Self {
        Self(nothing)
    }
}

/// Hyper's connections.
pub(crate) trait Carrier {
    /// Waits until a request can be taken.
    fn ready(&mut self) -> impl Future<Output = hyper::Result<()>> + Send;

    /// Takes one now, and waits for its answer.
    fn carry(
        &mut self,
        request: Request<Outgoing>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<Outgoing>>>> + Send;
}

impl Carrier for http1::SendRequest<Outgoing> {
    fn ready(&mut self) -> impl Future<Output = hyper::Result<()>> + Send {
        self.ready()
    }

    fn carry(
        &mut self,
        request: Request<Outgoing>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<Outgoing>>>> + Send {
        self.try_send_request(request)
    }
}

impl Carrier for http2::SendRequest<Outgoing> {
    fn ready(&mut self) -> impl Future<Output = hyper::Result<()>> + Send {
        self.ready()
    }

    fn carry(
        &mut self,
        request: Request<Outgoing>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<Outgoing>>>> + Send {
        self.try_send_request(request)
    }
}
