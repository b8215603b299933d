//! Writing to the ledger from a supervisor: opened for each record, so that a session at rest holds nothing open.

use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::state::State;
use crate::supervise::Supervised;
use cofferdam_ledger::{Durability, SessionRecord, Supervisor};
use cofferdam_policy::event::{Event, EventKind, StoppedBy};
use std::path::Path;

/// An event of this session.
///
/// # Errors
/// [`ErrorKind::Ledger`]: what can't be recorded is not done.
pub(crate) fn event(session: &Supervised<'_>, event: &Event) -> Result<(), Error> {
    let at = (session.context.now)();
    session.state.ledger()?.record(&session.id, at, event, Durability::Process)?;
    Ok(())
}

/// Several events of this session at once.
///
/// # Errors
/// [`ErrorKind::Ledger`]; then none of them is recorded.
pub(crate) fn events(session: &Supervised<'_>, events: &[Event]) -> Result<(), Error> {
    let at = (session.context.now)();
    session.state.ledger()?.record_all(&session.id, at, events, Durability::Process)?;
    Ok(())
}

/// The session's program runs, and this process supervises it.
///
/// # Errors
/// [`ErrorKind::Ledger`].
pub(crate) fn running(session: &Supervised<'_>) -> Result<(), Error> {
    let at = (session.context.now)();
    session.state.ledger()?.set_running(&session.id, &this_process()?, at)?;
    Ok(())
}

/// This process, so that it can't be mistaken for a later one with the same number.
///
/// # Errors
/// [`ErrorKind::Internal`] without a usable `/proc`.
pub(crate) fn this_process() -> Result<Supervisor, Error> {
    let pid = rustix::process::getpid().as_raw_nonzero().get().unsigned_abs();
    let unreadable = || {
        Error::new(ErrorKind::Internal, "cannot tell this process from others")
            .since("/proc/self/stat or the boot id can't be read")
            .hint("mount /proc")
    };
    Ok(Supervisor {
        pid,
        started_ticks: started_ticks(pid).ok_or_else(unreadable)?,
        boot_id: boot_id().ok_or_else(unreadable)?,
    })
}

/// Whether the recorded supervisor still runs.
#[must_use]
pub(crate) fn is_alive(supervisor: &Supervisor) -> bool {
    started_ticks(supervisor.pid) == Some(supervisor.started_ticks)
        && boot_id().as_deref() == Some(supervisor.boot_id.as_str())
}

/// What to say of a session that ran when the machine went down: its layers were not synced while it ran.
///
/// # Errors
/// [`ErrorKind::Ledger`].
pub(crate) fn lost_with_power(
    context: &Context,
    state: &State,
    record: &SessionRecord,
) -> Result<Option<String>, Error> {
    let uptime = rustix::system::sysinfo().uptime;
    let booted = (context.now)().0.saturating_sub(uptime.saturating_mul(1_000_000_000));
    if record.started_at.is_none_or(|started| started.0 >= booted) {
        return Ok(None);
    }
    let ends = [EventKind::Stopped, EventKind::Exited, EventKind::Failed];
    let end = state.ledger()?.latest_of(&record.id, &ends)?;
    let cut_off = end.is_some_and(|end| {
        matches!(end.event, Event::Stopped { by: StoppedBy::Guardian | StoppedBy::Doctor })
    });
    Ok(cut_off
        .then(|| "the machine went down while this session ran: its last writes may be missing".to_owned()))
}

/// When a process started, in clock ticks since boot: field 22 of proc_pid_stat(5).
fn started_ticks(pid: u32) -> Option<i64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything; the rest is counted from behind it.
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    // A dead process that nobody has reaped runs no more.
    if fields.first() == Some(&"Z") {
        return None;
    }
    fields.get(19)?.parse().ok()
}

pub(crate) fn boot_id() -> Option<String> {
    let text = std::fs::read_to_string(Path::new("/proc/sys/kernel/random/boot_id")).ok()?;
    Some(text.trim().to_owned())
}
