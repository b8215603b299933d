//! Where a session's branch stands: `HEAD` and what it names, seen through the session's layer over the owner's git
//! directory.
//!
//! The layer hides the owner's entries as the overlay does: by whiteouts and opaque directories. Only the two forms of
//! references that are files are known (loose and packed; gitrepository-layout(5)); a repository with another format
//! is said to be one. Nothing is written, and what is named is not checked to exist.

use crate::beneath;
use crate::path::joined;
use rustix::fd::{AsFd as _, BorrowedFd};
use rustix::fs::OFlags;
use rustix::io::Errno;

/// The longest packed list of references, in bytes.
pub(super) const PACKED_BYTES_MAX: usize = 64 << 20;

/// The longest loose reference, in bytes.
const LOOSE_BYTES_MAX: usize = 4 << 10;

/// How many symbolic references lead on from `HEAD`: as many as git follows.
const SYMBOLIC_MAX: usize = 5;

const OPAQUE: &str = "user.overlay.opaque";
const WHITEOUT: &str = "user.overlay.whiteout";

/// A directory as the session sees it.
#[derive(Debug, Clone, Copy)]
pub struct Layered<'a> {
    /// The session's layer of the mount that the directory lies in, if it has one.
    pub upper: Option<BorrowedFd<'a>>,
    /// The owner's directory that is mounted, if it shows through.
    pub lower: Option<BorrowedFd<'a>>,
    /// Where the directory lies in both.
    pub below: &'a [u8],
}

/// What `HEAD` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// `refs/heads/…`; nothing if it is detached.
    pub branch: Option<Vec<u8>>,
    /// The commit, in hexadecimal; nothing on a branch without commits.
    pub commit: Option<String>,
}

/// Why the branch can't be told.
#[derive(Debug, thiserror::Error)]
pub enum RefError {
    /// A file can't be read.
    #[error("cannot read {path} in the git directory")]
    Read {
        /// Relative to the git directory.
        path: String,
        /// The kernel's answer.
        #[source]
        source: Errno,
    },
    /// It is not what git writes.
    #[error("{path} in the git directory is not understood")]
    Format {
        /// Relative to the git directory.
        path: String,
    },
    /// References lead in a circle, or too far.
    #[error("HEAD leads from reference to reference")]
    Circle,
}

impl Layered<'_> {
    /// The content of a regular file, of at most `bytes_max` bytes; nothing if there is none.
    ///
    /// # Errors
    /// The kernel's answer; [`Errno::FBIG`] beyond `bytes_max`.
    pub fn read(&self, path: &[u8], bytes_max: usize) -> Result<Option<Vec<u8>>, Errno> {
        let path = &joined(self.below, path);
        if let Some(upper) = self.upper {
            if let Some(content) = beneath::read_small(upper, path, bytes_max)? {
                return Ok((!is_marked(upper, path, WHITEOUT)?).then_some(content));
            }
            if covers(upper, path)? {
                return Ok(None);
            }
        }
        self.lower.map_or(Ok(None), |lower| beneath::read_small(lower, path, bytes_max))
    }
}

/// Whether the layer hides what lies below at `path`, which is no file of the layer.
fn covers(upper: BorrowedFd<'_>, path: &[u8]) -> Result<bool, Errno> {
    let mut end = 0;
    loop {
        let next = path.iter().skip(end).position(|byte| *byte == b'/').map(|at| end.saturating_add(at));
        let part = path.get(..next.unwrap_or(path.len())).unwrap_or_default();
        let Some(stat) = beneath::stat_path(upper, part)? else { return Ok(false) };
        let directory = beneath::kind(&stat) == rustix::fs::FileType::Directory;
        // A whiteout, or a file where there was a directory: what is below is gone. So is what is no file at the end.
        if !directory || is_marked(upper, part, OPAQUE)? {
            return Ok(true);
        }
        let Some(next) = next else { return Ok(true) };
        end = next.saturating_add(1);
    }
}

fn is_marked(upper: BorrowedFd<'_>, path: &[u8], mark: &str) -> Result<bool, Errno> {
    let file = match beneath::open(upper, path, OFlags::RDONLY | OFlags::NONBLOCK) {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Ok(false),
        Err(errno) => return Err(errno),
    };
    let mut value = [0_u8; 2];
    match rustix::fs::fgetxattr(file.as_fd(), mark, &mut value) {
        Ok(length) => Ok(length > 0),
        Err(Errno::NODATA | Errno::NOTSUP) => Ok(false),
        Err(Errno::RANGE) => Ok(true),
        Err(errno) => Err(errno),
    }
}

/// What `HEAD` in `git` names; branches lie in `common`, which is the same but in a linked work tree.
///
/// # Errors
/// [`RefError`].
pub fn head(git: &Layered<'_>, common: &Layered<'_>) -> Result<Head, RefError> {
    let text = loose(git, b"HEAD")?.ok_or_else(|| format(b"HEAD"))?;
    let Some(mut name) = symbolic(&text) else {
        return Ok(Head { branch: None, commit: Some(object_id(&text).ok_or_else(|| format(b"HEAD"))?) });
    };
    let branch = name.clone();
    for _ in 0..SYMBOLIC_MAX {
        if !is_reference_name(&name) {
            return Err(format(&name));
        }
        let Some(text) = loose(common, &name)? else {
            return Ok(Head { commit: packed(common, &name)?, branch: Some(branch) });
        };
        match symbolic(&text) {
            Some(next) => name = next,
            None => {
                let commit = object_id(&text).ok_or_else(|| format(&name))?;
                return Ok(Head { branch: Some(branch), commit: Some(commit) });
            }
        }
    }
    Err(RefError::Circle)
}

/// Whether a name is one that git would let a branch have, as far as paths are concerned (git-check-ref-format(1)).
#[must_use]
pub fn is_reference_name(name: &[u8]) -> bool {
    let part_is_good = |part: &[u8]| {
        !part.is_empty() && !part.starts_with(b".") && !part.ends_with(b".lock") && !part.ends_with(b".")
    };
    let byte_is_good = |byte: &u8| {
        !byte.is_ascii_control() && !matches!(byte, b' ' | b'~' | b'^' | b':' | b'?' | b'*' | b'[' | b'\\')
    };
    name.starts_with(b"refs/")
        && name.len() <= LOOSE_BYTES_MAX
        && name.split(|byte| *byte == b'/').all(part_is_good)
        && name.iter().all(byte_is_good)
        && !name.windows(2).any(|two| two == b".." || two == b"@{")
}

fn loose(directory: &Layered<'_>, path: &[u8]) -> Result<Option<Vec<u8>>, RefError> {
    let content = directory
        .read(path, LOOSE_BYTES_MAX)
        .map_err(|source| RefError::Read { path: crate::path::visible(path), source })?;
    Ok(content.map(|content| content.trim_ascii_end().to_vec()))
}

fn packed(common: &Layered<'_>, name: &[u8]) -> Result<Option<String>, RefError> {
    let path = b"packed-refs";
    let list = common
        .read(path, PACKED_BYTES_MAX)
        .map_err(|source| RefError::Read { path: crate::path::visible(path), source })?;
    let lines = list.as_deref().unwrap_or_default().split(|byte| *byte == b'\n');
    let found = lines.filter(|line| !line.starts_with(b"#") && !line.starts_with(b"^")).find_map(|line| {
        let space = line.iter().position(|byte| *byte == b' ')?;
        let (id, rest) = line.split_at(space);
        (rest.get(1..) == Some(name)).then(|| id.to_vec())
    });
    found.map(|id| object_id(&id).ok_or_else(|| format(path))).transpose()
}

fn symbolic(text: &[u8]) -> Option<Vec<u8>> {
    text.strip_prefix(b"ref:").map(|name| name.trim_ascii().to_vec())
}

fn object_id(text: &[u8]) -> Option<String> {
    let hexadecimal = text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let text = std::str::from_utf8(text).ok()?;
    (hexadecimal && matches!(text.len(), 40 | 64)).then(|| text.to_owned())
}

fn format(path: &[u8]) -> RefError {
    RefError::Format { path: crate::path::visible(path) }
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fd::OwnedFd;
    use rustix::fs::{FileType, Mode};
    use std::path::Path;

    const ONE: &str = "1111111111111111111111111111111111111111";
    const TWO: &str = "2222222222222222222222222222222222222222";

    struct Scene {
        directory: tempfile::TempDir,
    }

    impl Scene {
        fn new(files: &[(&str, &str)]) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let scene = Self { directory };
            for (path, content) in files {
                let path = scene.directory.path().join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, content).unwrap();
            }
            std::fs::create_dir_all(scene.directory.path().join("upper")).unwrap();
            scene
        }

        fn path(&self, below: &str) -> std::path::PathBuf {
            self.directory.path().join(below)
        }

        fn head(&self) -> Result<Head, RefError> {
            let (upper, lower) = (open(&self.path("upper")), open(&self.path("lower")));
            let layered = Layered { upper: Some(upper.as_fd()), lower: Some(lower.as_fd()), below: b"" };
            head(&layered, &layered)
        }
    }

    fn open(path: &Path) -> OwnedFd {
        rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap()
    }

    fn on_main(commit: &str) -> Head {
        Head { branch: Some(b"refs/heads/main".to_vec()), commit: Some(commit.to_owned()) }
    }

    #[test]
    fn what_the_session_moved_counts_before_what_the_owner_has() {
        let scene = Scene::new(&[
            ("lower/HEAD", "ref: refs/heads/main\n"),
            ("lower/refs/heads/main", ONE),
            ("upper/refs/heads/main", TWO),
        ]);
        assert_eq!(scene.head().unwrap(), on_main(TWO));
    }

    #[test]
    fn a_packed_branch_of_the_owners_shows_through() {
        let packed =
            format!("# pack-refs with: peeled\n{TWO} refs/heads/other\n{ONE} refs/heads/main\n^{TWO}\n");
        let scene = Scene::new(&[("lower/HEAD", "ref: refs/heads/main\n"), ("lower/packed-refs", &packed)]);
        assert_eq!(scene.head().unwrap(), on_main(ONE));
    }

    #[test]
    fn a_branch_that_the_session_deleted_is_not_the_owners() {
        let scene = Scene::new(&[("lower/HEAD", "ref: refs/heads/main\n"), ("lower/refs/heads/main", ONE)]);
        std::fs::create_dir_all(scene.path("upper/refs/heads")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            scene.path("upper/refs/heads/main"),
            FileType::CharacterDevice,
            Mode::empty(),
            0,
        )
        .unwrap();
        assert_eq!(scene.head().unwrap().commit, None);
    }

    #[test]
    fn below_an_opaque_directory_nothing_of_the_owners_shows() {
        let scene = Scene::new(&[("lower/HEAD", "ref: refs/heads/main\n"), ("lower/refs/heads/main", ONE)]);
        std::fs::create_dir_all(scene.path("upper/refs")).unwrap();
        rustix::fs::setxattr(scene.path("upper/refs"), OPAQUE, b"y", rustix::fs::XattrFlags::empty())
            .unwrap();
        assert_eq!(scene.head().unwrap().commit, None);
    }

    #[test]
    fn a_head_that_leads_in_a_circle_or_out_of_the_references_is_refused() {
        for (head, other) in [
            ("ref: refs/heads/a", "ref: refs/heads/a"),
            ("ref: refs/../../../secret", ""),
            ("ref: /etc/passwd", ""),
            ("ref: refs/heads/x\ny", ""),
            ("nonsense", ""),
            ("1111", ""),
        ] {
            let scene = Scene::new(&[("lower/HEAD", head), ("lower/refs/heads/a", other)]);
            assert!(scene.head().is_err(), "{head}");
        }
    }

    #[test]
    fn a_link_in_the_layer_is_not_followed() {
        let scene = Scene::new(&[("lower/HEAD", "ref: refs/heads/main\n"), ("outside", ONE)]);
        std::fs::create_dir_all(scene.path("upper/refs/heads")).unwrap();
        std::os::unix::fs::symlink(scene.path("outside"), scene.path("upper/refs/heads/main")).unwrap();
        assert_eq!(scene.head().unwrap().commit, None);
    }

    #[test]
    fn a_detached_head_is_its_commit() {
        let scene = Scene::new(&[("lower/HEAD", ONE)]);
        assert_eq!(scene.head().unwrap(), Head { branch: None, commit: Some(ONE.to_owned()) });
    }
}
