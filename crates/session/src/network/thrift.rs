//! How much of what passes a gateway is recorded one by one: a lot, and then no more than the ledger can bear.
//!
//! An agent that asks for nothing else all day must not fill its owner's disk. What comes after is still recorded, added up
//! by place, now and then.
//!
//! What secrets are used for is counted apart: no flood of anything else takes that from the record.

use super::{OTHERS, PLACES_MAX};
use cofferdam_policy::event::{Event, Refused, Requested};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::{Duration, Instant};

/// How many events of the gateway are recorded one by one, in one run of a session: of each kind so many.
const SINGLY_MAX: u32 = 20_000;
/// How often the rest is recorded.
const TOGETHER_EVERY: Duration = Duration::from_secs(600);

/// In place of where a handle was seen.
const SEVERAL_PLACES: &str = "in several places";

/// What is added up until it is recorded.
#[derive(Debug, Default)]
pub(crate) struct Thrift {
    /// Recorded one by one: requests with a secret, leaks, and all else.
    carried: u32,
    singly_leaked: u32,
    others: u32,
    requested: BTreeMap<(String, u16), Requested>,
    /// Requests with a secret, and by what they were: of a deletion more is told than that something was sent.
    used: BTreeMap<Use, Requested>,
    refused: BTreeMap<(String, u16, String), Refused>,
    /// By credential, of which there are few.
    leaked: BTreeMap<String, u64>,
    due: Option<Instant>,
}

/// What requests with a secret have in common that are added up.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Use {
    credential: Option<String>,
    host: String,
    port: u16,
    method: Option<String>,
    status: Option<u16>,
    is_cut_off: bool,
}

impl Thrift {
    /// The event, if it is to be recorded by itself; else it is added to others.
    pub(crate) fn take(&mut self, event: Event) -> Option<Event> {
        let singly = if let Event::Requested(Requested { credential: Some(_), .. }) = &event {
            &mut self.carried
        } else if let Event::HandleLeaked { .. } = &event {
            &mut self.singly_leaked
        } else {
            &mut self.others
        };
        if *singly < SINGLY_MAX {
            *singly += 1;
            return Some(event);
        }
        if let Event::Requested(requested) = event {
            self.add_requested(requested);
        } else if let Event::Refused(refused) = event {
            self.add_refused(refused);
        } else if let Event::HandleLeaked { credential, count, .. } = event {
            *self.leaked.entry(credential).or_default() += count;
        } else {
            // The others come seldom, or are bounded where they are made: so many questions a minute, for one.
            return Some(event);
        }
        self.due.get_or_insert_with(|| Instant::now() + TOGETHER_EVERY);
        None
    }

    /// When what was added up is to be recorded.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// All that was added up.
    pub(crate) fn together(&mut self) -> Vec<Event> {
        self.due = None;
        let used = std::mem::take(&mut self.used).into_values();
        let requested = used.chain(std::mem::take(&mut self.requested).into_values()).map(Event::Requested);
        let refused = std::mem::take(&mut self.refused).into_values().map(Event::Refused);
        let leaked = std::mem::take(&mut self.leaked).into_iter();
        let leaked = leaked.map(|(credential, count)| Event::HandleLeaked {
            credential,
            place: SEVERAL_PLACES.to_owned(),
            count,
        });
        requested.chain(refused).chain(leaked).collect()
    }

    fn add_requested(&mut self, mut one: Requested) {
        one.path = None;
        if one.credential.is_some() {
            // Methods, statuses and names below a wildcard are the agent's and the origin's to make up.
            if self.used.len() >= PLACES_MAX && !self.used.contains_key(&Use::of(&one)) {
                (one.method, one.status) = (None, None);
            }
            if self.used.len() >= 2 * PLACES_MAX && !self.used.contains_key(&Use::of(&one)) {
                (one.host, one.port) = (OTHERS.to_owned(), 0);
            }
            return add(self.used.entry(Use::of(&one)), one);
        }
        (one.method, one.status) = (None, None);
        if self.requested.len() >= PLACES_MAX {
            (one.host, one.port) = (OTHERS.to_owned(), 0);
        }
        add(self.requested.entry((one.host.clone(), one.port)), one);
    }

    fn add_refused(&mut self, mut one: Refused) {
        (one.method, one.path, one.allow) = (None, None, None);
        if self.refused.len() >= PLACES_MAX {
            (one.host, one.port) = (OTHERS.to_owned(), 0);
        }
        match self.refused.entry((one.host.clone(), one.port, one.reason.clone())) {
            Entry::Occupied(mut known) => known.get_mut().count += one.count,
            Entry::Vacant(place) => {
                place.insert(one);
            }
        }
    }
}

impl Use {
    fn of(one: &Requested) -> Self {
        Self {
            credential: one.credential.clone(),
            host: one.host.clone(),
            port: one.port,
            method: one.method.clone(),
            status: one.status,
            is_cut_off: one.is_cut_off,
        }
    }
}

fn add<K: Ord>(place: Entry<'_, K, Requested>, one: Requested) {
    match place {
        Entry::Occupied(mut known) => {
            let known = known.get_mut();
            (known.up, known.down, known.count) =
                (known.up + one.up, known.down + one.down, known.count + one.count);
        }
        Entry::Vacant(place) => {
            place.insert(one);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(host: &str) -> Event {
        Event::Refused(Refused {
            reason: "host-not-granted".into(),
            host: host.into(),
            port: 443,
            method: Some("GET".into()),
            path: Some("/x".into()),
            allow: None,
            count: 1,
        })
    }

    #[test]
    fn a_flood_is_recorded_one_by_one_for_a_while_and_then_by_place_and_nothing_is_lost() {
        let mut thrift = Thrift::default();
        let flood = 3 * SINGLY_MAX;
        let singly = (0..flood).filter_map(|n| thrift.take(refused(&format!("h{}.test", n % 1_000)))).count();
        assert_eq!(singly, SINGLY_MAX as usize);
        assert!(thrift.due().is_some());
        let together = thrift.together();
        assert!(together.len() <= PLACES_MAX + 1, "{}", together.len());
        let counted: u64 = together
            .iter()
            .map(|event| if let Event::Refused(refused) = event { refused.count } else { 0 })
            .sum();
        assert_eq!(counted, u64::from(flood - SINGLY_MAX));
        assert!(thrift.due().is_none() && thrift.together().is_empty());
    }

    fn used(host: &str, method: &str, path: &str) -> Event {
        Event::Requested(Requested {
            host: host.into(),
            port: 443,
            method: Some(method.into()),
            path: Some(path.into()),
            status: Some(204),
            credential: Some("c1".into()),
            up: 1,
            down: 2,
            count: 1,
            is_cut_off: false,
        })
    }

    #[test]
    fn the_attack_of_a_flood_takes_no_use_of_a_secret_from_the_record() {
        let mut thrift = Thrift::default();
        for n in 0..2 * SINGLY_MAX {
            thrift.take(refused(&format!("h{n}.test")));
            thrift.take(Event::HandleLeaked { credential: "c1".into(), place: "body".into(), count: 1 });
        }
        let single = used("a.test", "POST", "/v1/delete-everything");
        assert_eq!(thrift.take(single.clone()), Some(single), "all else has no part in that");
        thrift.together();
        // A flood of uses is added up by what they were, within bounds, and none is lost.
        let singly =
            (0..SINGLY_MAX).filter_map(|n| thrift.take(used("a.test", "GET", &format!("/{n}")))).count();
        assert_eq!(singly, SINGLY_MAX as usize - 1);
        thrift.take(used("a.test", "DELETE", "/x"));
        for n in 0..SINGLY_MAX {
            thrift.take(used(&format!("h{n}.test"), &format!("M{n}"), "/"));
            thrift.take(refused(&format!("h{n}.test")));
        }
        let together = thrift.together();
        assert!(together.len() <= 3 * PLACES_MAX + 2, "{}", together.len());
        let uses = || {
            together
                .iter()
                .filter_map(|event| if let Event::Requested(used) = event { Some(used) } else { None })
        };
        assert_eq!(uses().map(|used| used.count).sum::<u64>(), u64::from(SINGLY_MAX) + 2);
        assert!(uses().all(|used| used.credential.as_deref() == Some("c1")));
        assert!(uses().any(|used| used.method.as_deref() == Some("DELETE") && used.status == Some(204)));
    }

    #[test]
    fn a_flood_of_leaks_is_recorded_by_credential_after_a_while_and_none_is_lost() {
        let mut thrift = Thrift::default();
        let leak = |n: u32| Event::HandleLeaked {
            credential: format!("c{}", n % 2),
            place: format!("header to {n}.test:443"),
            count: 2,
        };
        let flood = 2 * SINGLY_MAX;
        let singly = (0..flood).filter_map(|n| thrift.take(leak(n))).count();
        assert_eq!(singly, SINGLY_MAX as usize);
        let together = thrift.together();
        let counted = |event: &Event| if let Event::HandleLeaked { count, .. } = event { *count } else { 0 };
        assert_eq!(together.iter().map(counted).collect::<Vec<_>>(), [u64::from(SINGLY_MAX); 2]);
    }
}
