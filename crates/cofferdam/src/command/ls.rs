//! `cofferdam ls`: all sessions, latest first.

use super::net::in_browser;
use super::table::aligned;
use crate::output::{Output, TEXT_COLUMNS_MAX, Tone, toned, whole};
use cofferdam_session::context::Context;
use cofferdam_session::error::Error;
use cofferdam_session::network::{self, Published};
use cofferdam_session::sessions::{self, SessionRecord};
use cofferdam_session::shell;
use cofferdam_session::state::State;
use cofferdam_session::terminal::visible_within;
use serde::Serialize;
use std::os::unix::ffi::OsStrExt as _;

/// How much of a command is shown in a table on a terminal.
const COMMAND_COLUMNS_MAX: usize = 24;

/// One session, for programs.
#[derive(Serialize)]
pub(super) struct Row<'a> {
    id: &'a str,
    name: &'a str,
    state: &'static str,
    directory: String,
    command: &'a [String],
    created_at: i64,
    started_at: Option<i64>,
    ended_at: Option<i64>,
    exit_status: Option<cofferdam_policy::event::ExitStatus>,
    supervisor_pid: Option<u32>,
    authority_digest: &'a str,
    published: Vec<Published>,
}

impl<'a> Row<'a> {
    pub(super) fn of(record: &'a SessionRecord, published: Vec<Published>) -> Self {
        Self {
            published,
            id: record.id.as_str(),
            name: record.name.as_str(),
            state: record.state.name(),
            directory: record.directory.to_string_lossy().into_owned(),
            command: &record.command,
            created_at: record.created_at.0,
            started_at: record.started_at.map(|at| at.0),
            ended_at: record.ended_at.map(|at| at.0),
            exit_status: record.exit_status,
            supervisor_pid: record
                .supervisor
                .as_ref()
                .filter(|_| sessions::is_running(record))
                .map(|s| s.pid),
            authority_digest: &record.authority_digest,
        }
    }
}

pub(super) fn ls(context: &Context, output: &Output) -> Result<u8, Error> {
    let state = State::open(context)?;
    let found = sessions::list(context, &state)?;
    let published: Vec<Vec<Published>> =
        found.iter().map(|record| network::published(&state, record)).collect::<Result<_, _>>()?;
    let rows = found.iter().zip(&published).map(|(record, published)| Row::of(record, published.clone()));
    output.object(&rows.collect::<Vec<_>>())?;
    if found.is_empty() {
        output.line("no sessions; start one: cofferdam run -- COMMAND");
        return Ok(0);
    }
    // A look at many sessions at once; `show` has the command whole.
    let command_columns_max = if output.columns.is_some() { COMMAND_COLUMNS_MAX } else { TEXT_COLUMNS_MAX };
    let mut rows = vec![["NAME", "STATE", "AGE", "COMMAND", "DIRECTORY"].map(String::from).to_vec()];
    let now = (context.now)().0;
    rows.extend(found.iter().map(|record| {
        vec![
            whole(record.name.as_str().as_bytes()),
            record.state.name().to_owned(),
            age(now - record.created_at.0),
            visible_within(typed(&record.command).as_bytes(), command_columns_max),
            whole(record.directory.as_os_str().as_bytes()),
        ]
    }));
    for (number, line) in aligned(&rows, output.columns).iter().enumerate() {
        output.line(&if number == 0 { toned(Tone::Dim, line) } else { line.clone() });
    }
    for (record, published) in found.iter().zip(&published) {
        for published in published {
            output.line(&toned(Tone::Dim, &format!("{}: {}", record.name.as_str(), in_browser(published))));
        }
    }
    Ok(0)
}

/// A command as it would be typed: words that a shell would take apart stand in quotes.
pub(super) fn typed(command: &[String]) -> String {
    command.iter().map(|word| shell::word(word)).collect::<Vec<_>>().join(" ")
}

/// `5s`, `3m`, `2h`, `4d`
pub(super) fn age(nanos: i64) -> String {
    let seconds = nanos.max(0) / 1_000_000_000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}
