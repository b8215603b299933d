//! Holding the cell still for those that asked, for as long as they stay connected.
//!
//! Step by step beside everything else, so that the terminal never waits. What would start something in the cell is put
//! off until the thaw. A session that is to end is let go first.

use super::Supervisor;
use super::clients::Role;
use crate::control::Ask;
use crate::freeze::{CellProcesses, Pass};
use cofferdam_cell::Order;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::time::{Duration, Instant};

/// How long until what was stopped is looked at again.
const PAUSE: Duration = Duration::from_millis(1);
/// After how many passes pid 1 stops what still escapes.
const PASSES_MAX: u32 = 100;
/// How long processes may take to stand still: one that waits for a disk does not hear.
const STILL_MAX: Duration = Duration::from_secs(5);
/// How long a cell is held.
const HELD_MAX: Duration = Duration::from_secs(600);

/// A cell that is being frozen, or is.
#[derive(Debug)]
pub(super) struct Freezing {
    processes: CellProcesses,
    stage: Stage,
    next: Instant,
    /// When it is given up.
    until: Instant,
    put_off: Vec<(u32, Ask, Vec<OwnedFd>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// From the top of the tree to its leaves.
    Stopping {
        passes: u32,
    },
    /// Pid 1 was told to stop all, in case one slipped through.
    Told,
    /// It was told, and nobody wants it any more: until it has done it, nothing may be continued.
    Unwanted,
    /// It did; the last come to a stand.
    Settling,
    Held,
}

impl Freezing {
    /// When there is something to do.
    pub(super) fn due(&self) -> Instant {
        match self.stage {
            Stage::Stopping { .. } | Stage::Settling => self.next.min(self.until),
            Stage::Told | Stage::Unwanted | Stage::Held => self.until,
        }
    }
}

impl Supervisor<'_> {
    /// Somebody wants the cell to stand still.
    pub(super) fn freeze(&mut self, number: u32) {
        self.set_role(number, Role::Freezing);
        let begun = match (&self.frozen, &self.cell) {
            (Some(frozen), _) => {
                if frozen.stage == Stage::Held {
                    self.clients.frozen();
                }
                return;
            }
            (None, Some(_)) if self.stop_at.is_some() || self.ending.is_some() => Err(Errno::SRCH),
            (None, None) => Err(Errno::SRCH),
            (None, Some(cell)) => {
                let groups = self.session.plan.groups.iter().map(|group| group.path.as_path());
                CellProcesses::of(cell.guardian(), groups)
            }
        };
        match begun {
            Ok(processes) => {
                let now = Instant::now();
                let (stage, until) = (Stage::Stopping { passes: 0 }, now + STILL_MAX);
                self.frozen = Some(Freezing { processes, stage, next: now, until, put_off: Vec::new() });
                self.keep_frozen();
            }
            Err(errno) => self.clients.not_frozen(&reason(errno)),
        }
    }

    /// What would start something in a cell that stands still waits for the thaw.
    pub(super) fn put_off(
        &mut self,
        number: u32,
        ask: Ask,
        descriptors: Vec<OwnedFd>,
    ) -> Option<(Ask, Vec<OwnedFd>)> {
        let starts = match &ask {
            Ask::Exec { .. } | Ask::Refresh | Ask::Signal { .. } => true,
            Ask::Attach { .. }
            | Ask::Resize { .. }
            | Ask::Stop { .. }
            | Ask::Freeze
            | Ask::Network
            | Ask::Decide { .. }
            | Ask::Revoke { .. }
            | Ask::Publish { .. }
            | Ask::Unpublish { .. } => false,
        };
        match &mut self.frozen {
            Some(frozen) if starts => {
                frozen.put_off.push((number, ask, descriptors));
                None
            }
            Some(_) | None => Some((ask, descriptors)),
        }
    }

    /// Takes the next step, if it is time.
    pub(super) fn keep_frozen(&mut self) {
        let now = Instant::now();
        let Some(frozen) = self.frozen.as_mut().filter(|frozen| frozen.due() <= now) else { return };
        if frozen.until <= now {
            return self.let_go_saying("a process of it does not come to a stand");
        }
        frozen.next = now + PAUSE;
        let stepped = match frozen.stage {
            Stage::Stopping { passes } => frozen.processes.stop_pass().map(|pass| match pass {
                Pass::Moving if passes < PASSES_MAX || !frozen.processes.needs_init() => {
                    Stage::Stopping { passes: passes.saturating_add(1) }
                }
                Pass::Still if !frozen.processes.needs_init() => Stage::Held,
                Pass::Moving | Pass::Still => Stage::Told,
            }),
            Stage::Settling => frozen.processes.look_pass().map(|pass| match pass {
                Pass::Moving => Stage::Settling,
                Pass::Still => Stage::Held,
            }),
            Stage::Told | Stage::Unwanted | Stage::Held => return,
        };
        match stepped {
            Ok(stage) => self.reach(stage, now),
            Err(errno) => self.let_go_saying(&reason(errno)),
        }
    }

    fn reach(&mut self, stage: Stage, now: Instant) {
        let Some(frozen) = &mut self.frozen else { return };
        frozen.stage = stage;
        if stage == Stage::Held {
            frozen.until = now + HELD_MAX;
            self.clients.frozen();
        } else if stage == Stage::Told
            && let Some(cell) = &self.cell
        {
            // A cell that can't be told is gone, which its socket says.
            let _gone = cell.order(&Order::StopAll).is_err();
        }
    }

    /// Pid 1 has told all to stop.
    pub(super) fn stop_was_sent(&mut self) {
        let wanted = self.clients.hold_still();
        match &mut self.frozen {
            Some(frozen) if wanted && matches!(frozen.stage, Stage::Told | Stage::Unwanted) => {
                frozen.stage = Stage::Settling;
                self.keep_frozen();
            }
            Some(frozen) if !wanted => {
                frozen.stage = Stage::Settling;
                self.thaw();
            }
            Some(_) | None => {}
        }
    }

    /// Lets the cell go when nobody holds it any more.
    pub(super) fn thaw_if_unheld(&mut self) {
        if !self.clients.hold_still() {
            self.let_go_saying("");
        }
    }

    /// Thaws the cell, but not before pid 1 has done what it was told.
    fn let_go_saying(&mut self, why: &str) {
        let Some(frozen) = &mut self.frozen else { return };
        if !matches!(frozen.stage, Stage::Told | Stage::Unwanted) {
            return self.thaw_saying(why);
        }
        frozen.stage = Stage::Unwanted;
        frozen.until = Instant::now() + HELD_MAX;
        self.clients.not_frozen(why);
    }

    /// Lets the cell go at once, whoever holds it: they see their connection end.
    pub(super) fn thaw(&mut self) {
        self.thaw_saying("the session is being stopped");
    }

    fn thaw_saying(&mut self, why: &str) {
        let Some(frozen) = self.frozen.take() else { return };
        // One that can't be told is gone, with all that were stopped.
        let _gone = frozen.processes.thaw().is_err();
        self.clients.not_frozen(why);
        for (number, ask, descriptors) in frozen.put_off {
            // Who has gone meanwhile wants nothing any more.
            if self.role(number).is_some() {
                let _lost = self.serve(number, ask, descriptors).is_err();
            }
        }
    }
}

fn reason(errno: Errno) -> String {
    match errno {
        Errno::NOSYS => "this kernel does not tell the children of a process (CONFIG_PROC_CHILDREN)".into(),
        Errno::SRCH => "it is about to end".into(),
        errno => errno.to_string(),
    }
}
