//! What a request is for, read once from its head; and heads without what concerns one connection only.

use super::Place;
use crate::exchange::foreign::folded;
use crate::exchange::{Exchange, Leak, LeakPlace};
use crate::protocol::head::METHOD_BYTES_MAX;
use cofferdam_policy::net::grant::Scheme;
use cofferdam_policy::net::host::{Destination, Host, Port};
use cofferdam_policy::net::refusal::{Refusal, RefusalReason};
use cofferdam_policy::net::verdict::{Grants, Head, RequestPermit, Upgrade};
use hyper::header::{
    ALT_SVC, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, TE,
    TRANSFER_ENCODING, UPGRADE,
};
pub(super) use hyper::http::request::Parts;
use hyper::http::response;
use hyper::{Method, StatusCode, Uri, Version};

/// Of one connection only (RFC 9110, 7.6.1), and of the gateway itself.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-authorization"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Names that a request's connection header may hold.
const CONNECTION_NAMES_MAX: usize = 32;

/// Blanks between the words of a request's first line and at its end; the same around a field.
const BETWEEN_BYTES: usize = 4;

/// What a request says of where it goes.
#[derive(Debug)]
pub(super) struct Seen {
    /// Where its connection goes; through the proxy, where it says that it goes.
    pub(super) destination: Destination,
    /// The path that is judged; a place in the query may be filled later.
    pub(super) path: String,
    authority: Destination,
    upgrade: Upgrade,
    scheme: Scheme,
}

impl Seen {
    pub(super) fn read(parts: &Parts, place: &Place) -> Result<Self, Refusal> {
        let is_long = parts.method.as_str().len() > METHOD_BYTES_MAX;
        // HTTP/2 brings all of this before anybody has followed its bytes.
        if is_long || !has_one_length(&parts.headers) || !has_plain_query(&parts.uri) {
            let refusal = match place {
                Place::At(destination, _) => {
                    Refusal::of_connection(RefusalReason::MessageMalformed, destination)
                }
                Place::Named(_) | Place::Proxy => Refusal::of_nowhere(RefusalReason::MessageMalformed),
            };
            return Err(refusal);
        }
        let (destination, scheme) = match place {
            Place::At(destination, scheme) => (destination.clone(), *scheme),
            Place::Named(port) => (named(parts, *port)?, Scheme::Http),
            Place::Proxy => (asked(parts)?, Scheme::Http),
        };
        let default = match scheme {
            Scheme::Https => Port::HTTPS,
            Scheme::Http => Port::HTTP,
        };
        let refuse = |reason| refusal(&destination, parts, reason);
        let mut hosts = parts.headers.get_all(HOST).iter();
        let (host, None) = (hosts.next(), hosts.next()) else {
            return Err(refuse(RefusalReason::MessageMalformed));
        };
        let parse = |text: &[u8]| {
            Destination::parse(text, default).map_err(|_form| refuse(RefusalReason::HostMalformed))
        };
        let written =
            parts.uri.authority().map(|authority| parse(authority.as_str().as_bytes())).transpose()?;
        let host = host.map(|host| parse(host.as_bytes())).transpose()?;
        let authority = match (written, host) {
            // CONNECT names a port always, and Host need not.
            (Some(written), Some(_)) if parts.method == Method::CONNECT => written,
            (Some(written), Some(host)) if written != host => {
                return Err(refuse(RefusalReason::AuthorityMismatch));
            }
            (Some(authority), _) | (None, Some(authority)) => authority,
            (None, None) => return Err(refuse(RefusalReason::AuthorityMismatch)),
        };
        let path = parts.uri.path().to_owned();
        Ok(Self { destination, path, authority, upgrade: upgrade(&parts.headers), scheme })
    }

    /// The policy's verdict.
    pub(super) fn judge(&self, parts: &Parts, grants: &Grants) -> Result<RequestPermit, Refusal> {
        let names: Vec<&str> = parts.headers.keys().map(HeaderName::as_str).collect();
        let head = Head {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: parts.uri.query(),
            upgrade: self.upgrade,
            header_names: &names,
            authority: &self.authority,
            scheme: self.scheme,
        };
        grants.judge(&self.destination, &head)
    }

    /// Whether a WebSocket is wanted that no grant permits, for what a model's grant permits by HTTP: some clients try
    /// that first.
    pub(super) fn asks_socket_of_model(&self, parts: &Parts, grants: &Grants) -> bool {
        if self.upgrade != Upgrade::WebSocket || self.judge(parts, grants).is_ok() {
            return false;
        }
        let head = Head {
            method: "POST",
            path: parts.uri.path(),
            query: parts.uri.query(),
            upgrade: Upgrade::None,
            header_names: &[],
            authority: &self.authority,
            scheme: self.scheme,
        };
        let permit = grants.judge(&self.destination, &head);
        permit.is_ok_and(|permit| super::model::has_socket(&permit, &self.path))
    }

    /// A handle in a request that no grant permits.
    pub(super) fn leak(&self, parts: &Parts, exchange: &Exchange) -> Option<Leak> {
        let url = parts.uri.path_and_query().map(|url| url.as_str().as_bytes()).unwrap_or_default();
        match exchange.leak_in(url) {
            Some(credential) => Some(Leak { credential, place: LeakPlace::Url }),
            None => exchange.leak_in_headers(&parts.headers),
        }
    }

    pub(super) fn refusal(&self, parts: &Parts, reason: RefusalReason) -> Refusal {
        refusal(&self.destination, parts, reason)
    }
}

fn refusal(destination: &Destination, parts: &Parts, reason: RefusalReason) -> Refusal {
    Refusal::of_request(reason, destination, parts.method.as_str(), parts.uri.path())
}

/// How many bytes the agent sends by a head: what it says there may be anything.
pub(crate) fn head_bytes(parts: &Parts) -> u64 {
    let url = parts.uri.path_and_query().map_or(0, |url| url.as_str().len());
    let line = parts.method.as_str().len() + url + BETWEEN_BYTES;
    field_bytes(&parts.headers).saturating_add(u64::try_from(line).unwrap_or(u64::MAX))
}

/// The same of headers or trailers.
pub(crate) fn field_bytes(headers: &HeaderMap) -> u64 {
    let sum: usize =
        headers.iter().map(|(name, value)| name.as_str().len() + value.len() + BETWEEN_BYTES).sum();
    u64::try_from(sum).unwrap_or(u64::MAX)
}

/// Whether the length of the body is said once, or not at all.
fn has_one_length(headers: &HeaderMap) -> bool {
    let mut all = headers.get_all(CONTENT_LENGTH).iter();
    let first = all.next();
    let is_number =
        |value: &HeaderValue| value.as_bytes().iter().all(u8::is_ascii_digit) && !value.is_empty();
    // What has the name of a variable is a length to some servers in another spelling, too.
    let frames = |name: &HeaderName| {
        let own = [CONTENT_LENGTH, TRANSFER_ENCODING];
        !own.contains(name) && own.iter().any(|own| own.as_str() == folded(name.as_str()))
    };
    all.next().is_none() && first.is_none_or(is_number) && !headers.keys().any(frames)
}

/// Whether the query could stand in a request line of HTTP/1, into which it may be written: nothing beyond ASCII, whose
/// encoding every server guesses by itself.
fn has_plain_query(uri: &Uri) -> bool {
    uri.query().is_none_or(|query| query.bytes().all(|byte| byte.is_ascii_graphic()))
}

/// Where a request to the proxy wants to go: the authority of `CONNECT`, or an absolute form.
fn asked(parts: &Parts) -> Result<Destination, Refusal> {
    let nowhere = |reason| of_nowhere(parts, reason);
    let Some(authority) = parts.uri.authority() else {
        return Err(nowhere(RefusalReason::MessageMalformed));
    };
    let is_connect = parts.method == Method::CONNECT;
    match parts.uri.scheme_str() {
        None if is_connect && authority.port().is_some() => {}
        Some("http") if !is_connect => {}
        Some(_) | None => return Err(nowhere(RefusalReason::ProtocolUnknown)),
    }
    let destination = Destination::parse(authority.as_str(), Port::HTTP);
    destination.map_err(|_form| nowhere(RefusalReason::HostMalformed))
}

/// Where a request wants to go whose connection goes to an address of the cell's: to the name that it says, which is then
/// judged as if the connection went there, and at no other port.
fn named(parts: &Parts, port: Port) -> Result<Destination, Refusal> {
    let nowhere = |reason| of_nowhere(parts, reason);
    let written = parts.uri.authority().map(|authority| authority.as_str().as_bytes());
    let said = written.or_else(|| parts.headers.get(HOST).map(HeaderValue::as_bytes));
    let said = said.ok_or_else(|| nowhere(RefusalReason::NameUnknown))?;
    let destination = Destination::parse(said, Port::HTTP);
    let destination = destination.map_err(|_form| nowhere(RefusalReason::HostMalformed))?;
    match &destination.host {
        Host::Name(_) if destination.port == port => Ok(destination),
        Host::Address(_) if super::stands_for_a_name(&destination.host) => {
            Err(refusal(&destination, parts, RefusalReason::NameUnknown))
        }
        Host::Name(_) | Host::Address(_) => {
            Err(refusal(&destination, parts, RefusalReason::AuthorityMismatch))
        }
    }
}

fn of_nowhere(parts: &Parts, reason: RefusalReason) -> Refusal {
    Refusal { method: Some(parts.method.as_str().to_owned()), ..Refusal::of_nowhere(reason) }
}

/// Whether nothing that follows this request is looked at as HTTP; the stream's guard sees it in the same way.
pub(super) fn is_last(parts: &Parts) -> bool {
    let is_websocket = |value: &HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket");
    let is_old = parts.version < Version::HTTP_2;
    is_old && (parts.method == Method::CONNECT || parts.headers.get_all(UPGRADE).iter().any(is_websocket))
}

/// HTTP/2 in clear text is not changed to: the offer is overlooked, as RFC 9113 lets a server do.
fn upgrade(headers: &HeaderMap) -> Upgrade {
    let mut wanted = Upgrade::None;
    for value in headers.get_all(UPGRADE) {
        let value = value.as_bytes().trim_ascii();
        wanted = match wanted {
            Upgrade::None if value.eq_ignore_ascii_case(b"websocket") => Upgrade::WebSocket,
            Upgrade::None if value.eq_ignore_ascii_case(b"h2c") => Upgrade::None,
            Upgrade::None | Upgrade::WebSocket | Upgrade::Other => Upgrade::Other,
        };
    }
    wanted
}

/// Takes out of a request what concerns the cell's connection only.
pub(crate) fn clean(parts: &mut Parts) {
    let takes_trailers = parts.headers.get(TE).is_some_and(|value| {
        value
            .as_bytes()
            .split(|byte| *byte == b',')
            .any(|word| word.trim_ascii().eq_ignore_ascii_case(b"trailers"))
    });
    clean_headers(&mut parts.headers);
    parts.headers.remove(EXPECT);
    if takes_trailers {
        parts.headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    join_cookies(&mut parts.headers);
    if parts.uri.path().is_empty() {
        parts.uri = Uri::from_static("/");
    }
    parts.extensions.clear();
}

/// Takes out of a response what concerns the origin's connection only, and ways around the gateway.
pub(crate) fn clean_answer(head: &mut response::Parts) {
    clean_headers(&mut head.headers);
    head.headers.remove(ALT_SVC);
    let status = head.status;
    // They have no body, whatever length they say (RFC 9110, 8.6).
    if status.is_informational() || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED {
        head.headers.remove(CONTENT_LENGTH);
    }
    head.extensions.clear();
}

fn clean_headers(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .take(CONNECTION_NAMES_MAX)
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// HTTP/2 may send a cookie in pieces, HTTP/1 may not (RFC 9113, 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut pieces = headers.get_all(COOKIE).iter();
    if pieces.next().is_none() || pieces.next().is_none() {
        return;
    }
    let pieces: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&pieces.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}
