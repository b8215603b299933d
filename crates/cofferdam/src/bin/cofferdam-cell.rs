//! The launcher's program, which becomes a cell's guardian and first process: nothing of the command line, the ledger or
//! the reading of changes is in it. `cofferdam` starts it, nobody else needs to.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    cofferdam_cell::launch::main()
}
