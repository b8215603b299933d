//! What the probe of the escape suite aims at: plants outside, and a process that holds the canary.
//!
//! It sets the scene only; what was reached is for others to judge.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};

use cofferdam_testkit::Plants;
use serde_json::{Value, json};

use super::scene::Scene;

/// Far below what any machine has, and below the cell's limits: in a cell they are reached, which is allowed. The
/// floods that must be held have tests of their own.
const CAPS: [(&str, &str); 10] = [
    ("cap-processes", "20"),
    ("cap-threads", "20"),
    ("cap-memory-mib", "16"),
    ("cap-open-files", "100"),
    ("cap-disk-mib", "4"),
    ("cap-inodes", "100"),
    ("cap-signals", "100"),
    ("cap-watchers", "8"),
    ("cap-watches", "50"),
    ("cap-terminals", "8"),
];

/// What the probe aims at: the plants, and a process that holds the canary as the probe knows it.
pub(super) struct Aims {
    named: Value,
    holder: Child,
}

impl Aims {
    pub(super) fn at(scene: &Scene, plants: &Plants) -> Self {
        let mut named = plants.for_probe();
        let mut hold = scene.home.invoke(scene.home.probe()).args(["control", "hold-secret"]);
        hold = hold.arg(format!("canary={}", plants.canary()));
        let mut holder = hold.command().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(holder.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();
        named["outside-pid"] = json!(ready.trim());
        named["setuid-probe"] = json!(setuid_probe(scene));
        named["workspace"] = json!(scene.project());
        for (name, cap) in CAPS {
            named[name] = json!(cap);
        }
        Self { named, holder }
    }

    pub(super) fn inside(&self) -> Value {
        self.with_init("1")
    }

    /// Outside, the holder stands for pid 1: the machine's own is left alone.
    pub(super) fn outside(&self) -> Value {
        self.with_init(&self.holder.id().to_string())
    }

    fn with_init(&self, pid: &str) -> Value {
        let mut named = self.named.clone();
        named["init-pid"] = json!(pid);
        named
    }
}

impl Drop for Aims {
    fn drop(&mut self) {
        let _dead_already = self.holder.kill().is_err();
        let _reaped = self.holder.wait().is_ok();
    }
}

/// A copy of the probe that belongs to whoever runs the tests, with the set-user-id bit.
fn setuid_probe(scene: &Scene) -> std::path::PathBuf {
    let probe = scene.home.probe();
    let copy = probe.with_file_name("setuid-probe");
    fs::copy(&probe, &copy).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o4755)).unwrap();
    copy
}
