//! Privileges: other users, capabilities, set-user-id programs, raised limits and priorities.
//!
//! What is gained is gained by the attempt's own process, and ends with it.

use std::process::{Command, Stdio};

use rustix::fs::{self, Mode, OFlags, XattrFlags};
use rustix::io::Errno;
use rustix::process::{self, Gid, Resource, Rlimit, Uid};
use rustix::thread::{self, CapabilitySet};

use crate::attempt::Attempt;
use crate::finding::{Finding, Gate};
use crate::inside::files::scratch_name;
use crate::inside::proc;
use crate::plants::{Plant, PlantError, Plants};

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::forbidden("setuid-root", "Becomes user 0.", "setuid(2)", |_| setuid_root()),
    Attempt::forbidden("setgid-root", "Becomes group 0.", "setgid(2)", |_| setgid_root()),
    Attempt::forbidden("setgroups", "Gives up its supplementary groups.", "CVE-2014-8989", |_| {
        Ok(Gate::CALL.judge("setgroups", thread::set_thread_groups(&[])))
    }),
    Attempt::forbidden("setuid-other", "Becomes another user than itself.", "setuid(2)", |_| {
        let other = Uid::from_raw(process::getuid().as_raw().wrapping_add(1));
        Ok(match thread::set_thread_res_uid(other, other, other) {
            Err(Errno::INVAL) => {
                Finding::Refused(Errno::INVAL, "setuid: the number is not mapped".to_owned())
            }
            answer => Gate::CALL.judge("setuid", answer),
        })
    }),
    Attempt::forbidden(
        "setuid-program",
        "Gains user 0 by a set-user-id program.",
        "attacks 3",
        setuid_program,
    )
    .needs(&[Plant::SetuidProbe])
    .if_present(),
    Attempt::forbidden("capabilities-held", "Holds any capability.", "capabilities(7)", |_| held("CapEff"))
        .if_present(),
    Attempt::forbidden(
        "capabilities-bounding",
        "Could be given any capability by a program.",
        "capabilities(7)",
        |_| bounding(),
    ),
    Attempt::forbidden("capabilities-raise", "Takes the capability to administer.", "capset(2)", |_| raise()),
    Attempt::forbidden("capabilities-ambient", "Makes a capability ambient.", "CVE-2022-24769", |_| {
        ambient()
    }),
    Attempt::forbidden("file-capabilities", "Gives a program capabilities.", "attacks 3", file_capabilities),
    Attempt::forbidden("no-new-privs", "May gain privileges by executing.", "prctl(2)", |_| {
        flag("NoNewPrivs", "1", "executing may gain privileges")
    }),
    Attempt::forbidden("seccomp-absent", "Runs without a seccomp filter.", "seccomp(2)", |_| {
        flag("Seccomp", "2", "no filter is set")
    }),
    Attempt::forbidden("hard-limit-raise", "Raises a hard limit.", "setrlimit(2)", |_| raise_limit()),
    Attempt::forbidden("priority-raise", "Raises its priority.", "setpriority(2)", |_| {
        let priority = process::getpriority_process(None).unwrap_or(0);
        Ok(Gate::CALL.judge("setpriority", process::setpriority_process(None, priority.saturating_sub(1))))
    }),
    Attempt::forbidden("chroot", "Changes its root.", "chroot(2)", |_| {
        Ok(Gate::CALL.judge("chroot to the root", process::chroot("/")))
    }),
];

fn setuid_root() -> Result<Finding, PlantError> {
    if process::getuid().is_root() {
        return Ok(Finding::Inapplicable("it is user 0 already".to_owned()));
    }
    let root = Uid::ROOT;
    Ok(match thread::set_thread_res_uid(root, root, root) {
        Err(Errno::INVAL) => Finding::Refused(Errno::INVAL, "setuid: 0 is not mapped".to_owned()),
        answer => Gate::CALL.judge("setuid", answer),
    })
}

fn setgid_root() -> Result<Finding, PlantError> {
    if process::getgid().is_root() {
        return Ok(Finding::Inapplicable("it is group 0 already".to_owned()));
    }
    let root = Gid::ROOT;
    Ok(match thread::set_thread_res_gid(root, root, root) {
        Err(Errno::INVAL) => Finding::Refused(Errno::INVAL, "setgid: 0 is not mapped".to_owned()),
        answer => Gate::CALL.judge("setgid", answer),
    })
}

fn setuid_program(plants: &Plants) -> Result<Finding, PlantError> {
    if process::geteuid().is_root() {
        return Ok(Finding::Inapplicable("it is user 0 already".to_owned()));
    }
    let path = plants.text(Plant::SetuidProbe)?;
    let answer = Command::new(path).args(["control", "whoami"]).stdin(Stdio::null()).output();
    Ok(match answer {
        Ok(output) if output.stdout.starts_with(b"0\n") => Finding::Reached(format!("{path}: ran as user 0")),
        Ok(output) if output.status.success() => {
            Finding::Held(format!("{path}: ran without gaining anything"))
        }
        Ok(output) => Finding::Inconclusive(format!("{path}: ended with {}", output.status)),
        Err(error) => Gate::PATH.judge::<()>(path, Err(proc::from_io(&error))),
    })
}

fn held(set: &str) -> Result<Finding, PlantError> {
    Ok(match proc::own_status(set) {
        Ok(bits) if bits.bytes().all(|digit| digit == b'0') => Finding::Held(format!("{set} is empty")),
        Ok(bits) => Finding::Reached(format!("{set} is {bits}")),
        failed @ Err(_) => Gate::PATH.judge(set, failed),
    })
}

/// Without a way to gain privileges by executing, the bounding set is idle.
fn bounding() -> Result<Finding, PlantError> {
    if proc::own_status("NoNewPrivs").as_deref() == Ok("1") {
        return Ok(Finding::Held("no new privileges: no program can give any".to_owned()));
    }
    held("CapBnd")
}

fn raise() -> Result<Finding, PlantError> {
    let wanted = CapabilitySet::SYS_ADMIN;
    Ok(match thread::capabilities(None) {
        Ok(mut sets) => {
            sets.permitted |= wanted;
            sets.effective |= wanted;
            Gate::CALL.judge("capset of CAP_SYS_ADMIN", thread::set_capabilities(None, sets))
        }
        failed @ Err(_) => Gate::CALL.judge("capget", failed),
    })
}

/// Ambient capabilities must be inheritable first.
fn ambient() -> Result<Finding, PlantError> {
    let wanted = CapabilitySet::NET_RAW;
    let made = thread::capabilities(None).and_then(|mut sets| {
        sets.inheritable |= wanted;
        thread::set_capabilities(None, sets)?;
        thread::configure_capability_in_ambient_set(wanted, true)
    });
    Ok(Gate::CALL.judge("PR_CAP_AMBIENT", made))
}

fn file_capabilities(plants: &Plants) -> Result<Finding, PlantError> {
    // struct vfs_cap_data, revision 2: magic with the effective bit, CAP_NET_RAW permitted.
    const NET_RAW: [u8; 20] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let path = scratch_name(plants, "capable");
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    if let Err(errno) = fs::open(&path, flags, Mode::from_raw_mode(0o700)) {
        return Ok(Finding::Inconclusive(format!("{path}: cannot create it: {errno}")));
    }
    let set = fs::setxattr(&path, "security.capability", &NET_RAW, XattrFlags::empty());
    fs::unlink(&path).ok();
    Ok(match set {
        Err(Errno::OPNOTSUPP) => Finding::Refused(Errno::OPNOTSUPP, format!("{path}: EOPNOTSUPP")),
        answer => Gate::PATH.judge("setting security.capability", answer),
    })
}

fn flag(name: &str, held: &str, otherwise: &str) -> Result<Finding, PlantError> {
    Ok(match proc::own_status(name) {
        Ok(value) if value == held => Finding::Held(format!("{name} is {value}")),
        Ok(value) => Finding::Reached(format!("{name} is {value}: {otherwise}")),
        Err(_) => Finding::Inconclusive(format!("{name} cannot be read")),
    })
}

fn raise_limit() -> Result<Finding, PlantError> {
    const LIMITS: [Resource; 5] =
        [Resource::Nofile, Resource::Nproc, Resource::Memlock, Resource::Core, Resource::Stack];
    for resource in LIMITS {
        let now = process::getrlimit(resource);
        let Some(hard) = now.maximum else { continue };
        let raised = Rlimit { current: now.current, maximum: Some(hard.saturating_add(1)) };
        return Ok(
            Gate::CALL.judge(&format!("setrlimit of {resource:?}"), process::setrlimit(resource, raised))
        );
    }
    Ok(Finding::Inapplicable("no hard limit is set".to_owned()))
}
