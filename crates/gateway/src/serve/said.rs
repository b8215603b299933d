//! What the gateway itself answers: refusals, and the word that a tunnel is open.

use crate::body::Answer;
use cofferdam_policy::net::refusal::{Refusal, RefusalReason};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

/// A refusal as JSON: 403, or what HTTP has for a broken request and a broken origin.
pub(super) fn refused(refusal: &Refusal) -> Response<Answer> {
    let mut response = Response::new(Answer::Said(Full::new(text(refusal).into())));
    *response.status_mut() = status(refusal.reason);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The same, as bytes, for a stream that is no HTTP any more.
pub(super) fn plain(refusal: &Refusal) -> Vec<u8> {
    let (text, status) = (text(refusal), status(refusal.reason));
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        text.len()
    );
    [head.as_bytes(), &text].concat()
}

/// The answer to `CONNECT`.
pub(super) fn tunnel() -> Response<Answer> {
    Response::new(nothing())
}

fn text(refusal: &Refusal) -> Vec<u8> {
    // Names, numbers and texts always have a form in JSON.
    let mut text = serde_json::to_vec(refusal).unwrap_or_default();
    text.push(b'\n');
    text
}

fn status(reason: RefusalReason) -> StatusCode {
    use RefusalReason::{
        MessageMalformed, NameNotResolved, TooLarge, TooSlow, UpstreamMalformed, UpstreamTimeout,
        UpstreamTls, UpstreamUnreachable,
    };
    let others = [
        (StatusCode::BAD_REQUEST, &[MessageMalformed, TooLarge][..]),
        (StatusCode::REQUEST_TIMEOUT, &[TooSlow]),
        (StatusCode::BAD_GATEWAY, &[NameNotResolved, UpstreamUnreachable, UpstreamTls, UpstreamMalformed]),
        (StatusCode::GATEWAY_TIMEOUT, &[UpstreamTimeout]),
    ];
    let known = others.into_iter().find(|(_, reasons)| reasons.contains(&reason));
    known.map_or(StatusCode::FORBIDDEN, |(status, _)| status)
}

/// No body.
pub(super) fn nothing() -> Answer {
    Answer::Said(Full::new(Bytes::new()))
}

/// An origin's status without its words.
pub(super) fn status_only(status: StatusCode) -> Response<Answer> {
    let mut response = Response::new(nothing());
    *response.status_mut() = status;
    response
}
