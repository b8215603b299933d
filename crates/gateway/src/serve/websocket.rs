//! A WebSocket (RFC 6455): a request that is judged like any other, and then frames.
//!
//! Only by HTTP/1.1, and only where a grant names the protocol. What is inside is counted; a handle that the client sends
//! ends it, a secret that the origin sends back is taken out of its frame, and the rest is not understood.

use super::frames::{FromClient, FromServer, Unclean, Unfit};
use super::{request, said};
use crate::body::{Answer, Outgoing};
use crate::exchange::Due;
use crate::gate::Gate;
use crate::origin::{Dialed, Failure, HEAD_TIME_MAX, Site, Unfilled, old_builder};
use crate::passage::{Exhausted, Passage, Revoked};
use cofferdam_policy::net::credential::CredentialName;
use cofferdam_policy::net::refusal::{Refusal, RefusalReason};
use cofferdam_policy::net::verdict::RequestPermit;
use hyper::header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, UPGRADE};
use hyper::http::request::Parts;
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::io;
use std::sync::Arc;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

pub(crate) const BUFFER_BYTES: usize = 16 << 10;

/// A WebSocket that an origin has agreed to.
#[derive(Debug)]
pub(super) struct WebSocket {
    origin: Upgraded,
    passage: Arc<Passage>,
    credential: Option<CredentialName>,
    from_client: FromClient,
    /// Where a secret was sent.
    from_server: Option<FromServer>,
    revoked: Revoked,
    /// That of its request, for as long as it lasts.
    room: Option<OwnedSemaphorePermit>,
}

/// Why a WebSocket ends before its ends have said so.
#[derive(Debug, Error)]
enum Cut {
    /// One of them is gone.
    #[error("cannot pass a frame on")]
    Gone(#[from] io::Error),
    /// The budget.
    #[error(transparent)]
    Spent(#[from] Exhausted),
    /// What the client has sent.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// What the origin has sent.
    #[error(transparent)]
    Unclean(#[from] Unclean),
}

/// Asks the origin, by a connection of its own. A refusal of the origin's comes back as the response.
pub(super) async fn open(
    gate: &Gate,
    permit: &RequestPermit,
    mut parts: Parts,
    due: Option<Due>,
    passage: Arc<Passage>,
) -> Result<(Response<Answer>, Option<WebSocket>), Failure> {
    parts.headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    parts.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if gate.exchange.body_scanner().is_some() {
        // The one extension that there is compresses (RFC 7692), and what is compressed can't be looked through.
        parts.headers.remove(SEC_WEBSOCKET_EXTENSIONS);
    }
    let is_offered = parts.headers.contains_key(SEC_WEBSOCKET_EXTENSIONS);
    let mut request = Request::from_parts(parts, Outgoing::Empty);
    Site::of(permit)?.address_old(&mut request);
    let request = Unfilled::new(request, due, Arc::clone(&gate.exchange), Arc::clone(&passage));
    let credential = permit.credential();
    let asked = async {
        match gate.origins.dialer.old_http(permit).await? {
            Dialed::Tls(stream) => ask(*stream, request, &gate.revoked, credential).await,
            Dialed::Clear(socket) => ask(socket, request, &gate.revoked, credential).await,
        }
    };
    let mut response = timeout(HEAD_TIME_MAX, asked).await.unwrap_or(Err(Failure::Timeout))?;
    passage.answered(response.status().as_u16());
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok((said::status_only(response.status()), None));
    }
    let origin = hyper::upgrade::on(&mut response).await.map_err(Failure::Malformed)?;
    let (mut head, _nothing) = response.into_parts();
    let is_extended = head.headers.contains_key(SEC_WEBSOCKET_EXTENSIONS);
    let accepted = head.headers.contains_key(SEC_WEBSOCKET_ACCEPT) && (is_offered || !is_extended);
    request::clean_answer(&mut head);
    gate.exchange.scrub_head(permit, &mut head);
    head.headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    head.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if !accepted {
        return Ok((said::status_only(StatusCode::BAD_GATEWAY), None));
    }
    let credential = permit.credential().cloned();
    let from_client = FromClient::new(&gate.exchange, is_extended);
    let from_server = gate.exchange.scrubber().map(FromServer::new);
    let revoked = gate.revoked.clone();
    let websocket = WebSocket { origin, passage, credential, from_client, from_server, revoked, room: None };
    Ok((Response::from_parts(head, said::nothing()), Some(websocket)))
}

async fn ask<S>(
    stream: S,
    request: Unfilled,
    revoked: &Revoked,
    credential: Option<&CredentialName>,
) -> Result<Response<hyper::body::Incoming>, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = old_builder().handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(Failure::Malformed)?;
    // It ends with the WebSocket, with the response, or when nothing more may be sent.
    let (revoked, credential) = (revoked.clone(), credential.cloned());
    tokio::spawn(async move { revoked.unless(credential.as_ref(), connection.with_upgrades()).await });
    request.send(&mut sender).await.map_err(|(failure, _unsent)| failure)
}

impl WebSocket {
    /// It takes as much as a request under way.
    pub(super) fn keep(&mut self, room: OwnedSemaphorePermit) {
        self.room = Some(room);
    }

    /// Passes frames both ways until either side ends, sends what may not pass, the budget is spent or the credential
    /// revoked.
    pub(super) async fn pass<S: AsyncRead + AsyncWrite + Unpin>(self, client: S, early: &[u8]) {
        let Self { origin, passage, credential, mut from_client, mut from_server, revoked, room: _room } =
            self;
        let (mut reader, mut to_client) = tokio::io::split(client);
        let (mut from_origin, mut to_origin) = tokio::io::split(TokioIo::new(origin));
        let up = async {
            let mut buffer = vec![0; BUFFER_BYTES];
            let mut came = early;
            loop {
                passage.up(count(came))?;
                from_client.look(came)?;
                to_origin.write_all(came).await?;
                to_origin.flush().await?;
                let read = reader.read(&mut buffer).await?;
                if read == 0 {
                    return Ok(to_origin.shutdown().await?);
                }
                came = buffer.get(..read).unwrap_or_default();
            }
        };
        let down = async {
            let mut buffer = vec![0; BUFFER_BYTES];
            loop {
                let read = from_origin.read(&mut buffer).await?;
                if read == 0 {
                    return Ok(to_client.shutdown().await?);
                }
                let came = buffer.get(..read).unwrap_or_default();
                passage.down(count(came))?;
                match &mut from_server {
                    Some(from_server) => to_client.write_all(&from_server.pass(came)?).await?,
                    None => to_client.write_all(came).await?,
                }
                to_client.flush().await?;
            }
        };
        let ended: Result<(), Cut> = tokio::select! {
            biased;
            () = revoked.wait(credential.as_ref()) => Ok(()),
            // Frames say when they end. Where a side goes, with a word or without, the other has nobody to speak to.
            ended = up => ended,
            ended = down => ended,
        };
        if let Err(cut) = ended {
            cut.tell(&passage);
        }
    }
}

fn count(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

impl Cut {
    /// The agent sees its WebSocket end; why is for the owner.
    fn tell(self, passage: &Passage) {
        let reason = match self {
            Self::Gone(_) => return,
            Self::Spent(exhausted) => exhausted.reason(),
            Self::Unfit(Unfit::Frame(_)) => RefusalReason::MessageMalformed,
            Self::Unfit(Unfit::Leaked(leak)) => {
                passage.words().leaked(&leak, passage.destination());
                RefusalReason::HandleMisplaced
            }
            Self::Unclean(Unclean::Frame(_) | Unclean::Cut) => RefusalReason::UpstreamMalformed,
        };
        let (destination, method, path) = (passage.destination(), passage.method(), passage.path());
        passage.words().refused(&Refusal::of_request(reason, destination, method, path));
    }
}
