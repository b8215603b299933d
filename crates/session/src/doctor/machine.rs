//! Checks that need no attempt: the programs that belong together, the kernel's version, where this runs, and which
//! limits something keeps.

use super::remedies::{self, ANY, newer_kernel, remedy};
use super::surroundings::{KernelVersion, Surroundings};
use super::{Check, CheckState, Need};
use crate::context::Context;
use crate::policies::shown;
use crate::programs;
use cofferdam_policy::presets::limits::LimitName;
use rustix::fs::{Access, access};
use std::path::Path;

/// The least kernel for each feature that a cell is built of, oldest first.
const FEATURES: &[(KernelVersion, &str)] = &[
    ((5, 2), "fsopen, open_tree and move_mount"),
    ((5, 3), "clone3 and pidfd_open"),
    ((5, 6), "openat2"),
    ((5, 8), "proc with hidepid=invisible, whiteouts of an ordinary user's"),
    ((5, 11), "overlay with userxattr, close_range with CLOEXEC"),
    ((5, 12), "mount_setattr"),
    ((5, 19), "Landlock 2, overlay on mounts with mapped ids"),
];

/// Whether the programs that a session is made of lie beside this one. Of which version they are they say themselves,
/// when one is started.
pub(super) fn programs(context: &Context) -> Check {
    let directory = context.program.parent().unwrap_or(Path::new("/"));
    let needed = [programs::LAUNCHER, cofferdam_gateway::wire::PROGRAM];
    let can_run = |name: &&str| {
        programs::beside(&context.program, name).is_ok_and(|path| access(&path, Access::EXEC_OK).is_ok())
    };
    let (found, missing): (Vec<&str>, Vec<&str>) = needed.into_iter().partition(can_run);
    let state = if missing.is_empty() { CheckState::Works } else { CheckState::Missing };
    let (evidence, remedies) = match state {
        CheckState::Missing => {
            let build = "cargo install --locked --path crates/cofferdam";
            let evidence = format!("no program {} in {}", missing.join(", no "), shown(directory));
            (evidence, vec![remedy(ANY, programs::SIDE_BY_SIDE, build)])
        }
        CheckState::Works | CheckState::CannotTell => {
            (format!("{} in {}", found.join(", "), shown(directory)), Vec::new())
        }
    };
    Check { id: "programs", title: "programs side by side", state, need: Need::Required, evidence, remedies }
}

/// The kernel's version. It only explains; the features are tried.
pub(super) fn kernel(around: &Surroundings) -> Check {
    let missing: Vec<String> = FEATURES
        .iter()
        .filter(|(least, _)| !around.at_least(*least))
        .map(|((major, minor), what)| format!("{what} ({major}.{minor})"))
        .collect();
    let least = FEATURES.last().map(|((major, minor), _)| format!("{major}.{minor}")).unwrap_or_default();
    let state = match (around.version, missing.is_empty()) {
        (None, _) => CheckState::CannotTell,
        (Some(_), true) => CheckState::Works,
        (Some(_), false) => CheckState::Missing,
    };
    let evidence = match state {
        CheckState::Missing => format!("Linux {}; too old for {}", around.release, missing.join("; ")),
        CheckState::Works | CheckState::CannotTell => {
            format!("Linux {}; at least {least} is needed", around.release)
        }
    };
    let remedies = if state == CheckState::Missing { newer_kernel(around) } else { Vec::new() };
    Check { id: "kernel", title: "kernel", state, need: Need::Required, evidence, remedies }
}

/// Where this runs; what follows from it is seen by the other checks.
pub(super) fn surroundings(around: &Surroundings) -> Check {
    let container = match &around.container {
        Some(container) => {
            format!("in a container of {:?}: {}", container.kind, container.sign).to_lowercase()
        }
        None => "no sign of a container".to_owned(),
    };
    let wsl = if around.wsl { "; the kernel is that of WSL" } else { "" };
    let as_whom = if around.uid == 0 { "as uid 0" } else { "as an ordinary user" };
    Check {
        id: "surroundings",
        title: "surroundings",
        state: CheckState::Works,
        need: Need::Optional,
        evidence: format!("{as_whom}; {container}{wsl}"),
        remedies: Vec::new(),
    }
}

/// Which limits have a mechanism here.
pub(super) fn limits(around: &Surroundings) -> Check {
    let found = crate::machine::Machine::look().support.mechanisms;
    let kept = found.iter().map(|(limit, mechanism)| format!("{limit} by {}", mechanism.phrase()));
    let kept: Vec<String> = kept.collect();
    let missing: Vec<String> =
        LimitName::ALL.iter().filter(|limit| !found.contains_key(limit)).map(ToString::to_string).collect();
    let groups = [LimitName::Memory, LimitName::Cpu].iter().all(|limit| found.contains_key(limit));
    let state = if missing.is_empty() { CheckState::Works } else { CheckState::Missing };
    let evidence = match state {
        CheckState::Missing => format!("kept: {}; nothing keeps: {}", kept.join(", "), missing.join(", ")),
        CheckState::Works | CheckState::CannotTell => format!("kept: {}", kept.join(", ")),
    };
    let remedies = if groups { Vec::new() } else { remedies::of_limits(around) };
    Check { id: "limits", title: "limits", state, need: Need::Optional, evidence, remedies }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_program_that_is_missing_or_cannot_be_run_is_named_with_the_directory() {
        let directory = tempfile::tempdir().unwrap();
        let home = [("HOME".into(), directory.path().as_os_str().to_owned())];
        let now = || cofferdam_policy::event::UnixNanos(1);
        let mut context = Context::new(home.into(), directory.path().to_owned(), now).unwrap();
        context.program = directory.path().join("cofferdam");
        let put = |name: &str, mode: u32| {
            let path = directory.path().join(name);
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        put("cofferdam-cell", 0o755);
        put("cofferdam-gateway", 0o644);
        let check = programs(&context);
        assert_eq!((check.state, check.remedies.len()), (CheckState::Missing, 1));
        let place = directory.path().display();
        assert_eq!(check.evidence, format!("no program cofferdam-gateway in {place}"));
        put("cofferdam-gateway", 0o755);
        let check = programs(&context);
        assert_eq!((check.state, check.remedies.len()), (CheckState::Works, 0));
        assert_eq!(check.evidence, format!("cofferdam-cell, cofferdam-gateway in {place}"));
    }

    fn on(release: &str, version: Option<KernelVersion>) -> Check {
        kernel(&Surroundings { release: release.into(), version, ..Surroundings::default() })
    }

    #[test]
    fn an_old_kernel_is_told_what_it_lacks_and_a_new_one_is_enough() {
        assert_eq!(on("6.1.0", Some((6, 1))).state, CheckState::Works);
        let old = on("5.10.0", Some((5, 10)));
        assert_eq!(old.state, CheckState::Missing);
        assert!(old.evidence.contains("Landlock 2") && !old.evidence.contains("openat2"), "{}", old.evidence);
        assert!(!old.remedies.is_empty());
        assert_eq!(on("?", None).state, CheckState::CannotTell);
    }
}
