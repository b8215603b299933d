//! The gateway: bytes from a cell in, one verdict out. A process of its own, the only one that reads secrets.
//!
//! It knows no session, no ledger and no cell: it takes its [`wire`] from the supervisor and sockets from the relay.
#![forbid(unsafe_code)]

pub mod exchange;
pub mod secret;
pub mod wire;

use std::process::ExitCode;

/// What the program `cofferdam-gateway` does.
#[must_use]
pub fn main() -> ExitCode {
    ExitCode::from(2)
}
