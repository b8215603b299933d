//! Which paths of a tree are to be hidden, at any depth, without the start of a session depending on the number
//! of files.
//!
//! The first census reads every directory and keeps an index; later ones ask each directory only whether it
//! changed (one statx, by ctime, which nobody can set back) and read again those that did. Files are never looked
//! at: a mask is a matter of names. The inside of git directories is [`crate::git`]'s part and not counted here;
//! symbolic links and other mounts are not entered.

mod index;
pub mod kept;
mod scan;
mod tree;

use crate::path::{PathError, WorkspacePath};
use cofferdam_policy::mask::{MaskSet, NameKind, SecretName};
use rustix::fd::BorrowedFd;
use rustix::io::Errno;

/// The most directories that a tree may have.
pub const DIRECTORIES_MAX: usize = 1_000_000;

/// The most findings that a tree may have.
pub const FINDINGS_MAX: usize = 200_000;

/// The longest path of a directory, in bytes.
pub const DIRECTORY_PATH_BYTES_MAX: usize = 3_800;

/// What was found out about one tree.
#[derive(Debug)]
pub struct Census {
    /// Everything worth naming, sorted by path.
    pub found: Vec<Found>,
    /// Whether the root itself looks like a bare repository.
    pub root_is_bare_repository: bool,
    /// How many directories there are.
    pub directories: usize,
    /// How many of them had to be read.
    pub directories_read: usize,
    /// What became of the index.
    pub index: IndexState,
}

/// One path worth naming.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Where it lies.
    pub path: WorkspacePath,
    /// Why it is named.
    pub finding: Finding,
}

/// Why a path is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// A mask hides it.
    Masked,
    /// It looks like a secret, and no mask hides it.
    Resembles(Resemblance),
    /// It is called `.git` and is a directory.
    GitDirectory,
    /// It is called `.git` and is a file or a link (a linked worktree, a submodule).
    GitPointer,
    /// A directory that looks like a bare repository.
    BareRepository,
    /// Another file system is mounted there. An overlay shows what lies *under* it, which was not looked at:
    /// hide it or mount it on its own.
    MountPoint,
    /// A directory that can't be read. A cell could make it readable (its owner is the agent's uid), and
    /// nobody knows what it holds: hide it.
    Unreadable,
}

/// [`SecretName`], ordered so that findings can be sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resemblance(pub SecretName);

impl Ord for Resemblance {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        index::resemblance_code(self.0).cmp(&index::resemblance_code(other.0))
    }
}

impl PartialOrd for Resemblance {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// What became of the index that makes the next census quick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexState {
    /// It held for every directory.
    Confirmed,
    /// It was missing, broken or of other masks, and was made anew.
    Made,
    /// Some directories had changed, and it was brought up to date.
    Renewed,
    /// It could not be written; the census is right, and the next one will be slow.
    NotWritten(Errno),
}

/// Why no census could be taken.
#[derive(Debug, thiserror::Error)]
pub enum CensusError {
    /// A directory can't be opened or listed.
    #[error("cannot read the directory {path}")]
    Read {
        /// Relative to the workspace, shown harmlessly; `.` for its root.
        path: String,
        /// The kernel's answer.
        #[source]
        source: Errno,
    },
    /// A directory lies too deep.
    #[error("the directory {path} lies deeper than {DIRECTORY_PATH_BYTES_MAX} bytes of path")]
    TooDeep {
        /// Relative to the workspace.
        path: String,
    },
    /// There are more directories than [`DIRECTORIES_MAX`].
    #[error("the workspace has more than {DIRECTORIES_MAX} directories")]
    TooManyDirectories,
    /// There is more to be named than [`FINDINGS_MAX`].
    #[error("the workspace has more than {FINDINGS_MAX} paths that are masked or look like secrets")]
    TooManyFindings,
    /// A name can't be a path below a workspace.
    #[error("a name in the workspace cannot be used")]
    Path(#[from] PathError),
}

/// Takes the census of the tree below `root`.
///
/// `cache` is a directory of the owner's (0700) that no session sees; `now_unix_seconds` is to be read *before* the
/// call, from the clock by which the file system stamps.
///
/// # Errors
/// [`CensusError`]; a broken or missing index is none.
pub fn take(
    root: BorrowedFd<'_>,
    cache: BorrowedFd<'_>,
    masks: &MaskSet,
    now_unix_seconds: i64,
) -> Result<Census, CensusError> {
    let root_error = |source| CensusError::Read { path: ".".to_owned(), source };
    let identity = index::Identity::of(root, masks.digest()).map_err(root_error)?;
    let stored = index::load(cache, &identity);
    let had_index = stored.is_some();
    let survey = scan::Survey { root, masks, mount: identity.mount, now_unix_seconds };
    let (tree, read) = match stored {
        Some(tree) => survey.renew(tree)?,
        None => survey.renew(tree::Tree::new())?,
    };
    let index = match (had_index, read) {
        (true, 0) => IndexState::Confirmed,
        (had_index, _) => match index::store(cache, &identity, &tree) {
            Ok(()) if had_index => IndexState::Renewed,
            Ok(()) => IndexState::Made,
            Err(errno) => IndexState::NotWritten(errno),
        },
    };
    let found = tree.findings()?;
    let root_is_bare_repository = tree.nodes.first().is_some_and(|node| node.bare_repository);
    let directories = tree.nodes.len();
    Ok(Census { found, root_is_bare_repository, directories, directories_read: read, index })
}

impl Census {
    /// The paths with one of the findings that `chosen` accepts.
    pub fn paths(&self, chosen: impl Fn(Finding) -> bool) -> impl Iterator<Item = &WorkspacePath> {
        self.found.iter().filter(move |found| chosen(found.finding)).map(|found| &found.path)
    }
}

/// How the kind of an entry counts for masks.
const fn name_kind(is_directory: bool) -> NameKind {
    if is_directory { NameKind::Directory } else { NameKind::Other }
}

#[cfg(test)]
mod tests;
