//! Freezing a running session, so that its layers hold still while they are copied or applied.
//!
//! The supervisor does it and holds it for as long as the connection of the one that asked stays open: a command that is
//! killed leaves no frozen cell behind, and a supervisor that is killed takes the cell with it. By the freezer of the
//! cell's own group in the unified hierarchy where it has one; else by stop signals. The freezer of the old hierarchies
//! is not used: what it holds can't be killed, so that a cell could outlive its guardian in it.

mod cell;

pub(crate) use cell::{CellProcesses, Pass};

use crate::control::{Answer, Ask, Line};
use crate::error::{Error, ErrorKind};
use crate::state::State;
use cofferdam_ledger::SessionRecord;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::Timespec;

/// A session whose processes stand still until this is dropped.
#[derive(Debug)]
pub struct Frozen {
    line: Line,
}

/// Freezes a running session.
///
/// # Errors
/// [`ErrorKind::WrongState`] if it does not run, or if it can't be frozen now.
pub fn frozen(state: &State, record: &SessionRecord) -> Result<Frozen, Error> {
    let name = record.name.as_str();
    let line = Line::open(&state.session(&record.id).socket(), name)?;
    let why = match line.ask(&Ask::Freeze, &[])?.0 {
        Answer::Done => return Ok(Frozen { line }),
        Answer::NotFrozen { why } => why,
        Answer::NoTerminal
        | Answer::NotStarted { .. }
        | Answer::NotRefreshed { .. }
        | Answer::Ended { .. } => "it has just ended".into(),
    };
    Err(Error::new(ErrorKind::WrongState, format!("cannot freeze session {name}"))
        .since(why)
        .hint(format!("stop it first: cofferdam stop {name}")))
}

impl Frozen {
    /// Whether it still holds. To be asked when the work is done, before it counts: a session that is stopped meanwhile,
    /// or frozen for too long, is let go.
    #[must_use]
    pub fn is_held(&self) -> bool {
        let mut end = [PollFd::new(&self.line.socket, PollFlags::IN)];
        poll(&mut end, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) == Ok(0)
    }
}
