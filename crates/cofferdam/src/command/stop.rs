//! `cofferdam stop`: ends a running session; what it changed stays.

use super::summary::next;
use crate::arguments::StopArguments;
use crate::output::{Output, Tone, toned};
use cofferdam_session::connect;
use cofferdam_session::context::Context;
use cofferdam_session::error::Error;
use cofferdam_session::state::State;
use std::time::Duration;

pub(super) fn stop(context: &Context, output: &Output, arguments: &StopArguments) -> Result<u8, Error> {
    let state = State::open(context)?;
    let record = super::find(context, &state, output, arguments.session.as_deref())?;
    connect::stop(&state, &record, Some(Duration::from_secs(arguments.grace.into())))?;
    let name = record.name.as_str();
    output.object(&serde_json::json!({ "session": name, "stopped": true }))?;
    output.line(&format!("session {} is stopped", toned(Tone::Strong, name)));
    next(name, true).iter().for_each(|line| output.line(line));
    Ok(0)
}
