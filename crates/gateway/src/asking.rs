//! Refusals that wait for the owner: held for a while, few at once, and refused when nobody answers.

use crate::wire::{Ask, Decision, Word};
use crate::words::{Words, one};
use cofferdam_policy::net::refusal::{Refusal, RefusalReason};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// How the owner is asked, and who waits.
#[derive(Debug, Default)]
pub(crate) struct Asking {
    ask: Option<Ask>,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    last: u64,
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
        let Some(ask) = self.ask.filter(|_| refusal.reason.is_of_grants() && refusal.allow.is_some()) else {
            return Asked::Never;
        };
        let (id, decision) = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.held.len() >= usize::try_from(ask.held_max).unwrap_or(usize::MAX) {
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
