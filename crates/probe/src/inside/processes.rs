//! Other processes: pid 1 of the enclosure, a process outside, and whatever `/proc` shows.
//!
//! Pid 1 is touched only where a plant names it, and never the machine's own: an enclosure without a pid
//! namespace is inconclusive here, and found out by the attempts on shared namespaces.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use cofferdam_syscall::raw::{Act, ProcessAct, attempt};
use rustix::fs::{self, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{self, Pid, PidfdFlags, PidfdGetfdFlags, Signal};

use crate::attempt::{Attempt, ITS_EQUAL, ITSELF, Radius};
use crate::finding::{Finding, Gate};
use crate::inside::control::OWN_PROGRAM;
use crate::inside::errno;
use crate::inside::proc;
use crate::plants::{Plant, PlantError, Plants};

const INIT: &[Plant] = &[Plant::InitPid];
const OUTSIDE: &[Plant] = &[Plant::OutsidePid];

/// The plants as they are from here: which process is the first one. Where the enclosure has the host's pid namespace
/// the machine's own first process is left alone, and the planted one stands for it. One that has nothing that the probe
/// has not is no way out.
pub(crate) fn at_home(plants: &Plants) -> Plants {
    let mut plants = plants.clone();
    let host = plants.text(Plant::HostNamespaces).unwrap_or_default();
    let Ok(own) = proc::link("/proc/self/ns/pid") else { return plants.without(Plant::InitPid) };
    if !host.split_whitespace().any(|link| link == own) {
        let first = match std::process::id() {
            1 => ITSELF,
            _ if is_equal("1") => ITS_EQUAL,
            _ => "1",
        };
        plants.set(Plant::InitPid, first.to_owned());
    }
    plants
}

/// Whether a process has this one's namespaces, users and capabilities.
fn is_equal(process: &str) -> bool {
    let same = |name| matches!((proc::status_of(process, name), proc::own_status(name)), (Ok(its), Ok(own)) if its == own);
    let namespaces = (proc::namespaces(process), proc::namespaces("self"));
    matches!(namespaces, (Ok(its), Ok(own)) if its == own) && ["Uid", "Gid", "CapPrm"].into_iter().all(same)
}

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::forbidden("init-mem-read", "Opens pid 1's memory for reading.", "attacks 4", |plants| {
        on_init(plants, |pid| open(&format!("/proc/{pid}/mem"), OFlags::RDONLY))
    })
    .needs(INIT),
    Attempt::forbidden("init-mem-write", "Opens pid 1's memory for writing.", "attacks 4", |plants| {
        on_init(plants, |pid| open(&format!("/proc/{pid}/mem"), OFlags::RDWR))
    })
    .needs(INIT),
    Attempt::forbidden("init-environ", "Reads pid 1's environment.", "attacks 4", |plants| {
        on_init(plants, |pid| read(&format!("/proc/{pid}/environ")))
    })
    .of(Radius::Credential)
    .needs(INIT),
    Attempt::forbidden("init-maps", "Reads pid 1's memory map.", "attacks 4", |plants| {
        on_init(plants, |pid| read(&format!("/proc/{pid}/maps")))
    })
    .needs(INIT),
    Attempt::forbidden("init-fds", "Lists pid 1's descriptors.", "attacks 4", |plants| {
        on_init(plants, |pid| list(&format!("/proc/{pid}/fd")))
    })
    .needs(INIT),
    Attempt::forbidden("init-root", "Follows pid 1's root.", "attacks 4", |plants| {
        on_init(plants, |pid| list(&format!("/proc/{pid}/root/")))
    })
    .needs(INIT),
    Attempt::forbidden("init-cwd", "Follows pid 1's current directory.", "attacks 4", |plants| {
        on_init(plants, |pid| list(&format!("/proc/{pid}/cwd/")))
    })
    .needs(INIT),
    Attempt::forbidden("init-exe", "Opens the program that pid 1 runs.", "attacks 4", |plants| {
        on_init(plants, |pid| open(&format!("/proc/{pid}/exe"), OFlags::RDONLY))
    })
    .needs(INIT),
    Attempt::forbidden("init-ptrace", "Attaches to pid 1.", "ptrace(2)", |plants| {
        act_on_init(plants, ProcessAct::PtraceSeize)
    })
    .needs(INIT),
    Attempt::forbidden("init-vm-read", "Reads pid 1's memory by process_vm_readv.", "attacks 6", |plants| {
        act_on_init(plants, ProcessAct::VmRead)
    })
    .needs(INIT),
    Attempt::forbidden(
        "init-vm-write",
        "Writes pid 1's memory by process_vm_writev.",
        "attacks 6",
        |plants| act_on_init(plants, ProcessAct::VmWrite),
    )
    .needs(INIT),
    Attempt::forbidden("init-pidfd-getfd", "Takes a descriptor of pid 1.", "pidfd_getfd(2)", |plants| {
        on_init(plants, take_descriptor)
    })
    .needs(INIT),
    Attempt::forbidden("init-kcmp", "Compares descriptors with pid 1.", "kcmp(2)", |plants| {
        act_on_init(plants, ProcessAct::Kcmp)
    })
    .needs(INIT),
    Attempt::forbidden("init-prlimit", "Asks for the right to set pid 1's limits.", "prlimit(2)", |plants| {
        act_on_init(plants, ProcessAct::Prlimit)
    })
    .needs(INIT),
    Attempt::forbidden("init-move-pages", "Moves pages of pid 1.", "move_pages(2)", |plants| {
        act_on_init(plants, ProcessAct::MovePages)
    })
    .needs(INIT),
    Attempt::forbidden("init-priority", "Sets pid 1's priority to what it is.", "setpriority(2)", |plants| {
        on_init(plants, same_priority)
    })
    .needs(INIT),
    Attempt::forbidden("init-oom-score", "Opens pid 1's OOM score for writing.", "proc(5)", |plants| {
        on_init(plants, |pid| open(&format!("/proc/{pid}/oom_score_adj"), OFlags::WRONLY))
    })
    .needs(INIT),
    Attempt::forbidden("outside-visible", "Sees the secret holder outside in /proc.", "attacks 4", |_| {
        see_holder()
    })
    .needs(OUTSIDE),
    Attempt::forbidden("outside-signal", "May signal a process outside.", "kill(2)", |plants| {
        on_outside(plants, |pid| Gate::PROCESS.judge("kill with signal 0", process::test_kill_process(pid)))
    })
    .needs(OUTSIDE),
    Attempt::forbidden("outside-signal-group", "May signal a process group outside.", "kill(2)", |plants| {
        on_outside(plants, |pid| {
            Gate::PROCESS.judge("kill of its group with signal 0", process::test_kill_process_group(pid))
        })
    })
    .needs(OUTSIDE),
    Attempt::forbidden("outside-pidfd", "Opens a process outside.", "pidfd_open(2)", |plants| {
        on_outside(plants, |pid| {
            Gate::PROCESS.judge("pidfd_open", process::pidfd_open(pid, PidfdFlags::empty()))
        })
    })
    .needs(OUTSIDE),
    Attempt::forbidden("outside-ptrace", "Attaches to a process outside.", "ptrace(2)", |plants| {
        on_outside(plants, |pid| act(ProcessAct::PtraceSeize, pid))
    })
    .needs(OUTSIDE),
    Attempt::forbidden("outside-mem", "Opens the memory of a process outside.", "attacks 4", |plants| {
        on_outside(plants, |pid| open(&format!("/proc/{pid}/mem"), OFlags::RDONLY))
    })
    .needs(OUTSIDE),
    Attempt::forbidden("outside-vm-read", "Reads the memory of a process outside.", "attacks 6", |plants| {
        on_outside(plants, |pid| act(ProcessAct::VmRead, pid))
    })
    .needs(OUTSIDE),
    Attempt::forbidden(
        "visible-environs",
        "Finds the canary in any visible environment.",
        "attacks 16",
        find_in_environs,
    )
    .of(Radius::Credential)
    .needs(&[Plant::Canary, Plant::OutsidePid]),
    Attempt::forbidden(
        "visible-arguments",
        "Finds the canary in any visible command line.",
        "attacks 16",
        find_in_arguments,
    )
    .of(Radius::Credential)
    .needs(&[Plant::Canary, Plant::OutsidePid]),
    Attempt::forbidden(
        "process-madvise",
        "Enters the kernel by process_madvise.",
        "process_madvise(2)",
        |_| {
            let own = process::getpid();
            let gate = Gate::CALL.or_beyond(&[Errno::BADF]);
            Ok(gate.judge("process_madvise", attempt(Act::Process(ProcessAct::Madvise, own))))
        },
    ),
];

/// Those that end what they are aimed at, and so come last of all.
pub(crate) const FATAL: &[Attempt] = &[
    Attempt::forbidden("init-stop", "Stops pid 1 (and continues it).", "kill(2)", |plants| {
        on_init(plants, stop)
    })
    .needs(INIT),
    Attempt::forbidden("init-kill", "Kills pid 1.", "kill(2)", |plants| on_init(plants, kill)).needs(INIT),
];

/// The inode of the machine's own pid namespace (`PROC_PID_INIT_INO` in the kernel's sources).
const MACHINES_PID_NAMESPACE: &str = "pid:[4026531836]";

fn on_init(plants: &Plants, act: impl FnOnce(Pid) -> Finding) -> Result<Finding, PlantError> {
    let pid = plants.pid(Plant::InitPid)?;
    if pid == Pid::INIT && proc::link("/proc/self/ns/pid").as_deref() == Ok(MACHINES_PID_NAMESPACE) {
        return Ok(Finding::Inconclusive("pid 1 is the machine's own here, and is left alone".to_owned()));
    }
    Ok(act(pid))
}

fn act_on_init(plants: &Plants, what: ProcessAct) -> Result<Finding, PlantError> {
    on_init(plants, |pid| act(what, pid))
}

/// A pid outside may by chance be one of ours inside: it counts only if it is not plainly another program.
pub(crate) fn on_outside(plants: &Plants, act: impl FnOnce(Pid) -> Finding) -> Result<Finding, PlantError> {
    let pid = plants.pid(Plant::OutsidePid)?;
    let arguments = proc::read(&format!("/proc/{pid}/cmdline"));
    if arguments.is_ok_and(|arguments| !proc::contains(&arguments, HOLDER)) {
        return Ok(Finding::Held(format!("{pid} is another process here")));
    }
    Ok(act(pid))
}

/// The word on the command line by which the holder of the planted secret is known.
const HOLDER: &str = "hold-secret";

fn act(what: ProcessAct, pid: Pid) -> Finding {
    // EFAULT: the address is looked at only after the permission.
    let gate = Gate::PROCESS.or_beyond(&[Errno::FAULT]);
    gate.judge(&format!("{what:?} of {pid}"), attempt(Act::Process(what, pid)))
}

fn open(path: &str, flags: OFlags) -> Finding {
    Gate::PROCESS.judge(path, fs::open(path, flags | OFlags::CLOEXEC, Mode::empty()))
}

/// Reads and drops; a file that opens and is empty tells nothing, and is what a process of another user shows.
fn read(path: &str) -> Finding {
    match proc::read(path) {
        Ok(bytes) if bytes.is_empty() => Finding::Held(format!("{path}: is empty")),
        Ok(bytes) => Finding::Reached(format!("{path}: {} bytes", bytes.len())),
        failed @ Err(_) => Gate::PROCESS.judge(path, failed),
    }
}

fn list(path: &str) -> Finding {
    Gate::PROCESS.judge(path, proc::names(path))
}

fn take_descriptor(pid: Pid) -> Finding {
    let pidfd = match process::pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => pidfd,
        failed @ Err(_) => return Gate::PROCESS.judge("pidfd_open", failed),
    };
    let gate = Gate::PROCESS.or_beyond(&[Errno::BADF]);
    gate.judge("pidfd_getfd of descriptor 0", process::pidfd_getfd(pidfd, 0, PidfdGetfdFlags::empty()))
}

fn same_priority(pid: Pid) -> Finding {
    let same = process::getpriority_process(Some(pid))
        .and_then(|priority| process::setpriority_process(Some(pid), priority));
    Gate::PROCESS.judge("setpriority", same)
}

/// How long a signal may take to show.
const SIGNAL_SHOWS: Duration = Duration::from_millis(200);
/// How long an orphan may stay before nobody waits for it.
const REAPING_TIME_MAX: Duration = Duration::from_secs(1);

/// A pid 1 ignores what its own children send, and the call succeeds all the same: only its state counts.
fn stop(pid: Pid) -> Finding {
    let found = stopped(pid);
    process::kill_process(pid, Signal::CONT).ok();
    found
}

fn stopped(pid: Pid) -> Finding {
    if let Some(ended) = ended_before(pid) {
        return ended;
    }
    if let failed @ Err(_) = process::kill_process(pid, Signal::STOP) {
        return Gate::PROCESS.judge("kill with SIGSTOP", failed);
    }
    thread::sleep(SIGNAL_SHOWS);
    let stat = proc::read_text(&format!("/proc/{pid}/stat"));
    let state = stat.map(|stat| stat.rsplit(") ").next().and_then(|rest| rest.chars().next()));
    match state {
        Ok(Some('T')) => Finding::Reached("SIGSTOP: it stopped".to_owned()),
        Ok(Some(state)) => Finding::Held(format!("SIGSTOP was taken and ignored: its state is {state}")),
        // Hidden (`hidepid`, proc(5)): whether it does what it is for tells.
        Ok(None) | Err(_) if reaps() => {
            Finding::Held("SIGSTOP was taken and ignored: it still reaps".to_owned())
        }
        Ok(None) => Finding::Inconclusive("its state cannot be read".to_owned()),
        Err(errno) => Finding::Inconclusive(format!("its state cannot be read: {}", errno::name(errno))),
    }
}

/// One that nobody has waited for yet takes every signal, and shows nothing.
fn ended_before(pid: Pid) -> Option<Finding> {
    let has_ended = proc::read_text(&format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "));
    has_ended.then(|| Finding::Inconclusive("it had ended before".to_owned()))
}

/// Whether the first process of this pid namespace waits for an orphan, as it does while it runs.
fn reaps() -> bool {
    let mut command = Command::new(OWN_PROGRAM);
    let left = command.args(["control", "leave-orphan"]).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let orphan = left.ok().and_then(|left| String::from_utf8(left.stdout).ok()?.trim().parse().ok());
    let Some(orphan) = orphan.and_then(Pid::from_raw) else { return false };
    let end = Instant::now() + REAPING_TIME_MAX;
    while Instant::now() < end {
        if process::test_kill_process(orphan) == Err(Errno::SRCH) {
            return true;
        }
        thread::sleep(Duration::from_millis(2));
    }
    false
}

/// If pid 1 dies, so does this process, which its caller sees; a planted one is looked at.
fn kill(pid: Pid) -> Finding {
    if let Some(ended) = ended_before(pid) {
        return ended;
    }
    if let failed @ Err(_) = process::kill_process(pid, Signal::KILL) {
        return Gate::PROCESS.judge("kill with SIGKILL", failed);
    }
    thread::sleep(SIGNAL_SHOWS);
    let stat = proc::read_text(&format!("/proc/{pid}/stat"));
    match stat {
        Ok(stat) if stat.contains(") Z ") => Finding::Reached("SIGKILL: it died".to_owned()),
        Ok(_) => Finding::Held("SIGKILL was taken and ignored".to_owned()),
        // Hidden (`hidepid`, proc(5)) is not gone: whether it can be signalled tells.
        Err(_hidden) if process::test_kill_process(pid) != Err(Errno::SRCH) => {
            Finding::Held("SIGKILL was taken and ignored: it is hidden and still there".to_owned())
        }
        Err(_gone) => Finding::Reached("SIGKILL: it is gone".to_owned()),
    }
}

fn see_holder() -> Result<Finding, PlantError> {
    Ok(search("cmdline", HOLDER, &[]))
}

fn find_in_environs(plants: &Plants) -> Result<Finding, PlantError> {
    Ok(search("environ", plants.text(Plant::Canary)?, &plants.given_variables()))
}

fn find_in_arguments(plants: &Plants) -> Result<Finding, PlantError> {
    Ok(search("cmdline", plants.text(Plant::Canary)?, &[]))
}

/// Looks for `needle` in a file of every visible process but this one and those that it descends from, whose
/// arguments hold the plants. What begins with one of the names `given` and `=` is not looked at.
fn search(file: &str, needle: &str, given: &[&str]) -> Finding {
    let pids = match proc::visible_pids() {
        Ok(pids) => pids,
        failed @ Err(_) => return Gate::PATH.judge("/proc", failed),
    };
    let mut readable = 0;
    for pid in pids.iter().filter(|pid| !is_probe(**pid)) {
        let bytes = proc::read(&format!("/proc/{pid}/{file}")).unwrap_or_default();
        let is_given = |entry: &[u8]| {
            let name = entry.split(|byte| *byte == b'=').next().unwrap_or_default();
            given.iter().any(|given| given.as_bytes() == name)
        };
        let looked_at = bytes.split(|byte| *byte == 0).filter(|entry| !is_given(entry));
        if holds(&looked_at.collect::<Vec<_>>().join(&0), needle) {
            return Finding::Reached(format!("found in /proc/{pid}/{file}"));
        }
        readable += usize::from(!bytes.is_empty());
    }
    Finding::Held(format!("{} other processes are visible, {readable} can be read, none has it", pids.len()))
}

/// Whether `needle` occurs other than as the plant given to a launcher of this program: `canary=…`.
fn holds(bytes: &[u8], needle: &str) -> bool {
    let given = format!("{}=", Plant::Canary.name());
    let mut rest = bytes;
    let mut before: &[u8] = &[];
    while let Some(at) = rest.windows(needle.len()).position(|window| window == needle.as_bytes()) {
        let (head, tail) = rest.split_at(at);
        let named = if head.is_empty() { before } else { head };
        let as_plant = named.len().checked_sub(given.len()).and_then(|start| named.get(start..));
        if !as_plant.is_some_and(|name| name.eq_ignore_ascii_case(given.as_bytes())) {
            return true;
        }
        (before, rest) = tail.split_at(needle.len());
    }
    false
}

fn is_probe(pid: u32) -> bool {
    let arguments = proc::read(&format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut words = arguments.split(|byte| *byte == 0).skip(1);
    matches!(words.next(), Some(b"try" | b"all"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plant_on_a_launchers_command_line_is_no_leak() {
        assert!(!holds(b"launcher\0canary=XYZZY\0COFFERDAM_PROBE_CANARY=XYZZY", "XYZZY"));
        assert!(holds(b"canary=XYZZY\0TOKEN=XYZZY", "XYZZY"));
        assert!(holds(b"XYZZY", "XYZZY"));
        assert!(!holds(b"", "XYZZY"));
    }
}
