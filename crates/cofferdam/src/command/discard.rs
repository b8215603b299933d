//! `cofferdam discard`: removes a session with all that it changed.

use super::progress::Progress;
use super::summary::counts;
use crate::arguments::DiscardArguments;
use crate::output::Output;
use cofferdam_session::apply;
use cofferdam_session::checkpoints;
use cofferdam_session::connect;
use cofferdam_session::context::Context;
use cofferdam_session::error::{Error, ErrorKind};
use cofferdam_session::sessions;
use cofferdam_session::state::State;

pub(super) fn discard(context: &Context, output: &Output, arguments: &DiscardArguments) -> Result<u8, Error> {
    let state = State::open(context)?;
    let record = sessions::find(context, &state, Some(&arguments.session))?;
    let name = record.name.as_str().to_owned();
    if let Ok(authority) = sessions::authority(&record) {
        for note in apply::settle(context, &state, &authority)? {
            output.aside(&note);
        }
    }
    if !arguments.force {
        checkpoints::recover(context, &state, &record.id)?;
        let changes = sessions::show(&state, record.clone())?.changes;
        let running = sessions::is_running(&record);
        let state = if running { "running, with" } else { "stopped, with" };
        let what = format!("{state} {}", counts(&changes));
        let asked = format!("session {name} is {what}; discard it?");
        if (running || !changes.is_empty()) && !output.confirm(&asked) {
            return Err(Error::new(ErrorKind::Declined, format!("cannot discard session {name}"))
                .since(format!("it is {what}, unapplied, and nobody said yes"))
                .hint(format!(
                    "look at them: cofferdam review {name}; or don't ask: cofferdam discard {name} -f"
                )));
        }
    }
    if sessions::is_running(&record) {
        connect::stop(&state, &record, None)?;
    }
    let record = sessions::find(context, &state, Some(record.id.as_str()))?;
    let progress = Progress::new(output);
    sessions::remove(context, &state, &record.id, &mut |files| {
        progress.show(&format!("removing: {files} files and directories"));
    })?;
    drop(progress);
    output.object(&serde_json::json!({ "session": name, "discarded": true }))?;
    output.line(&format!("session {name} is gone"));
    Ok(0)
}
