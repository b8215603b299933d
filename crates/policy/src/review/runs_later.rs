//! What of a change runs later on the host: by its name, its mode or the first bytes of its content.
//!
//! The names are data: one row holds patterns, a reason and a sentence. Letter case and the spellings that a
//! colleague's file system folds are passed over. Rows of the owner only ever add to the table. A name that is in no
//! row is not thereby harmless: any file can be read by a program that runs. Contents are looked at in their first
//! [`HEAD_BYTES`] only.

mod builds;
mod ci;
mod editors;
mod git;
mod host;
mod languages;
mod opened;
mod packages;
mod reason;

use super::spelling::folded_path;
use crate::mask::{MaskError, MaskPattern, NameKind};
use crate::presets::instructions::INSTRUCTIONS;
pub use reason::ReasonCode;
use std::fmt;
use std::str::FromStr;

/// How much of a file's beginning [`Subject::head`] should hold, in bytes. Less is taken, more is not read.
pub const HEAD_BYTES: usize = 512;

/// The most patterns that an owner adds.
pub const OWNER_PATTERNS_MAX: usize = 1024;

/// A finding: this runs later, or decides what does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunsLater {
    /// What kind of thing it is; its text is stable.
    pub reason: ReasonCode,
    /// One sentence, for people.
    pub why: &'static str,
}

/// What kind of object an entry of a change set is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A repository within the repository, taken in at a commit.
    Gitlink,
}

/// What is known of an entry.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Relative to the workspace's root, without leading or trailing slash.
    pub path: &'a [u8],
    /// What it is now; what it was, if it is deleted.
    pub kind: EntryKind,
    /// Its permissions before; `None` if it is new.
    pub mode_before: Option<u32>,
    /// Its permissions now; `None` if it is deleted. What is deleted is judged by its name alone.
    pub mode_after: Option<u32>,
    /// The first [`HEAD_BYTES`] of a file's content now, if they are known.
    pub head: Option<&'a [u8]>,
}

/// One row: names that match one of `patterns` run later.
#[derive(Debug, Clone, Copy)]
struct Row {
    /// As in a gitignore file, between blanks; matched without regard to case.
    patterns: &'static str,
    reason: ReasonCode,
    why: &'static str,
}

/// Every row of names, the more notable first: of two that match, the earlier one speaks.
const ROWS: &[&[Row]] = &[
    git::ROWS,
    ci::ROWS,
    host::ROWS,
    editors::ROWS,
    packages::ROWS,
    builds::ROWS,
    languages::ROWS,
    opened::ROWS,
];

/// What the names of [`INSTRUCTIONS`] run.
const AGENT_WHY: &str = "an agent program reads or starts it by itself when it works in this directory";

/// What a pattern of the owner's says.
const OWNER_WHY: &str = "your policy names it under runs-later";

/// A pattern that the owner adds: as in a gitignore file, matched without regard to letter case as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerPattern(MaskPattern);

impl OwnerPattern {
    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for OwnerPattern {
    type Err = MaskError;

    fn from_str(text: &str) -> Result<Self, MaskError> {
        text.parse().map(Self)
    }
}

impl fmt::Display for OwnerPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The table, ready to be asked; made once for a change set.
#[derive(Debug)]
pub struct RunsLaterTable {
    /// Rows whose pattern begins with a known byte, by that byte.
    by_first: Vec<Vec<Compiled>>,
    /// Rows whose pattern ends with a known byte and begins with a wildcard, by that last byte.
    by_last: Vec<Vec<Compiled>>,
    /// The rest.
    always: Vec<Compiled>,
}

#[derive(Debug, Clone)]
struct Compiled {
    /// The place in the table; lower speaks first.
    rank: usize,
    pattern: MaskPattern,
    found: RunsLater,
}

impl RunsLaterTable {
    /// The table of this version with the owner's own patterns after it.
    ///
    /// # Errors
    /// [`MaskError::TooMany`] beyond [`OWNER_PATTERNS_MAX`].
    pub fn new(owner: &[OwnerPattern]) -> Result<Self, MaskError> {
        if owner.len() > OWNER_PATTERNS_MAX {
            return Err(MaskError::TooMany { count: owner.len() });
        }
        let mut table =
            Self { by_first: vec![Vec::new(); 256], by_last: vec![Vec::new(); 256], always: Vec::new() };
        let mut rank = 0;
        for (text, found) in built_in() {
            table.add(rank, &text.to_lowercase().parse()?, found);
            rank += 1;
        }
        for OwnerPattern(pattern) in owner {
            let found = RunsLater { reason: ReasonCode::Owner, why: OWNER_WHY };
            table.add(rank, pattern, found);
            // `[Z-a]` is no class any more when it is folded; it then holds as it was written only.
            if let Ok(folded) = pattern.as_str().to_lowercase().parse() {
                table.add(rank, &folded, found);
            }
            rank += 1;
        }
        Ok(table)
    }

    fn add(&mut self, rank: usize, pattern: &MaskPattern, found: RunsLater) {
        let bucket = match (pattern.name_prefix().first(), pattern.name_suffix().last()) {
            (Some(first), _) => self.by_first.get_mut(usize::from(*first)),
            (None, Some(last)) => self.by_last.get_mut(usize::from(*last)),
            (None, None) => None,
        };
        bucket.unwrap_or(&mut self.always).push(Compiled { rank, pattern: pattern.clone(), found });
    }

    /// What, if anything, makes `subject` run later. The table's names come first, then modes and contents, then the
    /// owner's names.
    #[must_use]
    pub fn find(&self, subject: &Subject<'_>) -> Option<RunsLater> {
        let by_name = self.by_name(subject.path, subject.kind);
        match by_name {
            Some(found) if found.reason == ReasonCode::Owner => Some(by_content(subject).unwrap_or(found)),
            Some(found) => Some(found),
            None => by_content(subject),
        }
    }

    fn by_name(&self, path: &[u8], kind: EntryKind) -> Option<RunsLater> {
        let folded = folded_path(path);
        let as_written = self.in_path(path, kind);
        let as_folded = if folded == path { None } else { self.in_path(&folded, kind) };
        as_written
            .into_iter()
            .chain(as_folded)
            .min_by_key(|compiled| compiled.rank)
            .map(|compiled| compiled.found)
    }

    /// The first row for the path itself, or for a directory above it.
    fn in_path(&self, path: &[u8], kind: EntryKind) -> Option<&Compiled> {
        let mut best: Option<&Compiled> = None;
        let mut parent: &[u8] = &[];
        let mut rest = path;
        loop {
            let slash = rest.iter().position(|byte| *byte == b'/');
            let name = rest.get(..slash.unwrap_or(rest.len())).unwrap_or_default();
            let found = match slash {
                Some(_) => self.in_directory(parent, name, true, false),
                None => {
                    self.in_directory(parent, name, kind != EntryKind::File, kind != EntryKind::Directory)
                }
            };
            best = best.into_iter().chain(found).min_by_key(|compiled| compiled.rank);
            let Some(slash) = slash else { return best };
            let taken = path.len().saturating_sub(rest.len()).saturating_add(slash);
            parent = path.get(..taken).unwrap_or_default();
            rest = path.get(taken.saturating_add(1)..).unwrap_or_default();
        }
    }

    /// A link or a repository can stand where a directory is looked for, and where a file is.
    fn in_directory(
        &self,
        parent: &[u8],
        name: &[u8],
        as_directory: bool,
        as_file: bool,
    ) -> Option<&Compiled> {
        let (first, last) = (name.first()?, name.last()?);
        let by_first = self.by_first.get(usize::from(*first)).map_or(&[][..], Vec::as_slice);
        let by_last = self.by_last.get(usize::from(*last)).map_or(&[][..], Vec::as_slice);
        let matching = by_first.iter().chain(by_last).chain(&self.always).filter(|compiled| {
            let of_directory = compiled.pattern.is_directory_only();
            let fits = if of_directory { as_directory } else { as_file };
            // Of the owner's patterns those without a slash at the end hold for directories too, as in gitignore.
            let fits = fits || (as_directory && compiled.found.reason == ReasonCode::Owner);
            fits && compiled.pattern.matches(parent, name, NameKind::Directory)
        });
        matching.min_by_key(|compiled| compiled.rank)
    }
}

fn built_in() -> impl Iterator<Item = (&'static str, RunsLater)> {
    let rows = ROWS.iter().copied().flatten().flat_map(|row| {
        let found = RunsLater { reason: row.reason, why: row.why };
        row.patterns.split_whitespace().map(move |pattern| (pattern, found))
    });
    let agents = INSTRUCTIONS
        .iter()
        .map(|instruction| (instruction.pattern, RunsLater { reason: ReasonCode::Agent, why: AGENT_WHY }));
    agents.chain(rows)
}

/// What a file is by its mode and by the first bytes of its content, whatever it is called.
fn by_content(subject: &Subject<'_>) -> Option<RunsLater> {
    let mode_after = subject.mode_after?;
    match subject.kind {
        EntryKind::Gitlink => return Some(SUBMODULE),
        EntryKind::Directory | EntryKind::Symlink => return None,
        EntryKind::File => {}
    }
    let head = subject.head.unwrap_or_default();
    let head = head.get(..HEAD_BYTES).unwrap_or(head);
    if let Some(sign) = SIGNS.iter().find(|sign| sign.begins(head)) {
        return Some(RunsLater { reason: sign.reason, why: sign.why });
    }
    let was_executable = subject.mode_before.is_some_and(is_executable);
    match (was_executable, is_executable(mode_after)) {
        (_, false) => None,
        (false, true) => Some(MADE_EXECUTABLE),
        (true, true) => Some(EXECUTABLE),
    }
}

const fn is_executable(mode: u32) -> bool {
    mode & 0o111 != 0
}

const SUBMODULE: RunsLater = RunsLater {
    reason: ReasonCode::Submodule,
    why: "it is another repository at some commit, whose content is not part of this review",
};
const MADE_EXECUTABLE: RunsLater =
    RunsLater { reason: ReasonCode::Executable, why: "it is executable now and was not before" };
const EXECUTABLE: RunsLater = RunsLater { reason: ReasonCode::Executable, why: "it is executable" };

/// How a content begins that is a program or a page.
#[derive(Debug, Clone, Copy)]
struct Sign {
    beginnings: &'static [&'static [u8]],
    /// Whether blanks and a byte order mark may stand before it, and letter case does not matter.
    in_text: bool,
    reason: ReasonCode,
    why: &'static str,
}

impl Sign {
    fn begins(&self, head: &[u8]) -> bool {
        let head = if self.in_text {
            head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start()
        } else {
            head
        };
        self.beginnings.iter().any(|beginning| {
            head.get(..beginning.len()).is_some_and(|start| {
                start == *beginning || (self.in_text && start.eq_ignore_ascii_case(beginning))
            })
        })
    }
}

const SIGNS: &[Sign] = &[
    Sign {
        beginnings: &[b"#!"],
        in_text: false,
        reason: ReasonCode::Script,
        why: "its first line names the program that runs it",
    },
    Sign {
        beginnings: &[
            b"\x7fELF",
            b"MZ",
            b"\xfe\xed\xfa\xce",
            b"\xfe\xed\xfa\xcf",
            b"\xce\xfa\xed\xfe",
            b"\xcf\xfa\xed\xfe",
            b"\xca\xfe\xba\xbe",
            b"\0asm",
            b"!<arch>\n",
            b"dex\n",
        ],
        in_text: false,
        reason: ReasonCode::Binary,
        why: "it begins as a program or library does, and can't be read in a review",
    },
    Sign {
        beginnings: &[b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"],
        in_text: false,
        reason: ReasonCode::Macros,
        why: "it is an office document of the old format, which can hold macros",
    },
    Sign {
        beginnings: &[b"<!doctype html", b"<html", b"<script", b"<svg"],
        in_text: true,
        reason: ReasonCode::Page,
        why: "it begins as a page does, and its scripts run in the browser that opens it",
    },
    Sign {
        beginnings: &[b"[Desktop Entry]"],
        in_text: true,
        reason: ReasonCode::Desktop,
        why: "it is a launcher: opening it starts the program that it names",
    },
];

/// Every row for the document: reason, names or beginnings, sentence.
#[cfg(test)]
pub(super) fn document_rows() -> Vec<(ReasonCode, Vec<String>, &'static str)> {
    let agents = INSTRUCTIONS.iter().map(|instruction| instruction.pattern.to_owned()).collect();
    let mut rows = vec![(ReasonCode::Agent, agents, AGENT_WHY)];
    for row in ROWS.iter().copied().flatten() {
        rows.push((row.reason, row.patterns.split_whitespace().map(str::to_owned).collect(), row.why));
    }
    for sign in SIGNS {
        let shown = |beginning: &&[u8]| format!("begins {}", beginning.escape_ascii());
        rows.push((sign.reason, sign.beginnings.iter().map(shown).collect(), sign.why));
    }
    rows.push((EXECUTABLE.reason, vec!["mode +x".to_owned()], EXECUTABLE.why));
    rows.push((MADE_EXECUTABLE.reason, vec!["mode +x".to_owned()], MADE_EXECUTABLE.why));
    rows.push((SUBMODULE.reason, vec!["a repository".to_owned()], SUBMODULE.why));
    rows.push((ReasonCode::Owner, vec!["yours".to_owned()], OWNER_WHY));
    rows
}

#[cfg(test)]
mod tests;
