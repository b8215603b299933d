//! What a session has to do with the network, as its owner sees it: traffic, refusals, what waits for a word.
//!
//! A running session is asked over its supervisor's socket; of one that has ended the ledger tells.

mod thrift;

pub(crate) use thrift::Thrift;

use crate::control::{Ask, Line};
use crate::error::{Error, ErrorKind};
use crate::sessions;
use crate::state::State;
use cofferdam_ledger::SessionRecord;
use cofferdam_policy::event::{Decision, Event, EventKind, Refused, Requested};
use cofferdam_policy::net::host::Port;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// The most places that are told apart; what comes after them is counted together.
const PLACES_MAX: usize = 500;
/// What places beyond that are called.
pub(crate) const OTHERS: &str = "(others)";

/// All that went through a gateway so far, and all that waits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// By place, in the order of the last to be spoken to.
    pub traffic: Vec<Traffic>,
    /// Held requests, oldest first.
    pub waiting: Vec<Waiting>,
    /// Ports of the cell that the owner's browser reaches now.
    #[serde(default)]
    pub published: Vec<Published>,
}

/// A port of the cell on the owner's loopback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// The port in the cell.
    pub port: u16,
    /// Where the owner's browser finds it.
    pub url: String,
}

/// What went to and came from one place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Requests, and connections that were passed through unread, that were let through.
    pub requests: u64,
    /// Those that were not.
    pub refused: u64,
    /// Bytes that left.
    pub up: u64,
    /// Bytes that came.
    pub down: u64,
    /// What the gateway said last: `allowed`, or the code of a refusal.
    pub verdict: String,
}

/// A request that waits for the owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiting {
    /// Its number within the session.
    pub id: u64,
    /// What it is, and the grant that would allow it.
    pub refused: Refused,
    /// Until it is refused by itself.
    pub seconds_left: u64,
}

/// Traffic added up by place.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: BTreeMap<(String, u16), (u64, Traffic)>,
    clock: u64,
}

impl Table {
    /// Counts what was let through.
    pub(crate) fn requested(&mut self, requested: &Requested) {
        let row = self.row(&requested.host, requested.port);
        row.requests += requested.count;
        row.up += requested.up;
        row.down += requested.down;
        "allowed".clone_into(&mut row.verdict);
    }

    /// Counts what was not.
    pub(crate) fn refused(&mut self, refused: &Refused) {
        let row = self.row(&refused.host, refused.port);
        row.refused += refused.count;
        row.verdict.clone_from(&refused.reason);
    }

    /// The rows, latest first.
    pub(crate) fn rows(&self) -> Vec<Traffic> {
        let mut rows: Vec<&(u64, Traffic)> = self.rows.values().collect();
        rows.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        rows.into_iter().map(|(_, row)| row.clone()).collect()
    }

    fn row(&mut self, host: &str, port: u16) -> &mut Traffic {
        self.clock += 1;
        let place = (host.to_owned(), port);
        let fits = self.rows.len() < PLACES_MAX || self.rows.contains_key(&place);
        let place = if fits { place } else { (OTHERS.to_owned(), 0) };
        let (host, port) = place.clone();
        let row = self.rows.entry(place).or_insert_with(|| (0, Traffic { host, port, ..Traffic::default() }));
        row.0 = self.clock;
        &mut row.1
    }
}

/// What a session's gateway refused since it was last started: what means the same together, the most frequent first.
pub(crate) fn refusals(state: &State, record: &SessionRecord) -> Result<Vec<Refused>, Error> {
    let ledger = state.ledger()?;
    let begun = ledger.latest_of(&record.id, &[EventKind::Started, EventKind::Resumed])?;
    let mut after = begun.map_or(0, |event| event.seq);
    let mut together: BTreeMap<(String, String, u16, Option<String>), Refused> = BTreeMap::new();
    loop {
        let events = ledger.events_of(&record.id, &[EventKind::Refused], after, sessions::EVENTS_MAX)?;
        let Some(last) = events.last() else { break };
        after = last.seq;
        for event in events {
            let Event::Refused(refused) = event.event else { continue };
            let key = (refused.reason.clone(), refused.host.clone(), refused.port, refused.allow.clone());
            match together.entry(key) {
                Entry::Occupied(mut known) => known.get_mut().count += refused.count,
                Entry::Vacant(place) => {
                    place.insert(refused);
                }
            }
        }
    }
    let mut refused: Vec<Refused> = together.into_values().collect();
    refused.sort_by_key(|refused| std::cmp::Reverse(refused.count));
    Ok(refused)
}

/// What went through the gateway of a session so far, and what waits.
///
/// # Errors
/// [`ErrorKind::Ledger`] of a session that has ended, [`ErrorKind::Internal`] of one that does not answer.
pub fn network(state: &State, record: &SessionRecord) -> Result<Network, Error> {
    if sessions::is_running(record)
        && let Some(network) = line(state, record)?.inquire::<Network>(&Ask::Network)?
    {
        return Ok(network);
    }
    recorded(state, record)
}

/// The same from the ledger: what of it was recorded.
fn recorded(state: &State, record: &SessionRecord) -> Result<Network, Error> {
    let ledger = state.ledger()?;
    let mut table = Table::default();
    let mut after = 0;
    loop {
        let kinds = [EventKind::Refused, EventKind::Requested];
        let events = ledger.events_of(&record.id, &kinds, after, sessions::EVENTS_MAX)?;
        let Some(last) = events.last() else { break };
        after = last.seq;
        for event in &events {
            if let Event::Refused(refused) = &event.event {
                table.refused(refused);
            } else if let Event::Requested(requested) = &event.event {
                table.requested(requested);
            }
        }
    }
    Ok(Network { traffic: table.rows(), ..Network::default() })
}

/// The ports of a session that are published now, as its ledger has it.
///
/// # Errors
/// [`ErrorKind::Ledger`].
pub fn published(state: &State, record: &SessionRecord) -> Result<Vec<Published>, Error> {
    let mut ports = BTreeMap::new();
    if !sessions::is_running(record) {
        return Ok(Vec::new());
    }
    let ledger = state.ledger()?;
    let kinds = [EventKind::Started, EventKind::Resumed, EventKind::Published, EventKind::Unpublished];
    let mut after = 0;
    loop {
        let events = ledger.events_of(&record.id, &kinds, after, sessions::EVENTS_MAX)?;
        let Some(last) = events.last() else { break };
        after = last.seq;
        for event in events {
            if let Event::Published { port, url } = event.event {
                ports.insert(port, Published { port, url });
            } else if let Event::Unpublished { port } = event.event {
                ports.remove(&port);
            } else {
                ports.clear();
            }
        }
    }
    Ok(ports.into_values().collect())
}

/// Publishes a port of a running session.
///
/// # Errors
/// [`ErrorKind::WrongState`] if the session does not run, or the port can't be published.
pub fn publish(state: &State, record: &SessionRecord, port: Port) -> Result<Published, Error> {
    let answer = line(state, record)?.inquire::<Result<Published, String>>(&Ask::Publish { port })?;
    answer.unwrap_or_else(|| Err("the session ended over it".to_owned())).map_err(|why| {
        Error::new(ErrorKind::WrongState, format!("cannot publish port {}", port.get()))
            .since(why)
            .hint(format!("see what is published: cofferdam net {}", record.name.as_str()))
    })
}

/// Publishes it no longer.
///
/// # Errors
/// [`ErrorKind::WrongState`] if the session does not run, or the port was not published.
pub fn unpublish(state: &State, record: &SessionRecord, port: Port) -> Result<(), Error> {
    match line(state, record)?.inquire::<bool>(&Ask::Unpublish { port })? {
        Some(true) | None => Ok(()),
        Some(false) => {
            Err(Error::new(ErrorKind::WrongState, format!("cannot stop publishing port {}", port.get()))
                .since("it is not published")
                .hint(format!("see what is published: cofferdam net {}", record.name.as_str())))
        }
    }
}

/// Decides a held request of a running session.
///
/// # Errors
/// [`ErrorKind::WrongState`] if the session does not run, or no such request waits any more.
pub fn decide(state: &State, record: &SessionRecord, id: u64, decision: Decision) -> Result<(), Error> {
    let name = record.name.as_str();
    match line(state, record)?.inquire::<bool>(&Ask::Decide { id, decision })? {
        Some(true) => Ok(()),
        Some(false) | None => Err(Error::new(ErrorKind::WrongState, format!("cannot decide request {id}"))
            .since("it does not wait: it was decided, came to its time limit, or was given up")
            .hint(format!("see what waits: cofferdam pending {name}"))),
    }
}

/// Lets a secret be used no more in a running session; whether the session has it at all.
///
/// # Errors
/// [`ErrorKind::WrongState`] if the session does not run.
pub(crate) fn revoke(state: &State, record: &SessionRecord, secret: &str) -> Result<bool, Error> {
    let ask = Ask::Revoke { secret: secret.to_owned() };
    Ok(line(state, record)?.inquire::<bool>(&ask)?.unwrap_or_default())
}

fn line(state: &State, record: &SessionRecord) -> Result<Line, Error> {
    Line::open(&state.session(&record.id).socket(), record.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(host: &str) -> Refused {
        Refused {
            reason: "host-not-granted".into(),
            host: host.into(),
            port: 443,
            method: None,
            path: None,
            allow: None,
            count: 1,
        }
    }

    #[test]
    fn places_without_end_take_no_room_without_end() {
        let mut table = Table::default();
        (0..2 * PLACES_MAX).for_each(|number| table.refused(&refused(&format!("h{number}.test"))));
        let rows = table.rows();
        assert_eq!(rows.len(), PLACES_MAX + 1);
        assert_eq!((rows[0].host.as_str(), rows[0].refused), (OTHERS, PLACES_MAX as u64));
        assert_eq!(rows[1].host, format!("h{}.test", PLACES_MAX - 1));
    }
}
