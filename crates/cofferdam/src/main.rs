//! The command line: one file per command; the only crate that prints.
//!
//! It reads the command line and tells one story. The other programs lie beside it: the launcher of cells, the gateway,
//! the probe (`bin`).
#![forbid(unsafe_code)]

mod arguments;
mod command;
mod help;
mod output;

use clap::Parser as _;
use cofferdam_policy::event::UnixNanos;
use cofferdam_session::context::Context;
use cofferdam_session::launcher::Launcher;
use output::Output;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let program = std::env::current_exe().unwrap_or_default();
    // It gets ready while the command line is read; where that turns out to need none, it ends unused.
    let ahead = starts_a_session(std::env::args_os()).then(|| Launcher::ahead(&program)).flatten();
    let arguments = match arguments::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return output::usage(&error, asks_for_json(std::env::args_os())),
    };
    let output = Output::new(arguments.json);
    let context = std::env::current_dir()
        .map_err(|error| output::no_directory(&error))
        .and_then(|current| Context::new(std::env::vars_os().collect::<BTreeMap<_, _>>(), current, now))
        .map(|context| Context { program, ..context });
    let ended = context.and_then(|context| command::run(&context, &output, ahead, arguments.command));
    match ended {
        Ok(code) => ExitCode::from(code),
        Err(error) => output.failure(&error),
    }
}

/// Whether a command line that was not read yet is likely to start a session.
fn starts_a_session(words: impl IntoIterator<Item = OsString>) -> bool {
    let is_flag = |word: &OsString| word.as_encoded_bytes().starts_with(b"-");
    words.into_iter().skip(1).find(|word| !is_flag(word)).is_some_and(|word| word == "run")
}

/// Whether a command line that is not understood asks for JSON all the same; what follows `--` is the command's.
fn asks_for_json(words: impl IntoIterator<Item = OsString>) -> bool {
    words.into_iter().take_while(|word| word != "--").any(|word| word == "--json")
}

/// The clock, in the one place that reads it.
#[expect(clippy::disallowed_methods, reason = "this is the place that reads the clock")]
fn now() -> UnixNanos {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    UnixNanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
