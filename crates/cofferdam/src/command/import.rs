//! `cofferdam apply --commits`: the commits that a session made come into the owner's repository, under a name of their
//! own. No branch moves, and nothing is checked out.
//!
//! Git itself looks at what comes only in a fresh cell, in which there is nothing of the session's but the pack.

use super::diff::commits;
use crate::arguments::ApplyArguments;
use crate::output::{Output, Tone, toned, whole};
use cofferdam_session::commits::{self as made, Branch, Commits, Imported};
use cofferdam_session::context::Context;
use cofferdam_session::diff::Digest;
use cofferdam_session::error::{Error, ErrorKind};
use cofferdam_session::sessions::{self, SessionRecord};
use cofferdam_session::state::State;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

const VERSION: u32 = 1;

/// What git says of a pack, and nothing of what it makes of it stays. Its input is the pack.
const CHECK: &str = "cat > /tmp/new.pack && exec git index-pack --strict -o /tmp/new.idx /tmp/new.pack";

/// The most of git's words that are repeated, in bytes.
const WORDS_BYTES_MAX: usize = 2_000;

pub(super) fn import(context: &Context, output: &Output, arguments: &ApplyArguments) -> Result<u8, Error> {
    let declared = arguments.digest.clone().map(Digest::try_from).transpose().map_err(|error| {
        Error::new(ErrorKind::Usage, "cannot apply by that digest")
            .because(error)
            .hint("it is printed by: cofferdam diff --commits")
    })?;
    let state = State::open(context)?;
    let record = super::find(context, &state, output, arguments.session.as_deref())?;
    let authority = sessions::authority(&record)?;
    let mut found = made::of(context, &state, &record, &authority)?;
    require_takeable(&record, &found)?;
    if arguments.dry_run {
        require_same(&record, &found, declared)?;
        match output.json {
            true => commits::json(output, record.name.as_str(), &mut found)?,
            false => commits::print(output, &mut found)?,
        }
        return Ok(0);
    }
    approve(output, &record, &mut found, declared)?;
    let imported = bring(context, &state, &record, &mut found)?;
    report(output, &record, &found, &imported)?;
    Ok(0)
}

fn require_takeable(record: &SessionRecord, found: &Commits) -> Result<(), Error> {
    let name = record.name.as_str();
    if found.branches.is_empty() {
        return Err(Error::new(
            ErrorKind::Nothing,
            format!("there are no commits of session {name} to apply"),
        )
        .since("it committed nothing that you don't have")
        .hint(format!("bring its files: cofferdam apply -s {name}")));
    }
    let mut mismatches = found.branches.iter().flat_map(|branch| &branch.mismatches);
    let Some(first) = mismatches.next() else { return Ok(()) };
    let more = match mismatches.count() {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    Err(Error::new(ErrorKind::Refused, format!("cannot apply the commits of session {name}"))
        .since(format!(
            "its last commit is not its work tree: {}: {}{more}",
            whole(&first.path),
            first.reason.words()
        ))
        .hint(format!(
            "see them: cofferdam diff -s {name} --commits; or bring the files: cofferdam apply -s {name}"
        )))
}

fn require_same(record: &SessionRecord, found: &Commits, declared: Option<Digest>) -> Result<(), Error> {
    match declared {
        Some(digest) if digest != found.digest => {
            Err(Error::new(ErrorKind::Moved, "what would be applied is not what this digest stands for")
                .since(format!("its digest is {} now", found.digest))
                .hint(format!("look at it again: cofferdam diff -s {} --commits", record.name.as_str())))
        }
        Some(_) | None => Ok(()),
    }
}

/// The caller's word by a digest, or the person at the terminal.
fn approve(
    output: &Output,
    record: &SessionRecord,
    found: &mut Commits,
    declared: Option<Digest>,
) -> Result<(), Error> {
    let name = record.name.as_str();
    if declared.is_some() {
        return require_same(record, found, declared);
    }
    if !output.can_ask() || output.columns.is_none() {
        return Err(Error::new(ErrorKind::Unreviewed, "nobody has reviewed these commits")
            .since("there is no terminal to ask on")
            .hint(format!(
                "look at them (cofferdam diff -s {name} --commits), then: cofferdam apply -s {name} --commits --digest {}",
                found.digest
            )));
    }
    commits::print(output, found)?;
    if output.confirm("bring exactly these commits into your repository?") {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Declined, "nothing was applied")
        .since("nobody said yes")
        .hint(format!("look at them again: cofferdam diff -s {name} --commits")))
}

/// Packs, checks and imports the branches: all are checked before the first comes.
fn bring(
    context: &Context,
    state: &State,
    record: &SessionRecord,
    found: &mut Commits,
) -> Result<Vec<Imported>, Error> {
    let scratch = made::Scratch::make(state, record)?;
    let mut packed = Vec::new();
    for branch in &mut found.branches {
        let place = scratch.directory()?;
        let (pack, checksum) = branch.pack(&place)?;
        check(branch, &pack)?;
        packed.push((place, checksum));
    }
    let both = found.branches.iter().zip(packed);
    both.map(|(branch, (place, checksum))| branch.import(context, state, record, &place, &checksum)).collect()
}

/// Has git look at a pack, in a cell on the same directory that has nothing else of the session's.
fn check(branch: &Branch, pack: &Path) -> Result<(), Error> {
    let cannot = |why: String| {
        Error::new(ErrorKind::Refused, format!("cannot take the commits made in {}", branch.workspace))
            .since(why)
            .hint("bring the files instead, and commit them yourself: cofferdam review")
    };
    let input = File::open(pack).map_err(|error| cannot(error.to_string()))?;
    let run = Command::new("/proc/self/exe")
        .args(["run", "--rm", "--json", "--workspace"])
        .arg(branch.workspace.as_path())
        .args(["--", "sh", "-c", CHECK])
        .current_dir(branch.workspace.as_path())
        .stdin(Stdio::from(input))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| cannot(format!("no cell can be started to check them: {error}")))?;
    if run.status.success() {
        return Ok(());
    }
    let words = run.stderr.get(..WORDS_BYTES_MAX).unwrap_or(&run.stderr);
    let words = String::from_utf8_lossy(words).split_whitespace().collect::<Vec<_>>().join(" ");
    Err(cannot(format!("git, in a cell of its own, does not take them: {}", whole(words.as_bytes()))))
}

fn report(
    output: &Output,
    record: &SessionRecord,
    found: &Commits,
    imported: &[Imported],
) -> Result<(), Error> {
    if output.json {
        let rows = found.branches.iter().zip(imported).map(|(branch, imported)| {
            serde_json::json!({
                "workspace": branch.workspace, "reference": imported.reference,
                "tip": imported.tip.to_string(), "commits": imported.commits,
            })
        });
        return output.object(&serde_json::json!({
            "version": VERSION, "session": record.name.as_str(), "digest": found.digest,
            "imported": rows.collect::<Vec<_>>(),
        }));
    }
    for (branch, imported) in found.branches.iter().zip(imported) {
        let noun = if imported.commits == 1 { "commit is" } else { "commits are" };
        let shown = whole(imported.reference.as_bytes());
        output
            .line(&toned(Tone::Good, &format!("{} {noun} in your repository as {shown}", imported.commits)));
        let dim = |text: &str| output.line(&toned(Tone::Dim, text));
        let (at, reference) = (for_shell(branch.workspace.as_str()), for_shell(&imported.reference));
        let git = format!("git -C {at}");
        dim(&format!("merge:           {git} merge {reference}"));
        dim(&format!("or sign anew:    {git} {}", signing(branch, &reference)));
        dim(&format!("throw them away: {git} update-ref -d {reference}"));
    }
    Ok(())
}

/// What makes commits of the owner's own of them, signed; histories with merges get one merge that is.
fn signing(branch: &Branch, reference: &str) -> String {
    let is_linear = branch.new.commits.iter().all(|new| new.commit.parents.len() == 1);
    match branch.new.follows.as_slice() {
        [base] if is_linear => format!("cherry-pick -S {base}..{reference}"),
        _ => format!("merge -S --no-ff {reference}"),
    }
}

/// As one word of a command that is copied into a shell: the agent names its branches, and git lets it name one
/// `x;$(id)`.
fn for_shell(word: &str) -> String {
    let shown = whole(word.as_bytes());
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-@%+=:,".contains(c);
    if shown.chars().all(plain) { shown } else { format!("'{}'", shown.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_that_the_agent_named_is_one_word_to_a_shell() {
        assert_eq!(for_shell("refs/cofferdam/one/fix-1"), "refs/cofferdam/one/fix-1");
        for (name, printed) in [
            ("x;$(id)", "'x;$(id)'"),
            ("`id`|a&b>c", "'`id`|a&b>c'"),
            ("it's;id", r"'it'\''s;id'"),
            ("#{a,b}!", "'#{a,b}!'"),
            ("a\u{202e}b", r"'a\u{202e}b'"),
        ] {
            assert_eq!(for_shell(name), printed);
        }
    }
}
