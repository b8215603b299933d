//! `diff --commits`: each commit that a session made, with what it changes against its first parent.
//!
//! What one commit adds and a later one takes away again is shown in both. Names, messages and contents are made
//! visible.

use super::json::{Path, path};
use super::patch;
use super::person::person;
use crate::output::{Output, Tone, toned, whole};
use cofferdam_session::commits::{Branch, Commits, NewCommit, Side, TreeChange, TreeEntryKind, is_binary};
use cofferdam_session::diff::{Digest, EntryKind, Text, UNSHOWN_BYTES_MAX};
use cofferdam_session::error::Error;
use serde::Serialize;

const VERSION: u32 = 1;

/// The most paths in which the last commit and the work tree differ that are named to people.
const MISMATCHES_MAX: usize = 20;

#[derive(Serialize)]
struct Report<'c> {
    version: u32,
    session: &'c str,
    digest: Digest,
    branches: Vec<BranchRow<'c>>,
}

#[derive(Serialize)]
struct BranchRow<'c> {
    workspace: &'c str,
    branch: Option<&'c str>,
    tip: String,
    follows: Vec<String>,
    commits: Vec<CommitRow>,
    mismatches: Vec<MismatchRow>,
}

#[derive(Serialize)]
struct CommitRow {
    id: String,
    parents: Vec<String>,
    author: String,
    committer: String,
    message: String,
    changes: Vec<ChangeRow>,
}

#[derive(Serialize)]
struct ChangeRow {
    path: Path,
    mode_before: Option<String>,
    mode_after: Option<String>,
    before: Option<String>,
    after: Option<String>,
    runs_later: Option<String>,
    suspicious: Vec<&'static str>,
}

#[derive(Serialize)]
struct MismatchRow {
    path: Path,
    why: &'static str,
}

pub(in crate::command) fn json(output: &Output, session: &str, commits: &mut Commits) -> Result<(), Error> {
    let mut rows: Vec<Vec<CommitRow>> = Vec::new();
    for number in 0..commits.branches.len() {
        let mut branch_rows = Vec::new();
        for new in of_branch(commits, number) {
            branch_rows.push(commit_row(commits, number, &new)?);
        }
        rows.push(branch_rows);
    }
    let branches = commits.branches.iter().zip(rows).map(|(branch, commits)| BranchRow {
        workspace: branch.workspace.as_str(),
        branch: branch.name.as_deref(),
        tip: branch.new.tip.to_string(),
        follows: branch.new.follows.iter().map(ToString::to_string).collect(),
        commits,
        mismatches: branch
            .mismatches
            .iter()
            .map(|found| MismatchRow { path: path(&found.path), why: found.reason.words() })
            .collect(),
    });
    output.object(&Report { version: VERSION, session, digest: commits.digest, branches: branches.collect() })
}

fn commit_row(commits: &mut Commits, number: usize, new: &NewCommit) -> Result<CommitRow, Error> {
    let mut changes = Vec::new();
    for change in &new.changes {
        let after = content(commits, number, &change.after)?;
        let remarks = commits.remarks(change, after.as_deref());
        let mode = |side: &Side| side.map(|(kind, _)| format!("{:06o}", kind.mode()));
        let id = |side: &Side| side.map(|(_, id)| id.to_string());
        changes.push(ChangeRow {
            path: path(&change.path),
            mode_before: mode(&change.before),
            mode_after: mode(&change.after),
            before: id(&change.before),
            after: id(&change.after),
            runs_later: remarks.runs_later.map(|found| found.reason.as_str().to_owned()),
            suspicious: remarks.suspicious.iter().map(|found| found.as_str()).collect(),
        });
    }
    Ok(CommitRow {
        id: new.id.to_string(),
        parents: new.commit.parents.iter().map(ToString::to_string).collect(),
        author: whole(&new.commit.author),
        committer: whole(&new.commit.committer),
        message: whole(&new.commit.message),
        changes,
    })
}

fn of_branch(commits: &Commits, number: usize) -> Vec<NewCommit> {
    commits.branches.get(number).map(|branch| branch.new.commits.clone()).unwrap_or_default()
}

fn content(commits: &mut Commits, number: usize, side: &Side) -> Result<Option<Vec<u8>>, Error> {
    commits.branches.get_mut(number).map_or(Ok(None), |branch| branch.content(side))
}

pub(in crate::command) fn print(output: &Output, commits: &mut Commits) -> Result<(), Error> {
    for number in 0..commits.branches.len() {
        if let Some(branch) = commits.branches.get(number) {
            head(output, branch);
        }
        for new in of_branch(commits, number) {
            print_commit(output, commits, number, &new)?;
        }
        commits.branches.get(number).iter().for_each(|branch| mismatches(output, branch));
    }
    let total: usize = commits.branches.iter().map(|branch| branch.new.commits.len()).sum();
    let line = if total == 0 { "no new commits".to_owned() } else { format!("digest {}", commits.digest) };
    output.line(&toned(Tone::Dim, &line));
    Ok(())
}

fn head(output: &Output, branch: &Branch) {
    let name = branch.name.as_deref().unwrap_or("no branch").trim_start_matches("refs/heads/");
    let count = branch.new.commits.len();
    let noun = if count == 1 { "commit" } else { "commits" };
    let line = format!("{}: {count} new {noun} on {}", branch.workspace, whole(name.as_bytes()));
    output.line(&toned(Tone::Strong, &line));
}

fn print_commit(output: &Output, commits: &mut Commits, number: usize, new: &NewCommit) -> Result<(), Error> {
    output.line("");
    output.line(&toned(Tone::Strong, &format!("commit {}", new.id)));
    if let [_, others @ ..] = new.commit.parents.as_slice() {
        others.iter().for_each(|parent| output.line(&format!("merges {parent}")));
    }
    output.line(&format!("author {}", person(&new.commit.author)));
    if new.commit.committer != new.commit.author {
        output.line(&format!("committer {}", person(&new.commit.committer)));
    }
    for (word, value) in &new.commit.others {
        output.line(&format!("{} {}", whole(word), whole(value)));
    }
    for line in new.commit.message.trim_ascii_end().split(|byte| *byte == b'\n') {
        output.line(&format!("    {}", whole(line)));
    }
    new.changes.iter().try_for_each(|change| print_change(output, commits, number, change))
}

fn print_change(
    output: &Output,
    commits: &mut Commits,
    number: usize,
    change: &TreeChange,
) -> Result<(), Error> {
    let word = match (&change.before, &change.after) {
        (None, _) => "added",
        (_, None) => "deleted",
        (Some(_), Some(_)) => "modified",
    };
    let mode = |side: &Side| side.map(|(kind, _)| kind.mode()).filter(|mode| *mode != 0o100_644);
    let mut heading = format!("{word} {}", whole(&change.path));
    match (mode(&change.before), mode(&change.after)) {
        (before, after) if before == after => {}
        (_, Some(after)) => heading.push_str(&format!(" ({after:06o})")),
        (Some(before), None) => heading.push_str(&format!(" (was {before:06o})")),
        (None, None) => {}
    }
    output.line(&toned(Tone::Strong, &heading));
    let (before, after) =
        (content(commits, number, &change.before)?, content(commits, number, &change.after)?);
    let remarks = commits.remarks(change, after.as_deref());
    if let Some(found) = remarks.runs_later {
        output.line(&toned(Tone::Strong, &format!("  runs later ({}): {}", found.reason, found.why)));
    }
    for found in remarks.suspicious {
        output.line(&toned(Tone::Strong, &format!("  suspicious ({found}): {}", found.sentence())));
    }
    let text = Text { before: before.unwrap_or_default(), after: after.unwrap_or_default() };
    let bytes_max = usize::try_from(UNSHOWN_BYTES_MAX).unwrap_or(usize::MAX);
    let unshown = match () {
        () if is_binary(&text.before) || is_binary(&text.after) => Some("binary"),
        () if text.before.len().max(text.after.len()) > bytes_max => Some("too long to be shown"),
        () => None,
    };
    match unshown {
        Some(why) => {
            let sizes = format!("{} bytes → {} bytes", text.before.len(), text.after.len());
            output.line(&toned(Tone::Dim, &format!("  {why}: {sizes}")));
        }
        None => {
            let link = |side: &Side| matches!(side, Some((TreeEntryKind::Symlink, _)));
            let is_link = link(&change.before) || link(&change.after);
            patch::print_text(output, &text, if is_link { EntryKind::Symlink } else { EntryKind::File });
        }
    }
    Ok(())
}

/// In what the last commit is not the tree that was reviewed.
pub(in crate::command) fn mismatches(output: &Output, branch: &Branch) {
    for found in branch.mismatches.iter().take(MISMATCHES_MAX) {
        let line = format!("not as in the work tree: {}: {}", whole(&found.path), found.reason.words());
        output.line(&toned(Tone::Bad, &line));
    }
    let more = branch.mismatches.len().saturating_sub(MISMATCHES_MAX);
    if more > 0 {
        output.line(&toned(Tone::Bad, &format!("… and {more} more")));
    }
}
