//! The census against trees that change, links, and broken indexes.

use super::*;
use cofferdam_policy::mask::{default_masks, explicit_mask};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// Later than any stamp of these tests, so that nothing counts as fresh unless a test wants it.
const FAR_FUTURE: i64 = 1 << 40;

struct Scene {
    _directory: tempfile::TempDir,
    root: PathBuf,
    root_fd: OwnedFd,
    cache: OwnedFd,
    masks: MaskSet,
}

fn open(path: &Path) -> OwnedFd {
    rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap()
}

fn scene(files: &[&str]) -> Scene {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("root");
    fs::create_dir_all(&root).unwrap();
    fs::create_dir(directory.path().join("cache")).unwrap();
    let scene = Scene {
        root_fd: open(&root),
        cache: open(&directory.path().join("cache")),
        root,
        masks: MaskSet::new(default_masks().unwrap()).unwrap(),
        _directory: directory,
    };
    files.iter().for_each(|file| scene.touch(file));
    scene
}

impl Scene {
    fn touch(&self, file: &str) {
        let path = self.root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }

    fn take_at(&self, now: i64) -> Census {
        take(self.root_fd.as_fd(), self.cache.as_fd(), &self.masks, now).unwrap()
    }

    fn take(&self) -> Census {
        self.take_at(FAR_FUTURE)
    }

    fn index_file(&self) -> PathBuf {
        let cache = self.root.parent().unwrap().join("cache");
        fs::read_dir(cache).unwrap().next().unwrap().unwrap().path()
    }
}

fn masked(census: &Census) -> Vec<String> {
    census.paths(|finding| finding == Finding::Masked).map(ToString::to_string).collect()
}

#[test]
fn masked_names_are_found_at_any_depth_and_git_directories_are_not_entered() {
    let scene = scene(&[
        ".env",
        "a/b/c/d/.env.local",
        "node_modules/x/.npmrc",
        "a/.env.example",
        ".git/config",
        ".git/x/.env",
        "sub/.git",
        "tls/cert.pem",
        "bare.git/HEAD",
        "bare.git/refs/x",
        "bare.git/objects/aa/.env",
        "bare.git/.env",
    ]);
    fs::create_dir(scene.root.join(".ssh")).unwrap();
    scene.touch(".ssh/id_rsa");
    symlink("/etc", scene.root.join("link")).unwrap();
    let census = scene.take();
    assert_eq!(
        masked(&census),
        [".env", ".ssh", "a/b/c/d/.env.local", "bare.git/.env", "node_modules/x/.npmrc"]
    );
    let other: Vec<(String, Finding)> = census
        .found
        .iter()
        .filter(|f| f.finding != Finding::Masked)
        .map(|f| (f.path.to_string(), f.finding))
        .collect();
    assert_eq!(
        other,
        [
            (".git".to_owned(), Finding::GitDirectory),
            ("bare.git".to_owned(), Finding::BareRepository),
            ("sub/.git".to_owned(), Finding::GitPointer),
            ("tls/cert.pem".to_owned(), Finding::Resembles(Resemblance(SecretName::MayHoldKey))),
        ]
    );
    assert_eq!(census.index, IndexState::Made);
}

#[test]
fn a_second_census_reads_no_directory_and_says_the_same() {
    let scene = scene(&["a/.env", "b/c/x", "d/y"]);
    let first = scene.take();
    let second = scene.take();
    assert_eq!((second.directories_read, second.index), (0, IndexState::Confirmed));
    assert_eq!((second.directories, &second.found), (first.directories, &first.found));
}

#[test]
fn what_changed_is_read_again_and_nothing_else() {
    let scene = scene(&["a/.env", "b/c/x", "d/y", "e/f/.env"]);
    scene.take();
    scene.touch("b/c/new/.npmrc");
    fs::remove_dir_all(scene.root.join("e")).unwrap();
    let census = scene.take();
    assert_eq!(masked(&census), ["a/.env", "b/c/new/.npmrc"]);
    // The root (e is gone), c (new came), and new itself.
    assert_eq!((census.directories_read, census.index), (3, IndexState::Renewed));
    assert_eq!(scene.take().directories_read, 0);
}

#[test]
fn renaming_a_directory_above_moves_what_is_masked_below_it() {
    let scene = scene(&["a/b/c/.env"]);
    scene.take();
    fs::rename(scene.root.join("a"), scene.root.join("z")).unwrap();
    assert_eq!(masked(&scene.take()), ["z/b/c/.env"]);
}

#[test]
fn a_directory_replaced_by_a_link_or_a_file_is_left() {
    let scene = scene(&["a/.env", "b/.env", "c/x/.env"]);
    scene.take();
    fs::remove_dir_all(scene.root.join("a")).unwrap();
    symlink("b", scene.root.join("a")).unwrap();
    fs::remove_dir_all(scene.root.join("c")).unwrap();
    scene.touch("c");
    assert_eq!(masked(&scene.take()), ["b/.env"]);
}

#[test]
fn a_directory_that_changed_in_the_second_of_the_census_is_read_the_next_time() {
    let scene = scene(&["a/x"]);
    let now = fs::metadata(&scene.root).unwrap();
    let now = std::os::unix::fs::MetadataExt::ctime(&now);
    scene.take_at(now);
    assert_eq!(scene.take_at(now + 1).directories_read, 2);
    assert_eq!(scene.take_at(now + 60).directories_read, 2);
    assert_eq!(scene.take_at(now + 60).directories_read, 0);
}

#[test]
fn other_masks_or_a_broken_index_mean_a_full_census() {
    let mut scene = scene(&["a/.env", "a/plain"]);
    scene.take();
    scene.masks = MaskSet::new(vec![explicit_mask("plain").unwrap()]).unwrap();
    let census = scene.take();
    assert_eq!((masked(&census), census.index), (vec!["a/plain".to_owned()], IndexState::Made));
    let index = scene.index_file();
    let mut bytes = fs::read(&index).unwrap();
    for damage in [0, 40, bytes.len() - 1] {
        bytes[damage] ^= 1;
        fs::write(&index, &bytes).unwrap();
        assert_eq!(scene.take().index, IndexState::Made);
    }
    fs::write(&index, &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(masked(&scene.take()), ["a/plain"]);
    assert_eq!(fs::metadata(&index).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_directory_that_refuses_to_be_read_is_named() {
    let scene = scene(&["closed/.env"]);
    fs::set_permissions(scene.root.join("closed"), fs::Permissions::from_mode(0o000)).unwrap();
    let census = scene.take();
    let unreadable: Vec<_> = census.paths(|f| f == Finding::Unreadable).map(ToString::to_string).collect();
    // uid 0 may read everything.
    if rustix::process::geteuid().is_root() {
        assert_eq!(masked(&census), ["closed/.env"]);
    } else {
        assert_eq!(unreadable, ["closed"]);
    }
    fs::set_permissions(scene.root.join("closed"), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(masked(&scene.take()), ["closed/.env"]);
}

#[test]
fn a_tree_deeper_than_the_limit_is_an_error_and_not_half_a_census() {
    let scene = scene(&[]);
    let name = "d".repeat(200);
    let mut fd = open(&scene.root);
    for _ in 0..20 {
        rustix::fs::mkdirat(&fd, name.as_str(), Mode::RWXU).unwrap();
        fd = rustix::fs::openat(&fd, name.as_str(), OFlags::RDONLY, Mode::empty()).unwrap();
    }
    let answer = take(scene.root_fd.as_fd(), scene.cache.as_fd(), &scene.masks, FAR_FUTURE);
    assert!(matches!(answer, Err(CensusError::TooDeep { .. })));
    let parent = open(scene.root.parent().unwrap());
    crate::discard::remove(parent.as_fd(), b"root").unwrap();
}

#[test]
fn two_threads_find_what_one_would() {
    let scene = scene(&[]);
    let mut expected = BTreeSet::new();
    for i in 0..40 {
        for j in 0..20 {
            let masked = (i * j) % 7 == 3;
            let file = format!("d{i}/e{j}/{}", if masked { ".env" } else { "plain" });
            scene.touch(&file);
            if masked {
                expected.insert(file);
            }
        }
    }
    assert_eq!(masked(&scene.take()).into_iter().collect::<BTreeSet<_>>(), expected);
    let again = scene.take();
    assert_eq!((again.directories, again.directories_read), (841, 0));
    for i in 0..40 {
        scene.touch(&format!("d{i}/new/.npmrc"));
        expected.insert(format!("d{i}/new/.npmrc"));
    }
    assert_eq!(masked(&scene.take()).into_iter().collect::<BTreeSet<_>>(), expected);
}
