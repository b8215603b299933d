//! The veil: the topmost lower layer of a workspace's overlay, which hides masked paths and replaces a few files.
//!
//! It holds whiteouts (character devices 0:0, which any user may make since Linux 5.8) where something is hidden,
//! and files where something is replaced. Masks hold by path, then, also when the agent renames a directory above or the
//! file at that path comes into being later, and nothing has to be mounted for each. A merged directory takes its attributes from
//! the topmost layer: so the veil's directories look like the owner's.
//!
//! What is hidden is the caller's decision; the owner's directory is only looked at.

use crate::attributes::Looks;
use crate::beneath;
use crate::discard::{self, DiscardError};
use crate::ownership::Ownership;
use crate::path::{WorkspacePath, split, visible};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Statx, XattrFlags};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};

/// The most paths one veil takes.
pub const VEIL_PATHS_MAX: usize = 250_000;

/// The longest path that is linked to, in bytes (`PATH_MAX` less its end).
const LINK_PATH_BYTES_MAX: usize = 4_095;

/// The attribute that makes a directory of a `userxattr` overlay hide what lies below it in lower layers.
const OPAQUE: &str = "user.overlay.opaque";

/// What a veil is to do.
#[derive(Debug, Clone, Default)]
pub struct VeilPlan {
    coverings: BTreeMap<WorkspacePath, Covering>,
}

/// What is shown in place of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Covering {
    Whiteout,
    /// As a whiteout, but only if the directory for it exists.
    Literal,
    Hollow,
    Replacement {
        bytes: Vec<u8>,
        mode: u32,
    },
}

impl VeilPlan {
    /// Hides `path`, whatever it is.
    pub fn hide(&mut self, path: WorkspacePath) {
        self.coverings.insert(path, Covering::Whiteout);
    }

    /// Hides `path` although it need not exist yet. If not even the directory for it does, it is left out: the
    /// veil must not make directories appear.
    pub fn hide_beforehand(&mut self, path: WorkspacePath) {
        self.coverings.entry(path).or_insert(Covering::Literal);
    }

    /// Shows the directory `path` as empty: a mount point, or a directory that nobody could look into.
    pub fn hollow(&mut self, path: WorkspacePath) {
        self.coverings.entry(path).or_insert(Covering::Hollow);
    }

    /// Shows `bytes` in place of the file `path`, with its owner and times but `mode` (permissions only).
    pub fn replace(&mut self, path: WorkspacePath, bytes: Vec<u8>, mode: u32) {
        self.coverings.entry(path).or_insert(Covering::Replacement { bytes, mode });
    }
}

impl VeilPlan {
    pub(crate) fn covering(&self, path: &WorkspacePath) -> Option<&Covering> {
        self.coverings.get(path)
    }
}

impl VeilPlan {
    /// The names that it hides in `real`, if it does nothing else and all lie at the top: such a veil is the same for
    /// every directory, and its root shows nothing of itself where an upper layer lies above.
    ///
    /// # Errors
    /// The kernel's, if `real` can't be looked at.
    pub fn flat_names(&self, real: BorrowedFd<'_>) -> Result<Option<Vec<&[u8]>>, Errno> {
        let mut names = Vec::new();
        for (path, covering) in &self.coverings {
            match covering {
                Covering::Whiteout | Covering::Literal if path.parent().is_empty() => {
                    names.push(path.as_bytes())
                }
                // Left out where the directory for it does not exist.
                Covering::Literal if beneath::stat_path(real, path.parent())?.is_none() => {}
                Covering::Whiteout | Covering::Literal | Covering::Hollow | Covering::Replacement { .. } => {
                    return Ok(None);
                }
            }
        }
        Ok(Some(names))
    }
}

/// A veil that was built.
#[derive(Debug)]
pub struct Veil {
    /// Its root, to be mounted as the first lower layer.
    pub fd: OwnedFd,
    /// What is hidden, whether it exists or not.
    pub hidden: Vec<WorkspacePath>,
    /// What is shown as an empty directory.
    pub hollow: Vec<WorkspacePath>,
    /// What is replaced.
    pub replaced: Vec<WorkspacePath>,
}

/// Why there is no veil. Without it no session may start.
#[derive(Debug, thiserror::Error)]
pub enum VeilError {
    /// A former one is in the way.
    #[error("cannot remove the former veil")]
    Former(#[source] DiscardError),
    /// More than [`VEIL_PATHS_MAX`] paths.
    #[error("more than {VEIL_PATHS_MAX} paths are to be hidden")]
    TooMany,
    /// Something could not be made, or the original not be looked at.
    #[error("cannot veil {path}")]
    Make {
        /// Relative to the workspace, shown harmlessly; `.` for its root.
        path: String,
        /// The kernel's answer.
        #[source]
        source: Errno,
    },
    /// The kernel or file system refuses whiteouts.
    #[error("cannot make a whiteout for {path}: the file system of the state directory refuses it")]
    Whiteout {
        /// Relative to the workspace.
        path: String,
        /// The kernel's answer.
        #[source]
        source: Errno,
    },
}

/// Builds the veil `name` in the directory `place` for the owner's directory `real`, in place of a former one.
///
/// # Errors
/// [`VeilError`]; half a veil may then lie there and is replaced by the next call.
pub fn build(
    real: BorrowedFd<'_>,
    place: BorrowedFd<'_>,
    name: &[u8],
    plan: &VeilPlan,
    ownership: Ownership,
) -> Result<Veil, VeilError> {
    if plan.coverings.len() > VEIL_PATHS_MAX {
        return Err(VeilError::TooMany);
    }
    discard::remove(place, name).map_err(VeilError::Former)?;
    rustix::fs::mkdirat(place, name, Mode::RWXU).map_err(|source| make_error(b"", source))?;
    let fd = beneath::open_directory(place, name).map_err(|source| make_error(b"", source))?;
    let veil = Veil { fd, hidden: Vec::new(), hollow: Vec::new(), replaced: Vec::new() };
    let mut loom = Loom {
        real,
        ownership,
        veil,
        made: BTreeMap::new(),
        closed: BTreeSet::new(),
        first_whiteout: None,
        at: None,
    };
    let root = beneath::stat_fd(real).map_err(|source| make_error(b"", source))?;
    loom.made.insert(Vec::new(), Looks::of(&root));
    // In the order of their bytes a directory comes before what is in it.
    for (path, covering) in &plan.coverings {
        loom.cover(path, covering)?;
    }
    loom.finish()
}

struct Loom<'a> {
    real: BorrowedFd<'a>,
    ownership: Ownership,
    veil: Veil,
    /// Directories made so far, with what they stand for. Their attributes are set last, from the bottom up.
    made: BTreeMap<Vec<u8>, Looks>,
    /// Paths below which nothing is visible any more.
    closed: BTreeSet<Vec<u8>>,
    /// The whiteout that the others are links to.
    first_whiteout: Option<Vec<u8>>,
    /// The directory of the veil that was used last.
    at: Option<(Vec<u8>, OwnedFd)>,
}

fn make_error(path: &[u8], source: Errno) -> VeilError {
    VeilError::Make { path: if path.is_empty() { ".".to_owned() } else { visible(path) }, source }
}

/// Makes the whiteout `name`: a link to the first one, which takes half the time of a new inode, where that is possible.
fn white_out(veil: &OwnedFd, first: Option<&Vec<u8>>, directory: &OwnedFd, name: &[u8]) -> Result<(), Errno> {
    if let Some(first) = first.filter(|first| first.len() < LINK_PATH_BYTES_MAX)
        && rustix::fs::linkat(veil, first.as_slice(), directory, name, AtFlags::empty()).is_ok()
    {
        return Ok(());
    }
    rustix::fs::mknodat(directory, name, FileType::CharacterDevice, Mode::empty(), 0)
}

impl Loom<'_> {
    fn cover(&mut self, path: &WorkspacePath, covering: &Covering) -> Result<(), VeilError> {
        let bytes = path.as_bytes();
        let failed = |source| make_error(bytes, source);
        let (parent, name) = split(bytes);
        // A path whose directory is hidden, gone, or a link by now can't be reached: nothing to hide there.
        if self.is_closed(bytes) || !self.make_directory(parent)? {
            return Ok(());
        }
        self.go_to(parent)?;
        let Some((_, directory)) = &self.at else { return Ok(()) };
        match covering {
            Covering::Whiteout | Covering::Literal => {
                let made = white_out(&self.veil.fd, self.first_whiteout.as_ref(), directory, name);
                made.map_err(|source| VeilError::Whiteout { path: path.to_string(), source })?;
                self.first_whiteout.get_or_insert_with(|| bytes.to_vec());
                self.closed.insert(bytes.to_vec());
                self.veil.hidden.push(path.clone());
            }
            Covering::Hollow => {
                let original = self.original(bytes).map_err(failed)?;
                let Some(original) = original.filter(|stat| beneath::kind(stat) == FileType::Directory)
                else {
                    return Ok(());
                };
                let Some((_, directory)) = &self.at else { return Ok(()) };
                rustix::fs::mkdirat(directory, name, Mode::RWXU).map_err(failed)?;
                let hollow = beneath::open_directory(directory, name).map_err(failed)?;
                rustix::fs::fsetxattr(&hollow, OPAQUE, b"y", XattrFlags::empty()).map_err(failed)?;
                Looks::of(&original).put_on(&hollow, self.ownership).map_err(failed)?;
                self.closed.insert(bytes.to_vec());
                self.veil.hollow.push(path.clone());
            }
            Covering::Replacement { bytes: content, mode } => {
                let original = self.original(bytes).map_err(failed)?;
                let original = original.filter(|stat| beneath::kind(stat) == FileType::RegularFile);
                let (Some(original), Some((_, directory))) = (original, &self.at) else { return Ok(()) };
                let flags =
                    OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let file =
                    rustix::fs::openat(directory, name, flags, Mode::RUSR | Mode::WUSR).map_err(failed)?;
                beneath::write_all(&file, content).map_err(failed)?;
                Looks::of(&original).with_mode(*mode).put_on(&file, self.ownership).map_err(failed)?;
                self.closed.insert(bytes.to_vec());
                self.veil.replaced.push(path.clone());
            }
        }
        Ok(())
    }

    fn is_closed(&self, path: &[u8]) -> bool {
        let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        slashes.filter_map(|(at, _)| path.get(..at)).any(|above| self.closed.contains(above))
    }

    fn original(&self, path: &[u8]) -> Result<Option<Statx>, Errno> {
        match beneath::open(self.real, path, OFlags::PATH) {
            Ok(fd) => beneath::stat_fd(&fd).map(Some),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// Makes the directory `path` of the veil and those above it; says whether the owner has them.
    fn make_directory(&mut self, path: &[u8]) -> Result<bool, VeilError> {
        if self.made.contains_key(path) {
            return Ok(true);
        }
        let ends =
            path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at).chain([path.len()]);
        for end in ends {
            let Some(directory) = path.get(..end).filter(|directory| !self.made.contains_key(*directory))
            else {
                continue;
            };
            let failed = |source| make_error(directory, source);
            let original = self.original(directory).map_err(failed)?;
            let Some(original) = original.filter(|stat| beneath::kind(stat) == FileType::Directory) else {
                return Ok(false);
            };
            let (above, name) = split(directory);
            self.go_to(above)?;
            let Some((_, above)) = &self.at else { return Ok(false) };
            rustix::fs::mkdirat(above, name, Mode::RWXU).map_err(failed)?;
            self.made.insert(directory.to_vec(), Looks::of(&original));
        }
        Ok(true)
    }

    fn go_to(&mut self, path: &[u8]) -> Result<(), VeilError> {
        if self.at.as_ref().is_none_or(|(at, _)| at != path) {
            let fd =
                beneath::open_directory(&self.veil.fd, path).map_err(|source| make_error(path, source))?;
            self.at = Some((path.to_vec(), fd));
        }
        Ok(())
    }

    fn finish(self) -> Result<Veil, VeilError> {
        for (path, original) in self.made.iter().rev() {
            let fd = beneath::open_directory(self.veil.fd.as_fd(), path)
                .map_err(|source| make_error(path, source))?;
            original.put_on(&fd, self.ownership).map_err(|source| make_error(path, source))?;
        }
        Ok(self.veil)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
    use std::path::{Path, PathBuf};

    struct Scene {
        directory: tempfile::TempDir,
    }

    fn open(path: &Path) -> OwnedFd {
        rustix::fs::openat(rustix::fs::CWD, path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap()
    }

    fn path(text: &str) -> WorkspacePath {
        WorkspacePath::new(text.as_bytes()).unwrap()
    }

    impl Scene {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            fs::create_dir_all(directory.path().join("real/a/b")).unwrap();
            fs::write(directory.path().join("real/a/b/.env"), "SECRET=1").unwrap();
            fs::write(directory.path().join("real/a/config"), "secret").unwrap();
            Self { directory }
        }

        fn build(&self, plan: &VeilPlan, ownership: Ownership) -> Result<Veil, VeilError> {
            let real = open(&self.real());
            build(real.as_fd(), open(self.directory.path()).as_fd(), b"veil", plan, ownership)
        }

        fn real(&self) -> PathBuf {
            self.directory.path().join("real")
        }

        fn veil(&self, path: &str) -> PathBuf {
            self.directory.path().join("veil").join(path)
        }
    }

    fn is_whiteout(path: &Path) -> bool {
        let metadata = fs::symlink_metadata(path).unwrap();
        metadata.file_type().is_char_device() && metadata.rdev() == 0
    }

    #[test]
    fn hidden_paths_are_whiteouts_below_directories_that_look_like_the_owners() {
        let scene = Scene::new();
        fs::set_permissions(scene.real().join("a"), fs::Permissions::from_mode(0o751)).unwrap();
        let mut plan = VeilPlan::default();
        plan.hide(path("a/b/.env"));
        let veil = scene.build(&plan, Ownership::AsIs).unwrap();
        assert_eq!(veil.hidden, [path("a/b/.env")]);
        assert!(is_whiteout(&scene.veil("a/b/.env")));
        for directory in ["", "a", "a/b"] {
            let (real, veil) = (
                fs::metadata(scene.real().join(directory)).unwrap(),
                fs::metadata(scene.veil(directory)).unwrap(),
            );
            assert_eq!(real.mode(), veil.mode());
            assert_eq!((real.mtime(), real.mtime_nsec()), (veil.mtime(), veil.mtime_nsec()));
            assert_eq!((real.uid(), real.gid()), (veil.uid(), veil.gid()));
        }
    }

    #[test]
    fn a_path_that_does_not_exist_yet_is_hidden_beforehand_without_making_directories_appear() {
        let scene = Scene::new();
        let mut plan = VeilPlan::default();
        for literal in [".env", "a/later", "missing/config.json"] {
            plan.hide_beforehand(path(literal));
        }
        scene.build(&plan, Ownership::AsIs).unwrap();
        assert!(is_whiteout(&scene.veil(".env")) && is_whiteout(&scene.veil("a/later")));
        assert!(!scene.veil("missing").exists());
    }

    #[test]
    fn a_replacement_has_the_given_content_and_the_times_of_the_original() {
        let scene = Scene::new();
        let mut plan = VeilPlan::default();
        plan.replace(path("a/config"), b"clean".to_vec(), 0o640);
        plan.replace(path("a/none"), b"clean".to_vec(), 0o640);
        let veil = scene.build(&plan, Ownership::AsIs).unwrap();
        assert_eq!(fs::read(scene.veil("a/config")).unwrap(), b"clean");
        let (real, shown) = (
            fs::metadata(scene.real().join("a/config")).unwrap(),
            fs::metadata(scene.veil("a/config")).unwrap(),
        );
        assert_eq!((shown.mode() & 0o7777, shown.mtime_nsec()), (0o640, real.mtime_nsec()));
        assert_eq!(veil.replaced, [path("a/config")]);
        assert!(!scene.veil("a/none").exists());
    }

    #[test]
    fn what_lies_below_something_hidden_needs_no_covering_of_its_own() {
        let scene = Scene::new();
        let mut plan = VeilPlan::default();
        plan.hide(path("a"));
        plan.hide(path("a/b/.env"));
        plan.replace(path("a/config"), Vec::new(), 0o600);
        let veil = scene.build(&plan, Ownership::AsIs).unwrap();
        assert_eq!((veil.hidden, veil.replaced), (vec![path("a")], vec![]));
    }

    #[test]
    fn a_mask_wins_over_a_replacement_of_the_same_path() {
        let scene = Scene::new();
        let mut plan = VeilPlan::default();
        plan.replace(path("a/config"), b"clean".to_vec(), 0o600);
        plan.hide(path("a/config"));
        plan.replace(path("a/config"), b"clean".to_vec(), 0o600);
        assert!(scene.build(&plan, Ownership::AsIs).unwrap().replaced.is_empty());
    }

    #[test]
    fn a_link_planted_in_the_way_is_not_followed() {
        let scene = Scene::new();
        symlink("/etc", scene.real().join("link")).unwrap();
        let mut plan = VeilPlan::default();
        plan.hide(path("link/passwd"));
        plan.hide(path("a/config/below"));
        let veil = scene.build(&plan, Ownership::AsIs).unwrap();
        assert!(veil.hidden.is_empty() && !scene.veil("link").exists());
    }

    #[test]
    fn a_former_veil_is_gone_entirely() {
        let scene = Scene::new();
        let mut plan = VeilPlan::default();
        plan.hide(path("a/b/.env"));
        fs::set_permissions(scene.real().join("a"), fs::Permissions::from_mode(0o555)).unwrap();
        scene.build(&plan, Ownership::AsIs).unwrap();
        scene.build(&VeilPlan::default(), Ownership::AsIs).unwrap();
        assert!(!scene.veil("a").exists());
        fs::set_permissions(scene.real().join("a"), fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn for_uid_0_everything_belongs_to_the_cells_own_range() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let scene = Scene::new();
        let mut plan = VeilPlan::default();
        plan.hide(path("a/b/.env"));
        plan.replace(path("a/config"), b"clean".to_vec(), 0o600);
        scene.build(&plan, Ownership::Shifted { base: 5_000_000 }).unwrap();
        for made in ["", "a", "a/b", "a/config"] {
            assert_eq!(fs::metadata(scene.veil(made)).unwrap().uid(), 5_001_000, "{made}");
        }
    }

    #[test]
    fn a_hollow_directory_is_empty_and_opaque() {
        let scene = Scene::new();
        let mut plan = VeilPlan::default();
        plan.hollow(path("a"));
        plan.hide(path("a/b/.env"));
        let veil = scene.build(&plan, Ownership::AsIs).unwrap();
        assert_eq!(veil.hollow, [path("a")]);
        let mut value = [0; 4];
        let length = rustix::fs::getxattr(scene.veil("a"), OPAQUE, &mut value).unwrap();
        assert_eq!(&value[..length], b"y");
        assert_eq!(fs::read_dir(scene.veil("a")).unwrap().count(), 0);
    }
}
