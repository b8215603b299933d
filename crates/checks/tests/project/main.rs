//! The rules of the project that no compiler and no lint holds, one test each.
#![forbid(unsafe_code)]
#![expect(clippy::panic, reason = "a check fails its test by panicking, with the remedy in the message")]

mod dependencies;
mod documents;
mod escapes;
mod exit_codes;
mod sources;
