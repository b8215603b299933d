//! Trying something in a short-lived process of its own, with a deadline.
//!
//! The child tells in one message what it saw, or which act the kernel refused; a child that is killed or falls
//! silent is an answer too.

use super::ids::{Ids, write_maps};
use cofferdam_syscall::process::{Fork, Namespaces, clone_into_namespaces, exit_now};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, pidfd_send_signal, set_parent_process_death_signal, waitid,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How long an attempt may take, in seconds: none does more than a few system calls.
const ATTEMPT_SECONDS_MAX: i64 = 10;
/// The longest message of a child; it fits a pipe.
const MESSAGE_BYTES_MAX: usize = 4_096;

/// What came of an attempt: what was seen, or why not.
pub(super) type Tried = Result<String, Refusal>;

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Refusal {
    /// The kernel refused an act.
    Kernel { act: String, errno: i32 },
    /// An act succeeded and did something else.
    Unexpected { act: String, seen: String },
    /// The kernel killed the process.
    Killed { signal: i32 },
    /// There was no answer in time.
    Silent,
    /// It was not tried, because something that it needs is missing.
    Dependent { on: String },
}

impl Refusal {
    /// The kernel's answer, if it was one.
    pub(super) fn errno(&self) -> Option<Errno> {
        match self {
            Self::Kernel { errno, .. } => Some(Errno::from_raw_os_error(*errno)),
            Self::Unexpected { .. } | Self::Killed { .. } | Self::Silent | Self::Dependent { .. } => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kernel { act, errno } => {
                write!(f, "cannot {act}: {}", errno_text(Errno::from_raw_os_error(*errno)))
            }
            Self::Unexpected { act, seen } => write!(f, "cannot {act}: {seen}"),
            Self::Killed { signal } => write!(f, "the process that tried it was killed by signal {signal}"),
            Self::Silent => {
                write!(f, "the process that tried it gave no answer")
            }
            Self::Dependent { on } => write!(f, "not tried: it needs {on}"),
        }
    }
}

/// Names what was being done when the kernel refused.
pub(super) fn trying(act: &str) -> impl Fn(Errno) -> Refusal {
    move |errno| Refusal::Kernel { act: act.to_owned(), errno: errno.raw_os_error() }
}

/// The errnos that these attempts end in, by name.
pub(super) fn errno_text(errno: Errno) -> String {
    let names = [
        (Errno::PERM, "EPERM"),
        (Errno::ACCESS, "EACCES"),
        (Errno::NOSYS, "ENOSYS"),
        (Errno::NOSPC, "ENOSPC"),
        (Errno::USERS, "EUSERS"),
        (Errno::INVAL, "EINVAL"),
        (Errno::OPNOTSUPP, "EOPNOTSUPP"),
        (Errno::NODEV, "ENODEV"),
        (Errno::NOENT, "ENOENT"),
        (Errno::BUSY, "EBUSY"),
        (Errno::AGAIN, "EAGAIN"),
        (Errno::NOMEM, "ENOMEM"),
        (Errno::LOOP, "ELOOP"),
        (Errno::ROFS, "EROFS"),
        (Errno::IO, "EIO"),
        (Errno::DQUOT, "EDQUOT"),
        (Errno::STALE, "ESTALE"),
    ];
    match names.into_iter().find(|(known, _)| *known == errno) {
        Some((_, name)) => format!("{name} ({errno})"),
        None => errno.to_string(),
    }
}

/// Tries, unless something is lacking that it needs.
pub(super) fn unless(lacking: Option<&'static str>, act: impl FnOnce() -> Tried) -> Tried {
    lacking.map_or_else(act, |on| Err(Refusal::Dependent { on: on.to_owned() }))
}

/// Runs `act` in a child with `namespaces`; with `ids` as root of a user namespace with these maps.
pub(super) fn in_child(namespaces: Namespaces, ids: Option<Ids>, act: impl FnOnce() -> Tried) -> Tried {
    let pipes = || Ok((pipe_with(PipeFlags::CLOEXEC)?, pipe_with(PipeFlags::CLOEXEC)?));
    let ((go, go_writer), (words, words_writer)) = pipes().map_err(trying("make a pipe"))?;
    match clone_into_namespaces(namespaces).map_err(trying(cloning(namespaces)))? {
        Fork::Child => {
            drop((go_writer, words));
            child(&go, &words_writer, ids, act)
        }
        Fork::Parent(pid, pidfd) => {
            drop((go, words_writer));
            let mapped = ids.map_or(Ok(()), |ids| write_maps(pid, ids).map_err(trying(ids.mapping())));
            let told = mapped.and_then(|()| {
                rustix::io::write(&go_writer, &[1]).map_err(trying("tell the child to go on"))?;
                listen(&words, &pidfd)
            });
            let ended = end(pid, &pidfd);
            told.unwrap_or_else(|refusal| {
                Err(if refusal == Refusal::Silent { ended.unwrap_or(refusal) } else { refusal })
            })
        }
    }
}

fn cloning(namespaces: Namespaces) -> &'static str {
    if namespaces == Namespaces::NONE { "start a process (clone3)" } else { "make its namespaces (clone3)" }
}

/// Leaves whatever happens: this is a copy of the parent, whose callers must not run twice.
struct Leave;

impl Drop for Leave {
    fn drop(&mut self) {
        exit_now(101)
    }
}

fn child(go: &OwnedFd, words: &OwnedFd, ids: Option<Ids>, act: impl FnOnce() -> Tried) -> ! {
    let _leave = Leave;
    let tried = begin(go, ids).map_err(trying("become root of its user namespace")).and_then(|()| act());
    let message = serde_json::to_vec(&tried).unwrap_or_default();
    let told = rustix::io::write(words, message.get(..MESSAGE_BYTES_MAX).unwrap_or(&message));
    exit_now(i32::from(told.is_err()))
}

fn begin(go: &OwnedFd, ids: Option<Ids>) -> Result<(), Errno> {
    let mut byte = [0_u8];
    if rustix::io::retry_on_intr(|| rustix::io::read(go, &mut byte))? != 1 {
        return Err(Errno::PIPE);
    }
    if let Some(ids) = ids {
        ids.become_root()?;
    }
    set_parent_process_death_signal(Some(Signal::KILL))
}

/// The child's message; [`Refusal::Silent`] if it ended, or did not, without one.
fn listen(words: &OwnedFd, pidfd: &OwnedFd) -> Result<Tried, Refusal> {
    let deadline = Timespec { tv_sec: ATTEMPT_SECONDS_MAX, tv_nsec: 0 };
    let mut ends = [PollFd::new(words, PollFlags::IN), PollFd::new(pidfd, PollFlags::IN)];
    rustix::io::retry_on_intr(|| poll(&mut ends, Some(&deadline))).map_err(trying("wait for the child"))?;
    // A pipe that other processes hold open too ends with this child all the same.
    rustix::io::ioctl_fionbio(words, true).map_err(trying("hear the child"))?;
    let mut message = [0_u8; MESSAGE_BYTES_MAX];
    match rustix::io::read(words, &mut message) {
        Ok(0) => {
            // It closed its end and is on its way out; how it ended is known a moment later.
            let mut end = [PollFd::new(pidfd, PollFlags::IN)];
            rustix::io::retry_on_intr(|| poll(&mut end, Some(&deadline)))
                .map_err(trying("wait for the child"))?;
            Err(Refusal::Silent)
        }
        Err(Errno::AGAIN) => Err(Refusal::Silent),
        Ok(length) => {
            serde_json::from_slice(message.get(..length).unwrap_or_default()).map_err(|_torn| Refusal::Silent)
        }
        Err(errno) => Err(trying("hear the child")(errno)),
    }
}

/// Ends and reaps the child; tells by which signal it had ended before, if so.
fn end(pid: Pid, pidfd: &OwnedFd) -> Option<Refusal> {
    let ended = |options| waitid(WaitId::PidFd(pidfd.as_fd()), options | WaitIdOptions::EXITED);
    let before = ended(WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT).ok().flatten();
    let _gone = pidfd_send_signal(pidfd, Signal::KILL).is_err();
    let _reaped = ended(WaitIdOptions::empty())
        .map(drop)
        .or_else(|_unsupported| {
            rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty()).map(drop)
        })
        .is_ok();
    before.and_then(|status| status.terminating_signal()).map(|signal| Refusal::Killed { signal })
}
