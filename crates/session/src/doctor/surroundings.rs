//! What doctor knows of the machine before it tries anything: settings that explain a refusal.
//!
//! Read once. None of it decides whether something works; it only tells which remedy fits.

use crate::ceiling::Ceiling;
use crate::context::Context;
use std::path::{Path, PathBuf};

/// A version of the kernel: its first two numbers.
pub(super) type KernelVersion = (u32, u32);

/// Settings, as found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Surroundings {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// As the kernel gives it.
    pub(super) release: String,
    pub(super) version: Option<KernelVersion>,
    /// What the container that this runs in was seen by, if it is one.
    pub(super) container: Option<Container>,
    /// Whether the kernel is that of WSL.
    pub(super) wsl: bool,
    /// `kernel.unprivileged_userns_clone`, a setting of Debian's.
    pub(super) unprivileged_clone: Option<i64>,
    /// The lowest of the settings `user.max_*_namespaces`.
    pub(super) ceiling: Option<Ceiling>,
    /// `kernel.apparmor_restrict_unprivileged_userns`, a setting of Ubuntu's.
    pub(super) apparmor_restricts: Option<i64>,
    /// The security modules that are active.
    pub(super) security_modules: Option<String>,
    /// This program, for a profile of its own.
    pub(super) program: PathBuf,
    /// `/etc/subuid` and `/etc/subgid`.
    pub(super) subordinate_ids: String,
}

/// A container, and what gave it away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Container {
    pub(super) kind: ContainerKind,
    pub(super) sign: String,
}

/// Which engine made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContainerKind {
    Docker,
    Podman,
    Kubernetes,
    Lxc,
    Other,
}

impl Surroundings {
    /// As they are here.
    pub(super) fn look(context: &Context) -> Self {
        let mut found = Self::read(Path::new("/"), context.variable("container"));
        (found.uid, found.gid) = (context.uid, context.gid);
        found.release = rustix::system::uname().release().to_string_lossy().into_owned();
        found.version = version(&found.release);
        found.wsl = found.wsl || found.release.to_ascii_lowercase().contains("microsoft");
        found.program =
            std::fs::read_link("/proc/self/exe").unwrap_or_else(|_| "/usr/local/bin/cofferdam".into());
        found
    }

    /// The files below `root`; `variable` is the environment's `container`, which systemd and podman set.
    fn read(root: &Path, variable: Option<&str>) -> Self {
        let text = |path: &str| std::fs::read_to_string(root.join(path)).ok();
        let number = |path: &str| text(&format!("proc/sys/{path}")).and_then(|text| text.trim().parse().ok());
        let subordinate = ["etc/subuid", "etc/subgid"].map(|path| text(path).unwrap_or_default());
        Self {
            container: container(root, variable, &text("proc/self/cgroup").unwrap_or_default()),
            wsl: text("proc/version").is_some_and(|text| text.to_ascii_lowercase().contains("microsoft")),
            unprivileged_clone: number("kernel/unprivileged_userns_clone"),
            ceiling: Ceiling::lowest(root),
            apparmor_restricts: number("kernel/apparmor_restrict_unprivileged_userns"),
            security_modules: text("sys/kernel/security/lsm").map(|text| text.trim().to_owned()),
            subordinate_ids: subordinate.join("\n"),
            ..Self::default()
        }
    }

    /// Whether the kernel is at least of this version; one that can't be read is not.
    pub(super) fn at_least(&self, version: KernelVersion) -> bool {
        self.version.is_some_and(|own| own >= version)
    }
}

/// `6.1.0-18-amd64` is 6.1.
fn version(release: &str) -> Option<KernelVersion> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn container(root: &Path, variable: Option<&str>, cgroup: &str) -> Option<Container> {
    let files = [
        (".dockerenv", ContainerKind::Docker),
        ("run/.containerenv", ContainerKind::Podman),
        ("var/run/secrets/kubernetes.io", ContainerKind::Kubernetes),
    ];
    let file = files.into_iter().find(|(path, _)| root.join(path).exists());
    if let Some((path, kind)) = file {
        return Some(Container { kind, sign: format!("/{path} exists") });
    }
    let words = [
        ("docker", ContainerKind::Docker),
        ("libpod", ContainerKind::Podman),
        ("podman", ContainerKind::Podman),
        ("kubepods", ContainerKind::Kubernetes),
        ("lxc", ContainerKind::Lxc),
    ];
    if let Some(name) = variable.filter(|name| !name.is_empty()) {
        let known = words.into_iter().find(|(word, _)| name.contains(word));
        let kind = known.map_or(ContainerKind::Other, |(_, kind)| kind);
        return Some(Container { kind, sign: format!("the variable container is {name:?}") });
    }
    let groups = cgroup.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    for path in groups {
        // A scope or slice of an engine's; a user's own directory may be called anything, a group is not.
        let segments = path.split('/').find_map(|segment| {
            let known = |word: &str| {
                segment == word
                    || segment.starts_with(&format!("{word}-"))
                    || segment.starts_with(&format!("{word}."))
            };
            words.into_iter().find(|(word, _)| known(word))
        });
        if let Some((_, kind)) = segments {
            return Some(Container { kind, sign: format!("the control group is {path:?}") });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn releases_of_distributions_are_understood() {
        assert_eq!(version("6.1.0-18-amd64"), Some((6, 1)));
        assert_eq!(version("5.15.153.1-microsoft-standard-WSL2"), Some((5, 15)));
        assert_eq!(version("6.18.44-fc"), Some((6, 18)));
        assert_eq!(version("unknown"), None);
        assert!(!Surroundings::default().at_least((5, 19)));
    }

    #[test]
    fn a_container_is_recognised_by_each_of_its_signs() {
        let kind = |root: &Path, variable, cgroup| container(root, variable, cgroup).map(|found| found.kind);
        let scene = tempfile::tempdir().unwrap();
        let root = scene.path();
        assert_eq!(kind(root, None, "0::/system.slice/docker-0a1b.scope\n"), Some(ContainerKind::Docker));
        assert_eq!(kind(root, None, "0::/user.slice/user-1000.slice/session-2.scope\n"), None);
        assert_eq!(kind(root, None, "4:memory:/docker/0a1b\n"), Some(ContainerKind::Docker));
        assert_eq!(kind(root, None, "0::/kubepods.slice/x\n"), Some(ContainerKind::Kubernetes));
        assert_eq!(kind(root, Some("podman"), ""), Some(ContainerKind::Podman));
        assert_eq!(kind(root, Some("systemd-nspawn"), ""), Some(ContainerKind::Other));
        fs::create_dir(root.join("run")).unwrap();
        fs::write(root.join("run/.containerenv"), "").unwrap();
        assert_eq!(kind(root, None, ""), Some(ContainerKind::Podman));
        fs::write(root.join(".dockerenv"), "").unwrap();
        assert_eq!(kind(root, None, ""), Some(ContainerKind::Docker));
    }

    #[test]
    fn settings_are_read_where_they_exist() {
        let scene = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n"),
            ("proc/sys/user/max_user_namespaces", "0\n"),
            ("sys/kernel/security/lsm", "lockdown,capability,yama,apparmor\n"),
            ("proc/version", "Linux version 5.15 (oe-user@microsoft.com)\n"),
        ] {
            let path = scene.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let found = Surroundings::read(scene.path(), None);
        assert_eq!((found.apparmor_restricts, found.ceiling.map(Ceiling::forbids)), (Some(1), Some(true)));
        assert_eq!((found.unprivileged_clone, found.wsl), (None, true));
        assert_eq!(found.security_modules.as_deref(), Some("lockdown,capability,yama,apparmor"));
    }
}
