//! Dev only: layers, sizes, documentation and lockfile budgets, as tests.
//!
//! Here is how the tree is read; the rules themselves are the tests in `tests/project/`. It checks what no compiler and
//! no lint does, and never what one of them does already.
#![forbid(unsafe_code)]
#![expect(clippy::panic, reason = "a check fails its test by panicking, with the remedy in the message")]

mod markdown;
mod rust_source;
mod tree;

pub use markdown::{Link, Table, links, table_under};
pub use rust_source::{Production, code_only, identifiers};
pub use tree::{Tracked, metadata, read, root, tracked};

/// Fails the test with one line for each finding, and below them what to do.
#[track_caller]
pub fn assert_none(findings: &[String], remedy: &str) {
    assert!(
        findings.is_empty(),
        "{} finding(s):\n  {}\nwhat to do: {remedy}",
        findings.len(),
        findings.join("\n  ")
    );
}
