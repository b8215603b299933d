//! The gateway: bytes from a cell in, one verdict out. A process of its own, the only one that reads secrets.
//!
//! It knows no session, no ledger and no cell: it takes its [`wire`] from the supervisor and sockets from the relay.
#![forbid(unsafe_code)]

mod arrivals;
mod asking;
pub mod authority;
mod body;
mod bounds;
mod budget;
mod confine;
pub mod exchange;
mod gate;
mod lookup;
mod origin;
mod passage;
mod process;
mod protocol;
mod publish;
mod renewal;
pub mod secret;
mod serve;
mod splice;
mod stream;
pub mod trail;
mod tunnel;
pub mod wire;
mod words;

#[cfg(test)]
mod tests;

pub use tunnel::{HTTP_PROXY_PORT, PROXY_ADDRESS, SOCKS_PROXY_PORT};

use cofferdam_policy::event::UnixNanos;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

/// What the program `cofferdam-gateway` does; no person is meant to call it.
#[must_use]
pub fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let mode = arguments.next().unwrap_or_default();
    let rest: Vec<OsString> = arguments.collect();
    match (mode.to_str(), rest.as_slice()) {
        (Some(wire::MODE_SERVE), []) => {
            ended(process::Inherited::take().and_then(|taken| process::serve(taken, now)))
        }
        (Some(wire::MODE_AUTHORITY), [directory]) => {
            ended(authority::make(Path::new(directory), seconds(now())))
        }
        (Some(wire::MODE_LOOKUP), names) => ended(lookup::run(names)),
        (Some(wire::MODE_SECRET), _) => secret::command::run(rest, std::env::vars_os().collect(), now()),
        _ => {
            tell("cofferdam-gateway is started by cofferdam, and not by hand");
            ExitCode::from(2)
        }
    }
}

/// The clock, in the one place of this program that reads it.
#[expect(clippy::disallowed_methods, reason = "this is the place that reads the clock")]
fn now() -> UnixNanos {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    UnixNanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

fn seconds(instant: UnixNanos) -> u64 {
    u64::try_from(instant.0 / 1_000_000_000).unwrap_or_default()
}

fn ended<E: std::error::Error>(result: Result<(), E>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
    let lines: Vec<String> = causes.map(ToString::to_string).collect();
    tell(&lines.join(": "));
    ExitCode::FAILURE
}

fn tell(line: &str) {
    // Without anybody to tell there is still the exit code.
    let _unheard = writeln!(std::io::stderr(), "{line}");
}
