//! The commands, one file each.

mod apply;
mod attach;
mod calendar;
mod checkpoint;
mod completions;
mod diff;
mod discard;
mod doctor;
mod events;
mod exec;
mod explain;
mod import;
mod init;
mod logs;
mod ls;
mod net;
mod pending;
mod probe;
mod progress;
mod publish;
mod refresh;
mod resume;
mod review;
mod run;
mod secret;
mod sets;
mod show;
mod stop;
mod summary;
mod table;
mod trust;
mod undo;

use crate::arguments::Command;
use crate::output::Output;
use cofferdam_session::context::Context;
use cofferdam_session::error::Error;
use cofferdam_session::launcher::Launcher;
use cofferdam_session::sessions;
use cofferdam_session::sessions::SessionRecord;
use cofferdam_session::state::State;

/// Runs a command; returns its exit code. A launcher that was started ahead is there for a command that uses one.
pub(crate) fn run(
    context: &Context,
    output: &Output,
    ahead: Option<Launcher>,
    command: Command,
) -> Result<u8, Error> {
    match command {
        Command::Run(arguments) => run::run(context, output, ahead, arguments),
        Command::Probe(arguments) => probe::probe(context, output, arguments),
        Command::Ls => ls::ls(context, output),
        Command::Show(asked) => show::show(context, output, asked.session.as_deref()),
        Command::Diff(arguments) => diff::diff(context, output, &arguments),
        Command::Apply(arguments) => apply::apply(context, output, &arguments),
        Command::Undo(arguments) => undo::undo(context, output, &arguments),
        Command::Review(asked) => review::command(context, output, asked.session.as_deref()),
        Command::Exec(arguments) => exec::exec(context, output, &arguments),
        Command::Attach(asked) => attach::attach(context, output, asked.session.as_deref()),
        Command::Logs(asked) => logs::logs(context, output, &asked),
        Command::Events(asked) => events::events(context, output, &asked),
        Command::Net(asked) => net::net(context, output, &asked),
        Command::Publish(arguments) => publish::publish(context, output, &arguments),
        Command::Pending(arguments) => pending::pending(context, output, &arguments),
        Command::Stop(arguments) => stop::stop(context, output, &arguments),
        Command::Resume(arguments) => resume::resume(context, output, &arguments),
        Command::Refresh(asked) => refresh::refresh(context, output, asked.session.as_deref()),
        Command::Checkpoint(asked) => checkpoint::checkpoint(context, output, asked.session.as_deref()),
        Command::Restore(arguments) => checkpoint::restore(context, output, &arguments),
        Command::Discard(arguments) => discard::discard(context, output, &arguments),
        Command::Explain(arguments) => explain::explain(context, output, arguments),
        Command::Doctor(arguments) => doctor::doctor(context, output, &arguments),
        Command::Trust(arguments) => trust::trust(context, output, &arguments),
        Command::Untrust(arguments) => trust::untrust(context, output, &arguments),
        Command::Init(arguments) => init::init(context, output, &arguments),
        Command::Secret { command } => secret::secret(context, output, &command),
        Command::Sets(arguments) => sets::sets(context, output, &arguments),
        Command::Completions { shell } => completions::completions(shell),
        Command::CompleteIds(arguments) => completions::ids(context, output, &arguments),
        Command::CompleteSessions { beginning } => completions::sessions(context, output, &beginning),
    }
}

/// The session that is meant; when it was not named, it will be said which it is.
fn find(
    context: &Context,
    state: &State,
    output: &Output,
    asked: Option<&str>,
) -> Result<SessionRecord, Error> {
    let record = sessions::find(context, state, asked)?;
    if asked.is_none() {
        output.chose(record.name.as_str());
    }
    Ok(record)
}
