//! `cofferdam exec`: a further program in a running session.

use crate::arguments::ExecArguments;
use crate::output::Output;
use cofferdam_session::connect::{self, Parting};
use cofferdam_session::context::Context;
use cofferdam_session::error::{Error, ErrorKind};
use cofferdam_session::start::shell_status;
use cofferdam_session::state::State;

pub(super) fn exec(context: &Context, output: &Output, arguments: &ExecArguments) -> Result<u8, Error> {
    let state = State::open(context)?;
    let record = super::find(context, &state, output, arguments.session.as_deref())?;
    let begun = || output.say_chosen();
    match connect::exec(context, &state, &record, &arguments.command, output.streams(), &begun)? {
        Parting::Ended(Some(status)) => {
            output.object(&serde_json::json!({ "session": record.name.as_str(), "exit_status": status }))?;
            Ok(shell_status(status))
        }
        Parting::Detached => Ok(0),
        Parting::Ended(None) => Err(Error::new(ErrorKind::WrongState, "cannot finish the command")
            .since("the session ended under it")
            .hint(format!("start it again: cofferdam resume -s {}", record.name.as_str()))),
    }
}
