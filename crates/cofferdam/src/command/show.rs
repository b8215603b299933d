//! `cofferdam show`: a session's state, what it may touch, and what it changed.

use super::checkpoint;
use super::ls::{Row, age, typed};
use super::net::in_browser;
use super::summary::counts;
use super::table::labelled;
use crate::output::{Output, Tone, toned, whole};
use cofferdam_policy::authority::Authority;
use cofferdam_policy::presets::limits::Origin;
use cofferdam_session::apply::{self, Listed};
use cofferdam_session::checkpoints;
use cofferdam_session::context::Context;
use cofferdam_session::error::Error;
use cofferdam_session::network;
use cofferdam_session::sessions;
use cofferdam_session::state::State;
use std::os::unix::ffi::OsStrExt as _;

/// How many changed paths are listed on a terminal; elsewhere it is all that are known.
const LISTED_MAX: usize = 200;

pub(super) fn show(context: &Context, output: &Output, asked: Option<&str>) -> Result<u8, Error> {
    let state = State::open(context)?;
    let record = super::find(context, &state, output, asked)?;
    checkpoints::recover(context, &state, &record.id)?;
    let shown = sessions::show(&state, record)?;
    let applies = apply::list(&state, &shown.record.id)?;
    let record = &shown.record;
    let taken = checkpoints::list(&state, &record.id)?;
    let published = network::published(&state, record)?;
    output.object(&serde_json::json!({
        "session": Row::of(record, published.clone()), "authority": shown.authority, "changes": shown.changes,
        "applies": applies.iter().map(listed).collect::<Vec<_>>(),
        "checkpoints": taken.iter().map(checkpoint::row).collect::<Vec<_>>(),
    }))?;
    if output.json {
        return Ok(0);
    }
    let line = |key: &str, value: &str| {
        let lines = labelled(&format!("{key:>9}  "), value, output.columns);
        lines.iter().for_each(|text| output.line(text));
    };
    line("session", &format!("{} ({})", record.name.as_str(), record.id.as_str()));
    let since = age((context.now)().0 - record.created_at.0);
    let status = record.exit_status.map(|status| format!(", {status}")).unwrap_or_default();
    line("state", &format!("{}{status}, made {since} ago", record.state.name()));
    line("command", &whole(typed(&record.command).as_bytes()));
    line("directory", &whole(record.directory.as_os_str().as_bytes()));
    let mut key = "may touch";
    for item in touched(&shown.authority) {
        line(std::mem::take(&mut key), &item);
    }
    line("", &toned(Tone::Dim, &format!("to the last item: cofferdam explain {}", record.name.as_str())));
    let mut key = "published";
    published.iter().for_each(|published| line(std::mem::take(&mut key), &in_browser(published)));
    let mut key = "restore";
    for record in taken.iter().rev() {
        line(std::mem::take(&mut key), &checkpoint::line(context, record));
    }
    let mut key = "applied";
    for apply in applies.iter().rev() {
        let since = age((context.now)().0 - apply.at.0);
        let noun = if apply.entries == 1 { "entry" } else { "entries" };
        let undone = if apply.undone { ", undone" } else { "" };
        line(
            std::mem::take(&mut key),
            &format!("{} {} {noun}, {since} ago{undone}", apply.id, apply.entries),
        );
    }
    line("changed", &counts(&shown.changes));
    let listed = if output.columns.is_some() { LISTED_MAX } else { usize::MAX };
    for entry in shown.changes.entries().take(listed) {
        output.line(&format!("           {} {}", entry.sign(), whole(entry.path())));
    }
    let known = shown.changes.total_listed().min(listed);
    let more = shown.changes.total().saturating_sub(known as u64);
    if more > 0 {
        output.line(&toned(Tone::Dim, &format!("           … and {more} more")));
    }
    Ok(0)
}

fn listed(apply: &Listed) -> serde_json::Value {
    serde_json::json!({
        "apply": apply.id, "at": apply.at, "digest": apply.digest, "entries": apply.entries, "undone": apply.undone,
    })
}

/// What a session may touch beside the system's programs, and the limits that were asked for.
fn touched(authority: &Authority) -> Vec<String> {
    let items = authority.items().into_iter().map(|item| whole(item.as_bytes()));
    let limits = authority.limits.iter().filter(|bound| bound.origin == Origin::Asked);
    items.chain(limits.map(|bound| format!("limit {}", bound.limit))).collect()
}
