//! What doctor says for answers that this machine does not give.

use super::attempt::in_child;
use super::*;
use cofferdam_policy::event::UnixNanos;
use cofferdam_syscall::process::Namespaces;
use rustix::io::Errno;
use std::collections::BTreeMap;

fn context(directory: &std::path::Path) -> Context {
    let environment = BTreeMap::from([("HOME".into(), directory.as_os_str().to_owned())]);
    Context::new(environment, directory.to_owned(), || UnixNanos(1)).unwrap()
}

#[test]
fn an_attempt_tells_what_it_saw_or_which_act_was_refused() {
    assert_eq!(in_child(Namespaces::NONE, None, || Ok("seen".into())), Ok("seen".into()));
    let refused = in_child(Namespaces::NONE, None, || Err(attempt::trying("mount it")(Errno::PERM)));
    let refusal = refused.unwrap_err();
    assert_eq!(refusal.errno(), Some(Errno::PERM));
    assert!(refusal.to_string().starts_with("cannot mount it: EPERM"), "{refusal}");
}

#[test]
fn an_attempt_that_is_killed_or_panics_or_says_nothing_is_an_answer_too() {
    let killed = in_child(Namespaces::NONE, None, || {
        let own = rustix::process::getpid();
        rustix::process::kill_process(own, rustix::process::Signal::KILL).unwrap();
        Ok("not reached".into())
    });
    assert_eq!(killed, Err(Refusal::Killed { signal: 9 }));
    let panicking = in_child(Namespaces::NONE, None, || panic!("on purpose"));
    assert_eq!(panicking, Err(Refusal::Silent));
    let silent = in_child(Namespaces::NONE, None, || cofferdam_syscall::process::exit_now(0));
    assert_eq!(silent, Err(Refusal::Silent));
}

#[test]
fn an_examination_leaves_nothing_behind_and_names_a_remedy_for_what_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    let context = context(directory.path());
    let names = || {
        let entries = std::fs::read_dir(context.state.as_path()).unwrap().flatten();
        entries.map(|entry| entry.file_name()).collect::<std::collections::BTreeSet<_>>()
    };
    State::open(&context).unwrap();
    let before = names();
    let report = examine(&context, false);
    let mut ids: Vec<&str> = report.checks.iter().map(|check| check.id).collect();
    ids.sort_unstable();
    let count = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), count, "every check has a name of its own");
    for check in &report.checks {
        assert!(!check.evidence.is_empty(), "{check:?}");
        assert!(check.state != CheckState::Works || check.remedies.is_empty(), "{check:?}");
    }
    assert_eq!(names(), before);
    assert!(serde_json::to_value(&report).is_ok());
}

#[test]
fn a_state_directory_that_others_may_enter_is_an_obstacle_and_stops_what_depends_on_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let context = context(directory.path());
    std::fs::create_dir_all(context.state.as_path()).unwrap();
    std::fs::set_permissions(context.state.as_path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let report = examine(&context, true);
    assert!(report.obstacles().any(|check| check.id == "state-directory"));
    let overlay = report.checks.iter().find(|check| check.id == "overlay").unwrap();
    assert_eq!(overlay.state, CheckState::CannotTell);
    assert!(report.leftovers.is_empty());
}
