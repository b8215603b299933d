//! Dev only: hermetic homes, repositories, terminals and a census for tests that run the real programs.
//!
//! A test asks for a [`Home`], runs programs in it as its owner, and states what it saw. Everything has a deadline,
//! nothing waits by sleeping a guessed time, and a dropped home takes its processes, mounts and files with it.
//! It deliberately knows nothing of the product's insides: no crate of the workspace is linked here.
//!
//! ```no_run
//! use cofferdam_testkit::{Home, Owner, Tree};
//!
//! fn the_real_directory_is_never_written(owner: Owner) {
//!     let home = Home::of(owner);
//!     let repo = home.repo("project");
//!     repo.write("kept.txt", "before");
//!     repo.commit("first");
//!     let before = Tree::of(repo.path());
//!
//!     let run = home.cofferdam().args(["run", "--rm", "--", "/bin/sh", "-c", "echo after > kept.txt"]);
//!     run.in_directory(repo.path()).run().assert_success();
//!
//!     Tree::of(repo.path()).assert_same_as(&before);
//!     home.wait_until_quiet();
//! }
//!
//! // In the test's file, one test for each owner, so that each has its own line in the report:
//! // #[test] fn the_real_directory_is_never_written_as_root() { the_real_directory_is_never_written(Owner::Root) }
//! // #[test] fn the_real_directory_is_never_written_as_an_ordinary_user() { …(Owner::Ordinary) }
//! ```
#![forbid(unsafe_code)]
#![expect(clippy::panic, reason = "a harness fails its test by panicking, with the remedy in the message")]

pub mod agents;
mod binary;
mod census;
mod command;
mod deadline;
pub mod forge;
mod home;
pub mod model;
mod owner;
pub mod pki;
mod plants;
pub mod proxy;
pub mod registry;
mod repo;
pub mod server;
mod terminal;
mod toolchain;
mod tree;

pub use census::{Mount, Process};
pub use command::{Invocation, Outcome, Running};
pub use deadline::{until, until_within};
pub use home::Home;
pub use owner::Owner;
pub use plants::Plants;
pub use repo::Repo;
pub use terminal::Terminal;
pub use tree::Tree;

use std::fmt::Display;

/// The value of `result`; otherwise the test fails, naming the act.
#[track_caller]
pub(crate) fn must<T, E: Display>(result: Result<T, E>, act: impl Display) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("cannot {act}: {error}"),
    }
}
