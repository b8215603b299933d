//! A small tree, a batch that does one of everything to it, and runs of the program that are killed or failed.

use crate::faults::{Call, End, Stage, Traced, end, memory, names, program};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const APPLY: &str = "00000000000000a1";
const UNDO: &str = "00000000000000b1";
const LATER: &str = "00000000000000c1";

/// How long a program that is paused may take.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Where the state directory lies.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Where {
    Beside,
    Elsewhere,
}

/// Path, then mode and content.
type Snapshot = BTreeMap<PathBuf, (u32, Vec<u8>)>;

pub(crate) struct Scene {
    place: tempfile::TempDir,
    state: tempfile::TempDir,
    before: Snapshot,
    after: Snapshot,
}

/// Worth a kill of its own before a recovery that is killed too: the tree or the standing has just changed.
pub(crate) fn is_turning_point(call: &Call) -> bool {
    matches!(call.name.as_str(), "renameat2" | "fchmodat")
}

impl Scene {
    /// A tree to which the batch is still to be applied, or, for an undo, has been.
    pub(crate) fn ready(place: Where, act: &str) -> Self {
        let scene = Self::fresh(place);
        if act == "undo" {
            assert_eq!(scene.run("apply"), End::Done);
            assert!(scene.is_after());
        }
        scene
    }

    fn fresh(place: Where) -> Self {
        let state = match place {
            Where::Beside => tempfile::tempdir_in(memory()),
            Where::Elsewhere => tempfile::tempdir(),
        };
        let mut scene = Self {
            place: tempfile::tempdir_in(memory()).unwrap(),
            state: state.unwrap(),
            before: Snapshot::new(),
            after: Snapshot::new(),
        };
        let (tree, staged) = (scene.tree(), scene.staged());
        for directory in [&tree, &staged, &tree.join("gone"), &tree.join("folder")] {
            fs::create_dir(directory).unwrap();
        }
        for file in ["kept", "edited", "script", "gone/inner", "swapped", "folder/f"] {
            fs::write(tree.join(file), format!("old {file}\n")).unwrap();
        }
        fs::set_permissions(tree.join("edited"), fs::Permissions::from_mode(0o600)).unwrap();
        symlink("kept", tree.join("link")).unwrap();
        for content in ["a", "b", "c", "d"] {
            fs::write(staged.join(content), format!("new {content}\n")).unwrap();
        }
        let batch = "put edited a\ndir new\nput new/deep b x\nmode script x\nremove gone/inner\nremove gone\n\
            link link script\ndir swapped\nput swapped/inside c\nremove folder/f\nput folder d\n";
        fs::write(staged.join("batch"), batch).unwrap();
        scene.before = snapshot(&tree);
        scene.after = Self::expected_after(&scene.before);
        scene
    }

    fn expected_after(before: &Snapshot) -> Snapshot {
        let mut after = before.clone();
        after.retain(|path, _| !path.starts_with("gone") && !path.starts_with("folder"));
        let mut put = |path: &str, mode: u32, content: &str| {
            after.insert(path.into(), (mode, content.into()));
        };
        put("edited", 0o100_600, "new a\n");
        put("new", 0o040_755, "");
        put("new/deep", 0o100_755, "new b\n");
        put("script", 0o100_755, "old script\n");
        put("link", 0o120_777, "script");
        put("swapped", 0o040_755, "");
        put("swapped/inside", 0o100_644, "new c\n");
        put("folder", 0o100_644, "new d\n");
        after
    }

    pub(crate) fn tree(&self) -> PathBuf {
        self.place.path().join("tree")
    }

    fn staged(&self) -> PathBuf {
        self.place.path().join("staged")
    }

    /// Starts the program with a pause before each rename.
    pub(crate) fn start_slowly(&self, act: &str) -> Slow {
        let mut command =
            self.program().strace(&["-e", "trace=renameat2", "-e", "inject=renameat2:delay_enter=250ms"]);
        command.args(self.arguments(act)).stderr(Stdio::piped());
        Slow(command.spawn().unwrap())
    }

    pub(crate) fn wait_until(&self, reached: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !reached(self) {
            assert!(started.elapsed() < WAIT_MAX, "it never came so far");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.tree().join(path)).unwrap()
    }

    pub(crate) fn looks_like(&self, other: &Self) -> bool {
        snapshot(&self.tree()) == snapshot(&other.tree())
    }

    pub(crate) fn is_before(&self) -> bool {
        snapshot(&self.tree()) == self.before
    }

    pub(crate) fn is_after(&self) -> bool {
        snapshot(&self.tree()) == self.after
    }

    pub(crate) fn is_before_act(&self, act: &str) -> bool {
        if act == "undo" { self.is_after() } else { self.is_before() }
    }

    pub(crate) fn is_after_act(&self, act: &str) -> bool {
        if act == "undo" { self.is_before() } else { self.is_after() }
    }

    pub(crate) fn assert_whole(&self, told: &str) {
        assert!(
            self.is_before() || self.is_after(),
            "{told}: the tree is in between: {:#?}",
            snapshot(&self.tree()).keys()
        );
        let pending = names(self.state.path()).into_iter().find(|name| name.starts_with("pending"));
        assert_eq!(pending, None, "{told}: something is pending");
    }

    /// That what was settled can be gone on with: done if it was taken back, and undone.
    pub(crate) fn assert_goes_on(&self, act: &str, told: &str) {
        if self.is_before_act(act) {
            assert_eq!(self.run(act), End::Done, "{told}, then again");
        }
        assert!(self.is_after_act(act), "{told}, then again");
        let undone = if act == "undo" { UNDO } else { APPLY };
        let mut again = Command::new(program("applying"));
        again.arg("undo").args([self.tree(), self.state.path().to_owned()]).args([undone, LATER]);
        assert_eq!(end(&again.output().unwrap()), End::Done, "{told}, then undone");
        assert!(self.is_before_act(act), "{told}, then undone");
    }

    pub(crate) fn assert_nothing_left(&self) {
        assert_eq!(names(self.state.path()), ["lock"]);
    }
}

impl Stage for Scene {
    fn program(&self) -> Traced {
        Traced { program: "applying", log: self.place.path().join("trace") }
    }

    fn arguments(&self, act: &str) -> Vec<PathBuf> {
        let mut arguments = vec![act.into(), self.tree(), self.state.path().to_owned()];
        match act {
            "apply" => arguments.extend([self.staged(), APPLY.into()]),
            "undo" => arguments.extend([APPLY.into(), UNDO.into()]),
            _ => {}
        }
        arguments
    }
}

/// A program that is at work.
pub(crate) struct Slow(Child);

impl Slow {
    pub(crate) fn finished(self) -> (End, String) {
        let output = self.0.wait_with_output().unwrap();
        (end(&output), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn snapshot(tree: &Path) -> Snapshot {
    let mut found = Snapshot::new();
    let mut open = vec![tree.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let content = if metadata.is_dir() {
                open.push(path.clone());
                Vec::new()
            } else if metadata.is_symlink() {
                fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
            } else {
                fs::read(&path).unwrap()
            };
            found.insert(path.strip_prefix(tree).unwrap().to_owned(), (metadata.mode(), content));
        }
    }
    found
}
