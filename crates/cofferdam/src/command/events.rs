//! `cofferdam events`: what happened to a session, from the ledger.

use super::ls::age;
use super::table::aligned;
use crate::output::Output;
use cofferdam_session::context::Context;
use cofferdam_session::error::Error;
use cofferdam_session::sessions;
use cofferdam_session::state::State;
use cofferdam_session::terminal::visible_within;

pub(super) fn events(context: &Context, output: &Output, asked: Option<&str>) -> Result<u8, Error> {
    let state = State::open(context)?;
    let record = super::find(context, &state, output, asked)?;
    let (_, events) = sessions::events(context, &state, Some(record.id.as_str()))?;
    let objects: Vec<serde_json::Value> = events
        .iter()
        .map(|event| serde_json::json!({ "seq": event.seq, "at": event.at.0, "event": event.event }))
        .collect();
    output.object(&objects)?;
    let now = (context.now)().0;
    let rows: Vec<Vec<String>> = events
        .iter()
        .map(|event| {
            let body = serde_json::to_value(&event.event).ok().and_then(|value| value.get("body").cloned());
            let body = body.map(|body| body.to_string()).unwrap_or_default();
            vec![
                format!("{} ago", age(now - event.at.0)),
                event.event.kind().name().to_owned(),
                visible_within(body.as_bytes(), 60),
            ]
        })
        .collect();
    for line in aligned(&rows) {
        output.line(&line);
    }
    Ok(0)
}
