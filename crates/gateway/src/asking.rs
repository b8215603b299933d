//! Refusals that wait for the owner: held for a while, few at once, and refused when nobody answers.

use crate::wire::{Ask, Decision, Word};
use crate::words::{Words, one};
use cofferdam_policy::net::refusal::{Refusal, RefusalReason};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// A question whose grant is longer can't be shown whole on a small screen, and is not asked.
const GRANT_BYTES_MAX: usize = 300;
/// How many questions a minute the owner is asked; what comes beyond is refused.
const ASKED_MAX: u32 = 30;
const A_MINUTE: Duration = Duration::from_secs(60);

/// How the owner is asked, and who waits.
#[derive(Debug, Default)]
pub(crate) struct Asking {
    ask: Option<Ask>,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    last: u64,
    /// When the minute began that is counted, and how many were asked in it.
    minute: Option<(Instant, u32)>,
    held: HashMap<u64, oneshot::Sender<Decision>>,
}

/// What came of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The owner was asked and allows it, this once or for good.
    Allowed(Decision),
    /// It stays refused, for this reason in place of the first.
    Refused(RefusalReason),
    /// The owner is not to be asked.
    Never,
}

impl Asking {
    pub(crate) fn new(ask: Option<Ask>) -> Self {
        Self { ask, waiting: Mutex::default() }
    }

    /// Waits for the owner's answer, if this is to be asked at all.
    pub(crate) async fn ask(&self, refusal: &Refusal, words: &Words) -> Asked {
        let can_be_shown = refusal.allow.as_ref().is_some_and(|grant| grant.len() <= GRANT_BYTES_MAX);
        let Some(ask) = self.ask.filter(|_| refusal.reason.is_of_grants() && can_be_shown) else {
            return Asked::Never;
        };
        let (id, decision) = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let is_full = waiting.held.len() >= usize::try_from(ask.held_max).unwrap_or(usize::MAX);
            if is_full || !waiting.may_ask(Instant::now()) {
                return Asked::Refused(RefusalReason::HeldFlood);
            }
            waiting.last += 1;
            let (sender, receiver) = oneshot::channel();
            let id = waiting.last;
            waiting.held.insert(id, sender);
            (id, receiver)
        };
        let _held = Held { id, asking: self, words };
        words.say(Word::Held { id, refusal: one(refusal) });
        match timeout(Duration::from_secs(ask.seconds.into()), decision).await {
            Ok(Ok(decision @ (Decision::AllowOnce | Decision::AllowForSession))) => Asked::Allowed(decision),
            Ok(Ok(Decision::Deny) | Err(_)) => Asked::Refused(RefusalReason::HeldDenied),
            Err(_elapsed) => Asked::Refused(RefusalReason::HeldTimeout),
        }
    }

    /// The owner's answer; of no effect when nobody waits for it any more.
    pub(crate) fn decide(&self, id: u64, decision: Decision) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = waiting.held.remove(&id) {
            // Its client may have gone in this very moment.
            let _gone = sender.send(decision);
        }
    }
}

impl Waiting {
    /// Counts a question, unless there were too many within a minute: an agent could ask, go away and ask again for ever.
    fn may_ask(&mut self, now: Instant) -> bool {
        let (since, count) = self.minute.filter(|(since, _)| now - *since < A_MINUTE).unwrap_or((now, 0));
        self.minute = Some((since, (count + 1).min(ASKED_MAX)));
        count < ASKED_MAX
    }
}

/// A place among those that wait, given up however the waiting ends: also when the client goes.
struct Held<'a> {
    id: u64,
    asking: &'a Asking,
    words: &'a Words,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut waiting = self.asking.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.held.remove(&self.id);
        drop(waiting);
        self.words.say(Word::Released { id: self.id });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_that_asks_and_goes_away_for_ever_is_counted_by_the_minute() {
        let mut waiting = Waiting::default();
        let start = Instant::now();
        let asked =
            (0..1_000).filter(|second| waiting.may_ask(start + Duration::from_millis(second * 50))).count();
        assert_eq!(asked, ASKED_MAX as usize);
        assert!(waiting.may_ask(start + A_MINUTE), "it may ask again in the next");
    }
}
