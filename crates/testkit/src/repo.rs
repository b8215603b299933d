//! Git repositories made by the host's git as the owner, with a fixed identity and fixed times.
//!
//! Real ones only: what git writes is what the product has to understand.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{Home, Invocation, must};

/// The owner as the repositories know them.
pub(crate) const IDENTITY_NAME: &str = "Ada Owner";
pub(crate) const IDENTITY_EMAIL: &str = "ada@owner.example";
const COMMIT_TIME: &str = "2026-01-02T03:04:05Z";

/// A work tree of a home's owner.
#[derive(Debug)]
pub struct Repo<'home> {
    home: &'home Home,
    path: PathBuf,
}

impl<'home> Repo<'home> {
    #[track_caller]
    pub(crate) fn init(home: &'home Home, path: PathBuf) -> Self {
        let path = home.directory(path);
        let repo = Self { home, path };
        repo.git(["init", "--quiet", "--initial-branch=main"]);
        repo
    }

    /// The top of the work tree.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file of the work tree.
    #[track_caller]
    pub fn write(&self, path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> PathBuf {
        self.home.write(self.path.join(path), bytes)
    }

    /// What a file of the work tree holds now.
    #[track_caller]
    #[must_use]
    pub fn read(&self, path: impl AsRef<Path>) -> Vec<u8> {
        let path = self.path.join(path);
        must(fs::read(&path), format_args!("read {}", path.display()))
    }

    /// Commits all that is in the work tree and returns the commit's id.
    #[track_caller]
    pub fn commit(&self, message: &str) -> String {
        self.git(["add", "--all"]);
        self.git(["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git(["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// Adds `other`, which has a commit, as a submodule at `path`, and commits.
    #[track_caller]
    pub fn submodule(&self, other: &Repo<'_>, path: &str) -> Repo<'home> {
        let from = other.path.as_os_str();
        self.git([OsStr::new("submodule"), OsStr::new("--quiet"), OsStr::new("add"), from, OsStr::new(path)]);
        self.commit("add a submodule");
        Repo { home: self.home, path: self.path.join(path) }
    }

    /// A linked worktree at `work/name`, on a new branch of that name.
    #[track_caller]
    pub fn worktree(&self, name: &str) -> Repo<'home> {
        let path = self.home.work().join(name);
        self.git([OsStr::new("worktree"), OsStr::new("add"), OsStr::new("--quiet"), path.as_os_str()]);
        Repo { home: self.home, path }
    }

    /// A clone at `work/name` that borrows this repository's objects through `alternates`.
    #[track_caller]
    pub fn borrowing_clone(&self, name: &str) -> Repo<'home> {
        let path = self.home.work().join(name);
        self.git([
            OsStr::new("clone"),
            OsStr::new("--quiet"),
            OsStr::new("--shared"),
            self.path.as_os_str(),
            path.as_os_str(),
        ]);
        Repo { home: self.home, path }
    }

    /// Runs git here and returns what it wrote to standard output; fails the test when git fails.
    #[track_caller]
    pub fn git<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> String {
        let run = self.invoke().args(arguments).run();
        run.assert_success();
        run.stdout()
    }

    /// git here, to be run by the test as it likes.
    #[must_use]
    pub fn invoke(&self) -> Invocation {
        self.home
            .invoke("git")
            // Submodules and clones from a path: the tests' own, on this machine.
            .args(["-c", "protocol.file.allow=always", "-c", "commit.gpgSign=false"])
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_AUTHOR_NAME", IDENTITY_NAME)
            .env("GIT_AUTHOR_EMAIL", IDENTITY_EMAIL)
            .env("GIT_AUTHOR_DATE", COMMIT_TIME)
            .env("GIT_COMMITTER_NAME", IDENTITY_NAME)
            .env("GIT_COMMITTER_EMAIL", IDENTITY_EMAIL)
            .env("GIT_COMMITTER_DATE", COMMIT_TIME)
            .in_directory(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Owner;

    #[test]
    fn every_kind_of_repository_is_made_as_the_owner_with_the_same_ids_each_time() {
        let mut ids = Vec::new();
        for _ in 0..2 {
            let home = Home::of(Owner::Ordinary);
            let inner = home.repo("inner");
            inner.write("a.txt", "a\n");
            inner.commit("first");
            let outer = home.repo("outer");
            outer.write("b/c.txt", "c\n");
            ids.push(outer.commit("first"));
            let submodule = outer.submodule(&inner, "deps/inner");
            assert!(submodule.path().join(".git").is_file());
            let worktree = outer.worktree("linked");
            assert_eq!(worktree.read("b/c.txt"), b"c\n");
            let borrower = inner.borrowing_clone("borrower");
            assert!(borrower.path().join(".git/objects/info/alternates").is_file());
            assert_eq!(outer.git(["status", "--porcelain"]), "");
        }
        assert_eq!(ids.first(), ids.last());
    }
}
