//! The inner user namespace, which the agent lives in: founded by a short-lived child, held by its descriptor alone.
//!
//! The child is forked before the view is built, and makes the namespace meanwhile; it is in it before the host is left,
//! since a change of root at the same moment would make the kernel refuse it. It holds what pid 1 holds, so it has ended before the first process of the
//! agent's can be.

use crate::entry;
use crate::guardian::end;
use crate::idmap;
use cofferdam_policy::plan::{Identities, LimitedResource, Plan};
use cofferdam_syscall::process::{Fork, Namespaces, clone_into_namespaces, exit_now, unshare};
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, pidfd_send_signal};

/// The child that makes the namespace and waits in it to be killed.
#[derive(Debug)]
pub(crate) struct Founder {
    pid: Pid,
    pidfd: OwnedFd,
    /// Its errno, or 0 when it is in.
    outcome: OwnedFd,
}

impl Founder {
    /// Forks it, with the host's `/proc`.
    ///
    /// The limit on processes is set before the namespace is made: the kernel then keeps it for the namespace as a
    /// whole (`UCOUNT_RLIMIT_NPROC`), beside the owner's other processes and not among them.
    pub(crate) fn start(plan: &Plan, proc: OwnedFd) -> Result<Self, Errno> {
        let (outcome, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        match clone_into_namespaces(Namespaces::NONE)? {
            Fork::Child => {
                let mut limits =
                    plan.entry.limits.iter().filter(|limit| counts_for_the_namespace(limit.resource));
                let made = limits
                    .try_for_each(entry::limit)
                    .and_then(|()| unshare(Namespaces::USER))
                    .and_then(|()| limit_watches(&proc));
                let errno = made.err().map_or(0, Errno::raw_os_error);
                let told = rustix::io::write(&writer, &errno.to_ne_bytes());
                // Waits to be killed: the parent opens the namespace meanwhile.
                while told.is_ok() {
                    let pause = rustix::fs::Timespec { tv_sec: 60, tv_nsec: 0 };
                    let _slept = rustix::thread::nanosleep(&pause);
                }
                exit_now(1)
            }
            Fork::Parent(pid, pidfd) => Ok(Self { pid, pidfd, outcome }),
        }
    }

    /// Maps the ids of the namespace and opens it, through the cell's own `/proc`. Comes before the host is left.
    pub(crate) fn namespace(&self, proc: BorrowedFd<'_>, identities: &Identities) -> Result<OwnedFd, Errno> {
        let mut errno = [0_u8; 4];
        let told = rustix::io::retry_on_intr(|| rustix::io::read(&self.outcome, &mut errno));
        match (told, i32::from_ne_bytes(errno)) {
            (Ok(4), 0) => idmap::write_maps(proc, self.pid, &idmap::inner(identities))
                .and_then(|()| idmap::user_namespace_of(proc, self.pid)),
            (Ok(4), errno) => Err(Errno::from_raw_os_error(errno)),
            (Ok(_), _) => Err(Errno::CHILD),
            (Err(errno), _) => Err(errno),
        }
        .inspect(|_| {
            let _gone = pidfd_send_signal(&self.pidfd, Signal::KILL).is_err();
        })
    }

    /// Sees it ended.
    pub(crate) fn end(self) {
        end(&self.pidfd);
    }
}

/// Whether the kernel keeps a limit for a user namespace as a whole (`UCOUNT_RLIMIT_*`): set before the namespace is
/// made, it keeps the agent from using up what the owner's other processes share with it.
fn counts_for_the_namespace(resource: LimitedResource) -> bool {
    match resource {
        LimitedResource::Processes
        | LimitedResource::PendingSignals
        | LimitedResource::LockedMemory
        | LimitedResource::MessageQueues => true,
        LimitedResource::OpenFiles | LimitedResource::Core => false,
    }
}

/// Watchers and watches of files are counted by user, over all namespaces: a session takes a part of them, not all.
fn limit_watches(proc: &OwnedFd) -> Result<(), Errno> {
    const INSTANCES_MAX: u64 = 48;
    const SHARE: u64 = 2;
    let open = |path: &str, flags| rustix::fs::openat(proc, path, flags | OFlags::CLOEXEC, Mode::empty());
    let set = |path: &str, value: u64| {
        rustix::io::write(open(path, OFlags::WRONLY)?, value.to_string().as_bytes()).map(|_| ())
    };
    let mut text = [0_u8; 32];
    let length = rustix::io::read(open("sys/fs/inotify/max_user_watches", OFlags::RDONLY)?, &mut text)?;
    let all = std::str::from_utf8(text.get(..length).unwrap_or_default()).ok();
    let all: u64 = all.and_then(|text| text.trim().parse().ok()).ok_or(Errno::IO)?;
    set("sys/user/max_inotify_instances", INSTANCES_MAX)?;
    set("sys/user/max_inotify_watches", all.div_euclid(SHARE))
}
