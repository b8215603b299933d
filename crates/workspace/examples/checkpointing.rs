//! The smallest program around checkpoints, for tests that kill it.
//!
//! `checkpointing take SESSION` · `checkpointing restore SESSION ID` · `checkpointing recover SESSION`. It ends with 0, with
//! 3 if nothing was changed, with 4 if a restore is to be gone on with. It is no part of the product.
#![forbid(unsafe_code)]

use cofferdam_policy::event::UnixNanos;
use cofferdam_workspace::checkpoint::{CheckpointId, Checkpoints, Why, is_unsettled};
use rustix::fd::{AsFd as _, BorrowedFd};
use rustix::fs::{CWD, Mode, OFlags};
use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

const KEPT: usize = 2;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    match run(&arguments) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // Nobody may be listening; the exit code is what counts.
            writeln!(std::io::stderr(), "{error}: {error:?}").unwrap_or_default();
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &[String]) -> Result<u8, Box<dyn Error>> {
    let argument = |number: usize| arguments.get(number).map(String::as_str).ok_or("an argument is missing");
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let session = rustix::fs::openat(CWD, argument(2)?, flags, Mode::empty())?;
    let done = match argument(1)? {
        "take" => take(session.as_fd()),
        "restore" => restore(session.as_fd(), argument(3)?),
        "recover" => recover(session.as_fd()),
        other => return Err(format!("there is no act {other}").into()),
    };
    match done {
        Ok(()) => Ok(0),
        Err(error) => {
            writeln!(std::io::stderr(), "{error}: {error:?}").unwrap_or_default();
            Ok(if is_unsettled(session.as_fd())? { 4 } else { 3 })
        }
    }
}

fn take(session: BorrowedFd<'_>) -> Result<(), Box<dyn Error>> {
    let checkpoints = Checkpoints::lock(session)?;
    settle(&checkpoints)?;
    let record = checkpoints.copy(Why::Regular, UnixNanos(1))?;
    checkpoints.keep(&record)?;
    checkpoints.thin(KEPT)?;
    Ok(())
}

fn restore(session: BorrowedFd<'_>, id: &str) -> Result<(), Box<dyn Error>> {
    let checkpoints = Checkpoints::lock(session)?;
    settle(&checkpoints)?;
    let id = CheckpointId::parse(id).ok_or("this is no id")?;
    checkpoints.begin_restore(id, UnixNanos(2))?;
    settle(&checkpoints)
}

fn recover(session: BorrowedFd<'_>) -> Result<(), Box<dyn Error>> {
    let checkpoints = Checkpoints::lock(session)?;
    settle(&checkpoints)?;
    checkpoints.clear()?;
    Ok(())
}

fn settle(checkpoints: &Checkpoints<'_>) -> Result<(), Box<dyn Error>> {
    if let Some(restored) = checkpoints.go_on_with_restore()? {
        checkpoints.settle_restore(restored)?;
    }
    Ok(())
}
