//! The commits that a session made: read through its layers, compared with what it left in the work tree, and brought
//! into the owner's repository under a name of their own.
//!
//! No git is run here on anything that the agent wrote: objects are read and verified by our own code. What a commit
//! holds otherwise than the work tree, and what lies in the work tree and in no commit, is a reason not to take them:
//! the last tree is the tree that a person reviewed. No branch of the owner's moves.

mod compare;
mod repository;

pub use cofferdam_workspace::git::commits::{NewCommit, NewCommits};
pub use cofferdam_workspace::git::objects::{ObjectId, Side, TreeChange, TreeEntryKind};
pub use compare::Mismatch;

use crate::context::Context;
use crate::diff::{self, Diff, Digest};
use crate::error::{Error, ErrorKind};
use crate::state::State;
use cofferdam_ledger::{Durability, SessionRecord};
use cofferdam_policy::authority::Authority;
use cofferdam_policy::event::Event;
use cofferdam_policy::path::AbsPath;
use cofferdam_policy::review::runs_later::{self, HEAD_BYTES, RunsLater, RunsLaterTable, Subject};
use cofferdam_policy::review::suspicious::{self, Finding, TextFindings};
use cofferdam_workspace::changeset::encoding::digest_of_all;
use cofferdam_workspace::git::commits::new_commits;
use cofferdam_workspace::git::import::{self, REFERENCES};
use cofferdam_workspace::git::objects::{OBJECT_BYTES_MAX, ObjectKind, Objects};
use cofferdam_workspace::git::packing;
use repository::Repository;
use rustix::fd::AsFd as _;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The name of the pack, until its checksum is its name.
const PACK: &str = "new";

/// How much of a content is looked at for a NUL, in bytes, as git does.
const SNIFFED_BYTES: usize = 8_000;

/// What a session committed in one repository.
#[derive(Debug)]
pub struct Branch {
    /// The workspace in which the repository is worked on.
    pub workspace: AbsPath,
    /// `refs/heads/…`; nothing if no branch is checked out.
    pub name: Option<String>,
    /// What is new.
    pub new: NewCommits,
    /// In what the last commit differs from the work tree.
    pub mismatches: Vec<Mismatch>,
    repository: Repository,
    objects: Objects,
}

/// A branch as it was brought into the owner's repository.
#[derive(Debug, Clone)]
pub struct Imported {
    /// `refs/cofferdam/SESSION/BRANCH`.
    pub reference: String,
    /// The last commit.
    pub tip: ObjectId,
    /// How many commits came.
    pub commits: usize,
}

/// What a session committed.
#[derive(Debug)]
pub struct Commits {
    /// In the order of the workspaces; those without new commits have none.
    pub branches: Vec<Branch>,
    /// Over exactly what would be brought in.
    pub digest: Digest,
    runs_later: Rc<RunsLaterTable>,
}

/// What is to be said of a change.
#[derive(Debug)]
pub struct CommitRemarks {
    /// What makes it run later on the host.
    pub runs_later: Option<RunsLater>,
    /// What deceives in its name or content.
    pub suspicious: BTreeSet<Finding>,
}

/// The new commits of every workspace of a session.
///
/// # Errors
/// [`ErrorKind::Workspace`] if a repository or its objects can't be read, or hold what is never brought back.
pub fn of(
    context: &Context,
    state: &State,
    record: &SessionRecord,
    authority: &Authority,
) -> Result<Commits, Error> {
    let diff = diff::of(context, state, record, authority)?;
    let mut branches = Vec::new();
    for workspace in &authority.workspaces {
        branches.extend(branch(state, record, authority, &workspace.path, &diff)?);
    }
    let digests: Vec<(&[u8], Digest)> =
        branches.iter().map(|branch| (branch.workspace.as_str().as_bytes(), branch.new.digest)).collect();
    let digest = digest_of_all(&digests);
    Ok(Commits { branches, digest, runs_later: diff.into_table() })
}

impl Commits {
    /// What a person should look at in a change whose content afterwards is `after`.
    #[must_use]
    pub fn remarks(&self, change: &TreeChange, after: Option<&[u8]>) -> CommitRemarks {
        let mut suspicious = suspicious::of_path(&change.path);
        if after.is_some() && suspicious::is_ignore_file(&change.path) {
            suspicious.insert(Finding::IgnoreRules);
        }
        if let Some(text) = after.filter(|text| !is_binary(text)) {
            let mut findings = TextFindings::default();
            text.split_inclusive(|byte| *byte == b'\n').for_each(|line| findings.add(line));
            suspicious.extend(findings.iter().map(|(finding, _)| finding));
        }
        let mode = |side: &Side| side.map(|(kind, _)| kind.mode() & 0o7777);
        let kind = change.after.or(change.before).map_or(TreeEntryKind::File, |(kind, _)| kind);
        let runs_later = self.runs_later.find(&Subject {
            path: &change.path,
            kind: match kind {
                TreeEntryKind::File | TreeEntryKind::Executable => runs_later::EntryKind::File,
                TreeEntryKind::Tree => runs_later::EntryKind::Directory,
                TreeEntryKind::Symlink => runs_later::EntryKind::Symlink,
                TreeEntryKind::Gitlink => runs_later::EntryKind::Gitlink,
            },
            mode_before: mode(&change.before),
            mode_after: mode(&change.after),
            head: after.map(|text| text.get(..HEAD_BYTES).unwrap_or(text)),
        });
        CommitRemarks { runs_later, suspicious }
    }
}

/// A private place for packs, gone with this value.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    made: Cell<u32>,
}

impl Scratch {
    /// In the session's directory; what a killed command left there goes.
    ///
    /// # Errors
    /// [`ErrorKind::State`].
    pub fn make(state: &State, record: &SessionRecord) -> Result<Self, Error> {
        let path = state.session(&record.id).root().join("commits");
        let scratch = Self { path, made: Cell::new(0) };
        scratch.clear();
        crate::state::make_directory(&scratch.path, None)?;
        Ok(scratch)
    }

    /// A new directory in it.
    ///
    /// # Errors
    /// [`ErrorKind::State`].
    pub fn directory(&self) -> Result<PathBuf, Error> {
        self.made.set(self.made.get().saturating_add(1));
        let path = self.path.join(self.made.get().to_string());
        crate::state::make_directory(&path, None)?;
        Ok(path)
    }

    fn clear(&self) {
        let _left_over = std::fs::remove_dir_all(&self.path).is_err();
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Whether a content is no text.
#[must_use]
pub fn is_binary(content: &[u8]) -> bool {
    content.iter().take(SNIFFED_BYTES).any(|byte| *byte == 0)
}

fn branch(
    state: &State,
    record: &SessionRecord,
    authority: &Authority,
    workspace: &AbsPath,
    diff: &Diff,
) -> Result<Option<Branch>, Error> {
    let Some(repository) = Repository::of(state, record, authority, workspace)? else { return Ok(None) };
    let cannot = |error: Box<dyn std::error::Error + Send + Sync>| cannot_take(workspace, error.to_string());
    let head = repository.head().map_err(|error| cannot(Box::new(error)))?;
    let Some(commit) = head.commit else { return Ok(None) };
    let tip = ObjectId::from_hex(repository.format, commit.as_bytes()).ok_or_else(|| {
        cannot_take(workspace, format!("its HEAD names no object of the repository: {commit}"))
    })?;
    let mut objects = repository.all_objects()?;
    let mut owners = repository.owners_objects()?;
    let found = new_commits(&mut objects, &mut owners, tip).map_err(|error| cannot(Box::new(error)))?;
    let Some(new) = found else { return Ok(None) };
    let mismatches = compare::mismatches(&mut objects, &new, &repository, workspace, diff)
        .map_err(|error| cannot(Box::new(error)))?;
    let name = head.branch.map(|name| String::from_utf8_lossy(&name).into_owned());
    Ok(Some(Branch { workspace: workspace.clone(), name, new, mismatches, repository, objects }))
}

fn cannot_take(workspace: &AbsPath, why: String) -> Error {
    Error::new(ErrorKind::Workspace, format!("cannot take the commits made in {workspace}"))
        .since(why)
        .hint("bring the files instead, and commit them yourself: cofferdam review")
}

impl Branch {
    /// The content of one side of a change, as bytes; nothing for a side without content.
    ///
    /// # Errors
    /// [`ErrorKind::Workspace`].
    pub fn content(&mut self, side: &Side) -> Result<Option<Vec<u8>>, Error> {
        match side {
            None | Some((TreeEntryKind::Gitlink | TreeEntryKind::Tree, _)) => Ok(None),
            Some((TreeEntryKind::File | TreeEntryKind::Executable | TreeEntryKind::Symlink, id)) => {
                let read = self.objects.read_kind(id, ObjectKind::Blob, OBJECT_BYTES_MAX);
                read.map(Some).map_err(|error| cannot_take(&self.workspace, error.to_string()))
            }
        }
    }

    /// Packs the new objects into the private directory `scratch`, for a look by git in a cell and for [`Self::import`].
    /// Gives the path of the pack and its checksum.
    ///
    /// # Errors
    /// [`ErrorKind::State`] if it can't be written, [`ErrorKind::Workspace`] if an object can't be read.
    pub fn pack(&mut self, scratch: &Path) -> Result<(PathBuf, String), Error> {
        let directory = crate::state::open_directory(scratch)?;
        let checksum = packing::pack(&mut self.objects, &self.new.objects, directory.as_fd(), PACK).map_err(
            |error| {
                Error::new(ErrorKind::State, "cannot pack the commits")
                    .because(error)
                    .hint("is the disk full? cofferdam doctor")
            },
        )?;
        Ok((scratch.join(format!("{PACK}.pack")), checksum))
    }

    /// Brings what was packed into the owner's repository.
    ///
    /// # Errors
    /// [`ErrorKind::Workspace`] if the repository can't be written, or keeps its references otherwise.
    pub fn import(
        &self,
        context: &Context,
        state: &State,
        record: &SessionRecord,
        scratch: &Path,
        checksum: &str,
    ) -> Result<Imported, Error> {
        let cannot = |error: import::ImportError| {
            Error::new(
                ErrorKind::Workspace,
                format!("cannot bring commits into the repository of {}", self.workspace),
            )
            .because(error)
            .hint("may you write there? is a git at work? then try again")
        };
        if self.repository.keeps_references_otherwise {
            return Err(cannot_take(
                &self.workspace,
                "its references are not kept in files (reftable)".to_owned(),
            ));
        }
        let reference = self.reference(record);
        let common = &self.repository.owners_common;
        import::require_name(common.as_fd(), &reference).map_err(cannot)?;
        let from = crate::state::open_directory(scratch)?;
        import::install_pack(common.as_fd(), from.as_fd(), PACK, checksum).map_err(cannot)?;
        import::set_reference(common.as_fd(), &reference, &self.new.tip).map_err(cannot)?;
        let event = Event::Imported {
            reference: reference.clone(),
            tip: self.new.tip.to_string(),
            digest: self.new.digest.to_string(),
            commits: u64::try_from(self.new.commits.len()).unwrap_or(u64::MAX),
        };
        state.ledger()?.record(&record.id, (context.now)(), &event, Durability::Disk)?;
        Ok(Imported { reference, tip: self.new.tip, commits: self.new.commits.len() })
    }

    /// What the commits will be called: the session, and the branch it worked on.
    fn reference(&self, record: &SessionRecord) -> String {
        let branch = self.name.as_deref().and_then(|name| name.strip_prefix("refs/heads/")).unwrap_or("HEAD");
        format!("{REFERENCES}{}/{branch}", record.name.as_str())
    }
}
