//! `cofferdam publish`: a port of a running session for the owner's browser, and no longer.

use crate::arguments::PublishArguments;
use crate::output::{Output, Tone, toned};
use cofferdam_session::context::Context;
use cofferdam_session::error::Error;
use cofferdam_session::network;
use cofferdam_session::state::State;

pub(super) fn publish(context: &Context, output: &Output, asked: &PublishArguments) -> Result<u8, Error> {
    let state = State::open(context)?;
    let record = super::find(context, &state, output, asked.session.as_deref())?;
    if asked.stop {
        network::unpublish(&state, &record, asked.port)?;
        output.object(
            &serde_json::json!({ "session": record.name.as_str(), "port": asked.port, "url": null }),
        )?;
        return Ok(0);
    }
    let published = network::publish(&state, &record, asked.port)?;
    output.object(&serde_json::json!({
        "session": record.name.as_str(), "port": asked.port, "url": published.url
    }))?;
    output.line(&published.url);
    output.line(&toned(Tone::Dim, "its page runs in your browser, and can send what it has anywhere"));
    Ok(0)
}
