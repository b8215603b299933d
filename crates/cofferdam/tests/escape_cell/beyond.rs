//! What the probe cannot reach outside of any cell either, so that it is not counted there: what the kernel or the
//! machine does not have, and what an ordinary user may not do anyway.
//!
//! Where one of these is reached all the same, it is not counted either.

use cofferdam_testkit::Owner;

use super::OWNER;

/// Nobody reaches it: it depends on the kernel's build, on the machine, or on how the program was started.
pub(super) fn anybody(id: &str) -> bool {
    const PREFIXES: [&str; 3] = ["dev-", "inherited-", "abi-"];
    PREFIXES.iter().any(|prefix| id.starts_with(prefix)) || NOT_EVERYWHERE.contains(&id)
}

/// An ordinary user is refused it by the kernel itself.
pub(super) fn this_owner(id: &str) -> bool {
    match OWNER {
        Owner::Root => ROOTS_ALREADY.contains(&id),
        Owner::Ordinary => {
            let prefixed = PRIVILEGED_KINDS.iter().any(|prefix| id.starts_with(prefix));
            (prefixed && !OPEN_TO_ALL.contains(&id)) || PRIVILEGED.contains(&id)
        }
    }
}

/// It goes for what only the collector of `cofferdam probe` plants, or its host's side alone tells what came of it: in a
/// cell the act itself may well work. All of these are measured there, on a scene with a control for each.
pub(super) fn only_on_a_scene(id: &str) -> bool {
    ON_A_SCENE.iter().any(|prefix| id.starts_with(prefix))
}

const ON_A_SCENE: [&str; 26] = [
    "agent-",
    "bus-",
    "channel-",
    "confusion-",
    "destroy-",
    "dns-",
    "engine-",
    "git-",
    "grant-",
    "holder-",
    "home-",
    "icmp-",
    "ledger-",
    "masked-",
    "model-",
    "other-",
    "proxy-",
    "review-",
    "secret-",
    "send-",
    "smuggle-",
    "socks-",
    "spelling-",
    "terminal-",
    "variable-",
    "workspace-",
];

/// It depends on the kernel, the machine, or on how the program was started.
const NOT_EVERYWHERE: &[&str] = &[
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
    "socket-sctp",
    "socket-dccp",
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

/// Kinds of acts that take a privilege outside.
const PRIVILEGED_KINDS: [&str; 10] = [
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

/// Those of the kinds that need no privilege.
const OPEN_TO_ALL: [&str; 6] = [
    "unshare-user",
    "clone-user",
    "clone3-user",
    "unshare-user-mount",
    "unshare-user-net",
    "capabilities-bounding",
];

/// Further acts that take a privilege outside.
const PRIVILEGED: [&str; 49] = [
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

/// What root has already is nothing to be gained.
const ROOTS_ALREADY: [&str; 3] = ["setuid-root", "setgid-root", "setuid-program"];
