//! What counts as a change, in layers and copies made by hand.

use super::*;
use cofferdam_policy::mask::default_masks;
use proptest::prelude::*;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{CWD, FileType, Mode, OFlags, XattrFlags};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// An upper layer made by hand, as the kernel would leave it: no mount is needed to read one.
struct Scene {
    directory: tempfile::TempDir,
    hidden: Vec<WorkspacePath>,
}

fn open(path: &Path) -> OwnedFd {
    rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap()
}

impl Scene {
    fn new(lower: &[&str]) -> Self {
        let scene = Self { directory: tempfile::tempdir().unwrap(), hidden: Vec::new() };
        fs::create_dir_all(scene.path("lower/")).unwrap();
        fs::create_dir_all(scene.path("upper/")).unwrap();
        lower.iter().for_each(|file| scene.write(&format!("lower/{file}"), "old"));
        scene
    }

    fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    fn write(&self, file: &str, content: &str) {
        fs::create_dir_all(self.path(file).parent().unwrap()).unwrap();
        fs::write(self.path(file), content).unwrap();
    }

    fn whiteout(&self, path: &str) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        rustix::fs::mknodat(CWD, self.path(path), FileType::CharacterDevice, Mode::empty(), 0).unwrap();
    }

    fn opaque(&self, path: &str) {
        fs::create_dir_all(self.path(path)).unwrap();
        rustix::fs::setxattr(self.path(path), "user.overlay.opaque", b"y", XattrFlags::empty()).unwrap();
    }

    fn try_read(&self) -> Result<ChangeSummary, ChangeError> {
        let masks = MaskSet::new(default_masks().unwrap()).unwrap();
        let lower = open(&self.path("lower"));
        let query =
            ChangeQuery { original: lower.as_fd(), masks: &masks, hidden: &self.hidden, entries_max: 1000 };
        of_upper(open(&self.path("upper")).as_fd(), &query)
    }

    fn read(&self) -> Vec<(String, Change, FileKind)> {
        let summary = self.try_read().unwrap();
        assert!(!summary.truncated);
        summary.entries.into_iter().map(|entry| (entry.path.to_string(), entry.change, entry.kind)).collect()
    }
}

fn entry(path: &str, change: Change, kind: FileKind) -> (String, Change, FileKind) {
    (path.to_owned(), change, kind)
}

#[test]
fn added_modified_deleted_and_retyped_files_are_told_apart() {
    let scene =
        Scene::new(&["a/kept", "a/changed", "a/gone", "a/sub/x", "a/becomes-directory", "a/becomes-file/y"]);
    scene.write("upper/a/changed", "new");
    scene.write("upper/a/added", "new");
    scene.whiteout("upper/a/gone");
    scene.whiteout("upper/a/never-was");
    scene.write("upper/a/becomes-directory/z", "new");
    scene.write("upper/a/becomes-file", "new");
    symlink("x", scene.path("upper/a/link")).unwrap();
    assert_eq!(
        scene.read(),
        [
            entry("a/added", Change::Added, FileKind::File),
            entry("a/becomes-directory", Change::Type, FileKind::Directory),
            entry("a/becomes-file", Change::Type, FileKind::File),
            entry("a/changed", Change::Modified, FileKind::File),
            entry("a/gone", Change::Deleted, FileKind::File),
            entry("a/link", Change::Added, FileKind::Symlink),
            entry("a/becomes-directory/z", Change::Added, FileKind::File),
        ]
    );
}

#[test]
fn what_was_only_copied_up_is_no_change() {
    let scene = Scene::new(&["a/b/file"]);
    scene.write("upper/a/b/file", "old");
    symlink("target", scene.path("lower/link")).unwrap();
    symlink("target", scene.path("upper/link")).unwrap();
    assert_eq!(scene.read(), []);
    assert!(scene.try_read().unwrap().is_empty());
}

#[test]
fn other_permissions_and_other_targets_are_changes() {
    let scene = Scene::new(&["script", "both"]);
    scene.write("upper/script", "old");
    scene.write("upper/both", "new content");
    for (path, mode) in
        [("lower/script", 0o644), ("upper/script", 0o755), ("lower/both", 0o644), ("upper/both", 0o600)]
    {
        fs::set_permissions(scene.path(path), fs::Permissions::from_mode(mode)).unwrap();
    }
    symlink("one", scene.path("lower/link")).unwrap();
    symlink("other", scene.path("upper/link")).unwrap();
    let summary = scene.try_read().unwrap();
    assert_eq!((summary.mode, summary.modified, summary.total()), (1, 2, 3));
    let permissions: Vec<_> = summary.entries.iter().map(|entry| entry.permissions).collect();
    assert_eq!(permissions, [Some((0o644, 0o600)), None, Some((0o644, 0o755))]);
}

#[test]
fn an_opaque_directory_deletes_what_it_does_not_hold() {
    let scene = Scene::new(&["d/same", "d/changed", "d/gone", "d/sub/inner", "d/sub/kept", "d/deep/x"]);
    scene.opaque("upper/d");
    scene.write("upper/d/same", "old");
    scene.write("upper/d/changed", "new");
    scene.write("upper/d/sub/kept", "old");
    assert_eq!(
        scene.read(),
        [
            entry("d/changed", Change::Modified, FileKind::File),
            entry("d/deep", Change::Deleted, FileKind::Directory),
            entry("d/gone", Change::Deleted, FileKind::File),
            entry("d/sub/inner", Change::Deleted, FileKind::File),
        ]
    );
}

#[test]
fn a_whiteout_by_attribute_counts_as_one() {
    let scene = Scene::new(&["gone", "emptied"]);
    scene.write("upper/gone", "");
    scene.write("upper/emptied", "");
    rustix::fs::setxattr(scene.path("upper/gone"), "user.overlay.whiteout", b"", XattrFlags::empty())
        .unwrap();
    rustix::fs::setxattr(scene.path("upper/emptied"), "user.overlay.origin", b"x", XattrFlags::empty())
        .unwrap();
    assert_eq!(
        scene.read(),
        [entry("emptied", Change::Modified, FileKind::File), entry("gone", Change::Deleted, FileKind::File)]
    );
}

#[test]
fn git_directories_are_counted_and_not_listed() {
    let scene = Scene::new(&[".git/config", "sub/.git/HEAD"]);
    scene.write("upper/.git/index", "x");
    scene.write("upper/.git/refs/heads/main", "x");
    scene.write("upper/sub/.git", "gitdir: /etc");
    scene.write("upper/new/.git/hooks/pre-commit", "x");
    let summary = scene.try_read().unwrap();
    assert_eq!(summary.git_internal, 4);
    assert_eq!(scene.read(), [entry("new", Change::Added, FileKind::Directory)]);
}

#[test]
fn a_branch_that_is_called_index_is_work_and_an_index_is_not() {
    for (path, kept) in [
        (".git/index", 0),
        ("sub/.git/index", 0),
        (".git/worktrees/linked/index", 0),
        (".git/modules/deep/name/index", 0),
        (".git/refs/heads/index", 1),
        (".git/logs/refs/heads/index", 1),
        (".git/worktrees/linked/logs/index", 1),
        (".git/modules/deep/refs/tags/index", 1),
        (".git/hooks/index", 1),
        (".git/HEAD", 1),
    ] {
        let scene = Scene::new(&[".git/config", "sub/.git/HEAD"]);
        scene.write(&format!("upper/{path}"), "x");
        assert_eq!(scene.try_read().unwrap().git_kept, kept, "{path}");
    }
    assert!(
        is_index(b"index") && !is_index(b"refs/heads/index"),
        "of a git directory that is mounted on its own"
    );
}

#[test]
fn what_the_agent_made_under_a_masked_name_is_pointed_out() {
    let mut scene = Scene::new(&[".env", "a/.env", "b/x"]);
    scene.hidden =
        [".env", "a/.env", "b/secret"].map(|path| WorkspacePath::new(path.as_bytes()).unwrap()).to_vec();
    // Made and removed again: the owner's file, which the agent never saw, is not deleted by that.
    scene.whiteout("upper/.env");
    scene.write("upper/a/.env", "FORGED=1");
    scene.write("upper/.ssh/config", "x");
    // With the directory the hidden file would go too.
    scene.whiteout("upper/b");
    let summary = scene.try_read().unwrap();
    let masked: Vec<_> =
        summary.entries.iter().map(|entry| (entry.path.to_string(), entry.change, entry.masked)).collect();
    assert_eq!(
        masked,
        [
            (".ssh".to_owned(), Change::Added, true),
            ("b".to_owned(), Change::Deleted, true),
            (".ssh/config".to_owned(), Change::Added, true),
            ("a/.env".to_owned(), Change::Modified, true),
        ]
    );
    assert_eq!(summary.masked, 4);
}

#[test]
fn what_was_hidden_is_not_deleted_by_an_opaque_directory() {
    let mut scene = Scene::new(&["d/.env", "d/asked-for", "d/file"]);
    scene.hidden = vec![WorkspacePath::new(b"d/asked-for".as_slice()).unwrap()];
    scene.opaque("upper/d");
    assert_eq!(scene.read(), [entry("d/file", Change::Deleted, FileKind::File)]);
}

#[test]
fn links_planted_by_the_agent_are_not_followed() {
    let scene = Scene::new(&["d/file"]);
    fs::create_dir(scene.path("outside")).unwrap();
    scene.write("outside/secret", "x");
    symlink(scene.path("outside"), scene.path("upper/d")).unwrap();
    symlink("/etc/passwd", scene.path("upper/file")).unwrap();
    assert_eq!(
        scene.read(),
        [entry("d", Change::Type, FileKind::Symlink), entry("file", Change::Added, FileKind::Symlink)]
    );
}

#[test]
fn special_files_are_named_as_such() {
    let scene = Scene::new(&[]);
    rustix::fs::mknodat(CWD, scene.path("upper/fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(scene.path("upper/socket")).unwrap();
    assert_eq!(
        scene.read(),
        [entry("fifo", Change::Added, FileKind::Special), entry("socket", Change::Added, FileKind::Special)]
    );
}

#[test]
fn a_directory_without_permissions_asks_for_privilege_and_is_never_skipped() {
    let scene = Scene::new(&[]);
    scene.write("upper/closed/file", "x");
    fs::set_permissions(scene.path("upper/closed"), fs::Permissions::from_mode(0o000)).unwrap();
    let answer = scene.try_read();
    fs::set_permissions(scene.path("upper/closed"), fs::Permissions::from_mode(0o700)).unwrap();
    if rustix::process::geteuid().is_root() {
        assert_eq!(answer.unwrap().added, 2);
    } else {
        assert!(matches!(answer, Err(ChangeError::NeedsPrivilege { path }) if path == "closed"));
    }
}

#[test]
fn names_that_are_no_text_are_listed_visibly() {
    let scene = Scene::new(&[]);
    let name = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"a\xff\n\x1b[2J");
    fs::write(scene.path("upper").join(name), "x").unwrap();
    assert_eq!(scene.read(), [entry("a\\xff\\n\\u{1b}[2J", Change::Added, FileKind::File)]);
}

#[test]
fn a_tree_deeper_than_any_path_is_read() {
    let scene = Scene::new(&[]);
    let name = "d".repeat(200);
    let mut fd = open(&scene.path("upper"));
    for _ in 0..120 {
        rustix::fs::mkdirat(&fd, name.as_str(), Mode::RWXU).unwrap();
        fd = rustix::fs::openat(&fd, name.as_str(), OFlags::RDONLY, Mode::empty()).unwrap();
    }
    let summary = scene.try_read().unwrap();
    assert!(summary.truncated && summary.added > 70, "{}", summary.added);
    crate::discard::remove(open(scene.directory.path()).as_fd(), b"upper").unwrap();
}

#[test]
fn a_long_list_is_cut_and_counted_to_the_end() {
    let scene = Scene::new(&[]);
    for number in 0..1200 {
        scene.write(&format!("upper/f{number}"), "");
    }
    let summary = scene.try_read().unwrap();
    assert_eq!((summary.added, summary.entries.len(), summary.truncated), (1200, 1000, true));
}

#[test]
fn a_summary_survives_its_json() {
    let scene = Scene::new(&["gone", "a/changed"]);
    scene.whiteout("upper/gone");
    scene.write("upper/a/changed", "new");
    scene.write("upper/a/b\\n\u{202e}", "new");
    let summary = scene.try_read().unwrap();
    let text = serde_json::to_string(&summary).unwrap();
    assert!(!text.contains('\u{202e}'));
    assert_eq!(serde_json::from_str::<ChangeSummary>(&text).unwrap(), summary);
}

/// What an agent may do to one of a few names.
#[derive(Debug, Clone)]
enum Deed {
    Write(usize, u8),
    Remove(usize),
    Nothing,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        (0..6_usize, 0..3_u8).prop_map(|(name, content)| Deed::Write(name, content)),
        (0..6_usize).prop_map(Deed::Remove),
        Just(Deed::Nothing),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Against the plain definition: a path is changed if and only if what the overlay shows differs from the original.
    #[test]
    fn the_summary_tells_exactly_what_differs(before in prop::collection::vec(prop::option::of(0..3_u8), 6), deeds in prop::collection::vec(deed(), 0..10)) {
        let scene = Scene::new(&[]);
        let name = |number: usize| format!("d{}/f{number}", number % 2);
        let mut shown = before.clone();
        for (number, content) in before.iter().enumerate() {
            if let Some(content) = content {
                scene.write(&format!("lower/{}", name(number)), &content.to_string());
            }
        }
        fs::create_dir_all(scene.path("lower/d0")).unwrap();
        fs::create_dir_all(scene.path("lower/d1")).unwrap();
        for deed in deeds {
            let (number, content) = match deed {
                Deed::Write(number, content) => (number, Some(content)),
                Deed::Remove(number) => (number, None),
                Deed::Nothing => continue,
            };
            let upper = format!("upper/{}", name(number));
            if let Err(error) = fs::remove_file(scene.path(&upper)) {
                prop_assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
            }
            match content {
                Some(content) => scene.write(&upper, &content.to_string()),
                None if before[number].is_some() => scene.whiteout(&upper),
                None => {}
            }
            shown[number] = content;
        }
        let mut expected: Vec<_> = (0..6).filter(|n| before[*n] != shown[*n]).map(|n| {
            let change = match (before[n], shown[n]) {
                (None, _) => Change::Added,
                (_, None) => Change::Deleted,
                _ => Change::Modified,
            };
            entry(&name(n), change, FileKind::File)
        }).collect();
        expected.sort();
        prop_assert_eq!(scene.read(), expected);
    }
}
