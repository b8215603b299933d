//! The commits that a session made: which are new, what each changes, and one digest over all that they bring.
//!
//! All is read by our own code, each object verified by its name. What the owner's stores hold counts as known, and is
//! not looked at again. Whether the last tree is the one that was reviewed is for the caller to compare.

use super::objects::{
    Commit, OBJECT_BYTES_MAX, ObjectError, ObjectId, ObjectKind, Objects, TreeChange, TreeEntryKind,
    WalkError,
};
use crate::changeset::encoding::Digest;
use crate::changeset::refusal::{Refusal, of_link, resembles_git};
use crate::path::visible;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// The most new objects.
pub const OBJECTS_MAX: usize = 1_000_000;

/// The longest target of a link, in bytes.
const LINK_BYTES_MAX: u64 = 4_095;

/// What the encoding under the digest begins with.
const HEADER: &[u8] = b"cofferdam commits 1\n";

/// A commit that the owner's stores don't hold.
#[derive(Debug, Clone)]
pub struct NewCommit {
    /// Its name.
    pub id: ObjectId,
    /// What it says.
    pub commit: Commit,
    /// What it changes against its first parent; all that it holds, if it has none.
    pub changes: Vec<TreeChange>,
}

/// All that leads to a commit and that the owner's stores don't hold.
#[derive(Debug, Clone)]
pub struct NewCommits {
    /// The last one.
    pub tip: ObjectId,
    /// Each after its parents.
    pub commits: Vec<NewCommit>,
    /// The owner's commits that they follow.
    pub follows: Vec<ObjectId>,
    /// Every new object.
    pub objects: Vec<ObjectId>,
    /// Over every new object and the tip.
    pub digest: Digest,
}

/// Why commits can't be taken.
#[derive(Debug, thiserror::Error)]
pub enum CommitsError {
    /// They can't be read.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// An object can't be read.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// More than [`OBJECTS_MAX`].
    #[error("they bring more than {OBJECTS_MAX} objects")]
    TooMany,
    /// One of them holds what is never brought back.
    #[error("the commit {commit} holds {path}, and {}", refusal.words())]
    Refused {
        /// Which.
        commit: ObjectId,
        /// Shown harmlessly.
        path: String,
        /// Why.
        refusal: Refusal,
    },
    /// One of them moves a submodule to another commit.
    #[error("the commit {commit} moves the submodule {path}")]
    Submodule {
        /// Which.
        commit: ObjectId,
        /// Shown harmlessly.
        path: String,
    },
}

/// What leads to `tip` in `all` and is not in `owners`; nothing if the tip itself is there.
///
/// # Errors
/// [`CommitsError`].
pub fn new_commits(
    all: &mut Objects,
    owners: &mut Objects,
    tip: ObjectId,
) -> Result<Option<NewCommits>, CommitsError> {
    if owners.commit(&tip).is_ok() {
        return Ok(None);
    }
    let found = all.commits_to(&tip, |id| owners.commit(id).is_ok())?;
    let mut fresh: BTreeMap<ObjectId, Digest> = BTreeMap::new();
    let mut commits = Vec::with_capacity(found.len());
    for (id, commit) in found {
        take(all, &mut fresh, id)?;
        let before = commit.parents.first().map(|parent| all.commit(parent).map(|parent| parent.tree));
        let between = all.between(before.transpose()?, commit.tree)?;
        if let Some(path) = between.repositories.first() {
            let refusal = Refusal::GitDirectory;
            return Err(CommitsError::Refused { commit: id, path: visible(path), refusal });
        }
        for tree in &between.trees {
            if !owners.holds(tree)? {
                take(all, &mut fresh, *tree)?;
            }
        }
        for change in &between.changes {
            let Some((kind, content)) = &change.after else { continue };
            judge(all, id, change, *kind, content)?;
            if *kind != TreeEntryKind::Gitlink && !owners.holds(content)? {
                take(all, &mut fresh, *content)?;
            }
        }
        commits.push(NewCommit { id, commit, changes: between.changes });
    }
    let known = |id: &&ObjectId| !fresh.contains_key(id);
    let mut follows: Vec<ObjectId> =
        commits.iter().flat_map(|new| new.commit.parents.iter().filter(known).copied()).collect();
    follows.sort_unstable();
    follows.dedup();
    let digest = digest(&tip, &fresh);
    Ok(Some(NewCommits { tip, commits, follows, objects: fresh.into_keys().collect(), digest }))
}

fn take(all: &mut Objects, fresh: &mut BTreeMap<ObjectId, Digest>, id: ObjectId) -> Result<(), CommitsError> {
    if fresh.contains_key(&id) {
        return Ok(());
    }
    if fresh.len() >= OBJECTS_MAX {
        return Err(CommitsError::TooMany);
    }
    let object = all.read(&id, OBJECT_BYTES_MAX)?;
    let mut hash = Sha256::new();
    hash.update(object.kind.name().as_bytes());
    hash.update([0]);
    hash.update(&object.content);
    fresh.insert(id, Digest::from_bytes(hash.finalize().into()));
    Ok(())
}

fn judge(
    all: &mut Objects,
    commit: ObjectId,
    change: &TreeChange,
    kind: TreeEntryKind,
    content: &ObjectId,
) -> Result<(), CommitsError> {
    let path = || visible(&change.path);
    if change.path.split(|byte| *byte == b'/').any(|name| name == b".git" || resembles_git(name)) {
        return Err(CommitsError::Refused { commit, path: path(), refusal: Refusal::GitDirectory });
    }
    match kind {
        TreeEntryKind::Gitlink => Err(CommitsError::Submodule { commit, path: path() }),
        TreeEntryKind::Symlink => {
            let target = all.read_kind(content, ObjectKind::Blob, LINK_BYTES_MAX)?;
            match of_link(&change.path, &target) {
                Some(refusal) => Err(CommitsError::Refused { commit, path: path(), refusal }),
                None => Ok(()),
            }
        }
        TreeEntryKind::Tree | TreeEntryKind::File | TreeEntryKind::Executable => Ok(()),
    }
}

fn digest(tip: &ObjectId, fresh: &BTreeMap<ObjectId, Digest>) -> Digest {
    let mut hash = Sha256::new();
    hash.update(HEADER);
    hash.update(tip.as_bytes());
    hash.update(u64::try_from(fresh.len()).unwrap_or(u64::MAX).to_be_bytes());
    for (id, content) in fresh {
        hash.update(id.as_bytes());
        hash.update(content.as_bytes());
    }
    Digest::from_bytes(hash.finalize().into())
}
