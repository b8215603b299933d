//! `cofferdam refresh`: a running session sees what the owner changed meanwhile.

use crate::output::Output;
use cofferdam_session::connect;
use cofferdam_session::context::Context;
use cofferdam_session::error::Error;
use cofferdam_session::state::State;

pub(super) fn refresh(context: &Context, output: &Output, asked: Option<&str>) -> Result<u8, Error> {
    let state = State::open(context)?;
    let record = super::find(context, &state, output, asked)?;
    connect::refresh(&state, &record)?;
    output.object(&serde_json::json!({ "session": record.name.as_str(), "refreshed": true }))?;
    output.line(&format!("session {} sees your directories as they are now", record.name.as_str()));
    Ok(0)
}
