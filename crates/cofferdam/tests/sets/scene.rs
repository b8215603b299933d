//! An owner with settings of package tools, and a registry on loopback that they name.

use super::OWNER;
use cofferdam_testkit::pki::Pki;
use cofferdam_testkit::registry::Registry;
use cofferdam_testkit::{Home, Invocation, Outcome};
use std::path::PathBuf;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(100);

/// The documented exit codes, as `docs/exit-codes.md` has them.
pub(super) const USAGE: u8 = 201;
pub(super) const POLICY: u8 = 202;
pub(super) const DECLINED: u8 = 211;

pub(super) struct Scene {
    pub(super) home: Home,
    pub(super) pki: Pki,
    /// Files of the machine's as its programs see them.
    machine: Vec<(PathBuf, &'static str)>,
}

impl Scene {
    pub(super) fn new() -> Self {
        Self { home: Home::of(OWNER), pki: Pki::new(), machine: Vec::new() }
    }

    /// On a machine whose `/etc/hosts` knows these names at an address.
    pub(super) fn knowing(address: &str, names: &[&str]) -> Self {
        let mut scene = Self::new();
        scene.hosts(address, names);
        scene.machine.push((scene.home.root().join("hosts"), "/etc/hosts"));
        scene
    }

    /// Other addresses for the same machine.
    pub(super) fn hosts(&self, address: &str, names: &[&str]) {
        let lines: String = names.iter().map(|name| format!("{address} {name}\n")).collect();
        std::fs::write(self.home.root().join("hosts"), format!("127.0.0.1 localhost\n{lines}")).unwrap();
    }

    /// With another file or directory in the place of one of the machine's.
    pub(super) fn with(mut self, source: PathBuf, target: &'static str) -> Self {
        self.machine.push((source, target));
        self
    }

    /// Any program of the owner's, outside all cells.
    pub(super) fn outside(&self, program: &str, words: &[&str]) -> Outcome {
        let trusted = self.home.keep("trusted.pem", self.pki.root_pem());
        let program = self.home.invoke(program).args(words).env("SSL_CERT_FILE", trusted);
        program.in_directory(self.home.directory("project")).seeing(&self.machine).run_within(PATIENCE)
    }

    /// A file of the owner's home.
    pub(super) fn settings(&self, below: &str, text: &str) {
        self.home.write(self.home.home().join(below), text);
    }

    pub(super) fn project(&self, file: &str, text: &str) {
        self.home.write(self.home.work().join("project").join(file), text);
    }

    /// Any command of the owner's, who trusts the registry's authority.
    pub(super) fn cofferdam(&self, words: &[&str]) -> Invocation {
        let trusted = self.home.keep("trusted.pem", self.pki.root_pem());
        let project = self.home.directory("project");
        let own = self.home.cofferdam().args(words).env("SSL_CERT_FILE", trusted).in_directory(project);
        if self.machine.is_empty() { own } else { own.seeing(&self.machine) }
    }

    pub(super) fn run(&self, words: &[&str]) -> Outcome {
        self.cofferdam(words).run_within(PATIENCE)
    }

    /// Says yes to these hosts at 127.0.0.1, after the tool was run.
    pub(super) fn confirm_private(&self, set: &str, hosts: &[String], more: &[&str]) -> Outcome {
        let private: Vec<String> = hosts.iter().map(|host| format!("{host}=127.0.0.1")).collect();
        let (hosts, private) = (hosts.join(","), private.join(","));
        let words = ["sets", "confirm", set, "--yes", "--hosts", &hosts, "--private", &private];
        self.run(&[&words, more].concat())
    }

    /// Says yes to these hosts without running the tool.
    pub(super) fn confirm(&self, set: &str, hosts: &[String]) {
        let hosts = hosts.join(",");
        self.run(&["sets", "confirm", set, "--no-trial", "--yes", "--hosts", &hosts]).assert_success();
    }

    /// Where a confirmed set lies.
    pub(super) fn file(&self, set: &str) -> std::path::PathBuf {
        self.home.config().join("sets").join(format!("{set}.toml"))
    }

    /// What an owner may write into a confirmed set: where its places are, and one more place.
    pub(super) fn edit(&self, set: &str, files: Option<&str>) {
        let path = self.file(set);
        let text = std::fs::read_to_string(&path).unwrap();
        let at_loopback = "from = \"settings\"\naddresses = [\"127.0.0.1\"]";
        let is_edited = text.contains("addresses");
        let mut text = if is_edited { text } else { text.replace("from = \"settings\"", at_loopback) };
        if let Some(url) = files {
            text += &format!(
                "\n[[place]]\nurl = \"{url}\"\nrole = \"files\"\nfrom = \"you\"\naddresses = [\"127.0.0.1\"]\n"
            );
        }
        std::fs::write(path, text).unwrap();
    }

    /// A session with this set that runs `script` in the project.
    pub(super) fn session(&self, set: &str, flags: &[&str], script: &str) -> Outcome {
        let words = [&["run", "--allow", set], flags, &["--", "sh", "-ec", script]].concat();
        self.run(&words)
    }
}

/// `NAME:PORT` of a registry under one of its names.
pub(super) fn place(registry: &Registry, name: &str) -> String {
    format!("{name}:{}", registry.server().address().port())
}
