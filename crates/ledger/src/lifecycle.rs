//! A session's way from its start to its discard, each step one transaction together with its event.
//!
//! A step is taken only from the states that it can follow, checked in the same statement that takes it: of two
//! processes that resume one session, one is refused. Whether a supervisor still lives is not known here.

use crate::allocation;
use crate::error::{Error, Fault};
use crate::events;
use crate::row::to_json;
use crate::sessions::{self, SessionRecord, SessionState, Supervisor};
use crate::store::{Durability, Ledger};
use cofferdam_policy::authority::CellKind;
use cofferdam_policy::event::{Event, ExitStatus, UnixNanos};
use cofferdam_policy::label::Label;
use cofferdam_policy::session_id::{SessionId, SessionName};
use rusqlite::{Connection, params};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

/// How a session gets its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameWish {
    /// This one, or the session is refused.
    Exactly(SessionName),
    /// This one, or else the first free of `<name>-2`, `<name>-3`, …
    Like(SessionName),
}

/// The host's user ids from which a session gets a range of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UidRanges {
    /// First id of the first range.
    pub start: u32,
    /// Ids in each range.
    pub size: u32,
    /// How many ranges there are.
    pub ranges: u32,
    /// Which of them is tried first, counted from 0; then those behind it, and round.
    pub first: u32,
}

/// A session to be begun.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Its id, drawn by the caller.
    pub id: SessionId,
    /// Its name.
    pub name: NameWish,
    /// The owner's directory that it is started from.
    pub directory: PathBuf,
    /// Its enclosure.
    pub cell: CellKind,
    /// The session that spawns it.
    pub parent: Option<SessionId>,
    /// Where its user ids come from, if it needs some of its own.
    pub uids: Option<UidRanges>,
    /// Who makes its cell; with it a start that was cut off can be told from one under way.
    pub supervisor: Option<Supervisor>,
    /// Its label.
    pub label: Label,
    /// Its program and arguments.
    pub command: Vec<String>,
    /// Digest of `authority`.
    pub authority_digest: String,
    /// Its authority, in canonical form.
    pub authority: String,
    /// Now.
    pub at: UnixNanos,
}

/// What a session is resumed with.
#[derive(Debug, Clone)]
pub struct Resumption {
    /// Who makes its cell this time.
    pub supervisor: Option<Supervisor>,
    /// Its program and arguments.
    pub command: Vec<String>,
    /// Digest of `authority`.
    pub authority_digest: String,
    /// Its authority, in canonical form.
    pub authority: String,
    /// Now.
    pub at: UnixNanos,
}

/// How a session ends.
#[derive(Debug, Clone)]
pub struct Ending {
    /// Whether it failed; else it is stopped.
    pub state: EndState,
    /// How its program ended, if it ran.
    pub exit_status: Option<ExitStatus>,
    /// What the record says of it.
    pub event: Event,
    /// Now.
    pub at: UnixNanos,
}

/// The states in which a session can end and wait to be resumed or discarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndState {
    /// Its program ended or was ended.
    Stopped,
    /// It could not be started or broke down.
    Failed,
}

impl EndState {
    fn state(self) -> SessionState {
        match self {
            Self::Stopped => SessionState::Stopped,
            Self::Failed => SessionState::Failed,
        }
    }
}

impl Ledger {
    /// Records a new session and that it started: name, user ids, row and event, all or nothing.
    ///
    /// # Errors
    /// [`Error::NameTaken`], [`Error::UidsExhausted`], no room, or a damaged file. Then there is no session.
    pub fn begin_session(&self, new: &NewSession) -> Result<SessionRecord, Error> {
        let columns = Columns::of(new).map_err(|fault| fault.at(self.path(), "begin a session"))?;
        self.write(Durability::Process, "begin a session", |connection| {
            let name = allocation::name(connection, &new.name)?;
            let uid_base = new.uids.map(|ranges| allocation::uid_base(connection, ranges)).transpose()?;
            insert(connection, new, &columns, &name, uid_base)?;
            let started = Event::Started {
                authority_digest: new.authority_digest.clone(),
                command: new.command.clone(),
            };
            events::insert(connection, &new.id, new.at, &started)?;
            Ok(recorded(new, name, uid_base))
        })
    }

    /// Records that the program of a starting session runs, watched by `supervisor`.
    ///
    /// # Errors
    /// [`Error::WrongState`], [`Error::NotFound`], no room, or a damaged file.
    pub fn set_running(&self, id: &SessionId, supervisor: &Supervisor, at: UnixNanos) -> Result<(), Error> {
        self.write(Durability::Process, "record the start of a session", |connection| {
            let changed = connection
                .prepare(
                    "UPDATE sessions SET state = 'running', started_at = ?2, supervisor_pid = ?3, \
                     supervisor_started = ?4, boot_id = ?5 WHERE id = ?1 AND state IN ('starting', 'running')",
                )?
                .execute(params![
                    id.as_str(),
                    at.0,
                    supervisor.pid,
                    supervisor.started_ticks,
                    supervisor.boot_id
                ])?;
            expect_one(connection, changed, id, "run")
        })
    }

    /// Records that a session ended, and how.
    ///
    /// # Errors
    /// [`Error::WrongState`] if it had ended before, [`Error::NotFound`], no room, or a damaged file.
    pub fn set_ended(&self, id: &SessionId, ending: &Ending) -> Result<(), Error> {
        self.write(Durability::Process, "record the end of a session", |connection| {
            let exit_status =
                ending.exit_status.map(|status| to_json("exit_status", &status)).transpose()?;
            let changed = connection
                .prepare(
                    "UPDATE sessions SET state = ?2, ended_at = ?3, exit_status = ?4, supervisor_pid = NULL, \
                     supervisor_started = NULL, boot_id = NULL WHERE id = ?1 AND state IN ('starting', 'running')",
                )?
                .execute(params![id.as_str(), ending.state.state().name(), ending.at.0, exit_status])?;
            expect_one(connection, changed, id, "end")?;
            events::insert(connection, id, ending.at, &ending.event)?;
            Ok(())
        })
    }

    /// Records that a session ended and was discarded at once, in one write.
    ///
    /// # Errors
    /// As [`Ledger::set_ended`].
    pub fn set_ended_and_discarded(&self, id: &SessionId, ending: &Ending) -> Result<(), Error> {
        self.write(Durability::Process, "record the end of a session", |connection| {
            let exit_status = ending.exit_status.map(|status| to_json("exit_status", &status)).transpose()?;
            let changed = connection
                .prepare(
                    "UPDATE sessions SET state = 'discarded', ended_at = ?2, exit_status = ?3, supervisor_pid = NULL, \
                     supervisor_started = NULL, boot_id = NULL WHERE id = ?1 AND state IN ('starting', 'running')",
                )?
                .execute(params![id.as_str(), ending.at.0, exit_status])?;
            expect_one(connection, changed, id, "end")?;
            events::insert(connection, id, ending.at, &ending.event)?;
            events::insert(connection, id, ending.at, &Event::Discarded)?;
            Ok(())
        })
    }

    /// Takes an ended session for a new start. Its name, user ids and label stay.
    ///
    /// # Errors
    /// [`Error::WrongState`] if it has not ended, was discarded, or another process was faster;
    /// [`Error::NotFound`], no room, or a damaged file.
    pub fn resume(&self, id: &SessionId, resumption: &Resumption) -> Result<SessionRecord, Error> {
        self.write(Durability::Process, "resume a session", |connection| {
            let supervisor = resumption.supervisor.as_ref();
            keep_authority(connection, &resumption.authority_digest, &resumption.authority)?;
            let changed = connection
                .prepare(
                    "UPDATE sessions SET state = 'starting', started_at = NULL, ended_at = NULL, \
                     exit_status = NULL, supervisor_pid = ?2, supervisor_started = ?3, boot_id = ?4, command = ?5, \
                     authority_digest = ?6 WHERE id = ?1 AND state IN ('stopped', 'failed')",
                )?
                .execute(params![
                    id.as_str(),
                    supervisor.map(|s| s.pid),
                    supervisor.map(|s| s.started_ticks),
                    supervisor.map(|s| &s.boot_id),
                    to_json("command", &resumption.command)?,
                    resumption.authority_digest,
                ])?;
            expect_one(connection, changed, id, "resume")?;
            let resumed = Event::Resumed {
                authority_digest: resumption.authority_digest.clone(),
                command: resumption.command.clone(),
            };
            events::insert(connection, id, resumption.at, &resumed)?;
            sessions::by_id(connection, id)
        })
    }

    /// Records that the layers of an ended session are gone; its name and user ids become free.
    ///
    /// # Errors
    /// [`Error::WrongState`] if it has not ended, [`Error::NotFound`], no room, or a damaged file.
    pub fn set_discarded(&self, id: &SessionId, at: UnixNanos) -> Result<(), Error> {
        self.write(Durability::Process, "record the discard of a session", |connection| {
            let changed = connection
                .prepare("UPDATE sessions SET state = 'discarded' WHERE id = ?1 AND state IN ('stopped', 'failed')")?
                .execute(params![id.as_str()])?;
            expect_one(connection, changed, id, "discard")?;
            events::insert(connection, id, at, &Event::Discarded)?;
            Ok(())
        })
    }
}

/// The columns of a new session that are JSON.
struct Columns {
    label: String,
    command: String,
}

impl Columns {
    fn of(new: &NewSession) -> Result<Self, Fault> {
        Ok(Self { label: to_json("label", &new.label)?, command: to_json("command", &new.command)? })
    }
}

fn insert(
    connection: &Connection,
    new: &NewSession,
    columns: &Columns,
    name: &SessionName,
    uid_base: Option<u32>,
) -> Result<(), Fault> {
    let supervisor = new.supervisor.as_ref();
    keep_authority(connection, &new.authority_digest, &new.authority)?;
    connection
        .prepare(
            "INSERT INTO sessions (id, name, directory, state, cell_kind, parent, uid_base, supervisor_pid, \
             supervisor_started, boot_id, created_at, label, command, authority_digest) \
             VALUES (?1, ?2, ?3, 'starting', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .execute(params![
            new.id.as_str(),
            name.as_str(),
            new.directory.as_os_str().as_bytes(),
            sessions::cell_name(new.cell),
            new.parent.as_ref().map(SessionId::as_str),
            uid_base,
            supervisor.map(|s| s.pid),
            supervisor.map(|s| s.started_ticks),
            supervisor.map(|s| &s.boot_id),
            new.at.0,
            columns.label,
            columns.command,
            new.authority_digest,
        ])?;
    Ok(())
}

/// An authority is kept once, under its digest.
fn keep_authority(connection: &Connection, digest: &str, canonical: &str) -> Result<(), Fault> {
    connection
        .prepare("INSERT OR IGNORE INTO authorities (digest, canonical) VALUES (?1, ?2)")?
        .execute(params![digest, canonical])?;
    Ok(())
}

fn recorded(new: &NewSession, name: SessionName, uid_base: Option<u32>) -> SessionRecord {
    SessionRecord {
        id: new.id.clone(),
        name,
        directory: new.directory.clone(),
        state: SessionState::Starting,
        cell: new.cell,
        parent: new.parent.clone(),
        uid_base,
        supervisor: new.supervisor.clone(),
        created_at: new.at,
        started_at: None,
        ended_at: None,
        exit_status: None,
        label: new.label.clone(),
        command: new.command.clone(),
        authority_digest: new.authority_digest.clone(),
        authority: new.authority.clone(),
    }
}

/// A step that changed no row was not to be taken; says why.
fn expect_one(
    connection: &Connection,
    changed: usize,
    id: &SessionId,
    act: &'static str,
) -> Result<(), Fault> {
    if changed == 1 {
        return Ok(());
    }
    let session = sessions::by_id(connection, id)?;
    Err(Error::WrongState { act, session: session.id, state: session.state }.into())
}
