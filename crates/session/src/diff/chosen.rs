//! A part of a change set, as a change set of its own: with what it needs, with nothing that can't be written, and with
//! its own digest.
//!
//! What is chosen in part becomes a content of its own in the stage. Nothing is written anywhere else, and nobody is asked.

use super::{Change, ChangeSet, Diff, DirectoryDiff, Entry, EntryKind, hunks, with_changes};
use crate::error::{Error, ErrorKind};
use crate::selection::{Selection, Take};
use cofferdam_policy::path::AbsPath;
use cofferdam_workspace::changeset::base::Conflict;
use cofferdam_workspace::changeset::encoding::digest_of_all;
use cofferdam_workspace::changeset::{Digest, Refusal, restage};
use cofferdam_workspace::path::WorkspacePath;
use std::collections::{BTreeMap, BTreeSet};

/// What is to be written.
#[derive(Debug)]
pub struct Chosen {
    /// Over exactly what is to be written; of all of a [`Diff`] against which nothing speaks, its own.
    pub digest: Digest,
    /// Each of the diff's, in its order; some may have no entries.
    pub directories: Vec<ChosenDirectory>,
    /// What was taken and stays out.
    pub left_out: Vec<LeftOut>,
}

/// What is to be written in one directory.
#[derive(Debug)]
pub struct ChosenDirectory {
    /// As [`DirectoryDiff::path`].
    pub path: AbsPath,
    /// Entries against which nothing speaks.
    pub set: ChangeSet,
}

/// What was taken and can't be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// As [`DirectoryDiff::path`].
    pub directory: AbsPath,
    /// In it.
    pub path: WorkspacePath,
    /// Why.
    pub objection: Objection,
}

/// What speaks against an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objection {
    /// The owner changed it, or something that it needs, meanwhile.
    Conflict(Conflict),
    /// It, or something that it needs, is never brought back.
    Refused(Refusal),
}

impl Objection {
    fn of(entry: &Entry) -> Option<Self> {
        entry.refused.map(Self::Refused).or(entry.conflict.map(Self::Conflict))
    }

    fn is_link(self) -> bool {
        match self {
            Self::Conflict(_) => false,
            Self::Refused(refusal) => refusal.is_link(),
        }
    }

    /// In words, for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Conflict(conflict) => conflict.words(),
            Self::Refused(refusal) => refusal.words(),
        }
    }
}

impl Chosen {
    /// How many entries are to be written.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.directories.iter().map(|directory| directory.set.entries.len()).sum()
    }
}

impl Diff {
    /// All that there is.
    #[must_use]
    pub fn all(&self) -> Selection {
        self.selection(|_, _| true)
    }

    /// Every entry that `taken` says yes to, whole.
    #[must_use]
    pub fn selection(&self, taken: impl Fn(&DirectoryDiff, &Entry) -> bool) -> Selection {
        let mut selection = Selection::default();
        for directory in &self.directories {
            for entry in directory.set.entries.iter().filter(|entry| taken(directory, entry)) {
                selection.take(&directory.path, &entry.path, Take::Whole);
            }
        }
        selection
    }

    /// Only what `chosen` takes or would have taken, on the same stage: for showing it by itself.
    ///
    /// # Errors
    /// [`ErrorKind::State`] if a directory can't be kept open.
    pub fn only(&self, chosen: &Chosen) -> Result<Self, Error> {
        let mut directories = Vec::new();
        for (directory, taken) in self.directories.iter().zip(&chosen.directories) {
            let left_out = chosen.left_out.iter().filter(|left| left.directory == directory.path);
            let paths: BTreeSet<&WorkspacePath> = taken
                .set
                .entries
                .iter()
                .map(|entry| &entry.path)
                .chain(left_out.map(|left| &left.path))
                .collect();
            let entries = directory.set.entries.iter().filter(|entry| paths.contains(&entry.path)).cloned();
            directories.push(directory.with(directory.set.with_entries(entries.collect()))?);
        }
        Ok(self.with(directories))
    }

    /// The change set of exactly what is taken, and of the directories that it needs.
    ///
    /// # Errors
    /// [`ErrorKind::Moved`] if something is named that did not change, [`ErrorKind::Usage`] if a directory is to go of
    /// which something that goes with it is not taken, [`ErrorKind::State`] if the stage can't be written.
    pub fn select(&self, selection: &Selection) -> Result<Chosen, Error> {
        let known = |named: &AbsPath| self.directories.iter().any(|directory| directory.path == *named);
        let strange = selection.taken.iter().find(|(named, taken)| !taken.is_empty() && !known(named));
        if let Some((named, _)) = strange {
            return Err(unchanged(named.as_str()));
        }
        let mut chosen = Chosen { digest: self.digest, directories: Vec::new(), left_out: Vec::new() };
        for directory in &self.directories {
            let none = BTreeMap::new();
            let taken = selection.taken.get(&directory.path).unwrap_or(&none);
            let choice = Choice::new(self, directory, taken)?;
            let (set, left_out) = choice.made()?;
            chosen.directories.push(ChosenDirectory { path: directory.path.clone(), set });
            chosen.left_out.extend(left_out);
        }
        let digests: Vec<(&[u8], Digest)> = chosen
            .directories
            .iter()
            .map(|directory| (directory.path.as_str().as_bytes(), directory.set.digest))
            .collect();
        chosen.digest = digest_of_all(&digests);
        Ok(chosen)
    }
}

fn unchanged(path: &str) -> Error {
    Error::new(ErrorKind::Moved, format!("cannot take {path}"))
        .since("it is not among what changed any more")
        .hint("look at it again: cofferdam diff")
}

/// The choice in one directory.
struct Choice<'d> {
    diff: &'d Diff,
    directory: &'d DirectoryDiff,
    by_path: BTreeMap<&'d [u8], &'d Entry>,
    taken: BTreeMap<&'d WorkspacePath, &'d Take>,
}

impl<'d> Choice<'d> {
    fn new(
        diff: &'d Diff,
        directory: &'d DirectoryDiff,
        taken: &'d BTreeMap<WorkspacePath, Take>,
    ) -> Result<Self, Error> {
        static WHOLE: Take = Take::Whole;
        let entries = &directory.set.entries;
        let by_path: BTreeMap<&[u8], &Entry> =
            entries.iter().map(|entry| (entry.path.as_bytes(), entry)).collect();
        if let Some(strange) = taken.keys().find(|path| !by_path.contains_key(path.as_bytes())) {
            return Err(unchanged(&format!("{}/{strange}", directory.path)));
        }
        // A part that takes nothing is nothing.
        let something = |take: &Take| match take {
            Take::Whole | Take::Alone => true,
            Take::Changes(changes) => !changes.is_empty(),
        };
        let mut all: BTreeMap<&WorkspacePath, &Take> =
            taken.iter().filter(|(_, take)| something(take)).collect();
        let needed: Vec<&WorkspacePath> = all
            .keys()
            .flat_map(|path| above(path.as_bytes()))
            .filter_map(|above| by_path.get(above).filter(|entry| makes_directory(entry)))
            .map(|entry| &entry.path)
            .collect();
        for path in needed {
            all.insert(path, &WHOLE);
        }
        Ok(Self { diff, directory, by_path, taken: all })
    }

    fn made(&self) -> Result<(ChangeSet, Vec<LeftOut>), Error> {
        let mut objections: BTreeMap<&[u8], Objection> = BTreeMap::new();
        for (path, take) in &self.taken {
            let Some(entry) = self.by_path.get(path.as_bytes()) else { continue };
            let objection =
                Objection::of(entry).filter(|objection| !(taken_alone(take, entry) && objection.is_link()));
            objections.extend(objection.map(|objection| (path.as_bytes(), objection)));
        }
        self.spread(&mut objections)?;
        let mut set = ChangeSet { entries: Vec::new(), ..self.directory.set.clone() };
        for (path, take) in self.taken.iter().filter(|(path, _)| !objections.contains_key(path.as_bytes())) {
            let Some(entry) = self.by_path.get(path.as_bytes()) else { continue };
            match take {
                Take::Whole => set.entries.push((*entry).clone()),
                Take::Alone => set.entries.push(Entry { refused: None, ..(*entry).clone() }),
                Take::Changes(changes) => set.entries.extend(self.part(entry, changes)?),
            }
        }
        let gone: BTreeSet<WorkspacePath> = set
            .entries
            .iter()
            .filter(|entry| entry.change == Change::Deleted)
            .map(|entry| entry.path.clone())
            .collect();
        for entry in &mut set.entries {
            entry.renamed_from = entry.renamed_from.take().filter(|from| gone.contains(from));
        }
        set.seal();
        let left_out = self.taken.keys().filter_map(|path| {
            let objection = *objections.get(path.as_bytes())?;
            Some(LeftOut { directory: self.directory.path.clone(), path: (*path).clone(), objection })
        });
        Ok((set, left_out.collect()))
    }

    /// What can't be written takes with it what needs it: what lies in a directory that does not come, and the directory
    /// in which something stays.
    fn spread(&self, objections: &mut BTreeMap<&'d [u8], Objection>) -> Result<(), Error> {
        // Children first: what keeps a directory keeps those above it as well.
        for entry in self.directory.set.entries.iter().rev() {
            let path = entry.path.as_bytes();
            let goes = entry.change == Change::Deleted;
            let stays = objections.get(path).copied();
            let taken = self.taken.get(&entry.path);
            if !goes || (stays.is_none() && matches!(taken, Some(Take::Whole))) {
                continue;
            }
            let parents = above(path).filter_map(|above| self.by_path.get(above));
            for parent in parents.filter(|parent| leaves_directory(parent)) {
                if !self.taken.contains_key(&parent.path) {
                    continue;
                }
                let Some(objection) = stays else {
                    return Err(Error::new(
                        ErrorKind::Usage,
                        format!("cannot remove {}/{}", self.directory.path, parent.path),
                    )
                    .since(format!("{} lies in it, goes with it, and is not taken", entry.path))
                    .hint("name the directory itself, or only what lies in it"));
                };
                objections.entry(parent.path.as_bytes()).or_insert(objection);
            }
        }
        // Parents first: entries are in the order of their paths.
        for entry in &self.directory.set.entries {
            let path = entry.path.as_bytes();
            if entry.change == Change::Deleted || !self.taken.contains_key(&entry.path) {
                continue;
            }
            let missing = above(path).find_map(|above| {
                let parent = self.by_path.get(above).filter(|parent| makes_directory(parent))?;
                objections.get(parent.path.as_bytes()).copied()
            });
            if let Some(objection) = missing {
                objections.entry(path).or_insert(objection);
            }
        }
        Ok(())
    }

    /// The entry with these of its changes only; nothing if that changes nothing.
    fn part(&self, entry: &Entry, changes: &BTreeSet<u32>) -> Result<Option<Entry>, Error> {
        let path = format!("{}/{}", self.directory.path, entry.path);
        let text = self.diff.text(self.directory, entry).map_err(|error| {
            Error::new(ErrorKind::Usage, format!("cannot take a part of {path}"))
                .because(error)
                .hint("take all of it, or nothing")
        })?;
        let all = hunks(&text.before, &text.after).last().map_or(0, |hunk| hunk.changes.end);
        if entry.kind != EntryKind::File || changes.last().is_some_and(|last| *last >= all) {
            return Err(unchanged(&path));
        }
        let is_all = (0..all).all(|number| changes.contains(&number));
        let mut part = entry.clone();
        match entry.change {
            Change::Added | Change::Deleted | Change::Type if is_all => return Ok(Some(part)),
            Change::Added | Change::Type => {}
            Change::Deleted => {
                part.change = Change::Modified;
                part.mode_after = entry.mode_before;
            }
            // The mode is no change of the text; it comes with the whole only.
            Change::Modified => part.mode_after = entry.mode_before,
            Change::Mode => return Ok(None),
        }
        let bytes = with_changes(&text.before, &text.after, changes);
        restage(&mut part, self.directory.contents().directory(), &bytes).map_err(|errno| {
            Error::new(ErrorKind::State, format!("cannot keep what is taken of {path}"))
                .because(errno)
                .hint("is the disk full? cofferdam doctor")
        })?;
        Ok(Some(part))
    }
}

/// Whether it was taken by itself, and nothing else than where it leads may speak against it.
fn taken_alone(take: &Take, entry: &Entry) -> bool {
    *take == Take::Alone && entry.conflict.is_none()
}

/// The paths of the directories above `path`, the nearest first, without the root.
fn above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let parent = |path: &[u8]| path.iter().rposition(|byte| *byte == b'/');
    std::iter::successors(parent(path).and_then(|at| path.get(..at)), move |above| {
        parent(above).and_then(|at| above.get(..at))
    })
}

/// Whether something else, or nothing, was there.
const fn makes_directory(entry: &Entry) -> bool {
    matches!(entry.kind, EntryKind::Dir) && matches!(entry.change, Change::Added | Change::Type)
}

/// Whether it was a directory, and is none afterwards.
fn leaves_directory(entry: &Entry) -> bool {
    const DIRECTORY: Option<u32> = Some(0o040_000);
    entry.mode_before == DIRECTORY && entry.mode_after != DIRECTORY
}

#[cfg(test)]
mod tests;
