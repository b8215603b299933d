//! Namespaces: new ones by each call that makes them, those of pid 1, and those shared with the host.
//!
//! New namespaces end with the attempt's own process or its child.

use cofferdam_syscall::raw::{Act, Namespaces, Way, attempt};
use rustix::fs::{self, Mode, OFlags};
use rustix::io::Errno;
use rustix::thread::move_into_link_name_space;
use std::os::fd::AsFd as _;

use crate::attempt::Attempt;
use crate::finding::{Finding, Gate};
use crate::inside::errno;
use crate::inside::proc;
use crate::plants::{Plant, PlantError, Plants};

const INIT: &[Plant] = &[Plant::InitPid];
const HOST: &[Plant] = &[Plant::HostNamespaces];

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::forbidden("unshare-user", "Makes a user namespace by unshare.", "unshare(2)", |_| {
        make(Way::Unshare, Namespaces::User)
    }),
    Attempt::forbidden("unshare-mount", "Makes a mount namespace by unshare.", "unshare(2)", |_| {
        make(Way::Unshare, Namespaces::Mount)
    }),
    Attempt::forbidden("unshare-pid", "Makes a pid namespace by unshare.", "unshare(2)", |_| {
        make(Way::Unshare, Namespaces::Pid)
    }),
    Attempt::forbidden("unshare-net", "Makes a network namespace by unshare.", "unshare(2)", |_| {
        make(Way::Unshare, Namespaces::Network)
    }),
    Attempt::forbidden("unshare-ipc", "Makes a IPC namespace by unshare.", "unshare(2)", |_| {
        make(Way::Unshare, Namespaces::Ipc)
    }),
    Attempt::forbidden("unshare-uts", "Makes a UTS namespace by unshare.", "unshare(2)", |_| {
        make(Way::Unshare, Namespaces::Uts)
    }),
    Attempt::forbidden("unshare-cgroup", "Makes a cgroup namespace by unshare.", "unshare(2)", |_| {
        make(Way::Unshare, Namespaces::Cgroup)
    }),
    Attempt::forbidden("unshare-time", "Makes a time namespace by unshare.", "unshare(2)", |_| {
        make(Way::Unshare, Namespaces::Time)
    }),
    Attempt::forbidden("clone-user", "Makes a user namespace by clone.", "clone(2)", |_| {
        make(Way::Clone, Namespaces::User)
    }),
    Attempt::forbidden("clone-mount", "Makes a mount namespace by clone.", "clone(2)", |_| {
        make(Way::Clone, Namespaces::Mount)
    }),
    Attempt::forbidden("clone-pid", "Makes a pid namespace by clone.", "clone(2)", |_| {
        make(Way::Clone, Namespaces::Pid)
    }),
    Attempt::forbidden("clone-net", "Makes a network namespace by clone.", "clone(2)", |_| {
        make(Way::Clone, Namespaces::Network)
    }),
    Attempt::forbidden("clone-ipc", "Makes a IPC namespace by clone.", "clone(2)", |_| {
        make(Way::Clone, Namespaces::Ipc)
    }),
    Attempt::forbidden("clone-uts", "Makes a UTS namespace by clone.", "clone(2)", |_| {
        make(Way::Clone, Namespaces::Uts)
    }),
    Attempt::forbidden("clone-cgroup", "Makes a cgroup namespace by clone.", "clone(2)", |_| {
        make(Way::Clone, Namespaces::Cgroup)
    }),
    Attempt::forbidden("clone3-user", "Makes a user namespace by clone3.", "clone(2)", |_| {
        make(Way::Clone3, Namespaces::User)
    }),
    Attempt::forbidden("clone3-mount", "Makes a mount namespace by clone3.", "clone(2)", |_| {
        make(Way::Clone3, Namespaces::Mount)
    }),
    Attempt::forbidden("clone3-pid", "Makes a pid namespace by clone3.", "clone(2)", |_| {
        make(Way::Clone3, Namespaces::Pid)
    }),
    Attempt::forbidden("clone3-net", "Makes a network namespace by clone3.", "clone(2)", |_| {
        make(Way::Clone3, Namespaces::Network)
    }),
    Attempt::forbidden("clone3-ipc", "Makes a IPC namespace by clone3.", "clone(2)", |_| {
        make(Way::Clone3, Namespaces::Ipc)
    }),
    Attempt::forbidden("clone3-uts", "Makes a UTS namespace by clone3.", "clone(2)", |_| {
        make(Way::Clone3, Namespaces::Uts)
    }),
    Attempt::forbidden("clone3-cgroup", "Makes a cgroup namespace by clone3.", "clone(2)", |_| {
        make(Way::Clone3, Namespaces::Cgroup)
    }),
    Attempt::forbidden("clone3-time", "Makes a time namespace by clone3.", "clone(2)", |_| {
        make(Way::Clone3, Namespaces::Time)
    }),
    Attempt::forbidden(
        "unshare-user-mount",
        "Makes a user and a mount namespace at once.",
        "user_namespaces(7)",
        |_| make(Way::Unshare, Namespaces::UserAndMount),
    ),
    Attempt::forbidden(
        "unshare-user-net",
        "Makes a user and a network namespace at once.",
        "user_namespaces(7)",
        |_| make(Way::Unshare, Namespaces::UserAndNetwork),
    ),
    Attempt::forbidden("setns-user", "Enters pid 1's user namespace.", "setns(2)", |plants| {
        enter(plants, "user")
    })
    .needs(INIT),
    Attempt::forbidden("setns-mnt", "Enters pid 1's mount namespace.", "setns(2)", |plants| {
        enter(plants, "mnt")
    })
    .needs(INIT),
    Attempt::forbidden("setns-pid", "Enters pid 1's pid namespace.", "setns(2)", |plants| {
        enter(plants, "pid")
    })
    .needs(INIT),
    Attempt::forbidden("setns-net", "Enters pid 1's network namespace.", "setns(2)", |plants| {
        enter(plants, "net")
    })
    .needs(INIT),
    Attempt::forbidden("setns-ipc", "Enters pid 1's IPC namespace.", "setns(2)", |plants| {
        enter(plants, "ipc")
    })
    .needs(INIT),
    Attempt::forbidden("setns-uts", "Enters pid 1's UTS namespace.", "setns(2)", |plants| {
        enter(plants, "uts")
    })
    .needs(INIT),
    Attempt::forbidden("setns-cgroup", "Enters pid 1's cgroup namespace.", "setns(2)", |plants| {
        enter(plants, "cgroup")
    })
    .needs(INIT),
    Attempt::forbidden("shared-user", "Shares the host's user namespace.", "namespaces(7)", |plants| {
        shared(plants, "user")
    })
    .needs(HOST),
    Attempt::forbidden("shared-mnt", "Shares the host's mount namespace.", "namespaces(7)", |plants| {
        shared(plants, "mnt")
    })
    .needs(HOST),
    Attempt::forbidden("shared-pid", "Shares the host's pid namespace.", "namespaces(7)", |plants| {
        shared(plants, "pid")
    })
    .needs(HOST),
    Attempt::forbidden("shared-net", "Shares the host's network namespace.", "namespaces(7)", |plants| {
        shared(plants, "net")
    })
    .needs(HOST),
    Attempt::forbidden("shared-ipc", "Shares the host's IPC namespace.", "namespaces(7)", |plants| {
        shared(plants, "ipc")
    })
    .needs(HOST),
    Attempt::forbidden("shared-uts", "Shares the host's UTS namespace.", "namespaces(7)", |plants| {
        shared(plants, "uts")
    })
    .needs(HOST),
    Attempt::forbidden("shared-cgroup", "Shares the host's cgroup namespace.", "namespaces(7)", |plants| {
        shared(plants, "cgroup")
    })
    .needs(HOST),
    Attempt::forbidden(
        "owns-mnt",
        "Belongs to the user namespace that owns its mounts, so that root in it is root over them.",
        "ioctl_nsfs(2)",
        |_| owner("mnt"),
    ),
    Attempt::forbidden(
        "owns-net",
        "Belongs to the user namespace that owns its network, so that root in it is root over that.",
        "ioctl_nsfs(2)",
        |_| owner("net"),
    ),
    Attempt::forbidden(
        "owns-pid",
        "Belongs to the user namespace that owns its pid namespace, so that root in it is root over pid 1.",
        "ioctl_nsfs(2)",
        |_| owner("pid"),
    ),
    Attempt::forbidden(
        "user-map-identity",
        "Bears the numbers of all the host's users.",
        "user_namespaces(7)",
        |_| identity_map(),
    ),
];

fn make(way: Way, kinds: Namespaces) -> Result<Finding, PlantError> {
    // ENOSPC and EUSERS: the limit of such namespaces is the wall.
    Ok(match attempt(Act::Namespace(way, kinds)) {
        Err(limit @ (Errno::NOSPC | Errno::USERS)) => {
            Finding::Refused(limit, format!("{way:?} {kinds:?}: {}, the limit", errno::name(limit)))
        }
        answer => Gate::CALL.judge(&format!("{way:?} {kinds:?}"), answer),
    })
}

fn enter(plants: &Plants, kind: &str) -> Result<Finding, PlantError> {
    let path = format!("/proc/{}/ns/{kind}", plants.pid(Plant::InitPid)?);
    let opened = match fs::open(&path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(opened) => opened,
        failed @ Err(_) => return Ok(Gate::PROCESS.judge(&path, failed)),
    };
    let same = proc::link(&path).is_ok_and(|link| proc::link(&format!("/proc/self/ns/{kind}")) == Ok(link));
    Ok(match move_into_link_name_space(opened.as_fd(), None) {
        // The kernel's answer to entering the user namespace that one is in, whatever one may do.
        Err(Errno::INVAL) if same && kind == "user" => {
            Finding::Held(format!("{path}: EINVAL, it is our own"))
        }
        answer => Gate::PROCESS.judge(&path, answer),
    })
}

fn shared(plants: &Plants, kind: &str) -> Result<Finding, PlantError> {
    let host = plants.text(Plant::HostNamespaces)?;
    let prefix = format!("{kind}:[");
    let Some(theirs) = host.split_whitespace().find(|link| link.starts_with(&prefix)) else {
        return Ok(Finding::Inconclusive(format!("the plant names no {kind} namespace")));
    };
    Ok(match proc::link(&format!("/proc/self/ns/{kind}")) {
        Ok(ours) if ours == theirs => Finding::Reached(format!("{ours} is the host's")),
        Ok(ours) => Finding::Held(format!("{ours} is not the host's {theirs}")),
        Err(errno) => Finding::Inconclusive(format!("/proc/self/ns/{kind}: {}", errno::name(errno))),
    })
}

/// The kernel tells the owner of a namespace only to those in the owning user namespace, or above it.
fn owner(kind: &str) -> Result<Finding, PlantError> {
    let path = format!("/proc/self/ns/{kind}");
    Ok(match fs::open(&path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(namespace) => {
            Gate::CALL.judge(&format!("{path}: its owner"), attempt(Act::NamespaceOwner(namespace.as_fd())))
        }
        Err(errno) => Finding::Inconclusive(format!("{path}: {}", errno::name(errno))),
    })
}

fn identity_map() -> Result<Finding, PlantError> {
    const PATH: &str = "/proc/self/uid_map";
    Ok(match proc::read_text(PATH) {
        Ok(map) => {
            let words: Vec<_> = map.split_whitespace().collect();
            let shown = words.join(" ");
            if matches!(words.as_slice(), ["0", "0", "4294967295", ..]) {
                Finding::Reached(format!("{PATH}: {shown}"))
            } else {
                Finding::Held(format!("{PATH}: {shown}"))
            }
        }
        failed @ Err(_) => Gate::PATH.judge(PATH, failed),
    })
}
