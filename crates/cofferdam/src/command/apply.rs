//! `cofferdam apply`: what a session changed comes into the owner's directories.
//!
//! What is shown before the question is a summary. Off a terminal nobody is asked.

use super::diff::json::path;
use super::diff::{Shown, plain, stat};
use crate::arguments::ApplyArguments;
use crate::output::{Output, Tone, toned, whole};
use cofferdam_session::apply::{self, Applied, Approval, Asked, Proposal};
use cofferdam_session::context::Context;
use cofferdam_session::diff::{Chosen, Diff, Digest};
use cofferdam_session::error::{Error, ErrorKind};
use cofferdam_session::sessions::SessionRecord;
use cofferdam_session::state::State;

const VERSION: u32 = 1;

pub(super) fn apply(context: &Context, output: &Output, arguments: &ApplyArguments) -> Result<u8, Error> {
    if arguments.commits {
        return super::import::import(context, output, arguments);
    }
    let asked = asked(context, arguments)?;
    let state = State::open(context)?;
    let record = super::find(context, &state, output, arguments.session.as_deref())?;
    let proposal = apply::propose(context, &state, &record, &asked)?;
    for note in &proposal.notes {
        output.aside(note);
    }
    if arguments.dry_run {
        // Whoever names a digest is told here too that it is not this one's.
        let _same =
            asked.digest.map(|digest| apply::declared(&record, &proposal.chosen, digest)).transpose()?;
        show(output, &proposal.diff, &proposal.chosen);
        output.line(&toned(Tone::Dim, &format!("digest {}", proposal.chosen.digest)));
        return report(output, &record, &proposal, None).map(|()| 0);
    }
    let approval = approval(output, &state, &record, &proposal, asked.digest)?;
    let applied = apply::apply(context, &state, &record, (&proposal.diff, &proposal.chosen), &approval)?;
    report(output, &record, &proposal, Some(&applied))?;
    say(output, &record, &proposal.chosen, &applied);
    Ok(0)
}

fn asked(context: &Context, arguments: &ApplyArguments) -> Result<Asked, Error> {
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
        digest,
    })
}

/// Who stands for it: the caller by a digest, the person at the terminal, or a review that was completed before.
fn approval(
    output: &Output,
    state: &State,
    record: &SessionRecord,
    proposal: &Proposal,
    digest: Option<Digest>,
) -> Result<Approval, Error> {
    if let Some(digest) = digest {
        return apply::declared(record, &proposal.chosen, digest);
    }
    // What goes into a pipe is not seen by whoever is asked.
    if !output.can_ask() || output.columns.is_none() {
        return apply::recorded(state, record, &proposal.chosen);
    }
    ask(output, record, proposal)
}

/// The review on the terminal has its place here.
fn ask(output: &Output, record: &SessionRecord, proposal: &Proposal) -> Result<Approval, Error> {
    show(output, &proposal.diff, &proposal.chosen);
    if output.confirm("write exactly this into your directories?") {
        return Ok(apply::answered(&proposal.chosen));
    }
    Err(Error::new(ErrorKind::Declined, "nothing was applied")
        .since("nobody said yes")
        .hint(format!("look at all of it: cofferdam diff -s {}", record.name.as_str())))
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
    proposal: &Proposal,
    applied: Option<&Applied>,
) -> Result<(), Error> {
    if !output.json {
        return Ok(());
    }
    let chosen = &proposal.chosen;
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
