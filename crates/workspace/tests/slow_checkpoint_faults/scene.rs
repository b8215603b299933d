//! A session's directory with a checkpoint and layers that have changed since, small enough to be killed everywhere.

use crate::faults::{End, Stage, Traced, memory, names};
use rustix::fs::{CWD, FileType, Mode, XattrFlags, makedev};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

/// Path, then mode, modification time and content.
type Snapshot = BTreeMap<PathBuf, (u32, i64, Vec<u8>)>;

pub(crate) struct Scene {
    place: tempfile::TempDir,
    /// What the layers are now.
    before: Snapshot,
    /// What they were at checkpoint `c1`.
    after: Snapshot,
}

impl Scene {
    pub(crate) fn ready() -> Self {
        let mut scene = Self {
            place: tempfile::tempdir_in(memory()).unwrap(),
            before: Snapshot::new(),
            after: Snapshot::new(),
        };
        let session = scene.session();
        for directory in ["layer-0/upper/dir", "layer-0/work", "home"] {
            fs::create_dir_all(session.join(directory)).unwrap();
        }
        let upper = session.join("layer-0/upper");
        fs::write(upper.join("file"), "first\n").unwrap();
        fs::hard_link(upper.join("file"), upper.join("dir/again")).unwrap();
        fs::set_permissions(upper.join("dir/again"), fs::Permissions::from_mode(0o4750)).unwrap();
        symlink("file", upper.join("link")).unwrap();
        let whiteout = makedev(0, 0);
        rustix::fs::mknodat(CWD, upper.join("gone"), FileType::CharacterDevice, Mode::empty(), whiteout)
            .unwrap();
        // Not every file system in memory has them; what is copied of them is tested elsewhere.
        let _kept =
            rustix::fs::setxattr(upper.join("dir"), "user.overlay.opaque", b"y", XattrFlags::empty()).is_ok();
        fs::write(session.join("home/history"), "one\n").unwrap();
        scene.after = scene.layers();
        assert_eq!(scene.run("take"), End::Done);
        fs::remove_dir_all(upper.join("dir")).unwrap();
        fs::remove_file(upper.join("gone")).unwrap();
        fs::write(upper.join("file"), "second\n").unwrap();
        fs::remove_file(session.join("home/history")).unwrap();
        fs::create_dir_all(session.join("layer-1/upper")).unwrap();
        fs::write(session.join("layer-1/upper/later"), "x").unwrap();
        scene.before = scene.layers();
        scene
    }

    fn session(&self) -> PathBuf {
        self.place.path().join("session")
    }

    fn layers(&self) -> Snapshot {
        let session = self.session();
        let mut found = Snapshot::new();
        for top in ["layer-0/upper", "layer-1/upper", "home"] {
            if session.join(top).exists() {
                snapshot(&session, &session.join(top), &mut found);
            }
        }
        found
    }

    pub(crate) fn is_before(&self) -> bool {
        self.layers() == self.before
    }

    pub(crate) fn is_after(&self) -> bool {
        self.layers() == self.after
    }

    /// Layers, and every checkpoint that there is.
    pub(crate) fn assert_whole(&self, act: &str, told: &str) {
        assert!(
            self.is_before() || (act == "restore" && self.is_after()),
            "{told}: in between: {:#?}",
            self.layers()
        );
        let found = names(&self.session().join("checkpoints"));
        assert!(found.iter().all(|name| ["c1", "c2"].contains(&name.as_str())), "{told}: {found:?}");
        assert_eq!(self.checkpoint("c1"), self.after, "{told}");
        if found.len() > 1 {
            assert_eq!(self.checkpoint("c2"), self.before, "{told}");
        } else {
            assert!(self.is_before(), "{told}: what was there is not kept");
        }
    }

    fn checkpoint(&self, id: &str) -> Snapshot {
        let top = self.session().join("checkpoints").join(id);
        let mut found = Snapshot::new();
        for (tree, path) in [("layer-0", "layer-0/upper"), ("layer-1", "layer-1/upper"), ("home", "home")] {
            if top.join(tree).exists() {
                let mut one = Snapshot::new();
                snapshot(&top.join(tree), &top.join(tree), &mut one);
                found.extend(one.into_iter().map(|(below, entry)| {
                    let below =
                        if below.as_os_str().is_empty() { path.into() } else { Path::new(path).join(below) };
                    (below, entry)
                }));
            }
        }
        found
    }
}

impl Stage for Scene {
    fn program(&self) -> Traced {
        Traced { program: "checkpointing", log: self.place.path().join("trace") }
    }

    fn arguments(&self, act: &str) -> Vec<PathBuf> {
        let mut arguments = vec![act.into(), self.session()];
        if act == "restore" {
            arguments.push("c1".into());
        }
        arguments
    }
}

fn snapshot(root: &Path, path: &Path, found: &mut Snapshot) {
    let metadata = fs::symlink_metadata(path).unwrap();
    let content = if metadata.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            snapshot(root, &entry.unwrap().path(), found);
        }
        Vec::new()
    } else if metadata.is_symlink() {
        fs::read_link(path).unwrap().into_os_string().into_encoded_bytes()
    } else if metadata.file_type().is_char_device() {
        metadata.rdev().to_le_bytes().to_vec()
    } else {
        // One content by several names counts as such.
        [fs::read(path).unwrap(), metadata.nlink().to_le_bytes().to_vec()].concat()
    };
    let entry = (metadata.mode(), metadata.mtime_nsec(), content);
    found.insert(path.strip_prefix(root).unwrap().to_owned(), entry);
}
