//! Sessions as the owner sees them: found by name, id or directory, with the state that they are really in.
//!
//! What the ledger says is compared with what runs: a session whose supervisor is gone is stopped, and recorded so.

use crate::cgroup::Hierarchies;
use crate::changes::{self, Changes};
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::gateway;
use crate::record;
use crate::state::{self, State};
use cofferdam_gateway::trail;
use cofferdam_ledger::{Durability, EndState, Ending, Filter, SessionState};
pub use cofferdam_ledger::{RecordedEvent, SessionRecord};
use cofferdam_policy::authority::Authority;
use cofferdam_policy::event::{Event, StoppedBy};
use cofferdam_policy::session_id::SessionId;
use cofferdam_workspace::discard;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::path::PathBuf;
use std::time::Duration;

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
    if !is_abandoned(&record) {
        return Ok(record);
    }
    match record_end(context, state, &record)? {
        Recorded::Now => Ok(state.ledger()?.session(&record.id)?),
        // A full disk must not hide its own cause from the owner: what is true is shown, and recorded later.
        Recorded::NoRoom => Ok(SessionRecord { state: SessionState::Stopped, supervisor: None, ..record }),
    }
}

/// Sees to it that the end of a session is recorded, before it gets a new start.
///
/// # Errors
/// [`ErrorKind::Ledger`] without room for that.
pub(crate) fn require_end(context: &Context, state: &State, id: &SessionId) -> Result<(), Error> {
    let record = state.ledger()?.session(id)?;
    if is_abandoned(&record) && record_end(context, state, &record)? == Recorded::NoRoom {
        return Err(Error::new(ErrorKind::Ledger, "cannot record the end of the session")
            .since("there is no room for the ledger")
            .hint("free the disk where the sessions are kept: cofferdam doctor"));
    }
    Ok(())
}

/// Whether something that was to be recorded is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Recorded {
    Now,
    NoRoom,
}

/// Recorded as running, and nobody supervises it.
fn is_abandoned(record: &SessionRecord) -> bool {
    is_running(record) && !record.supervisor.as_ref().is_some_and(record::is_alive)
}

fn record_end(context: &Context, state: &State, record: &SessionRecord) -> Result<Recorded, Error> {
    Hierarchies::look().clear(record.id.as_str());
    let ending = Ending {
        state: EndState::Stopped,
        exit_status: None,
        event: Event::Stopped { by: StoppedBy::Guardian },
        at: (context.now)(),
    };
    match state.ledger()?.set_ended(&record.id, &ending) {
        Ok(()) => {
            record_left(context, state, record)?;
            Ok(Recorded::Now)
        }
        // Somebody else was quicker; what counts is what is recorded now.
        Err(cofferdam_ledger::Error::WrongState { .. }) => Ok(Recorded::Now),
        Err(cofferdam_ledger::Error::DiskFull { .. }) => Ok(Recorded::NoRoom),
        Err(error) => Err(error.into()),
    }
}

/// What was under way with a secret when nobody was left to record it.
fn record_left(context: &Context, state: &State, record: &SessionRecord) -> Result<(), Error> {
    let path = state.session(&record.id).trail();
    if !path.exists() {
        return Ok(());
    }
    let trail = gateway::trail(state, &record.id)?;
    let left: Vec<Event> = gateway::cut_off(trail.as_fd()).into_iter().map(Event::Requested).collect();
    state.ledger()?.record_all(&record.id, (context.now)(), &left, Durability::Process)?;
    // What stays would be told once more, which is no loss.
    let _stays = trail::clear(trail.as_fd()).is_err();
    Ok(())
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
/// [`ErrorKind::State`] if its layers can't be read.
pub fn show(state: &State, record: SessionRecord) -> Result<Shown, Error> {
    let authority = authority(&record)?;
    let changes = changes::of(state, &record, &authority)?;
    Ok(Shown { record, authority, changes })
}

/// What happened to a session after event number `after`, at most [`EVENTS_MAX`] of it: there may be more.
///
/// # Errors
/// [`ErrorKind::Ledger`].
pub fn events(state: &State, record: &SessionRecord, after: i64) -> Result<Vec<RecordedEvent>, Error> {
    Ok(state.ledger()?.events(Some(&record.id), after, EVENTS_MAX)?)
}

/// The files that hold what its program printed, older first. Either may not exist.
#[must_use]
pub fn logs(state: &State, record: &SessionRecord) -> [PathBuf; 2] {
    let log = state.session(&record.id).log();
    [crate::supervise::former_log(&log), log]
}

/// Waiting for the end of a session, from outside.
#[derive(Debug)]
pub struct Following {
    record: SessionRecord,
    /// While this process lives, so does the session.
    supervisor: Option<OwnedFd>,
}

impl Following {
    /// Of this session.
    #[must_use]
    pub fn of(record: SessionRecord) -> Self {
        let supervisor = supervisor(&record);
        Self { record, supervisor }
    }

    /// As it was when it was last looked at.
    #[must_use]
    pub fn record(&self) -> &SessionRecord {
        &self.record
    }

    /// Whether it runs. The ledger is asked only when its supervisor has gone: then it may have got another one.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn goes_on(&mut self, context: &Context, state: &State) -> Result<bool, Error> {
        if self.supervisor.as_ref().is_some_and(|supervisor| !has_ended(supervisor, Duration::ZERO)) {
            return Ok(true);
        }
        let record = state.ledger()?.session(&self.record.id)?;
        self.record = settled(context, state, record)?;
        self.supervisor = supervisor(&self.record);
        Ok(is_running(&self.record))
    }

    /// Waits a moment, or until the supervisor has gone.
    pub fn wait(&self) {
        const PAUSE: Duration = Duration::from_millis(200);
        match &self.supervisor {
            Some(supervisor) => {
                has_ended(supervisor, PAUSE);
            }
            None => std::thread::sleep(PAUSE),
        }
    }
}

fn supervisor(record: &SessionRecord) -> Option<OwnedFd> {
    let known = record.supervisor.as_ref().filter(|_| is_running(record))?;
    let opened = pidfd_open(Pid::from_raw(i32::try_from(known.pid).ok()?)?, PidfdFlags::empty()).ok()?;
    // Looked at afterwards: the number may have become another's before it was opened.
    record::is_alive(known).then_some(opened)
}

fn has_ended(process: &OwnedFd, within: Duration) -> bool {
    let mut watched = [PollFd::new(process, PollFlags::IN)];
    matches!(poll(&mut watched, within.try_into().ok().as_ref()), Ok(1..))
}

/// Removes a stopped session with all its layers; `told` hears how many files went so far.
///
/// # Errors
/// [`ErrorKind::WrongState`] if it runs, [`ErrorKind::State`] if something can't be removed.
pub fn remove(
    context: &Context,
    state: &State,
    id: &SessionId,
    told: &mut dyn FnMut(u64),
) -> Result<(), Error> {
    // Recorded first: what is left then is a directory that nobody knows, which `doctor` clears.
    if record_discard(context, state, id)? == Recorded::Now {
        return remove_files(state, id, told);
    }
    // Its own files may be what leaves no room, and the owner has said that they may go.
    remove_files(state, id, told)?;
    match record_discard(context, state, id)? {
        Recorded::Now => Ok(()),
        Recorded::NoRoom => Err(Error::new(ErrorKind::Ledger, "cannot record the discard of the session")
            .since("its files are gone, and there is still no room for the ledger")
            .hint("free the disk where the sessions are kept, and discard it again")),
    }
}

fn record_discard(context: &Context, state: &State, id: &SessionId) -> Result<Recorded, Error> {
    let record = state.ledger()?.session(id)?;
    if is_abandoned(&record) && record_end(context, state, &record)? == Recorded::NoRoom {
        return Ok(Recorded::NoRoom);
    }
    match state.ledger()?.set_discarded(id, (context.now)()) {
        Ok(()) => Ok(Recorded::Now),
        Err(cofferdam_ledger::Error::DiskFull { .. }) if !is_running(&record) => Ok(Recorded::NoRoom),
        Err(error) => Err(error.into()),
    }
}

/// Removes the files of a session that is recorded as discarded.
pub(crate) fn remove_files(state: &State, id: &SessionId, told: &mut dyn FnMut(u64)) -> Result<(), Error> {
    let sessions = state::open_directory(&state.sessions())?;
    let mut so_far = |removed: discard::Removed| told(removed.entries);
    let removed = discard::remove_telling(sessions.as_fd(), id.as_str().as_bytes(), &mut so_far);
    removed.map(|_| ()).map_err(|error| {
        Error::new(ErrorKind::State, "cannot remove all of the session's files")
            .because(error)
            .hint("cofferdam doctor --fix")
    })
}
