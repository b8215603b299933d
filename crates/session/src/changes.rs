//! What a session changed, over all its workspaces and copy-on-write mounts.
//!
//! Read by our own code from the session's layers; where the agent took permissions away, in a helper process that
//! has power over the owner's own files and nothing else.

use crate::error::{Error, ErrorKind};
use crate::helper;
use crate::prepare::{CopyRecord, copy_record};
use crate::state::{self, SessionPlace, State};
use crate::veiling;
use cofferdam_ledger::SessionRecord;
use cofferdam_policy::authority::{Access, Authority, Purpose, View};
use cofferdam_policy::mask::MaskSet;
use cofferdam_policy::path::AbsPath;
use cofferdam_workspace::changes::{
    Change, ChangeEntry, ChangeError, ChangeQuery, ChangeSummary, is_index, of_copy, of_upper,
};
use cofferdam_workspace::path::WorkspacePath;
use rustix::fd::{AsFd as _, OwnedFd};
use serde::Serialize;

/// The most entries that are listed of one directory.
const ENTRIES_MAX: usize = 10_000;

/// What a session changed.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Changes {
    /// By workspace and mount, in the order of the authority.
    pub directories: Vec<DirectoryChanges>,
}

/// What it changed in one directory.
#[derive(Debug, Clone, Serialize)]
pub struct DirectoryChanges {
    /// Where the directory is.
    pub path: AbsPath,
    /// What changed in it.
    #[serde(flatten)]
    pub summary: ChangeSummary,
    /// A repository's real git directory, mounted beside its work tree: nothing in it is listed.
    #[serde(skip)]
    is_git: bool,
}

/// One change, for people.
#[derive(Debug)]
pub struct Shown<'a> {
    entry: &'a ChangeEntry,
    path: Vec<u8>,
}

impl Shown<'_> {
    /// `+`, `~`, `-`, `T` or `m`.
    #[must_use]
    pub fn sign(&self) -> &'static str {
        match self.entry.change {
            Change::Added => "+",
            Change::Modified => "~",
            Change::Deleted => "-",
            Change::Type => "T",
            Change::Mode => "m",
        }
    }

    /// The path: relative where only one directory can have entries, else absolute. To be made visible before it is shown.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        &self.path
    }
}

impl Changes {
    /// Whether nothing is there to be lost: neither files nor anything that git keeps.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.directories
            .iter()
            .all(|directory| directory.summary.is_empty() && directory.summary.git_kept == 0)
    }

    /// How many changes there are, of those that [`Changes::entries`] lists.
    #[must_use]
    pub fn total_listed(&self) -> usize {
        self.directories.iter().map(|directory| directory.summary.entries.len()).sum()
    }

    /// How many changes there are outside git directories, listed or not.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.directories.iter().fold(0, |sum, directory| sum.saturating_add(directory.summary.total()))
    }

    /// Every change that is listed.
    pub fn entries(&self) -> impl Iterator<Item = Shown<'_>> {
        let several = self.directories.iter().filter(|directory| !directory.is_git).count() > 1;
        self.directories.iter().flat_map(move |directory| {
            directory.summary.entries.iter().map(move |entry| {
                let mut path = Vec::new();
                if several {
                    path.extend_from_slice(directory.path.as_str().as_bytes());
                    path.push(b'/');
                }
                path.extend_from_slice(entry.path.as_bytes());
                Shown { entry, path }
            })
        })
    }

    /// How many of which sort, in words.
    #[must_use]
    pub fn counts(&self) -> Vec<(u64, &'static str)> {
        let sum = |of: fn(&ChangeSummary) -> u64| self.directories.iter().map(|d| of(&d.summary)).sum();
        vec![
            (sum(|s| s.added), "added"),
            (sum(|s| s.modified), "modified"),
            (sum(|s| s.deleted), "deleted"),
            (sum(|s| s.typed), "of another type"),
            (sum(|s| s.mode), "with another mode"),
            (sum(|s| s.git_internal), "in git's own files"),
        ]
    }
}

/// Reads what a session changed.
///
/// # Errors
/// [`ErrorKind::State`] if a layer can't be read, [`ErrorKind::Workspace`] if the owner's directory is gone.
pub fn of(state: &State, record: &SessionRecord, authority: &Authority) -> Result<Changes, Error> {
    let place = state.session(&record.id);
    let mut changes = Changes::default();
    for Changeable { number, target, original, view, is_git } in changeable(authority) {
        let mut summary = directory(&place, number, &target, original, view, authority)?;
        if is_git {
            summary = inside_git(&summary);
        }
        changes.directories.push(DirectoryChanges { path: target, summary, is_git });
    }
    Ok(changes)
}

/// A directory of the owner's that a session can change a view of.
pub(crate) struct Changeable<'a> {
    /// Of its layer.
    pub(crate) number: usize,
    pub(crate) target: AbsPath,
    pub(crate) original: &'a AbsPath,
    pub(crate) view: View,
    /// A git directory, mounted on its own.
    pub(crate) is_git: bool,
}

/// All of them, in the order of their layers.
pub(crate) fn changeable(authority: &Authority) -> Vec<Changeable<'_>> {
    let mut found = Vec::new();
    for (number, target) in veiling::targets(authority).into_iter().enumerate() {
        let workspace = authority.workspaces.iter().find(|known| known.path == target);
        let mount = authority.mounts.iter().find(|known| known.target == target);
        let (original, view, is_git) = match (workspace, mount) {
            (Some(workspace), _) => (&workspace.path, workspace.view, false),
            (None, Some(mount)) if mount.access == Access::Cow => match &mount.purpose {
                Purpose::Chosen => (&mount.source, View::Overlay, false),
                Purpose::Git(_) => (&mount.source, View::Overlay, true),
                // Caches and settings: nothing in them is the owner's work.
                Purpose::Tool(_) | Purpose::Cache(_) | Purpose::AgentHome(_) | Purpose::System => continue,
            },
            (None, Some(_) | None) => continue,
        };
        found.push(Changeable { number, target, original, view, is_git });
    }
    found
}

/// The changes of a git directory that is mounted on its own: counted, as those of any other git directory.
fn inside_git(summary: &ChangeSummary) -> ChangeSummary {
    let kept = summary.entries.iter().filter(|entry| !is_index(entry.path.as_bytes())).count();
    ChangeSummary {
        git_internal: summary.total(),
        git_kept: if summary.truncated { summary.total() } else { kept as u64 },
        ..ChangeSummary::default()
    }
}

fn directory(
    place: &SessionPlace,
    number: usize,
    target: &AbsPath,
    original: &AbsPath,
    view: View,
    authority: &Authority,
) -> Result<ChangeSummary, Error> {
    let path = match view {
        View::Overlay => place.layer(number).join("upper"),
        View::Copy => place.copy(number),
    };
    // A session that never got so far has changed nothing.
    if !path.exists() {
        return Ok(ChangeSummary::default());
    }
    state::make_enterable(&path)?;
    let layer = state::open_directory(&path)?;
    let real = state::open_directory(original.as_path()).map_err(|error| {
        Error::new(ErrorKind::Workspace, format!("cannot compare with {original}"))
            .because(error)
            .hint("is the directory still there?")
    })?;
    let masks = veiling::masks(authority, target)?;
    let copy = match view {
        View::Overlay => None,
        View::Copy => Some(copy_record(place, number)?),
    };
    let reading = Reading { layer, real, masks, copy };
    match reading.read() {
        Ok(summary) => Ok(summary),
        Err(ChangeError::NeedsPrivilege { .. }) => {
            helper::with_privilege(|| reading.read().map_err(|error| error.to_string()))
        }
        Err(error) => Err(unreadable(target, error)),
    }
}

fn unreadable(target: &AbsPath, error: ChangeError) -> Error {
    Error::new(ErrorKind::State, format!("cannot read what changed in {target}"))
        .because(error)
        .hint("cofferdam doctor")
}

/// All that a reading needs.
struct Reading {
    layer: OwnedFd,
    real: OwnedFd,
    masks: MaskSet,
    copy: Option<CopyRecord>,
}

impl Reading {
    fn read(&self) -> Result<ChangeSummary, ChangeError> {
        let hidden: &[WorkspacePath] = self.copy.as_ref().map_or(&[], |copy| &copy.hidden);
        let query =
            ChangeQuery { original: self.real.as_fd(), masks: &self.masks, hidden, entries_max: ENTRIES_MAX };
        match &self.copy {
            None => of_upper(self.layer.as_fd(), &query),
            Some(copy) => of_copy(self.layer.as_fd(), copy.finished, &query),
        }
    }
}
