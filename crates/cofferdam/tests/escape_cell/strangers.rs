//! What other users of the machine put where the owner works: a `.git` above, a store or a directory to borrow from.

use std::fs;
use std::path::{Path, PathBuf};

use cofferdam_testkit::{Invocation, Owner};

use super::scene::Scene;

/// A uid of nobody's, beyond those that the tests give to owners.
const STRANGER: u32 = 61_190;

/// Gives `path` and all below it to somebody else. Only root can.
#[track_caller]
fn give_away(path: &Path) {
    assert_eq!(
        Owner::current(),
        Owner::Root,
        "another user's files can be made by root only: sudo make test"
    );
    let pending = &mut vec![path.to_owned()];
    while let Some(path) = pending.pop() {
        std::os::unix::fs::lchown(&path, Some(STRANGER), Some(STRANGER)).unwrap();
        if path.symlink_metadata().unwrap().is_dir() {
            pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
}

fn cofferdam(scene: &Scene, at: &Path, words: &[&str]) -> Invocation {
    scene.home.cofferdam().in_directory(at).args(words)
}

/// The workspace, and what is beside it: as in a directory that all may write to.
fn shown_from(scene: &Scene, at: &Path) -> String {
    let run = cofferdam(scene, at, &["run", "--rm", "--", "/bin/sh", "-c", "ls -A ..; ls -d ../.git; true"]);
    run.run().assert_success().stdout()
}

#[test]
fn a_repository_of_somebody_else_above_widens_nothing() {
    let scene = Scene::set();
    let above = scene.home.repo("above");
    above.write("word.txt", "beside\n");
    above.commit("first");
    let below = scene.home.directory("above/mine");
    let shown = shown_from(&scene, &below);
    assert!(shown.contains("word.txt") && shown.contains(".git"), "the control: one's own is used: {shown}");
    give_away(&above.path().join(".git"));
    let shown = shown_from(&scene, &below);
    assert_eq!(shown, "mine\n", "neither the top level nor its git directory");
    // Named as a workspace itself, it does not bring that git directory along either.
    let run = cofferdam(&scene, &below, &["run", "--rm", "-w", ".", "--", "ls", "-A", ".."]).run();
    assert_eq!(run.assert_success().stdout(), "mine\n");
}

#[test]
fn a_pointer_to_a_repository_of_somebody_else_above_is_not_followed() {
    let scene = Scene::set();
    let other = scene.home.repo("other");
    other.commit("first");
    let linked = other.worktree("above");
    let below = scene.home.directory("above/mine");
    let run = |flags: &[&str]| {
        let run = cofferdam(&scene, &below, &["run", "--rm"]).args(flags).args(["--", "ls", "-d"]);
        run.arg(other.path().join(".git")).run()
    };
    assert!(run(&["-w", "."]).status.success(), "the control: one's own is followed");
    give_away(&linked.path().join(".git"));
    assert!(!run(&["-w", "."]).status.success());
    assert!(!run(&[]).status.success());
}

/// A repository that borrows from `store` by what `borrow` writes.
fn lending(scene: &Scene, borrow: impl Fn(&Path, &Path)) -> (PathBuf, PathBuf) {
    let lender = scene.home.repo("lender");
    lender.write("file", "one\n");
    lender.commit("first");
    let storage = lender.path().join(".git/lfs/objects/ab");
    scene.home.directory(&storage);
    borrow(&scene.project(), lender.path());
    (scene.project(), lender.path().to_owned())
}

#[test]
fn stores_of_somebody_else_are_not_lent() {
    type Borrow = (&'static str, &'static str, fn(&Scene, &Path, &Path));
    let ways: [Borrow; 2] = [
        ("alternates", ".git/objects", |scene, borrower, lender| {
            let line = format!("{}\n", lender.join(".git/objects").display());
            scene.home.write(borrower.join(".git/objects/info/alternates"), line);
        }),
        ("storage of large files", ".git/lfs", |scene, _, lender| {
            let lfs = lender.join(".git/lfs").display().to_string();
            scene.home.repo("project").git(["config", "lfs.storage", &lfs]);
        }),
    ];
    for (what, store, borrow) in ways {
        let scene = Scene::set();
        let (borrower, lender) = lending(&scene, |borrower, lender| borrow(&scene, borrower, lender));
        let run = || cofferdam(&scene, &borrower, &["run", "--rm", "--", "ls"]).arg(lender.join(store)).run();
        assert!(run().status.success(), "the control: {what} of one's own");
        give_away(&lender.join(store));
        let refused = run();
        assert!(!refused.status.success(), "{what}: {refused}");
        assert!(refused.stderr().contains("another user"), "{what}: {refused}");
    }
}
