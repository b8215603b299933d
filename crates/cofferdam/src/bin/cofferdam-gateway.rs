//! The gateway's program; `cofferdam` starts it, nobody else needs to.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    cofferdam_gateway::main()
}
