//! HTTP with a cell: connections are served, and each request on them is judged anew.
//!
//! What goes on is written anew from what was understood; nothing of a head is passed on as it came. What is refused
//! is answered at once, with a reason. Whether a request may go is decided in the policy, and how it is sent in `origin`.

mod crowd;
mod frames;
mod guarded;
mod idle;
mod model;
pub(crate) mod request;
mod said;
mod websocket;

use crate::asking::Asked;
use crate::body::{Answer, Counted, Outgoing, Passed, Scrubbing, Trailers, drain};
use crate::bounds::{BUFFER_BYTES_MAX, CELL_CONNECTION_WINDOW_BYTES, CELL_WINDOW_BYTES, SENDING_BYTES_MAX};
use crate::budget::Allowance;
use crate::exchange::Due;
use crate::gate::Gate;
use crate::origin::{Failure, Reuse, Unfilled};
use crate::passage::{Named, Passage};
use crate::protocol::block::Blocks;
use crate::protocol::head::{FIELDS_MAX, Requests};
use crate::wire::Decision;
use cofferdam_policy::net::addresses;
use cofferdam_policy::net::grant::{self, Grant, GrantOrigin, Protocol, Scheme};
use cofferdam_policy::net::host::{Destination, Host, Port};
use cofferdam_policy::net::refusal::{Refusal, RefusalReason};
use cofferdam_policy::net::verdict::RequestPermit;
pub(crate) use crowd::{LONG_HEADS_MAX, LongHeads};
use guarded::Guarded;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, EXPECT, HeaderValue};
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
pub(crate) use idle::Waited;
use idle::{Idleness, Told};
pub(crate) use model::Desk;
use request::Seen;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::OwnedSemaphorePermit;
pub(crate) use websocket::BUFFER_BYTES as WEBSOCKET_BUFFER_BYTES;
use websocket::WebSocket;

/// Streams of one HTTP/2 connection at once.
const STREAMS_MAX: u32 = 100;
/// The fields of one request by HTTP/2.
const FIELDS_BYTES_MAX: u32 = 16 << 10;
/// Requests at once of a session, whose answers wait as long as the client likes.
pub(crate) const REQUESTS_MAX: usize = 1_024;
/// Refusals at once whose reasons wait as long as the client likes.
pub(crate) const REFUSED_MAX: usize = 1_024;
/// HTTP/2 connections of a session, each of which holds much where its client takes nothing.
pub(crate) const NEWER_MAX: usize = 512;
/// An HTTP/2 connection that says nothing is asked after this long whether it still stands.
const PING_AFTER: Duration = Duration::from_secs(60);

/// What requests on a connection can be for.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// The one place that it goes to.
    At(Destination, Scheme),
    /// An address that stands for a name in the cell, at this port: the name that each request says is its host.
    Named(Port),
    /// Whatever each says: the HTTP proxy.
    Proxy,
}

/// One connection that speaks HTTP.
#[derive(Debug)]
pub(crate) struct Talk {
    pub(crate) gate: Arc<Gate>,
    pub(crate) place: Place,
    /// All of it is refused for this reason, whatever is asked.
    pub(crate) doom: Option<RefusalReason>,
}

/// What becomes of a connection after HTTP/1.
#[derive(Debug)]
pub(crate) enum After<S> {
    /// Nothing.
    Closed,
    /// A tunnel: the client, what it said already, and where to.
    Tunnel(S, Bytes, Destination),
}

/// What a response has made of its connection.
#[derive(Debug)]
enum Becomes {
    Tunnel(Destination),
    WebSocket(Box<WebSocket>),
}

/// A request that is permitted and paid for.
#[derive(Debug)]
struct Lawful<'p> {
    permit: &'p RequestPermit,
    reuse: Reuse,
    asked: Option<model::Asked<'p>>,
    parts: request::Parts,
    due: Option<Due>,
    passage: Arc<Passage>,
}

/// What a request may do, on whose connection, and what it may spend.
type Permission = (RequestPermit, Reuse, Arc<Allowance>);

/// The service of one connection.
#[derive(Debug, Clone)]
struct Server {
    talk: Arc<Talk>,
    becomes: Arc<Mutex<Option<Becomes>>>,
    idleness: Arc<Idleness>,
}

impl Service<Request<Incoming>> for Server {
    type Response = Response<Told>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let server = self.clone();
        let _under_way = self.idleness.begin();
        Box::pin(async move { Ok(server.answer(request).await.map(|answer| Told { answer, _under_way })) })
    }
}

impl Talk {
    /// Until the client or the last request ends it.
    pub(crate) async fn http1<S>(self, stream: S) -> After<S>
    where
        S: AsyncRead + AsyncWrite + Waited + Unpin + Send + 'static,
    {
        let server = Server::new(self);
        let (ended, guarded, early) = requests(&server, stream).await;
        let (malformed, mut stream) = guarded.into_parts();
        if let Some(error) = malformed {
            // It is as long as the head was.
            drop(early);
            server.talk.refuse_stream(&mut stream, error).await;
            return After::Closed;
        }
        let becomes = server.becomes.lock().unwrap_or_else(PoisonError::into_inner).take();
        match becomes.filter(|_| ended.is_ok()) {
            Some(Becomes::Tunnel(to)) => After::Tunnel(stream, early, to),
            Some(Becomes::WebSocket(websocket)) => {
                Box::pin(websocket.pass(stream, &early)).await;
                After::Closed
            }
            None => {
                // The client may have gone before.
                let _gone = stream.shutdown().await;
                After::Closed
            }
        }
    }

    /// Until the client ends it.
    pub(crate) async fn http2<S>(self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Ok(_place) = Arc::clone(&self.gate.newer).try_acquire_owned() else {
            return self.gate.words.refused(&self.refusal(RefusalReason::TooManyOpen));
        };
        let server = Server::new(self);
        let talk = Arc::clone(&server.talk);
        let idleness = Arc::clone(&server.idleness);
        let guarded = Guarded::new(stream, Blocks::new(), idleness, &talk.gate.long_heads);
        let verdict = guarded.verdict();
        let served = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(FIELDS_BYTES_MAX)
            .max_send_buf_size(SENDING_BYTES_MAX)
            .initial_stream_window_size(CELL_WINDOW_BYTES)
            .initial_connection_window_size(CELL_CONNECTION_WINDOW_BYTES)
            .keep_alive_interval(PING_AFTER)
            .auto_date_header(false)
            .serve_connection(TokioIo::new(guarded), server);
        // How it ended is the client's affair: its requests have been told of.
        let _ended = served.await;
        if let Some(broken) = verdict.get() {
            talk.gate.words.refused(&talk.refusal(broken.reason()));
        }
    }

    /// Of the whole connection.
    fn refusal(&self, reason: RefusalReason) -> Refusal {
        match &self.place {
            Place::At(destination, _) => Refusal::of_connection(reason, destination),
            Place::Named(_) | Place::Proxy => Refusal::of_nowhere(reason),
        }
    }

    /// What is no request is answered in the plainest way, and ends the connection.
    async fn refuse_stream<S: AsyncWrite + Unpin>(&self, stream: &mut S, error: guarded::Broken) {
        let refusal = self.refusal(error.reason());
        self.gate.words.refused(&refusal);
        // The client may not want to hear it.
        let _gone = stream.write_all(&said::plain(&refusal)).await;
        let _gone = stream.shutdown().await;
    }
}

/// How a connection came to its end, the stream that is left, and what was read of it beyond its requests.
type Ended<S> = (hyper::Result<()>, Guarded<S>, Bytes);

/// Serves all requests of a connection. Between them there is nothing of hyper's.
async fn requests<S>(server: &Server, stream: S) -> Ended<S>
where
    S: AsyncRead + AsyncWrite + Waited + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder
        .header_read_timeout(None)
        .max_headers(FIELDS_MAX)
        .max_buf_size(BUFFER_BYTES_MAX)
        .auto_date_header(false);
    let mut guarded =
        Guarded::new(stream, Requests::new(), Arc::clone(&server.idleness), &server.talk.gate.long_heads);
    loop {
        let mut connection = Box::new(builder.serve_connection(TokioIo::new(guarded), server.clone()));
        let ended = std::future::poll_fn(|context| match connection.poll_without_shutdown(context) {
            Poll::Ready(ended) => Poll::Ready(Some(ended)),
            Poll::Pending if server.idleness.is_idle() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
        let ended = ended.await;
        let http1::Parts { io, read_buf, .. } = connection.into_parts();
        guarded = io.into_inner();
        if let Some(ended) = ended {
            return (ended, guarded, read_buf);
        }
        // An idle connection has nothing unread; if it had, nobody could say what that belongs to.
        let is_known = read_buf.is_empty();
        // Empty or not, it would keep the whole buffer.
        drop(read_buf);
        if !is_known || guarded.coming().await.is_err() {
            return (Ok(()), guarded, Bytes::new());
        }
    }
}

impl Server {
    fn new(talk: Talk) -> Self {
        Self { talk: Arc::new(talk), becomes: Arc::default(), idleness: Arc::default() }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Answer> {
        let (parts, body) = request.into_parts();
        let (is_last, is_head) = (request::is_last(&parts), parts.method == Method::HEAD);
        // Who asks before sending a body sends none when refused.
        let is_sending = !is_last && !parts.headers.contains_key(EXPECT);
        let mut body = Some(body);
        let mut response = match self.pass(parts, &mut body).await {
            Ok(response) => response,
            Err(refusal) => {
                self.talk.gate.words.refused(&refusal);
                if let Some(unread) = body.filter(|_| is_sending) {
                    drain(unread).await;
                }
                // Whoever does not take why keeps it from being said to others; that it was refused is always said.
                let room = Arc::clone(&self.talk.gate.refused_room).try_acquire_owned().ok();
                said::refused(&refusal, room.filter(|_| !is_head))
            }
        };
        if is_last && self.becomes.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            // What the client says after such a request was not looked at.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// The way of a request, in the order of the design's verdict. What few requests wait for is boxed apart, so that the
    /// others are not made and moved with room for it.
    async fn pass(
        &self,
        mut parts: request::Parts,
        body: &mut Option<Incoming>,
    ) -> Result<Response<Answer>, Refusal> {
        let gate = &self.talk.gate;
        // 1. Normalise.
        let seen = Seen::read(&parts, &self.talk.place)?;
        if let Some(reason) = self.talk.doom {
            return Err(seen.refusal(&parts, reason));
        }
        if parts.method == Method::CONNECT && matches!(self.talk.place, Place::Proxy) {
            *self.becomes.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(Becomes::Tunnel(seen.destination));
            return Ok(said::tunnel());
        }
        if stands_for_a_name(&seen.destination.host) {
            return Err(seen.refusal(&parts, RefusalReason::NameUnknown));
        }
        if grant::Method::is_never_granted(parts.method.as_str()) {
            return Err(seen.refusal(&parts, RefusalReason::MethodNotGranted));
        }
        let room = Arc::clone(&gate.room).try_acquire_owned();
        let room = room.map_err(|_full| seen.refusal(&parts, RefusalReason::TooManyOpen))?;
        // 2. Match grants.
        if seen.asks_socket_of_model(&parts, &gate.grants()) {
            return Ok(said::status_only(StatusCode::UPGRADE_REQUIRED));
        }
        let (permit, reuse, allowance) = self.permit(&parts, &seen).await?;
        let asked = model::asked(&permit, &seen, &parts)?;
        // 3. Swap the handle, in what is left without what concerns the cell's connection only.
        request::clean(&mut parts);
        let head_bytes = request::head_bytes(&parts);
        let renewed = gate.renewals.before(&permit, &gate.exchange, &gate.origins).await;
        renewed.map_err(|reason| seen.refusal(&parts, reason))?;
        let due = gate.exchange.outgoing(&permit, &mut parts).map_err(|misuse| {
            for leak in &misuse.leaks {
                gate.words.leaked(leak, &seen.destination);
            }
            misuse.refusal
        })?;
        model::narrow(asked.as_ref(), &gate.exchange, &mut parts)?;
        // 4. Charge budgets.
        let named = Named { method: parts.method.as_str(), path: &seen.path };
        let passage = Passage::begin(&gate.words, allowance, &permit, named)
            .map_err(|exhausted| seen.refusal(&parts, exhausted.reason()))?;
        passage.up(head_bytes).map_err(|exhausted| seen.refusal(&parts, exhausted.reason()))?;
        // 5. Send what was understood, with the secret put in last, and stream both ways.
        let body = body.take().filter(|body| !hyper::body::Body::is_end_stream(body));
        let lawful = Lawful { permit: &permit, reuse, asked, parts, due, passage: Arc::clone(&passage) };
        let sent = gate.revoked.unless(permit.credential(), self.send(lawful, body, room)).await;
        // What has gone out by then can't be taken back; what waits stays.
        let revoked = || of_failure(&Failure::Withheld(RefusalReason::CredentialRevoked), &passage);
        sent.ok_or_else(revoked)?
    }

    /// Sends what may be sent, and gives what the origin answers.
    async fn send(
        &self,
        lawful: Lawful<'_>,
        body: Option<Incoming>,
        room: OwnedSemaphorePermit,
    ) -> Result<Response<Answer>, Refusal> {
        let gate = &self.talk.gate;
        let exchange = &gate.exchange;
        let Lawful { permit, reuse, asked, parts, due, passage } = lawful;
        let failed = |failure: Failure| of_failure(&failure, &passage);
        if permit.protocol() == Protocol::Websocket {
            let opening = Box::pin(websocket::open(gate, permit, parts, due, Arc::clone(&passage)));
            let (response, websocket) = opening.await.map_err(failed)?;
            if let Some(mut websocket) = websocket {
                websocket.keep(room);
                *self.becomes.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(Becomes::WebSocket(Box::new(websocket)));
            }
            return Ok(response);
        }
        let body = match (asked, body) {
            (Some(asked), body) => Outgoing::Whole(asked.body(gate, &passage, body).await?),
            (None, None) => Outgoing::Empty,
            (None, Some(body)) => {
                let trailers = Trailers::under(permit);
                Outgoing::Passed(Counted::new(body, Arc::clone(&passage), Arc::clone(exchange), trailers))
            }
        };
        let request = Request::from_parts(parts, body);
        let request = Unfilled::new(request, due, Arc::clone(exchange), Arc::clone(&passage));
        let (response, lease) = gate.origins.send(permit, reuse, request).await.map_err(failed)?;
        let (mut head, body) = response.into_parts();
        passage.answered(head.status.as_u16());
        request::clean_answer(&mut head);
        exchange.scrub_head(permit, &mut head);
        let scrubber = exchange.scrubber();
        let scrubbing = scrubber.map(|scrubber| Scrubbing::new(scrubber, Arc::clone(exchange), permit));
        let body = Passed::new(body, passage, lease, scrubbing, room);
        Ok(Response::from_parts(head, Answer::Passed(Box::new(body))))
    }

    /// The policy's verdict, or the owner's where the owner is to be asked.
    async fn permit(&self, parts: &request::Parts, seen: &Seen) -> Result<Permission, Refusal> {
        let gate = &self.talk.gate;
        let refusal = match seen.judge(parts, &gate.grants()) {
            Ok(permit) => {
                let allowance = gate.budgets.of(permit.index(), permit.budget());
                return Ok((permit, Reuse::OfGrant, allowance));
            }
            Err(refusal) => refusal,
        };
        if let Some(leak) = seen.leak(parts, &gate.exchange) {
            // It goes nowhere, and its being tried is what the owner wants to know of.
            gate.words.leaked(&leak, &seen.destination);
            return Err(Refusal {
                path: None,
                allow: None,
                ..seen.refusal(parts, RefusalReason::HandleMisplaced)
            });
        }
        let decision = match Box::pin(gate.asking.ask(&refusal, &gate.words)).await {
            Asked::Never => return Err(refusal),
            Asked::Refused(reason) => return Err(Refusal { reason, ..refusal }),
            Asked::Allowed(decision) => decision,
        };
        let grant = refusal.allow.as_deref().and_then(|line| Grant::from_line(line, GrantOrigin::Flag).ok());
        let Some(grant) = grant else { return Err(refusal) };
        match decision {
            Decision::AllowForSession => {
                let permit = seen.judge(parts, &gate.grant(grant, &seen.destination))?;
                let allowance = gate.budgets.of(permit.index(), permit.budget());
                Ok((permit, Reuse::OfGrant, allowance))
            }
            // Nothing of it stays: neither its connection nor what was counted for it.
            Decision::AllowOnce => {
                let (grants, allowance) = gate.grants_with(grant, &seen.destination);
                Ok((seen.judge(parts, &grants)?, Reuse::Never, allowance))
            }
            Decision::Deny => Err(refusal),
        }
    }
}

/// Whether a host is an address that means a name inside the cell, and nothing outside.
pub(crate) fn stands_for_a_name(host: &Host) -> bool {
    matches!(host, Host::Address(address) if addresses::stands_for_a_name(*address))
}

/// What the agent is told of an origin that failed: the reason, and nothing of our insides.
fn of_failure(failure: &Failure, passage: &Passage) -> Refusal {
    let (destination, method, path) = (passage.destination(), passage.method(), passage.path());
    let reason = passage.cut_for().unwrap_or_else(|| failure.reason());
    let refusal = Refusal::of_request(reason, destination, method, path);
    match failure {
        Failure::Forbidden(forbidden) => refusal.allowed_by(forbidden.allow.clone()),
        Failure::NoSuchName
        | Failure::NoAddress
        | Failure::Resolver
        | Failure::Connect(_)
        | Failure::Proxy(_)
        | Failure::Tls(_)
        | Failure::Timeout
        | Failure::Malformed(_)
        | Failure::Chatter
        | Failure::Request
        | Failure::Withheld(_)
        | Failure::Leaked(_)
        | Failure::Exhausted(_) => refusal,
    }
}
