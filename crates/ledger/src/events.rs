//! What happened to sessions, in the order in which it was recorded.
//!
//! Events are added and read, never changed. They are not tamper-evident yet: the Merkle log will stand here, with
//! `seq` as the number of a leaf and the row as its content.

use crate::error::{Error, Fault, unreadable};
use crate::row;
use crate::store::{Durability, Ledger};
use cofferdam_policy::event::{Event, EventKind, UnixNanos};
use cofferdam_policy::session_id::SessionId;
use rusqlite::{Connection, Row, params};

/// An event with its place in the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedEvent {
    /// Its number; later events have larger ones, of whatever session.
    pub seq: i64,
    /// Whose it is.
    pub session: SessionId,
    /// When it happened, by the clock of whoever recorded it.
    pub at: UnixNanos,
    /// What happened.
    pub event: Event,
}

impl Ledger {
    /// Adds an event of an existing session and returns its number.
    ///
    /// # Errors
    /// An unknown session, no room, or a damaged file.
    pub fn record(
        &self,
        session: &SessionId,
        at: UnixNanos,
        event: &Event,
        durability: Durability,
    ) -> Result<i64, Error> {
        self.write(durability, "record an event", |connection| {
            insert(connection, session, at, event).map_err(|fault| unknown_session(fault, session))
        })
    }

    /// Adds several events that happened by `at`, all or none.
    ///
    /// # Errors
    /// As for [`Ledger::record`].
    pub fn record_all(
        &self,
        session: &SessionId,
        at: UnixNanos,
        events: &[Event],
        durability: Durability,
    ) -> Result<(), Error> {
        self.write(durability, "record events", |connection| {
            events.iter().try_for_each(|event| {
                insert(connection, session, at, event)
                    .map(drop)
                    .map_err(|fault| unknown_session(fault, session))
            })
        })
    }

    /// The latest event of a session that is of one of these kinds.
    ///
    /// # Errors
    /// A damaged file or row.
    pub fn latest_of(
        &self,
        session: &SessionId,
        kinds: &[EventKind],
    ) -> Result<Option<RecordedEvent>, Error> {
        let sql = "SELECT seq, session, at, kind, body FROM events WHERE session = ?1 \
                   AND kind IN (SELECT value FROM json_each(?2)) ORDER BY seq DESC LIMIT 1";
        self.read("read events", |connection| {
            Ok(select(connection, sql, params![session.as_str(), names(kinds)?])?.pop())
        })
    }

    /// Up to `limit` events of a session after number `after` that are of one of these kinds, oldest first.
    ///
    /// # Errors
    /// A damaged file or row.
    pub fn events_of(
        &self,
        session: &SessionId,
        kinds: &[EventKind],
        after: i64,
        limit: u32,
    ) -> Result<Vec<RecordedEvent>, Error> {
        let sql = "SELECT seq, session, at, kind, body FROM events WHERE session = ?1 AND seq > ?3 \
                   AND kind IN (SELECT value FROM json_each(?2)) ORDER BY seq LIMIT ?4";
        self.read("read events", |connection| {
            let kinds = names(kinds)?;
            select(connection, sql, params![session.as_str(), kinds, after, limit])
        })
    }

    /// Up to `limit` events of one session (or of all) after number `after`, oldest first.
    ///
    /// # Errors
    /// A damaged file or row.
    pub fn events(
        &self,
        session: Option<&SessionId>,
        after: i64,
        limit: u32,
    ) -> Result<Vec<RecordedEvent>, Error> {
        let all = "SELECT seq, session, at, kind, body FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2";
        let of_one = "SELECT seq, session, at, kind, body FROM events WHERE session = ?3 AND seq > ?1 \
                      ORDER BY seq LIMIT ?2";
        self.read("read events", |connection| match session {
            Some(session) => select(connection, of_one, params![after, limit, session.as_str()]),
            None => select(connection, all, params![after, limit]),
        })
    }
}

/// Adds an event within a transaction of the caller's.
pub(crate) fn insert(
    connection: &Connection,
    session: &SessionId,
    at: UnixNanos,
    event: &Event,
) -> Result<i64, Fault> {
    let (kind, body) = row::event_to_columns(event)?;
    connection
        .prepare("INSERT INTO events (session, at, kind, body) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![session.as_str(), at.0, kind, body])?;
    Ok(connection.last_insert_rowid())
}

fn names(kinds: &[EventKind]) -> Result<String, Fault> {
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    row::to_json("kinds", &names)
}

fn select(
    connection: &Connection,
    sql: &str,
    parameters: &[&dyn rusqlite::ToSql],
) -> Result<Vec<RecordedEvent>, Fault> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query(parameters)?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        events.push(from_row(row)?);
    }
    Ok(events)
}

fn from_row(row: &Row<'_>) -> Result<RecordedEvent, Fault> {
    let seq: i64 = row.get("seq")?;
    let key = format!("event {seq}");
    let session: String = row.get("session")?;
    let (kind, body): (String, String) = (row.get("kind")?, row.get("body")?);
    Ok(RecordedEvent {
        seq,
        session: session.parse().map_err(unreadable("session", &key))?,
        at: UnixNanos(row.get("at")?),
        event: row::event_from_columns(&kind, &body).map_err(unreadable("body", &key))?,
    })
}

/// An event must belong to a session; the schema says so, this says which.
fn unknown_session(fault: Fault, session: &SessionId) -> Fault {
    match fault {
        Fault::Sqlite(error)
            if error
                .sqlite_error()
                .is_some_and(|e| e.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY) =>
        {
            Fault::Final(Error::NotFound { asked: session.to_string() })
        }
        Fault::Sqlite(_) | Fault::Row { .. } | Fault::Final(_) => fault,
    }
}
