//! The gateway: bytes from a cell in, one verdict out. A process of its own, the only one that reads secrets.
//!
//! It knows no session, no ledger and no cell: it takes its [`wire`] from the supervisor and sockets from the relay.
#![forbid(unsafe_code)]

pub mod exchange;
pub mod secret;
pub mod wire;

use cofferdam_policy::event::UnixNanos;
use std::process::ExitCode;

/// What the program `cofferdam-gateway` does.
#[must_use]
pub fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next() {
        Some(mode) if mode == "secret" => {
            secret::command::run(arguments.collect(), std::env::vars_os().collect(), now())
        }
        Some(_) | None => ExitCode::from(2),
    }
}

/// The clock, in the one place of this program that reads it.
#[expect(clippy::disallowed_methods, reason = "this is the place that reads the clock")]
fn now() -> UnixNanos {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    UnixNanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
