//! What is left over is found and cleared, and what lives is left alone.

use super::*;
use crate::record::this_process;
use cofferdam_ledger::{NameWish, NewSession, Supervisor};
use cofferdam_policy::authority::CellKind;
use cofferdam_policy::event::UnixNanos;
use cofferdam_policy::label::Label;
use std::fs;
use std::os::unix::net::UnixListener;

const NOW: i64 = 1_000_000_000_000_000_000;

struct Place {
    _directory: tempfile::TempDir,
    context: Context,
    state: State,
}

fn place() -> Place {
    let directory = tempfile::tempdir().unwrap();
    let environment = BTreeMap::from([("HOME".into(), directory.path().as_os_str().to_owned())]);
    let context = Context::new(environment, directory.path().to_owned(), || UnixNanos(NOW)).unwrap();
    let state = State::open(&context).unwrap();
    Place { _directory: directory, context, state }
}

impl Place {
    fn session(&self, id: &str, supervisor: Option<Supervisor>, age_seconds: i64) -> SessionRecord {
        let new = NewSession {
            id: id.parse().unwrap(),
            name: NameWish::Like("s".parse().unwrap()),
            directory: "/x".into(),
            cell: CellKind::Namespaces,
            parent: None,
            uids: None,
            supervisor,
            label: Label::initial(),
            command: vec!["true".into()],
            authority_digest: "d".into(),
            authority: "{}".into(),
            at: UnixNanos(NOW - age_seconds * 1_000_000_000),
        };
        let record = self.state.ledger().unwrap().begin_session(&new).unwrap();
        fs::create_dir_all(self.state.session(&record.id).root()).unwrap();
        record
    }

    fn look(&self, fix: bool) -> Vec<Leftover> {
        let found = look(&self.context, &self.state, fix);
        // Groups of other sessions on this machine are not this test's.
        found.into_iter().filter(|leftover| leftover.kind != LeftoverKind::ControlGroup).collect()
    }

    fn state_of(&self, record: &SessionRecord) -> SessionState {
        self.state.ledger().unwrap().session(&record.id).unwrap().state
    }
}

/// This process, as it was never started.
fn dead() -> Option<Supervisor> {
    let own = this_process().unwrap();
    Some(Supervisor { started_ticks: own.started_ticks - 1, ..own })
}

#[test]
fn a_session_whose_supervisor_is_gone_is_listed_and_then_recorded_as_stopped() {
    let place = place();
    let record = place.session("aaaaaaaaaaaa", dead(), 0);
    let listed = place.look(false);
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!((listed[0].kind, &listed[0].fate), (LeftoverKind::Session, &Fate::Listed));
    assert_eq!(place.state_of(&record), SessionState::Starting);
    assert_eq!(place.look(true)[0].fate, Fate::Cleared);
    assert_eq!(place.state_of(&record), SessionState::Stopped);
    let events = place.state.ledger().unwrap().events(Some(&record.id), 0, 100).unwrap();
    assert!(events.iter().any(|event| event.event == Event::Stopped { by: StoppedBy::Doctor }));
    assert!(
        place.state.session(&record.id).root().is_dir(),
        "its layers are the owner's to resume or discard"
    );
    assert!(place.look(true).is_empty());
}

#[test]
fn a_session_whose_supervisor_lives_is_never_touched() {
    let place = place();
    let by_process = place.session("aaaaaaaaaaaa", this_process().ok(), 0);
    let just_begun = place.session("bbbbbbbbbbbb", None, 1);
    // Another pid namespace: the process can't be seen, but it answers.
    let by_socket = place.session("cccccccccccc", dead(), 0);
    let path = place.state.session(&by_socket.id).socket();
    let _listening = control::listen(&path).unwrap();
    assert!(place.look(true).is_empty());
    for record in [&by_process, &just_begun, &by_socket] {
        assert_eq!(place.state_of(record), SessionState::Starting);
    }
    assert!(path.exists());
}

#[test]
fn a_start_that_was_cut_off_long_ago_without_a_supervisor_is_over() {
    let place = place();
    let record = place.session("aaaaaaaaaaaa", None, START_SECONDS_MAX + 1);
    place.look(true);
    assert_eq!(place.state_of(&record), SessionState::Stopped);
}

/// The group of a session that another state directory knows, while its first process is on the way into it.
#[test]
fn a_control_group_of_another_state_directory_is_left_alone_while_its_session_may_begin() {
    let mut place = place();
    let own = place.session("aaaaaaaaaaaa", dead(), 0);
    let groups = tempfile::tempdir().unwrap();
    let group = |id: &str, processes: &str| {
        let path = groups.path().join(format!("cofferdam-{id}"));
        fs::create_dir(&path).unwrap();
        fs::write(path.join("cgroup.procs"), processes).unwrap();
        path
    };
    let of_own = group(own.id.as_str(), "");
    let foreign = group("bbbbbbbbbbbb", "");
    let running = group("cccccccccccc", "1\n");
    fn made(path: &Path) -> i64 {
        fs::metadata(path).unwrap().mtime()
    }
    let look = |place: &Place, path: &Path| {
        let known = Known::read(&place.context, &place.state).unwrap();
        let scene = Scene { context: &place.context, state: &place.state, sessions: Some(&known) };
        scene.group(&known, path.to_owned()).is_some()
    };
    assert!(made(&foreign) * 1_000_000_000 > NOW, "the clock of this test is earlier");
    assert!(!look(&place, &foreign), "its session may just begin");
    assert!(look(&place, &of_own), "its own ledger knows that it is over");
    place.context.now = || UnixNanos(i64::MAX);
    assert_eq!(look(&place, &foreign), sees_all_processes());
    assert!(!look(&place, &running), "it has a process");
}

#[test]
fn the_socket_of_a_dead_supervisor_goes() {
    let place = place();
    let record = place.session("aaaaaaaaaaaa", dead(), 0);
    let path = place.state.session(&record.id).socket();
    drop(UnixListener::bind(&path).unwrap());
    let listed = place.look(false);
    assert!(listed.iter().any(|found| found.kind == LeftoverKind::Socket), "{listed:?}");
    place.look(true);
    assert!(!path.exists());
}

#[test]
fn directories_of_no_session_and_of_discarded_ones_go_and_those_of_others_stay() {
    let place = place();
    let kept = place.session("aaaaaaaaaaaa", this_process().ok(), 0);
    let discarded = place.session("bbbbbbbbbbbb", dead(), 0);
    let ledger = place.state.ledger().unwrap();
    let event = Event::Stopped { by: StoppedBy::Owner };
    let ending = Ending { state: EndState::Stopped, exit_status: None, event, at: UnixNanos(NOW) };
    ledger.set_ended(&discarded.id, &ending).unwrap();
    ledger.set_discarded(&discarded.id, UnixNanos(NOW)).unwrap();
    fs::create_dir_all(place.state.session(&discarded.id).layer(0).join("upper/work")).unwrap();
    let unknown = place.state.sessions().join("cccccccccccc");
    fs::create_dir_all(unknown.join("layer-0/upper")).unwrap();
    fs::create_dir_all(unknown.join("home/.cache")).unwrap();
    assert_eq!(place.look(false).len(), 2);
    assert!(place.look(true).iter().all(|found| found.fate == Fate::Cleared));
    assert_eq!(names(&place.state.sessions()), [kept.id.to_string()]);
}

#[test]
fn changes_that_nobody_has_seen_are_never_cleared_away() {
    let place = place();
    place.state.ledger().unwrap();
    let unknown = place.state.sessions().join("cccccccccccc");
    fs::create_dir_all(unknown.join("layer-0/upper")).unwrap();
    fs::write(unknown.join("layer-0/upper/work.txt"), "x").unwrap();
    let found = place.look(true);
    assert!(matches!(&found[..], [Leftover { fate: Fate::Kept(_), .. }]), "{found:?}");
    assert!(found[0].command.starts_with("rm -r "));
    assert!(unknown.join("layer-0/upper/work.txt").exists());
}

#[test]
fn without_a_ledger_no_directory_counts_as_left_over() {
    let place = place();
    fs::create_dir_all(place.state.sessions().join("cccccccccccc/home")).unwrap();
    assert!(place.look(true).is_empty());
    assert!(place.state.sessions().join("cccccccccccc/home").is_dir());
}

#[test]
fn what_dead_processes_left_unfinished_goes_and_what_living_ones_make_stays() {
    let place = place();
    let (own, gone) = (std::process::id(), i32::MAX);
    let census = place.state.census();
    for name in
        [format!("tree-1.{gone}.{gone}"), format!("tree-1.{own}.{own}"), "tree-1".into(), "tree.v2".into()]
    {
        fs::write(census.join(name), "").unwrap();
    }
    let state = place.context.state.as_path();
    fs::create_dir_all(state.join(format!("doctor-{gone}-{gone}-overlay/layer"))).unwrap();
    fs::create_dir_all(state.join(format!("doctor-{own}-{own}-overlay"))).unwrap();
    let shared = [place.state.veils(), place.state.etc()];
    for place in &shared {
        for name in [format!("0a1b.{gone}"), format!("0a1b.{own}"), "0a1b".into()] {
            fs::create_dir_all(place.join(name).join("below")).unwrap();
        }
    }
    assert_eq!(place.look(true).len(), 4);
    assert!(shared.iter().all(|place| names(place).len() == 2));
    assert_eq!(names(&census).len(), 3);
    assert!(state.join(format!("doctor-{own}-{own}-overlay")).is_dir());
    assert!(!state.join(format!("doctor-{gone}-{gone}-overlay")).exists());
}

#[test]
fn a_command_for_a_shell_names_one_path() {
    assert_eq!(quoted(Path::new("/a/b-c.d")), "/a/b-c.d");
    assert_eq!(quoted(Path::new("/a b/it's")), "'/a b/it'\\''s'");
}
