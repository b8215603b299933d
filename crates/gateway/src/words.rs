//! What is said to the supervisor: joined where it is alike, and never more than can be listened to.
//!
//! An agent can cause as many refusals as it likes. Those that are alike are said once and then counted; a flood of
//! different ones is joined by host. Only requests that carried a secret are each said, before all else. Nothing here waits
//! for the supervisor to listen.

use crate::exchange::Leak;
use crate::trail::{Begun, Mark, Trail};
use crate::wire::{
    HostTraffic, LeakNote, RefusalNote, RequestNote, WORD_HOSTS_MAX, WORD_PATH_BYTES_MAX, WORD_REQUESTS_MAX,
    Word,
};
use cofferdam_policy::net::credential::CredentialName;
use cofferdam_policy::net::host::{Destination, Host};
use cofferdam_policy::net::refusal::{Refusal, RefusalReason};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Between one lot of words and the next.
pub(crate) const LOT_EVERY: Duration = Duration::from_millis(50);
/// Words of one lot: 200 a second.
const LOT_WORDS_MAX: usize = 10;
/// Of these, what requests that carried a secret have before anything else.
const LOT_CARRIED_WORDS_MAX: usize = LOT_WORDS_MAX / 2;
/// The same refusal is said again, with a count, no earlier than this.
pub(crate) const REPEATED_AFTER: Duration = Duration::from_secs(5);
/// Different refusals that are remembered; beyond, they are joined by host.
const REFUSALS_MAX: usize = 1_024;
/// Requests without a secret that wait to be said; beyond, they are counted.
const REQUESTS_MAX: usize = 1_024;
/// Different leaks that are remembered; beyond, they are joined by credential.
const LEAKS_MAX: usize = 256;
/// Other words that wait; beyond, the eldest is dropped.
const OTHERS_MAX: usize = 1_024;
/// Hosts that are counted apart; beyond, under the name of the first.
const HOSTS_MAX: usize = 4_096;

/// The sum of what has passed between the cell and one host.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) requests: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) up: AtomicU64,
    pub(crate) down: AtomicU64,
    pub(crate) open: AtomicU64,
}

/// A request can't be noted, so it is not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unnoted;

/// Where words are gathered; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Words(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    trail: Option<Trail>,
    waiting: Mutex<Waiting>,
    traffic: Mutex<HashMap<Host, Arc<Traffic>>>,
    something: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    others: VecDeque<Word>,
    refusals: HashMap<Alike, Said>,
    leaks: HashMap<AlikeLeak, Said>,
    /// Each of them is said, whatever else there is to say: there are as many at most as the trail has places, and a
    /// request that finds none is not made.
    carried: VecDeque<(RequestNote, Option<Mark>)>,
    requests: VecDeque<RequestNote>,
    /// Requests without a secret beyond those.
    unsaid: u64,
    /// Nothing was said since what had been said was last forgotten: there is nothing more to forget.
    is_tidy: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Alike {
    reason: RefusalReason,
    destination: Option<Destination>,
    method: Option<String>,
    path: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct AlikeLeak {
    credential: CredentialName,
    destination: Destination,
    place: &'static str,
    is_replaced: bool,
}

#[derive(Debug, Default)]
struct Said {
    allow: Option<String>,
    /// Not said yet.
    count: u64,
    last: Option<Instant>,
}

/// What is to be said at once.
#[derive(Debug, Default)]
pub(crate) struct Lot {
    pub(crate) words: Vec<Word>,
    /// To be wiped out when the words are said.
    pub(crate) marks: Vec<Mark>,
}

impl Words {
    /// With a file for what is under way.
    pub(crate) fn leaving(trail: Trail) -> Self {
        Self(Arc::new(Shared { trail: Some(trail), ..Shared::default() }))
    }

    /// Notes a request before it is sent; `Err` if it could end untold of.
    pub(crate) fn begun(&self, begun: impl FnOnce() -> Begun) -> Result<Option<Mark>, Unnoted> {
        match &self.0.trail {
            Some(trail) => trail.mark(begun()).map(Some).ok_or(Unnoted),
            None => Ok(None),
        }
    }

    /// Something that is said once, and soon.
    pub(crate) fn say(&self, word: Word) {
        let mut waiting = self.waiting();
        if waiting.others.len() >= OTHERS_MAX {
            waiting.others.pop_front();
        }
        waiting.others.push_back(word);
        drop(waiting);
        self.0.something.notify_one();
    }

    /// A refusal.
    pub(crate) fn refused(&self, refusal: &Refusal) {
        if let Some(destination) = &refusal.destination {
            self.traffic(&destination.host).refused.fetch_add(1, Ordering::Relaxed);
        }
        let mut alike = Alike {
            reason: refusal.reason,
            destination: refusal.destination.clone(),
            method: refusal.method.clone(),
            path: refusal.path.as_deref().map(|path| cut(path).to_owned()),
        };
        let mut waiting = self.waiting();
        if waiting.refusals.len() >= REFUSALS_MAX && !waiting.refusals.contains_key(&alike) {
            if !std::mem::replace(&mut waiting.is_tidy, true) {
                waiting.refusals.retain(|_, said| said.count > 0);
            }
            if waiting.refusals.len() >= REFUSALS_MAX {
                (alike.method, alike.path) = (None, None);
            }
            if waiting.refusals.len() >= 2 * REFUSALS_MAX {
                alike.destination = None;
            }
        }
        let said = waiting.refusals.entry(alike).or_default();
        said.count += 1;
        said.allow.clone_from(&refusal.allow);
        drop(waiting);
        self.0.something.notify_one();
    }

    /// A handle where it does not belong.
    pub(crate) fn leaked(&self, leak: &Leak, destination: &Destination) {
        self.leak(leak, destination, false);
    }

    /// The same, where asterisks were sent in its place.
    pub(crate) fn replaced(&self, leak: &Leak, destination: &Destination) {
        self.leak(leak, destination, true);
    }

    fn leak(&self, leak: &Leak, destination: &Destination, is_replaced: bool) {
        let alike = AlikeLeak {
            credential: leak.credential.clone(),
            destination: destination.clone(),
            place: leak.place.name(),
            is_replaced,
        };
        let mut waiting = self.waiting();
        let is_full = waiting.leaks.len() >= LEAKS_MAX && !waiting.leaks.contains_key(&alike);
        let joined = || waiting.leaks.keys().find(|known| known.credential == alike.credential).cloned();
        let alike = if is_full { joined().unwrap_or(alike) } else { alike };
        waiting.leaks.entry(alike).or_default().count += 1;
        drop(waiting);
        self.0.something.notify_one();
    }

    /// A request that has ended, and the note of its beginning, if it carried a secret.
    pub(crate) fn request(&self, note: RequestNote, mark: Option<Mark>) {
        let mut waiting = self.waiting();
        if note.credential.is_some() {
            waiting.carried.push_back((note, mark));
        } else if waiting.requests.len() < REQUESTS_MAX {
            waiting.requests.push_back(note);
        } else {
            waiting.unsaid += 1;
        }
        drop(waiting);
        self.0.something.notify_one();
    }

    /// The sums of one host.
    pub(crate) fn traffic(&self, host: &Host) -> Arc<Traffic> {
        let mut traffic = self.0.traffic.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = traffic.get(host) {
            return Arc::clone(known);
        }
        if traffic.len() >= HOSTS_MAX {
            // A stranger among thousands: refused names are the agent's to make up, and are not kept for ever.
            traffic.retain(|_, sums| sums.requests.load(Ordering::Relaxed) > 0);
        }
        let sums = Arc::<Traffic>::default();
        if traffic.len() < HOSTS_MAX {
            traffic.insert(host.clone(), Arc::clone(&sums));
        }
        sums
    }

    /// All sums, those with the most requests first.
    pub(crate) fn report(&self) -> Word {
        let traffic = self.0.traffic.lock().unwrap_or_else(PoisonError::into_inner);
        let mut hosts: Vec<HostTraffic> = traffic
            .iter()
            .map(|(host, sums)| HostTraffic {
                host: host.clone(),
                requests: sums.requests.load(Ordering::Relaxed),
                refused: sums.refused.load(Ordering::Relaxed),
                up: sums.up.load(Ordering::Relaxed),
                down: sums.down.load(Ordering::Relaxed),
                open: sums.open.load(Ordering::Relaxed),
            })
            .collect();
        hosts.sort_by(|a, b| (b.requests, b.refused).cmp(&(a.requests, a.refused)).then(a.host.cmp(&b.host)));
        hosts.truncate(WORD_HOSTS_MAX);
        Word::Traffic { hosts }
    }

    /// Waits until there is something to say.
    pub(crate) async fn something(&self) {
        if self.waiting().repeats() {
            // Repeated refusals wait for their time without being notified of.
            let _ended = tokio::time::timeout(LOT_EVERY * 20, self.0.something.notified()).await;
        } else {
            self.0.something.notified().await;
        }
    }

    /// The next words to say; no more than one lot.
    pub(crate) fn lot(&self, now: Instant) -> Lot {
        let mut waiting = self.waiting();
        let Lot { words: mut lot, mut marks } = Lot::default();
        waiting.is_tidy = false;
        waiting.say_carried(LOT_CARRIED_WORDS_MAX, &mut lot, &mut marks);
        while lot.len() < LOT_WORDS_MAX
            && let Some(word) = waiting.others.pop_front()
        {
            lot.push(word);
        }
        let room = LOT_WORDS_MAX.saturating_sub(lot.len() + 1);
        let due = waiting.leaks.iter_mut().filter(|(_, said)| said.is_due(now));
        for (alike, said) in due.take(room) {
            lot.push(Word::Leak(alike.note(said.take(now))));
        }
        let room = LOT_WORDS_MAX.saturating_sub(lot.len() + 1);
        let due = waiting.refusals.iter_mut().filter(|(_, said)| said.is_due(now));
        for (alike, said) in due.take(room) {
            lot.push(Word::Refused(note(alike, said.allow.clone(), said.take(now))));
        }
        while lot.len() < LOT_WORDS_MAX && (!waiting.requests.is_empty() || waiting.unsaid > 0) {
            let count = waiting.requests.len().min(WORD_REQUESTS_MAX);
            let requests = waiting.requests.drain(..count).collect();
            lot.push(Word::Requests { requests, unsaid: std::mem::take(&mut waiting.unsaid) });
        }
        waiting.say_carried(LOT_WORDS_MAX, &mut lot, &mut marks);
        let more = !waiting.others.is_empty() || !waiting.requests.is_empty() || !waiting.carried.is_empty();
        drop(waiting);
        if more {
            self.0.something.notify_one();
        }
        Lot { words: lot, marks }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Whether something that was said has come again, and waits for its time.
    fn repeats(&self) -> bool {
        self.refusals.values().chain(self.leaks.values()).any(|said| said.count > 0)
    }

    /// Requests that carried a secret, until there are so many words.
    fn say_carried(&mut self, words_max: usize, lot: &mut Vec<Word>, marks: &mut Vec<Mark>) {
        while lot.len() < words_max && !self.carried.is_empty() {
            let count = self.carried.len().min(WORD_REQUESTS_MAX);
            let (requests, noted): (_, Vec<_>) = self.carried.drain(..count).unzip();
            marks.extend(noted.into_iter().flatten());
            lot.push(Word::Requests { requests, unsaid: 0 });
        }
    }
}

impl Said {
    /// Whether there is something to say of it, and not too soon after the last time.
    fn is_due(&self, now: Instant) -> bool {
        self.count > 0 && self.last.is_none_or(|last| now.duration_since(last) >= REPEATED_AFTER)
    }

    /// How many are said now.
    fn take(&mut self, now: Instant) -> u64 {
        self.last = Some(now);
        std::mem::take(&mut self.count)
    }
}

impl AlikeLeak {
    fn note(&self, count: u64) -> LeakNote {
        LeakNote {
            credential: self.credential.clone(),
            count,
            destination: self.destination.clone(),
            place: self.place.to_owned(),
            is_replaced: self.is_replaced,
        }
    }
}

fn note(alike: &Alike, allow: Option<String>, count: u64) -> RefusalNote {
    RefusalNote {
        reason: alike.reason,
        destination: alike.destination.clone(),
        method: alike.method.clone(),
        path: alike.path.clone(),
        allow,
        count,
    }
}

/// One refusal as the supervisor is told of it.
pub(crate) fn one(refusal: &Refusal) -> RefusalNote {
    RefusalNote {
        reason: refusal.reason,
        destination: refusal.destination.clone(),
        method: refusal.method.clone(),
        path: refusal.path.as_deref().map(|path| cut(path).to_owned()),
        allow: refusal.allow.clone(),
        count: 1,
    }
}

fn cut(path: &str) -> &str {
    path.get(..path.floor_char_boundary(WORD_PATH_BYTES_MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
