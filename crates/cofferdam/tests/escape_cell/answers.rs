//! What the kernel answers to each forbidden act in a cell: the table that `attempts` compares with.
//!
//! An act that is not listed fails its test, and so does one that fails for another reason than the listed one: a
//! refusal for a wrong reason is an accident, not a wall.

/// The refusals of one kind: the errnos that count (none: held without one), and the acts.
pub(super) struct Answer {
    pub(super) errnos: &'static [&'static str],
    pub(super) acts: &'static [&'static str],
}

pub(super) const REFUSED: &[Answer] = &[
    // Not there: the owner's files and sockets are not in the view, pid 1 is hidden, devices are not made.
    Answer {
        errnos: &["ENOENT"],
        acts: &[
            "file-read", "file-read-dotdot", "file-read-symlink", "file-link", "file-read-own-root",
            "file-read-own-cwd", "file-read-init-root", "file-read-init-cwd", "file-read-init-fds",
            "file-write", "file-write-dotdot", "file-write-symlink", "file-write-init-root", "file-create",
            "file-mkdir", "file-rename", "file-rename-ancestor", "file-unlink", "file-chmod", "file-chown",
            "file-xattr", "file-host-tmp", "shadow-read", "init-exe-overwrite", "init-mem-read",
            "init-mem-write", "init-environ", "init-maps", "init-fds", "init-root", "init-cwd", "init-exe",
            "init-oom-score", "outside-mem", "unix-stream", "unix-datagram", "unix-stream-init-root",
            "fifo-write", "setns-user", "setns-mnt", "setns-pid", "setns-net", "setns-ipc", "setns-uts",
            "setns-cgroup",
        ],
    },
    // Nothing said no, and yet it was not to be had.
    Answer {
        errnos: &[],
        acts: &[
            "file-read-any-root", "kallsyms-addresses", "keys-list", "host-name", "machine-id",
            "outside-visible", "visible-environs", "visible-arguments", "unix-abstract-listed",
            "well-known-sockets", "tcp-port-listed", "interfaces", "shared-user", "shared-mnt",
            "shared-pid", "shared-net", "shared-ipc", "shared-uts", "shared-cgroup", "user-map-identity",
            "abi-int80", "dev-unexpected", "dev-terminals", "setuid-program", "capabilities-held",
            "capabilities-bounding", "no-new-privs", "seccomp-absent", "inherited-fds",
            "inherited-directory-fds", "inherited-canary", "inherited-secret-names", "inherited-signals",
            "inherited-cwd", "core-dump",
        ],
    },
    // Read-only, whatever the mode bits say.
    Answer {
        errnos: &["EROFS"],
        acts: &[
            "write-usr", "write-usr-bin", "write-usr-local-bin", "write-etc", "write-var-lib",
            "write-root", "write-dev", "own-exe-overwrite",
        ],
    },
    // Closed by mode, and to anybody without a capability.
    Answer {
        errnos: &["EACCES"],
        acts: &[
            "sysctl-core-pattern", "sysctl-write", "priority-raise",
        ],
    },
    // Forbidden: by the filter, by the want of every capability, or by the outer user namespace.
    Answer {
        errnos: &["EPERM"],
        acts: &[
            "init-ptrace", "init-vm-read", "init-vm-write", "init-pidfd-getfd", "init-kcmp",
            "init-prlimit", "init-move-pages", "init-priority", "route-add", "route-delete", "link-set",
            "unshare-user", "unshare-mount", "unshare-pid", "unshare-net", "unshare-ipc", "unshare-uts",
            "unshare-cgroup", "unshare-time", "clone-user", "clone-mount", "clone-pid", "clone-net",
            "clone-ipc", "clone-uts", "clone-cgroup", "unshare-user-mount", "unshare-user-net", "mount",
            "mount-bind", "mount-move", "pivot-root", "move-mount", "open-tree", "fsopen", "fspick",
            "mount-setattr", "umount", "remount-writable", "bpf", "perf-event-open", "kexec-load",
            "kexec-file-load", "init-module", "finit-module", "delete-module", "open-by-handle-at",
            "name-to-handle-at", "syslog", "reboot", "swapon", "swapoff", "quotactl", "acct",
            "fanotify-init", "lookup-dcookie", "uselib", "sysfs-call", "iopl", "ioperm", "modify-ldt",
            "schedule-real-time", "io-priority-real-time", "settimeofday", "clock-settime", "adjtimex",
            "sethostname", "setdomainname", "mknod-char", "mknod-block", "tiocsti", "tioclinux",
            "setgroups", "capabilities-raise", "capabilities-ambient", "file-capabilities",
            "hard-limit-raise", "chroot",
        ],
    },
    // No such process in this pid namespace.
    Answer {
        errnos: &["ESRCH"],
        acts: &[
            "outside-signal", "outside-signal-group", "outside-pidfd", "outside-ptrace", "outside-vm-read",
        ],
    },
    // The cell's own network and abstract names, where nobody listens.
    Answer {
        errnos: &["ECONNREFUSED"],
        acts: &[
            "unix-abstract", "tcp-loopback", "tcp-loopback-v6", "tcp-loopback-mapped",
            "tcp-loopback-unspecified",
        ],
    },
    // No route leads out.
    Answer {
        errnos: &["ENETUNREACH"],
        acts: &[
            "tcp-outside", "tcp-outside-v6", "tcp-metadata", "udp-outside", "udp-outside-v6",
        ],
    },
    // Families and kinds of sockets that the filter does not know.
    Answer {
        errnos: &["EAFNOSUPPORT"],
        acts: &[
            "socket-raw", "socket-raw-v6", "socket-packet", "socket-vsock", "socket-alg", "socket-can",
            "socket-bluetooth", "socket-tipc", "socket-rds", "socket-key", "netfilter", "audit-socket",
        ],
    },
    // Calls of which a program is told that the kernel lacks them, so that it does without.
    Answer {
        errnos: &["ENOSYS"],
        acts: &[
            "clone3-user", "clone3-mount", "clone3-pid", "clone3-net", "clone3-ipc", "clone3-uts",
            "clone3-cgroup", "clone3-time", "add-key", "request-key", "keyctl", "keyctl-join-session",
            "userfaultfd", "io-uring-setup", "abi-x32",
        ],
    },
    // Absent or closed, by what the kernel is built with and the machine has.
    Answer {
        errnos: &["ENOENT", "EACCES", "EPERM", "EROFS"],
        acts: &[
            "write-boot", "sys-write", "sysctl-modprobe", "sysrq-trigger", "binfmt-register", "kcore-read",
            "debugfs", "cgroup-procs", "cgroup-release-agent", "kmsg-proc", "dev-mem", "dev-port",
            "dev-kmsg", "dev-disk", "dev-loop", "dev-mapper", "dev-kvm", "dev-fuse", "dev-tun",
            "dev-vsock", "dev-userfaultfd", "dev-console", "dev-input", "dev-graphics", "dev-sound",
            "dev-processor", "dev-firmware", "write-opt", "write-lib", "write-bin",
        ],
    },
    // An id that is not mapped is invalid; where the owner is root, the user namespace maps more than one.
    Answer { errnos: &["EPERM", "EINVAL"], acts: &["setuid-root", "setgid-root", "setuid-other"] },
];

/// Reached in a cell, and why that is no way out; the evidence must hold the text.
pub(super) const CONCERNS_THE_CELL_ONLY: &[(&str, &str)] = &[
    // The hint to the kernel needs a pidfd of a process that may be traced: its own.
    ("process-madvise", "EBADF"),
    // The agent's home: a directory of the session's own state, on the disk that the owner's home is on.
    ("mount-writable-foreign", "/home may be written"),
    // Where its own memory lies; databases and language runtimes ask.
    ("set-mempolicy", "SetMempolicy: it worked"),
    // Names a directory of the cell's own, with nothing of the owner's in it.
    ("inherited-sockets", "XDG_RUNTIME_DIR"),
    // A sparse file costs nothing; what is written counts against the size of `/tmp`.
    ("sparse-file", "-sparse: it worked"),
];
