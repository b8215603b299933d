//! Logins that are about to end, refreshed before the request that needs them.
//!
//! One at a time: within this session by a lock of its own, over all sessions by the store's. The provider's token
//! endpoint is reached as any origin is; the cell has no part in it, and what it answers never comes there. A login that
//! can't be refreshed is used until it ends.

use crate::exchange::Exchange;
use crate::origin::{Dialed, Failure, Origins, Site, old_builder};
use crate::secret::login::{
    PROVIDERS, REFRESH_EARLY_SECONDS, RenewError, TOKEN_ANSWER_BYTES_MAX, TokenAnswer, TokenRequest, renew,
};
use crate::secret::store::Store;
use cofferdam_policy::event::UnixNanos;
use cofferdam_policy::net::credential::SecretName;
use cofferdam_policy::net::grant::{Grant, GrantOrigin, Methods, Scheme};
use cofferdam_policy::net::host::{Destination, Host, HostPattern, Port};
use cofferdam_policy::net::refusal::RefusalReason;
use cofferdam_policy::net::verdict::{Grants, Head, RequestPermit, Upgrade};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Mutex;
use tokio::time::timeout;
use zeroize::Zeroizing;

const NANOS_PER_SECOND: i64 = 1_000_000_000;
/// Until a token endpoint has answered.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
/// How long after a failure no other attempt is made, in seconds.
const AGAIN_AFTER_SECONDS: i64 = 20;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Where logins are kept, and what was tried.
#[derive(Debug)]
pub(crate) struct Renewals {
    store: Option<Store>,
    clock: fn() -> UnixNanos,
    /// When each was tried in vain.
    tried: Mutex<HashMap<SecretName, UnixNanos>>,
}

impl Renewals {
    /// With the store that may be written to.
    pub(crate) fn new(store: Option<Store>, clock: fn() -> UnixNanos) -> Self {
        Self { store, clock, tried: Mutex::default() }
    }

    /// Sees to it that the login behind a permit, if it is one, lasts.
    ///
    /// # Errors
    /// [`RefusalReason::CredentialExpired`] or [`RefusalReason::CredentialRevoked`] for one that is over.
    pub(crate) async fn before(
        &self,
        permit: &RequestPermit,
        exchange: &Exchange,
        origins: &Origins,
    ) -> Result<(), RefusalReason> {
        let (Some(store), Some(_)) = (&self.store, exchange.to_refresh(permit, self.soon())) else {
            return Ok(());
        };
        // Whoever waits here finds it done.
        let mut tried = self.tried.lock().await;
        let Some(name) = exchange.to_refresh(permit, self.soon()) else { return Ok(()) };
        let now = (self.clock)();
        let again = |tried: &UnixNanos| tried.0.saturating_add(AGAIN_AFTER_SECONDS * NANOS_PER_SECOND);
        let mut reason = RefusalReason::CredentialExpired;
        if tried.get(&name).is_none_or(|tried| again(tried) <= now.0) {
            match renew(store, &name, now, async |request| send(origins, request).await).await {
                Ok(renewed) => {
                    tried.remove(&name);
                    exchange.refreshed(&name, &renewed.secret, renewed.expires);
                    return Ok(());
                }
                Err(error) => {
                    if matches!(error, RenewError::Revoked) {
                        reason = RefusalReason::CredentialRevoked;
                    }
                    tried.insert(name, now);
                }
            }
        }
        // It may have some minutes left.
        if exchange.to_refresh(permit, now).is_some() { Err(reason) } else { Ok(()) }
    }

    fn soon(&self) -> UnixNanos {
        UnixNanos((self.clock)().0.saturating_add(REFRESH_EARLY_SECONDS * NANOS_PER_SECOND))
    }
}

/// Posts a request to a token endpoint.
async fn send(origins: &Origins, request: TokenRequest) -> Result<TokenAnswer, Failure> {
    let uri: Uri = request.endpoint.parse().ok().ok_or(Failure::Request)?;
    let permit = permit(origins, &request.endpoint, &uri).await?;
    // It overwrites itself when the last who holds it is done.
    let body = Full::new(Bytes::from_owner(request.body.0));
    let mut post = Request::new(body);
    *post.method_mut() = Method::POST;
    *post.uri_mut() = uri;
    post.headers_mut().extend([(CONTENT_TYPE, JSON), (ACCEPT, JSON)]);
    Site::of(&permit)?.address_old(&mut post);
    let asked = async {
        match origins.dialer.old_http(&permit).await? {
            Dialed::Tls(stream) => ask(*stream, post).await,
            Dialed::Clear(socket) => ask(socket, post).await,
        }
    };
    timeout(ANSWER_TIME_MAX, asked).await.unwrap_or(Err(Failure::Timeout))
}

async fn ask<S>(stream: S, request: Request<Full<Bytes>>) -> Result<TokenAnswer, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = old_builder().handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(Failure::Malformed)?;
    // It ends with the sender.
    tokio::spawn(connection);
    let answer = sender.send_request(request).await.map_err(Failure::Malformed)?;
    let status = answer.status().as_u16();
    let body = Limited::new(answer.into_body(), TOKEN_ANSWER_BYTES_MAX).collect().await;
    let body = body.ok().ok_or(Failure::Request)?.to_bytes();
    Ok(TokenAnswer { status, body: Zeroizing::new(body.to_vec()) })
}

/// The word to connect to a token endpoint, by a grant for nothing else. At an address of the owner's own choice, it may
/// be anywhere; at a provider's, out on the internet.
async fn permit(origins: &Origins, endpoint: &str, uri: &Uri) -> Result<RequestPermit, Failure> {
    let (scheme, usual) = match uri.scheme_str() {
        Some("https") => (Scheme::Https, Port::HTTPS),
        Some("http") => (Scheme::Http, Port::HTTP),
        Some(_) | None => return Err(Failure::Request),
    };
    let authority = uri.authority().ok_or(Failure::Request)?;
    let to = Destination::parse(authority.as_str(), usual).ok().ok_or(Failure::Request)?;
    let mut grant = Grant::to(HostPattern::Exactly(to.host.clone()), to.port, GrantOrigin::Policy);
    grant.scheme = scheme;
    grant.methods = Methods::Any;
    let is_providers = PROVIDERS.iter().any(|provider| provider.token_endpoint == endpoint);
    if let (Host::Name(name), false) = (&to.host, is_providers) {
        grant.addresses = origins.dialer.resolver.addresses(name).await?.to_vec();
    }
    let head = Head {
        method: "POST",
        path: uri.path(),
        query: uri.query(),
        upgrade: Upgrade::None,
        header_names: &[],
        authority: &to,
        scheme,
    };
    Grants::new(vec![grant]).judge(&to, &head).ok().ok_or(Failure::Request)
}
