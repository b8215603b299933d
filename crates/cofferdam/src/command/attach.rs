//! `cofferdam attach`: the owner's terminal becomes that of a running session.

use super::summary::next;
use crate::output::{Output, Tone, toned};
use cofferdam_session::connect::{self, Parting};
use cofferdam_session::context::Context;
use cofferdam_session::error::Error;
use cofferdam_session::start::shell_status;
use cofferdam_session::state::State;
use cofferdam_session::terminal::DETACH_KEY_NAME;

pub(super) fn attach(context: &Context, output: &Output, asked: Option<&str>) -> Result<u8, Error> {
    let state = State::open(context)?;
    let record = super::find(context, &state, output, asked)?;
    let streams = output.streams();
    let begun = || output.aside(&toned(Tone::Dim, &format!("{DETACH_KEY_NAME} detaches")));
    match connect::attach(context, &state, &record, streams, &begun)? {
        Parting::Detached => {
            output.aside(&format!("detached; come back: cofferdam attach {}", record.name.as_str()));
            Ok(0)
        }
        Parting::Ended(status) => {
            let name = record.name.as_str();
            output.aside(&format!("session {name} has ended"));
            next(name, true).iter().for_each(|line| output.aside(line));
            Ok(status.map_or(0, shell_status))
        }
    }
}
