//! Sessions as the owner sees them: found by name, id or directory, with the state that they are really in.
//!
//! What the ledger says is compared with what runs: a session whose supervisor is gone is stopped, and recorded so.

use crate::cgroup::Hierarchies;
use crate::changes::{self, Changes};
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::record;
use crate::state::{self, State};
pub use cofferdam_ledger::SessionRecord;
use cofferdam_ledger::{EndState, Ending, Filter, RecordedEvent, SessionState};
use cofferdam_policy::authority::Authority;
use cofferdam_policy::event::{Event, StoppedBy};
use cofferdam_policy::session_id::SessionId;
use cofferdam_workspace::discard;
use rustix::fd::AsFd as _;
use std::path::PathBuf;

/// The most events that are shown at once.
pub const EVENTS_MAX: u32 = 10_000;

/// A session and what is in it.
#[derive(Debug)]
pub struct Shown {
    /// As recorded.
    pub record: SessionRecord,
    /// What it may touch.
    pub authority: Authority,
    /// What it changed.
    pub changes: Changes,
}

/// All sessions that are not discarded, latest first.
///
/// # Errors
/// [`ErrorKind::Ledger`].
pub fn list(context: &Context, state: &State) -> Result<Vec<SessionRecord>, Error> {
    let ledger = state.ledger()?;
    let found = ledger.sessions(&Filter { directory: None, discarded: false })?;
    drop(ledger);
    found.into_iter().map(|record| settled(context, state, record)).collect()
}

/// The session that is meant: by name, id or the beginning of one; without a word, the latest of the directory.
///
/// # Errors
/// [`ErrorKind::NoSession`].
pub fn find(context: &Context, state: &State, asked: Option<&str>) -> Result<SessionRecord, Error> {
    let ledger = state.ledger()?;
    let found = match asked {
        Some(asked) => ledger.find(asked)?,
        None => latest(context, &ledger)?,
    };
    drop(ledger);
    settled(context, state, found)
}

/// The latest session of the current directory, or of the nearest one above that has any.
fn latest(context: &Context, ledger: &cofferdam_ledger::Ledger) -> Result<SessionRecord, Error> {
    for directory in context.current.ancestors() {
        if let Some(found) = ledger.latest_for(directory)? {
            return Ok(found);
        }
    }
    Err(Error::new(ErrorKind::NoSession, format!("cannot find a session of {}", context.current.display()))
        .since("there is none for this directory or one above it")
        .hint("name one (cofferdam ls), or start one: cofferdam run -- COMMAND"))
}

/// A session that is recorded as running while nobody supervises it has been ended by its guardian.
fn settled(context: &Context, state: &State, record: SessionRecord) -> Result<SessionRecord, Error> {
    match record.state {
        SessionState::Stopped | SessionState::Failed | SessionState::Discarded => return Ok(record),
        SessionState::Starting | SessionState::Running => {}
    }
    if record.supervisor.as_ref().is_some_and(record::is_alive) {
        return Ok(record);
    }
    Hierarchies::look().clear(record.id.as_str());
    let ledger = state.ledger()?;
    let ended = ledger.set_ended(
        &record.id,
        &Ending {
            state: EndState::Stopped,
            exit_status: None,
            event: Event::Stopped { by: StoppedBy::Guardian },
            at: (context.now)(),
        },
    );
    match ended {
        // Somebody else was quicker; what counts is what is recorded now.
        Ok(()) | Err(cofferdam_ledger::Error::WrongState { .. }) => Ok(ledger.session(&record.id)?),
        Err(error) => Err(error.into()),
    }
}

/// Whether it runs.
#[must_use]
pub fn is_running(record: &SessionRecord) -> bool {
    matches!(record.state, SessionState::Starting | SessionState::Running)
}

/// The authority that is recorded with a session.
///
/// # Errors
/// [`ErrorKind::Ledger`] if it is of a version that this one does not know.
pub fn authority(record: &SessionRecord) -> Result<Authority, Error> {
    serde_json::from_str(&record.authority).map_err(|error| {
        Error::new(
            ErrorKind::Ledger,
            format!("cannot read the authority of session {}", record.name.as_str()),
        )
        .because(error)
        .hint("it is of another version; start a new session, and discard this one")
    })
}

/// A session with all that `show` shows.
///
/// # Errors
/// As [`find`], and if its layers can't be read.
pub fn show(context: &Context, state: &State, asked: Option<&str>) -> Result<Shown, Error> {
    let record = find(context, state, asked)?;
    let authority = authority(&record)?;
    let changes = changes::of(state, &record, &authority)?;
    Ok(Shown { record, authority, changes })
}

/// What happened to a session.
///
/// # Errors
/// As [`find`].
pub fn events(
    context: &Context,
    state: &State,
    asked: Option<&str>,
) -> Result<(SessionRecord, Vec<RecordedEvent>), Error> {
    let record = find(context, state, asked)?;
    let events = state.ledger()?.events(Some(&record.id), 0, EVENTS_MAX)?;
    Ok((record, events))
}

/// The files that hold what its program printed, older first.
///
/// # Errors
/// As [`find`].
pub fn logs(
    context: &Context,
    state: &State,
    asked: Option<&str>,
) -> Result<(SessionRecord, Vec<PathBuf>), Error> {
    let record = find(context, state, asked)?;
    let log = state.session(&record.id).log();
    let files = [crate::supervise::former_log(&log), log];
    Ok((record, files.into_iter().filter(|file| file.exists()).collect()))
}

/// Removes a stopped session with all its layers.
///
/// # Errors
/// [`ErrorKind::WrongState`] if it runs, [`ErrorKind::State`] if something can't be removed.
pub fn remove(context: &Context, state: &State, id: &SessionId) -> Result<(), Error> {
    // Recorded first: what is left then is a directory that nobody knows, which `doctor` clears.
    state.ledger()?.set_discarded(id, (context.now)())?;
    remove_files(state, id)
}

/// Removes the files of a session that is recorded as discarded.
pub(crate) fn remove_files(state: &State, id: &SessionId) -> Result<(), Error> {
    let sessions = state::open_directory(&state.sessions())?;
    discard::remove(sessions.as_fd(), id.as_str().as_bytes()).map(|_| ()).map_err(|error| {
        Error::new(ErrorKind::State, "cannot remove all of the session's files")
            .because(error)
            .hint("cofferdam doctor --fix")
    })
}
