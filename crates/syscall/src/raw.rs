//! Forbidden acts with inert arguments, for `probe`: each enters one system call far enough to learn whether
//! the caller would be let through, and no further.
//!
//! The arguments are fixed here (null pointers, unknown names, absent files, refused sizes) and never come from
//! the caller, so that no act can harm memory, and an act that is let through changes nothing on the machine.
//! It deliberately does not judge an answer: which errno lies behind the permission check is `probe`'s knowledge.

use std::arch::asm;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use rustix::io::Errno;
use rustix::process::Pid;

/// A forbidden act.
#[derive(Debug, Clone, Copy)]
pub enum Act<'fd> {
    /// A call that concerns the whole machine or the kernel itself.
    Kernel(KernelAct),
    /// A call on mounts.
    Mounts(MountsAct),
    /// A call on another process.
    Process(ProcessAct, Pid),
    /// A new namespace; by `clone` and `clone3` the child ends at once.
    Namespace(Way, Namespaces),
    /// A call by another way into the kernel than the native one; it only asks for the own pid.
    Foreign(ForeignAbi),
    /// An ioctl on a terminal, with a null pointer; without a terminal on no descriptor at all.
    Terminal(TerminalAct, Option<BorrowedFd<'fd>>),
    /// `NS_GET_USERNS` of a namespace: a descriptor of the user namespace that owns it, which stays open.
    NamespaceOwner(BorrowedFd<'fd>),
    /// A clock; set, if at all, to what it shows.
    Clock(ClockAct),
    /// `execveat` of an open file with the arguments `probe control answer`; it returns only when it fails.
    Execute(BorrowedFd<'fd>),
}

/// Calls that concern the whole machine or the kernel itself.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "each variant is the name of the call it makes")]
pub enum KernelAct {
    AddKey,
    RequestKey,
    KeyctlUserKeyring,
    KeyctlJoinSession,
    Bpf,
    PerfEventOpen,
    Userfaultfd,
    IoUringSetup,
    KexecLoad,
    KexecFileLoad,
    InitModule,
    FinitModule,
    DeleteModule,
    OpenByHandleAt,
    NameToHandleAt,
    Syslog,
    Reboot,
    Swapon,
    Swapoff,
    Quotactl,
    Acct,
    FanotifyInit,
    LookupDcookie,
    Uselib,
    Sysfs,
    Iopl,
    Ioperm,
    ModifyLdt,
    ScheduleRealTime,
    IoPriorityRealTime,
    SetMempolicy,
}

/// Calls on mounts. None can change one: the source, type or descriptor named does not exist.
#[derive(Debug, Clone, Copy)]
pub enum MountsAct {
    /// `mount` of a file system type that no kernel knows, on the root.
    MountUnknownType,
    /// `mount(MS_BIND)` of a file that is absent, on the root.
    BindAbsent,
    /// `mount(MS_MOVE)` of a directory that is absent, to the root.
    MoveAbsent,
    /// `pivot_root` to a directory that is absent.
    PivotRootAbsent,
    /// `move_mount` of no descriptor.
    MoveMount,
    /// `open_tree` with a detached clone of the root, dropped at once.
    OpenTreeClone,
    /// `fsopen` of tmpfs, dropped at once.
    Fsopen,
    /// `fspick` of the root, dropped at once.
    Fspick,
    /// `mount_setattr` of the root that changes no attribute.
    MountSetattr,
}

/// Calls on another process.
#[derive(Debug, Clone, Copy)]
pub enum ProcessAct {
    /// `ptrace(PTRACE_SEIZE)`: attaches without stopping; undone when the caller ends.
    PtraceSeize,
    /// `process_vm_readv` of one byte at an address that is never mapped.
    VmRead,
    /// `process_vm_writev` of one byte to an address that is never mapped.
    VmWrite,
    /// `kcmp` of descriptor 0 of both.
    Kcmp,
    /// `prlimit64` that neither sets nor asks.
    Prlimit,
    /// `move_pages` of no page.
    MovePages,
    /// `process_madvise` of no descriptor: only a filter can refuse it before that.
    Madvise,
}

/// How a namespace is asked for.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "each variant is the name of the call it makes")]
pub enum Way {
    Unshare,
    Clone,
    Clone3,
}

/// Which namespaces are asked for.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "each variant is the name of a kind, or of two together")]
pub enum Namespaces {
    User,
    Mount,
    Pid,
    Network,
    Ipc,
    Uts,
    Cgroup,
    Time,
    UserAndMount,
    UserAndNetwork,
}

/// Ways into the kernel that a filter of native call numbers may forget.
#[derive(Debug, Clone, Copy)]
pub enum ForeignAbi {
    /// The x32 bit in the call number.
    X32,
    /// `int 0x80`: the 32-bit table, from a 64-bit process.
    Int80,
}

/// Terminal requests by which a program types into its terminal.
#[derive(Debug, Clone, Copy)]
pub enum TerminalAct {
    /// `TIOCSTI`: one character of input.
    PushInput,
    /// `TIOCLINUX`: selection and paste of a virtual console.
    Console,
}

/// Calls on the machine's clock.
#[derive(Debug, Clone, Copy)]
pub enum ClockAct {
    /// `settimeofday(NULL, NULL)`: the permission is checked, nothing is set.
    Settimeofday,
    /// `clock_settime` to what the clock shows.
    SetToNow,
    /// `adjtimex` of the tick length to what it is.
    Adjtimex,
}

/// A call number with its arguments, and whether the answer is a descriptor to be closed.
struct Call {
    number: libc::c_long,
    args: [usize; 6],
    opens: bool,
}

/// Memory that the inert calls may point to; large enough for whatever the kernel reads or writes there.
struct Room {
    words: [u64; 64],
}

const AT_FDCWD: usize = word(libc::AT_FDCWD);
const NO_FD: usize = word(-1);
/// `mount(2)`, `tty_ioctl(4)`, `ioctl_console(2)`; here as words.
const MS_BIND: usize = 4096;
const MS_MOVE: usize = 8192;
const TIOCSTI: usize = 0x5412;
const TIOCLINUX: usize = 0x541C;
/// `ioctl_nsfs(2)`.
const NS_GET_USERNS: usize = 0xB701;
const ABSENT: *const libc::c_char = c"/cofferdam-absent".as_ptr();
const ABSENT_NAME: *const libc::c_char = c"cofferdam_absent".as_ptr();
const ROOT: *const libc::c_char = c"/".as_ptr();
const EMPTY: *const libc::c_char = c"".as_ptr();
/// An address below every `mmap_min_addr`.
const NEVER_MAPPED: u64 = 1;
/// One more than the kernel takes: refused after the permission check (`kexec_load(2)`; zero would unload).
const KEXEC_SEGMENTS_REFUSED: usize = 17;

/// Tries `act`, and gives what the kernel answered. What it opens it closes.
///
/// # Errors
/// The errno, unjudged: many acts let through end in an errno too, as their arguments lead nowhere.
pub fn attempt(act: Act<'_>) -> Result<i64, Errno> {
    let mut room = Room { words: [0; 64] };
    match act {
        Act::Kernel(act) => enter(&kernel_call(act, &mut room)),
        Act::Mounts(act) => enter(&mounts_call(act, &mut room)),
        Act::Process(act, pid) => enter(&process_call(act, pid, &mut room)),
        Act::Namespace(way, kinds) => namespace(way, kinds, &mut room),
        Act::Foreign(ForeignAbi::X32) => enter(&call(X32_BIT | libc::SYS_getpid, [])),
        Act::Foreign(ForeignAbi::Int80) => int80_getpid(),
        Act::Terminal(act, fd) => {
            let request = match act {
                TerminalAct::PushInput => TIOCSTI,
                TerminalAct::Console => TIOCLINUX,
            };
            let fd = fd.map_or(NO_FD, |fd| word(fd.as_raw_fd()));
            enter(&call(libc::SYS_ioctl, [fd, request, 0]))
        }
        Act::NamespaceOwner(fd) => enter(&call(libc::SYS_ioctl, [word(fd.as_raw_fd()), NS_GET_USERNS, 0])),
        Act::Clock(act) => clock(act),
        Act::Execute(fd) => execute(fd),
    }
}

const X32_BIT: libc::c_long = 0x4000_0000;

/// A C integer as the word that the kernel takes.
const fn word(value: libc::c_int) -> usize {
    (value as isize).cast_unsigned()
}

fn call<const N: usize>(number: libc::c_long, given: [usize; N]) -> Call {
    let mut args = [0; 6];
    for (slot, value) in args.iter_mut().zip(given) {
        *slot = value;
    }
    Call { number, args, opens: false }
}

fn opens<const N: usize>(number: libc::c_long, given: [usize; N]) -> Call {
    Call { opens: true, ..call(number, given) }
}

fn address<T>(pointer: *const T) -> usize {
    pointer.expose_provenance()
}

/// Enters the kernel. Private: only the calls composed in this file come here.
fn enter(call: &Call) -> Result<i64, Errno> {
    let [a, b, c, d, e, f] = call.args;
    // SAFETY: each call composed in this file passes integers, null, static strings, or addresses within the
    // `Room` of `attempt`, which outlives the call and is larger than what the kernel reads or writes there.
    let answer = unsafe { libc::syscall(call.number, a, b, c, d, e, f) };
    if answer < 0 {
        return Err(last_errno());
    }
    if call.opens {
        // SAFETY: the kernel gave this descriptor to the call above, and nothing else knows it.
        unsafe { libc::syscall(libc::SYS_close, answer) };
    }
    Ok(answer)
}

fn last_errno() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}

/// The order of checks named in the comments is that of the kernel's sources: what is inert here is so because
/// the permission is checked before the arguments, or because the thing made is private and dropped at once.
fn kernel_call(act: KernelAct, room: &mut Room) -> Call {
    let absent = address(ABSENT);
    let name = address(ABSENT_NAME);
    match act {
        // A key in the keyring of this process: it goes with the process.
        KernelAct::AddKey => {
            call(libc::SYS_add_key, [address(c"user".as_ptr()), name, name, 1, KEYRING_PROCESS])
        }
        KernelAct::RequestKey => call(libc::SYS_request_key, [address(c"user".as_ptr()), name, 0, 0]),
        KernelAct::KeyctlUserKeyring => call(libc::SYS_keyctl, [0, KEYRING_USER, 0]),
        KernelAct::KeyctlJoinSession => call(libc::SYS_keyctl, [1, 0]),
        KernelAct::Bpf => {
            // BPF_MAP_CREATE of a one-entry array: type 2, key 4 bytes, value 4 bytes, 1 entry.
            opens(libc::SYS_bpf, [0, fill(room, &[2 | (4 << 32), 4 | (1 << 32)]), 32])
        }
        KernelAct::PerfEventOpen => {
            // A software event (type 1, size 64) that counts nothing (9), of this process, without the kernel.
            let event = fill(room, &[1 | (64 << 32), 9, 0, 0, 0, 0b110_0001]);
            opens(libc::SYS_perf_event_open, [event, 0, NO_FD, NO_FD, 0])
        }
        KernelAct::Userfaultfd => opens(libc::SYS_userfaultfd, [1 | word(libc::O_CLOEXEC)]),
        KernelAct::IoUringSetup => opens(libc::SYS_io_uring_setup, [1, fill(room, &[])]),
        KernelAct::KexecLoad => call(libc::SYS_kexec_load, [0, KEXEC_SEGMENTS_REFUSED, 0, 0]),
        KernelAct::KexecFileLoad => call(libc::SYS_kexec_file_load, [NO_FD, NO_FD, 0, 0, 0]),
        KernelAct::InitModule => call(libc::SYS_init_module, [0, 0, address(EMPTY)]),
        KernelAct::FinitModule => call(libc::SYS_finit_module, [NO_FD, address(EMPTY), 0]),
        KernelAct::DeleteModule => call(libc::SYS_delete_module, [name, word(libc::O_NONBLOCK)]),
        KernelAct::OpenByHandleAt => {
            // A handle of eight zero bytes of type 1: of no file, and refused or stale.
            opens(libc::SYS_open_by_handle_at, [AT_FDCWD, fill(room, &[8 | (1 << 32), 0]), 0])
        }
        KernelAct::NameToHandleAt => {
            let handle = fill(room, &[]);
            call(libc::SYS_name_to_handle_at, [AT_FDCWD, address(ROOT), handle, handle + 256, 0])
        }
        KernelAct::Syslog => call(libc::SYS_syslog, [10, 0, 0]),
        KernelAct::Reboot => call(libc::SYS_reboot, [0, 0, 0, 0]),
        KernelAct::Swapon => call(libc::SYS_swapon, [absent, 0]),
        KernelAct::Swapoff => call(libc::SYS_swapoff, [absent]),
        KernelAct::Quotactl => call(libc::SYS_quotactl, [QUOTA_GETINFO_USER, 0, 0, 0]),
        KernelAct::Acct => call(libc::SYS_acct, [absent]),
        KernelAct::FanotifyInit => opens(libc::SYS_fanotify_init, [4, 0]),
        KernelAct::LookupDcookie => call(libc::SYS_lookup_dcookie, [0, 0, 0]),
        KernelAct::Uselib => call(libc::SYS_uselib, [absent]),
        KernelAct::Sysfs => call(libc::SYS_sysfs, [3]),
        KernelAct::Iopl => call(libc::SYS_iopl, [3]),
        KernelAct::Ioperm => call(libc::SYS_ioperm, [0x80, 1, 1]),
        KernelAct::ModifyLdt => call(libc::SYS_modify_ldt, [0, fill(room, &[]), 16]),
        KernelAct::ScheduleRealTime => {
            call(libc::SYS_sched_setscheduler, [0, word(libc::SCHED_FIFO), fill(room, &[1])])
        }
        KernelAct::IoPriorityRealTime => call(libc::SYS_ioprio_set, [1, 0, 1 << 13]),
        KernelAct::SetMempolicy => call(libc::SYS_set_mempolicy, [0, 0, 0]),
    }
}

/// `KEY_SPEC_PROCESS_KEYRING` and `KEY_SPEC_USER_KEYRING` (`keyctl(2)`).
const KEYRING_PROCESS: usize = (-2_isize).cast_unsigned();
const KEYRING_USER: usize = (-4_isize).cast_unsigned();
/// `QCMD(Q_GETINFO, USRQUOTA)` of no device (`quotactl(2)`).
const QUOTA_GETINFO_USER: usize = 0x8000_0500;

/// Puts `words` at the start of the room, and gives its address.
fn fill(room: &mut Room, words: &[u64]) -> usize {
    for (slot, word) in room.words.iter_mut().zip(words) {
        *slot = *word;
    }
    address(room.words.as_mut_ptr())
}

fn mounts_call(act: MountsAct, room: &mut Room) -> Call {
    let (root, absent, name) = (address(ROOT), address(ABSENT), address(ABSENT_NAME));
    match act {
        MountsAct::MountUnknownType => call(libc::SYS_mount, [name, root, name, 0, 0]),
        MountsAct::BindAbsent => call(libc::SYS_mount, [absent, root, 0, MS_BIND, 0]),
        MountsAct::MoveAbsent => call(libc::SYS_mount, [absent, root, 0, MS_MOVE, 0]),
        MountsAct::PivotRootAbsent => call(libc::SYS_pivot_root, [absent, absent]),
        // MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH
        MountsAct::MoveMount => {
            call(libc::SYS_move_mount, [NO_FD, address(EMPTY), NO_FD, address(EMPTY), 0x44])
        }
        // OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC
        MountsAct::OpenTreeClone => opens(libc::SYS_open_tree, [AT_FDCWD, root, 1 | word(libc::O_CLOEXEC)]),
        MountsAct::Fsopen => opens(libc::SYS_fsopen, [address(c"tmpfs".as_ptr()), 1]),
        MountsAct::Fspick => opens(libc::SYS_fspick, [AT_FDCWD, root, 1]),
        MountsAct::MountSetattr => call(libc::SYS_mount_setattr, [AT_FDCWD, root, 0, fill(room, &[]), 32]),
    }
}

fn process_call(act: ProcessAct, pid: Pid, room: &mut Room) -> Call {
    let target = pid.as_raw_nonzero().get().unsigned_abs() as usize;
    let own = rustix::process::getpid().as_raw_nonzero().get().unsigned_abs() as usize;
    // Two iovecs: one byte of the room, further up, and one byte where nothing is ever mapped.
    let local = fill(room, &[]);
    let byte = local + 128;
    fill(room, &[byte as u64, 1, NEVER_MAPPED, 1]);
    let remote = local + 16;
    match act {
        ProcessAct::PtraceSeize => call(libc::SYS_ptrace, [libc::PTRACE_SEIZE as usize, target, 0, 0]),
        ProcessAct::VmRead => call(libc::SYS_process_vm_readv, [target, local, 1, remote, 1, 0]),
        ProcessAct::VmWrite => call(libc::SYS_process_vm_writev, [target, local, 1, remote, 1, 0]),
        ProcessAct::Kcmp => call(libc::SYS_kcmp, [own, target, 0, 0, 0]),
        ProcessAct::Prlimit => call(libc::SYS_prlimit64, [target, libc::RLIMIT_NOFILE as usize, 0, 0]),
        ProcessAct::MovePages => call(libc::SYS_move_pages, [target, 0, 0, 0, 0, 0]),
        ProcessAct::Madvise => call(libc::SYS_process_madvise, [NO_FD, local, 0, word(libc::MADV_COLD), 0]),
    }
}

/// Asks for namespaces. By `unshare` the calling thread moves into them, and they end with it.
fn namespace(way: Way, kinds: Namespaces, room: &mut Room) -> Result<i64, Errno> {
    let flags = match kinds {
        Namespaces::User => libc::CLONE_NEWUSER,
        Namespaces::Mount => libc::CLONE_NEWNS,
        Namespaces::Pid => libc::CLONE_NEWPID,
        Namespaces::Network => libc::CLONE_NEWNET,
        Namespaces::Ipc => libc::CLONE_NEWIPC,
        Namespaces::Uts => libc::CLONE_NEWUTS,
        Namespaces::Cgroup => libc::CLONE_NEWCGROUP,
        Namespaces::Time => libc::CLONE_NEWTIME,
        Namespaces::UserAndMount => libc::CLONE_NEWUSER | libc::CLONE_NEWNS,
        Namespaces::UserAndNetwork => libc::CLONE_NEWUSER | libc::CLONE_NEWNET,
    };
    let flags = word(flags);
    let asked = match way {
        Way::Unshare => return enter(&call(libc::SYS_unshare, [flags])),
        Way::Clone => call(libc::SYS_clone, [flags | word(libc::SIGCHLD), 0, 0, 0, 0]),
        Way::Clone3 => {
            // struct clone_args, version 0: 64 bytes; flags first, exit_signal fifth.
            let args = fill(room, &[flags as u64, 0, 0, 0, word(libc::SIGCHLD) as u64]);
            call(libc::SYS_clone3, [args, 64])
        }
    };
    let child = enter(&asked)?;
    if child == 0 {
        // SAFETY: this is the child, with a copy of the caller's memory; it leaves without running anything.
        unsafe { libc::syscall(libc::SYS_exit_group, 0) };
    }
    // `__WALL`: the child is ours, whatever its exit signal.
    enter(&call(libc::SYS_wait4, [usize::try_from(child).unwrap_or(NO_FD), 0, word(libc::__WALL), 0]))
}

fn int80_getpid() -> Result<i64, Errno> {
    const GETPID_32: i64 = 20;
    let answer: i64;
    // SAFETY: call 20 of the 32-bit table takes no argument and touches no memory; the registers that this way
    // into the kernel clobbers are named.
    unsafe {
        asm!("int 0x80", inlateout("rax") GETPID_32 => answer,
            lateout("r8") _, lateout("r9") _, lateout("r10") _, lateout("r11") _, options(nostack));
    }
    match i32::try_from(answer) {
        Ok(errno) if errno < 0 => Err(Errno::from_raw_os_error(-errno)),
        Ok(_) | Err(_) => Ok(answer),
    }
}

fn clock(act: ClockAct) -> Result<i64, Errno> {
    match act {
        ClockAct::Settimeofday => enter(&call(libc::SYS_settimeofday, [0, 0])),
        ClockAct::SetToNow => {
            let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
            let now = libc::timespec { tv_sec: now.tv_sec, tv_nsec: now.tv_nsec };
            enter(&call(libc::SYS_clock_settime, [word(libc::CLOCK_REALTIME), address(ptr::from_ref(&now))]))
        }
        ClockAct::Adjtimex => {
            let mut state = std::mem::MaybeUninit::<libc::timex>::zeroed();
            let at = address(state.as_mut_ptr());
            enter(&call(libc::SYS_adjtimex, [at]))?;
            // SAFETY: all zeroes is a valid `timex`, and the kernel has filled it since.
            let mut state = unsafe { state.assume_init() };
            state.modes = libc::ADJ_TICK;
            enter(&call(libc::SYS_adjtimex, [address(ptr::from_mut(&mut state))]))
        }
    }
}

fn execute(fd: BorrowedFd<'_>) -> Result<i64, Errno> {
    let arguments = [c"probe".as_ptr(), c"control".as_ptr(), c"answer".as_ptr(), ptr::null()];
    let environment = [ptr::null::<libc::c_char>()];
    let fd = word(fd.as_raw_fd());
    let (arguments, environment) = (address(arguments.as_ptr()), address(environment.as_ptr()));
    enter(&call(libc::SYS_execveat, [fd, address(EMPTY), arguments, environment, word(libc::AT_EMPTY_PATH)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_act_that_leads_nowhere_says_so() {
        assert!(attempt(Act::Kernel(KernelAct::Swapon)).is_err());
        assert!(attempt(Act::Mounts(MountsAct::BindAbsent)).is_err());
    }

    #[test]
    fn a_clone_is_reaped() {
        match attempt(Act::Namespace(Way::Clone3, Namespaces::User)) {
            Ok(child) => {
                let pid = i32::try_from(child).ok().and_then(Pid::from_raw).unwrap();
                assert_eq!(rustix::process::test_kill_process(pid), Err(Errno::SRCH));
            }
            Err(errno) => assert!([Errno::PERM, Errno::NOSYS, Errno::NOSPC].contains(&errno)),
        }
    }

    #[test]
    fn the_32_bit_table_answers_a_pid_or_an_errno() {
        if let Ok(pid) = attempt(Act::Foreign(ForeignAbi::Int80)) {
            assert_eq!(u32::try_from(pid).unwrap(), std::process::id());
        }
    }
}
