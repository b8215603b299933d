//! What a person should look at in a change set: what runs later, what deceives, which dependencies move.
//!
//! The tables are `policy`'s; here they are asked about what was staged. A remark refuses nothing.

use super::{Change, Diff, DirectoryDiff, Entry, EntryKind};
pub use cofferdam_policy::review::lock::{Change as PinChange, Comparison, Difference, Unreadable};
use cofferdam_policy::review::lock::{LOCK_BYTES_MAX, LockFormat, compare};
use cofferdam_policy::review::runs_later::{self, HEAD_BYTES, RunsLater, Subject};
use cofferdam_policy::review::suspicious::{self, Finding, TextFindings};
use cofferdam_workspace::changeset::small_file;
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::fs::{Dir, Mode, OFlags, ResolveFlags};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::ffi::OsStrExt as _;

/// A longer line is looked at in parts.
const LINE_BYTES_MAX: u64 = 1 << 20;
/// More of a text is not looked at: letters of some scripts take their time, and nobody is shown that much. It is said.
const LOOKED_AT_BYTES_MAX: u64 = 4 << 20;
/// The most names of one of the owner's directories that are compared with those that come.
const SIBLINGS_MAX: usize = 100_000;

/// What is to be said of one entry.
#[derive(Debug, Default)]
pub struct Remarks {
    /// What makes it run later on the host.
    pub runs_later: Option<RunsLater>,
    /// What deceives in its name or in the content that would come.
    pub suspicious: BTreeSet<Finding>,
    /// Of a lock file: which dependencies change.
    pub dependencies: Option<Result<Comparison, Unreadable>>,
}

impl Diff {
    /// What is to be said of an entry of one of its directories.
    #[must_use]
    pub fn remarks(&self, directory: &DirectoryDiff, entry: &Entry) -> Remarks {
        let path = entry.path.as_bytes();
        let mut suspicious = suspicious::of_path(path);
        if directory.collisions.contains(path) {
            suspicious.insert(Finding::NameCollision);
        }
        if entry.content.is_some() && suspicious::is_ignore_file(path) {
            suspicious.insert(Finding::IgnoreRules);
        }
        let mut head = Vec::new();
        if let Some(Ok(mut staged)) = directory.staged(entry) {
            let first = staged.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head);
            if first.is_ok() && !entry.binary {
                suspicious.extend(in_text(&mut head.as_slice().chain(staged).take(LOOKED_AT_BYTES_MAX)));
                if entry.size_after.is_some_and(|size| size > LOOKED_AT_BYTES_MAX) {
                    suspicious.insert(Finding::NotLookedThrough);
                }
            }
        }
        let permissions = |mode: Option<u32>| mode.map(|mode| mode & 0o7777);
        let runs_later = self.runs_later.find(&Subject {
            path,
            kind: match entry.kind {
                EntryKind::File => runs_later::EntryKind::File,
                EntryKind::Dir => runs_later::EntryKind::Directory,
                EntryKind::Symlink => runs_later::EntryKind::Symlink,
                EntryKind::Gitlink => runs_later::EntryKind::Gitlink,
            },
            mode_before: permissions(entry.mode_before),
            mode_after: permissions(entry.mode_after),
            head: (entry.kind == EntryKind::File && !head.is_empty()).then_some(head.as_slice()),
        });
        Remarks { runs_later, suspicious, dependencies: self.dependencies(directory, entry) }
    }

    fn dependencies(
        &self,
        directory: &DirectoryDiff,
        entry: &Entry,
    ) -> Option<Result<Comparison, Unreadable>> {
        if entry.kind != EntryKind::File || entry.change == Change::Mode {
            return None;
        }
        let format = LockFormat::of_path(entry.path.as_bytes())?;
        // What is too long to be read at all is not understood either.
        let bytes_max = LOCK_BYTES_MAX + 1;
        let side = |there: bool, text: &dyn Fn() -> Option<Vec<u8>>| match there {
            true => text().map(Some).ok_or(Unreadable::TooLong),
            false => Ok(None),
        };
        let before = side(entry.size_before.is_some(), &|| {
            small_file(directory.original.as_fd(), entry.path.as_bytes(), bytes_max).ok()
        });
        let after = side(entry.content.is_some(), &|| directory.staged_bytes(entry, bytes_max)?.ok());
        Some(before.and_then(|before| compare(format, before.as_deref(), after?.as_deref())))
    }
}

fn in_text(text: &mut impl std::io::Read) -> Vec<Finding> {
    let mut findings = TextFindings::default();
    let mut lines = BufReader::new(text);
    let mut line = Vec::new();
    while let Ok(1..) = lines.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line) {
        findings.add(&line);
        line.clear();
    }
    findings.iter().map(|(finding, _)| finding).collect()
}

/// The new paths whose names some file system takes for that of a sibling, the owner's or another new one.
pub(super) fn collisions(original: &OwnedFd, entries: &[Entry]) -> BTreeSet<Vec<u8>> {
    let mut arriving: BTreeMap<&[u8], Vec<&[u8]>> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| matches!(entry.change, Change::Added)) {
        let path = entry.path.as_bytes();
        let (parent, name) = path.iter().rposition(|byte| *byte == b'/').map_or((&b""[..], path), |at| {
            (path.get(..at).unwrap_or_default(), path.get(at + 1..).unwrap_or_default())
        });
        arriving.entry(parent).or_default().push(name);
    }
    let mut found = BTreeSet::new();
    for (parent, names) in arriving {
        let siblings = siblings(original, parent);
        let all = names.iter().copied().chain(siblings.iter().map(Vec::as_slice));
        // A set: names made to collide would otherwise each be compared with all others.
        let colliding: BTreeSet<&[u8]> = suspicious::collisions(all).into_iter().flatten().collect();
        for name in names.into_iter().filter(|name| colliding.contains(name)) {
            found.insert(if parent.is_empty() { name.to_vec() } else { [parent, b"/", name].concat() });
        }
    }
    found
}

/// The names that the owner has in a directory; none in one that is not there.
fn siblings(original: &OwnedFd, parent: &[u8]) -> Vec<Vec<u8>> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let path = if parent.is_empty() { OsStr::new(".") } else { OsStr::from_bytes(parent) };
    let opened = rustix::fs::openat2(original, path, flags, Mode::empty(), resolve).and_then(Dir::new);
    let names = opened.into_iter().flatten().take(SIBLINGS_MAX).flatten();
    names.map(|entry| entry.file_name().to_bytes().to_vec()).collect()
}
