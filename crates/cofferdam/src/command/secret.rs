//! `cofferdam secret`: what sessions may use by a handle and never see.
//!
//! No value passes through here: the program beside this one takes it from where it is.

use super::calendar::date;
use super::events::sentence;
use super::ls::age;
use super::table::{aligned, labelled};
use crate::arguments::{SecretAddArguments, SecretCommand, SecretRevokeArguments};
use crate::output::{Output, Tone, toned, whole};
use cofferdam_policy::event::UnixNanos;
use cofferdam_policy::net::secret::{SecretReport, Standing};
use cofferdam_session::context::Context;
use cofferdam_session::error::Error;
use cofferdam_session::secrets::{self, Addition, Use};
use cofferdam_session::sessions;
use cofferdam_session::state::State;

const NANOS_PER_DAY: i64 = 86_400 * 1_000_000_000;

pub(super) fn secret(context: &Context, output: &Output, command: &SecretCommand) -> Result<u8, Error> {
    match command {
        SecretCommand::Add(arguments) => add(context, output, arguments),
        SecretCommand::Ls => ls(context, output),
        SecretCommand::Revoke(arguments) => revoke(context, output, arguments),
        SecretCommand::Rm { name } => rm(context, output, name),
        SecretCommand::Log { name } => log(context, output, name),
    }
}

fn add(context: &Context, output: &Output, arguments: &SecretAddArguments) -> Result<u8, Error> {
    // Its directory is the state's: made, and checked, in one place.
    let _made = State::open(context)?;
    let report = secrets::add(
        context,
        &Addition {
            name: arguments.name.clone(),
            source: arguments.from.clone(),
            replace: arguments.replace,
            token_endpoint: arguments.token_endpoint.clone(),
        },
    )?;
    output.object(&object(&report))?;
    let name = toned(Tone::Strong, report.name.as_str());
    let shape = report.entry.as_ref().map(|entry| format!(" ({})", entry.shape)).unwrap_or_default();
    output.line(&format!("kept as {name}{shape}; agents get a handle of that shape"));
    Ok(0)
}

fn ls(context: &Context, output: &Output) -> Result<u8, Error> {
    let reports = secrets::list(context, &[], None)?;
    output.object(&reports.iter().map(object).collect::<Vec<_>>())?;
    if reports.is_empty() {
        output.line("no secrets; add one: cofferdam secret add NAME --from prompt");
        return Ok(0);
    }
    let mut rows = vec![["NAME", "STATE", "READ", "ENDS", "SHAPE", "FROM"].map(String::from).to_vec()];
    let now = (context.now)();
    rows.extend(reports.iter().map(|report| row(report, now)));
    for (number, line) in aligned(&rows, output.columns).iter().enumerate() {
        output.line(&if number == 0 { toned(Tone::Dim, line) } else { line.clone() });
    }
    Ok(0)
}

fn row(report: &SecretReport, now: UnixNanos) -> Vec<String> {
    let entry = report.entry.as_ref();
    let cell = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    vec![
        report.name.as_str().to_owned(),
        standing(report),
        cell(entry.map(|entry| age(now.0 - entry.refreshed.0))),
        cell(entry.and_then(|entry| entry.expires).map(day)),
        cell(entry.map(|entry| entry.shape.to_string())),
        cell(entry.map(|entry| whole(entry.source.to_string().as_bytes()))),
    ]
}

/// `usable`, and for how many sessions it is revoked.
fn standing(report: &SecretReport) -> String {
    let word = match report.standing {
        Standing::Usable => "usable",
        Standing::Missing => "missing",
        Standing::Expired => "expired",
        Standing::Revoked => "revoked",
    };
    let sessions = report.entry.as_ref().map_or(0, |entry| entry.revoked_in.len());
    if sessions > 0 && report.standing == Standing::Usable {
        return format!("{word}, not in {sessions}");
    }
    word.to_owned()
}

fn revoke(context: &Context, output: &Output, arguments: &SecretRevokeArguments) -> Result<u8, Error> {
    let state = State::open(context)?;
    let session = arguments.session.as_deref();
    let session = session.map(|asked| sessions::find(context, &state, Some(asked))).transpose()?;
    let revoked = secrets::revoke(context, &state, &arguments.name, session.as_ref())?;
    let running: Vec<&str> = revoked.running.iter().map(|record| record.name.as_str()).collect();
    output.object(&serde_json::json!({ "secret": object(&revoked.report), "running": running }))?;
    let name = toned(Tone::Strong, revoked.report.name.as_str());
    output.line(&match &session {
        Some(record) => format!("{name} is revoked for session {}", record.name.as_str()),
        None => format!("{name} is revoked; add it with --replace to use it again"),
    });
    Ok(0)
}

fn rm(context: &Context, output: &Output, name: &str) -> Result<u8, Error> {
    let revoked = secrets::remove(context, &State::open(context)?, name)?;
    let running: Vec<&str> = revoked.running.iter().map(|record| record.name.as_str()).collect();
    output.object(&serde_json::json!({ "removed": name, "running": running }))?;
    let removed = format!("{} is removed", toned(Tone::Strong, &whole(name.as_bytes())));
    output.line(&if running.is_empty() {
        removed
    } else {
        format!("{removed}; revoked for what runs: {}", running.join(", "))
    });
    Ok(0)
}

fn log(context: &Context, output: &Output, name: &str) -> Result<u8, Error> {
    let state = State::open(context)?;
    // What a session that was killed left is recorded first.
    sessions::list(context, &state)?;
    let uses = secrets::uses(&state, name)?;
    let object = |used: &Use| {
        let (id, session) = (used.id.as_str(), used.session.as_str());
        serde_json::json!({ "id": id, "session": session, "at": used.at.0, "event": used.event })
    };
    output.object(&uses.iter().map(object).collect::<Vec<_>>())?;
    if uses.is_empty() {
        output.line("no session has used it");
    }
    let now = (context.now)();
    for used in &uses {
        let label = format!("{} ago  {}  ", age(now.0 - used.at.0), used.session.as_str());
        labelled(&label, &whole(sentence(&used.event).as_bytes()), output.columns)
            .iter()
            .for_each(|line| output.line(line));
    }
    Ok(0)
}

/// One secret, for programs; no value is known here.
fn object(report: &SecretReport) -> serde_json::Value {
    serde_json::json!({ "name": report.name, "standing": report.standing, "entry": report.entry })
}

/// `2026-11-23`
fn day(at: UnixNanos) -> String {
    let (year, month, day) = date(at.0.div_euclid(NANOS_PER_DAY));
    format!("{year:04}-{month:02}-{day:02}")
}
