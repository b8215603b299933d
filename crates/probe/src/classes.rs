//! Classes of attempts: which belong together, and which line of the list of attacks each class stands for.
//!
//! Of one class only the first few members are counted, so that many spellings of one attack don't pass for many
//! attacks. What no class names is not measured: it floods, and needs caps that only a test can choose, or it aims at
//! what an enclosure gives to a program on purpose.

use crate::attempt::Attempt;
use crate::catalog;

/// As many members of a class as are counted.
pub(crate) const COUNTED_MAX: usize = 6;

/// Attempts of one kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Class {
    /// Kebab-case; stable for ever.
    pub(crate) name: &'static str,
    /// The line of the list of attacks, from 1.
    pub(crate) attack: u8,
    /// The ids, the most telling first.
    pub(crate) members: &'static [&'static str],
}

impl Class {
    /// The attempts, in order, and whether each is counted.
    pub(crate) fn attempts(&self) -> impl Iterator<Item = (&'static Attempt, bool)> {
        let known = self.members.iter().filter_map(|id| catalog::find(id));
        known.enumerate().map(|(at, attempt)| (attempt, at < COUNTED_MAX))
    }
}

/// A class, as the tables of topics write it.
pub(crate) const fn class(name: &'static str, attack: u8, members: &'static [&'static str]) -> Class {
    Class { name, attack, members }
}

/// The classes of what is aimed at the enclosure itself.
pub(crate) const CLASSES: &[Class] = &[
    class(
        "absolute-path",
        1,
        &["file-read", "file-write", "file-create", "file-mkdir", "file-unlink", "file-host-tmp"],
    ),
    class("metadata", 1, &["file-chmod", "file-chown", "file-xattr"]),
    class("protected-names", 1, &["file-rename", "file-rename-ancestor", "file-link"]),
    class("parent-path", 2, &["file-read-dotdot", "file-write-dotdot"]),
    class("symbolic-link", 2, &["file-read-symlink", "file-write-symlink"]),
    class(
        "process-root",
        4,
        &[
            "file-read-own-root",
            "file-read-own-cwd",
            "file-read-init-root",
            "file-read-init-cwd",
            "file-read-any-root",
            "file-write-init-root",
        ],
    ),
    class("open-descriptors", 5, &["inherited-fds", "file-read-init-fds", "init-fds"]),
    class(
        "system-directories",
        1,
        &[
            "write-usr-bin",
            "write-etc",
            "write-var-lib",
            "write-opt",
            "write-root",
            "write-boot",
            "write-usr",
            "write-usr-local-bin",
            "write-bin",
            "write-lib",
        ],
    ),
    class("device-directory", 3, &["write-dev", "dev-unexpected"]),
    class("password-hashes", 16, &["shadow-read"]),
    class(
        "kernel-settings",
        4,
        &[
            "sysctl-core-pattern",
            "sysctl-modprobe",
            "sysctl-write",
            "sysrq-trigger",
            "binfmt-register",
            "sys-write",
        ],
    ),
    class("kernel-memory", 4, &["kcore-read", "dev-mem", "dev-port", "kallsyms-addresses"]),
    class("kernel-log", 4, &["kmsg-proc", "dev-kmsg", "syslog"]),
    class("keyring", 6, &["keys-list", "add-key", "request-key", "keyctl", "keyctl-join-session"]),
    class("kernel-debugging", 4, &["debugfs"]),
    class("control-groups", 4, &["cgroup-procs", "cgroup-release-agent"]),
    class("running-program", 4, &["init-exe-overwrite"]),
    class("host-identity", 4, &["host-name", "machine-id"]),
    class(
        "init-memory",
        4,
        &["init-mem-read", "init-mem-write", "init-vm-read", "init-vm-write", "init-ptrace", "init-maps"],
    ),
    class("init-view", 4, &["init-environ", "init-root", "init-cwd", "init-exe"]),
    class(
        "init-control",
        4,
        &[
            "init-pidfd-getfd",
            "init-kcmp",
            "init-prlimit",
            "init-move-pages",
            "init-priority",
            "init-oom-score",
        ],
    ),
    class("init-signals", 8, &["init-stop", "init-kill"]),
    class(
        "outside-processes",
        9,
        &["outside-visible", "outside-signal", "outside-signal-group", "outside-pidfd"],
    ),
    class("outside-memory", 4, &["outside-ptrace", "outside-mem", "outside-vm-read"]),
    class("process-listings", 16, &["visible-environs", "visible-arguments"]),
    class("unix-path", 5, &["unix-stream", "unix-datagram", "unix-stream-init-root", "well-known-sockets"]),
    class("unix-abstract", 5, &["unix-abstract", "unix-abstract-listed"]),
    class("fifo", 3, &["fifo-write"]),
    class(
        "host-loopback",
        13,
        &[
            "tcp-loopback",
            "tcp-loopback-v6",
            "tcp-loopback-mapped",
            "tcp-loopback-unspecified",
            "tcp-port-listed",
        ],
    ),
    class("raw-sockets", 13, &["socket-raw", "socket-raw-v6", "socket-packet"]),
    class("hypervisor-sockets", 6, &["socket-vsock", "dev-vsock"]),
    class(
        "odd-sockets",
        6,
        &["socket-alg", "socket-can", "socket-bluetooth", "socket-tipc", "socket-rds", "socket-key"],
    ),
    class("network-devices", 13, &["interfaces", "route-add", "route-delete", "link-set"]),
    class("kernel-netlink", 6, &["netfilter", "audit-socket"]),
    class(
        "user-namespaces",
        6,
        &["unshare-user", "clone-user", "clone3-user", "unshare-user-mount", "unshare-user-net"],
    ),
    class(
        "unshare",
        6,
        &[
            "unshare-mount",
            "unshare-pid",
            "unshare-net",
            "unshare-ipc",
            "unshare-uts",
            "unshare-cgroup",
            "unshare-time",
        ],
    ),
    class("clone", 6, &["clone-mount", "clone-pid", "clone-net", "clone-ipc", "clone-uts", "clone-cgroup"]),
    class(
        "clone3",
        6,
        &[
            "clone3-mount",
            "clone3-pid",
            "clone3-net",
            "clone3-ipc",
            "clone3-uts",
            "clone3-cgroup",
            "clone3-time",
        ],
    ),
    class("setns", 6, &["setns-mnt", "setns-pid", "setns-net", "setns-ipc", "setns-uts", "setns-cgroup"]),
    class("namespace-owners", 4, &["owns-mnt", "owns-net", "owns-pid"]),
    class(
        "shared-namespaces",
        4,
        &[
            "shared-mnt",
            "shared-pid",
            "shared-net",
            "shared-ipc",
            "shared-user",
            "shared-uts",
            "shared-cgroup",
            "user-map-identity",
        ],
    ),
    class(
        "mounts",
        6,
        &["mount", "mount-bind", "mount-move", "umount", "remount-writable", "pivot-root", "chroot"],
    ),
    class("new-mount-calls", 6, &["move-mount", "open-tree", "fsopen", "fspick", "mount-setattr"]),
    class("bpf", 6, &["bpf"]),
    class("performance-counters", 6, &["perf-event-open"]),
    class("page-faults", 6, &["userfaultfd", "dev-userfaultfd"]),
    class("io-uring", 6, &["io-uring-setup"]),
    class("other-kernels", 6, &["kexec-load", "kexec-file-load"]),
    class("modules", 6, &["init-module", "finit-module", "delete-module"]),
    class("file-handles", 6, &["open-by-handle-at", "name-to-handle-at"]),
    class("power", 6, &["reboot", "swapon", "swapoff"]),
    class("accounting", 6, &["quotactl", "acct", "fanotify-init"]),
    class("obsolete-calls", 6, &["lookup-dcookie", "uselib", "sysfs-call", "modify-ldt"]),
    class("port-access", 6, &["iopl", "ioperm"]),
    class(
        "priorities",
        7,
        &["schedule-real-time", "io-priority-real-time", "priority-raise", "hard-limit-raise"],
    ),
    class("shared-counts", 7, &["flood-signals"]),
    class("foreign-calls", 6, &["abi-x32", "abi-int80"]),
    class("clock", 6, &["settimeofday", "clock-settime", "adjtimex"]),
    class("host-names", 6, &["sethostname", "setdomainname"]),
    class("disks", 3, &["dev-disk", "dev-loop", "dev-mapper"]),
    class("hypervisor", 3, &["dev-kvm"]),
    class("drivers", 3, &["dev-fuse", "dev-tun"]),
    class("consoles", 5, &["dev-console", "dev-input", "dev-graphics", "dev-sound"]),
    class("hardware", 3, &["dev-processor", "dev-firmware"]),
    class("terminals", 21, &["tiocsti", "tioclinux", "dev-terminals"]),
    class("device-nodes", 3, &["mknod-char", "mknod-block"]),
    class("other-users", 9, &["setuid-root", "setgid-root", "setgroups", "setuid-other"]),
    class("set-user-id", 3, &["setuid-program", "file-capabilities"]),
    class(
        "capabilities",
        6,
        &["capabilities-held", "capabilities-bounding", "capabilities-raise", "capabilities-ambient"],
    ),
    class("confinement", 8, &["no-new-privs", "seccomp-absent"]),
    class("environment", 16, &["inherited-canary", "inherited-secret-names"]),
    class("core-dumps", 4, &["core-dump"]),
];
