//! Whether the kernel keeps what a cell is confined by, by confining a process of our own.

use super::attempt::{Refusal, Tried, in_child, trying, unless};
use super::remedies::{newer_kernel, of_kernel_feature, of_landlock};
use super::surroundings::Surroundings;
use super::{Check, tried};
use cofferdam_cell::landlock::LANDLOCK_VERSION_MIN;
use cofferdam_syscall::confine::{
    Instruction, install_filter, landlock_confine, landlock_ruleset, landlock_version,
};
use cofferdam_syscall::process::{Namespaces, close_on_exec_from};
use rustix::fd::AsFd as _;
use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags};
use rustix::io::Errno;
use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use rustix::thread::set_no_new_privs;

/// `LANDLOCK_ACCESS_FS_READ_FILE` (linux/landlock.h)
const LANDLOCK_READ_FILE: u64 = 1 << 2;
/// A file that everybody can read.
const READABLE: &str = "/proc/self/status";
/// The first descriptor that no process of ours has.
const FAR_DESCRIPTOR: u32 = 1 << 20;
/// What the trial filter answers: an errno that `chdir` never has.
const FILTERED: Errno = Errno::DOM;

/// Landlock, filters, and the descriptors that a cell is held by.
pub(super) fn checks(around: &Surroundings, lacking: Option<&'static str>) -> Vec<Check> {
    let alone = |act: fn() -> Tried| unless(lacking, || in_child(Namespaces::NONE, None, act));
    let feature = |refusal: &Refusal| of_kernel_feature(around, refusal);
    vec![
        tried("landlock", "Landlock", alone(landlock), |refusal| match refusal {
            Refusal::Unexpected { .. } => newer_kernel(around),
            Refusal::Kernel { .. } | Refusal::Killed { .. } | Refusal::Silent | Refusal::Dependent { .. } => {
                of_landlock(around, refusal)
            }
        }),
        tried("seccomp", "filters for system calls", alone(seccomp), feature),
        tried("memfd-sealing", "sealed files in memory", alone(sealing), feature),
        tried("pidfd", "processes by descriptor", alone(pidfd), feature),
        tried("close-range", "closing descriptors by range", alone(close_range), feature),
    ]
}

fn landlock() -> Tried {
    let version = landlock_version().map_err(trying("ask for Landlock's version"))?;
    if version < LANDLOCK_VERSION_MIN {
        let seen = format!("its version is {version}, at least {LANDLOCK_VERSION_MIN} is needed");
        return Err(Refusal::Unexpected { act: "use Landlock".into(), seen });
    }
    let ruleset =
        landlock_ruleset(version, LANDLOCK_READ_FILE, 0).map_err(trying("make a Landlock ruleset"))?;
    set_no_new_privs(true).map_err(trying("set no_new_privs"))?;
    landlock_confine(ruleset.as_fd()).map_err(trying("confine a process with Landlock"))?;
    match rustix::fs::open(READABLE, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        Err(Errno::ACCESS) => Ok(format!("version {version}; a confined process was refused a file")),
        Ok(_) => Err(Refusal::Unexpected {
            act: "confine a process with Landlock".into(),
            seen: "it reads on".into(),
        }),
        Err(errno) => Err(trying("see Landlock refuse a file")(errno)),
    }
}

/// `chdir` gets an errno that it never has; everything else is let through (seccomp(2), linux/filter.h).
fn seccomp() -> Tried {
    const LOAD_NUMBER: Instruction = Instruction { code: 0x20, jt: 0, jf: 0, k: 0 };
    const CHDIR: u32 = 80;
    let errno = FILTERED.raw_os_error().unsigned_abs();
    let program = [
        LOAD_NUMBER,
        Instruction { code: 0x15, jt: 0, jf: 1, k: CHDIR },
        Instruction { code: 0x06, jt: 0, jf: 0, k: 0x0005_0000 | errno },
        Instruction { code: 0x06, jt: 0, jf: 0, k: 0x7FFF_0000 },
    ];
    set_no_new_privs(true).map_err(trying("set no_new_privs"))?;
    install_filter(&program).map_err(trying("install a filter (seccomp)"))?;
    match rustix::process::chdir("/") {
        Err(FILTERED) => Ok("a filter answered a call in the kernel's place".into()),
        Ok(()) => Err(Refusal::Unexpected { act: "filter a call".into(), seen: "it was let through".into() }),
        Err(errno) => Err(trying("filter a call")(errno)),
    }
}

fn sealing() -> Tried {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file =
        rustix::fs::memfd_create("cofferdam-doctor", flags).map_err(trying("make a file in memory"))?;
    rustix::fs::fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::SEAL)
        .map_err(trying("seal a file in memory"))?;
    match rustix::io::write(&file, b"x") {
        Err(Errno::PERM) => Ok("a sealed file refused a write".into()),
        Ok(_) => {
            Err(Refusal::Unexpected { act: "seal a file in memory".into(), seen: "it takes a write".into() })
        }
        Err(errno) => Err(trying("see a sealed file refuse a write")(errno)),
    }
}

fn pidfd() -> Tried {
    let own = pidfd_open(rustix::process::getpid(), PidfdFlags::empty())
        .map_err(trying("open a process (pidfd_open)"))?;
    // A signal that does nothing unless asked for.
    pidfd_send_signal(&own, Signal::CONT)
        .map_err(trying("send a signal by descriptor (pidfd_send_signal)"))?;
    Ok("opened one and sent it a signal".into())
}

fn close_range() -> Tried {
    close_on_exec_from(FAR_DESCRIPTOR).map_err(trying("mark descriptors (close_range with CLOEXEC)"))?;
    Ok("marked a range close-on-exec".into())
}
