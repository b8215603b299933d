//! `cofferdam pending`: requests that wait for a word, and the word.

use super::net::said;
use crate::arguments::{DecisionArguments, PendingArguments, PendingCommand};
use crate::output::{Output, TEXT_COLUMNS_MAX, Tone, toned};
use cofferdam_policy::event::Decision;
use cofferdam_session::context::Context;
use cofferdam_session::error::Error;
use cofferdam_session::network;
use cofferdam_session::sessions::{self, SessionRecord};
use cofferdam_session::shell;
use cofferdam_session::state::State;

pub(super) fn pending(context: &Context, output: &Output, arguments: &PendingArguments) -> Result<u8, Error> {
    match &arguments.command {
        None => list(context, output, arguments.session.as_deref()),
        Some(PendingCommand::Approve(asked)) if asked.session_long => {
            decide(context, output, &asked.decision, Decision::AllowedForSession)
        }
        Some(PendingCommand::Approve(asked)) => {
            decide(context, output, &asked.decision, Decision::AllowedOnce)
        }
        Some(PendingCommand::Deny(asked)) => decide(context, output, asked, Decision::Denied),
    }
}

/// Of one session, or of all that run.
fn list(context: &Context, output: &Output, asked: Option<&str>) -> Result<u8, Error> {
    let state = State::open(context)?;
    let records: Vec<SessionRecord> = match asked {
        Some(_) => vec![sessions::find(context, &state, asked)?],
        None => sessions::list(context, &state)?.into_iter().filter(sessions::is_running).collect(),
    };
    let mut objects = Vec::new();
    for record in records {
        // One that ended just now has nothing that waits.
        let Ok(found) = network::network(&state, &record) else { continue };
        if found.waiting.is_empty() {
            continue;
        }
        output.line(&toned(Tone::Strong, record.name.as_str()));
        for waiting in &found.waiting {
            output.line(&format!("  {}", said(waiting)));
            let allow = waiting.refused.allow.as_deref();
            if let Some(allow) = allow.and_then(|grant| shell::allow(grant, TEXT_COLUMNS_MAX)) {
                output.line(&toned(Tone::Dim, &format!("     would be permitted by {allow}")));
            }
        }
        objects.push(serde_json::json!({ "session": record.name.as_str(), "waiting": found.waiting }));
    }
    output.object(&objects)?;
    if objects.is_empty() {
        output.line("nothing waits");
    } else {
        output.line(&toned(Tone::Dim, "cofferdam pending approve ID -s SESSION  ·  … deny ID -s SESSION"));
    }
    Ok(0)
}

fn decide(
    context: &Context,
    output: &Output,
    asked: &DecisionArguments,
    decision: Decision,
) -> Result<u8, Error> {
    let state = State::open(context)?;
    let record = super::find(context, &state, output, asked.session.as_deref())?;
    network::decide(&state, &record, asked.id, decision)?;
    output.object(
        &serde_json::json!({ "session": record.name.as_str(), "id": asked.id, "decision": decision }),
    )?;
    Ok(0)
}
