//! `cofferdam show`: a session's state and what it changed.

use super::ls::{Row, age};
use super::summary::counts;
use crate::output::{Output, Tone, toned};
use cofferdam_session::context::Context;
use cofferdam_session::error::Error;
use cofferdam_session::sessions;
use cofferdam_session::state::State;
use cofferdam_session::terminal::visible;
use std::os::unix::ffi::OsStrExt as _;

/// How many changed paths are listed for people; `--json` has them all.
const LISTED_MAX: usize = 200;

pub(super) fn show(context: &Context, output: &Output, asked: Option<&str>) -> Result<u8, Error> {
    let state = State::open(context)?;
    let shown = sessions::show(context, &state, asked)?;
    let record = &shown.record;
    output.object(&serde_json::json!({
        "session": Row::of(record), "authority": shown.authority, "changes": shown.changes,
    }))?;
    if output.json {
        return Ok(0);
    }
    let line =
        |key: &str, value: &str| output.line(&format!("{}  {value}", toned(Tone::Dim, &format!("{key:>9}"))));
    line("session", &format!("{} ({})", toned(Tone::Strong, record.name.as_str()), record.id.as_str()));
    let since = age((context.now)().0 - record.created_at.0);
    line("state", &format!("{}, made {since} ago", record.state.name()));
    line("command", &visible(record.command.join(" ").as_bytes()));
    line("directory", &visible(record.directory.as_os_str().as_bytes()));
    line("changed", &counts(&shown.changes));
    for entry in shown.changes.entries().take(LISTED_MAX) {
        output.line(&format!("           {} {}", entry.sign(), visible(entry.path())));
    }
    let more = shown.changes.total_listed().saturating_sub(LISTED_MAX);
    if more > 0 {
        output.line(&toned(Tone::Dim, &format!("           … and {more} more (--json lists them)")));
    }
    Ok(0)
}
