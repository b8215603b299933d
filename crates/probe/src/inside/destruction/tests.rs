//! Each act costs its own victim and is seen by its own witness alone, and a victim that was only planted isn't lost.

use std::fs;

use rustix::io::Errno;
use rustix::process::geteuid;
use tempfile::TempDir;

use super::*;

fn scene() -> (TempDir, Plants) {
    let directory = TempDir::new().unwrap();
    let mut plants = Plants::default();
    let workspace = directory.path().join("project");
    fs::create_dir_all(workspace.join(".git")).unwrap();
    plants.add("workspace", workspace.to_str().unwrap()).unwrap();
    (PLANTING.plant)(&plants).unwrap();
    (directory, plants)
}

fn told(attempt: &Attempt, plants: &Plants) -> Option<String> {
    let host = HostSide { plants, contacts: &[], reported: None };
    attempt.seen(&host)
}

#[test]
fn what_was_only_planted_is_not_lost() {
    let (_directory, plants) = scene();
    for attempt in ATTEMPTS {
        assert_eq!(told(attempt, &plants), None, "{}", attempt.id);
    }
    (PLANTING.tidy)(&plants).unwrap();
}

#[test]
fn each_attempt_costs_its_own_victim_and_no_other() {
    let (directory, plants) = scene();
    for (at, attempt) in ATTEMPTS.iter().enumerate() {
        let needs_privilege = ["destroy-immutable", "destroy-append-only"].contains(&attempt.id);
        match attempt.find(&plants) {
            Finding::Reached(_) => assert!(told(attempt, &plants).is_some(), "{} is not seen", attempt.id),
            Finding::Held(_) if attempt.may_be_absent => {}
            Finding::Refused(Errno::OPNOTSUPP, _) => {}
            Finding::Refused(Errno::PERM, _) if needs_privilege && !geteuid().is_root() => {}
            other @ (Finding::Refused(..)
            | Finding::Held(_)
            | Finding::Inapplicable(_)
            | Finding::Inconclusive(_)) => panic!("{}: {other:?}", attempt.id),
        }
        for later in &ATTEMPTS[at + 1..] {
            assert_eq!(told(later, &plants), None, "{} touched the victim of {}", attempt.id, later.id);
        }
    }
    (PLANTING.tidy)(&plants).unwrap();
    directory.close().unwrap();
}

#[test]
fn a_victim_is_never_planted_over_what_is_there() {
    let (_directory, plants) = scene();
    let error = (PLANTING.plant)(&plants).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    (PLANTING.tidy)(&plants).unwrap();
}
