//! `apply` and `undo`: what a session changed comes into the owner's directories, wholly or not at all, and goes again.
//!
//! In this order: what was cut off is settled; the change set is read and staged; what is to be written is chosen, and
//! its digest must be the one that a person stands for ([`Approval`]); then it is written in every directory, and the
//! ledger learns it. Nothing is executed. Commits, and what a review looks like, are other modules' part.

mod notes;
mod record;
mod settle;
mod tree;
mod undo;

pub use undo::{Listed, Undone, list, undo};

use crate::changes::changeable;
use crate::context::Context;
use crate::diff::{self, Chosen, Diff, Digest, DirectoryDiff, Entry, LeftOut, Objection};
use crate::error::{Error, ErrorKind};
use crate::freeze::{self, Frozen};
use crate::reviewed;
use crate::selection::Take;
use crate::sessions;
use crate::state::State;
use cofferdam_ledger::SessionRecord;
use cofferdam_policy::authority::Authority;
use cofferdam_policy::path::AbsPath;
use cofferdam_workspace::changeset::Refusal;
use cofferdam_workspace::changeset::batch::batch;
use record::{Locked, Member, Record, Records, Standing};
use rustix::fd::AsFd as _;
use settle::Recording;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use tree::Tree;

/// The most paths that an error names.
const NAMED_MAX: usize = 5;

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Only what lies at or below these: absolute, without `.` and `..`. None: all.
    pub paths: Vec<PathBuf>,
    /// Also what lies at or below these, though rules ignore it: likewise.
    pub included: Vec<PathBuf>,
    /// What the owner edited meanwhile is merged in, where that can be.
    pub merged: bool,
    /// A person goes through it and chooses: what is in conflict is shown, and stays out.
    pub chooses: bool,
    /// The digest that the caller declares to have been seen.
    pub digest: Option<Digest>,
}

/// What would be written, before anybody stands for it.
#[derive(Debug)]
pub struct Proposal {
    /// All that changed.
    pub diff: Diff,
    /// What would be written.
    pub chosen: Chosen,
    /// What was asked for.
    pub asked: Asked,
    /// What was settled before.
    pub notes: Vec<String>,
}

/// That a person stands for exactly one digest. Only this module makes one.
#[derive(Debug)]
pub struct Approval {
    digest: Digest,
}

/// An apply that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// What `undo` takes.
    pub id: String,
    /// Other sessions that run on these directories.
    pub others: Vec<String>,
}

/// Reads what changed, and chooses what is asked for.
///
/// # Errors
/// As [`diff::of`]; [`ErrorKind::Conflict`], [`ErrorKind::Refused`], [`ErrorKind::Nothing`], [`ErrorKind::Usage`] for paths
/// that are none of the session's.
pub fn propose(
    context: &Context,
    state: &State,
    record: &SessionRecord,
    asked: Asked,
) -> Result<Proposal, Error> {
    let authority = sessions::authority(record)?;
    let notes = settle(context, state, &authority)?;
    let diff = diff::of_including(context, state, record, &authority, &asked.included)?;
    let diff = if asked.merged { diff.merged()? } else { diff };
    require_known(&diff, &asked.paths)?;
    require_below(&diff, &asked.included)?;
    if let Some(chosen) = reviewed_part(state, record, &diff, &asked) {
        return Ok(Proposal { diff, chosen, asked, notes });
    }
    let takes = |directory: &DirectoryDiff, entry: &Entry| {
        let path = full(&directory.path, entry.path.as_bytes());
        let beneath = |named: &PathBuf| path.starts_with(named);
        asked.paths.is_empty() || asked.paths.iter().chain(&asked.included).any(beneath)
    };
    let mut selection = diff.selection(takes);
    for directory in &diff.directories {
        let links = directory.set.entries.iter().filter(|entry| entry.refused.is_some_and(Refusal::is_link));
        // By its own path, not by a directory above.
        let named = links.filter(|entry| asked.paths.contains(&full(&directory.path, entry.path.as_bytes())));
        named.for_each(|entry| selection.take(&directory.path, &entry.path, Take::Alone));
    }
    let chosen = diff.select(&selection)?;
    require_writable(record, &diff, &chosen, &asked)?;
    Ok(Proposal { diff, chosen, asked, notes })
}

/// Finishes or takes back what was cut off in the directories of a session, before anything else is done with them. What
/// is left to say comes back.
///
/// # Errors
/// [`ErrorKind::State`], [`ErrorKind::Ledger`], [`ErrorKind::Workspace`]: called again, it goes on.
pub fn settle(context: &Context, state: &State, authority: &Authority) -> Result<Vec<String>, Error> {
    let changeable = changeable(authority);
    let originals: Vec<&AbsPath> = changeable.iter().map(|found| found.original).collect();
    settle::recover(context, state, &originals)
}

/// What a completed review took, if its digest was declared and it can be made again.
fn reviewed_part(state: &State, record: &SessionRecord, diff: &Diff, asked: &Asked) -> Option<Chosen> {
    let digest = asked.digest.filter(|_| asked.paths.is_empty() && asked.included.is_empty())?;
    let selection = reviewed::find(state, record, digest)?;
    diff.select(&selection).ok().filter(|chosen| chosen.digest == digest && chosen.entries() > 0)
}

fn full(directory: &AbsPath, path: &[u8]) -> PathBuf {
    directory.as_path().join(OsStr::from_bytes(path))
}

fn shown(path: &Path) -> String {
    crate::terminal::visible_within(path.as_os_str().as_bytes(), SHOWN_COLUMNS_MAX)
}

/// The most columns of a path in an error.
const SHOWN_COLUMNS_MAX: usize = 4_096;

fn require_known(diff: &Diff, paths: &[PathBuf]) -> Result<(), Error> {
    let known = |path: &Path| {
        let tops = diff.directories.iter().map(|directory| directory.path.as_path());
        tops.into_iter().any(|top| top.starts_with(path) || path.starts_with(top))
    };
    match paths.iter().find(|path| !diff.directories.is_empty() && !known(path)) {
        Some(path) => Err(Error::new(ErrorKind::Usage, format!("cannot apply {}", shown(path)))
            .since("it lies in no directory that the session works on")
            .hint("name a path in one of them: cofferdam show")),
        None => Ok(()),
    }
}

fn require_below(diff: &Diff, included: &[PathBuf]) -> Result<(), Error> {
    let is_below = |path: &Path| {
        let mut tops = diff.directories.iter().map(|directory| directory.path.as_path());
        tops.any(|top| path.starts_with(top) && path != top)
    };
    match included.iter().find(|path| !is_below(path)) {
        Some(path) => Err(Error::new(ErrorKind::Usage, format!("cannot include {}", shown(path)))
            .since("it lies below no directory that the session works on")
            .hint("see what is ignored: cofferdam diff --ignored")),
        None => Ok(()),
    }
}

fn require_writable(
    record: &SessionRecord,
    diff: &Diff,
    chosen: &Chosen,
    asked: &Asked,
) -> Result<(), Error> {
    let name = record.name.as_str();
    let several = diff.directories.len() > 1;
    let shown = |left: &LeftOut| match several {
        true => format!("{}/{}", left.directory, left.path),
        false => left.path.to_string(),
    };
    let listed = |left: &[&LeftOut]| {
        let mut listed: Vec<String> = left
            .iter()
            .take(NAMED_MAX)
            .map(|left| format!("{}: {}", shown(left), left.objection.words()))
            .collect();
        listed.extend((left.len() > NAMED_MAX).then(|| format!("and {} more", left.len() - NAMED_MAX)));
        listed.join("; ")
    };
    let conflict = |left: &&LeftOut| matches!(left.objection, Objection::Conflict(_));
    let conflicts: Vec<&LeftOut> = chosen.left_out.iter().filter(conflict).collect();
    let is_chosen_from = asked.chooses && chosen.entries() > 0;
    if !conflicts.is_empty() && !is_chosen_from {
        let paths = if conflicts.len() == 1 { "path is" } else { "paths are" };
        return Err(Error::new(
            ErrorKind::Conflict,
            format!("cannot apply session {name}: {} {paths} in conflict", conflicts.len()),
        )
        .since(listed(&conflicts))
        .hint(match diff.mergeable() {
            (all, Some(some)) if !asked.merged && some == all => format!("merge your edits in: cofferdam apply -s {name} --merged"),
            (_, None) if !asked.merged => format!("see which can be merged: cofferdam diff -s {name} --merged --stat"),
            _ if asked.merged => format!("settle it in your own file, or leave it out: cofferdam apply -s {name} --merged PATH..."),
            _ => format!("leave them out in a review: cofferdam review {name}; or name the others: cofferdam apply -s {name} PATH..."),
        }));
    }
    let named = |left: &&LeftOut| asked.paths.contains(&full(&left.directory, left.path.as_bytes()));
    let refused: Vec<&LeftOut> = match chosen.entries() {
        0 => chosen.left_out.iter().collect(),
        _ => chosen.left_out.iter().filter(named).collect(),
    };
    if !refused.is_empty() {
        return Err(Error::new(ErrorKind::Refused, "cannot apply what is never brought back")
            .since(listed(&refused))
            .hint(format!("look at it: cofferdam diff -s {name}")));
    }
    if chosen.entries() == 0 {
        let ignored = diff.directories.iter().any(|directory| directory.set.ignored.count > 0);
        let hint = if ignored {
            format!("see what your rules leave out: cofferdam diff -s {name} --ignored")
        } else {
            format!("see what it changed: cofferdam diff -s {name}")
        };
        return Err(Error::new(ErrorKind::Nothing, format!("there is nothing to apply of session {name}"))
            .since(if asked.paths.is_empty() { "nothing changed" } else { "nothing changed at these paths" })
            .hint(hint));
    }
    Ok(())
}

/// The caller's recorded word that a person saw `digest`.
///
/// # Errors
/// [`ErrorKind::Moved`] if something else would be written.
pub fn declared(record: &SessionRecord, chosen: &Chosen, digest: Digest) -> Result<Approval, Error> {
    if chosen.digest == digest {
        return Ok(Approval { digest });
    }
    Err(moved(record, chosen))
}

fn moved(record: &SessionRecord, chosen: &Chosen) -> Error {
    Error::new(ErrorKind::Moved, "what would be written is not what this digest stands for")
        .since(format!("its digest is {} now", chosen.digest))
        .hint(format!("look at it again: cofferdam diff -s {}", record.name.as_str()))
}

/// The completed review of exactly this, which the ledger holds.
///
/// # Errors
/// [`ErrorKind::Unreviewed`] if there is none.
pub fn recorded(state: &State, record: &SessionRecord, chosen: &Chosen) -> Result<Approval, Error> {
    if reviewed::is_recorded(state, &record.id, chosen.digest)? {
        return Ok(Approval { digest: chosen.digest });
    }
    Err(Error::new(ErrorKind::Unreviewed, "nobody has reviewed what would be written")
        .since("there is no terminal to ask on, and no completed review of exactly this in the ledger")
        .hint(format!(
            "look at it (cofferdam diff -s {0}), then: cofferdam apply -s {0} --digest {1}",
            record.name.as_str(),
            chosen.digest
        )))
}

/// A person, on a terminal, was shown this and said yes. To be called by nothing else than what asked.
#[must_use]
pub fn answered(chosen: &Chosen) -> Approval {
    Approval { digest: chosen.digest }
}

/// Writes what `approval` stands for, in every directory or in none.
///
/// # Errors
/// [`ErrorKind::Moved`], [`ErrorKind::Conflict`], [`ErrorKind::WrongState`] while the session runs or another apply is at
/// work; [`ErrorKind::State`], [`ErrorKind::Ledger`].
pub fn apply(
    context: &Context,
    state: &State,
    record: &SessionRecord,
    (diff, chosen): (&Diff, &Chosen),
    approval: &Approval,
) -> Result<Applied, Error> {
    if approval.digest != chosen.digest {
        return Err(moved(record, chosen));
    }
    let held = hold(state, record)?;
    let locked = lock(context, state)?;
    let written: Vec<(&DirectoryDiff, &diff::ChosenDirectory)> = diff
        .directories
        .iter()
        .zip(&chosen.directories)
        .filter(|(_, chosen)| !chosen.set.entries.is_empty())
        .collect();
    let originals: Vec<&AbsPath> = written.iter().map(|(directory, _)| &directory.source).collect();
    settle::all(context, state, &locked, &originals)?;
    let entries = u64::try_from(chosen.entries()).unwrap_or(u64::MAX);
    let session = (record.id.clone(), record.name.as_str().to_owned());
    let mut begun = Record::new(record::new_id()?, session, chosen.digest, entries, (context.now)());
    let mut trees = Vec::new();
    for (directory, _) in &written {
        let tree = Tree::open(&locked, &directory.source)?;
        tree.require_same(directory.original.as_fd())?;
        let merged =
            directory.merged.iter().filter(|(_, became)| became.is_ok()).map(|(path, _)| path.clone());
        begun.members.push(Member::new(directory.source.clone(), directory.number, merged.collect())?);
        trees.push(tree);
    }
    locked.write(&begun, Standing::Begun)?;
    for (((directory, chosen), tree), member) in written.iter().zip(&trees).zip(&begun.members) {
        // What was merged stands on the owner's edits: also when it is taken back, those are nothing of ours.
        let paths = chosen.set.entries.iter().map(|entry| {
            let before = entry.before.as_ref().filter(|_| !member.merged.contains(&entry.path));
            (&entry.path, before)
        });
        let done = notes::expect((context, state), (record, member, tree), paths)
            .and_then(|()| held.still(record))
            .and_then(|()| write(directory, chosen, (tree, member)));
        if let Err(error) = done {
            // The first failure is the one worth telling; what can't be taken back now is by the next command.
            settle::begun(context, state, &locked, &begun).or(Ok::<_, Error>(None))?;
            return Err(error);
        }
    }
    notes::written(state, &begun, &trees, notes::Learnt::AtOnce, |member| member.apply)?;
    settle::finish_apply(context, state, &locked, &begun, Recording::New)?;
    Ok(Applied { id: begun.id.to_string(), others: others(context, state, record, &originals)? })
}

fn write(
    directory: &DirectoryDiff,
    chosen: &diff::ChosenDirectory,
    (tree, member): (&Tree, &Member),
) -> Result<(), Error> {
    let batch = batch(&chosen.set, directory.contents()).map_err(|error| {
        Error::new(ErrorKind::State, format!("cannot apply to {}", directory.path))
            .because(error)
            .hint("look at it again: cofferdam diff")
    })?;
    tree.apply(member.apply, &batch).map(|_| ()).map_err(|error| tree.error("apply to", error))
}

/// While this lives, nothing of the session runs: its view and the owner's directory change together.
#[derive(Debug)]
struct Held(Option<Frozen>);

/// Freezes a session that runs.
fn hold(state: &State, record: &SessionRecord) -> Result<Held, Error> {
    let frozen = sessions::is_running(record).then(|| freeze::frozen(state, record)).transpose()?;
    Ok(Held(frozen))
}

impl Held {
    /// To be asked before each directory is written.
    fn still(&self, record: &SessionRecord) -> Result<(), Error> {
        match &self.0 {
            Some(frozen) if !frozen.is_held() => {
                let name = record.name.as_str();
                Err(Error::new(ErrorKind::WrongState, format!("session {name} did not stand still"))
                    .since("it was let go, or ended, before your directory was written; nothing is changed")
                    .hint("try again"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn lock(context: &Context, state: &State) -> Result<Locked, Error> {
    Records::of(state).try_lock(context)?.ok_or_else(|| {
        Error::new(ErrorKind::WrongState, "cannot apply or undo now")
            .since("another apply or undo is at work")
            .hint("wait for it, and try again: cofferdam diff")
    })
}

/// The names of other sessions that run on one of these directories, on one above or on one below.
fn others(
    context: &Context,
    state: &State,
    record: &SessionRecord,
    directories: &[&AbsPath],
) -> Result<Vec<String>, Error> {
    let running = |other: &SessionRecord| other.id != record.id && sessions::is_running(other);
    let mut others = Vec::new();
    for other in sessions::list(context, state)?.into_iter().filter(running) {
        // One of another version shows what it shows; it is no reason to fail after the fact.
        let Ok(authority) = sessions::authority(&other) else { continue };
        let workspaces = authority.workspaces.iter().map(|workspace| &workspace.path);
        let mut shown = workspaces.chain(authority.mounts.iter().map(|mount| &mount.source));
        if shown.any(|shown| directories.iter().any(|path| path.is_within(shown) || shown.is_within(path))) {
            others.push(other.name.as_str().to_owned());
        }
    }
    Ok(others)
}
