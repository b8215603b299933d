//! Processes of the host, found by descent and watched by descriptor, so that none is mistaken for another.

use crate::scene::WAIT_SECONDS_MAX;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::time::{Duration, Instant};

/// A process and all that descended from it, at one moment.
#[derive(Debug)]
pub(crate) struct Family {
    /// The eldest first.
    members: Vec<(Pid, OwnedFd)>,
}

impl Family {
    /// Of `eldest`, once it has at least `least` members.
    pub(crate) fn of(eldest: Pid, least: usize) -> Self {
        until("a family of that size", || {
            let mut pids = vec![eldest];
            let parents = parents();
            let mut at = 0;
            while let Some(&parent) = pids.get(at) {
                pids.extend(parents.iter().filter(|&&(_, of)| of == parent).map(|&(pid, _)| pid));
                at += 1;
            }
            let members: Vec<(Pid, OwnedFd)> = pids
                .iter()
                .filter_map(|&pid| Some((pid, pidfd_open(pid, PidfdFlags::empty()).ok()?)))
                .collect();
            (members.len() >= least).then_some(Self { members })
        })
    }

    pub(crate) fn pid(&self, number: usize) -> Pid {
        self.members[number].0
    }

    pub(crate) fn signal(&self, number: usize, signal: Signal) {
        pidfd_send_signal(&self.members[number].1, signal).unwrap();
    }

    pub(crate) fn without_the_eldest(mut self) -> Self {
        self.members.remove(0);
        self
    }

    /// Fails unless every member has ended within the time.
    pub(crate) fn assert_ended(&self) {
        for (pid, pidfd) in &self.members {
            let mut ends = [PollFd::new(pidfd, PollFlags::IN)];
            let within = Timespec { tv_sec: WAIT_SECONDS_MAX, tv_nsec: 0 };
            let ended = poll(&mut ends, Some(&within)).unwrap();
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            assert_ne!(ended, 0, "it outlives its cell:\n{status}");
        }
    }
}

/// Every process and its parent.
fn parents() -> Vec<(Pid, Pid)> {
    let stat = |entry: std::fs::DirEntry| {
        let text = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let pid = entry.file_name().to_str()?.parse().ok()?;
        // The name may hold anything; what follows its last parenthesis may not.
        let parent = text.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
        Some((Pid::from_raw(pid)?, Pid::from_raw(parent)?))
    };
    std::fs::read_dir("/proc").unwrap().filter_map(|entry| stat(entry.ok()?)).collect()
}

/// Asks again until there is an answer.
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(WAIT_SECONDS_MAX.unsigned_abs());
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
