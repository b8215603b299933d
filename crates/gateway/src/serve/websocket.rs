//! A WebSocket (RFC 6455): a request that is judged like any other, and then frames that nobody reads.
//!
//! Only by HTTP/1.1, and only where a grant names the protocol. What is inside is counted, a secret that the origin sends
//! back is taken out of its frame, and the rest is not understood.

use super::frames::Frames;
use super::{request, said};
use crate::body::{Answer, Outgoing};
use crate::gate::Gate;
use crate::origin::{Dialed, Failure, HEAD_TIME_MAX, Site, old_builder};
use crate::passage::{Passage, Revoked};
use cofferdam_policy::net::credential::CredentialName;
use cofferdam_policy::net::verdict::RequestPermit;
use hyper::header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use hyper::http::request::Parts;
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

const BUFFER_BYTES: usize = 16 << 10;

/// A WebSocket that an origin has agreed to.
#[derive(Debug)]
pub(super) struct WebSocket {
    origin: Upgraded,
    passage: Arc<Passage>,
    credential: Option<CredentialName>,
    /// Where a secret was sent.
    frames: Option<Frames>,
    revoked: Revoked,
}

/// Asks the origin, by a connection of its own. A refusal of the origin's comes back as the response.
pub(super) async fn open(
    gate: &Gate,
    permit: &RequestPermit,
    mut parts: Parts,
    passage: Arc<Passage>,
) -> Result<(Response<Answer>, Option<WebSocket>), Failure> {
    parts.headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    parts.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    let mut request = Request::from_parts(parts, Outgoing::Empty);
    Site::of(permit)?.address_old(&mut request);
    let asked = async {
        match gate.origins.dialer.old_http(permit).await? {
            Dialed::Tls(stream) => ask(*stream, request).await,
            Dialed::Clear(socket) => ask(socket, request).await,
        }
    };
    let mut response = timeout(HEAD_TIME_MAX, asked).await.unwrap_or(Err(Failure::Timeout))?;
    passage.answered(response.status().as_u16());
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok((said::status_only(response.status()), None));
    }
    let origin = hyper::upgrade::on(&mut response).await.map_err(Failure::Malformed)?;
    let (mut head, _nothing) = response.into_parts();
    let accepted = head.headers.contains_key(SEC_WEBSOCKET_ACCEPT);
    request::clean_answer(&mut head);
    gate.exchange.scrub_head(permit, &mut head);
    head.headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    head.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if !accepted {
        return Ok((said::status_only(StatusCode::BAD_GATEWAY), None));
    }
    let credential = permit.credential().cloned();
    let frames = gate.exchange.scrubber(permit).map(Frames::new);
    let websocket = WebSocket { origin, passage, credential, frames, revoked: gate.revoked.clone() };
    Ok((Response::from_parts(head, said::nothing()), Some(websocket)))
}

async fn ask<S>(stream: S, request: Request<Outgoing>) -> Result<Response<hyper::body::Incoming>, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = old_builder().handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(Failure::Malformed)?;
    // It ends with the WebSocket, or with the response.
    tokio::spawn(connection.with_upgrades());
    sender.send_request(request).await.map_err(Failure::Malformed)
}

impl WebSocket {
    /// Passes frames both ways until either side ends, the budget is spent or the credential revoked.
    pub(super) async fn pass<S: AsyncRead + AsyncWrite + Unpin>(self, client: S, early: &[u8]) {
        let Self { origin, passage, credential, mut frames, revoked } = self;
        let (mut from_client, mut to_client) = tokio::io::split(client);
        let (mut from_origin, mut to_origin) = tokio::io::split(TokioIo::new(origin));
        let up = async {
            let count = |bytes| passage.up(bytes).map_err(io::Error::other);
            count(u64::try_from(early.len()).unwrap_or(u64::MAX))?;
            to_origin.write_all(early).await?;
            one_way(&mut from_client, &mut to_origin, None, count).await
        };
        let down = async {
            let count = |bytes| passage.down(bytes).map_err(io::Error::other);
            one_way(&mut from_origin, &mut to_client, frames.as_mut(), count).await
        };
        tokio::select! {
            // Frames say when they end. Where a side goes, with a word or without, the other has nobody to speak to.
            _ended = up => {}
            _ended = down => {}
            () = revoked.wait(credential.as_ref()) => {}
        }
    }
}

async fn one_way(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    mut frames: Option<&mut Frames>,
    count: impl Fn(u64) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        count(u64::try_from(read).unwrap_or(u64::MAX))?;
        let read = buffer.get(..read).unwrap_or_default();
        match &mut frames {
            Some(frames) => to.write_all(&frames.pass(read)).await?,
            None => to.write_all(read).await?,
        }
        to.flush().await?;
    }
}
