//! Reading a change set: what the walk meets becomes entries, in one pass and O(changes).
//!
//! What belongs together is decided here: ignored or not, refused or staged, in conflict or not. Each rule has a
//! module of its own.

mod owners;

use super::base::{Conflict, Judge};
use super::ignore::Ignoring;
use super::stage::{self, Stage, StageError, Staged};
use super::{ChangeSet, ChangeSetError, ENTRIES_MAX, Entry, EntryKind, FILE_BYTES_MAX, Named, Reading};
use super::{Digest, Refusal, refusal, renames};
use crate::beneath;
use crate::changes::compare::Denied;
use crate::changes::walk::{Layer, Met, Missed, Observer, Pair, Walk, failure};
use crate::changes::{Change, ChangeError, ChangeQuery, FileKind};
use crate::path::{WorkspacePath, is_within, split, visible};
use cofferdam_policy::mask::NameKind;
use rustix::fd::OwnedFd;
use rustix::fs::Statx;
use rustix::io::Errno;

/// Where the kernel notes what a file was copied up from.
const ORIGIN: &str = "user.overlay.origin";

const MODE_FILE: u32 = 0o100_644;
const MODE_EXECUTABLE: u32 = 0o100_755;
const MODE_LINK: u32 = 0o120_000;
const MODE_DIRECTORY: u32 = 0o040_000;
const MODE_GITLINK: u32 = 0o160_000;

/// Reads what changed, and stages it.
///
/// # Errors
/// [`ChangeSetError`]; a half stage may then lie there. [`ChangeError::NeedsPrivilege`] asks to be run again in a
/// helper user namespace, with an empty stage.
pub fn read(reading: &Reading<'_>) -> Result<ChangeSet, ChangeSetError> {
    let unreadable = |errno| ChangeSetError::Read(failure(b"", errno));
    let judge = Judge::new(reading.original, reading.base, reading.kept, reading.put).map_err(unreadable)?;
    let query = ChangeQuery {
        original: reading.original,
        masks: reading.masks,
        hidden: reading.hidden,
        entries_max: ENTRIES_MAX,
    };
    let layer = match reading.copy_finished {
        None => Layer::Upper,
        Some(finished) => Layer::Copy { finished },
    };
    let mut reader = Reader {
        reading,
        judge,
        ignoring: Ignoring::new(reading.original, reading.rules),
        stage: Stage::new(reading.stage),
        set: ChangeSet {
            digest: Digest::of(b""),
            entries: Vec::new(),
            ignored: Named::default(),
            git: Named::default(),
            unnamed: 0,
        },
        set_aside: Vec::new(),
        ignored_deletions: Vec::new(),
        foreign: None,
        failed: None,
    };
    let walked = Walk::new(reading.layer, &query, layer, &mut reader).run().map(|_| ());
    if let Some(failed) = reader.failed.take() {
        return Err(failed);
    }
    walked?;
    reader.take_back_what_is_tracked()?;
    reader.know_again_what_the_owner_deleted()?;
    reader.stage.finish().map_err(|source| ChangeSetError::Stage { path: ".".to_owned(), source })?;
    let mut set = reader.set;
    set.keep_what_holds_ignored(&reader.ignored_deletions);
    set.seal();
    renames::mark(reading.original, &mut set.entries);
    Ok(set)
}

pub(super) struct Reader<'a> {
    reading: &'a Reading<'a>,
    judge: Judge<'a>,
    ignoring: Ignoring<'a>,
    stage: Stage<'a>,
    set: ChangeSet,
    /// Ignored by a rule, unless git tracks it.
    set_aside: Vec<SetAside>,
    /// What the owner has, rules ignore, and the session deleted.
    ignored_deletions: Vec<WorkspacePath>,
    /// The git directory under way that is not the owner's.
    foreign: Option<Vec<u8>>,
    /// What the walk can't tell.
    failed: Option<ChangeSetError>,
}

/// A difference whose path a rule ignores.
struct SetAside {
    path: WorkspacePath,
    change: Change,
    kind: FileKind,
}

impl Observer for &mut Reader<'_> {
    fn met(&mut self, met: &Met<'_>) -> Result<(), ChangeError> {
        self.take(met).map_err(|error| match error {
            ChangeSetError::Read(error) => error,
            other @ (ChangeSetError::Moved { .. }
            | ChangeSetError::Stage { .. }
            | ChangeSetError::TooMany
            | ChangeSetError::TooLong) => {
                self.failed = Some(other);
                failure(met.path, Errno::CANCELED)
            }
        })
    }

    fn met_git_file(&mut self, path: &[u8]) {
        if self.foreign.as_ref().is_some_and(|foreign| is_within(path, foreign)) {
            return;
        }
        let named = can_run(path).then(|| WorkspacePath::new(path).ok()).flatten();
        self.set.git.count_path(named);
    }

    fn missed(&mut self, missed: Missed) {
        match missed {
            Missed::TooMany => self.failed = Some(ChangeSetError::TooMany),
            Missed::TooDeep => self.set.unnamed = self.set.unnamed.saturating_add(1),
        }
    }

    /// Contents are compared in the stage, so that they are read once and what was compared is what is kept.
    fn same(&mut self, _pair: &Pair<'_>) -> Result<bool, Denied> {
        Ok(false)
    }

    fn met_git_directory(&mut self, path: &[u8], is_owners: bool) {
        if is_owners {
            return;
        }
        self.foreign = Some(path.to_vec());
        // A repository laid out in the root itself begins with its HEAD.
        let named = if path.is_empty() { b"HEAD" } else { path };
        match WorkspacePath::new(named) {
            Ok(path) => {
                // One that is not called `.git` was taken for a plain directory until it was entered.
                self.set.entries.retain(|entry| entry.path != path);
                self.set.entries.push(gitlink(path, Change::Added));
            }
            Err(_) => self.set.unnamed = self.set.unnamed.saturating_add(1),
        }
    }

    fn knows_bare_repositories(&self) -> bool {
        true
    }
}

impl Reader<'_> {
    fn take(&mut self, met: &Met<'_>) -> Result<(), ChangeSetError> {
        let Ok(path) = WorkspacePath::new(met.path) else {
            self.set.unnamed = self.set.unnamed.saturating_add(1);
            return Ok(());
        };
        if met.change == Change::Deleted && self.never_saw(met, &path)? {
            return Ok(());
        }
        // What a directory held goes with it, file by file, so that each can be in conflict or be a rename's source.
        let leaves_directory = match met.change {
            Change::Deleted => met.kind == FileKind::Directory,
            Change::Type => met.before.is_some_and(|before| {
                beneath::kind(before) == rustix::fs::FileType::Directory && met.kind != FileKind::Directory
            }),
            Change::Added | Change::Modified | Change::Mode => false,
        };
        let held = if leaves_directory { self.take_contents_of(&path)? } else { None };
        if !met.masked && held.is_none() && self.ignores(&path, met.kind)? {
            // A directory is no more than what is in it.
            if met.kind != FileKind::Directory {
                self.set_aside.push(SetAside { path, change: met.change, kind: met.kind });
            }
            return Ok(());
        }
        self.enter(path, met, held)
    }

    /// Whether it is missing only because the session shows a directory of its own in place of the one that an apply made
    /// of it, and into which the owner has put more since.
    fn never_saw(&self, met: &Met<'_>, path: &WorkspacePath) -> Result<bool, ChangeSetError> {
        if self.reading.copy_finished.is_some() || path.parent().is_empty() {
            return Ok(false);
        }
        let failed = |errno| unreadable(path, errno);
        let parent = beneath::stat_path(self.reading.original, path.parent()).map_err(failed)?;
        let beside = parent.is_some_and(|parent| self.reading.put.is_beside(path, &parent));
        Ok(beside && beneath::stat_name(met.directory, path.name()).map_err(failed)?.is_none())
    }

    fn ignores(&mut self, path: &WorkspacePath, kind: FileKind) -> Result<bool, ChangeSetError> {
        if self.reading.included.takes(path, kind) {
            return Ok(false);
        }
        let name_kind = if kind == FileKind::Directory { NameKind::Directory } else { NameKind::Other };
        let ignored = self.ignoring.ignores(path.parent(), path.name(), name_kind);
        ignored.map_err(|errno| unreadable(path, errno))
    }

    /// Makes an entry of a difference; `held` speaks against it from below.
    fn enter(
        &mut self,
        path: WorkspacePath,
        met: &Met<'_>,
        held: Option<Refusal>,
    ) -> Result<(), ChangeSetError> {
        let mut entry = Entry {
            change: met.change,
            renamed_from: None,
            kind: entry_kind(met.kind),
            before: met.before.and_then(|before| self.judge.seen(path.as_bytes(), before)),
            mode_before: met.before.map(git_mode),
            mode_after: met.now.map(git_mode),
            size_before: met.before.and_then(size),
            size_after: met.now.and_then(size),
            binary: false,
            conflict: None,
            refused: held.or(met.masked.then_some(Refusal::Masked)),
            content: None,
            place: None,
            path,
        };
        // Also what lies in such a directory: it stays out with it, and the digest covers what comes.
        if entry.path.as_bytes().split(|byte| *byte == b'/').any(refusal::resembles_git) {
            entry.refused = Some(Refusal::GitDirectory);
        }
        let conflict = self.judge.conflict(entry.path.as_bytes(), met.before);
        entry.conflict = conflict.map_err(|errno| unreadable(&entry.path, errno))?;
        let goes_on = match met.now {
            None => self.enter_deleted(&mut entry, met),
            Some(now) => self.enter_present(&mut entry, met, now),
        }?;
        if entry.conflict.is_some() && entry.change == Change::Type {
            entry.conflict = entry.conflict.map(|conflict| match conflict {
                Conflict::Edited | Conflict::Replaced => Conflict::TypeChanged,
                other @ (Conflict::Deleted
                | Conflict::Created
                | Conflict::TypeChanged
                | Conflict::DirectoryAbove
                | Conflict::ClockSteppedBack) => other,
            });
        }
        if goes_on { self.push(entry) } else { Ok(()) }
    }

    fn push(&mut self, entry: Entry) -> Result<(), ChangeSetError> {
        if self.set.entries.len() >= ENTRIES_MAX {
            return Err(ChangeSetError::TooMany);
        }
        self.set.entries.push(entry);
        Ok(())
    }

    fn enter_deleted(&mut self, entry: &mut Entry, met: &Met<'_>) -> Result<bool, ChangeSetError> {
        // A device, FIFO or socket of the owner's is not handled, so it does not go either.
        let looks = met.before.and_then(|before| refusal::of_looks(FileKind::Special, before));
        entry.refused = entry.refused.or(looks);
        if met.kind == FileKind::File
            && let Some(original) = met.original
        {
            // What can't be read is not shown as text.
            let begins =
                stage::open(original, entry.path.name()).and_then(|file| stage::begins_binary(&file));
            entry.binary = begins.unwrap_or(true);
        }
        Ok(true)
    }

    /// Whether it is a change at all.
    fn enter_present(
        &mut self,
        entry: &mut Entry,
        met: &Met<'_>,
        now: &Statx,
    ) -> Result<bool, ChangeSetError> {
        entry.refused = entry.refused.or(refusal::of_looks(met.kind, now));
        match met.kind {
            // What is done to a directory's permissions is not brought back, nor to a device's.
            FileKind::Directory => {
                if met.change == Change::Added && self.was_the_owners(met, &entry.path)? {
                    entry.conflict = Some(Conflict::Deleted);
                }
                Ok(matches!(met.change, Change::Added | Change::Type))
            }
            FileKind::Special => Ok(matches!(met.change, Change::Added | Change::Type | Change::Modified)),
            FileKind::Symlink => {
                let target = rustix::fs::readlinkat(met.directory, entry.path.name(), Vec::new());
                let target = target.map_err(|errno| vanished(&entry.path, errno))?.into_bytes();
                entry.refused = entry.refused.or(refusal::of_link(entry.path.as_bytes(), &target));
                let staged = self.stage.take_bytes(&target, None);
                let staged = staged.map_err(|error| not_staged(&entry.path, error))?;
                (entry.content, entry.place) = (Some(staged.content), staged.place);
                Ok(true)
            }
            FileKind::File => self.enter_file(entry, met, now),
        }
    }

    fn enter_file(&mut self, entry: &mut Entry, met: &Met<'_>, now: &Statx) -> Result<bool, ChangeSetError> {
        if now.stx_size > FILE_BYTES_MAX {
            entry.refused = entry.refused.or(Some(Refusal::TooBig));
            entry.binary = true;
            return Ok(true);
        }
        let original = match (met.original, met.before) {
            (Some(original), Some(before)) if beneath::kind(before) == beneath::kind(now) => {
                let original = stage::open(original, entry.path.name());
                Some(original.map_err(|errno| unreadable(&entry.path, errno))?)
            }
            (_, _) => None,
        };
        let comparable = original.as_ref().filter(|_| entry.size_before == entry.size_after);
        let staged = self.stage.take_file(met.directory, entry.path.name(), now, comparable);
        let Staged { content, place, size, binary, same } =
            staged.map_err(|error| not_staged(&entry.path, error))?;
        let was_binary = original.as_ref().map(stage::begins_binary).transpose();
        entry.binary = binary || was_binary.map_err(|errno| unreadable(&entry.path, errno))?.unwrap_or(false);
        entry.size_after = Some(size);
        if same {
            // Equal content on both sides is no conflict, but no change either; but for the executable bit.
            entry.change = Change::Mode;
            let linked = met.before.is_some_and(|before| before.stx_nlink > 1);
            entry.refused = entry.refused.or(linked.then_some(Refusal::HardLink));
            return Ok(entry.mode_before != entry.mode_after);
        }
        (entry.content, entry.place) = (Some(content), place);
        if met.change == Change::Added && self.was_the_owners(met, &entry.path)? {
            entry.conflict = Some(Conflict::Deleted);
        }
        Ok(true)
    }

    /// Whether something that the owner does not have now was the owner's, at this very path, when the agent changed it:
    /// the kernel marks what it copied up, also what the agent moved elsewhere, and the owner's directory tells whether
    /// anything went from it since.
    fn was_the_owners(&mut self, met: &Met<'_>, path: &WorkspacePath) -> Result<bool, ChangeSetError> {
        if self.reading.copy_finished.is_some() {
            return Ok(false);
        }
        let failed = |errno| vanished(path, errno);
        let file = stage::open(met.directory, path.name()).map_err(failed)?;
        if !has_origin(&file).map_err(failed)? {
            return Ok(false);
        }
        match self.judge.was_touched(path.parent()).map_err(failed)? {
            Some(touched) => Ok(touched),
            // The owner has no such directory: it is gone, or the agent made it.
            None => {
                let directory = beneath::open_directory(met.directory, b"").map_err(failed)?;
                has_origin(&directory).map_err(failed)
            }
        }
    }
}

fn has_origin(file: &OwnedFd) -> Result<bool, Errno> {
    let mut nothing: [u8; 0] = [];
    match rustix::fs::fgetxattr(file, ORIGIN, &mut nothing) {
        Ok(_length) => Ok(true),
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(false),
        Err(errno) => Err(errno),
    }
}

fn gitlink(path: WorkspacePath, change: Change) -> Entry {
    let goes = change == Change::Deleted;
    Entry {
        path,
        change,
        renamed_from: None,
        kind: EntryKind::Gitlink,
        before: None,
        mode_before: goes.then_some(MODE_GITLINK),
        mode_after: (!goes).then_some(MODE_GITLINK),
        size_before: None,
        size_after: None,
        binary: false,
        conflict: None,
        refused: Some(Refusal::GitDirectory),
        content: None,
        place: None,
    }
}

/// Whether a file of a git directory makes git run something or read otherwise: these are named.
fn can_run(path: &[u8]) -> bool {
    let (parent, name) = split(path);
    matches!(name, b"config" | b"config.worktree" | b".git" | b"attributes" | b"alternates")
        || split(parent).1 == b"hooks"
}

/// The executable bit is the owner's, and it is all that is brought back, as in git.
pub(super) fn git_mode(stat: &Statx) -> u32 {
    use rustix::fs::FileType as T;
    match beneath::kind(stat) {
        T::Directory => MODE_DIRECTORY,
        T::Symlink => MODE_LINK,
        T::RegularFile if beneath::permissions(stat) & 0o100 != 0 => MODE_EXECUTABLE,
        T::RegularFile | T::Fifo | T::Socket | T::CharacterDevice | T::BlockDevice | T::Unknown => MODE_FILE,
    }
}

fn size(stat: &Statx) -> Option<u64> {
    use rustix::fs::FileType as T;
    matches!(beneath::kind(stat), T::RegularFile | T::Symlink).then_some(stat.stx_size)
}

const fn entry_kind(kind: FileKind) -> EntryKind {
    match kind {
        FileKind::File | FileKind::Special => EntryKind::File,
        FileKind::Directory => EntryKind::Dir,
        FileKind::Symlink => EntryKind::Symlink,
    }
}

fn unreadable(path: &WorkspacePath, errno: Errno) -> ChangeSetError {
    ChangeSetError::Read(failure(path.as_bytes(), errno))
}

fn vanished(path: &WorkspacePath, errno: Errno) -> ChangeSetError {
    match errno {
        Errno::NOENT | Errno::INVAL | Errno::LOOP | Errno::NOTDIR => {
            ChangeSetError::Moved { path: visible(path.as_bytes()) }
        }
        errno => unreadable(path, errno),
    }
}

fn not_staged(path: &WorkspacePath, error: StageError) -> ChangeSetError {
    match error {
        StageError::Read(errno) => unreadable(path, errno),
        StageError::Moved => ChangeSetError::Moved { path: visible(path.as_bytes()) },
        StageError::Write(source) => ChangeSetError::Stage { path: visible(path.as_bytes()), source },
        StageError::TooLong => ChangeSetError::TooLong,
    }
}
