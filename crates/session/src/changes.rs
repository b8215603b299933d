//! What a session changed, over all its workspaces and copy-on-write mounts.
//!
//! Read by our own code from the session's layers; where the agent took permissions away, in a helper process that
//! has power over the owner's own files and nothing else.

use crate::error::{Error, ErrorKind};
use crate::prepare::{CopyRecord, copy_record};
use crate::state::{self, SessionPlace, State};
use crate::veiling;
use cofferdam_ledger::SessionRecord;
use cofferdam_policy::authority::{Access, Authority, Purpose, View};
use cofferdam_policy::mask::MaskSet;
use cofferdam_policy::path::AbsPath;
use cofferdam_syscall::process::{Fork, Namespaces, clone_into_namespaces, exit_now};
use cofferdam_workspace::changes::{
    Change, ChangeEntry, ChangeError, ChangeQuery, ChangeSummary, is_index, of_copy, of_upper,
};
use cofferdam_workspace::path::WorkspacePath;
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::process::{WaitId, WaitIdOptions, waitid};
use serde::{Deserialize, Serialize};
use std::io::{Read as _, Write as _};

/// The most entries that are listed of one directory.
const ENTRIES_MAX: usize = 10_000;
/// The longest answer of the helper, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

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
    for (number, target) in veiling::targets(authority).iter().enumerate() {
        let workspace = authority.workspaces.iter().find(|known| known.path == *target);
        let mount = authority.mounts.iter().find(|known| known.target == *target);
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
        let mut summary = directory(&place, number, target, original, view, authority)?;
        if is_git {
            summary = inside_git(&summary);
        }
        changes.directories.push(DirectoryChanges { path: target.clone(), summary, is_git });
    }
    Ok(changes)
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
        Err(ChangeError::NeedsPrivilege { .. }) => reading.read_with_privilege(),
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

/// What the helper answers.
#[derive(Serialize, Deserialize)]
enum Answer {
    Read(Box<ChangeSummary>),
    Failed(String),
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

    /// In a child that is root over the owner's own ids in a user namespace, and nothing else.
    fn read_with_privilege(&self) -> Result<ChangeSummary, Error> {
        let cannot = |why: String| {
            Error::new(ErrorKind::State, "cannot read what the agent made unreadable")
                .since(why)
                .hint("cofferdam doctor")
        };
        let pipe =
            || rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|e| cannot(e.to_string()));
        let ((go_reader, go_writer), (reader, writer)) = (pipe()?, pipe()?);
        match clone_into_namespaces(Namespaces::USER).map_err(|errno| cannot(errno.to_string()))? {
            Fork::Child => {
                drop((go_writer, reader));
                let mut go = [0_u8];
                let told = rustix::io::read(&go_reader, &mut go) == Ok(1);
                exit_now(i32::from(!(told && self.answer(writer))))
            }
            Fork::Parent(pid, pidfd) => {
                drop((go_reader, writer));
                let mapped = map_own_ids(pid).map_err(|error| cannot(error.to_string()));
                if mapped.is_ok() {
                    rustix::io::write(&go_writer, &[1]).map_err(|errno| cannot(errno.to_string()))?;
                }
                drop(go_writer);
                let mut text = Vec::new();
                let read = std::fs::File::from(reader).take(ANSWER_BYTES_MAX).read_to_end(&mut text);
                let _reaped = waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED).is_ok();
                mapped?;
                read.map_err(|error| cannot(error.to_string()))?;
                match serde_json::from_slice(&text) {
                    Ok(Answer::Read(summary)) => Ok(*summary),
                    Ok(Answer::Failed(why)) => Err(cannot(why)),
                    Err(error) => Err(cannot(error.to_string())),
                }
            }
        }
    }

    fn answer(&self, writer: OwnedFd) -> bool {
        let answer = match self.read() {
            Ok(summary) => Answer::Read(Box::new(summary)),
            Err(error) => Answer::Failed(error.to_string()),
        };
        let text = serde_json::to_vec(&answer).unwrap_or_default();
        std::fs::File::from(writer).write_all(&text).is_ok()
    }
}

fn map_own_ids(pid: rustix::process::Pid) -> std::io::Result<()> {
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let file = |name: &str| format!("/proc/{}/{name}", pid.as_raw_nonzero());
    std::fs::write(file("setgroups"), "deny")?;
    std::fs::write(file("uid_map"), format!("{uid} {uid} 1\n"))?;
    std::fs::write(file("gid_map"), format!("{gid} {gid} 1\n"))
}
