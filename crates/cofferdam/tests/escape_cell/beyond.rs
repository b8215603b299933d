//! What the probe cannot reach outside of any cell either, so that it is not counted there: what the kernel or the
//! machine does not have, and what an ordinary user may not do anyway.
//!
//! Where one of these is reached all the same, it is not counted either.

use cofferdam_testkit::Owner;

use super::OWNER;

/// Nobody reaches it: it depends on the kernel's build, on the machine, or on how the program was started.
pub(super) fn anybody(id: &str) -> bool {
    const PREFIXES: [&str; 3] = ["dev-", "inherited-", "abi-"];
    const ACTS: &[&str] = &[
        // The holder has nothing open that leads to a file, and shares the probe's namespaces.
        "file-read-init-fds",
        "setns-user",
        // Not in every kernel.
        "sysctl-modprobe",
        "sysrq-trigger",
        "binfmt-register",
        "kcore-read",
        "kexec-load",
        "kexec-file-load",
        "init-module",
        "finit-module",
        "delete-module",
        "lookup-dcookie",
        "uselib",
        "iopl",
        "ioperm",
        "socket-alg",
        "socket-can",
        "socket-bluetooth",
        "socket-tipc",
        "socket-rds",
        "socket-key",
        "socket-vsock",
        // The plant listens on IPv4; a service or a route need not be there.
        "tcp-loopback-v6",
        "tcp-outside-v6",
        "udp-outside-v6",
        "well-known-sockets",
        "tcp-outside",
        "tcp-metadata",
        // A hard limit that is unlimited cannot be raised, and a file system has its own largest size.
        "hard-limit-raise",
        "sparse-file",
    ];
    PREFIXES.iter().any(|prefix| id.starts_with(prefix)) || ACTS.contains(&id)
}

/// An ordinary user is refused it by the kernel itself.
pub(super) fn this_owner(id: &str) -> bool {
    const PREFIXES: [&str; 10] = [
        "write-",
        "sysctl-",
        "cgroup-",
        "unshare-",
        "clone-",
        "clone3-",
        "setns-",
        "mknod-",
        "capabilities-",
        "mount",
    ];
    // Those of the prefixes that need no privilege.
    const POSSIBLE: [&str; 6] = [
        "unshare-user",
        "clone-user",
        "clone3-user",
        "unshare-user-mount",
        "unshare-user-net",
        "capabilities-bounding",
    ];
    const ACTS: &[&str] = &[
        "file-rename-ancestor",
        "shadow-read",
        "sys-write",
        "kmsg-proc",
        "kallsyms-addresses",
        "keys-list",
        "debugfs",
        "own-exe-overwrite",
        "init-exe-overwrite",
        "socket-raw",
        "socket-raw-v6",
        "socket-packet",
        "route-add",
        "route-delete",
        "link-set",
        "netfilter",
        "audit-socket",
        "pivot-root",
        "move-mount",
        "open-tree",
        "fsopen",
        "fspick",
        "umount",
        "remount-writable",
        "bpf",
        "perf-event-open",
        "open-by-handle-at",
        "syslog",
        "reboot",
        "swapon",
        "swapoff",
        "quotactl",
        "acct",
        "fanotify-init",
        "schedule-real-time",
        "io-priority-real-time",
        "settimeofday",
        "clock-settime",
        "adjtimex",
        "sethostname",
        "setdomainname",
        "setuid-root",
        "setgid-root",
        "setgroups",
        "setuid-other",
        "file-capabilities",
        "priority-raise",
        "chroot",
        "userfaultfd",
    ];
    // Being root, or seeing what only the host's root sees, is nothing to be gained by root.
    const HAD: [&str; 3] = ["setuid-root", "setgid-root", "setuid-program"];
    match OWNER {
        Owner::Root => HAD.contains(&id),
        Owner::Ordinary => {
            let prefixed = PREFIXES.iter().any(|prefix| id.starts_with(prefix));
            (prefixed && !POSSIBLE.contains(&id)) || ACTS.contains(&id)
        }
    }
}
