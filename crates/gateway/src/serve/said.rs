//! What the gateway itself answers: refusals, and the word that a tunnel is open.

use crate::body::{Answer, kept};
use crate::bounds::REFUSAL_BYTES_MAX;
use cofferdam_policy::net::refusal::{Refusal, RefusalReason};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// A refusal as JSON: 403, or what HTTP has for a broken request and a broken origin. Without room only that.
pub(super) fn refused(refusal: &Refusal, room: Option<OwnedSemaphorePermit>) -> Response<Answer> {
    let said = room.map(|room| kept(text(refusal).into(), &Arc::new(room)));
    let mut response = Response::new(said.map_or_else(nothing, |said| Answer::Said(Full::new(said))));
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
    if text.len() > REFUSAL_BYTES_MAX {
        // It is the grant, for a path as long as heads may be, that has no bound.
        text = serde_json::to_vec(&Refusal { allow: None, ..refusal.clone() }).unwrap_or_default();
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use cofferdam_policy::net::host::{Destination, Port};
    use http_body_util::BodyExt as _;
    use tokio::sync::Semaphore;

    #[test]
    fn a_refusal_keeps_its_room_until_its_last_byte_is_taken_and_has_a_bound() {
        let room = Arc::new(Semaphore::new(1));
        let permit = || Arc::clone(&room).try_acquire_owned().ok();
        let to = Destination::parse("a.test", Port::HTTPS).unwrap();
        let refusal = Refusal::of_request(RefusalReason::HostNotGranted, &to, "GET", "/x");
        let bytes = |refusal: &Refusal| {
            let answer = refused(refusal, permit()).into_body();
            crate::tests::harness::run(async { answer.collect().await.unwrap().to_bytes() })
        };
        let taken = bytes(&refusal.clone().allowed_by(Some("GET a.test:443/x".to_owned())));
        assert!(String::from_utf8_lossy(&taken).contains("\"GET a.test:443/x\""));
        assert!(permit().is_none(), "what waits to be written is still there");
        drop(taken);
        let long = refusal.allowed_by(Some(format!("GET a.test:443/{}", "a".repeat(REFUSAL_BYTES_MAX))));
        assert!(bytes(&long).len() <= REFUSAL_BYTES_MAX);
    }
}
