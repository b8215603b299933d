//! The processes of a cell, as the host sees them: stopped from the top of the tree to the leaves, and continued from the
//! leaves to the top.
//!
//! In that order no parent ever sees a child stop: a shell would take it for Ctrl-Z. A process is gone below only when it
//! stands still itself, so a pass through the tree waits for nothing. What forks faster than it is stopped is stopped by
//! pid 1, whose kill(-1) is one moment for all. Pid 1 itself goes on: it does nothing but what the supervisor orders.

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// One look at all processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    /// Every one of them stands still.
    Still,
    /// At least one does not yet.
    Moving,
}

/// A process that can't be mistaken for a later one with its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Process {
    pid: Pid,
    started_ticks: u64,
}

/// What a thread does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Something,
    /// Stopped, by a signal or by its tracer.
    Nothing,
    /// It has ended.
    Ended,
}

/// All processes of a cell but its pid 1.
#[derive(Debug)]
pub(crate) struct CellProcesses {
    init: Pid,
    /// A group of the unified hierarchy that the cell has to itself.
    group: Option<PathBuf>,
    /// Those that somebody in the cell had stopped: they are not ours to continue.
    stopped_before: HashSet<Process>,
}

impl CellProcesses {
    /// Those of the cell that `guardian` guards; `groups` are the cell's own.
    pub(crate) fn of<'g>(guardian: Pid, groups: impl Iterator<Item = &'g Path>) -> Result<Self, Errno> {
        let init = children(guardian)?.into_iter().find(|pid| is_first(*pid)).ok_or(Errno::SRCH)?;
        let mut groups = groups.map(|group| group.join("cgroup.freeze"));
        let group = groups.find(|file| file.exists()).and_then(|file| Some(file.parent()?.to_owned()));
        let mut found = Self { init, group, stopped_before: HashSet::new() };
        if found.group.is_none() {
            for pid in found.all()? {
                if let Some((process, Doing::Nothing)) = look(pid) {
                    found.stopped_before.insert(process);
                }
            }
        }
        Ok(found)
    }

    /// Whether it takes pid 1 to be sure that nobody slips through: the kernel's freezer holds forks too.
    pub(crate) fn needs_init(&self) -> bool {
        self.group.is_none()
    }

    /// Stops what moves and is not below something that moves.
    pub(crate) fn stop_pass(&self) -> Result<Pass, Errno> {
        if let Some(group) = &self.group {
            write(&group.join("cgroup.freeze"), "1")?;
            return self.look_pass();
        }
        let mut pass = Pass::Still;
        let mut above = children(self.init)?;
        while let Some(pid) = above.pop() {
            match look(pid) {
                None | Some((_, Doing::Ended)) => {}
                Some((_, Doing::Nothing)) => above.extend(children(pid)?),
                Some((_, Doing::Something)) => {
                    pass = Pass::Moving;
                    gone_is_well(kill_process(pid, Signal::STOP))?;
                }
            }
        }
        Ok(pass)
    }

    /// Only looks, at all of them.
    pub(crate) fn look_pass(&self) -> Result<Pass, Errno> {
        if let Some(group) = &self.group {
            let events = std::fs::read_to_string(group.join("cgroup.events")).map_err(errno)?;
            let is_frozen = events.lines().any(|line| line == "frozen 1");
            return Ok(if is_frozen { Pass::Still } else { Pass::Moving });
        }
        let moves = |pid: &Pid| matches!(look(*pid), Some((_, Doing::Something)));
        Ok(if self.all()?.iter().any(moves) { Pass::Moving } else { Pass::Still })
    }

    /// Lets go on what was stopped by this.
    pub(crate) fn thaw(&self) -> Result<(), Errno> {
        if let Some(group) = &self.group {
            return write(&group.join("cgroup.freeze"), "0");
        }
        for pid in self.all()?.into_iter().rev() {
            if let Some((process, _)) = look(pid)
                && !self.stopped_before.contains(&process)
            {
                gone_is_well(kill_process(pid, Signal::CONT))?;
            }
        }
        Ok(())
    }

    /// All of them, each after the one that made it.
    fn all(&self) -> Result<Vec<Pid>, Errno> {
        let mut found = children(self.init)?;
        let mut next = 0;
        while let Some(pid) = found.get(next) {
            let below = children(*pid)?;
            found.extend(below);
            next = next.saturating_add(1);
        }
        Ok(found)
    }
}

fn gone_is_well(done: Result<(), Errno>) -> Result<(), Errno> {
    match done {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(errno) => Err(errno),
    }
}

fn errno(error: std::io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}

fn write(file: &Path, text: &str) -> Result<(), Errno> {
    std::fs::write(file, text).map_err(errno)
}

/// Whether it is the first of a namespace of its own: proc_pid_status(5), `NSpid`.
fn is_first(pid: Pid) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero()));
    let is_first = |line: &str| line.starts_with("NSpid:") && line.ends_with("\t1");
    status.is_ok_and(|status| status.lines().any(is_first))
}

/// The children of all its threads (proc_tid_children(5)): exact for what stands still. None of one that is gone.
fn children(pid: Pid) -> Result<Vec<Pid>, Errno> {
    let mut found = Vec::new();
    for thread in threads(pid) {
        match std::fs::read_to_string(thread.join("children")) {
            Ok(text) => {
                let pids = text.split_ascii_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?));
                found.extend(pids);
            }
            // The kernel has no such file (CONFIG_PROC_CHILDREN).
            Err(_) if thread.join("stat").exists() => return Err(Errno::NOSYS),
            Err(_) => {}
        }
    }
    Ok(found)
}

fn threads(pid: Pid) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero()));
    listed.into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// What it does, all its threads together: a leader that has ended says nothing of the others. `None` if it is gone.
fn look(pid: Pid) -> Option<(Process, Doing)> {
    let (_, started_ticks) = stat(&PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero())))?;
    let mut doing = Doing::Ended;
    for thread in threads(pid) {
        match stat(&thread) {
            Some((Doing::Something, _)) => doing = Doing::Something,
            Some((Doing::Nothing, _)) if doing == Doing::Ended => doing = Doing::Nothing,
            Some((Doing::Nothing | Doing::Ended, _)) | None => {}
        }
    }
    Some((Process { pid, started_ticks }, doing))
}

/// State and start, proc_pid_stat(5). The name, in parentheses, may hold anything: the rest is counted from behind it.
fn stat(directory: &Path) -> Option<(Doing, u64)> {
    let text = std::fs::read_to_string(directory.join("stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    let doing = match *fields.first()? {
        "T" | "t" => Doing::Nothing,
        "Z" | "X" | "x" => Doing::Ended,
        _ => Doing::Something,
    };
    Some((doing, fields.get(19)?.parse().ok()?))
}
