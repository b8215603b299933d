//! From a change set to what a review lists: every entry is looked at once, its text only when it is opened.

use super::super::diff::{MERGED, Shown, objections, said, word};
use super::item::{Fold, Folded, Item, Loudness, Rank, Source};
use super::page::{Page, TextPage};
use crate::output::whole;
use cofferdam_session::diff::{Change, Diff, Entry, EntryKind, Refusal, Remarks, Text, TextError};
use cofferdam_session::selection::Selection;
use std::collections::{BTreeSet, HashSet};

/// The entries of a change set, in the order of a review.
#[derive(Debug)]
pub(super) struct Gathered<'d> {
    diff: &'d Diff,
    /// All of them.
    pub(super) every: Vec<Shown<'d>>,
    /// Those that are to be decided, as the items are.
    entries: Vec<Shown<'d>>,
}

/// Looks at every entry.
pub(super) fn gather(diff: &Diff) -> (Gathered<'_>, Vec<Item>, Vec<Folded>) {
    let several = diff.directories.len() > 1;
    let mut all: Vec<(Item, Shown<'_>)> = diff
        .directories
        .iter()
        .flat_map(|directory| directory.set.entries.iter().map(move |entry| Shown { directory, entry }))
        .map(|shown| (item(diff, &shown, several), shown))
        .collect();
    // Stable: within a rank, the order of the change set.
    all.sort_by_key(|(item, _)| item.rank);
    let every = all.iter().map(|(_, shown)| *shown).collect();
    let parents = parents(diff);
    let (mut items, mut entries, mut folded) = (Vec::new(), Vec::new(), Vec::new());
    for (item, shown) in all {
        let is_parent = parents.contains(&(item.directory.as_str(), shown.entry.path.as_bytes()));
        match fold(shown.entry).filter(|_| is_parent && item.barred.is_none()) {
            Some(fold) => folded.push(Folded { directory: item.directory, path: item.path, fold }),
            None => {
                items.push(item);
                entries.push(shown);
            }
        }
    }
    (Gathered { diff, every, entries }, items, folded)
}

/// The directories in which something else changes.
fn parents(diff: &Diff) -> HashSet<(&str, &[u8])> {
    let mut parents = HashSet::new();
    for directory in &diff.directories {
        for entry in &directory.set.entries {
            parents.insert((directory.path.as_str(), entry.path.parent()));
        }
    }
    parents
}

fn fold(entry: &Entry) -> Option<Fold> {
    match (entry.kind, entry.change) {
        (EntryKind::Dir, Change::Added) => Some(Fold::Arrives),
        (EntryKind::Dir, Change::Deleted) => Some(Fold::Goes),
        (EntryKind::Dir | EntryKind::File | EntryKind::Symlink | EntryKind::Gitlink, _) => None,
    }
}

fn item(diff: &Diff, shown: &Shown<'_>, several: bool) -> Item {
    let entry = shown.entry;
    let remarks = diff.remarks(shown.directory, entry);
    let barred = barred(entry);
    let rank = rank(entry, &remarks, barred.is_some());
    let alone = alone(entry, &remarks);
    let first = remarks.suspicious.first().map(ToString::to_string);
    let mark = remarks.runs_later.as_ref().map(|found| found.reason.to_string()).or(first);
    let refusal = |refused: Refusal| if refused.is_link() { "link out" } else { "refused" }.to_owned();
    let mark = mark.or_else(|| entry.refused.map(refusal));
    let mark = mark.or_else(|| entry.conflict.map(|_| "conflict".to_owned()));
    let mark = mark.or_else(|| shown.is_merged().then(|| "merged".to_owned()));
    Item {
        directory: shown.directory.path.clone(),
        path: entry.path.clone(),
        name: shown.name(several),
        change: change(entry),
        rank,
        mark,
        remarks: spoken(shown, remarks),
        barred,
        alone,
    }
}

/// What can't be taken here; links that lead out can, one by one.
fn barred(entry: &Entry) -> Option<String> {
    let refused =
        entry.refused.filter(|refused| !refused.is_link()).map(|refused| refused.words().to_owned());
    refused.or_else(|| entry.conflict.map(|conflict| format!("conflict: {}", conflict.words())))
}

fn rank(entry: &Entry, remarks: &Remarks, is_barred: bool) -> Rank {
    let is_shape = entry.binary
        || entry.change == Change::Mode
        || entry.change == Change::Type
        || entry.renamed_from.is_some()
        || entry.kind != EntryKind::File
        || entry.mode_before.is_some_and(|before| entry.mode_after.is_some_and(|after| before != after));
    if remarks.runs_later.is_some() {
        Rank::RunsLater
    } else if !remarks.suspicious.is_empty() {
        Rank::Suspicious
    } else if is_barred || entry.refused.is_some() {
        Rank::Barred
    } else if is_shape {
        Rank::Shape
    } else {
        Rank::Text
    }
}

fn alone(entry: &Entry, remarks: &Remarks) -> Option<&'static str> {
    if remarks.runs_later.is_some() {
        Some("it runs later on this machine")
    } else if entry.refused.is_some() {
        Some("it leads out of the workspace")
    } else if !remarks.suspicious.is_empty() {
        Some("something in it deceives")
    } else if entry.binary {
        Some("it is not shown")
    } else {
        None
    }
}

fn change(entry: &Entry) -> String {
    let mut text = word(entry).to_owned();
    if let Some(from) = &entry.renamed_from {
        text.push_str(&format!(" from {}", whole(from.as_bytes())));
    }
    match (entry.mode_before, entry.mode_after) {
        (Some(before), Some(after)) if before != after => {
            text.push_str(&format!(" ({before:06o} → {after:06o})"));
        }
        (None, Some(after)) if after != 0o100_644 => text.push_str(&format!(" ({after:06o})")),
        (Some(_) | None, Some(_) | None) => {}
    }
    text
}

fn spoken(shown: &Shown<'_>, remarks: Remarks) -> Vec<(Loudness, String)> {
    let entry = shown.entry;
    let alarms = usize::from(remarks.runs_later.is_some()) + remarks.suspicious.len();
    let link = entry.refused.filter(|refused| refused.is_link());
    let objections = match link {
        Some(refused) => vec![format!("{}: it is only taken by itself", refused.words())],
        None => objections(shown),
    };
    let objections = objections.into_iter().map(|objection| (Loudness::Alarm, objection));
    let remarks = said(remarks).into_iter().enumerate();
    let remarks = remarks
        .map(|(number, remark)| (if number < alarms { Loudness::Alarm } else { Loudness::Notice }, remark));
    let merged = shown.is_merged().then(|| (Loudness::Notice, MERGED.to_owned()));
    objections.chain(remarks).chain(merged).collect()
}

impl Source for Gathered<'_> {
    fn page(&self, item: usize, split: &BTreeSet<usize>) -> Page {
        let Some(Shown { directory, entry }) = self.entries.get(item) else { return nothing() };
        if let Some(from) = &entry.renamed_from {
            let said = vec![format!("the same content as {}, which goes", whole(from.as_bytes()))];
            return Page::Summary { said, hides: false };
        }
        match self.diff.text(directory, entry) {
            Ok(text) if is_minified(&text) => unshown(entry, "very long lines, not shown"),
            Ok(Text { before, after }) => {
                let page = TextPage::of(entry.path.as_bytes(), before, after, split);
                if page.rows.is_empty() { shape(entry) } else { Page::Text(page) }
            }
            Err(TextError::None) => shape(entry),
            Err(TextError::Binary) => unshown(entry, "binary, not shown"),
            Err(error @ (TextError::TooLong | TextError::Read(_))) => {
                unshown(entry, &format!("{error}, not shown"))
            }
        }
    }

    fn asides(&self) -> Vec<String> {
        super::super::diff::asides(self.diff, None).into_iter().map(|(_, aside)| aside).collect()
    }

    fn digest(&self, selection: &Selection) -> Option<String> {
        super::digest_of(self.diff, selection)
    }
}

fn nothing() -> Page {
    Page::Summary { said: Vec::new(), hides: false }
}

fn is_minified(text: &Text) -> bool {
    super::super::diff::is_minified(&text.before) || super::super::diff::is_minified(&text.after)
}

/// What has no text: its kind and what happens to it.
fn shape(entry: &Entry) -> Page {
    let kind = match entry.kind {
        EntryKind::File => "a file",
        EntryKind::Dir => "a directory",
        EntryKind::Symlink => "a symbolic link",
        EntryKind::Gitlink => "a git directory, or a pointer to one",
    };
    let mut said = vec![format!("{kind}: {}", change(entry))];
    if let (Some(before), Some(after)) = (entry.mode_before, entry.mode_after)
        && before != after
    {
        said.push(match (before & 0o111, after & 0o111) {
            (0, 1..) => "it can be executed from now on".to_owned(),
            (1.., 0) => "it can't be executed any more".to_owned(),
            _ => format!("its mode was {before:06o} and becomes {after:06o}"),
        });
    }
    if entry.kind == EntryKind::File && entry.size_after == Some(0) {
        said.push("it is empty".to_owned());
    }
    Page::Summary { said, hides: false }
}

/// What is there and is not shown, in two lines.
fn unshown(entry: &Entry, why: &str) -> Page {
    let bytes = |size: Option<u64>| size.map_or("nothing".to_owned(), |size| format!("{size} bytes"));
    let mut said = vec![format!("{why}: {} → {}", bytes(entry.size_before), bytes(entry.size_after))];
    if let Some(content) = entry.content.filter(|_| entry.change != Change::Deleted) {
        said.push(format!("sha256 {content}"));
    }
    said.push("take it only if you know by other means what it is".to_owned());
    Page::Summary { said, hides: true }
}
