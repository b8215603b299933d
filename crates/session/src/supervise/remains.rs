//! What is left of a cell when its supervision is over, and the wait until it has gone.
//!
//! It ends nothing: the guardian does, as soon as the lifeline is closed.

use super::own;
use crate::cgroup;
use crate::error::{Error, ErrorKind};
use cofferdam_cell::Cell;
use cofferdam_policy::path::AbsPath;
use cofferdam_policy::plan::Plan;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::process::{PidfdFlags, WaitOptions, pidfd_open};
use std::time::{Duration, Instant};

/// How long a cell may take to vanish.
const VANISH_MAX: Duration = Duration::from_secs(20);

/// What is left of a cell when its supervision is over: the guardian, until all is torn down.
#[derive(Debug)]
pub(crate) struct Remains {
    guardian: OwnedFd,
    groups: Vec<AbsPath>,
}

impl Remains {
    /// Of a cell that stands.
    ///
    /// # Errors
    /// [`ErrorKind::State`] if its guardian can't be watched.
    pub(super) fn of(cell: &Cell, plan: &Plan) -> Result<Self, Error> {
        Ok(Self {
            guardian: pidfd_open(cell.guardian(), PidfdFlags::empty()).map_err(own("watch the guardian"))?,
            groups: plan.groups.iter().map(|group| group.path.clone()).collect(),
        })
    }

    /// Returns when no process of the session is left, its guardian included.
    pub(crate) fn wait(&self) -> Result<(), Error> {
        let until = Instant::now() + VANISH_MAX;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let mut gone = [PollFd::new(&self.guardian, PollFlags::IN)];
            match poll(&mut gone, left.try_into().ok().as_ref()) {
                Ok(0) => {
                    return Err(Error::new(ErrorKind::Cell, "cannot end the cell")
                        .since("its guardian still waits for a process that does not die")
                        .hint("cofferdam doctor --fix"));
                }
                Ok(_) => break,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(own("wait for the guardian")(errno)),
            }
        }
        // Its own to remove, unless somebody killed it.
        self.groups.iter().for_each(|group| cgroup::remove(group.as_path()));
        // A child of this process, unless it was detached; then somebody else's.
        let _reaped = rustix::process::wait(WaitOptions::NOHANG).is_ok();
        Ok(())
    }
}
