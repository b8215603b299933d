//! Copies of trees with all that a tree can hold.

use super::*;
use crate::changes::{self, Change, ChangeQuery, ChangeSummary};
use cofferdam_policy::mask::{MaskSet, default_masks};
use rustix::fs::CWD;
use std::fs;
use std::io::{Seek, SeekFrom as IoSeekFrom, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

struct Scene {
    directory: tempfile::TempDir,
}

fn open(path: &Path) -> OwnedFd {
    rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap()
}

fn path(text: &str) -> WorkspacePath {
    WorkspacePath::new(text.as_bytes()).unwrap()
}

impl Scene {
    fn new() -> Self {
        let scene = Self { directory: tempfile::tempdir().unwrap() };
        fs::create_dir_all(scene.original("a/b")).unwrap();
        fs::write(scene.original("a/file"), "content").unwrap();
        fs::write(scene.original("a/b/.env"), "SECRET=1").unwrap();
        fs::write(scene.original("script"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(scene.original("script"), fs::Permissions::from_mode(0o750)).unwrap();
        symlink("../outside", scene.original("a/link")).unwrap();
        scene
    }

    fn original(&self, path: &str) -> PathBuf {
        self.directory.path().join("original").join(path)
    }

    fn copied(&self, path: &str) -> PathBuf {
        self.directory.path().join("copy").join(path)
    }

    fn copy(&self, plan: &VeilPlan) -> Copied {
        let original = open(&self.original(""));
        let place = open(self.directory.path());
        copy_tree(original.as_fd(), place.as_fd(), b"copy", plan, Ownership::AsIs, &mut |_| {}).unwrap()
    }

    fn changes(&self, copied: &Copied) -> ChangeSummary {
        let masks = MaskSet::new(default_masks().unwrap()).unwrap();
        let hidden: Vec<_> = copied.left_out.iter().map(|left_out| left_out.path.clone()).collect();
        let original = open(&self.original(""));
        let query =
            ChangeQuery { original: original.as_fd(), masks: &masks, hidden: &hidden, entries_max: 100 };
        changes::of_copy(copied.fd.as_fd(), copied.finished, &query).unwrap()
    }
}

#[test]
fn content_permissions_times_and_links_are_the_originals() {
    let scene = Scene::new();
    let copied = scene.copy(&VeilPlan::default());
    assert_eq!((copied.directories, copied.symlinks, copied.progress.files), (3, 1, 3));
    assert_eq!(fs::read(scene.copied("a/file")).unwrap(), b"content");
    assert_eq!(fs::read_link(scene.copied("a/link")).unwrap(), Path::new("../outside"));
    for file in ["", "a", "a/b", "a/file", "script", "a/link"] {
        let (one, other) = (
            fs::symlink_metadata(scene.original(file)).unwrap(),
            fs::symlink_metadata(scene.copied(file)).unwrap(),
        );
        assert_eq!(
            (one.mode(), one.mtime(), one.mtime_nsec()),
            (other.mode(), other.mtime(), other.mtime_nsec()),
            "{file}"
        );
    }
    assert!(scene.changes(&copied).is_empty());
}

#[test]
fn what_is_hidden_is_left_out_and_what_is_replaced_is_replaced() {
    let scene = Scene::new();
    let mut plan = VeilPlan::default();
    plan.hide(path("a/b/.env"));
    plan.hide_beforehand(path(".npmrc"));
    plan.replace(path("a/file"), b"clean".to_vec(), 0o600);
    let copied = scene.copy(&plan);
    assert_eq!(copied.left_out, [LeftOut { path: path("a/b/.env"), reason: LeftOutReason::Masked }]);
    assert!(!scene.copied("a/b/.env").exists());
    assert_eq!(fs::read(scene.copied("a/file")).unwrap(), b"clean");
}

#[test]
fn sockets_and_fifos_are_left_out_and_are_no_deletions() {
    let scene = Scene::new();
    let _socket = UnixListener::bind(scene.original("socket")).unwrap();
    rustix::fs::mknodat(CWD, scene.original("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let copied = scene.copy(&VeilPlan::default());
    let left_out: Vec<_> = copied.left_out.iter().map(|l| (l.path.to_string(), l.reason)).collect();
    assert_eq!(
        left_out,
        [("fifo".to_owned(), LeftOutReason::Special), ("socket".to_owned(), LeftOutReason::Special)]
    );
    assert!(scene.changes(&copied).is_empty());
}

#[test]
fn holes_stay_holes() {
    let scene = Scene::new();
    let mut file = fs::File::create(scene.original("sparse")).unwrap();
    file.seek(IoSeekFrom::Start(50 << 20)).unwrap();
    file.write_all(b"end").unwrap();
    drop(file);
    scene.copy(&VeilPlan::default());
    let copy = fs::metadata(scene.copied("sparse")).unwrap();
    assert_eq!(copy.len(), (50 << 20) + 3);
    assert!(copy.blocks() < 1000, "{}", copy.blocks());
    assert!(fs::read(scene.copied("sparse")).unwrap().ends_with(b"\0end"));
}

#[test]
fn what_was_changed_in_the_copy_is_found() {
    let scene = Scene::new();
    let copied = scene.copy(&VeilPlan::default());
    fs::write(scene.copied("a/file"), "CONTENT").unwrap();
    fs::remove_file(scene.copied("script")).unwrap();
    fs::create_dir(scene.copied("new")).unwrap();
    let summary = scene.changes(&copied);
    let entries: Vec<_> =
        summary.entries.iter().map(|entry| (entry.path.to_string(), entry.change)).collect();
    let expected = [("new", Change::Added), ("script", Change::Deleted), ("a/file", Change::Modified)];
    assert_eq!(entries, expected.map(|(path, change)| (path.to_owned(), change)));
}

#[test]
fn a_change_with_its_time_set_back_is_found() {
    let scene = Scene::new();
    let copied = scene.copy(&VeilPlan::default());
    // The kernel's clock for time stamps moves in ticks.
    std::thread::sleep(std::time::Duration::from_millis(20));
    let time = fs::metadata(scene.copied("a/file")).unwrap().modified().unwrap();
    fs::write(scene.copied("a/file"), "CONTENT").unwrap();
    fs::File::options().write(true).open(scene.copied("a/file")).unwrap().set_modified(time).unwrap();
    assert_eq!(scene.changes(&copied).modified, 1);
}

#[test]
fn progress_is_told_and_ends_with_the_whole() {
    let scene = Scene::new();
    let mut told = Vec::new();
    let (original, place) = (open(&scene.original("")), open(scene.directory.path()));
    let plan = VeilPlan::default();
    let copied =
        copy_tree(original.as_fd(), place.as_fd(), b"copy", &plan, Ownership::AsIs, &mut |p| told.push(p))
            .unwrap();
    assert_eq!(told.last(), Some(&copied.progress));
    assert_eq!(copied.progress.bytes, 7 + 8 + 10);
}
