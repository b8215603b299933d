//! HTTP between the owner's browser and a server in the cell: whose request it is, and what of an answer comes through.
//!
//! Nothing is judged by grants, and no secret is put in: what comes from the cell goes to the owner alone. The page runs
//! in the browser as it is; only what concerns the browser's other pages and other places is taken from answers.

use super::Published;
use crate::origin::{HEAD_TIME_MAX, old_builder};
use crate::protocol::head::{FIELDS_MAX, HEAD_BYTES_MAX};
use crate::serve::request;
use cofferdam_policy::net::host::{DnsName, Port};
use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, SET_COOKIE, UPGRADE};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// From a connection's beginning, or its last answer, to the end of the next head.
const HEAD_READ_TIME_MAX: Duration = Duration::from_secs(60);
/// Header fields by which browsers say whose request it is (Fetch Metadata), and pages can't.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// What an answer has unless the server in the cell says otherwise: none of it keeps a page from working.
const ADDED: [(HeaderName, HeaderValue); 4] = [
    // Pages of other sites that open this one, or are opened by it, get no hold of its window.
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin-allow-popups"),
    ),
    // Pages of two ports can't become one by `document.domain`.
    (HeaderName::from_static("origin-agent-cluster"), HeaderValue::from_static("?1")),
    (HeaderName::from_static("referrer-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("x-dns-prefetch-control"), HeaderValue::from_static("off")),
];
/// What no answer has: places that the browser reports to by itself, and promises about the host's other ports.
const REMOVED: [HeaderName; 5] = [
    HeaderName::from_static("nel"),
    HeaderName::from_static("report-to"),
    HeaderName::from_static("reporting-endpoints"),
    HeaderName::from_static("strict-transport-security"),
    HeaderName::from_static("public-key-pins"),
];

type Answer = Response<Either<Full<Bytes>, Incoming>>;

/// A published port, as its requests have to name it.
#[derive(Debug)]
pub(super) struct Site {
    port: Port,
    /// `HOST:PORT`
    authority: String,
    /// `http://HOST:PORT`
    origin: String,
}

impl Site {
    pub(super) fn new(port: Port, host: &DnsName, number: u16) -> Self {
        let authority = format!("{host}:{number}");
        Self { port, origin: format!("http://{authority}"), authority }
    }

    pub(super) fn origin(&self) -> &str {
        &self.origin
    }
}

/// One connection of a browser's.
struct Talk {
    published: Published,
    site: Arc<Site>,
    /// To the cell, from the last request.
    line: tokio::sync::Mutex<Option<SendRequest<Incoming>>>,
    upgraded: Mutex<Option<(OnUpgrade, OnUpgrade)>>,
}

/// Serves one connection until it ends.
pub(super) async fn serve(published: Published, site: Arc<Site>, socket: TcpStream) {
    let talk = Arc::new(Talk { published, site, line: Default::default(), upgraded: Mutex::default() });
    let service = {
        let talk = Arc::clone(&talk);
        service_fn(move |request| {
            let talk = Arc::clone(&talk);
            async move { Ok::<_, Infallible>(talk.answer(request).await) }
        })
    };
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_READ_TIME_MAX)
        .max_headers(FIELDS_MAX)
        .max_buf_size(HEAD_BYTES_MAX * 2)
        .auto_date_header(false);
    // How it ended is the browser's affair.
    let _ended = builder.serve_connection(TokioIo::new(socket), service).with_upgrades().await;
    let upgraded = talk.upgraded.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some((browser, server)) = upgraded
        && let (Ok(browser), Ok(server)) = (browser.await, server.await)
    {
        let (mut browser, mut server) = (TokioIo::new(browser), TokioIo::new(server));
        let _ended = tokio::io::copy_bidirectional(&mut browser, &mut server).await;
    }
}

impl Talk {
    async fn answer(&self, mut request: Request<Incoming>) -> Answer {
        if let Err((status, why)) = self.check(&request) {
            return said(status, why);
        }
        let is_websocket = is_websocket(request.headers());
        let browser = is_websocket.then(|| hyper::upgrade::on(&mut request));
        let (mut parts, body) = request.into_parts();
        self.clean(&mut parts, is_websocket);
        let request = Request::from_parts(parts, body);
        let sent = timeout(HEAD_TIME_MAX, self.send(request)).await;
        let mut response = match sent {
            Ok(Ok(response)) => response,
            Ok(Err(unsent)) => return said(StatusCode::BAD_GATEWAY, unsent.text()),
            Err(_elapsed) => return said(StatusCode::GATEWAY_TIMEOUT, "the server in the cell says nothing"),
        };
        let is_upgraded = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        let server = is_upgraded.then(|| hyper::upgrade::on(&mut response));
        let (mut head, body) = response.into_parts();
        request::clean_answer(&mut head);
        guard(&mut head.headers);
        match (is_upgraded, browser.zip(server)) {
            (false, _) => Response::from_parts(head, Either::Right(body)),
            (true, Some(both)) => {
                head.headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
                head.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
                *self.upgraded.lock().unwrap_or_else(PoisonError::into_inner) = Some(both);
                Response::from_parts(head, Either::Left(Full::default()))
            }
            (true, None) => said(StatusCode::BAD_GATEWAY, "the server in the cell speaks another protocol"),
        }
    }

    /// Whether the owner's browser asks for this very port, by itself or for a page of this session.
    fn check(&self, request: &Request<Incoming>) -> Result<(), (StatusCode, &'static str)> {
        let headers = request.headers();
        let mut hosts = headers.get_all(HOST).iter();
        let is_named = match (hosts.next(), hosts.next()) {
            (Some(host), None) => host.as_bytes().eq_ignore_ascii_case(self.site.authority.as_bytes()),
            (_, _) => false,
        };
        if !is_named || request.uri().authority().is_some() || *request.method() == Method::CONNECT {
            return Err((StatusCode::MISDIRECTED_REQUEST, "this port is reached by its own host name only"));
        }
        let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let is_ours = |origin: &str| self.published.is_origin(origin);
        let is_opened = text(&FETCH_MODE) == Some("navigate") && request.method().is_safe();
        let is_own = match (text(&FETCH_SITE), text(&ORIGIN)) {
            (Some("same-origin" | "none"), _) | (None, None) => true,
            (Some(_), Some(origin)) => is_opened || is_ours(origin),
            (Some(_), None) => is_opened || self.refers_to_us(headers),
            (None, Some(origin)) => is_ours(origin),
        };
        if is_own { Ok(()) } else { Err((StatusCode::FORBIDDEN, "a page of another site asks for this")) }
    }

    /// Images and scripts of one port's page on another port's: no origin is named, but whence it comes.
    fn refers_to_us(&self, headers: &HeaderMap) -> bool {
        let referrer = headers.get(hyper::header::REFERER).and_then(|value| value.to_str().ok());
        let origin =
            referrer.and_then(|url| url.split('/').nth(2)).map(|authority| format!("http://{authority}"));
        origin.is_some_and(|origin| self.published.is_origin(&origin))
    }

    fn clean(&self, parts: &mut Parts, is_websocket: bool) {
        request::clean(parts);
        if let Ok(host) = HeaderValue::try_from(&self.site.authority) {
            parts.headers.insert(HOST, host);
        }
        if is_websocket {
            parts.headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            parts.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        }
    }

    /// Over the connection of the request before, or a new one.
    async fn send(&self, mut request: Request<Incoming>) -> Result<Response<Incoming>, Unsent> {
        let mut line = self.line.lock().await;
        if let Some(mut known) = line.take()
            && known.ready().await.is_ok()
        {
            match known.try_send_request(request).await {
                Ok(response) => {
                    *line = Some(known);
                    return Ok(response);
                }
                // It had gone while it waited, and nothing was sent: another try can do no harm.
                Err(mut error) => request = error.take_message().ok_or(Unsent::BrokeOff)?,
            }
        }
        let socket = self.published.connect(self.site.port).await.ok_or(Unsent::NobodyThere)?;
        let handshake = old_builder().handshake(TokioIo::new(socket)).await;
        let (mut sender, connection) = handshake.ok().ok_or(Unsent::BrokeOff)?;
        // It ends with its sender, its last answer, or what it has become.
        tokio::spawn(connection.with_upgrades());
        let response = sender.send_request(request).await.ok().ok_or(Unsent::BrokeOff)?;
        *line = Some(sender);
        Ok(response)
    }
}

/// Why a request got no answer.
#[derive(Debug, Clone, Copy)]
enum Unsent {
    NobodyThere,
    BrokeOff,
}

impl Unsent {
    fn text(self) -> &'static str {
        match self {
            Self::NobodyThere => "nothing in the cell listens on this port",
            Self::BrokeOff => "the server in the cell broke off, or speaks no HTTP",
        }
    }
}

fn is_websocket(headers: &HeaderMap) -> bool {
    let mut wanted = headers.get_all(UPGRADE).iter();
    let only = (wanted.next(), wanted.next());
    matches!(only, (Some(value), None) if value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket"))
}

/// What the browser is told with every page.
fn guard(headers: &mut HeaderMap) {
    for name in &REMOVED {
        headers.remove(name);
    }
    for (name, value) in ADDED {
        headers.entry(name).or_insert(value);
    }
    // A cookie is of this host name and no other: `Domain` would ask for more (RFC 6265, 5.2.3).
    let cookies: Vec<HeaderValue> = headers.get_all(SET_COOKIE).iter().map(of_this_host).collect();
    headers.remove(SET_COOKIE);
    for cookie in cookies {
        headers.append(SET_COOKIE, cookie);
    }
}

fn of_this_host(cookie: &HeaderValue) -> HeaderValue {
    let is_domain = |part: &&[u8]| {
        let name = part.split(|byte| *byte == b'=').next().unwrap_or_default();
        name.trim_ascii().eq_ignore_ascii_case(b"domain")
    };
    let parts: Vec<&[u8]> = cookie.as_bytes().split(|byte| *byte == b';').collect();
    let value = parts.iter().take(1);
    let kept: Vec<&[u8]> =
        value.chain(parts.iter().skip(1).filter(|part| !is_domain(part))).copied().collect();
    HeaderValue::from_bytes(&kept.join(&b';')).unwrap_or_else(|_never| cookie.clone())
}

fn said(status: StatusCode, text: &'static str) -> Answer {
    let text = format!("cofferdam: {text}\n");
    let mut response = Response::new(Either::Left(Full::new(text.into())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(hyper::header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(hyper::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
