//! What a change set is, on layers made by hand: no mount is needed to read one.

mod differential;
mod hostile;

use super::base::{Base, Conflict};
use super::ignore::OwnersRules;
use super::*;
use crate::discard;
use cofferdam_policy::mask::default_masks;
use rustix::fd::AsFd as _;
use rustix::fs::{CWD, FileType, Mode, XattrFlags};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

/// Later than any file of a test.
const LATER: Base = Base::Since(Moment { seconds: 1 << 40, nanos: 0 });

struct Scene {
    directory: tempfile::TempDir,
    base: Base,
    rules: OwnersRules,
}

fn open(path: &Path) -> OwnedFd {
    rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap()
}

impl Scene {
    fn new(lower: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let scene = Self { directory, base: LATER, rules: OwnersRules::default() };
        for tree in ["lower", "upper"] {
            fs::create_dir_all(scene.path(tree)).unwrap();
        }
        lower.iter().for_each(|(file, content)| scene.write(&format!("lower/{file}"), content));
        scene
    }

    fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    fn write(&self, file: &str, content: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path(file).parent().unwrap()).unwrap();
        fs::write(self.path(file), content).unwrap();
    }

    fn chmod(&self, file: &str, mode: u32) {
        fs::set_permissions(self.path(file), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn whiteout(&self, path: &str) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        rustix::fs::mknodat(CWD, self.path(path), FileType::CharacterDevice, Mode::empty(), 0).unwrap();
    }

    fn mark(&self, path: &str, name: &str) {
        rustix::fs::setxattr(self.path(path), name, b"y", XattrFlags::empty()).unwrap();
    }

    fn try_read(&self) -> Result<ChangeSet, ChangeSetError> {
        let place = open(self.directory.path());
        discard::remove(place.as_fd(), b"stage").unwrap();
        fs::create_dir(self.path("stage")).unwrap();
        let masks = MaskSet::new(default_masks().unwrap()).unwrap();
        let (layer, original, stage) =
            (open(&self.path("upper")), open(&self.path("lower")), open(&self.path("stage")));
        read(&Reading {
            layer: layer.as_fd(),
            copy_finished: None,
            original: original.as_fd(),
            masks: &masks,
            hidden: &[],
            base: self.base,
            kept: None,
            rules: &self.rules,
            included: &included::Included::default(),
            put: &put::Put::default(),
            stage: stage.as_fd(),
        })
    }

    fn read(&self) -> ChangeSet {
        self.try_read().unwrap()
    }

    fn staged(&self, entry: &Entry) -> Vec<u8> {
        let contents = StagedContents::open(open(&self.path("stage"))).unwrap();
        contents.bytes(&entry.content.unwrap(), entry.place.unwrap(), 1 << 20).unwrap()
    }

    fn entry(&self, path: &str) -> Entry {
        let set = self.read();
        let found = set.entries.iter().find(|entry| entry.path.to_string() == path);
        found.unwrap_or_else(|| panic!("{path} is not in {set:#?}")).clone()
    }
}

fn paths(set: &ChangeSet) -> Vec<(String, Change)> {
    set.entries.iter().map(|entry| (entry.path.to_string(), entry.change)).collect()
}

#[test]
fn what_is_staged_is_what_the_digest_covers() {
    let scene = Scene::new(&[("a", "old"), ("same", "kept")]);
    scene.write("upper/a", "new");
    scene.write("upper/same", "kept");
    scene.write("upper/long", vec![b'x'; 400 << 10]);
    let set = scene.read();
    assert_eq!(paths(&set), [("a".into(), Change::Modified), ("long".into(), Change::Added)]);
    for entry in &set.entries {
        let staged = scene.staged(entry);
        assert_eq!(Some(Digest::of(&staged)), entry.content);
        assert_eq!(Some(staged.len() as u64), entry.size_after);
    }
    assert_eq!(fs::read_dir(scene.path("stage")).unwrap().count(), 2, "nothing else is left there");
    let short = set.entries[0].place.unwrap();
    assert_eq!(
        (short, fs::read(scene.path("stage/pack")).unwrap()),
        (Place::Packed { offset: 0, length: 3 }, b"new".to_vec())
    );
}

#[test]
fn short_contents_lie_in_one_file_equal_ones_once_and_none_is_lost_in_it() {
    let scene = Scene::new(&[]);
    scene.write("upper/0-empty", "");
    for number in 0..40_u8 {
        scene.write(&format!("upper/f{number}"), vec![number / 2; 60 << 10]);
    }
    symlink("f0", scene.path("upper/link")).unwrap();
    let set = scene.read();
    for entry in &set.entries {
        assert_eq!(Some(Digest::of(&scene.staged(entry))), entry.content, "{}", entry.path);
    }
    assert_eq!(fs::read_dir(scene.path("stage")).unwrap().count(), 1);
    assert_eq!(fs::metadata(scene.path("stage/pack")).unwrap().len(), 20 * (60 << 10) + 2);
}

#[test]
fn the_digest_changes_with_what_would_be_written_and_with_nothing_else() {
    let scene = Scene::new(&[("a", "old"), ("gone", "x")]);
    scene.write("upper/a", "new");
    let first = scene.read().digest;
    // Times, permissions beside the executable bit, attributes and refused files are not written.
    scene.write("upper/a", "new");
    scene.chmod("upper/a", 0o600);
    scene.mark("upper/a", "user.note");
    scene.write("upper/suid", "x");
    scene.chmod("upper/suid", 0o4755);
    assert_eq!(scene.read().digest, first);
    // Neither is what the owner has, nor a conflict with it.
    scene.write("lower/a", "edited");
    let edited = Scene { base: Base::Since(Moment { seconds: 0, nanos: 0 }), ..scene };
    let set = edited.read();
    assert_eq!((set.digest, set.entries[0].conflict.is_some()), (first, true));
    let mut seen = vec![first];
    let mut differs = |scene: &Scene| {
        let digest = scene.read().digest;
        assert!(!seen.contains(&digest));
        seen.push(digest);
    };
    edited.chmod("upper/a", 0o755);
    differs(&edited);
    edited.write("upper/a", "newer");
    differs(&edited);
    edited.whiteout("upper/gone");
    differs(&edited);
    symlink("a", edited.path("upper/link")).unwrap();
    differs(&edited);
    fs::create_dir(edited.path("upper/empty")).unwrap();
    differs(&edited);
}

#[test]
fn the_owners_edits_since_the_start_are_conflicts_with_their_reasons() {
    let scene = Scene::new(&[("edited", "old"), ("d/below", "old"), ("kind", "old"), ("gone", "old")]);
    for file in ["edited", "d/below", "kind/x", "lost"] {
        scene.write(&format!("upper/{file}"), "new");
    }
    scene.whiteout("upper/gone");
    // What the kernel notes on a file that it copied up from the owner's.
    scene.mark("upper/lost", "user.overlay.origin");
    assert_eq!(scene.entry("edited").conflict, None);
    assert_eq!(scene.entry("lost").conflict, None, "moved by the agent: nothing went from the owner's");
    let since = fs::metadata(scene.path("lower/edited")).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(20));
    use std::os::unix::fs::MetadataExt as _;
    let nanos = u32::try_from(since.ctime_nsec()).unwrap() + 5_000_000;
    let moment = Moment { seconds: since.ctime(), nanos: nanos.min(999_999_999) };
    let scene = Scene { base: Base::Since(moment), ..scene };
    scene.write("lower/edited", "by the owner");
    fs::rename(scene.path("lower/d"), scene.path("lower/e")).unwrap();
    fs::rename(scene.path("lower/e"), scene.path("lower/d")).unwrap();
    scene.write("lower/other", "x");
    fs::rename(scene.path("lower/other"), scene.path("lower/gone")).unwrap();
    scene.chmod("lower/kind", 0o600);
    assert_eq!(scene.entry("edited").conflict, Some(Conflict::Edited));
    assert_eq!(scene.entry("gone").conflict, Some(Conflict::Replaced));
    assert_eq!(
        scene.entry("lost").conflict,
        Some(Conflict::Deleted),
        "by the owner, while the agent kept it"
    );
    assert_eq!(scene.entry("kind").conflict, Some(Conflict::TypeChanged));
    assert_eq!(scene.entry("d/below").conflict, Some(Conflict::DirectoryAbove));
    let stepped = Scene { base: Base::SteppedBack, ..scene };
    assert_eq!(stepped.entry("edited").conflict, Some(Conflict::ClockSteppedBack));
    // Equal on both sides is neither a conflict nor a change.
    stepped.write("upper/edited", "by the owner");
    assert!(stepped.read().entries.iter().all(|entry| entry.path.as_bytes() != b"edited"));
}

#[test]
fn ignored_files_are_counted_by_the_owners_rules_and_never_by_the_agents() {
    let scene = Scene::new(&[(".gitignore", "out/\n*.log\n"), ("out/old", "x")]);
    scene.write("upper/.gitignore", "*\n");
    scene.write("upper/planted", "x");
    scene.write("upper/out/new", "x");
    scene.write("upper/a.log", "x");
    scene.whiteout("upper/out/old");
    let set = scene.read();
    assert_eq!(paths(&set), [(".gitignore".into(), Change::Modified), ("planted".into(), Change::Added)]);
    let named: Vec<String> = set.ignored.paths.iter().map(ToString::to_string).collect();
    assert_eq!((set.ignored.count, named.join(" ")), (3, "a.log out/new out/old".into()));
    scene.write("upper/out/new", "other");
    assert_eq!(scene.read().digest, set.digest);
}

#[test]
fn an_index_that_is_not_understood_hides_nothing() {
    let scene = Scene::new(&[(".gitignore", "*.log\n"), (".git/index", "not an index")]);
    scene.write("upper/a.log", "x");
    assert_eq!(paths(&scene.read()), [("a.log".into(), Change::Added)]);
    fs::remove_file(scene.path("lower/.git/index")).unwrap();
    assert_eq!(scene.read().ignored.count, 1);
}

#[test]
fn renames_are_shown_by_equal_content_only() {
    let scene = Scene::new(&[("a/old", "content"), ("b/same", "content"), ("c", "other")]);
    ["a/old", "b/same", "c"].iter().for_each(|file| scene.whiteout(&format!("upper/{file}")));
    scene.write("upper/n/same", "content");
    scene.write("upper/z", "other.");
    let from = |path: &str| scene.entry(path).renamed_from.map(|path| path.to_string());
    assert_eq!((from("n/same"), from("z")), (Some("b/same".into()), None));
}
