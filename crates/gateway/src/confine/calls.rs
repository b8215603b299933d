//! The system calls that a gateway makes while it serves, as commented data; everything else is answered with `EPERM`.
//!
//! It starts no process and no thread, opens files for reading only (Landlock says which), and makes sockets of the
//! internet's families. Memory that can be executed is neither made nor asked for.

use Check::Is;
use cofferdam_syscall::confine::Instruction;
use cofferdam_syscall::filter::{ALWAYS, Alternative, Check, Rule, compile};
use std::collections::BTreeMap;

/// Numbers from here on came with kernels newer than this table (Linux 6.18).
const FIRST_UNKNOWN: u32 = 470;

const ALL: u32 = u32::MAX;
const PROT_EXEC: u32 = 4;
/// `O_ACCMODE`, `O_CREAT`, `O_TRUNC`, `O_TMPFILE`'s own bit.
const WRITING: u32 = 0o3 | 0o100 | 0o1000 | 0o20_000_000;
const SOCKET_TYPE: u32 = 0xF;
const FIONBIO: u32 = 0x5421;

/// Sockets, once they are there, and waiting for them.
const SOCKETS: &[i64] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_recvfrom,
    libc::SYS_sendto,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_connect,
    // On sockets that were handed over as listening: `listen` is not here.
    libc::SYS_accept4,
    libc::SYS_bind,
    libc::SYS_shutdown,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_close,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_wait,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_poll,
    libc::SYS_ppoll,
    libc::SYS_fcntl,
];

/// Reading the files that stay readable.
const FILES: &[i64] =
    &[libc::SYS_fstat, libc::SYS_newfstatat, libc::SYS_statx, libc::SYS_lseek, libc::SYS_pread64];

/// Notes in the file that was handed over for them.
const TRAIL: &[i64] = &[libc::SYS_pwrite64];

/// Changing the files of a store that is kept; Landlock says where they are.
const KEEPING: &[i64] = &[
    libc::SYS_open,
    libc::SYS_openat,
    libc::SYS_flock,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_unlink,
    libc::SYS_unlinkat,
    // Of the directory that is there.
    libc::SYS_mkdir,
    libc::SYS_mkdirat,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_geteuid,
];

/// Memory, time, chance, and the end.
const PROCESS: &[i64] = &[
    libc::SYS_munmap,
    libc::SYS_brk,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigaction,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// What is allowed with these arguments only.
const RULED: &[Rule] = &[
    Rule::when(libc::SYS_mmap, &[Alternative(&[Is(2, PROT_EXEC, 0)])], libc::EPERM),
    Rule::when(libc::SYS_mprotect, &[Alternative(&[Is(2, PROT_EXEC, 0)])], libc::EPERM),
    Rule::when(libc::SYS_open, &[Alternative(&[Is(1, WRITING, 0)])], libc::EPERM),
    Rule::when(libc::SYS_openat, &[Alternative(&[Is(2, WRITING, 0)])], libc::EPERM),
    // To the internet, by TCP and (to name servers) UDP.
    Rule::when(
        libc::SYS_socket,
        &[
            Alternative(&[Is(0, ALL, 2), Is(1, SOCKET_TYPE, 1)]),
            Alternative(&[Is(0, ALL, 2), Is(1, SOCKET_TYPE, 2)]),
            Alternative(&[Is(0, ALL, 10), Is(1, SOCKET_TYPE, 1)]),
            Alternative(&[Is(0, ALL, 10), Is(1, SOCKET_TYPE, 2)]),
        ],
        libc::EAFNOSUPPORT,
    ),
    Rule::when(libc::SYS_ioctl, &[Alternative(&[Is(1, ALL, FIONBIO)])], libc::EPERM),
];

/// The filter; with more of files where a store is kept.
pub(super) fn filter(is_keeping: bool) -> Vec<Instruction> {
    // Made once in a process. It may end itself and nobody else.
    let own = u32::try_from(rustix::process::getpid().as_raw_nonzero().get()).unwrap_or_default();
    let own: &'static [Check] = Box::leak(Box::new([Is(0, ALL, own)]));
    let own: &'static [Alternative] = Box::leak(Box::new([Alternative(own)]));
    let own = Rule::when(libc::SYS_tgkill, own, libc::EPERM);
    let always =
        |numbers: &'static [i64]| numbers.iter().map(|number| Rule::when(*number, ALWAYS, libc::EPERM));
    let kept = always(if is_keeping { KEEPING } else { &[] });
    // The last rule for a call is the one that counts.
    let rules = [SOCKETS, FILES, TRAIL, PROCESS].into_iter().flat_map(always);
    let rules = rules.chain(RULED.iter().copied()).chain([own]).chain(kept);
    let numbered = rules.filter_map(|rule| u32::try_from(rule.number).ok().map(|number| (number, rule)));
    compile(&numbered.collect::<BTreeMap<_, _>>(), FIRST_UNKNOWN)
}
