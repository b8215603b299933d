//! The command line: one file per command; the only crate that prints.
#![forbid(unsafe_code)]
fn main() {}
