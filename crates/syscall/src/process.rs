//! Making processes: clone with namespaces, fork, spawn, exec, and the state a process inherits.

use rustix::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use rustix::io::Errno;
use rustix::process::Pid;
use std::ffi::{CStr, CString};
use std::ptr;

/// From `asm-generic/fcntl.h`; the libc crate lacks it here.
const F_SETSIG: libc::c_int = 10;

/// Which side of a fork this is.
#[derive(Debug)]
pub enum Fork {
    /// The process that forked; the child's pid and a descriptor that stands for it.
    Parent(Pid, OwnedFd),
    /// The new process.
    Child,
}

/// Namespaces for [`clone_into_namespaces`] and [`unshare`], as `CLONE_NEW*` bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Namespaces(libc::c_int);

impl Namespaces {
    /// No new namespace.
    pub const NONE: Self = Self(0);
    /// A user namespace.
    pub const USER: Self = Self(libc::CLONE_NEWUSER);
    /// A mount namespace.
    pub const MOUNT: Self = Self(libc::CLONE_NEWNS);
    /// User, mount, pid, network, ipc, uts and cgroup namespaces: all that a cell has of its own.
    pub const CELL: Self = Self(
        libc::CLONE_NEWUSER
            | libc::CLONE_NEWNS
            | libc::CLONE_NEWPID
            | libc::CLONE_NEWNET
            | libc::CLONE_NEWIPC
            | libc::CLONE_NEWUTS
            | libc::CLONE_NEWCGROUP,
    );
}

/// `clone3(2)` in the manner of fork, with new namespaces and a pid descriptor.
///
/// The caller must be single-threaded (the launcher and pid 1 are): the child then owns a private copy of
/// everything, and may allocate.
///
/// # Errors
/// The kernel's: `EPERM` where user namespaces are forbidden, `ENOSPC`/`EUSERS` at their limit, `EAGAIN`.
pub fn clone_into_namespaces(namespaces: Namespaces) -> Result<Fork, Errno> {
    let mut pidfd: libc::c_int = -1;
    // SAFETY: `clone_args` is a plain C structure of integers, for which all-zero bytes are a valid value.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = (namespaces.0 | libc::CLONE_PIDFD).unsigned_abs().into();
    args.pidfd = ptr::from_mut(&mut pidfd) as u64;
    args.exit_signal = libc::SIGCHLD.unsigned_abs().into();
    // SAFETY: `args` lives across the call and its size is passed; `pidfd` is a valid place for the descriptor;
    // no stack is given and CLONE_VM is not set, so the child runs on its own copy of this stack, as after fork.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, ptr::from_ref(&args), size_of::<libc::clone_args>()) };
    fork_result(pid, pidfd)
}

fn fork_result(pid: libc::c_long, pidfd: libc::c_int) -> Result<Fork, Errno> {
    check(pid)?;
    match i32::try_from(pid).ok().and_then(Pid::from_raw) {
        None => Ok(Fork::Child),
        Some(pid) => {
            // SAFETY: clone3 with CLONE_PIDFD stored a new descriptor here, which nothing else owns.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Fork::Parent(pid, pidfd))
        }
    }
}

/// `unshare(2)` of namespaces only.
///
/// # Errors
/// The kernel's.
pub fn unshare(namespaces: Namespaces) -> Result<(), Errno> {
    // SAFETY: no pointers; the flags are CLONE_NEW* alone, so no descriptor table or memory becomes unshared.
    let result = unsafe { libc::unshare(namespaces.0) };
    check(result.into())
}

/// `setns(2)` with any namespace descriptor.
///
/// # Errors
/// The kernel's: `EPERM` without capabilities over the namespace, `EUSERS`/`EINVAL` for one's own user namespace.
pub fn join_namespace(namespace: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: the descriptor is borrowed, hence open, for the whole call; no pointers are passed.
    let result = unsafe { libc::setns(namespace.as_raw_fd(), 0) };
    check(result.into())
}

/// Strings laid out for [`exec`]: made before a fork, so that nothing is allocated after it.
#[derive(Debug)]
pub struct ExecStrings {
    strings: Vec<CString>,
    pointers: Vec<*const libc::c_char>,
}

impl ExecStrings {
    /// Lays out `strings`, in order.
    #[must_use]
    pub fn new(strings: Vec<CString>) -> Self {
        let pointers = strings.iter().map(|s| s.as_ptr()).chain([ptr::null()]).collect();
        Self { strings, pointers }
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.strings.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.strings.is_empty()
    }
}

/// `execve(2)`; returns only on failure.
pub fn exec(program: &CStr, arguments: &ExecStrings, environment: &ExecStrings) -> Errno {
    // SAFETY: all three are NUL-terminated; both arrays end in a null pointer and their strings live in the
    // borrowed values, which are not moved during the call.
    unsafe { libc::execve(program.as_ptr(), arguments.pointers.as_ptr(), environment.pointers.as_ptr()) };
    last_errno()
}

/// Starts `program` in a child with exactly these descriptors: entry *n* of `descriptors` becomes descriptor *n*, and
/// all others are closed, those too that whoever started us forgot to mark. Signals are reset in the child, which
/// exits with 127 if the program can't be executed.
///
/// A copy of this process and no `vfork(2)`, as `posix_spawn(3)` makes it: its child begins on the processor of the
/// parent, which waits for it, and stays there when both could go on.
///
/// # Errors
/// The kernel's.
pub fn spawn(
    program: &CStr,
    arguments: &ExecStrings,
    environment: &ExecStrings,
    descriptors: &[BorrowedFd<'_>],
) -> Result<Pid, Errno> {
    let above = lift(descriptors)?;
    let count = u32::try_from(above.len()).ok().ok_or(Errno::MFILE)?;
    match clone_into_namespaces(Namespaces::NONE)? {
        Fork::Parent(pid, _) => {
            // A child that waits for the parent's processor goes first; as it executes its program, the kernel moves it
            // to a free one.
            rustix::thread::sched_yield();
            Ok(pid)
        }
        Fork::Child => {
            let placed = (0..).zip(&above).try_for_each(|(target, descriptor)| {
                // SAFETY: numbers only; what was open at `target` is a copy of this child's, and owned by nobody in it
                // any more, as it goes on to nothing but exec or exit.
                check(unsafe { libc::dup2(descriptor.as_raw_fd(), target) }.into())
            });
            if placed.and_then(|()| close_on_exec_from(count)).is_ok() {
                reset_signals();
                let _errno = exec(program, arguments, environment);
            }
            exit_now(127)
        }
    }
}

/// Copies of the descriptors above all targets, so that placing one never overwrites another.
fn lift(descriptors: &[BorrowedFd<'_>]) -> Result<Vec<OwnedFd>, Errno> {
    let floor = i32::try_from(descriptors.len()).ok().ok_or(Errno::MFILE)?.max(16);
    descriptors.iter().map(|fd| rustix::io::fcntl_dupfd_cloexec(fd, floor)).collect()
}

fn no_signal() -> libc::sigset_t {
    // SAFETY: `sigset_t` is an array of integers; the empty set is all zeroes on Linux.
    unsafe { std::mem::zeroed() }
}

/// Default dispositions for every signal and an empty mask: what a fresh program expects to inherit.
///
/// Not by `signal(3)`, which refuses the two that the C library keeps for itself, and which a parent may ignore.
pub fn reset_signals() {
    // The kernel's own `struct sigaction`: handler, flags, restorer and mask, a word each; SIG_DFL is zero.
    let default = [0_u64; 4];
    for signal in 1..=64 {
        // SAFETY: `default` is as long as the kernel's structure, whose mask has the size that is passed; the old
        // action is not asked for; SIG_DFL installs no handler. KILL and STOP fail with EINVAL, which is fine.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                default.as_ptr(),
                ptr::null_mut::<u64>(),
                size_of::<u64>(),
            )
        };
    }
    let none = no_signal();
    // SAFETY: `none` is a valid set; the old mask is not asked for.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut()) };
}

/// A descriptor that becomes readable when one of `signals` is pending; they are blocked for this process.
///
/// # Errors
/// The kernel's.
pub fn signal_descriptor(signals: &[rustix::process::Signal]) -> Result<OwnedFd, Errno> {
    let mut set = no_signal();
    for signal in signals {
        // SAFETY: `set` is valid and exclusively borrowed; the number is that of a real signal.
        unsafe { libc::sigaddset(&raw mut set, signal.as_raw()) };
    }
    // SAFETY: `set` is valid; the old mask is not asked for.
    check(unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut()) }.into())?;
    // SAFETY: `set` is valid and read only during the call.
    let descriptor = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
    check(descriptor.into())?;
    // SAFETY: signalfd returned a new descriptor, which nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Lets `signals` come to this process again, after a [`signal_descriptor`] is closed.
///
/// # Errors
/// The kernel's.
pub fn unblock_signals(signals: &[rustix::process::Signal]) -> Result<(), Errno> {
    let mut set = no_signal();
    for signal in signals {
        // SAFETY: `set` is valid and exclusively borrowed; the number is that of a real signal.
        unsafe { libc::sigaddset(&raw mut set, signal.as_raw()) };
    }
    // SAFETY: `set` is valid; the old mask is not asked for.
    check(unsafe { libc::sigprocmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut()) }.into())
}

/// The next pending signal's number of a [`signal_descriptor`], if there is one.
///
/// # Errors
/// The kernel's, but `EAGAIN`, which is `None`.
pub fn next_signal(descriptor: BorrowedFd<'_>) -> Result<Option<i32>, Errno> {
    let mut record = [0_u8; size_of::<libc::signalfd_siginfo>()];
    match rustix::io::read(descriptor, &mut record) {
        Ok(length) if length == record.len() => {
            let [a, b, c, d, ..] = record;
            Ok(i32::try_from(u32::from_ne_bytes([a, b, c, d])).ok())
        }
        Ok(_) | Err(Errno::AGAIN) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Blocks the last real-time signal for this process and queues it once more (`sigqueue(3)`): each is counted against
/// `RLIMIT_SIGPENDING` until this process ends.
///
/// # Errors
/// The kernel's: `EAGAIN` at the limit.
pub fn queue_for_self() -> Result<(), Errno> {
    let (signal, mut set) = (libc::SIGRTMAX(), no_signal());
    // SAFETY: `set` is valid and exclusively borrowed; the number is that of a real signal.
    unsafe { libc::sigaddset(&raw mut set, signal) };
    // SAFETY: `set` is valid; the old mask is not asked for.
    check(unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut()) }.into())?;
    let value = libc::sigval { sival_ptr: ptr::null_mut() };
    let own = rustix::process::getpid().as_raw_nonzero().get();
    // SAFETY: the pointer in `value` is null and nobody takes the signal; the target is this very process.
    check(unsafe { libc::sigqueue(own, signal, value) }.into())
}

/// Sends `signal` to this process whenever something happens at the other end of the pipe `end`, its closing among it:
/// `F_SETOWN`, `F_SETSIG` and `O_ASYNC` (fcntl(2)). A stopped process is so woken by `SIGCONT`.
///
/// # Errors
/// The kernel's.
pub fn signal_at_events(end: BorrowedFd<'_>, signal: rustix::process::Signal) -> Result<(), Errno> {
    let (fd, owner) = (end.as_raw_fd(), rustix::process::getpid().as_raw_nonzero().get());
    // SAFETY: the descriptor is borrowed, hence open; the argument is a plain number, that of this process.
    check(unsafe { libc::fcntl(fd, libc::F_SETOWN, owner) }.into())?;
    // SAFETY: as above; the number is that of a real signal.
    check(unsafe { libc::fcntl(fd, F_SETSIG, signal.as_raw()) }.into())?;
    // SAFETY: as above; no argument is read.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    check(flags.into())?;
    // SAFETY: as above; the flags are those that the pipe has, and one more.
    check(unsafe { libc::fcntl(fd, libc::F_SETFL, flags | libc::O_ASYNC) }.into())
}

/// Marks every descriptor from `first` on close-on-exec (`close_range(2)`).
///
/// # Errors
/// The kernel's.
pub fn close_on_exec_from(first: u32) -> Result<(), Errno> {
    // SAFETY: no pointers; CLOSE_RANGE_CLOEXEC closes nothing now, so no owned descriptor is invalidated.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    check(result)
}

/// `_exit(2)`: ends this process without running anything more.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: never returns; runs no handlers and touches no memory.
    unsafe { libc::_exit(status) }
}

pub(crate) fn check(result: libc::c_long) -> Result<(), Errno> {
    if result == -1 { Err(last_errno()) } else { Ok(()) }
}

pub(crate) fn last_errno() -> Errno {
    std::io::Error::last_os_error().raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error)
}
