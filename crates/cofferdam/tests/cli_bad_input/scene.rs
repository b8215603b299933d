//! A home with a repository, in which something is tried that must be refused and leave everything as it is.

use super::OWNER;
use cofferdam_testkit::{Home, Invocation, Outcome, Repo, Tree};
use std::ffi::OsStr;

/// The documented exit codes, as `docs/exit-codes.md` has them.
pub(super) const USAGE: u8 = 201;
pub(super) const POLICY: u8 = 202;
pub(super) const UNENFORCEABLE: u8 = 203;
pub(super) const WORKSPACE: u8 = 204;
pub(super) const COMMAND: u8 = 208;
pub(super) const CELL: u8 = 209;
pub(super) const DECLINED: u8 = 211;
pub(super) const SECRET: u8 = 213;
pub(super) const STATE: u8 = 214;

pub(super) struct Scene {
    pub(super) home: Home,
}

impl Scene {
    pub(super) fn new() -> Self {
        let home = Home::of(OWNER);
        let repo = home.repo("project");
        repo.write("file", "content\n");
        repo.write("below/file", "content\n");
        repo.commit("first");
        Self { home }
    }

    pub(super) fn repo(&self) -> Repo<'_> {
        self.home.repo("project")
    }

    /// `cofferdam` in the repository.
    pub(super) fn cofferdam(&self) -> Invocation {
        self.home.cofferdam().in_directory(self.home.work().join("project"))
    }

    /// `cofferdam run FLAGS -- true` is refused.
    pub(super) fn run_refused<A: AsRef<OsStr>>(&self, flags: &[A], code: u8, words: &[&str]) {
        self.refused(self.cofferdam().arg("run").args(flags).args(["--", "true"]), code, words);
    }

    /// It is refused, nothing of the owner's changes, and no session is left, neither files nor processes.
    pub(super) fn refused(&self, invocation: Invocation, code: u8, words: &[&str]) -> Outcome {
        let work = Tree::of(self.home.work());
        let outcome = invocation.run();
        outcome.assert_refused(code, words);
        Tree::of(self.home.work()).assert_same_as(&work);
        self.assert_no_session();
        outcome
    }

    pub(super) fn assert_no_session(&self) {
        let left: Vec<_> = std::fs::read_dir(self.home.state().join("sessions"))
            .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
            .unwrap_or_default();
        assert!(left.is_empty(), "left behind: {left:?}");
        self.home.wait_until_quiet();
    }
}
