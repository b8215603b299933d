//! A home with a planted secret, and a search for it.

use super::OWNER;
use cofferdam_testkit::{Home, Invocation, Outcome};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

/// The documented exit codes, as `docs/exit-codes.md` has them.
pub(super) const USAGE: u8 = 201;
pub(super) const NAME_TAKEN: u8 = 206;
pub(super) const SECRET: u8 = 213;
pub(super) const STATE: u8 = 214;

pub(super) const PLANTED: &str = "ghp_plantedZ0123456789plantedABCDEFGHI99";
/// A part of it, and of its base64, that stands nowhere by chance.
const TRACES: [&str; 3] = ["plantedZ", "plantedABC", "cGxhbnRlZ"];

pub(super) struct Scene {
    pub(super) home: Home,
}

impl Scene {
    pub(super) fn new() -> Self {
        Self { home: Home::of(OWNER) }
    }

    pub(super) fn secret(&self, words: &[&str]) -> Invocation {
        self.home.cofferdam().arg("secret").args(words)
    }

    /// Runs it with the secret in the variable `TOKEN`; nothing that it prints holds the secret.
    pub(super) fn run(&self, words: &[&str]) -> Outcome {
        let outcome = self.secret(words).env("TOKEN", PLANTED).run();
        assert_untold(&outcome.stdout);
        assert_untold(&outcome.stderr);
        outcome
    }

    pub(super) fn refused(&self, words: &[&str], code: u8, told: &[&str]) {
        self.run(words).assert_refused(code, told);
    }

    /// Every file of ours, with its mode.
    pub(super) fn files(&self) -> Vec<(PathBuf, Vec<u8>, u32)> {
        let mut files = Vec::new();
        let mut waiting = vec![self.home.state(), self.home.config()];
        while let Some(path) = waiting.pop() {
            for entry in std::fs::read_dir(path).into_iter().flatten() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    waiting.push(entry.path());
                } else {
                    let mode = entry.metadata().unwrap().permissions().mode() & 0o7777;
                    files.push((entry.path(), std::fs::read(entry.path()).unwrap(), mode));
                }
            }
        }
        files.sort();
        files
    }

    /// The secret is in none of our files.
    pub(super) fn assert_nowhere_in_the_open(&self) {
        let files = self.files();
        assert!(files.iter().any(|(path, ..)| path.ends_with("secrets/store.age")), "{files:?}");
        files.iter().for_each(|(_, bytes, _)| assert_untold(bytes));
    }

    /// The values, as the `age` program reads them with the key that is there.
    pub(super) fn decrypted(&self) -> String {
        let key = self.home.config().join("secrets.key");
        let store = self.home.state().join("secrets/store.age");
        let run = self.home.invoke("age").arg("--decrypt").arg("--identity").arg(key).arg(store).run();
        run.assert_success().stdout()
    }
}

pub(super) fn assert_untold(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for trace in TRACES {
        assert!(!text.contains(trace), "{trace} is told: {text}");
    }
}
