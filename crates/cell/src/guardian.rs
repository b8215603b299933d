//! The guardian: outside the cell, it holds pid 1 by descriptor and ends it when the supervisor goes.
//!
//! It also keeps the cell's control groups. It answers nobody: its only inputs are the two ends it waits for.

use cofferdam_policy::plan::ControlGroup;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};
use std::path::PathBuf;

/// What is guarded.
#[derive(Debug)]
pub(crate) struct Guarded {
    pub(crate) pid: Pid,
    pub(crate) pidfd: OwnedFd,
    pub(crate) groups: Groups,
}

impl Guarded {
    /// Ends pid 1, and with it every process of the cell, and waits for it.
    pub(crate) fn kill(&self) {
        // ESRCH: it was gone already.
        let _gone = pidfd_send_signal(&self.pidfd, Signal::KILL).is_err();
        let _reaped = waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED).is_ok();
        self.groups.remove();
    }
}

/// Waits for the end of the supervisor or of pid 1, whichever comes first; returns the launcher's exit code.
pub(crate) fn guard(guarded: Guarded, lifeline: BorrowedFd<'_>) -> i32 {
    loop {
        let mut ends =
            [PollFd::new(&guarded.pidfd, PollFlags::IN), PollFd::from_borrowed_fd(lifeline, PollFlags::IN)];
        match poll(&mut ends, None) {
            Ok(_) if ends.iter().any(|end| !end.revents().is_empty()) => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => break,
        }
    }
    guarded.kill();
    0
}

/// Control groups of one cell; removed when it ends.
#[derive(Debug)]
pub(crate) struct Groups {
    paths: Vec<PathBuf>,
}

impl Groups {
    /// Makes each group and writes its settings, in order.
    pub(crate) fn make(groups: &[ControlGroup]) -> Result<Self, Errno> {
        let mut made = Self { paths: Vec::new() };
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
        group.settings.iter().try_for_each(|(file, value)| write(&path.join(file), value))
    }

    /// Puts a process into every group.
    pub(crate) fn admit(&self, pid: Pid) -> Result<(), Errno> {
        let pid = pid.as_raw_nonzero().to_string();
        self.paths.iter().try_for_each(|path| write(&path.join("cgroup.procs"), &pid))
    }

    /// Removes the groups; a group whose last process is still on its way out is waited for, within bounds.
    pub(crate) fn remove(&self) {
        const TRIES_MAX: u32 = 200;
        const PAUSE_MS: i64 = 5;
        for path in &self.paths {
            for _ in 0..TRIES_MAX {
                if rustix::fs::rmdir(path) != Err(Errno::BUSY) {
                    break;
                }
                let pause = rustix::fs::Timespec { tv_sec: 0, tv_nsec: PAUSE_MS * 1_000_000 };
                let _slept = rustix::thread::nanosleep(&pause);
            }
        }
    }

    /// In the child: the groups are the guardian's to remove.
    pub(crate) fn forget(self) {
        drop(self.paths);
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
