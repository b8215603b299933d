//! What git's index holds of the owner's files: the ancestor that a three-way merge needs.
//!
//! It is an ancestor only, never a proof of what a session started from: an index may be older, newer, or lie. A merge
//! on a wrong ancestor is a merge that a person sees before it counts. Filters and line-end conversions are not
//! undone, so what git keeps in another form than the work tree shows as changed throughout.

use super::objects::{ObjectError, ObjectKind, Objects};
use super::places::{self, GitPlaces, PlacesError};
use super::tracked::{Tracked, blobs, index_of};
use crate::changes::Moment;
use crate::path::{WorkspacePath, joined};
use cofferdam_policy::path::AbsPath;
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::rc::Rc;

const MODE_FILE: u32 = 0o100_644;
const MODE_EXECUTABLE: u32 = 0o100_755;

/// What git has of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ancestor {
    /// As git writes it.
    pub mode: u32,
    /// The blob.
    pub content: Vec<u8>,
    /// The ctime of the file that git took it from, or last saw to be equal to it; nothing if it noted none.
    pub taken: Option<Moment>,
}

/// Why git has no ancestor of a file.
#[derive(Debug, thiserror::Error)]
pub enum NoAncestor {
    /// It lies in no repository.
    #[error("it lies in no git repository")]
    NoRepository,
    /// The repository can't be used.
    #[error("its git repository cannot be used")]
    Repository(#[source] PlacesError),
    /// Its objects are named by a hash that is not known here.
    #[error("its git repository names objects by an unknown hash")]
    Format,
    /// The stores can't be listed.
    #[error("the objects of its git repository cannot be listed")]
    Stores(#[source] Errno),
    /// The index is not understood or split.
    #[error("git's index is not understood")]
    Index,
    /// The index doesn't hold it.
    #[error("git does not track it")]
    Untracked,
    /// A merge of the owner's is not finished.
    #[error("git has it in a merge that is not finished")]
    Unmerged,
    /// A link or a submodule to git.
    #[error("git does not track it as a file")]
    OtherKind,
    /// The blob can't be read.
    #[error(transparent)]
    Object(#[from] ObjectError),
}

/// Gives `take` the ancestor of each of these files of the owner's directory, of at most `bytes_max` bytes; one at a
/// time, so that no more than one is in memory. Repositories in the directory count for what lies in them.
pub fn ancestors(
    directory: &AbsPath,
    paths: &[WorkspacePath],
    bytes_max: u64,
    mut take: impl FnMut(WorkspacePath, Result<Ancestor, Rc<NoAncestor>>),
) {
    for group in groups(directory, paths) {
        let mut repository = group.repository.and_then(|places| {
            let asked = group.paths.iter().map(|(_, tracked)| tracked.clone()).collect();
            Repository::of(&places, &asked).map_err(Rc::new)
        });
        for (path, tracked) in group.paths {
            let ancestor = match &mut repository {
                Ok(repository) => repository.ancestor(&tracked, bytes_max).map_err(Rc::new),
                Err(error) => Err(Rc::clone(error)),
            };
            take(path, ancestor);
        }
    }
}

/// Files of one repository, or of none.
struct Group {
    repository: Result<GitPlaces, Rc<NoAncestor>>,
    /// Each with its path from the work tree's top.
    paths: Vec<(WorkspacePath, Vec<u8>)>,
}

/// One for each repository, so that its index is read once; each directory is asked once.
fn groups(directory: &AbsPath, paths: &[WorkspacePath]) -> Vec<Group> {
    let mut by_parent: BTreeMap<&[u8], Vec<&WorkspacePath>> = BTreeMap::new();
    for path in paths {
        by_parent.entry(path.parent()).or_default().push(path);
    }
    let mut groups: Vec<Group> = Vec::new();
    for (parent, paths) in by_parent {
        let (repository, prefix) = match repository(directory, parent) {
            Ok((places, prefix)) => (Ok(places), prefix),
            Err(error) => (Err(Rc::new(error)), Vec::new()),
        };
        let paths = paths.into_iter().map(|path| (path.clone(), joined(&prefix, path.name())));
        let same = repository.as_ref().ok().and_then(|places| {
            let is_same = |known: &GitPlaces| known.git_directory == places.git_directory;
            groups.iter_mut().find(|group| group.repository.as_ref().is_ok_and(is_same))
        });
        match same {
            Some(group) => group.paths.extend(paths),
            None => groups.push(Group { paths: paths.collect(), repository }),
        }
    }
    groups
}

/// The repository that `parent` in the owner's directory belongs to, and where that lies from its top.
fn repository(directory: &AbsPath, parent: &[u8]) -> Result<(GitPlaces, Vec<u8>), NoAncestor> {
    let path = directory.as_path().join(OsStr::from_bytes(parent));
    // A path without a text form is one that git directories are not looked for in.
    let place = AbsPath::new(path).map_err(|_unusable| NoAncestor::NoRepository)?;
    let found = places::find(&place, directory).map_err(NoAncestor::Repository)?;
    let found = found.ok_or(NoAncestor::NoRepository)?;
    let below = place.as_path().strip_prefix(found.top.as_path());
    let prefix = below.map_err(|_elsewhere| NoAncestor::NoRepository)?.as_os_str().as_bytes().to_vec();
    Ok((found, prefix))
}

/// A repository, with what its index holds of the files that are asked for.
struct Repository {
    objects: Objects,
    tracked: BTreeMap<Vec<u8>, Tracked>,
}

impl Repository {
    fn of(places: &GitPlaces, asked: &BTreeSet<Vec<u8>>) -> Result<Self, NoAncestor> {
        let stores = places::stores(&places.common_directory).map_err(NoAncestor::Repository)?;
        let stores = stores.ok_or(NoAncestor::Format)?;
        let index = index_of(&places.git_directory).ok_or(NoAncestor::Index)?;
        let tracked = blobs(&index, stores.format, asked).ok_or(NoAncestor::Index)?;
        let objects = Objects::open(stores.format, stores.directories).map_err(NoAncestor::Stores)?;
        Ok(Self { objects, tracked })
    }

    fn ancestor(&mut self, path: &[u8], bytes_max: u64) -> Result<Ancestor, NoAncestor> {
        match self.tracked.get(path) {
            None => Err(NoAncestor::Untracked),
            Some(Tracked::Unmerged) => Err(NoAncestor::Unmerged),
            Some(Tracked::Blob { mode: mode @ (MODE_FILE | MODE_EXECUTABLE), id, taken }) => {
                let content = self.objects.read_kind(id, ObjectKind::Blob, bytes_max)?;
                Ok(Ancestor { mode: *mode, content, taken: *taken })
            }
            Some(Tracked::Blob { .. }) => Err(NoAncestor::OtherKind),
        }
    }
}

#[cfg(test)]
mod tests;
