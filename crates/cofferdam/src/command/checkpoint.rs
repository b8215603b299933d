//! `cofferdam checkpoint` and `cofferdam restore`: what an agent destroys within a session is taken back.

use super::ls::age;
use crate::arguments::RestoreArguments;
use crate::output::{Output, Tone, toned};
use cofferdam_session::checkpoints::{self, CheckpointId, Record, Why};
use cofferdam_session::context::Context;
use cofferdam_session::error::Error;
use cofferdam_session::state::State;

pub(super) fn checkpoint(context: &Context, output: &Output, asked: Option<&str>) -> Result<u8, Error> {
    let state = State::open(context)?;
    let record = super::find(context, &state, output, asked)?;
    let taken = checkpoints::take(context, &state, &record)?;
    let name = record.name.as_str();
    output.object(&serde_json::json!({
        "session": name, "checkpoint": row(&taken.record), "gone": taken.gone,
    }))?;
    let id = taken.record.id;
    output.line(&format!(
        "checkpoint {} of session {}: {}",
        toned(Tone::Strong, &id.to_string()),
        toned(Tone::Strong, name),
        contents(&taken.record)
    ));
    if !taken.gone.is_empty() {
        let gone: Vec<String> = taken.gone.iter().map(CheckpointId::to_string).collect();
        output.line(&format!("no longer kept: {}", gone.join(", ")));
    }
    output.line(&toned(Tone::Dim, &format!("cofferdam show {name}  ·  cofferdam restore -s {name} {id}")));
    Ok(0)
}

pub(super) fn restore(context: &Context, output: &Output, arguments: &RestoreArguments) -> Result<u8, Error> {
    let state = State::open(context)?;
    let record = super::find(context, &state, output, arguments.session.as_deref())?;
    let restored = checkpoints::restore(context, &state, &record, &arguments.checkpoint)?;
    let name = record.name.as_str();
    output.object(&serde_json::json!({
        "session": name, "restored": restored.checkpoint, "saved_as": restored.saved_as,
    }))?;
    output.line(&format!(
        "session {} is as it was at {}; what it was before is {}",
        toned(Tone::Strong, name),
        restored.checkpoint,
        restored.saved_as
    ));
    output.line(&toned(Tone::Dim, &format!("cofferdam show {name}  ·  cofferdam resume -s {name}")));
    Ok(0)
}

/// One checkpoint, for programs.
pub(super) fn row(record: &Record) -> serde_json::Value {
    let counts = &record.counts;
    let (why, of) = match record.why {
        Why::ByHand => ("by-hand", None),
        Why::Regular => ("regular", None),
        Why::BeforeRestore { of } => ("before-restore", Some(of)),
    };
    serde_json::json!({
        "id": record.id, "at": record.at, "why": why, "restore_of": of,
        "files": counts.files, "bytes": counts.bytes, "directories": counts.directories,
        "symlinks": counts.symlinks, "deletions": counts.deletions,
    })
}

/// One checkpoint, for people.
pub(super) fn line(context: &Context, record: &Record) -> String {
    let why = match record.why {
        Why::ByHand => "by hand".to_owned(),
        Why::Regular => "regular".to_owned(),
        Why::BeforeRestore { of } => format!("before the restore of {of}"),
    };
    let since = age((context.now)().0 - record.at.0);
    format!("{} {since} ago, {why}: {}", record.id, contents(record))
}

fn contents(record: &Record) -> String {
    let counts = &record.counts;
    let files = if counts.files == 1 { "1 file".to_owned() } else { format!("{} files", counts.files) };
    format!("{files}, {}", bytes(counts.bytes))
}

/// In the largest unit of which there is at least one.
fn bytes(count: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let unit = UNITS.into_iter().find(|(size, _)| count >= *size);
    unit.map_or_else(|| format!("{count} bytes"), |(size, name)| format!("{} {name}", count / size))
}
