//! The acts of the enforcement that are not steps of a plan, each with what stands in its place in a mutated copy.
//!
//! Data only. The texts are the sources' own: a test fails when one is no longer found, so that the list keeps up.

/// One act, and its absence.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    /// Kebab-case.
    pub(crate) name: &'static str,
    /// Where it stands, below `crates/`.
    pub(crate) file: &'static str,
    /// An expression, found exactly once there.
    pub(crate) act: &'static str,
    /// What stands for it in the copy, where [`LEFT_OUT`] is the question whether it is left out.
    pub(crate) instead: Instead,
}

/// How an act is made one that can be left out.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Instead {
    /// An expression of the same type, without effect.
    Expression(&'static str),
    /// The whole text, which asks [`LEFT_OUT`] itself.
    Text(&'static str),
}

/// In a text: whether this act is left out.
pub(crate) const LEFT_OUT: &str = "LEFT_OUT";

const fn cut(name: &'static str, file: &'static str, act: &'static str, instead: &'static str) -> Cut {
    Cut { name, file, act, instead: Instead::Expression(instead) }
}

/// An act whose success says nothing else.
const fn left_out(name: &'static str, file: &'static str, act: &'static str) -> Cut {
    cut(name, file, act, "Ok(())")
}

const LAUNCH: &str = "cell/src/launch.rs";
const GUARDIAN: &str = "cell/src/guardian.rs";
const SOURCES: &str = "cell/src/sources.rs";
const IDMAP: &str = "cell/src/idmap.rs";
const INIT: &str = "cell/src/init.rs";
const INNER: &str = "cell/src/inner.rs";
const ENTRY: &str = "cell/src/entry.rs";
const VIEW: &str = "cell/src/view.rs";
const LANDLOCK: &str = "cell/src/landlock.rs";
const NETWORK: &str = "cell/src/network.rs";
const REFRESH: &str = "cell/src/refresh.rs";

/// Every act, in the order in which a start comes to them.
pub(crate) const CUTS: &[Cut] = &[
    // The launcher and the guardian.
    cut("launcher-own-session", LAUNCH, "rustix::process::setsid()", "Ok(rustix::process::getpid())"),
    left_out("lifeline-wakes", LAUNCH, "guardian::wake_when_the_lifeline_ends(lifeline)"),
    left_out("launcher-leaves-directory", LAUNCH, "rustix::process::chdir(\"/\")"),
    cut("plan-continues", LAUNCH, "!next.continues(&plan)", "false"),
    cut("guardian-ends-cell", GUARDIAN, "is_ready(0)", "false"),
    // Sources.
    cut("source-same-inode", SOURCES, "(found.st_dev, found.st_ino) != expected", "false"),
    cut(
        "source-no-links",
        SOURCES,
        "ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS",
        "ResolveFlags::empty()",
    ),
    left_out("source-ids", SOURCES, "map_ids(tree.as_fd(), namespace)"),
    // Ids.
    left_out("deny-setgroups", IDMAP, "write(\"setgroups\", \"deny\")"),
    left_out("init-drops-groups", IDMAP, "rustix::thread::set_thread_groups(&[])"),
    left_out(
        "init-takes-group",
        IDMAP,
        "rustix::thread::set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT)",
    ),
    left_out("init-takes-user", IDMAP, "rustix::thread::set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT)"),
    // Pid 1.
    left_out(
        "init-dies-with-guardian",
        INIT,
        "rustix::process::set_parent_process_death_signal(Some(Signal::KILL))",
    ),
    cut("init-own-session", INIT, "rustix::process::setsid()", "Ok(rustix::process::getpid())"),
    left_out("init-joins-groups", INIT, "join_groups(&doors)"),
    left_out("init-leaves-keyring", INIT, "leave_the_owners_keys().map_err(during(LaunchAct::Identity))"),
    cut("init-plan-continues", VIEW, "!plan.continues(&self.plan)", "false"),
    left_out(
        "init-not-dumpable",
        INIT,
        "rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)",
    ),
    left_out("init-no-new-privs", INIT, "rustix::thread::set_no_new_privs(true)"),
    left_out("landlock", INIT, "landlock::confine(&plan.entry)"),
    cut("founder-ended", INIT, "founder.end()", "std::mem::forget(founder)"),
    cut(
        "umask-afterwards",
        INIT,
        "rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022))",
        "rustix::fs::Mode::empty()",
    ),
    cut("empties-the-cell", INIT, "signal_all(Signal::KILL)", "()"),
    // The inner user namespace.
    Cut {
        name: "namespace-limits",
        file: INNER,
        act: "entry::limit",
        instead: Instead::Text("|limit| if LEFT_OUT { Ok(()) } else { entry::limit(limit) }"),
    },
    left_out("inner-namespace", INNER, "unshare(Namespaces::USER)"),
    left_out("limit-watches", INNER, "limit_watches(&proc)"),
    cut("founder-killed", INNER, "pidfd_send_signal(&self.pidfd, Signal::KILL).is_err()", "false"),
    // What each process goes through.
    cut("entry-own-session", ENTRY, "rustix::process::setsid()", "Ok(rustix::process::getpid())"),
    left_out("entry-own-terminal", ENTRY, "rustix::process::ioctl_tiocsctty(terminal)"),
    left_out("entry-closes-descriptors", ENTRY, "close_on_exec_from(3)"),
    left_out("entry-limits", ENTRY, "gate.limits.iter().try_for_each(limit)"),
    left_out("entry-inner-namespace", ENTRY, "join_namespace(gate.user_namespace.as_fd())"),
    left_out("entry-groups", ENTRY, "rustix::thread::set_thread_groups(&[])"),
    left_out("entry-gid", ENTRY, "rustix::thread::set_thread_res_gid(gid, gid, gid)"),
    left_out("entry-bounding-set", ENTRY, "rustix::thread::remove_capability_from_bounding_set(capability)"),
    left_out("entry-uid", ENTRY, "rustix::thread::set_thread_res_uid(uid, uid, uid)"),
    left_out("entry-ambient-set", ENTRY, "rustix::thread::clear_ambient_capability_set()"),
    left_out(
        "entry-capabilities",
        ENTRY,
        "rustix::thread::set_capabilities(
        None,
        CapabilitySets { effective: none, permitted: none, inheritable: none },
    )",
    ),
    left_out(
        "entry-not-dumpable",
        ENTRY,
        "rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)",
    ),
    left_out("entry-no-new-privs", ENTRY, "rustix::thread::set_no_new_privs(true)"),
    left_out("entry-directory", ENTRY, "rustix::process::chdir(ready.directory.as_c_str())"),
    cut("entry-resets-signals", ENTRY, "reset_signals()", "()"),
    left_out("entry-filter", ENTRY, "install_filter(&gate.filter)"),
    // How the view is mounted.
    left_out("mounts-private", VIEW, "mount_change(\"/\", private)"),
    Cut {
        name: "proc-hides",
        file: VIEW,
        act: "&[(\"hidepid\", \"invisible\")]",
        instead: Instead::Text("if LEFT_OUT { &[] } else { &[(\"hidepid\", \"invisible\")][..] }"),
    },
    left_out("leave-unmounts-host", VIEW, "unmount(\"/old\", UnmountFlags::DETACH)"),
    left_out("view-unmounts-stage", VIEW, "unmount(\".\", UnmountFlags::DETACH)"),
    left_out("view-own-namespace", VIEW, "unshare(Namespaces::MOUNT)"),
    left_out("bind-leads-nowhere", VIEW, "leads_nowhere_else(tree, directory, through)"),
    left_out(
        "bind-attributes",
        VIEW,
        "set_attributes(
            tree.as_fd(),
            match through {
                Through::Reading => safe.and(MountAttributes::NO_DEVICES).and(MountAttributes::READ_ONLY),
                Through::Writing => safe.and(MountAttributes::NO_DEVICES),
                Through::Device => safe,
            },
        )",
    ),
    cut("overlay-read-only", VIEW, "MountAttrFlags::MOUNT_ATTR_RDONLY", "MountAttrFlags::empty()"),
    cut(
        "targets-beneath",
        VIEW,
        "ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS",
        "ResolveFlags::empty()",
    ),
    cut("mounts-without-setuid", VIEW, "MountAttrFlags::MOUNT_ATTR_NOSUID | nodes", "nodes"),
    cut(
        "mounts-without-devices",
        VIEW,
        "if kind == \"devpts\" { MountAttrFlags::empty() } else { MountAttrFlags::MOUNT_ATTR_NODEV }",
        "MountAttrFlags::empty()",
    ),
    // The second wall around files.
    left_out("landlock-confine", LANDLOCK, "landlock_confine(ruleset.as_fd())"),
    cut("landlock-device-nodes", LANDLOCK, "READ | WRITE | MAKE_CHAR | MAKE_BLOCK", "READ | WRITE"),
    cut("landlock-version", LANDLOCK, "version < LANDLOCK_VERSION_MIN", "false"),
    // The network.
    left_out("routes-all-local", NETWORK, "routes::make_all_local(listeners.v6)"),
    left_out("redirect", NETWORK, "table::redirect()"),
    // A refresh.
    left_out(
        "mounter-dies-with-guardian",
        REFRESH,
        "rustix::process::set_parent_process_death_signal(Some(Signal::KILL))",
    ),
    left_out("refresh-parent-writable", REFRESH, "writable_afterwards(target)"),
];
