//! The other side: addresses that were checked, connections to exactly those, requests sent over them.
//!
//! Nothing is judged here: each door takes a permit, and goes where the permit says.

mod connect;
mod handover;
mod pool;
mod resolve;
mod trust;
mod upstream;

pub(crate) use connect::{Dialed, Dialer};
pub(crate) use handover::{Live, Unfilled};
pub(crate) use pool::{Lease, Pool, Reuse, old_builder};
pub(crate) use resolve::Resolver;
pub(crate) use trust::{ClientTls, TrustError};
pub(crate) use upstream::{Upstream, UpstreamError};

use crate::body::{Leaked, Outgoing};
use crate::passage::Exhausted;
use cofferdam_policy::net::grant::Scheme;
use cofferdam_policy::net::host::{Host, Port};
use cofferdam_policy::net::refusal::{Refusal, RefusalReason};
use cofferdam_policy::net::verdict::{Permitted, RequestPermit};
use hyper::body::Incoming;
use hyper::header::{HOST, HeaderValue};
use hyper::http::uri::{self, Authority, PathAndQuery, Scheme as UriScheme};
use hyper::{Request, Response, Uri, Version};
use std::error::Error as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::Notify;
use tokio::time::timeout;

/// Until the head of a response has come: long enough for a model that thinks before it speaks.
pub(crate) const HEAD_TIME_MAX: Duration = Duration::from_secs(900);

/// Interim responses that are overlooked before an answer; an origin that goes on so has none.
const INTERIM_RESPONSES_MAX: usize = 16;

/// Why an origin could not be reached, or could not be understood.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// No such name.
    #[error("there is no such name")]
    NoSuchName,
    /// A name without an address.
    #[error("the name has no address")]
    NoAddress,
    /// No name server that answers.
    #[error("no name server answers")]
    Resolver,
    /// An address that may not be connected to.
    #[error("the address may not be connected to")]
    Forbidden(Box<Refusal>),
    /// Nobody there.
    #[error("cannot connect")]
    Connect(#[source] std::io::Error),
    /// The host's own proxy would not.
    #[error("the host's proxy refuses")]
    Proxy(#[source] UpstreamError),
    /// Not who it says, or no TLS.
    #[error("cannot speak TLS")]
    Tls(#[source] std::io::Error),
    /// Too late.
    #[error("the origin takes too long")]
    Timeout,
    /// Not HTTP, or beyond a limit.
    #[error("cannot read the answer")]
    Malformed(#[source] hyper::Error),
    /// One interim response after the other, and no answer.
    #[error("the origin says too much before its answer")]
    Chatter,
    /// The request's own body broke off.
    #[error("the request broke off")]
    Request,
    /// The secret may not be sent any more.
    #[error("the secret is not sent")]
    Withheld(RefusalReason),
    /// A handle stood in the request's body.
    #[error(transparent)]
    Leaked(#[from] Leaked),
    /// The budget ended under way.
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
}

impl Failure {
    /// As the agent and the owner are told.
    pub(crate) fn reason(&self) -> RefusalReason {
        match self {
            Self::NoSuchName | Self::NoAddress | Self::Resolver => RefusalReason::NameNotResolved,
            Self::Forbidden(refusal) => refusal.reason,
            Self::Connect(_) | Self::Proxy(_) => RefusalReason::UpstreamUnreachable,
            Self::Tls(_) => RefusalReason::UpstreamTls,
            Self::Timeout => RefusalReason::UpstreamTimeout,
            Self::Malformed(_) | Self::Chatter => RefusalReason::UpstreamMalformed,
            Self::Request => RefusalReason::MessageMalformed,
            Self::Withheld(reason) => *reason,
            Self::Leaked(_) => RefusalReason::HandleMisplaced,
            Self::Exhausted(exhausted) => exhausted.reason(),
        }
    }

    fn of_request(error: hyper::Error) -> Self {
        let source = error.source();
        if let Some(exhausted) = source.and_then(|source| source.downcast_ref::<Exhausted>()) {
            return Self::Exhausted(*exhausted);
        }
        match source.and_then(|source| source.downcast_ref::<Leaked>()) {
            Some(leaked) => Self::Leaked(*leaked),
            None if error.is_user() => Self::Request,
            None if error.is_timeout() => Self::Timeout,
            None => Self::Malformed(error),
        }
    }
}

/// All origins.
#[derive(Debug)]
pub(crate) struct Origins {
    pub(crate) dialer: Dialer,
    pub(crate) pool: Pool,
}

impl Origins {
    /// Sends a request over a connection of its own or one that waits; the lease comes back when the response has
    /// been read.
    pub(crate) async fn send(
        &self,
        permit: &RequestPermit,
        reuse: Reuse,
        mut request: Unfilled,
    ) -> Result<(Response<Incoming>, Lease), Failure> {
        let site = Site::of(permit)?;
        let interim = Interim::watched(request.request_mut());
        while let Some(mut lease) = self.pool.waiting(permit, reuse) {
            match interim.awaited(lease.send(request, &site)).await? {
                Ok(response) => return Ok((response, lease)),
                // It had gone while it waited, and nothing was sent: another try can do no harm.
                Err((_, Some(unsent))) => request = unsent,
                Err((failure, None)) => return Err(failure),
            }
        }
        // Boxed: most requests find a connection, and need no room for how one is made.
        let mut lease =
            Box::pin(async { self.pool.open(permit, reuse, self.dialer.http(permit).await?).await }).await?;
        match interim.awaited(lease.send(request, &site)).await? {
            Ok(response) => Ok((response, lease)),
            Err((failure, _unsent)) => Err(failure),
        }
    }
}

/// The interim responses (RFC 9110, 15.2) to one request. A flood of them would take the time of all other connections.
#[derive(Debug, Clone, Default)]
struct Interim {
    count: Arc<AtomicUsize>,
    too_many: Arc<Notify>,
}

impl Interim {
    fn watched(request: &mut Request<Outgoing>) -> Self {
        let interim = Self::default();
        let told = interim.clone();
        hyper::ext::on_informational(request, move |_response| {
            if told.count.fetch_add(1, Ordering::Relaxed) >= INTERIM_RESPONSES_MAX {
                told.too_many.notify_one();
            }
        });
        interim
    }

    /// The head of the answer, if it comes in time.
    async fn awaited<T>(&self, head: impl Future<Output = T>) -> Result<T, Failure> {
        tokio::select! {
            head = timeout(HEAD_TIME_MAX, head) => head.map_err(|_elapsed| Failure::Timeout),
            () = self.too_many.notified() => Err(Failure::Chatter),
        }
    }
}

/// A place as requests name it.
#[derive(Debug)]
pub(crate) struct Site {
    scheme: Scheme,
    host: HeaderValue,
}

impl Site {
    /// Without the port where the scheme implies it.
    pub(crate) fn of(permit: &impl Permitted) -> Result<Self, Failure> {
        let (destination, scheme) = (permit.destination(), permit.grant().scheme);
        let host = match &destination.host {
            Host::Address(IpAddr::V6(address)) => format!("[{address}]"),
            Host::Name(_) | Host::Address(IpAddr::V4(_)) => destination.host.to_string(),
        };
        let usual = match scheme {
            Scheme::Https => Port::HTTPS,
            Scheme::Http => Port::HTTP,
        };
        let port = destination.port;
        let host = if port == usual { host } else { format!("{host}:{}", port.get()) };
        Ok(Self { scheme, host: HeaderValue::try_from(host).ok().ok_or(Failure::Request)? })
    }

    /// As HTTP/1.1 has it: the path in the request line, the place in `Host`.
    pub(crate) fn address_old<B>(&self, request: &mut Request<B>) {
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
        *request.version_mut() = Version::HTTP_11;
        request.headers_mut().insert(HOST, self.host.clone());
    }

    /// As HTTP/2 has it: all of it in pseudo-headers.
    pub(crate) fn address_new<B>(&self, request: &mut Request<B>) {
        let scheme = match self.scheme {
            Scheme::Https => UriScheme::HTTPS,
            Scheme::Http => UriScheme::HTTP,
        };
        let mut parts = uri::Parts::default();
        parts.scheme = Some(scheme);
        parts.authority = Authority::try_from(self.host.as_bytes()).ok();
        parts.path_and_query =
            request.uri().path_and_query().cloned().or_else(|| Some(PathAndQuery::from_static("/")));
        *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
        *request.version_mut() = Version::HTTP_2;
        request.headers_mut().remove(HOST);
    }
}
