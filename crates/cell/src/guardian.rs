//! The guardian: outside the cell, it holds pid 1 by descriptor and ends it when the supervisor goes.
//!
//! It also keeps the cell's control groups and starts mounters for pid 1. Its only inputs are the ends that it
//! waits for and pid 1's requests; the agent reaches none of them.

use crate::refresh::Mounter;
use cofferdam_policy::plan::{ControlGroup, Plan};
use cofferdam_syscall::process::signal_at_events;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};
use std::path::PathBuf;

/// What is guarded.
#[derive(Debug)]
pub(crate) struct Guarded {
    pub(crate) plan: Plan,
    pub(crate) pidfd: OwnedFd,
    /// To pid 1; our end stays open for as long as we live, so that it can tell.
    pub(crate) handover: OwnedFd,
    pub(crate) groups: Groups,
}

impl Guarded {
    /// Ends pid 1, and with it every process of the cell, and waits for it.
    pub(crate) fn kill(&self) {
        end(&self.pidfd);
        self.groups.remove();
    }
}

/// If somebody stopped the guardian, the end of the lifeline wakes it; it then kills. The pipe itself sends the signal, so
/// that it comes also when the supervisor is not the guardian's parent. (A deadlier one would leave the control groups
/// behind.)
pub(crate) fn wake_when_the_lifeline_ends(lifeline: BorrowedFd<'_>) -> Result<(), Errno> {
    signal_at_events(lifeline, Signal::CONT)
}

/// Kills a child of ours and waits for its end; one that is gone already is as good.
pub(crate) fn end(pidfd: &OwnedFd) {
    let _gone = pidfd_send_signal(pidfd, Signal::KILL).is_err();
    let _reaped = is_over(pidfd).is_ok();
}

/// Waits for the end of a child of ours; its exit code, if it exited.
pub(crate) fn is_over(pidfd: &OwnedFd) -> Result<Option<i32>, Errno> {
    let ended = rustix::io::retry_on_intr(|| waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED))?;
    Ok(ended.and_then(|status| status.exit_status()))
}

/// Waits for the end of the supervisor or of pid 1, whichever comes first; returns the launcher's exit code.
pub(crate) fn guard(guarded: &Guarded, lifeline: BorrowedFd<'_>) -> i32 {
    let mut mounter = None;
    while let Ok(true) = attend(guarded, lifeline, &mut mounter) {}
    guarded.kill();
    if let Some(mounter) = mounter {
        mounter.kill();
    }
    0
}

/// One round; whether there is something left to guard.
fn attend(guarded: &Guarded, lifeline: BorrowedFd<'_>, mounter: &mut Option<Mounter>) -> Result<bool, Errno> {
    let mut inputs = vec![
        PollFd::from_borrowed_fd(lifeline, PollFlags::IN),
        PollFd::new(&guarded.pidfd, PollFlags::IN),
        PollFd::new(&guarded.handover, PollFlags::IN),
    ];
    inputs.extend(mounter.as_ref().map(|mounter| PollFd::new(&mounter.pidfd, PollFlags::IN)));
    match poll(&mut inputs, None) {
        Err(Errno::INTR) => return Ok(true),
        other => other?,
    };
    let ready: Vec<bool> = inputs.iter().map(|input| !input.revents().is_empty()).collect();
    drop(inputs);
    let is_ready = |number: usize| ready.get(number).copied().unwrap_or_default();
    if is_ready(0) || is_ready(1) {
        return Ok(false);
    }
    // A mounter whose outcome pid 1 has heard is about to end, if it has not yet.
    if (is_ready(2) || is_ready(3))
        && let Some(mounter) = mounter.take()
    {
        mounter.reap(guarded.handover.as_fd())?;
    }
    if is_ready(2) {
        *mounter = Mounter::answer(&guarded.plan, guarded.handover.as_fd())?;
    }
    Ok(true)
}

/// Control groups of one cell; removed when it ends.
#[derive(Debug)]
pub(crate) struct Groups {
    paths: Vec<PathBuf>,
    /// By which a process joins each group, open before the clone.
    doors: Vec<OwnedFd>,
}

impl Groups {
    /// Makes each group and writes its settings, in order.
    pub(crate) fn make(groups: &[ControlGroup]) -> Result<Self, Errno> {
        let mut made = Self { paths: Vec::new(), doors: Vec::new() };
        for group in groups {
            made.make_one(group).inspect_err(|_| made.remove())?;
        }
        Ok(made)
    }

    fn make_one(&mut self, group: &ControlGroup) -> Result<(), Errno> {
        let path = group.path.as_path().to_owned();
        match rustix::fs::mkdir(&path, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
        self.paths.push(path.clone());
        group.settings.iter().try_for_each(|(file, value)| write(&path.join(file), value))?;
        // A single-threaded process that moves itself by `tasks` waits for nobody; being moved, or moving by
        // `cgroup.procs`, takes a lock of the whole machine for some 20 ms. The unified hierarchy has no `tasks`.
        let door =
            |name: &str| rustix::fs::open(path.join(name), OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty());
        self.doors.push(match door("tasks") {
            Err(Errno::NOENT) => door("cgroup.procs")?,
            other => other?,
        });
        Ok(())
    }

    /// By which pid 1 joins each group.
    pub(crate) fn doors(&self) -> &[OwnedFd] {
        &self.doors
    }

    /// Removes the groups, inner ones first; a group whose last process is still on its way out is waited for,
    /// within bounds.
    pub(crate) fn remove(&self) {
        const TRIES_MAX: u32 = 200;
        const PAUSE_MS: i64 = 5;
        for path in self.paths.iter().rev() {
            for _ in 0..TRIES_MAX {
                if rustix::fs::rmdir(path) != Err(Errno::BUSY) {
                    break;
                }
                let pause = rustix::fs::Timespec { tv_sec: 0, tv_nsec: PAUSE_MS * 1_000_000 };
                let _slept = rustix::thread::nanosleep(&pause);
            }
        }
    }
}

/// Writes a kernel's file in one go.
pub(crate) fn write(path: &std::path::Path, value: &str) -> Result<(), Errno> {
    let file = rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    match rustix::io::write(&file, value.as_bytes())? {
        written if written == value.len() => Ok(()),
        _ => Err(Errno::IO),
    }
}
