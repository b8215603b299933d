//! `diff`: the change set of a session, staged, over all its workspaces and chosen mounts.
//!
//! What is shown is what was staged. A session that runs goes on meanwhile: its change set is of the moment in which
//! each file was copied. Nothing is executed, and nothing of the owner's is written.

mod chosen;
mod hunks;
mod merged;
mod remarks;
mod stages;
mod text;

pub use chosen::{Chosen, ChosenDirectory, LeftOut, Objection};
pub use hunks::{Hunk, Line, hunks, with_changes};
pub use merged::{Merged, NotMerged};
pub use remarks::{Comparison, Difference, PinChange, Remarks, Unreadable};
pub use text::{Text, TextError, UNSHOWN_BYTES_MAX};

use crate::base;
use crate::changes::{Changeable, changeable};
use crate::checkpoints;
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::helper;
use crate::prepare::{CopyRecord, copy_record};
use crate::put;
use crate::resolve;
use crate::roots;
use crate::state::{self, SessionPlace, State};
use crate::veiling;
use cofferdam_ledger::SessionRecord;
use cofferdam_policy::authority::{Authority, View};
use cofferdam_policy::mask::MaskSet;
use cofferdam_policy::path::AbsPath;
use cofferdam_policy::review::runs_later::RunsLaterTable;
use cofferdam_policy::wish::Wish;
use cofferdam_workspace::census::kept::Kept;
pub use cofferdam_workspace::changes::Change;
use cofferdam_workspace::changes::ChangeError;
use cofferdam_workspace::changeset::base::Base;
use cofferdam_workspace::changeset::encoding::digest_of_all;
use cofferdam_workspace::changeset::ignore::{OwnersRules, RULES_BYTES_MAX};
use cofferdam_workspace::changeset::included::Included;
use cofferdam_workspace::changeset::put::Put;
use cofferdam_workspace::changeset::{self, ChangeSetError, Reading, StagedReader};
pub use cofferdam_workspace::changeset::{
    ChangeSet, Digest, Entry, EntryKind, Named, Place, Refusal, StagedContents,
};
use cofferdam_workspace::git::config;
use cofferdam_workspace::path::WorkspacePath;
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::io::Errno;
use stages::Stage;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// How often reading begins again when a running session changes what is being read.
const ATTEMPTS_MAX: usize = 5;

/// A change set, and where its contents lie.
#[derive(Debug)]
pub struct Diff {
    /// Over all directories.
    pub digest: Digest,
    /// By directory, in the order of the authority.
    pub directories: Vec<DirectoryDiff>,
    /// Held, so that nobody clears it.
    _stage: Rc<Stage>,
    /// The table of names and the owner's own.
    runs_later: Rc<RunsLaterTable>,
}

/// What changed in one directory.
#[derive(Debug)]
pub struct DirectoryDiff {
    /// Where the directory is.
    pub path: AbsPath,
    /// What changed.
    pub set: ChangeSet,
    /// What became of conflicts, by path; empty but in what [`Diff::merged`] gives.
    pub merged: BTreeMap<WorkspacePath, Result<Merged, NotMerged>>,
    /// What the owner's files are measured by.
    base: Base,
    /// The owner's directory, where it is on the host.
    pub(crate) source: AbsPath,
    pub(crate) original: OwnedFd,
    pub(crate) number: usize,
    /// What was staged of it.
    contents: Rc<StagedContents>,
    /// Paths of entries that another file system takes for one that is there.
    collisions: BTreeSet<Vec<u8>>,
}

impl Diff {
    /// The same with other directories, on the same stage.
    fn with(&self, directories: Vec<DirectoryDiff>) -> Self {
        let digests: Vec<(&[u8], Digest)> = directories
            .iter()
            .map(|directory| (directory.path.as_str().as_bytes(), directory.set.digest))
            .collect();
        let digest = digest_of_all(&digests);
        Self { digest, directories, _stage: Rc::clone(&self._stage), runs_later: Rc::clone(&self.runs_later) }
    }

    /// The table by which it was said what runs later.
    pub(crate) fn into_table(self) -> Rc<RunsLaterTable> {
        self.runs_later
    }
}

/// Reads and stages what a session changed.
///
/// # Errors
/// [`ErrorKind::State`] if layers can't be read or the stage can't be written, [`ErrorKind::Workspace`] if the owner's
/// directory is gone, [`ErrorKind::WrongState`] if the session changes files faster than they are read.
pub fn of(
    context: &Context,
    state: &State,
    record: &SessionRecord,
    authority: &Authority,
) -> Result<Diff, Error> {
    of_including(context, state, record, authority, &[])
}

/// As [`of`], with these paths (absolute) and all below them, though the owner's rules may ignore them.
///
/// # Errors
/// As [`of`].
pub fn of_including(
    context: &Context,
    state: &State,
    record: &SessionRecord,
    authority: &Authority,
    included: &[PathBuf],
) -> Result<Diff, Error> {
    checkpoints::recover(context, state, &record.id)?;
    let place = state.session(&record.id);
    let base = base::of(&place, record, (context.now)());
    let wish = resolve::standing(context, state, &record.directory)?;
    let mut attempt = 1;
    loop {
        match once(context, &place, base, authority, (&wish, included)) {
            Err(Failure::Moved(path)) if attempt < ATTEMPTS_MAX => {
                drop(path);
                attempt += 1;
            }
            Err(Failure::Moved(path)) => {
                return Err(Error::new(ErrorKind::WrongState, "cannot keep up with the session")
                    .since(format!("{path} changed each time while it was read"))
                    .hint(format!("stop it first: cofferdam stop {}", record.name.as_str())));
            }
            Err(Failure::Error(error)) => return Err(error),
            Ok(diff) => return Ok(diff),
        }
    }
}

enum Failure {
    Moved(String),
    Error(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

fn once(
    context: &Context,
    place: &SessionPlace,
    base: Base,
    authority: &Authority,
    (wish, included): (&Wish, &[PathBuf]),
) -> Result<Diff, Failure> {
    let runs_later = RunsLaterTable::new(&wish.runs_later).map_err(|error| {
        Error::new(ErrorKind::Policy, "cannot use `review.runs-later`")
            .because(error)
            .hint("take patterns from it")
    })?;
    let mut stage = Stage::begin(place)?;
    let mut directories = Vec::new();
    for changeable in changeable(authority).into_iter().filter(|changeable| !changeable.is_git) {
        if let Some(read) = directory(context, place, base, authority, &changeable, (&stage, included))? {
            directories.push(read);
        }
    }
    let digests: Vec<(&[u8], Digest)> = directories
        .iter()
        .map(|directory| (directory.path.as_str().as_bytes(), directory.set.digest))
        .collect();
    let digest = digest_of_all(&digests);
    stage.finish(place, digest)?;
    Ok(Diff { digest, directories, _stage: Rc::new(stage), runs_later: Rc::new(runs_later) })
}

fn directory(
    context: &Context,
    place: &SessionPlace,
    base: Base,
    authority: &Authority,
    changeable: &Changeable<'_>,
    (stage, included): (&Stage, &[PathBuf]),
) -> Result<Option<DirectoryDiff>, Failure> {
    let path = match changeable.view {
        View::Overlay => place.layer(changeable.number).join("upper"),
        View::Copy => place.copy(changeable.number),
    };
    // A session that never got so far has changed nothing.
    if !path.exists() {
        return Ok(None);
    }
    state::make_enterable(&path)?;
    let layer = state::open_directory(&path)?;
    let original = state::open_directory(changeable.original.as_path()).map_err(|error| {
        Error::new(ErrorKind::Workspace, format!("cannot compare with {}", changeable.original))
            .because(error)
            .hint("is the directory still there?")
    })?;
    let masks = veiling::masks(authority, &changeable.target)?;
    let kept = Kept::of(state::open_directory(place.root())?, original.as_fd(), &masks);
    let copy = match changeable.view {
        View::Overlay => None,
        View::Copy => Some(copy_record(place, changeable.number)?),
    };
    let other = roots::is_another(place, changeable.number, original.as_fd())?;
    let base = if other { Base::OtherRoot } else { base };
    let rules = owners_rules(context, changeable.original.as_path());
    let included = below(&changeable.target, included);
    let other = roots::is_another(place, changeable.number, original.as_fd())?;
    let base = if other { Base::OtherRoot } else { base };
    let put = put::read(place, changeable.number)?;
    let reader = Reader { layer, original, masks, copy, base, kept, rules, included, put };
    let (set, contents) = reader.staged(stage, changeable.number).map_err(|failure| match failure {
        Failed::Moved(path) => Failure::Moved(path),
        Failed::Error(error) => Failure::Error(error),
        Failed::Read(error) => Failure::Error(unreadable(&changeable.target, error)),
    })?;
    let Reader { original, .. } = reader;
    let collisions = remarks::collisions(&original, &set.entries);
    let contents = Rc::new(StagedContents::open(contents).map_err(stages::cannot("open"))?);
    let merged = BTreeMap::new();
    let (path, number) = (changeable.target.clone(), changeable.number);
    let source = changeable.original.clone();
    Ok(Some(DirectoryDiff { path, set, merged, base, source, original, number, contents, collisions }))
}

impl DirectoryDiff {
    /// The same with another change set.
    fn with(&self, set: ChangeSet) -> Result<Self, Error> {
        let original = rustix::io::fcntl_dupfd_cloexec(&self.original, 0).map_err(|errno| {
            Error::new(ErrorKind::State, format!("cannot go on with {}", self.path))
                .because(errno)
                .hint("are too many files open? cofferdam doctor")
        })?;
        Ok(Self {
            path: self.path.clone(),
            set,
            merged: self.merged.clone(),
            base: self.base,
            source: self.source.clone(),
            original,
            number: self.number,
            contents: Rc::clone(&self.contents),
            collisions: self.collisions.clone(),
        })
    }

    /// What was staged of it, as long as the [`Diff`] lives.
    #[must_use]
    pub fn contents(&self) -> &StagedContents {
        &self.contents
    }

    /// The content of an entry as it was staged; nothing if it has none.
    fn staged(&self, entry: &Entry) -> Option<Result<StagedReader<'_>, Errno>> {
        Some(self.contents.reader(entry.content.as_ref()?, entry.place?))
    }

    /// The same, whole.
    pub(crate) fn staged_bytes(&self, entry: &Entry, bytes_max: usize) -> Option<Result<Vec<u8>, Errno>> {
        Some(self.contents.bytes(entry.content.as_ref()?, entry.place?, bytes_max))
    }
}

/// All that reading one directory needs.
struct Reader {
    layer: OwnedFd,
    original: OwnedFd,
    masks: MaskSet,
    copy: Option<CopyRecord>,
    base: Base,
    kept: Option<Kept>,
    rules: OwnersRules,
    included: Included,
    put: Put,
}

enum Failed {
    Moved(String),
    Read(ChangeSetError),
    Error(Error),
}

impl Reader {
    fn staged(&self, stage: &Stage, number: usize) -> Result<(ChangeSet, OwnedFd), Failed> {
        let contents = stage.contents(number).map_err(Failed::Error)?;
        match self.read(&contents) {
            Ok(set) => Ok((set, contents)),
            Err(ChangeSetError::Moved { path }) => Err(Failed::Moved(path)),
            Err(ChangeSetError::Read(ChangeError::NeedsPrivilege { .. })) => {
                let contents = stage.emptied(number).map_err(Failed::Error)?;
                let set = helper::with_privilege(|| self.read(&contents).map_err(|error| error.to_string()))
                    .map_err(Failed::Error)?;
                Ok((set, contents))
            }
            Err(error) => Err(Failed::Read(error)),
        }
    }

    fn read(&self, contents: &OwnedFd) -> Result<ChangeSet, ChangeSetError> {
        changeset::read(&Reading {
            layer: self.layer.as_fd(),
            copy_finished: self.copy.as_ref().map(|copy| copy.finished),
            original: self.original.as_fd(),
            masks: &self.masks,
            hidden: self.copy.as_ref().map_or(&[], |copy| &copy.hidden),
            base: self.base,
            kept: self.kept.as_ref(),
            rules: &self.rules,
            included: &self.included,
            put: &self.put,
            stage: contents.as_fd(),
        })
    }
}

/// Those of `paths` that lie below `directory`.
fn below(directory: &AbsPath, paths: &[PathBuf]) -> Included {
    let below = paths.iter().filter_map(|path| path.strip_prefix(directory.as_path()).ok());
    Included::new(
        below.filter_map(|path| WorkspacePath::new(path.as_os_str().as_bytes().to_vec()).ok()).collect(),
    )
}

fn unreadable(target: &AbsPath, error: ChangeSetError) -> Error {
    let hint = match error {
        ChangeSetError::Stage { .. } => "is the disk full? cofferdam doctor",
        ChangeSetError::TooMany | ChangeSetError::TooLong => {
            "ignore what is built (.gitignore, on your side), or name a smaller workspace"
        }
        ChangeSetError::Read(_) | ChangeSetError::Moved { .. } => "cofferdam doctor",
    };
    Error::new(ErrorKind::State, format!("cannot read what changed in {target}")).because(error).hint(hint)
}

/// The owner's rules outside the work tree: git's own file for all repositories, then the one of this repository.
fn owners_rules(context: &Context, workspace: &Path) -> OwnersRules {
    let home = context.home.as_path();
    let config = context.environment.get(OsStr::new("XDG_CONFIG_HOME")).map(PathBuf::from);
    let config = config.filter(|path| path.is_absolute()).unwrap_or_else(|| home.join(".config"));
    let configured = [config.join("git/config"), home.join(".gitconfig")]
        .iter()
        .filter_map(|file| small(file))
        .filter_map(|text| config::parse(&text).ok())
        .flatten()
        .filter(|entry| entry.section == "core" && entry.subsection.is_none() && entry.key == "excludesfile")
        .filter_map(|entry| entry.value)
        .next_back();
    let everywhere = match configured {
        Some(value) => match value.strip_prefix(b"~/") {
            Some(below) => home.join(OsStr::from_bytes(below)),
            None => home.join(OsStr::from_bytes(&value)),
        },
        None => config.join("git/ignore"),
    };
    let here = workspace.join(".git/info/exclude");
    let texts: Vec<Vec<u8>> = [everywhere, here].iter().filter_map(|file| small(file)).collect();
    OwnersRules::from_texts(texts.iter().map(Vec::as_slice))
}

/// A file of the owner's; what is none, is too long or can't be read says nothing.
fn small(path: &Path) -> Option<Vec<u8>> {
    let found = std::fs::metadata(path).ok()?;
    if !found.is_file() || found.len() > RULES_BYTES_MAX as u64 {
        return None;
    }
    let mut text = Vec::new();
    std::fs::File::open(path).ok()?.take(RULES_BYTES_MAX as u64).read_to_end(&mut text).ok()?;
    Some(text)
}
