//! Who is there and what is mounted, as the kernel tells it: for "nothing outlives the session".
//!
//! It finds what belongs to one home by what a program cannot shed: its uid, its mounts, its directories. A name or
//! an environment variable alone is never relied on, for a cell empties its environment.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::must;

/// A process that belongs to a home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// In the pid namespace of the test.
    pub pid: u32,
    /// Its command line, blanks between the arguments.
    pub command: String,
    /// What ties it to the home.
    pub because: &'static str,
}

/// A mount that the test's own mount namespace has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where it is mounted.
    pub target: PathBuf,
    /// The whole line of `/proc/self/mountinfo` (proc(5)).
    pub line: String,
}

/// What to look for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marks<'a> {
    /// The home's directory: its path is unique.
    pub(crate) root: &'a Path,
    /// The uid that is the home's alone, if it has one.
    pub(crate) uid: Option<u32>,
}

/// All processes but the test itself that carry one of the marks; zombies are not processes any more.
pub(crate) fn processes(marks: Marks<'_>) -> Vec<Process> {
    let me = std::process::id();
    let our_mounts = fs::read_link("/proc/self/ns/mnt").ok();
    pids()
        .into_iter()
        .filter(|pid| *pid != me)
        .filter_map(|pid| {
            let because = tie(pid, marks, our_mounts.as_deref())?;
            Some(Process { pid, command: command_line(pid), because })
        })
        .collect()
}

/// The mounts of this mount namespace that are at, below or made from the home.
#[track_caller]
pub(crate) fn mounts(marks: Marks<'_>) -> Vec<Mount> {
    let table = must(fs::read("/proc/self/mountinfo"), "read /proc/self/mountinfo");
    let root = marks.root.as_os_str().as_bytes();
    table
        .split(|byte| *byte == b'\n')
        .filter(|line| contains(line, root))
        .map(|line| {
            let line = String::from_utf8_lossy(line).into_owned();
            let target = line.split(' ').nth(4).map(PathBuf::from).unwrap_or_default();
            Mount { target, line }
        })
        .collect()
}

/// Whether any process has this uid as its real, effective or saved one.
pub(crate) fn has_processes(uid: u32) -> bool {
    pids().into_iter().any(|pid| has_uid(pid, uid))
}

/// Kills a process of the census. The pidfd is opened before the second look, so that a pid that was given to
/// somebody else meanwhile is never hit.
pub(crate) fn kill(process: &Process, marks: Marks<'_>) {
    let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) else { return };
    let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    let our_mounts = fs::read_link("/proc/self/ns/mnt").ok();
    if tie(process.pid, marks, our_mounts.as_deref()).is_some() {
        // Gone already is as good.
        let _gone = pidfd_send_signal(handle, Signal::KILL).is_err();
    }
}

fn pids() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn tie(pid: u32, marks: Marks<'_>, our_mounts: Option<&Path>) -> Option<&'static str> {
    if is_zombie(pid) {
        return None;
    }
    let root = marks.root.as_os_str().as_bytes();
    let file = |name: &str| fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let link = |name: &str| fs::read_link(format!("/proc/{pid}/{name}")).unwrap_or_default();
    if marks.uid.is_some_and(|uid| has_uid(pid, uid)) {
        return Some("its uid");
    }
    let elsewhere = Some(link("ns/mnt").as_path()).filter(|ns| !ns.as_os_str().is_empty()) != our_mounts;
    if elsewhere && contains(&file("mountinfo"), root) {
        return Some("its mounts");
    }
    for (name, because) in [("cwd", "its working directory"), ("root", "its root"), ("exe", "its program")] {
        if contains(link(name).as_os_str().as_bytes(), root) {
            return Some(because);
        }
    }
    for (name, because) in
        [("cmdline", "its command line"), ("environ", "its environment"), ("cgroup", "its cgroup")]
    {
        if contains(&file(name), root) {
            return Some(because);
        }
    }
    None
}

/// The state is the first field after the name, which may itself hold blanks and brackets (proc(5)).
fn is_zombie(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_none_or(|(_, rest)| matches!(rest.trim_start().chars().next(), Some('Z' | 'X')))
}

fn has_uid(pid: u32, uid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
    !is_zombie(pid) && line.split_whitespace().any(|field| field.parse() == Ok(uid))
}

fn command_line(pid: u32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ").trim_end().to_owned()
}

pub(crate) fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    !needle.is_empty() && haystack.windows(needle.len()).any(|window| window == needle)
}
