//! `--json`: one object, as docs/change-set.md describes it.
//!
//! Paths stand in it twice: escaped, for reading, and as bytes in hexadecimal, for opening.

use super::{Chosen, Shown};
use crate::output::Output;
use cofferdam_session::diff::{Change, Diff, Digest, Entry, EntryKind, Named};
use cofferdam_session::error::Error;
use serde::Serialize;

const VERSION: u32 = 1;

#[derive(Serialize)]
struct Report<'d> {
    version: u32,
    session: &'d str,
    digest: Digest,
    directories: Vec<Directory<'d>>,
    entries: Vec<Row<'d>>,
}

#[derive(Serialize)]
struct Directory<'d> {
    path: &'d str,
    digest: Digest,
    ignored: Counted,
    git: Counted,
    unnamed: u64,
}

#[derive(Serialize)]
struct Counted {
    count: u64,
    paths: Vec<Path>,
}

#[derive(Serialize)]
pub(in crate::command) struct Path {
    escaped: String,
    raw_hex: String,
}

#[derive(Serialize)]
struct Row<'d> {
    directory: &'d str,
    path: Path,
    change: Change,
    renamed_from: Option<Path>,
    kind: EntryKind,
    mode_before: Option<String>,
    mode_after: Option<String>,
    size_before: Option<u64>,
    size_after: Option<u64>,
    binary: bool,
    runs_later: Option<&'static str>,
    suspicious: Vec<&'static str>,
    conflict: Option<serde_json::Value>,
    merged: bool,
    not_merged: Option<String>,
    refused: Option<serde_json::Value>,
    content: Option<Digest>,
}

pub(super) fn print(output: &Output, session: &str, diff: &Diff, chosen: &Chosen) -> Result<(), Error> {
    let directories = diff.directories.iter().map(|directory| Directory {
        path: directory.path.as_str(),
        digest: directory.set.digest,
        ignored: counted(&directory.set.ignored),
        git: counted(&directory.set.git),
        unnamed: directory.set.unnamed,
    });
    output.object(&Report {
        version: VERSION,
        session,
        digest: diff.digest,
        directories: directories.collect(),
        entries: chosen.entries(diff).iter().map(|shown| row(diff, shown)).collect(),
    })
}

fn row<'d>(diff: &Diff, shown: &Shown<'d>) -> Row<'d> {
    let entry: &Entry = shown.entry;
    let remarks = diff.remarks(shown.directory, entry);
    let mode = |mode: Option<u32>| mode.map(|mode| format!("{mode:06o}"));
    Row {
        directory: shown.directory.path.as_str(),
        path: path(entry.path.as_bytes()),
        change: entry.change,
        renamed_from: entry.renamed_from.as_ref().map(|from| path(from.as_bytes())),
        kind: entry.kind,
        mode_before: mode(entry.mode_before),
        mode_after: mode(entry.mode_after),
        size_before: entry.size_before,
        size_after: entry.size_after,
        binary: entry.binary,
        runs_later: remarks.runs_later.map(|found| found.reason.as_str()),
        suspicious: remarks.suspicious.iter().map(|found| found.as_str()).collect(),
        conflict: entry.conflict.and_then(|conflict| serde_json::to_value(conflict).ok()),
        merged: shown.is_merged(),
        not_merged: match shown.directory.merged.get(&entry.path) {
            Some(Err(why)) => Some(why.to_string()),
            Some(Ok(_)) | None => None,
        },
        refused: entry.refused.and_then(|refused| serde_json::to_value(refused).ok()),
        content: entry.content,
    }
}

fn counted(named: &Named) -> Counted {
    Counted { count: named.count, paths: named.paths.iter().map(|named| path(named.as_bytes())).collect() }
}

pub(in crate::command) fn path(bytes: &[u8]) -> Path {
    Path {
        escaped: crate::output::whole(bytes),
        raw_hex: bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}
