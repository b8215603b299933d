//! What is brought is seen by its own witness alone, git is seen to run it, and nothing is left behind.

use std::fs;

use rustix::io::Errno;
use rustix::process::geteuid;
use tempfile::TempDir;

use super::*;

/// All but the schedules, which lie outside of any directory of a test's own.
fn attempts() -> impl Iterator<Item = &'static Attempt> {
    let tables = [arrivals::ATTEMPTS, repository::ATTEMPTS, later::ATTEMPTS, home::ATTEMPTS];
    tables.into_iter().flatten().filter(|attempt| !attempt.id.starts_with("review-cron"))
}

fn scene() -> (TempDir, Plants) {
    let directory = TempDir::new().unwrap();
    let mut plants = Plants::default();
    for (name, below) in [("workspace", "project"), ("scratch-outside", "outside"), ("home", "home")] {
        let path = directory.path().join(below);
        fs::create_dir(&path).unwrap();
        plants.add(name, path.to_str().unwrap()).unwrap();
    }
    plants.add("tag", "review-test").unwrap();
    let mut git = std::process::Command::new("git");
    git.args(["init", "--quiet", "--template="]).current_dir(directory.path().join("project"));
    assert!(git.status().unwrap().success(), "git init");
    (PLANTING.plant)(&plants).unwrap();
    (directory, plants)
}

fn told(attempt: &Attempt, plants: &Plants) -> Option<String> {
    let host = HostSide { plants, contacts: &[], reported: None };
    attempt.seen(&host)
}

#[test]
fn what_was_only_planted_has_not_been_brought() {
    let (_directory, plants) = scene();
    for attempt in attempts() {
        assert_eq!(told(attempt, &plants), None, "{}", attempt.id);
    }
}

#[test]
fn each_attempt_brings_its_own_and_nothing_that_another_is_told_of() {
    let (_directory, plants) = scene();
    let all: Vec<_> = attempts().collect();
    for (at, attempt) in all.iter().enumerate() {
        let needs_privilege = attempt.id == "review-capability" && !geteuid().is_root();
        match attempt.find(&plants) {
            Finding::Reached(_) => assert!(told(attempt, &plants).is_some(), "{} is not seen", attempt.id),
            Finding::Held(_) if attempt.may_be_absent => {}
            Finding::Refused(Errno::OPNOTSUPP, _) => {}
            Finding::Refused(Errno::PERM, _) if needs_privilege => {}
            other @ (Finding::Refused(..)
            | Finding::Held(_)
            | Finding::Inapplicable(_)
            | Finding::Inconclusive(_)) => panic!("{}: {other:?}", attempt.id),
        }
        for later in &all[at + 1..] {
            assert_eq!(told(later, &plants), None, "{} is taken for {}", attempt.id, later.id);
        }
    }
}

#[test]
fn what_git_runs_is_seen_to_run() {
    let (_directory, plants) = scene();
    for attempt in repository::ATTEMPTS {
        attempt.find(&plants);
    }
    for attempt in repository::ATTEMPTS.iter().filter(|attempt| !attempt.id.starts_with("review-git-")) {
        let evidence = told(attempt, &plants).unwrap();
        assert!(evidence.ends_with("ran it"), "{}: {evidence}", attempt.id);
    }
}

#[test]
fn nothing_is_left_in_a_home_that_held_nothing_and_what_was_there_stays() {
    let (directory, plants) = scene();
    let other = TempDir::new().unwrap();
    fs::create_dir_all(other.path().join(".config/autostart")).unwrap();
    let mut elsewhere = plants.clone();
    elsewhere.add("home", other.path().to_str().unwrap()).unwrap();
    home::plant(&elsewhere).unwrap();
    for plants in [&plants, &elsewhere] {
        home::ATTEMPTS.iter().filter(|attempt| !attempt.id.starts_with("review-cron")).for_each(|attempt| {
            assert!(matches!(attempt.find(plants), Finding::Reached(_)), "{}", attempt.id);
        });
        (PLANTING.tidy)(plants).unwrap();
    }
    assert_eq!(fs::read_dir(directory.path().join("home")).unwrap().count(), 0);
    let left: Vec<_> = fs::read_dir(other.path().join(".config")).unwrap().flatten().collect();
    assert_eq!(left.iter().map(|entry| entry.file_name()).collect::<Vec<_>>(), ["autostart"]);
    assert_eq!(fs::read_dir(other.path().join(".config/autostart")).unwrap().count(), 0);
}

#[test]
fn of_two_plantings_at_once_the_last_to_tidy_removes_the_directories() {
    let (directory, first) = scene();
    let mut second = first.clone();
    second.add("tag", "review-test-2").unwrap();
    home::plant(&second).unwrap();
    home::tidy(&first).unwrap();
    assert!(directory.path().join("home/.config/autostart").is_dir());
    home::tidy(&second).unwrap();
    assert_eq!(fs::read_dir(directory.path().join("home")).unwrap().count(), 0);
}

#[test]
fn a_home_that_cannot_be_planted_in_is_left_alone_and_said_not_to_be_there() {
    let home = TempDir::new().unwrap();
    fs::write(home.path().join(".config"), "the owner's").unwrap();
    let mut plants = Plants::default();
    plants.add("home", home.path().to_str().unwrap()).unwrap();
    plants.add("tag", "review-test").unwrap();
    home::plant(&plants).unwrap();
    let autostart = home::ATTEMPTS.iter().find(|attempt| attempt.id == "review-autostart").unwrap();
    assert!(matches!(autostart.find(&plants), Finding::Held(_)) && autostart.may_be_absent);
    home::tidy(&plants).unwrap();
    assert_eq!(fs::read_to_string(home.path().join(".config")).unwrap(), "the owner's");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
}

#[test]
fn an_empty_file_that_an_enclosure_left_was_not_brought() {
    let (_directory, plants) = scene();
    let path = place(&plants, ".mcp.json").unwrap();
    let attempt = later::ATTEMPTS.iter().find(|attempt| attempt.id == "review-mcp-servers").unwrap();
    fs::write(&path, "").unwrap();
    assert_eq!(told(attempt, &plants), None);
    fs::write(&path, "{}").unwrap();
    assert!(told(attempt, &plants).is_some());
}
