//! A home in which the probe is run, and how its record is read.

use std::collections::BTreeSet;
use std::path::PathBuf;

use cofferdam_testkit::{Home, Outcome};
use serde_json::Value;

/// A home with nothing in it but what every home has.
pub(super) struct Scene {
    pub(super) home: Home,
}

impl Scene {
    pub(super) fn set() -> Self {
        let home = Home::of(super::OWNER);
        assert!(home.probe().is_file(), "the probe's program lies beside ours");
        Self { home }
    }

    /// `cofferdam --json probe FLAGS`, and what it printed.
    #[track_caller]
    pub(super) fn probe(&self, flags: &[&str]) -> (Outcome, Value) {
        let ran = self.home.cofferdam().args(["--json", "probe"]).args(flags).run();
        let record = ran.json();
        (ran, record)
    }

    /// Every path below the home, and what in the scratch directory of the machine bears the probe's name.
    pub(super) fn paths(&self) -> BTreeSet<PathBuf> {
        let mut paths = BTreeSet::new();
        gather(self.home.home(), &mut paths);
        paths
    }
}

fn gather(directory: PathBuf, paths: &mut BTreeSet<PathBuf>) {
    for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            gather(path.clone(), paths);
        }
        paths.insert(path);
    }
}

/// The ids with this verdict, with what was seen.
pub(super) fn with(record: &Value, verdict: &str) -> Vec<String> {
    let attempts = record["attempts"].as_array().unwrap();
    let told =
        |attempt: &Value| format!("{}: {} ({})", attempt["id"], attempt["evidence"], attempt["control"]);
    attempts.iter().filter(|attempt| attempt["verdict"] == verdict).map(told).collect()
}

/// The sum over the radii.
pub(super) fn sum(record: &Value, verdict: &str) -> u64 {
    record["radii"].as_array().unwrap().iter().map(|tally| tally[verdict].as_u64().unwrap()).sum()
}
