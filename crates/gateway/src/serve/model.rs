//! Requests to a model: the call recognised, the body read whole and looked at, and only then sent.
//!
//! What may stand in a body and in a head is decided in the policy. Answers are not looked at; they stream as any other.

mod head;

use super::request::{self, Seen};
use crate::body::Whole;
use crate::exchange::Exchange;
use crate::gate::Gate;
use crate::passage::Passage;
use cofferdam_policy::net::model::{
    BODY_BYTES_MAX, ModelApi, ModelCall, ModelRefusal, ModelRule, check_beta, inspect,
};
use cofferdam_policy::net::refusal::{Refusal, RefusalReason};
use cofferdam_policy::net::verdict::{Permitted as _, RequestPermit};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_ENCODING, HeaderName, HeaderValue};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Bodies that are in memory at once; one more waits.
const BODIES_MAX: usize = 4;
/// Until a body has come whole.
const BODY_TIME_MAX: Duration = Duration::from_secs(120);

const ANTHROPIC_BETA: HeaderName = HeaderName::from_static("anthropic-beta");

/// Room for the bodies that are looked at.
#[derive(Debug)]
pub(crate) struct Desk(Arc<Semaphore>);

impl Default for Desk {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(BODIES_MAX)))
    }
}

/// What is known of a request to a model before its body.
#[derive(Debug)]
pub(super) struct Asked<'p> {
    permit: &'p RequestPermit,
    rule: &'p ModelRule,
    call: ModelCall,
    path: String,
    method: String,
}

/// What the head of a request asks of a model, if its grant is for one: one of the known calls, with a body that can be
/// read, and no header that switches on what a body may not name.
pub(super) fn asked<'p>(
    permit: &'p RequestPermit,
    seen: &Seen,
    parts: &request::Parts,
) -> Result<Option<Asked<'p>>, Refusal> {
    let Some(rule) = permit.model() else { return Ok(None) };
    let Some(call) = rule.call(parts.method.as_str(), &seen.path) else {
        return Err(seen.refusal(parts, RefusalReason::ModelCallUnknown));
    };
    let (path, method) = (seen.path.clone(), parts.method.as_str().to_owned());
    let asked = Asked { permit, rule, call, path, method };
    let is_plain = |value: &HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity");
    if !parts.headers.get_all(CONTENT_ENCODING).iter().all(is_plain) {
        return Err(seen.refusal(parts, RefusalReason::ModelBodyEncoded));
    }
    for value in parts.headers.get_all(ANTHROPIC_BETA) {
        let text = String::from_utf8_lossy(value.as_bytes());
        check_beta(&text, rule.unchecked()).map_err(|refused| asked.refusal(&refused))?;
    }
    Ok(Some(asked))
}

/// Leaves of a head what inference needs, beside the secret in its place, and says of the body what it was judged as.
pub(super) fn narrow(
    asked: Option<&Asked<'_>>,
    exchange: &Exchange,
    parts: &mut request::Parts,
) -> Result<(), Refusal> {
    let Some(asked) = asked else { return Ok(()) };
    let own = match (asked.permit.credential(), exchange.place_of(asked.permit)) {
        (None, _) => head::Own::Agents,
        (Some(_), place) => head::Own::Owners(place),
    };
    head::narrow(parts, asked.call, own).map_err(|_unfit| asked.refuse(RefusalReason::MessageMalformed))
}

impl Asked<'_> {
    /// The whole body, with nothing in it that has the vendor do more than infer.
    pub(super) async fn body(
        &self,
        gate: &Gate,
        passage: &Passage,
        body: Option<Incoming>,
    ) -> Result<Whole, Refusal> {
        // The semaphore is never closed.
        let room = Arc::clone(&gate.desk.0).acquire_owned().await.ok();
        let come = timeout(BODY_TIME_MAX, self.come(passage, body)).await;
        let mut bytes = come.unwrap_or_else(|_late| Err(self.refuse(RefusalReason::TooSlow)))?;
        for leak in gate.exchange.replace_handles(&mut bytes) {
            gate.words.replaced(&leak, self.permit.destination());
        }
        if let Some(leak) = gate.exchange.leak_in_body(&bytes) {
            gate.words.leaked(&leak, self.permit.destination());
            return Err(self.refuse(RefusalReason::HandleMisplaced));
        }
        inspect(self.call, &bytes, self.rule.unchecked()).map_err(|refused| self.refusal(&refused))?;
        Ok(Whole::new(bytes, room))
    }

    async fn come(&self, passage: &Passage, body: Option<Incoming>) -> Result<Vec<u8>, Refusal> {
        let mut bytes = Vec::new();
        let Some(mut body) = body else { return Ok(bytes) };
        while let Some(frame) = Pin::new(&mut body).frame().await {
            let frame = frame.map_err(|_broken| self.refuse(RefusalReason::MessageMalformed))?;
            // Trailers say nothing that such a request needs.
            let Ok(data) = frame.into_data() else { continue };
            let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
            passage.up(length).map_err(|exhausted| self.refuse(exhausted.reason()))?;
            if bytes.len().saturating_add(data.len()) > BODY_BYTES_MAX {
                let bytes = bytes.len().saturating_add(data.len());
                return Err(self.refusal(&ModelRefusal::TooLong { bytes }));
            }
            make_room(&mut bytes, data.len());
            bytes.extend_from_slice(&data);
            if body.is_end_stream() {
                break;
            }
        }
        Ok(bytes)
    }

    fn refuse(&self, reason: RefusalReason) -> Refusal {
        Refusal::of_request(reason, self.permit.destination(), &self.method, &self.path)
    }

    /// With the place in the body, and the grant that would let it through by its name.
    fn refusal(&self, refused: &ModelRefusal) -> Refusal {
        let widened = self.rule.widened(refused).map(|rule| {
            let mut grant = self.permit.grant().clone();
            grant.model = Some(rule);
            grant.line()
        });
        self.refuse(refused.reason()).about(refused.to_string()).allowed_by(widened)
    }
}

/// As a vector grows by itself, but never to more than a body may have: with all places at the desk taken that would be
/// much of what the gateway has.
fn make_room(bytes: &mut Vec<u8>, more: usize) {
    if bytes.capacity() - bytes.len() < more {
        let doubled = bytes.len().min(BODY_BYTES_MAX.saturating_sub(bytes.len()));
        bytes.reserve_exact(doubled.max(more));
    }
}

/// Whether the call is one for which a client tries a WebSocket first, and goes on by HTTP when told to.
pub(super) fn has_socket(permit: &RequestPermit, path: &str) -> bool {
    permit.model().is_some_and(|rule| {
        rule.api() == ModelApi::OpenAi && path.ends_with("/responses") && rule.call("POST", path).is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cofferdam_policy::net::model::TREE_BYTES_MAX;

    #[test]
    fn bodies_that_come_in_pieces_take_no_more_than_the_longest_may() {
        let mut bytes = Vec::new();
        let piece = [0_u8; 8_000];
        while bytes.len() + piece.len() <= BODY_BYTES_MAX {
            make_room(&mut bytes, piece.len());
            assert!(bytes.capacity() <= BODY_BYTES_MAX, "{}", bytes.capacity());
            bytes.extend_from_slice(&piece);
        }
        assert!(bytes.len() > BODY_BYTES_MAX - piece.len());
    }

    /// All at once: the bodies at the desk, one of them moved while it grows, and the one tree there is (half as much
    /// again for what the allocator rounds up and moves).
    #[test]
    fn the_attack_of_the_longest_bodies_at_once_leaves_half_of_the_memory() {
        let most = BODIES_MAX * BODY_BYTES_MAX + BODY_BYTES_MAX / 2 + TREE_BYTES_MAX / 2 * 3;
        let limit = usize::try_from(crate::confine::MEMORY_BYTES_MAX).unwrap();
        assert!(most <= limit / 2, "{most} of {limit}");
    }
}
