//! `cofferdam apply`: what a session changed comes into the owner's directories.
//!
//! On a terminal the review comes first, unless exactly this was reviewed before. Off a terminal nobody is asked.

use super::diff::json::path;
use super::diff::{Shown, plain, stat};
use super::ls::typed;
use super::review;
use crate::arguments::ApplyArguments;
use crate::output::{Output, Tone, toned, whole};
use cofferdam_session::apply::{self, Applied, Approval, Asked, Proposal};
use cofferdam_session::context::Context;
use cofferdam_session::diff::{Chosen, Diff, Digest};
use cofferdam_session::error::{Error, ErrorKind};
use cofferdam_session::sessions::{self, SessionRecord};
use cofferdam_session::state::State;

const VERSION: u32 = 1;

pub(super) fn apply(context: &Context, output: &Output, arguments: &ApplyArguments) -> Result<u8, Error> {
    if arguments.commits {
        return super::import::import(context, output, arguments);
    }
    let asked = asked(context, output, arguments)?;
    let state = State::open(context)?;
    let record = super::find(context, &state, output, arguments.session.as_deref())?;
    let proposal = apply::propose(context, &state, &record, asked)?;
    for note in &proposal.notes {
        output.aside(note);
    }
    if arguments.dry_run {
        // Whoever names a digest is told here too that it is not this one's.
        let _same = proposal
            .asked
            .digest
            .map(|digest| apply::declared(&record, &proposal.chosen, digest))
            .transpose()
            .map_err(|error| look_again(error, &record, arguments))?;
        show(output, &proposal.diff, &proposal.chosen);
        output.line(&toned(Tone::Dim, &format!("digest {}", proposal.chosen.digest)));
        output.line(&toned(Tone::Dim, &again("apply", &record, arguments)));
        return report(output, &record, &proposal.chosen, None).map(|()| 0);
    }
    let Agreed { diff, chosen, approval } = agree(context, output, &state, &record, proposal, arguments)?;
    let applied = apply::apply(context, &state, &record, (&diff, &chosen), &approval)?;
    report(output, &record, &chosen, Some(&applied))?;
    say(output, &record, &chosen, &applied);
    Ok(0)
}

/// What somebody stands for.
struct Agreed {
    diff: Diff,
    chosen: Chosen,
    approval: Approval,
}

fn asked(context: &Context, output: &Output, arguments: &ApplyArguments) -> Result<Asked, Error> {
    let absolute = |paths: &[std::path::PathBuf]| {
        paths.iter().map(|path| plain(&context.current.join(path))).collect::<Vec<_>>()
    };
    let digest = arguments.digest.clone().map(Digest::try_from).transpose().map_err(|error| {
        Error::new(ErrorKind::Usage, "cannot apply by that digest")
            .because(error)
            .hint("it is printed by: cofferdam apply -n")
    })?;
    Ok(Asked {
        paths: absolute(&arguments.paths),
        included: absolute(&arguments.include_ignored),
        merged: arguments.merged,
        chooses: digest.is_none() && !arguments.dry_run && is_seen(output),
        digest,
    })
}

/// Whether somebody can be asked, and sees what about: what goes into a pipe they don't.
fn is_seen(output: &Output) -> bool {
    output.can_ask() && output.columns.is_some()
}

/// Who stands for it: the caller by a digest, the person at the terminal, or a review that was completed before.
fn agree(
    context: &Context,
    output: &Output,
    state: &State,
    record: &SessionRecord,
    proposal: Proposal,
    arguments: &ApplyArguments,
) -> Result<Agreed, Error> {
    let Proposal { diff, chosen, asked, .. } = proposal;
    if let Some(digest) = asked.digest {
        let approval =
            apply::declared(record, &chosen, digest).map_err(|error| look_again(error, record, arguments))?;
        return Ok(Agreed { diff, chosen, approval });
    }
    if !is_seen(output) {
        let approval = apply::recorded(state, record, &chosen)
            .map_err(|error| unreviewed(error, record, arguments, &chosen))?;
        return Ok(Agreed { diff, chosen, approval });
    }
    if !arguments.patch && apply::recorded(state, record, &chosen).is_ok() {
        return confirmed(output, record, arguments, (diff, chosen));
    }
    let shown = diff.only(&chosen)?;
    let outcome = review::review(context, record, &shown)?;
    if !outcome.completed {
        return Err(declined(record, arguments, "you left the review"));
    }
    let chosen = review::recorded(context, state, record, &shown, outcome)?;
    if chosen.entries() == 0 {
        return Err(declined(record, arguments, "nothing was taken"));
    }
    let approval = apply::answered(&chosen);
    Ok(Agreed { diff: shown, chosen, approval })
}

/// What was reviewed before is not gone through again.
fn confirmed(
    output: &Output,
    record: &SessionRecord,
    arguments: &ApplyArguments,
    (diff, chosen): (Diff, Chosen),
) -> Result<Agreed, Error> {
    show(output, &diff, &chosen);
    if output.confirm("you reviewed exactly this; write it into your directories?") {
        let approval = apply::answered(&chosen);
        return Ok(Agreed { diff, chosen, approval });
    }
    Err(declined(record, arguments, "nobody said yes"))
}

/// The same words again, for another command or with a digest: what they choose has a digest of its own.
fn again(command: &str, record: &SessionRecord, arguments: &ApplyArguments) -> String {
    let mut words = vec!["cofferdam", command, "-s", record.name.as_str()];
    words.extend(arguments.merged.then_some("--merged"));
    let mut words: Vec<String> = words.into_iter().map(str::to_owned).collect();
    for path in &arguments.include_ignored {
        words.extend(["--include-ignored".to_owned(), path.to_string_lossy().into_owned()]);
    }
    words.extend(arguments.paths.iter().map(|path| path.to_string_lossy().into_owned()));
    typed(&words)
}

/// `diff` shows all of it but what is ignored.
fn look(record: &SessionRecord, arguments: &ApplyArguments) -> String {
    match arguments.include_ignored.is_empty() {
        true => again("diff", record, arguments),
        false => again("apply", record, arguments) + " -n",
    }
}

fn look_again(error: Error, record: &SessionRecord, arguments: &ApplyArguments) -> Error {
    let look = look(record, arguments);
    error.hint(match sessions::is_running(record) {
        true => format!(
            "look at it again: {look}; if it goes on changing: cofferdam stop {}",
            record.name.as_str()
        ),
        false => format!("look at it again: {look}"),
    })
}

fn unreviewed(error: Error, record: &SessionRecord, arguments: &ApplyArguments, chosen: &Chosen) -> Error {
    match error.kind == ErrorKind::Unreviewed {
        true => error.hint(format!(
            "look at it ({}), then: {} --digest {}",
            look(record, arguments),
            again("apply", record, arguments),
            chosen.digest
        )),
        false => error,
    }
}

fn declined(record: &SessionRecord, arguments: &ApplyArguments, why: &str) -> Error {
    Error::new(ErrorKind::Declined, "nothing was applied")
        .since(why)
        .hint(format!("go through it again: {}", again("apply", record, arguments)))
}

fn show(output: &Output, diff: &Diff, chosen: &Chosen) {
    let several = diff.directories.len() > 1;
    let both = diff.directories.iter().zip(&chosen.directories);
    let shown: Vec<Shown<'_>> = both
        .flat_map(|(directory, chosen)| {
            chosen.set.entries.iter().map(move |entry| Shown { directory, entry })
        })
        .collect();
    stat::print(output, diff, &shown, several);
    for left in &chosen.left_out {
        let name = whole(left.path.as_bytes());
        let name = if several { format!("{}/{name}", left.directory) } else { name };
        output.line(&toned(Tone::Bad, &format!(" left out: {name}: {}", left.objection.words())));
    }
}

fn say(output: &Output, record: &SessionRecord, chosen: &Chosen, applied: &Applied) {
    let entries = chosen.entries();
    let noun = if entries == 1 { "entry" } else { "entries" };
    output.line(&toned(Tone::Good, &format!("applied {entries} {noun} of session {}", record.name.as_str())));
    for left in &chosen.left_out {
        output.line(&format!("left out: {}: {}", whole(left.path.as_bytes()), left.objection.words()));
    }
    output.line(&toned(Tone::Dim, &format!("take it back: cofferdam undo {}", applied.id)));
    others(output, &applied.others);
}

/// Who else sees these directories, and what to do about it.
pub(super) fn others(output: &Output, others: &[String]) {
    for name in others {
        output.line(&format!("session {name} runs here and does not see it yet: cofferdam refresh {name}"));
    }
}

fn report(
    output: &Output,
    record: &SessionRecord,
    chosen: &Chosen,
    applied: Option<&Applied>,
) -> Result<(), Error> {
    if !output.json {
        return Ok(());
    }
    let entries = chosen.directories.iter().flat_map(|directory| {
        directory.set.entries.iter().map(|entry| {
            serde_json::json!({
                "directory": directory.path, "path": path(entry.path.as_bytes()), "change": entry.change,
                "kind": entry.kind, "mode_after": entry.mode_after.map(|mode| format!("{mode:06o}")),
                "content": entry.content,
            })
        })
    });
    let left_out = chosen.left_out.iter().map(|left| {
        serde_json::json!({
            "directory": left.directory, "path": path(left.path.as_bytes()), "why": left.objection.words(),
        })
    });
    output.object(&serde_json::json!({
        "version": VERSION, "session": record.name.as_str(), "digest": chosen.digest, "dry_run": applied.is_none(),
        "apply": applied.map(|applied| &applied.id), "entries": entries.collect::<Vec<_>>(),
        "left_out": left_out.collect::<Vec<_>>(),
        "refresh": applied.map(|applied| applied.others.as_slice()).unwrap_or_default(),
    }))
}
