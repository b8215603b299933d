//! The system calls that a process in the cell may make, as commented data.
//!
//! An allow-list: what is not named here is answered with `EPERM`. Calls that programs probe for and do without
//! are answered with `ENOSYS`, so that they take their other way. Nothing here weakens by kernel version.

use super::{Alternative, Check, Rule};
use Check::{Is, IsNot, Null};

const CLONE_NEW_ANY: u32 = 0x7E02_0000;
const CLONE_NEW_BUT_USER_PID_NET: u32 = 0x0E02_0000;
const UNSHARE_NEW_BUT_USER_PID_NET: u32 = 0x0E02_0080;
const FILE_TYPE: u32 = 0o170_000;
const SOCKET_TYPE: u32 = 0xF;
const ALL: u32 = u32::MAX;
const STREAM: u32 = 1;
const DATAGRAM: u32 = 2;
const TCP: u32 = 6;
const UDP: u32 = 17;
const CORE: u32 = 4;
const PID_1: u32 = 1;

/// Numbers from here on came with kernels newer than this table (Linux 6.18).
pub(super) const FIRST_UNKNOWN: u32 = 470;

/// Reading, writing and naming files; the mounts, Landlock and ids decide which.
const FILES: &[i64] = &[
    libc::SYS_read, libc::SYS_write, libc::SYS_open, libc::SYS_close, libc::SYS_stat, libc::SYS_fstat,
    libc::SYS_lstat, libc::SYS_lseek, libc::SYS_pread64, libc::SYS_pwrite64, libc::SYS_readv, libc::SYS_writev,
    libc::SYS_preadv, libc::SYS_pwritev, libc::SYS_preadv2, libc::SYS_pwritev2, libc::SYS_access,
    libc::SYS_sendfile, libc::SYS_fcntl, libc::SYS_flock, libc::SYS_fsync, libc::SYS_fdatasync,
    libc::SYS_truncate, libc::SYS_ftruncate, libc::SYS_getdents, libc::SYS_getdents64, libc::SYS_getcwd,
    libc::SYS_chdir, libc::SYS_fchdir, libc::SYS_rename, libc::SYS_mkdir, libc::SYS_rmdir, libc::SYS_creat,
    libc::SYS_link, libc::SYS_unlink, libc::SYS_symlink, libc::SYS_readlink, libc::SYS_chmod, libc::SYS_fchmod,
    libc::SYS_chown, libc::SYS_fchown, libc::SYS_lchown, libc::SYS_umask, libc::SYS_utime, libc::SYS_utimes,
    libc::SYS_futimesat, libc::SYS_statfs, libc::SYS_fstatfs, libc::SYS_sync, libc::SYS_syncfs,
    libc::SYS_sync_file_range, libc::SYS_readahead, libc::SYS_fadvise64, libc::SYS_fallocate,
    libc::SYS_setxattr, libc::SYS_lsetxattr, libc::SYS_fsetxattr, libc::SYS_getxattr, libc::SYS_lgetxattr,
    libc::SYS_fgetxattr, libc::SYS_listxattr, libc::SYS_llistxattr, libc::SYS_flistxattr, libc::SYS_removexattr,
    libc::SYS_lremovexattr, libc::SYS_fremovexattr, libc::SYS_openat, libc::SYS_openat2, libc::SYS_mkdirat,
    libc::SYS_fchownat, libc::SYS_newfstatat, libc::SYS_unlinkat, libc::SYS_renameat, libc::SYS_renameat2,
    libc::SYS_linkat, libc::SYS_symlinkat, libc::SYS_readlinkat, libc::SYS_fchmodat, libc::SYS_fchmodat2,
    libc::SYS_faccessat, libc::SYS_faccessat2, libc::SYS_utimensat, libc::SYS_statx, libc::SYS_copy_file_range,
    libc::SYS_splice, libc::SYS_tee, libc::SYS_vmsplice, libc::SYS_dup, libc::SYS_dup2, libc::SYS_dup3,
    libc::SYS_pipe, libc::SYS_pipe2, libc::SYS_close_range, libc::SYS_memfd_create, CACHESTAT,
    SETXATTRAT, GETXATTRAT, LISTXATTRAT, REMOVEXATTRAT,
];

/// Waiting for descriptors, signals, times and file changes.
const WAITING: &[i64] = &[
    libc::SYS_poll, libc::SYS_ppoll, libc::SYS_select, libc::SYS_pselect6, libc::SYS_epoll_create,
    libc::SYS_epoll_create1, libc::SYS_epoll_ctl, libc::SYS_epoll_wait, libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2, libc::SYS_epoll_ctl_old, libc::SYS_epoll_wait_old, libc::SYS_eventfd,
    libc::SYS_eventfd2, libc::SYS_signalfd, libc::SYS_signalfd4, libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime, libc::SYS_timerfd_gettime, libc::SYS_inotify_init, libc::SYS_inotify_init1,
    libc::SYS_inotify_add_watch, libc::SYS_inotify_rm_watch, libc::SYS_io_setup, libc::SYS_io_destroy,
    libc::SYS_io_submit, libc::SYS_io_cancel, libc::SYS_io_getevents, IO_PGETEVENTS,
];

/// Memory of the process's own.
const MEMORY: &[i64] = &[
    libc::SYS_mmap, libc::SYS_mprotect, libc::SYS_munmap, libc::SYS_brk, libc::SYS_mremap, libc::SYS_msync,
    libc::SYS_mincore, libc::SYS_madvise, libc::SYS_mlock, libc::SYS_mlock2, libc::SYS_munlock,
    libc::SYS_mlockall, libc::SYS_munlockall, libc::SYS_remap_file_pages, libc::SYS_pkey_mprotect,
    libc::SYS_pkey_alloc, libc::SYS_pkey_free, libc::SYS_membarrier, libc::SYS_mbind,
    libc::SYS_set_mempolicy, libc::SYS_get_mempolicy, libc::SYS_process_madvise, libc::SYS_mseal, MAP_SHADOW_STACK,
];

/// Processes, threads, signals and their limits; the pid namespace decides which can be named.
const PROCESSES: &[i64] = &[
    libc::SYS_fork, libc::SYS_vfork, libc::SYS_execve, libc::SYS_execveat, libc::SYS_exit,
    libc::SYS_exit_group, libc::SYS_wait4, libc::SYS_waitid, libc::SYS_kill, libc::SYS_tkill,
    libc::SYS_tgkill, libc::SYS_rt_sigaction, libc::SYS_rt_sigprocmask, libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigpending, libc::SYS_rt_sigtimedwait, libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo, libc::SYS_rt_sigsuspend, libc::SYS_sigaltstack, libc::SYS_pause,
    libc::SYS_pidfd_open, libc::SYS_pidfd_send_signal, libc::SYS_getpid, libc::SYS_getppid, libc::SYS_gettid,
    libc::SYS_getpgid, libc::SYS_getpgrp, libc::SYS_setpgid, libc::SYS_setsid, libc::SYS_getsid,
    libc::SYS_set_tid_address, libc::SYS_set_robust_list, libc::SYS_get_robust_list, libc::SYS_rseq,
    libc::SYS_futex, libc::SYS_futex_waitv, FUTEX_WAKE, FUTEX_WAIT, FUTEX_REQUEUE, libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity, libc::SYS_sched_setaffinity, libc::SYS_sched_getparam,
    libc::SYS_sched_setparam, libc::SYS_sched_getscheduler, libc::SYS_sched_setscheduler,
    libc::SYS_sched_getattr, libc::SYS_sched_setattr, libc::SYS_sched_get_priority_max,
    libc::SYS_sched_get_priority_min, libc::SYS_sched_rr_get_interval, libc::SYS_getpriority,
    libc::SYS_setpriority, libc::SYS_ioprio_get, libc::SYS_ioprio_set, libc::SYS_getrlimit, libc::SYS_getrusage, libc::SYS_times, libc::SYS_getcpu,
    libc::SYS_prctl, libc::SYS_arch_prctl, libc::SYS_restart_syscall, libc::SYS_set_thread_area,
    libc::SYS_get_thread_area, libc::SYS_uname, libc::SYS_sysinfo, libc::SYS_getrandom,
];

/// Debuggers and tracers: they reach no further than the inner user namespace.
const TRACING: &[i64] =
    &[libc::SYS_ptrace, libc::SYS_process_vm_readv, libc::SYS_process_vm_writev, libc::SYS_kcmp];

/// Ids: without capabilities a process can only choose among its own.
const IDS: &[i64] = &[
    libc::SYS_getuid, libc::SYS_geteuid, libc::SYS_getgid, libc::SYS_getegid, libc::SYS_getresuid,
    libc::SYS_getresgid, libc::SYS_getgroups, libc::SYS_setuid, libc::SYS_setgid, libc::SYS_setreuid,
    libc::SYS_setregid, libc::SYS_setresuid, libc::SYS_setresgid, libc::SYS_setgroups, libc::SYS_setfsuid,
    libc::SYS_setfsgid, libc::SYS_capget, libc::SYS_capset,
];

/// Clocks and timers, reading and waiting only.
const TIME: &[i64] = &[
    libc::SYS_time, libc::SYS_gettimeofday, libc::SYS_clock_gettime, libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep, libc::SYS_nanosleep, libc::SYS_alarm, libc::SYS_getitimer,
    libc::SYS_setitimer, libc::SYS_timer_create, libc::SYS_timer_settime, libc::SYS_timer_gettime,
    libc::SYS_timer_getoverrun, libc::SYS_timer_delete,
];

/// Sockets once made; `socket` itself is ruled below, and the network namespace has only `lo`.
const SOCKETS: &[i64] = &[
    libc::SYS_connect, libc::SYS_accept, libc::SYS_accept4, libc::SYS_sendto, libc::SYS_recvfrom,
    libc::SYS_sendmsg, libc::SYS_recvmsg, libc::SYS_sendmmsg, libc::SYS_recvmmsg, libc::SYS_shutdown,
    libc::SYS_bind, libc::SYS_listen, libc::SYS_getsockname, libc::SYS_getpeername, libc::SYS_setsockopt,
    libc::SYS_getsockopt,
];

/// System V and POSIX communication, in an ipc namespace of the cell's own (Postgres, browsers).
const IPC: &[i64] = &[
    libc::SYS_shmget, libc::SYS_shmat, libc::SYS_shmctl, libc::SYS_shmdt, libc::SYS_semget, libc::SYS_semop,
    libc::SYS_semctl, libc::SYS_semtimedop, libc::SYS_msgget, libc::SYS_msgsnd, libc::SYS_msgrcv,
    libc::SYS_msgctl, libc::SYS_mq_open, libc::SYS_mq_unlink, libc::SYS_mq_timedsend,
    libc::SYS_mq_timedreceive, libc::SYS_mq_notify, libc::SYS_mq_getsetattr,
];

/// Confining oneself further: filters and rulesets only ever add up.
const CONFINING: &[i64] = &[
    libc::SYS_seccomp, libc::SYS_landlock_create_ruleset, libc::SYS_landlock_add_rule,
    libc::SYS_landlock_restrict_self,
];

/// Every group of calls that are allowed whatever their arguments.
pub(super) const ALLOWED: &[&[i64]] =
    &[FILES, WAITING, MEMORY, PROCESSES, TRACING, IDS, TIME, SOCKETS, IPC, CONFINING];

/// Calls whose arguments decide, or whose refusal must not look like one.
pub(super) const RULED: &[Rule] = &[
    // New namespaces are new kernel surface, and a way to be root over something.
    Rule::when(libc::SYS_clone, &[Alternative(&[Is(0, CLONE_NEW_ANY, 0)])], libc::EPERM),
    // A structure in memory can't be judged here; C libraries fall back to `clone`.
    Rule::never(libc::SYS_clone3, libc::ENOSYS),
    // Unix; TCP and UDP over IPv4 and IPv6, and no other protocol, whose module the kernel would load; of netlink
    // only the interface list.
    Rule::when(
        libc::SYS_socket,
        &[
            Alternative(&[Is(0, ALL, 1)]),
            Alternative(&[Is(0, ALL, 2), Is(1, SOCKET_TYPE, STREAM), Is(2, ALL, 0)]),
            Alternative(&[Is(0, ALL, 2), Is(1, SOCKET_TYPE, STREAM), Is(2, ALL, TCP)]),
            Alternative(&[Is(0, ALL, 2), Is(1, SOCKET_TYPE, DATAGRAM), Is(2, ALL, 0)]),
            Alternative(&[Is(0, ALL, 2), Is(1, SOCKET_TYPE, DATAGRAM), Is(2, ALL, UDP)]),
            Alternative(&[Is(0, ALL, 10), Is(1, SOCKET_TYPE, STREAM), Is(2, ALL, 0)]),
            Alternative(&[Is(0, ALL, 10), Is(1, SOCKET_TYPE, STREAM), Is(2, ALL, TCP)]),
            Alternative(&[Is(0, ALL, 10), Is(1, SOCKET_TYPE, DATAGRAM), Is(2, ALL, 0)]),
            Alternative(&[Is(0, ALL, 10), Is(1, SOCKET_TYPE, DATAGRAM), Is(2, ALL, UDP)]),
            Alternative(&[Is(0, ALL, 16), Is(2, ALL, 0)]),
        ],
        libc::EAFNOSUPPORT,
    ),
    Rule::when(libc::SYS_socketpair, &[Alternative(&[Is(0, ALL, 1)])], libc::EAFNOSUPPORT),
    // Everything but typing into a terminal from behind, console selection and redirection, line disciplines.
    Rule::when(
        libc::SYS_ioctl,
        &[Alternative(&[IsNot(1, 0x5412), IsNot(1, 0x541C), IsNot(1, 0x541D), IsNot(1, 0x5423)])],
        libc::EPERM,
    ),
    // Plain, asked for (all ones), and without address randomisation, for debuggers.
    Rule::when(
        libc::SYS_personality,
        &[Alternative(&[Is(0, ALL, 0)]), Alternative(&[Is(0, ALL, ALL)]), Alternative(&[Is(0, ALL, 0x4_0000)])],
        libc::EPERM,
    ),
    // The limit on core dumps is one byte, at which the kernel starts no dump program on the host; at zero it would.
    // Programs that set it are told that they did: they want no dumps, and there are none.
    Rule::when(libc::SYS_setrlimit, &[Alternative(&[IsNot(0, CORE)])], libc::EPERM)
        .or_pretended(&[Alternative(&[])]),
    // Likewise; and the limits of pid 1, which an ordinary owner's agent shares its user id with, are not its own.
    Rule::when(
        libc::SYS_prlimit64,
        &[
            Alternative(&[IsNot(0, PID_1), IsNot(1, CORE)]),
            Alternative(&[IsNot(0, PID_1), Null(2)]),
        ],
        libc::EPERM,
    )
    .or_pretended(&[Alternative(&[IsNot(0, PID_1)])]),
    // Regular files, FIFOs and sockets, never devices (nor the overlay's whiteouts).
    Rule::when(libc::SYS_mknod, &node_kinds(1), libc::EPERM),
    Rule::when(libc::SYS_mknodat, &node_kinds(2), libc::EPERM),
    // Programs ask for these and take another way when the kernel does not have them.
    Rule::never(libc::SYS_io_uring_setup, libc::ENOSYS),
    Rule::never(libc::SYS_io_uring_enter, libc::ENOSYS),
    Rule::never(libc::SYS_io_uring_register, libc::ENOSYS),
    Rule::never(libc::SYS_keyctl, libc::ENOSYS),
    Rule::never(libc::SYS_add_key, libc::ENOSYS),
    Rule::never(libc::SYS_request_key, libc::ENOSYS),
    Rule::never(libc::SYS_userfaultfd, libc::ENOSYS),
    Rule::never(FILE_GETATTR, libc::ENOSYS),
    Rule::never(FILE_SETATTR, libc::ENOSYS),
    Rule::never(STATMOUNT, libc::ENOSYS),
    Rule::never(LISTMOUNT, libc::ENOSYS),
];

/// What the `chromium` profile puts in place of rules of the same calls.
pub(super) const CHROMIUM: &[Rule] = &[
    Rule::when(libc::SYS_clone, &[Alternative(&[Is(0, CLONE_NEW_BUT_USER_PID_NET, 0)])], libc::EPERM),
    Rule::when(libc::SYS_unshare, &[Alternative(&[Is(0, UNSHARE_NEW_BUT_USER_PID_NET, 0)])], libc::EPERM),
    Rule::when(libc::SYS_chroot, &[Alternative(&[])], libc::EPERM),
];

const fn node_kinds(argument: u8) -> [Alternative; 4] {
    match argument {
        1 => [
            Alternative(&[Is(1, FILE_TYPE, 0)]),
            Alternative(&[Is(1, FILE_TYPE, 0o100_000)]),
            Alternative(&[Is(1, FILE_TYPE, 0o010_000)]),
            Alternative(&[Is(1, FILE_TYPE, 0o140_000)]),
        ],
        _ => [
            Alternative(&[Is(2, FILE_TYPE, 0)]),
            Alternative(&[Is(2, FILE_TYPE, 0o100_000)]),
            Alternative(&[Is(2, FILE_TYPE, 0o010_000)]),
            Alternative(&[Is(2, FILE_TYPE, 0o140_000)]),
        ],
    }
}

// Numbers that the C library's headers of the least supported system lack (x86-64).
const IO_PGETEVENTS: i64 = 333;
const CACHESTAT: i64 = 451;
const MAP_SHADOW_STACK: i64 = 453;
const FUTEX_WAKE: i64 = 454;
const FUTEX_WAIT: i64 = 455;
const FUTEX_REQUEUE: i64 = 456;
const STATMOUNT: i64 = 457;
const LISTMOUNT: i64 = 458;
const SETXATTRAT: i64 = 463;
const GETXATTRAT: i64 = 464;
const LISTXATTRAT: i64 = 465;
const REMOVEXATTRAT: i64 = 466;
const FILE_GETATTR: i64 = 468;
const FILE_SETATTR: i64 = 469;
