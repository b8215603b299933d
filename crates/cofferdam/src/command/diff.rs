//! `cofferdam diff`: what a session changed, as it would be brought back.
//!
//! There is no pager: what is long is piped into one. Names and lines are made visible; nothing is left out silently.

pub(super) mod commits;
pub(super) mod json;
mod patch;
mod person;
mod remarks;
pub(super) mod stat;

pub(super) use patch::is_minified;
pub(super) use remarks::said;

use crate::arguments::DiffArguments;
use crate::output::{Output, Tone, toned, whole};
use cofferdam_session::apply;
use cofferdam_session::context::Context;
use cofferdam_session::diff::{self, Change, Diff, DirectoryDiff, Entry};
use cofferdam_session::error::{Error, ErrorKind};
use cofferdam_session::sessions::{self, SessionRecord};
use cofferdam_session::state::State;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

/// The most of git's own files, and of conflicts at the end, that are named to people; `--json` names all.
const NAMED_MAX: usize = 10;

/// What is said of an entry that was merged.
pub(super) const MERGED: &str = "merged with what you did meanwhile";

pub(super) fn diff(context: &Context, output: &Output, arguments: &DiffArguments) -> Result<u8, Error> {
    let state = State::open(context)?;
    let record = super::find(context, &state, output, arguments.session.as_deref())?;
    let authority = sessions::authority(&record)?;
    for note in apply::settle(context, &state, &authority)? {
        output.aside(&note);
    }
    if arguments.commits {
        let mut found = cofferdam_session::commits::of(context, &state, &record, &authority)?;
        if output.json {
            return commits::json(output, record.name.as_str(), &mut found).map(|()| 0);
        }
        commits::print(output, &mut found)?;
        let takeable =
            !found.branches.is_empty() && found.branches.iter().all(|branch| branch.mismatches.is_empty());
        if takeable && output.columns.is_some() {
            output.line(&toned(Tone::Dim, &format!("cofferdam apply -s {} --commits", record.name.as_str())));
        }
        return Ok(0);
    }
    let diff = diff::of(context, &state, &record, &authority)?;
    let diff = if arguments.merged { diff.merged()? } else { diff };
    let chosen = Chosen::of(context, &diff, &arguments.paths)?;
    if output.json {
        return json::print(output, record.name.as_str(), &diff, &chosen).map(|()| 0);
    }
    output.in_pieces(|| print(output, &record, arguments, &diff, &chosen));
    Ok(0)
}

fn print(output: &Output, record: &SessionRecord, arguments: &DiffArguments, diff: &Diff, chosen: &Chosen) {
    let shown = chosen.entries(diff);
    let several = diff.directories.len() > 1;
    if arguments.ignored {
        ignored(output, diff, chosen, several);
    } else if arguments.name_only {
        shown.iter().for_each(|shown| output.line(&shown.name(several)));
    } else if shown.is_empty() && !chosen.paths.is_empty() {
        output.line(&toned(Tone::Dim, "nothing changed at these paths"));
    } else if arguments.stat {
        stat::print(output, diff, &shown, several);
        closing(output, record, diff, arguments.merged);
    } else {
        shown.iter().for_each(|shown| patch::print(output, diff, shown, several));
        closing(output, record, diff, arguments.merged);
    }
}

/// All of it, in an order of the caller's; with `--json`, in that of the change set.
pub(super) fn print_in_order(
    context: &Context,
    output: &Output,
    record: &SessionRecord,
    diff: &Diff,
    order: &[Shown<'_>],
) -> Result<(), Error> {
    if output.json {
        return json::print(output, record.name.as_str(), diff, &Chosen::of(context, diff, &[])?);
    }
    let several = diff.directories.len() > 1;
    order.iter().for_each(|shown| patch::print(output, diff, shown, several));
    closing(output, record, diff, false);
    Ok(())
}

/// An entry, with the directory that it lies in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'d> {
    pub(super) directory: &'d DirectoryDiff,
    pub(super) entry: &'d Entry,
}

impl Shown<'_> {
    /// Its path, visible: absolute where there are several directories.
    pub(super) fn name(&self, several: bool) -> String {
        let path = whole(self.entry.path.as_bytes());
        if several { format!("{}/{path}", self.directory.path) } else { path }
    }

    /// Whether it is a merge of what the session did with what the owner did meanwhile.
    pub(super) fn is_merged(&self) -> bool {
        matches!(self.directory.merged.get(&self.entry.path), Some(Ok(_)))
    }
}

/// What the paths on the command line choose.
struct Chosen {
    /// Absolute, without `.` and `..`; empty: all.
    paths: Vec<PathBuf>,
}

impl Chosen {
    fn of(context: &Context, diff: &Diff, asked: &[PathBuf]) -> Result<Self, Error> {
        let chosen = Self { paths: asked.iter().map(|path| plain(&context.current.join(path))).collect() };
        for (asked, path) in asked.iter().zip(&chosen.paths) {
            let known = |directory: &DirectoryDiff| {
                let top = directory.path.as_path();
                top.starts_with(path) || path.starts_with(top)
            };
            if !diff.directories.iter().any(known) {
                let shown = whole(asked.as_os_str().as_bytes());
                return Err(Error::new(ErrorKind::Usage, format!("cannot show {shown}"))
                    .since("it lies in no directory that the session works on")
                    .hint("name a path in one of them: cofferdam show"));
            }
        }
        Ok(chosen)
    }

    fn takes(&self, directory: &DirectoryDiff, path: &[u8]) -> bool {
        let path = directory.path.as_path().join(std::ffi::OsStr::from_bytes(path));
        self.paths.is_empty() || self.paths.iter().any(|chosen| path.starts_with(chosen))
    }

    fn entries<'d>(&self, diff: &'d Diff) -> Vec<Shown<'d>> {
        let all = diff
            .directories
            .iter()
            .flat_map(|directory| directory.set.entries.iter().map(move |entry| Shown { directory, entry }));
        all.filter(|shown| self.takes(shown.directory, shown.entry.path.as_bytes())).collect()
    }
}

pub(super) fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            Component::RootDir | Component::Normal(_) | Component::Prefix(_) => plain.push(component),
        }
    }
    plain
}

fn ignored(output: &Output, diff: &Diff, chosen: &Chosen, several: bool) {
    for directory in &diff.directories {
        let ignored = &directory.set.ignored;
        for path in ignored.paths.iter().filter(|path| chosen.takes(directory, path.as_bytes())) {
            let path = whole(path.as_bytes());
            output.line(&if several { format!("{}/{path}", directory.path) } else { path });
        }
        let more = ignored.count.saturating_sub(ignored.paths.len() as u64);
        if more > 0 {
            output.line(&toned(Tone::Dim, &format!("… and {more} more")));
        }
    }
}

/// What is said at the end of whatever is shown to people.
fn closing(output: &Output, record: &SessionRecord, diff: &Diff, merged: bool) {
    let dim = |text: &str| output.line(&toned(Tone::Dim, text));
    let name = record.name.as_str();
    for (tone, aside) in asides(diff, Some(name)) {
        output.line(&toned(tone, &aside));
    }
    conflicts(output, diff);
    match diff.mergeable() {
        _ if merged => {}
        (_, Some(0)) => {}
        (1, Some(_)) => dim(&format!("it can be merged: cofferdam diff -s {name} --merged")),
        (all, Some(some)) => {
            dim(&format!("{some} of {all} can be merged: cofferdam diff -s {name} --merged"))
        }
        (_, None) => dim(&format!("which can be merged: cofferdam diff -s {name} --merged")),
    }
    let total: usize = diff.directories.iter().map(|directory| directory.set.entries.len()).sum();
    if total == 0 {
        return dim("nothing changed");
    }
    dim(&format!("digest {}", diff.digest));
    match merged {
        // For people only: programs know what they want.
        _ if output.columns.is_none() => {}
        true => dim(&format!("cofferdam apply -s {name} --merged")),
        false => dim(&format!("cofferdam review {name}  ·  cofferdam apply -s {name}")),
    }
}

/// Names the paths that can't be laid over what the owner has now: among many entries they are easily missed.
fn conflicts(output: &Output, diff: &Diff) {
    let several = diff.directories.len() > 1;
    let all = diff.directories.iter().flat_map(|directory| {
        let entries = directory.set.entries.iter();
        entries.map(move |entry| Shown { directory, entry })
    });
    let is_open = |shown: &Shown<'_>| shown.entry.conflict.is_some() && shown.entry.refused.is_none();
    let found: Vec<Shown<'_>> = all.filter(is_open).collect();
    if found.is_empty() {
        return;
    }
    output.line(&toned(Tone::Bad, &format!("{} in conflict with what you did meanwhile", found.len())));
    for shown in found.iter().take(NAMED_MAX) {
        output.line(&toned(Tone::Bad, &format!("  {}", shown.name(several))));
    }
    if found.len() > NAMED_MAX {
        output.line(&toned(Tone::Bad, &format!("  … and {} more", found.len() - NAMED_MAX)));
    }
}

/// What differs and is no part of the change set, never brought back unless it is named.
pub(super) fn asides(diff: &Diff, session: Option<&str>) -> Vec<(Tone, String)> {
    let diff_of =
        session.map_or_else(|| "cofferdam diff".to_owned(), |name| format!("cofferdam diff -s {name}"));
    let mut asides = Vec::new();
    let mut dim = |text: String| asides.push((Tone::Dim, text));
    for set in diff.directories.iter().map(|directory| &directory.set) {
        if set.ignored.count > 0 {
            dim(format!("{} ignored by your rules: {diff_of} --ignored", set.ignored.count));
        }
        if set.git.count > 0 {
            dim(format!(
                "{} in git's own files, which never come; commits: {diff_of} --commits",
                set.git.count
            ));
            for path in set.git.paths.iter().take(NAMED_MAX) {
                dim(format!("  {}", whole(path.as_bytes())));
            }
        }
    }
    let unnamed: u64 = diff.directories.iter().map(|directory| directory.set.unnamed).sum();
    if unnamed > 0 {
        asides.push((Tone::Bad, format!("{unnamed} too deep to be named, never brought back")));
    }
    asides
}

/// `new`, `changed` and so on: what an entry does, in a word.
pub(super) fn word(entry: &Entry) -> &'static str {
    match (entry.change, &entry.renamed_from) {
        (Change::Added, Some(_)) => "renamed",
        (Change::Added, None) => "added",
        (Change::Modified, _) => "modified",
        (Change::Deleted, _) => "deleted",
        (Change::Type, _) => "of another type",
        (Change::Mode, _) => "mode",
    }
}

/// What speaks against an entry, for people.
pub(super) fn objections(shown: &Shown<'_>) -> Vec<String> {
    let entry = shown.entry;
    let refused = entry.refused.map(|refused| match refused.is_link() {
        true => format!("comes only by its own PATH: {}", refused.words()),
        false => format!("never brought back: {}", refused.words()),
    });
    let conflict = entry.conflict.map(|conflict| format!("conflict: {}", conflict.words()));
    let not_merged = match shown.directory.merged.get(&entry.path) {
        Some(Err(why)) => Some(format!("not merged: {why}")),
        Some(Ok(_)) | None => None,
    };
    refused.into_iter().chain(conflict).chain(not_merged).collect()
}
