//! Checkpoints that a session takes by itself while it runs.
//!
//! Each is taken by a child that does what `cofferdam checkpoint` does, through the supervisor's own socket: so the
//! terminal never waits for it, and the cell is let go whatever becomes of it. The child goes with the supervisor.

use super::Supervisor;
use crate::checkpoints::{self, Why};
use crate::error::Error;
use crate::state::background;
use crate::supervise::clients::Clients;
use crate::supervise::program::ProgramSide;
use cofferdam_syscall::process::{Fork, Namespaces, clone_into_namespaces, exit_now};
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, getpid, pidfd_send_signal, waitid};
use std::time::{Duration, Instant};

/// How often, and how many are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rhythm {
    pub(crate) every: Duration,
    pub(crate) keep: usize,
}

/// The next one, or the one at work.
#[derive(Debug)]
pub(super) struct Regular {
    rhythm: Rhythm,
    next: Instant,
    at_work: Option<OwnedFd>,
}

impl Regular {
    pub(super) fn new(rhythm: Rhythm) -> Self {
        Self { rhythm, next: Instant::now() + rhythm.every, at_work: None }
    }

    /// When the next one is to be begun.
    pub(super) fn due(&self) -> Option<Instant> {
        self.at_work.is_none().then_some(self.next)
    }

    /// Readable when the child that takes one has ended.
    pub(super) fn at_work(&self) -> Option<BorrowedFd<'_>> {
        self.at_work.as_ref().map(OwnedFd::as_fd)
    }
}

impl Supervisor<'_> {
    /// Begins one, if it is time.
    pub(super) fn keep_regular(&mut self) {
        let now = Instant::now();
        let Some(regular) = &mut self.regular else { return };
        if regular.due().is_none_or(|due| due > now) {
            return;
        }
        regular.next = now + regular.rhythm.every;
        if !self.has_run || self.ending.is_some() || self.stop_at.is_some() {
            return;
        }
        let keep = regular.rhythm.keep;
        let supervisor = getpid();
        self.session.state.close_ledger();
        match clone_into_namespaces(Namespaces::NONE) {
            Ok(Fork::Child) => exit_now(i32::from(self.take_regular(supervisor, keep).is_err())),
            Ok(Fork::Parent(_, child)) => {
                if let Some(regular) = &mut self.regular {
                    regular.at_work = Some(child);
                }
            }
            // There is no room for a process: the next time there may be.
            Err(_) => {}
        }
    }

    /// The child that took one has ended.
    pub(super) fn regular_is_done(&mut self) {
        if let Some(child) = self.regular.as_mut().and_then(|regular| regular.at_work.take()) {
            // After a detach it is another's child, who reaps it.
            let _reaped = waitid(WaitId::PidFd(child.as_fd()), WaitIdOptions::EXITED).is_ok();
        }
    }

    /// The session is over: nothing looks into its layers any more.
    pub(super) fn end_regular(&mut self) {
        if let Some(child) = self.regular.as_ref().and_then(Regular::at_work) {
            let _gone = pidfd_send_signal(child, Signal::KILL).is_err();
        }
        self.regular_is_done();
        self.regular = None;
    }

    /// In the child: lets go of all that would keep the cell alive, and takes a checkpoint.
    fn take_regular(&mut self, supervisor: Pid, keep: usize) -> Result<(), Error> {
        let alone = super::own("take a checkpoint");
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(&alone)?;
        if rustix::process::getppid() != Some(supervisor) {
            return Ok(());
        }
        self.cell = None;
        self.program = ProgramSide::Awaited;
        self.clients = Clients::default();
        background().map_err(&alone)?;
        let (context, state) = (self.session.context, self.session.state);
        let record = state.ledger()?.session(&self.session.id)?;
        checkpoints::take_for(context, state, &record, Why::Regular, keep).map(|_| ())
    }
}
