//! Apply on ground that refuses it: mounts inside, read-only and full file systems, directories and files that can't be
//! changed. Each is refused by name with nothing half done, and each has a control that goes through.
//!
//! Mounts are made in namespaces of the test's own.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, also in its helpers")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Given out by nobody.
const UNUSED_UID: u32 = 61_000;

const SECOND: &str = "00000000000000a2";

struct Scene {
    place: tempfile::TempDir,
}

impl Scene {
    /// A tree with `a` and `sub/b`, and a batch that changes both and makes `sub/new`.
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let scene = Self { place };
        for directory in ["tree", "tree/sub", "state", "staged"] {
            fs::create_dir(scene.at(directory)).unwrap();
        }
        fs::write(scene.at("tree/a"), "old a").unwrap();
        fs::write(scene.at("tree/sub/b"), "old b").unwrap();
        fs::write(scene.at("staged/x"), "new").unwrap();
        fs::write(scene.at("staged/batch"), "put a x\nput sub/b x\nput sub/new x\n").unwrap();
        fs::copy(program(), scene.at("applying")).unwrap();
        scene
    }

    fn at(&self, path: &str) -> PathBuf {
        self.place.path().join(path)
    }

    /// Runs `script` in mount and user namespaces of its own, in the scene's directory.
    fn in_namespaces(&self, script: &str) -> Output {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-euc", script]);
        command.current_dir(self.place.path()).output().unwrap()
    }

    fn is_before(&self) -> bool {
        let read = |path: &str| fs::read_to_string(self.at(path)).unwrap();
        (read("tree/a"), read("tree/sub/b")) == ("old a".into(), "old b".into())
            && !self.at("tree/sub/new").exists()
            && names(&self.at("tree")) == ["a", "sub"]
            && names(&self.at("state")).iter().all(|name| name == "lock")
    }

    #[track_caller]
    fn assert_refused(&self, output: &Output, why: &str) {
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{told}");
        assert!(told.contains(why), "{told}");
        assert!(self.is_before(), "{told}");
    }

    /// Once nothing is in the way, the same batch goes through.
    #[track_caller]
    fn assert_applies(&self) {
        let output = self.in_namespaces(&format!("./applying apply tree state staged {SECOND}"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let put = fs::read(self.at("tree/sub/new")).unwrap();
        assert!(put == fs::read(self.at("staged/x")).unwrap(), "another content was put");
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Cargo builds examples with the tests, into a directory beside theirs.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("examples/applying");
    assert!(
        program.is_file(),
        "{} is not built: cargo build -p cofferdam-workspace --examples",
        program.display()
    );
    program
}

const APPLY: &str = "exec ./applying apply tree state staged 00000000000000a1";

#[test]
fn a_mount_inside_the_tree_is_named_and_nothing_is_applied() {
    let scene = Scene::new();
    let script = format!("mount --bind tree/sub tree/sub; {APPLY}");
    scene.assert_refused(&scene.in_namespaces(&script), "cannot apply sub/b: it lies on another file system");
    let script = format!("touch other; mount --bind other tree/a; {APPLY}");
    scene.assert_refused(&scene.in_namespaces(&script), "cannot apply a: it lies on another file system");
    scene.assert_applies();
}

#[test]
fn a_read_only_tree_is_refused_and_nothing_is_left() {
    let scene = Scene::new();
    let script = format!("mount --bind tree tree; mount -o remount,bind,ro tree; {APPLY}");
    scene.assert_refused(&scene.in_namespaces(&script), "Read-only file system");
    scene.assert_applies();
}

#[test]
fn a_full_disk_is_refused_and_what_was_done_is_taken_back() {
    for state in ["full/state", "state"] {
        let scene = Scene::new();
        // A file system with room for the tree and not for what is to be put.
        let script = format!(
            "mkdir full; mount -t tmpfs -o size=64k none full; cp -a tree full/tree; mkdir full/state
             head -c 200000 /dev/zero > staged/x
             status=0; ./applying apply full/tree {state} staged 00000000000000a1 || status=$?
             diff -r tree full/tree
             test \"$(echo $(ls -A full/tree))\" = 'a sub'
             test \"$(ls -A {state})\" = lock
             exit $status"
        );
        scene.assert_refused(&scene.in_namespaces(&script), "No space left");
        scene.assert_applies();
    }
}

#[test]
fn a_directory_without_permission_is_named_and_what_was_done_before_is_taken_back() {
    let scene = Scene::new();
    fs::set_permissions(scene.place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let is_root = rustix::process::geteuid().is_root();
    for path in ["tree", "tree/a", "tree/sub", "tree/sub/b", "state", "staged", "staged/x", "staged/batch"] {
        if is_root {
            std::os::unix::fs::chown(scene.at(path), Some(UNUSED_UID), Some(UNUSED_UID)).unwrap();
        }
    }
    let run = || {
        let mut command = if is_root {
            let mut command = Command::new("setpriv");
            let uid = UNUSED_UID.to_string();
            command.args(["--reuid", &uid, "--regid", &uid, "--clear-groups", "sh", "-euc", APPLY]);
            command
        } else {
            let mut command = Command::new("sh");
            command.args(["-euc", APPLY]);
            command
        };
        command.current_dir(scene.place.path()).output().unwrap()
    };
    fs::set_permissions(scene.at("tree/sub"), fs::Permissions::from_mode(0o555)).unwrap();
    scene.assert_refused(&run(), "cannot change sub/b");
    fs::set_permissions(scene.at("tree/sub"), fs::Permissions::from_mode(0o755)).unwrap();
    let output = run();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn an_immutable_file_is_named_and_what_was_done_before_is_taken_back() {
    use rustix::fs::IFlags;
    if !rustix::process::geteuid().is_root() {
        // Only root makes files immutable; for others the directory without permission above is the same refusal.
        return;
    }
    let scene = Scene::new();
    let file = fs::File::open(scene.at("tree/sub/b")).unwrap();
    let flags = rustix::fs::ioctl_getflags(&file).unwrap();
    rustix::fs::ioctl_setflags(&file, flags | IFlags::IMMUTABLE).unwrap();
    let output = Command::new("sh").args(["-euc", APPLY]).current_dir(scene.place.path()).output().unwrap();
    rustix::fs::ioctl_setflags(&file, flags).unwrap();
    scene.assert_refused(&output, "cannot change sub/b");
    scene.assert_applies();
}
