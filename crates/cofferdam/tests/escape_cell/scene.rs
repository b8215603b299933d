//! Where an attack takes place: a home, a repository in it, and the probe beside them.
//!
//! It judges nothing: what came of an attack is for the tests to say.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use cofferdam_testkit::{Home, Invocation};

/// A home with a project to work on.
pub(super) struct Scene {
    pub(super) home: Home,
}

impl Scene {
    /// A repository with two committed files.
    pub(super) fn set() -> Self {
        let home = Home::of(super::OWNER);
        let repo = home.repo("project");
        repo.write("kept.txt", "kept\n");
        repo.write("deep/er/file.txt", "deep\n");
        repo.commit("first");
        Self { home }
    }

    /// The work tree.
    pub(super) fn project(&self) -> PathBuf {
        self.home.work().join("project")
    }

    /// `cofferdam`, typed by the owner in the project.
    pub(super) fn cofferdam<A: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = A>) -> Invocation {
        self.home.cofferdam().in_directory(self.project()).args(words)
    }

    /// `cofferdam run FLAGS --mount … -- cofferdam-probe`, to which the probe's arguments are added.
    pub(super) fn probe<A: AsRef<OsStr>>(&self, flags: impl IntoIterator<Item = A>) -> Invocation {
        let probe = self.home.probe();
        let run = self.cofferdam(["run"]).args(flags);
        run.arg("--mount").arg(probe.parent().unwrap_or(Path::new("/"))).arg("--").arg(&probe)
    }

    /// Starts a session of this name in the background.
    #[track_caller]
    pub(super) fn detached<A: AsRef<OsStr>>(&self, name: &str, command: impl IntoIterator<Item = A>) {
        let probe = self.home.probe();
        let run = self.cofferdam(["run", "--detach", "--name", name, "--mount"]);
        run.arg(probe.parent().unwrap_or(Path::new("/"))).arg("--").args(command).run().assert_success();
    }

    /// The state of a session as `ls` tells it.
    #[track_caller]
    pub(super) fn state_of(&self, name: &str) -> Option<String> {
        let listed = self.cofferdam(["ls", "--json"]).run();
        let rows = listed.assert_success().json();
        let row = rows.as_array()?.iter().find(|row| row["name"] == name)?.clone();
        row["state"].as_str().map(str::to_owned)
    }
}
