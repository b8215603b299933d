//! Entering the cell: what every process goes through between the fork in pid 1 and its program.
//!
//! The first command and every `exec` take this one way, so none has more authority than another:
//!
//! 1. A session and terminal of its own.
//! 2. Limits.
//! 3. The inner user namespace, in which it has power over nothing that the cell is made of.
//! 4. The agent's ids, no groups but those an ordinary owner can't give up, no capabilities, none to gain.
//! 5. The working directory.
//! 6. The system-call filter.
//! 7. The program.
//!
//! Landlock and an empty session keyring it has from pid 1.

use crate::wire::{EntryStage, Program};
use cofferdam_policy::plan::{Entry, Identities, LimitedResource, ResourceLimit};
use cofferdam_syscall::confine::{Instruction, install_filter};
use cofferdam_syscall::process::{
    ExecStrings, close_on_exec_from, exec, exit_now, join_namespace, reset_signals,
};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Gid, Resource, Rlimit, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets};
use std::ffi::CString;

/// A program made ready before the fork, so that nothing is allocated after it.
#[derive(Debug)]
pub(crate) struct Ready {
    /// Where the program may lie: one path, or one for each entry of `PATH`.
    candidates: Vec<CString>,
    arguments: ExecStrings,
    environment: ExecStrings,
    directory: CString,
}

/// What every entering process is confined by; made once.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) identities: Identities,
    pub(crate) limits: Vec<ResourceLimit>,
    pub(crate) filter: Vec<Instruction>,
    pub(crate) user_namespace: OwnedFd,
}

/// The standard streams of an entering process.
#[derive(Debug)]
pub(crate) enum Streams {
    /// A terminal of its own, which becomes its controlling terminal.
    Terminal(OwnedFd),
    /// Input, output and error.
    Pipes([OwnedFd; 3]),
}

impl Gate {
    /// The gate of a plan, with the inner namespace that pid 1 made.
    pub(crate) fn new(identities: &Identities, entry: &Entry, user_namespace: OwnedFd) -> Self {
        Self {
            identities: identities.clone(),
            limits: entry.limits.clone(),
            filter: crate::seccomp::filter(&entry.profiles),
            user_namespace,
        }
    }
}

impl Ready {
    /// Lays out a program; `None` if a string holds a NUL or there is no name.
    pub(crate) fn new(program: Program) -> Option<Self> {
        let strings = |list: Vec<Vec<u8>>| -> Option<Vec<CString>> {
            list.into_iter().map(|bytes| CString::new(bytes).ok()).collect()
        };
        let name = program.arguments.first().filter(|name| !name.is_empty())?.clone();
        let search = program.environment.iter().find_map(|pair| pair.strip_prefix(b"PATH=".as_slice()));
        let candidates = if name.contains(&b'/') {
            vec![CString::new(name).ok()?]
        } else {
            let join = |directory: &[u8]| CString::new([directory, b"/", &name].concat()).ok();
            search
                .unwrap_or_default()
                .split(|&b| b == b':')
                .filter(|d| !d.is_empty())
                .map(join)
                .collect::<Option<_>>()?
        };
        Some(Self {
            candidates,
            arguments: ExecStrings::new(strings(program.arguments)?),
            environment: ExecStrings::new(strings(program.environment)?),
            directory: CString::new(program.directory).ok()?,
        })
    }
}

/// In the child: goes through the gate; on failure writes stage and errno into `last_words` and ends.
pub(crate) fn enter(gate: &Gate, ready: &Ready, streams: &Streams, last_words: &OwnedFd) -> ! {
    let (stage, errno) = match confine(gate, ready, streams) {
        Err(failure) => failure,
        Ok(()) => (EntryStage::Exec, run(ready)),
    };
    let [a, b, c, d] = errno.raw_os_error().to_ne_bytes();
    let _unheard = rustix::io::write(last_words, &[stage as u8, a, b, c, d]);
    exit_now(127)
}

fn confine(gate: &Gate, ready: &Ready, streams: &Streams) -> Result<(), (EntryStage, Errno)> {
    let at = |stage: EntryStage| move |errno: Errno| (stage, errno);
    own_streams(streams).map_err(at(EntryStage::Terminal))?;
    close_on_exec_from(3).map_err(at(EntryStage::Terminal))?;
    gate.limits.iter().try_for_each(limit).map_err(at(EntryStage::Limits))?;
    join_namespace(gate.user_namespace.as_fd()).map_err(at(EntryStage::UserNamespace))?;
    credentials(&gate.identities).map_err(at(EntryStage::Credentials))?;
    rustix::process::chdir(ready.directory.as_c_str()).map_err(at(EntryStage::Directory))?;
    reset_signals();
    install_filter(&gate.filter).map_err(at(EntryStage::Filter))
}

fn own_streams(streams: &Streams) -> Result<(), Errno> {
    rustix::process::setsid()?;
    let [input, output, error] = match streams {
        Streams::Terminal(terminal) => {
            rustix::process::ioctl_tiocsctty(terminal)?;
            [terminal, terminal, terminal]
        }
        Streams::Pipes([input, output, error]) => [input, output, error],
    };
    rustix::stdio::dup2_stdin(input)?;
    rustix::stdio::dup2_stdout(output)?;
    rustix::stdio::dup2_stderr(error)
}

/// Sets a limit, soft and hard, but never above what the owner's own hard limit allows.
pub(crate) fn limit(limit: &ResourceLimit) -> Result<(), Errno> {
    let resource = match limit.resource {
        LimitedResource::Processes => Resource::Nproc,
        LimitedResource::OpenFiles => Resource::Nofile,
        LimitedResource::Core => Resource::Core,
        LimitedResource::PendingSignals => Resource::Sigpending,
        LimitedResource::LockedMemory => Resource::Memlock,
        LimitedResource::MessageQueues => return message_queues(limit.most),
    };
    set(resource, limit.most)
}

fn set(resource: Resource, most: u64) -> Result<(), Errno> {
    let most = rustix::process::getrlimit(resource).maximum.map_or(most, |ours| ours.min(most));
    rustix::process::setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
}

fn message_queues(most: u64) -> Result<(), Errno> {
    set(Resource::Msgqueue, most)
}

fn credentials(identities: &Identities) -> Result<(), Errno> {
    let (uid, gid) = (Uid::from_raw(identities.uid), Gid::from_raw(identities.gid));
    if identities.privileged {
        rustix::thread::set_thread_groups(&[])?;
        rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    }
    for capability in CapabilitySet::all().iter() {
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            // EINVAL: a capability that this kernel does not have.
            Ok(()) | Err(Errno::INVAL) => {}
            Err(errno) => return Err(errno),
        }
    }
    if identities.privileged {
        rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    }
    rustix::thread::clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    rustix::thread::set_capabilities(
        None,
        CapabilitySets { effective: none, permitted: none, inheritable: none },
    )?;
    // Until its own program runs, this process is still ours: no other may look into it (ATTACKS 4, 9).
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    rustix::thread::set_no_new_privs(true)
}

/// Tries each candidate; the most telling refusal wins over "not found".
fn run(ready: &Ready) -> Errno {
    let mut telling = Errno::NOENT;
    // To be told that a file is missing costs an attempt at executing it ten times as much.
    let is_missing = |candidate: &CString| {
        let found = rustix::fs::access(candidate.as_c_str(), rustix::fs::Access::EXISTS);
        matches!(found, Err(Errno::NOENT | Errno::NOTDIR))
    };
    for candidate in ready.candidates.iter().filter(|candidate| !is_missing(candidate)) {
        match exec(candidate, &ready.arguments, &ready.environment) {
            Errno::NOENT | Errno::NOTDIR => {}
            errno => telling = errno,
        }
    }
    telling
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(arguments: &[&str], environment: &[&str]) -> Option<Vec<String>> {
        let bytes = |list: &[&str]| list.iter().map(|text| text.as_bytes().to_vec()).collect();
        let program = Program {
            arguments: bytes(arguments),
            environment: bytes(environment),
            directory: b"/".to_vec(),
        };
        let candidates = Ready::new(program)?.candidates;
        Some(candidates.into_iter().map(|candidate| candidate.into_string().unwrap()).collect())
    }

    #[test]
    fn a_name_is_looked_for_along_the_path_and_never_in_the_working_directory() {
        let found = ready(&["tool", "x"], &["A=PATH=/no", "PATH=/a::/b:", "PATH=/c"]);
        assert_eq!(found, Some(vec!["/a/tool".to_owned(), "/b/tool".to_owned()]));
        assert_eq!(ready(&["tool"], &[]), Some(Vec::new()));
    }

    #[test]
    fn a_name_with_a_slash_is_not_looked_for() {
        assert_eq!(ready(&["./tool"], &["PATH=/a"]), Some(vec!["./tool".to_owned()]));
    }

    #[test]
    fn a_string_that_the_kernel_would_cut_short_is_refused() {
        for (arguments, environment) in [(["a\0b", "x"], "A=b"), (["a", "x\0"], "A=b"), (["a", "x"], "A\0=b")]
        {
            assert_eq!(ready(&arguments, &[environment]), None);
        }
        assert_eq!(ready(&[], &["A=b"]), None, "nothing to start");
        assert_eq!(ready(&[""], &["A=b"]), None);
    }
}
