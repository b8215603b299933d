//! Expectations, conflicts and undo, on trees that an owner, an editor or an attacker changes meanwhile. Cutting off is
//! tested in `tests/slow_apply_faults.rs`.

use super::*;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

struct Scene {
    place: tempfile::TempDir,
    elsewhere: Option<tempfile::TempDir>,
}

impl Scene {
    fn new() -> Self {
        let scene = Self { place: tempfile::tempdir().unwrap(), elsewhere: None };
        for name in ["tree", "state", "staged"] {
            fs::create_dir(scene.place.path().join(name)).unwrap();
        }
        scene
    }

    /// With the state directory on another file system.
    fn apart() -> Self {
        Self { elsewhere: Some(tempfile::tempdir_in("/dev/shm").unwrap()), ..Self::new() }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.place.path().join("tree").join(path)
    }

    fn open(&self, name: &str) -> OwnedFd {
        match (&self.elsewhere, name) {
            (Some(elsewhere), "state") => open(elsewhere.path()),
            _ => open(&self.place.path().join(name)),
        }
    }

    fn write(&self, path: &str, content: &str) {
        fs::write(self.at(path), content).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap()
    }

    fn mode(&self, path: &str) -> u32 {
        fs::symlink_metadata(self.at(path)).unwrap().mode() & 0o7777
    }

    /// The step, with what lies there now expected.
    fn step(&self, path: &str, act: Act) -> Step {
        let path = WorkspacePath::new(path).unwrap();
        Step { expected: Expected::now(self.open("tree").as_fd(), &path).unwrap(), path, act }
    }

    fn put(&self, path: &str, content: &str) -> Step {
        self.step(path, self.content(content))
    }

    fn content(&self, content: &str) -> Act {
        let sha256 = ContentDigest(Sha256::digest(content).into());
        let name = String::from(sha256);
        fs::write(self.place.path().join("staged").join(&name), content).unwrap();
        let size = content.len() as u64;
        Act::PutFile(StagedFile { name: name.into(), offset: None, size, sha256, executable: false })
    }

    fn apply(&self, id: u8, steps: Vec<Step>) -> Result<Applied, ApplyError> {
        let (tree, state, staged) = (self.open("tree"), self.open("state"), self.open("staged"));
        apply(tree.as_fd(), state.as_fd(), name(id), &Batch { staged: staged.as_fd(), steps })
    }

    fn undo(&self, undone: u8, id: u8) -> Result<Applied, ApplyError> {
        undo(self.open("tree").as_fd(), self.open("state").as_fd(), name(undone), name(id))
    }

    fn recover(&self) -> Vec<Recovered> {
        recover(self.open("tree").as_fd(), self.open("state").as_fd()).unwrap()
    }

    fn standings(&self) -> Vec<(ApplyId, Standing)> {
        list(self.open("state").as_fd()).unwrap()
    }

    fn names(&self, path: &str) -> Vec<String> {
        let entries = fs::read_dir(self.at(path)).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn open(path: &Path) -> OwnedFd {
    rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap()
}

fn name(id: u8) -> ApplyId {
    ApplyId::from_bytes([id; 8])
}

#[track_caller]
fn conflicts(result: Result<Applied, ApplyError>) -> Vec<(String, ConflictReason)> {
    match result {
        Err(ApplyError::Conflicts(conflicts)) => {
            conflicts.into_iter().map(|conflict| (conflict.path.to_string(), conflict.reason)).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_keeps_its_permissions_and_comes_back_as_it_was_by_an_undo() {
    for scene in [Scene::new(), Scene::apart()] {
        scene.write("a", "old");
        fs::set_permissions(scene.at("a"), fs::Permissions::from_mode(0o640)).unwrap();
        let before = fs::metadata(scene.at("a")).unwrap();
        let mut step = scene.put("a", "new");
        if let Act::PutFile(file) = &mut step.act {
            file.executable = true;
        }
        scene.apply(1, vec![step, scene.put("b", "b")]).unwrap();
        assert_eq!((scene.read("a"), scene.mode("a"), scene.mode("b")), ("new".to_owned(), 0o750, 0o644));
        assert_eq!(scene.names(""), ["a", "b"]);
        scene.undo(1, 2).unwrap();
        let after = fs::metadata(scene.at("a")).unwrap();
        assert_eq!((scene.read("a"), after.mode()), ("old".to_owned(), before.mode()));
        assert_eq!((after.mtime(), after.mtime_nsec()), (before.mtime(), before.mtime_nsec()));
        assert_eq!((scene.names(""), after.nlink()), (vec!["a".to_owned()], 1));
        if scene.elsewhere.is_none() {
            assert_eq!(after.ino(), before.ino(), "the very file comes back, with all that belongs to it");
        }
        scene.undo(2, 3).unwrap();
        assert_eq!((scene.read("a"), scene.mode("a"), scene.read("b")), ("new".into(), 0o750, "b".into()));
        assert!(matches!(scene.undo(2, 4), Err(ApplyError::AlreadyUndone { .. })));
        assert!(matches!(scene.undo(9, 4), Err(ApplyError::Unknown { .. })));
    }
}

#[test]
fn applies_are_undone_in_any_order_and_a_later_change_of_the_same_path_is_named() {
    for scene in [Scene::new(), Scene::apart()] {
        scene.write("a", "a0");
        scene.apply(1, vec![scene.put("a", "a1")]).unwrap();
        scene.apply(2, vec![scene.put("b", "b2")]).unwrap();
        scene.apply(3, vec![scene.put("a", "a3")]).unwrap();
        assert_eq!(conflicts(scene.undo(1, 9)), [("a".to_owned(), ConflictReason::Changed)]);
        assert_eq!((scene.read("a"), scene.read("b")), ("a3".into(), "b2".into()));
        scene.undo(2, 4).unwrap();
        scene.undo(3, 5).unwrap();
        assert_eq!((scene.read("a"), scene.names("")), ("a1".into(), vec!["a".to_owned()]));
        scene.undo(1, 6).unwrap();
        assert_eq!(scene.read("a"), "a0");
    }
}

#[test]
fn an_undo_names_every_path_that_the_owner_changed_since_and_changes_nothing() {
    let scene = Scene::new();
    fs::create_dir(scene.at("gone")).unwrap();
    scene.write("edited", "0");
    scene.write("script", "0");
    let steps = vec![
        scene.put("edited", "1"),
        scene.put("removed", "1"),
        scene.step("dir", Act::PutDirectory),
        scene.put("dir/x", "1"),
        scene.step("script", Act::SetExecutable(true)),
        scene.step("gone", Act::Remove),
        scene.step("link", Act::PutSymlink(b"edited".to_vec())),
        scene.put("kind", "1"),
    ];
    scene.apply(1, steps).unwrap();
    scene.write("edited", "owner");
    fs::remove_file(scene.at("removed")).unwrap();
    scene.write("gone", "owner");
    fs::set_permissions(scene.at("script"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::remove_file(scene.at("link")).unwrap();
    symlink("elsewhere", scene.at("link")).unwrap();
    fs::remove_file(scene.at("kind")).unwrap();
    fs::create_dir(scene.at("kind")).unwrap();
    let mut found = conflicts(scene.undo(1, 2));
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let named = |path: &str, reason| (path.to_owned(), reason);
    use ConflictReason::{Changed, Gone, OtherKind};
    assert_eq!(
        found,
        [
            named("edited", Changed),
            named("kind", OtherKind),
            named("link", Changed),
            named("removed", Gone),
            named("script", Changed),
        ],
    );
    assert_eq!(scene.read("edited"), "owner");
    assert_eq!(scene.standings(), [(name(1), Standing::Applied)]);
}

#[test]
fn a_directory_that_was_made_stays_while_the_owner_has_something_in_it() {
    let scene = Scene::new();
    scene.apply(1, vec![scene.step("d", Act::PutDirectory), scene.put("d/x", "1")]).unwrap();
    scene.write("d/own", "owner");
    assert_eq!(conflicts(scene.undo(1, 2)), [("d".to_owned(), ConflictReason::NotEmpty)]);
    fs::remove_file(scene.at("d/own")).unwrap();
    scene.undo(1, 2).unwrap();
    assert_eq!(scene.names(""), Vec::<String>::new());
}

#[test]
fn whatever_changed_since_it_was_seen_is_a_conflict_and_nothing_is_applied() {
    use ConflictReason::{Appeared, Changed, Gone, NoParent, NotEmpty, OtherKind, Special};
    type Change = fn(&Scene);
    let cases: [(&str, Change, ConflictReason); 10] = [
        ("f", |scene| scene.write("f", "edited"), Changed),
        ("f", |scene| fs::remove_file(scene.at("f")).unwrap(), Gone),
        ("f", |scene| fs::rename(scene.at("other"), scene.at("f")).unwrap(), Changed),
        (
            "f",
            |scene| {
                fs::remove_file(scene.at("f")).unwrap();
                symlink("other", scene.at("f")).unwrap();
            },
            OtherKind,
        ),
        (
            "f",
            |scene| {
                fs::remove_file(scene.at("f")).unwrap();
                fs::create_dir(scene.at("f")).unwrap();
            },
            OtherKind,
        ),
        ("new", |scene| scene.write("new", "owner"), Appeared),
        (
            "d/x",
            |scene| {
                fs::remove_dir_all(scene.at("d")).unwrap();
                symlink("/tmp", scene.at("d")).unwrap();
            },
            OtherKind,
        ),
        ("d/x", |scene| fs::remove_dir_all(scene.at("d")).unwrap(), NoParent),
        ("gone", |scene| scene.write("gone/late", "owner"), NotEmpty),
        (
            "f",
            |scene| {
                fs::remove_file(scene.at("f")).unwrap();
                rustix::fs::mknodat(CWD, scene.at("f"), rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
            },
            Special,
        ),
    ];
    for (number, (path, change, reason)) in cases.into_iter().enumerate() {
        let scene = Scene::new();
        scene.write("f", "f");
        scene.write("other", "other");
        scene.write("first", "first");
        fs::create_dir(scene.at("d")).unwrap();
        fs::create_dir(scene.at("gone")).unwrap();
        let steps = vec![
            scene.put("first", "applied"),
            scene.put("f", "applied"),
            scene.put("new", "applied"),
            scene.put("d/x", "applied"),
            scene.step("gone", Act::Remove),
        ];
        change(&scene);
        let found = conflicts(scene.apply(1, steps));
        assert_eq!(found, [(path.to_owned(), reason)], "case {number}");
        assert_eq!((scene.read("first"), scene.standings()), ("first".to_owned(), vec![]), "case {number}");
    }
}

#[test]
fn a_change_that_no_time_shows_is_found_by_the_content_that_comes_out() {
    let scene = Scene::new();
    scene.write("a", "old");
    scene.write("f", "seen");
    let mut step = scene.put("f", "applied");
    let Expected::Present(seen) = &mut step.expected else { panic!() };
    seen.sha256 = Some(ContentDigest(Sha256::digest("another").into()));
    let result = scene.apply(1, vec![scene.put("a", "new"), step]);
    assert_eq!(conflicts(result), [("f".to_owned(), ConflictReason::Changed)]);
    assert_eq!((scene.read("a"), scene.read("f"), scene.standings()), ("old".into(), "seen".into(), vec![]));
}

#[test]
fn a_content_that_is_not_the_one_announced_is_not_put() {
    let scene = Scene::new();
    let steps = vec![scene.put("a", "shown"), scene.put("b", "b")];
    let Act::PutFile(file) = &steps[0].act else { panic!() };
    let staged = scene.place.path().join("staged").join(std::str::from_utf8(&file.name).unwrap());
    for other in ["other", "shown and more", ""] {
        fs::write(&staged, other).unwrap();
        assert!(matches!(scene.apply(1, steps.clone()), Err(ApplyError::Content { .. })));
    }
    fs::remove_file(&staged).unwrap();
    symlink("/etc/passwd", &staged).unwrap();
    assert!(matches!(scene.apply(1, steps), Err(ApplyError::Content { .. })));
    assert_eq!((scene.names("").len(), scene.standings()), (0, vec![]));
}

#[test]
fn a_content_that_lies_among_others_is_put_alone_and_only_from_where_it_lies() {
    let scene = Scene::new();
    fs::write(scene.place.path().join("staged/pack"), "before-shown-after").unwrap();
    let packed = |offset: u64, length: usize| {
        let mut step = scene.put("a", "shown");
        let Act::PutFile(file) = &mut step.act else { panic!() };
        (file.name, file.offset, file.size) = (b"pack".to_vec(), Some(offset), length as u64);
        vec![step]
    };
    for (offset, length) in [(6, 5), (8, 5), (7, 4), (7, 6), (7, 5_000), (18, 5), (u64::MAX, 5)] {
        let result = scene.apply(1, packed(offset, length));
        assert!(matches!(result, Err(ApplyError::Content { .. } | ApplyError::Stage { .. })), "{result:?}");
    }
    assert_eq!((scene.names("").len(), scene.standings()), (0, vec![]));
    scene.apply(1, packed(7, 5)).unwrap();
    assert_eq!(scene.read("a"), "shown");
}

#[test]
fn batches_that_contradict_themselves_are_refused() {
    let scene = Scene::new();
    scene.write("f", "f");
    let link = |path: &str, target: &[u8]| scene.step(path, Act::PutSymlink(target.to_vec()));
    let mut climbing = scene.put("x", "x");
    let Act::PutFile(file) = &mut climbing.act else { panic!() };
    file.name = b"../x".to_vec();
    let cases = [
        (vec![], BatchFault::Count),
        (vec![scene.put("a", "1"), scene.put("a", "2")], BatchFault::Twice),
        (vec![scene.step("a", Act::Remove)], BatchFault::Expected),
        (vec![scene.step("a", Act::SetExecutable(true))], BatchFault::Expected),
        (vec![scene.put("a", "1"), scene.put("a/b", "1")], BatchFault::Below),
        (vec![link("a", b"")], BatchFault::Name),
        (vec![climbing], BatchFault::Name),
    ];
    for (steps, wanted) in cases {
        match scene.apply(1, steps) {
            Err(ApplyError::Batch { fault, .. }) => assert_eq!(fault, wanted),
            other => panic!("{wanted:?}: {other:?}"),
        }
    }
    assert_eq!(scene.names(""), ["f"]);
}

#[test]
fn two_applies_at_once_are_one_and_a_refusal() {
    let scene = Scene::new();
    let state = scene.open("state");
    let held = place::State::lock(state.as_fd()).unwrap();
    assert!(matches!(scene.apply(1, vec![scene.put("a", "1")]), Err(ApplyError::Busy)));
    assert!(matches!(scene.undo(1, 2), Err(ApplyError::Busy)));
    assert!(matches!(recover(scene.open("tree").as_fd(), state.as_fd()), Err(ApplyError::Busy)));
    drop(held);
    scene.apply(1, vec![scene.put("a", "1")]).unwrap();
    assert!(matches!(scene.apply(1, vec![scene.put("b", "1")]), Err(ApplyError::IdTaken { .. })));
}

#[test]
fn an_apply_that_was_cut_off_stands_in_the_way_of_the_next_until_it_is_recovered() {
    let scene = Scene::new();
    fs::create_dir(scene.place.path().join("state").join(Standing::Pending.name(name(7)))).unwrap();
    assert!(matches!(scene.apply(1, vec![scene.put("a", "1")]), Err(ApplyError::Unrecovered { .. })));
    assert_eq!(scene.recover(), [Recovered::TakenBack { id: name(7), left: vec![] }]);
    assert_eq!(scene.recover(), []);
    scene.apply(1, vec![scene.put("a", "1")]).unwrap();
    forget(scene.open("state").as_fd(), name(1)).unwrap();
    assert!(matches!(scene.undo(1, 2), Err(ApplyError::Unknown { .. })));
}

/// Applies and undoes while an editor saves in a loop, at times often and at times seldom.
fn against_an_editor(save: fn(&Path, u32)) {
    let scene = Scene::new();
    for file in ["a", "edited", "z"] {
        scene.write(file, "old");
    }
    let (stop, path) = (AtomicBool::new(false), scene.at("edited"));
    let saved = std::thread::scope(|scope| {
        let editor = scope.spawn(|| {
            let mut saved = 0;
            while !stop.load(Ordering::Relaxed) {
                saved += 1;
                save(&path, saved);
                // From 0.2 to 200 ms: shorter and longer than an apply takes.
                std::thread::sleep(std::time::Duration::from_micros(200 << (saved % 11)));
            }
            saved
        });
        let ending = Stopping(&stop);
        let (mut applied, mut refused) = (0, 0);
        for id in 1..=120 {
            if applied >= 5 && refused >= 5 {
                break;
            }
            let steps = vec![scene.put("a", "new"), scene.put("edited", "new"), scene.put("z", "new")];
            match scene.apply(id, steps) {
                Ok(_) => {
                    applied += 1;
                    scene.undo(id, id + 120).map(|_| ()).or_else(refused_by_the_editor).unwrap();
                }
                Err(error) => {
                    refused += 1;
                    refused_by_the_editor(error).unwrap();
                }
            }
            assert_eq!(scene.recover(), []);
            assert_eq!(scene.read("a"), scene.read("z"), "wholly or not at all");
            scene.write("a", "old");
            scene.write("z", "old");
        }
        assert!(applied > 0 && refused > 0, "applied {applied} times, refused {refused} times");
        drop(ending);
        editor.join().unwrap()
    });
    assert!(saved > 1, "the editor saved {saved} times only");
}

/// Ends the editor also when an assertion fails, which would wait for it.
struct Stopping<'a>(&'a AtomicBool);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn refused_by_the_editor(error: ApplyError) -> Result<(), ApplyError> {
    let edited = |path: &WorkspacePath| path.as_bytes() == b"edited";
    let refused = |found: &[Conflict]| found.iter().all(|conflict| edited(&conflict.path));
    let by_the_editor = matches!(&error, ApplyError::Conflicts(found) if refused(found))
        || matches!(&error, ApplyError::Abandoned { left, .. } if left.iter().all(edited));
    if by_the_editor { Ok(()) } else { Err(error) }
}

#[test]
fn an_editor_that_saves_by_rename_in_a_loop_loses_nothing_and_leaves_nothing_half_done() {
    against_an_editor(|path, number| {
        let beside = path.with_extension("swp");
        fs::write(&beside, format!("edit {number}")).unwrap();
        fs::rename(&beside, path).unwrap();
    });
}

#[test]
fn an_editor_that_writes_in_place_in_a_loop_leaves_nothing_half_done() {
    against_an_editor(|path, number| fs::write(path, format!("edit {number}")).unwrap());
}

#[test]
fn a_symbolic_link_is_replaced_as_itself_and_never_followed() {
    let scene = Scene::new();
    let outside = scene.place.path().join("outside");
    fs::write(&outside, "outside").unwrap();
    symlink(&outside, scene.at("link")).unwrap();
    scene.apply(1, vec![scene.put("link", "file now")]).unwrap();
    assert_eq!(
        (fs::read_to_string(&outside).unwrap(), scene.read("link")),
        ("outside".into(), "file now".into())
    );
    scene.undo(1, 2).unwrap();
    assert_eq!(fs::read_link(scene.at("link")).unwrap(), outside);
}

#[test]
fn bits_that_change_who_runs_a_program_are_not_carried_to_new_content() {
    let scene = Scene::new();
    scene.write("f", "old");
    fs::set_permissions(scene.at("f"), fs::Permissions::from_mode(0o6755)).unwrap();
    scene.apply(1, vec![scene.put("f", "new")]).unwrap();
    assert_eq!(scene.mode("f"), 0o644);
    scene.undo(1, 2).unwrap();
    assert_eq!(scene.mode("f"), 0o6755, "the owner's own file comes back as it was");
}

#[test]
fn what_the_owner_edits_between_a_crash_and_the_recovery_stays() {
    for scene in [Scene::new(), Scene::apart()] {
        scene.write("a", "old a");
        scene.write("b", "old b");
        scene
            .apply(1, vec![scene.put("a", "new a"), scene.put("b", "new b"), scene.put("c", "new c")])
            .unwrap();
        // As if it had been cut off just before the commit.
        let state =
            scene.elsewhere.as_ref().map_or(scene.place.path().join("state"), |dir| dir.path().to_owned());
        let pending = state.join(Standing::Pending.name(name(1)));
        fs::rename(state.join(Standing::Applied.name(name(1))), &pending).unwrap();
        if scene.elsewhere.is_some() {
            // The place at the tree's root is gone after a commit: without it nothing can be taken back, and that is said.
            fs::rename(pending.join("committed"), pending.join("journal")).unwrap();
            let error = recover(scene.open("tree").as_fd(), scene.open("state").as_fd()).unwrap_err();
            assert!(matches!(error, ApplyError::Place { .. }), "{error:?}");
            continue;
        }
        fs::rename(pending.join("committed"), pending.join("journal")).unwrap();
        scene.write("a", "owner's edit");
        let left = vec![WorkspacePath::new("a").unwrap()];
        assert_eq!(scene.recover(), [Recovered::TakenBack { id: name(1), left }]);
        assert_eq!((scene.read("a"), scene.read("b")), ("owner's edit".into(), "old b".into()));
        assert_eq!(scene.standings(), [(name(1), Standing::Abandoned)]);
        let kept = state.join(Standing::Abandoned.name(name(1))).join("0");
        assert_eq!(fs::read_to_string(kept).unwrap(), "old a");
    }
}

#[test]
fn another_tree_than_the_one_that_was_cut_off_is_left_alone() {
    let scene = Scene::new();
    scene.apply(1, vec![scene.put("a", "1")]).unwrap();
    let state = scene.place.path().join("state");
    fs::rename(state.join(Standing::Applied.name(name(1))), state.join(Standing::Pending.name(name(1))))
        .unwrap();
    let other = scene.open("staged");
    let error = recover(other.as_fd(), scene.open("state").as_fd()).unwrap_err();
    assert!(matches!(error, ApplyError::OtherTree { .. }), "{error:?}");
    assert_eq!(scene.recover(), [Recovered::Finished { id: name(1) }]);
}

#[test]
fn what_the_owner_edited_after_it_was_put_is_not_noted_as_put() {
    let scene = Scene::new();
    for path in ["mode", "same", "gone"] {
        scene.write(path, "old");
    }
    symlink("old", scene.at("link")).unwrap();
    symlink("old", scene.at("kept")).unwrap();
    let (mode, link) = (|| Act::SetExecutable(true), |target: &str| Act::PutSymlink(target.into()));
    scene
        .apply(
            1,
            vec![
                scene.step("mode", mode()),
                scene.step("same", mode()),
                scene.step("gone", Act::Remove),
                scene.step("link", link("new")),
                scene.step("kept", link("new")),
            ],
        )
        .unwrap();
    // Between the apply and the note of it, as after a crash.
    scene.write("mode", "the owner's");
    scene.write("gone", "the owner's");
    fs::remove_file(scene.at("link")).unwrap();
    symlink("the owner's", scene.at("link")).unwrap();
    let tree = scene.open("tree");
    let put = put_by(scene.open("state").as_fd(), name(1)).unwrap();
    let still = put.iter().filter(|put| put.lies_in(tree.as_fd()).unwrap());
    let still: Vec<&[u8]> = still.map(|put| put.path.as_bytes()).collect();
    assert_eq!(still, [b"kept", b"same"]);
}

#[test]
fn undoing_a_mode_leaves_the_mode_of_another_file_that_the_owner_put_there_since() {
    let scene = Scene::new();
    scene.write("script", "old");
    scene.apply(1, vec![scene.step("script", Act::SetExecutable(true))]).unwrap();
    // As an editor saves.
    scene.write("aside", "the owner's");
    fs::set_permissions(scene.at("aside"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(scene.at("aside"), scene.at("script")).unwrap();
    assert_eq!(conflicts(scene.undo(1, 2)), [("script".to_owned(), ConflictReason::Changed)]);
    assert_eq!((scene.mode("script"), scene.read("script").as_str()), (0o755, "the owner's"));
}
