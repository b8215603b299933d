//! Taking and restoring checkpoints of a session.
//!
//! A running session stands still while its layers are copied, and goes on before the copy is brought to the disk. A
//! restore that was cut off is finished by whatever command comes next, before anything else looks at the layers.

use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::freeze;
use crate::helper;
use crate::sessions;
use crate::state::{self, State};
use cofferdam_ledger::{Durability, SessionRecord};
use cofferdam_policy::checkpoint::RegularCheckpoints;
use cofferdam_policy::event::Event;
use cofferdam_policy::session_id::SessionId;
use cofferdam_workspace::checkpoint::{self, CheckpointError, Checkpoints};
pub use cofferdam_workspace::checkpoint::{CheckpointId, Record, Restored, Why};
use rustix::fd::{AsFd as _, OwnedFd};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A checkpoint that was taken.
#[derive(Debug)]
pub struct Taken {
    /// What is in it.
    pub record: Record,
    /// Older ones that went because there are more than are kept.
    pub gone: Vec<CheckpointId>,
}

/// How many regular ones are kept, unless the policy says otherwise.
pub const REGULAR_KEPT: usize = 10;

/// How many of the regular ones are kept.
pub(crate) fn kept(asked: RegularCheckpoints) -> usize {
    asked.keep.and_then(|keep| usize::try_from(keep).ok()).unwrap_or(REGULAR_KEPT)
}

/// Those of a session, oldest first.
///
/// # Errors
/// [`ErrorKind::State`].
pub fn list(state: &State, id: &SessionId) -> Result<Vec<Record>, Error> {
    match open(state, id)? {
        Some(session) => checkpoint::list(session.as_fd()).map_err(|error| unusable(&error)),
        None => Ok(Vec::new()),
    }
}

/// Takes a checkpoint by hand.
///
/// # Errors
/// [`ErrorKind::WrongState`] if the session can't be frozen, [`ErrorKind::State`] if there is no room.
pub fn take(context: &Context, state: &State, record: &SessionRecord) -> Result<Taken, Error> {
    let name = record.name.as_str();
    match take_for(context, state, record, Why::ByHand, usize::MAX)? {
        Some(taken) => Ok(taken),
        None => Err(Error::new(ErrorKind::WrongState, format!("cannot take a checkpoint of session {name}"))
            .since("it has no files yet")
            .hint("start it first: cofferdam resume")),
    }
}

/// Takes one; of a regular one, nothing if nothing changed since the last.
pub(crate) fn take_for(
    context: &Context,
    state: &State,
    session: &SessionRecord,
    why: Why,
    regular_kept: usize,
) -> Result<Option<Taken>, Error> {
    let Some(directory) = open(state, &session.id)? else { return Ok(None) };
    let checkpoints = lock(&directory)?;
    settle(context, state, &session.id, &checkpoints)?;
    if why == Why::Regular && is_unchanged(context, &checkpoints)? {
        return Ok(None);
    }
    // Asked again behind the lock: a session that ends or starts meanwhile is another case.
    let now = state.ledger()?.session(&session.id)?;
    let held = if sessions::is_running(&now) { Some(freeze::frozen(state, &now)?) } else { None };
    let at = (context.now)();
    let record = privileged(context, || checkpoints.copy(why, at)).map_err(not_taken)?;
    if held.as_ref().is_some_and(|held| !held.is_held()) {
        return Err(not_taken("the session went on while it was copied".into()));
    }
    drop(held);
    privileged(context, || checkpoints.keep(&record)).map_err(not_taken)?;
    let taken = Event::Checkpointed { checkpoint: record.id.to_string() };
    state.ledger()?.record(&session.id, (context.now)(), &taken, Durability::Process)?;
    let gone = privileged(context, || checkpoints.thin(regular_kept)).map_err(not_taken)?;
    Ok(Some(Taken { record, gone }))
}

fn is_unchanged(context: &Context, checkpoints: &Checkpoints<'_>) -> Result<bool, Error> {
    let last = checkpoints.records().map_err(|error| unusable(&error))?.pop();
    let Some(last) = last else { return Ok(false) };
    let now = privileged(context, || checkpoints.look()).map_err(not_taken)?;
    Ok(now.fingerprint == last.counts.fingerprint)
}

/// Makes a stopped session's layers what they were at checkpoint `asked`. What they are now becomes a checkpoint.
///
/// # Errors
/// [`ErrorKind::WrongState`] if it runs or has no such checkpoint, [`ErrorKind::State`] if there is no room.
pub fn restore(
    context: &Context,
    state: &State,
    session: &SessionRecord,
    asked: &str,
) -> Result<Restored, Error> {
    let name = session.name.as_str();
    let unknown = || {
        Error::new(ErrorKind::WrongState, format!("cannot restore session {name}"))
            .since(format!("it has no checkpoint {}", crate::terminal::visible_within(asked.as_bytes(), 80)))
            .hint(format!("list them: cofferdam show {name}"))
    };
    let id = CheckpointId::parse(asked).ok_or_else(unknown)?;
    let Some(directory) = open(state, &session.id)? else { return Err(unknown()) };
    let checkpoints = lock(&directory)?;
    // Behind the lock: a start waits for it before it uses the layers.
    if sessions::is_running(&state.ledger()?.session(&session.id)?) {
        return Err(Error::new(ErrorKind::WrongState, format!("cannot restore session {name}"))
            .since("it is running, and its programs hold the files")
            .hint(format!("cofferdam stop {name}, restore, then: cofferdam resume -s {name}")));
    }
    settle(context, state, &session.id, &checkpoints)?;
    let known = checkpoints.records().map_err(|error| unusable(&error))?;
    if !known.iter().any(|record| record.id == id) {
        return Err(unknown());
    }
    let at = (context.now)();
    privileged(context, || checkpoints.begin_restore(id, at)).map_err(not_restored)?;
    let restored = settle(context, state, &session.id, &checkpoints)?.ok_or_else(unknown)?;
    privileged(context, || checkpoints.thin(usize::MAX)).map_err(not_restored)?;
    Ok(restored)
}

/// Finishes a restore that was cut off; to be called before anything looks at the layers of a session.
///
/// # Errors
/// [`ErrorKind::State`] if it can't be finished.
pub fn recover(context: &Context, state: &State, id: &SessionId) -> Result<(), Error> {
    let Some(directory) = open(state, id)? else { return Ok(()) };
    if !checkpoint::is_unsettled(directory.as_fd()).map_err(|error| unusable(&error))? {
        return Ok(());
    }
    settle(context, state, id, &lock(&directory)?).map(|_| ())
}

/// As [`recover`], for a start: waits also for a restore that is at work.
pub(crate) fn recover_for_start(context: &Context, state: &State, id: &SessionId) -> Result<(), Error> {
    let Some(directory) = open(state, id)? else { return Ok(()) };
    if !state.session(id).root().join("checkpoints").exists() {
        return Ok(());
    }
    settle(context, state, id, &lock(&directory)?).map(|_| ())
}

/// The ledger hears of it before the last rename: rather twice than never.
fn settle(
    context: &Context,
    state: &State,
    id: &SessionId,
    checkpoints: &Checkpoints<'_>,
) -> Result<Option<Restored>, Error> {
    let unsettled = |why: String| {
        Error::new(ErrorKind::State, "cannot finish the restore of a checkpoint")
            .since(why)
            .hint("free the disk where the sessions are kept; the next command goes on with it")
    };
    let Some(restored) = privileged(context, || checkpoints.go_on_with_restore()).map_err(&unsettled)? else {
        return Ok(None);
    };
    let saved = Event::Checkpointed { checkpoint: restored.saved_as.to_string() };
    let event = Event::Restored { checkpoint: restored.checkpoint.to_string() };
    for event in [saved, event] {
        state.ledger()?.record(id, (context.now)(), &event, Durability::Process)?;
    }
    privileged(context, || checkpoints.settle_restore(restored)).map_err(unsettled)?;
    Ok(Some(restored))
}

fn open(state: &State, id: &SessionId) -> Result<Option<OwnedFd>, Error> {
    let place = state.session(id);
    if !place.root().exists() {
        return Ok(None);
    }
    state::open_directory(place.root()).map(Some)
}

fn lock(session: &OwnedFd) -> Result<Checkpoints<'_>, Error> {
    Checkpoints::lock(session.as_fd()).map_err(|error| unusable(&error))
}

/// With the power to read what the agent made unreadable: root's own, or that of the helper.
fn privileged<T: Serialize + DeserializeOwned>(
    context: &Context,
    act: impl Fn() -> Result<T, CheckpointError>,
) -> Result<T, String> {
    let told = || act().map_err(|error| in_words(&error));
    if context.uid == 0 {
        return told();
    }
    // What failed in it is told in its own words.
    helper::with_privilege(|| Ok(told())).map_err(|error| error.why())?
}

fn in_words(error: &CheckpointError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    text
}

fn unusable(error: &CheckpointError) -> Error {
    Error::new(ErrorKind::State, "cannot use the session's checkpoints")
        .since(in_words(error))
        .hint("cofferdam doctor")
}

fn not_taken(why: String) -> Error {
    Error::new(ErrorKind::State, "cannot take a checkpoint")
        .since(why)
        .hint("is there room where the sessions are kept? cofferdam doctor")
}

fn not_restored(why: String) -> Error {
    Error::new(ErrorKind::State, "cannot restore the checkpoint")
        .since(format!("{why}; nothing was changed"))
        .hint("is there room where the sessions are kept? cofferdam doctor")
}
