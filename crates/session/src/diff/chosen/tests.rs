//! A part is a change set of its own, with what it needs and nothing else; and what stands for it.

use super::*;
use crate::apply;
use crate::context::Context;
use crate::diff::stages::Stage;
use crate::reviewed;
use crate::state::{self, State};
use cofferdam_ledger::{NameWish, NewSession, SessionRecord, SessionState};
use cofferdam_policy::authority::CellKind;
use cofferdam_policy::event::UnixNanos;
use cofferdam_policy::label::Label;
use cofferdam_policy::mask::MaskSet;
use cofferdam_policy::review::runs_later::RunsLaterTable;
use cofferdam_policy::session_id::SessionId;
use cofferdam_workspace::changes::Moment;
use cofferdam_workspace::changeset::base::Base;
use cofferdam_workspace::changeset::ignore::OwnersRules;
use cofferdam_workspace::changeset::included::Included;
use cofferdam_workspace::changeset::put::Put;
use cofferdam_workspace::changeset::{Reading, StagedContents, read};
use rustix::fd::AsFd as _;
use rustix::fs::XattrFlags;
use std::fs;
use std::path::PathBuf;
use std::rc::Rc;

/// Later than any file of a test.
const LATER: Base = Base::Since(Moment { seconds: 1 << 40, nanos: 0 });

struct Scene {
    directory: tempfile::TempDir,
    context: Context,
    state: State,
    record: SessionRecord,
}

fn scene(lower: &[(&str, &str)], upper: &[(&str, &str)], opaque: &[&str]) -> Scene {
    let directory = tempfile::tempdir_in("/var/tmp").unwrap();
    let environment = BTreeMap::from([("HOME".into(), directory.path().as_os_str().to_owned())]);
    let context = Context::new(environment, directory.path().to_owned(), || UnixNanos(1 << 60)).unwrap();
    let state = State::open(&context).unwrap();
    let new = NewSession {
        id: SessionId::from_random([7; 8]),
        name: NameWish::Like("s".parse().unwrap()),
        directory: "/x".into(),
        cell: CellKind::Namespaces,
        parent: None,
        uids: None,
        supervisor: None,
        label: Label::initial(),
        command: vec!["true".into()],
        authority_digest: "d".into(),
        authority: "{}".into(),
        at: UnixNanos(0),
    };
    let record = state.ledger().unwrap().begin_session(&new).unwrap();
    fs::create_dir_all(state.session(&record.id).root()).unwrap();
    let record = SessionRecord { state: SessionState::Stopped, ..record };
    for (tree, files) in [("lower", lower), ("upper", upper)] {
        fs::create_dir_all(directory.path().join(tree)).unwrap();
        for (path, text) in files {
            let path = directory.path().join(tree).join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }
    for path in opaque {
        let path = directory.path().join("upper").join(path);
        fs::create_dir_all(&path).unwrap();
        rustix::fs::setxattr(path, "user.overlay.opaque", b"y", XattrFlags::empty()).unwrap();
    }
    Scene { directory, context, state, record }
}

impl Scene {
    fn lower(&self) -> PathBuf {
        self.directory.path().join("lower")
    }

    fn diff(&self) -> Diff {
        let mut stage = Stage::begin(&self.state.session(&self.record.id)).unwrap();
        let contents = stage.contents(0).unwrap();
        let (layer, original) = (
            state::open_directory(&self.directory.path().join("upper")).unwrap(),
            state::open_directory(&self.lower()).unwrap(),
        );
        let masks = MaskSet::new(Vec::new()).unwrap();
        let set = read(&Reading {
            layer: layer.as_fd(),
            copy_finished: None,
            original: original.as_fd(),
            masks: &masks,
            hidden: &[],
            base: LATER,
            kept: None,
            rules: &OwnersRules::default(),
            included: &Included::default(),
            put: &Put::default(),
            stage: contents.as_fd(),
        })
        .unwrap();
        let path = AbsPath::new(self.lower()).unwrap();
        let digest = digest_of_all(&[(path.as_str().as_bytes(), set.digest)]);
        stage.finish(&self.state.session(&self.record.id), digest).unwrap();
        let source = path.clone();
        let directory = DirectoryDiff {
            base: LATER,
            path,
            set,
            merged: BTreeMap::new(),
            source,
            original,
            number: 0,
            contents: Rc::new(StagedContents::open(contents).unwrap()),
            collisions: BTreeSet::new(),
        };
        let runs_later = Rc::new(RunsLaterTable::new(&[]).unwrap());
        Diff { digest, directories: vec![directory], _stage: Rc::new(stage), runs_later }
    }

    fn selection(&self, takes: &[(&str, Take)]) -> Selection {
        let mut selection = Selection::default();
        let top = AbsPath::new(self.lower()).unwrap();
        for (path, take) in takes {
            selection.take(&top, &WorkspacePath::new(path.as_bytes()).unwrap(), take.clone());
        }
        selection
    }
}

fn paths(chosen: &Chosen) -> Vec<String> {
    chosen
        .directories
        .iter()
        .flat_map(|one| one.set.entries.iter().map(|entry| entry.path.to_string()))
        .collect()
}

fn changes(numbers: &[u32]) -> Take {
    Take::Changes(numbers.iter().copied().collect())
}

const LONG: &str = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n20\n";

fn long_changed() -> String {
    LONG.replace("2\n3\n", "2\nTHREE\n").replace("19\n", "NINETEEN\n")
}

#[test]
fn all_of_a_change_set_has_its_digest_and_any_part_another_one() {
    let scene = scene(&[("a", "a\n"), ("b", "b\n")], &[("a", "A\n"), ("b", "B\n"), ("n/c", "C\n")], &[]);
    let diff = scene.diff();
    let all = diff.select(&diff.all()).unwrap();
    assert_eq!((all.digest, all.entries()), (diff.digest, 4));
    let mut digests = BTreeSet::from([all.digest]);
    for part in ["a", "b", "n", "n/c"] {
        let chosen = diff.select(&scene.selection(&[(part, Take::Whole)])).unwrap();
        assert!(digests.insert(chosen.digest), "{part}");
    }
}

#[test]
fn a_chosen_file_takes_the_new_directories_above_it_along() {
    let scene = scene(&[], &[("n/m/c", "C\n"), ("n/x", "X\n")], &[]);
    let diff = scene.diff();
    let chosen = diff.select(&scene.selection(&[("n/m/c", Take::Whole)])).unwrap();
    assert_eq!(paths(&chosen), ["n", "n/m", "n/m/c"]);
}

#[test]
fn a_directory_does_not_go_while_something_in_it_is_not_taken() {
    let scene = scene(&[("p/d/x", "x\n"), ("p/d/y", "y\n")], &[], &["p"]);
    let diff = scene.diff();
    let whole = |paths: &[&str]| {
        let takes: Vec<(&str, Take)> = paths.iter().map(|path| (*path, Take::Whole)).collect();
        diff.select(&scene.selection(&takes))
    };
    assert_eq!(whole(&["p/d", "p/d/x"]).unwrap_err().kind, ErrorKind::Usage);
    assert_eq!(paths(&whole(&["p/d/x"]).unwrap()), ["p/d/x"]);
    assert_eq!(paths(&whole(&["p/d", "p/d/x", "p/d/y"]).unwrap()), ["p/d", "p/d/x", "p/d/y"]);
}

#[test]
fn what_is_in_conflict_stays_out_with_what_needs_it_and_is_named() {
    let scene = scene(&[("p/d/x", "x\n")], &[("n/c", "C\n"), ("free", "f\n")], &["p"]);
    let mut diff = scene.diff();
    for entry in &mut diff.directories.first_mut().unwrap().set.entries {
        match entry.path.to_string().as_str() {
            "n" => entry.refused = Some(Refusal::GitDirectory),
            "p/d/x" => entry.conflict = Some(Conflict::Edited),
            _ => {}
        }
    }
    let chosen = diff.select(&diff.all()).unwrap();
    assert_eq!(paths(&chosen), ["free"]);
    let left: Vec<String> = chosen.left_out.iter().map(|left| left.path.to_string()).collect();
    assert_eq!(left, ["n", "n/c", "p/d", "p/d/x"]);
}

#[test]
fn some_changes_of_a_text_are_a_content_of_their_own_and_all_of_them_the_whole() {
    let after = long_changed();
    let scene = scene(&[("t", LONG), ("p/gone", LONG)], &[("t", &after), ("new", LONG)], &["p"]);
    let diff = scene.diff();
    let select = |path: &str, take: Take| diff.select(&scene.selection(&[(path, take)]));
    let first = select("t", changes(&[0])).unwrap();
    let entry = first.directories.first().unwrap().set.entries.first().unwrap().clone();
    let text = diff.text(diff.directories.first().unwrap(), &entry).unwrap();
    assert_eq!(text.after, LONG.replace("2\n3\n", "2\nTHREE\n").as_bytes());
    assert_eq!(entry.content, Some(Digest::of(&text.after)));
    let whole = select("t", Take::Whole).unwrap();
    assert_eq!(select("t", changes(&[0, 1])).unwrap().digest, whole.digest);
    assert_ne!(first.digest, whole.digest);
    for path in ["new", "p/gone"] {
        assert_eq!(select(path, changes(&[0])).unwrap().digest, select(path, Take::Whole).unwrap().digest);
    }
    assert_eq!(select("t", changes(&[])).unwrap().entries(), 0);
    assert_eq!(select("t", changes(&[2])).unwrap_err().kind, ErrorKind::Moved);
    assert_eq!(select("other", Take::Whole).unwrap_err().kind, ErrorKind::Moved);
}

#[test]
fn a_completed_review_stands_for_exactly_what_it_took_and_that_is_written() {
    let after = long_changed();
    let scene = scene(&[("t", LONG), ("u", "u\n")], &[("t", &after), ("u", "U\n")], &[]);
    let Scene { context, state, record, .. } = &scene;
    let diff = scene.diff();
    let selection = scene.selection(&[("t", changes(&[1]))]);
    let chosen = diff.select(&selection).unwrap();
    assert_eq!(apply::recorded(state, record, &chosen).unwrap_err().kind, ErrorKind::Unreviewed);
    reviewed::record(context, state, record, &chosen, &selection, Vec::new()).unwrap();
    let kept = state.session(&record.id).reviews().join(format!("{}.json", chosen.digest));
    assert_eq!(rustix::fs::stat(kept).unwrap().st_mode & 0o7777, 0o600);
    assert_eq!(reviewed::find(state, record, chosen.digest), Some(selection));
    assert_eq!(reviewed::find(state, record, diff.digest), None);
    let all = diff.select(&diff.all()).unwrap();
    assert_eq!(apply::recorded(state, record, &all).unwrap_err().kind, ErrorKind::Unreviewed);
    let approval = apply::recorded(state, record, &chosen).unwrap();
    let other = apply::apply(context, state, record, (&diff, &all), &approval);
    assert_eq!(other.unwrap_err().kind, ErrorKind::Moved, "another's word");
    apply::apply(context, state, record, (&diff, &chosen), &approval).unwrap();
    let read = |path: &str| fs::read_to_string(scene.lower().join(path)).unwrap();
    assert_eq!((read("t"), read("u")), (LONG.replace("19\n", "NINETEEN\n"), "u\n".into()));
    let applies = apply::list(state, &record.id).unwrap();
    assert_eq!(applies.len(), 1);
    apply::undo(context, state, Some("s"), applies.first().map(|one| one.id.as_str())).unwrap();
    assert_eq!(read("t"), LONG);
}

#[test]
fn a_directory_that_was_exchanged_since_the_look_is_not_written_to() {
    let scene = scene(&[("a", "a\n")], &[("a", "A\n")], &[]);
    let diff = scene.diff();
    let chosen = diff.select(&diff.all()).unwrap();
    fs::rename(scene.lower(), scene.directory.path().join("away")).unwrap();
    fs::create_dir(scene.lower()).unwrap();
    fs::write(scene.lower().join("a"), "other\n").unwrap();
    let approval = apply::answered(&chosen);
    let refused = apply::apply(&scene.context, &scene.state, &scene.record, (&diff, &chosen), &approval);
    assert_eq!(refused.unwrap_err().kind, ErrorKind::Conflict);
    assert_eq!(fs::read_to_string(scene.lower().join("a")).unwrap(), "other\n");
}
