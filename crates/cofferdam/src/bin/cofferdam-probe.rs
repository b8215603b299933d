//! The probe's program: static, so that it runs inside any enclosure.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    cofferdam_probe::main()
}
