//! What mends a missing feature: the exact command, for the systems where it is known.
//!
//! Pure: from settings and a refusal to words and commands. Nothing is run.

use super::attempt::Refusal;
use super::surroundings::{ContainerKind, Surroundings};
use crate::programs::LAUNCHER;
use rustix::io::Errno;
use serde::Serialize;
use std::path::Path;

/// Something the owner can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remedy {
    /// Where it applies: a distribution, an engine, or `any`.
    pub on: &'static str,
    /// What it does.
    pub words: String,
    /// What to type, or what to write where; may have several lines.
    pub command: String,
}

pub(super) const ANY: &str = "any";
pub(super) const DEBIAN: &str = "Debian, Ubuntu";
pub(super) const FEDORA: &str = "Fedora";
const WSL: &str = "WSL";

pub(super) fn remedy(on: &'static str, words: impl Into<String>, command: impl Into<String>) -> Remedy {
    Remedy { on, words: words.into(), command: command.into() }
}

impl Surroundings {
    /// `command`, with the right to change the machine.
    pub(super) fn as_root(&self, command: &str) -> String {
        if self.uid == 0 { command.to_owned() } else { format!("sudo {command}") }
    }

    /// A setting of the kernel's, now and after the next boot.
    fn sysctl(&self, setting: &str, file: &str) -> String {
        let tee = self.as_root(&format!("tee /etc/sysctl.d/60-cofferdam-{file}.conf"));
        format!("echo '{setting}' | {tee} && {}", self.as_root("sysctl --system"))
    }
}

/// For namespaces that can't be made, or give no capabilities.
pub(super) fn of_user_namespaces(around: &Surroundings, refusal: &Refusal) -> Vec<Remedy> {
    let exhausted = matches!(refusal.errno(), Some(Errno::NOSPC | Errno::USERS));
    let ceiling = around.ceiling.filter(|ceiling| exhausted || ceiling.forbids());
    if let Some(ceiling) = ceiling {
        let (setting, value) = (ceiling.setting(), ceiling.raised());
        let command = around.sysctl(&format!("{setting} = {value}"), "namespaces");
        return vec![remedy(ANY, format!("permit more namespaces ({setting})"), command)];
    }
    let mut remedies = Vec::new();
    if around.uid != 0 && around.unprivileged_clone == Some(0) {
        let command = around.sysctl("kernel.unprivileged_userns_clone = 1", "unprivileged");
        remedies.push(remedy(DEBIAN, "permit user namespaces to ordinary users", command));
    }
    if around.uid != 0 && around.apparmor_restricts.is_some_and(|value| value != 0) {
        remedies.extend(apparmor(around));
    }
    remedies.extend(of_container(around));
    if remedies.is_empty() {
        remedies.extend(match refusal.errno() {
            Some(Errno::INVAL | Errno::NOSYS) => newer_kernel(around),
            Some(_) | None => vec![remedy(
                ANY,
                "a security module or a filter forbids it; the kernel's log names it",
                format!("{} | grep -i -e apparmor -e selinux -e audit", around.as_root("dmesg")),
            )],
        });
    }
    remedies
}

/// AppArmor's restriction of user namespaces (Ubuntu 23.10 and later): a profile for this program and its
/// launcher alone, or the setting for all.
fn apparmor(around: &Surroundings) -> [Remedy; 2] {
    let tee = around.as_root("tee /etc/apparmor.d/cofferdam");
    let parse = around.as_root("apparmor_parser -r /etc/apparmor.d/cofferdam");
    let profile = apparmor_profile(&around.program);
    [
        remedy(
            DEBIAN,
            "permit user namespaces to this program alone, by an AppArmor profile (once it lies where it will stay)",
            format!("{tee} <<'END'\n{profile}END\n{parse}"),
        ),
        remedy(
            DEBIAN,
            "or permit them to every program",
            around.sysctl("kernel.apparmor_restrict_unprivileged_userns = 0", "apparmor"),
        ),
    ]
}

/// The profile confines nothing: it gives the one permission that is missing (apparmor.d(5)).
fn apparmor_profile(program: &Path) -> String {
    let directory = literal(program.parent().unwrap_or(Path::new("/")));
    let name = literal(Path::new(program.file_name().unwrap_or_default()));
    let both = format!("{directory}/{{{name},{LAUNCHER}}}");
    format!(
        "abi <abi/4.0>,\ninclude <tunables/global>\n\nprofile cofferdam \"{both}\" flags=(unconfined) {{\n  userns,\n  \
         include if exists <local/cofferdam>\n}}\n"
    )
}

/// A path in which no character means anything else to AppArmor.
fn literal(path: &Path) -> String {
    let mut text = String::new();
    for character in path.to_string_lossy().chars().filter(|character| !character.is_control()) {
        if "*?[]{}^,\\\"@".contains(character) {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

/// What the container that this runs in would have to permit.
pub(super) fn of_container(around: &Surroundings) -> Option<Remedy> {
    let container = around.container.as_ref()?;
    let words = "this runs in a container, which forbids it; run it on the host, or start the container with";
    Some(match container.kind {
        ContainerKind::Docker => remedy(
            "docker",
            words,
            "docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined \
             --security-opt systempaths=unconfined --volume cofferdam:/root/.local/state …",
        ),
        ContainerKind::Podman => remedy(
            "podman",
            words,
            "podman run --security-opt seccomp=unconfined --security-opt unmask=ALL \
             --volume cofferdam:/root/.local/state …",
        ),
        ContainerKind::Kubernetes => remedy(
            "Kubernetes",
            words,
            "securityContext: {seccompProfile: {type: Unconfined}, procMount: Unmasked}, with hostUsers: false, and an \
             emptyDir for the state directory",
        ),
        ContainerKind::Lxc => {
            remedy("LXC", words, "lxc config set NAME security.nesting true && lxc restart NAME")
        }
        ContainerKind::Other => remedy(ANY, words, "its own setting for nested containers"),
    })
}

/// For what came with a later kernel.
pub(super) fn newer_kernel(around: &Surroundings) -> Vec<Remedy> {
    let words = "install a newer kernel (5.19 or later; Debian 12 and Ubuntu 22.04 have one) and reboot";
    let debian =
        format!("{} && {}", around.as_root("apt-get install linux-image-amd64"), around.as_root("reboot"));
    let ubuntu = format!(
        "{} && {}",
        around.as_root("apt-get install linux-generic-hwe-22.04"),
        around.as_root("reboot")
    );
    let fedora = format!("{} && {}", around.as_root("dnf upgrade kernel"), around.as_root("reboot"));
    if around.wsl {
        return vec![remedy(WSL, "bring a newer kernel, from Windows", "wsl --update && wsl --shutdown")];
    }
    vec![remedy("Debian", words, debian), remedy("Ubuntu", words, ubuntu), remedy(FEDORA, words, fedora)]
}

/// For what a container's filter or an old kernel refuses.
pub(super) fn of_kernel_feature(around: &Surroundings, refusal: &Refusal) -> Vec<Remedy> {
    match (of_container(around), refusal.errno()) {
        (Some(remedy), _) => vec![remedy],
        (None, Some(Errno::NOSYS | Errno::INVAL | Errno::NODEV)) => newer_kernel(around),
        (None, _) => Vec::new(),
    }
}

/// For Landlock that is built in and not switched on, and for one that is not there.
pub(super) fn of_landlock(around: &Surroundings, refusal: &Refusal) -> Vec<Remedy> {
    if refusal.errno() != Some(Errno::OPNOTSUPP) {
        return of_kernel_feature(around, refusal);
    }
    // The modules that are active now must stay so: a list without one of them would switch that one off.
    let active = around.security_modules.as_deref().unwrap_or("$(cat /sys/kernel/security/lsm)");
    let parameter = format!("lsm=landlock,{active}");
    let words = "switch Landlock on at boot";
    if around.wsl {
        let lines = format!(
            "in %UserProfile%\\.wslconfig: [wsl2] kernelCommandLine = {parameter}; then wsl --shutdown"
        );
        return vec![remedy(WSL, words, lines)];
    }
    let tee = around.as_root("tee /etc/default/grub.d/60-landlock.cfg");
    let grub = format!(
        "echo \"GRUB_CMDLINE_LINUX=\\\"\\$GRUB_CMDLINE_LINUX {parameter}\\\"\" | {tee} && {} && {}",
        around.as_root("update-grub"),
        around.as_root("reboot")
    );
    let grubby = around.as_root(&format!("grubby --update-kernel=ALL --args=\"{parameter}\""));
    vec![
        remedy(DEBIAN, words, grub),
        remedy(FEDORA, words, format!("{grubby} && {}", around.as_root("reboot"))),
    ]
}

/// For an overlay that can't be mounted over the state directory.
pub(super) fn of_overlay(around: &Surroundings, refusal: &Refusal) -> Vec<Remedy> {
    let modprobe = format!(
        "{} && echo overlay | {}",
        around.as_root("modprobe overlay"),
        around.as_root("tee /etc/modules-load.d/overlay.conf")
    );
    match refusal.errno() {
        Some(Errno::NODEV) => vec![remedy(ANY, "load the overlay file system", modprobe)],
        Some(_) | None => {
            let elsewhere = remedy(
                ANY,
                "keep the state on ext4, xfs, btrfs or tmpfs; not on an overlay, a network or a FUSE file system",
                "export XDG_STATE_HOME=DIRECTORY_ON_SUCH_A_FILE_SYSTEM",
            );
            of_container(around).into_iter().chain([elsewhere]).collect()
        }
    }
}

/// For processor time and memory that nothing keeps.
pub(super) fn of_limits(around: &Surroundings) -> Vec<Remedy> {
    let directory = "/etc/systemd/system/user@.service.d";
    let tee = around.as_root(&format!("tee {directory}/delegate.conf"));
    let command = format!(
        "{} && printf '[Service]\\nDelegate=cpu cpuset io memory pids\\n' | {tee} && {}",
        around.as_root(&format!("mkdir -p {directory}")),
        around.as_root("systemctl daemon-reload")
    );
    vec![remedy("systemd", "delegate control groups to users, then log in anew", command)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ceiling::Ceiling;
    use crate::doctor::surroundings::Container;

    fn refused(errno: Errno) -> Refusal {
        Refusal::Kernel { act: "try".into(), errno: errno.raw_os_error() }
    }

    fn ubuntu() -> Surroundings {
        Surroundings {
            uid: 1000,
            apparmor_restricts: Some(1),
            unprivileged_clone: Some(1),
            program: "/opt/my tools/cofferdam".into(),
            ..Surroundings::default()
        }
    }

    #[test]
    fn the_setting_that_forbids_user_namespaces_is_the_one_that_is_named() {
        let commands = |around: &Surroundings, errno| -> String {
            let found = of_user_namespaces(around, &refused(errno));
            found.into_iter().map(|remedy| remedy.command + "\n").collect()
        };
        let scene = tempfile::tempdir().unwrap();
        let settings = scene.path().join("proc/sys/user");
        std::fs::create_dir_all(&settings).unwrap();
        std::fs::write(settings.join("max_user_namespaces"), "31000").unwrap();
        std::fs::write(settings.join("max_net_namespaces"), "0").unwrap();
        let ceiling = Ceiling::lowest(scene.path());
        let none = Surroundings { uid: 1000, ceiling, ..Surroundings::default() };
        assert!(commands(&none, Errno::NOSPC).contains("user.max_net_namespaces = 15000"));
        let debian = Surroundings { uid: 1000, unprivileged_clone: Some(0), ..Surroundings::default() };
        let said = commands(&debian, Errno::PERM);
        assert!(
            said.contains("kernel.unprivileged_userns_clone = 1") && !said.contains("apparmor"),
            "{said}"
        );
        assert!(said.contains("sudo tee"));
        let said = commands(&ubuntu(), Errno::PERM);
        assert!(said.contains(
            "profile cofferdam \"/opt/my tools/{cofferdam,cofferdam-cell}\" flags=(unconfined) {\n  userns,\n"
        ));
        assert!(said.contains("apparmor_parser -r /etc/apparmor.d/cofferdam"));
        assert!(said.contains("kernel.apparmor_restrict_unprivileged_userns = 0"));
        // The restrictions are of ordinary users only.
        assert!(!commands(&Surroundings { uid: 0, ..ubuntu() }, Errno::PERM).contains("apparmor.d"));
    }

    #[test]
    fn in_a_container_the_engines_own_option_is_named() {
        for (kind, option) in [
            (ContainerKind::Docker, "systempaths=unconfined"),
            (ContainerKind::Podman, "unmask=ALL"),
            (ContainerKind::Kubernetes, "procMount"),
            (ContainerKind::Lxc, "security.nesting"),
        ] {
            let container = Some(Container { kind, sign: String::new() });
            let around = Surroundings { container, ..Surroundings::default() };
            let found = of_user_namespaces(&around, &refused(Errno::NOSYS));
            assert!(found.iter().any(|remedy| remedy.command.contains(option)), "{found:?}");
        }
    }

    #[test]
    fn landlock_that_is_only_switched_off_needs_no_newer_kernel() {
        let around = Surroundings { security_modules: Some("capability,apparmor".into()), ..ubuntu() };
        let found = of_landlock(&around, &refused(Errno::OPNOTSUPP));
        assert!(
            found.iter().all(|remedy| remedy.command.contains("lsm=landlock,capability,apparmor")),
            "{found:?}"
        );
        let found = of_landlock(&around, &refused(Errno::NOSYS));
        assert!(found.iter().any(|remedy| remedy.command.contains("linux-image")), "{found:?}");
    }

    #[test]
    fn a_path_cannot_write_into_the_profile() {
        let profile = apparmor_profile(Path::new("/a\"\n}\nprofile x {/b*"));
        assert_eq!(profile.matches("profile ").count(), 2, "the second is within the quotes");
        assert_eq!(profile.lines().count(), 7, "{profile}");
        assert!(profile.contains("\"/a\\\"\\}profile x \\{/{b\\*,cofferdam-cell}\""), "{profile}");
    }
}
