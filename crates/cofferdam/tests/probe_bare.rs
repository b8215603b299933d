//! The probe without any enclosure: what an attempt says when nothing holds it. An attempt that could not be
//! reached here would prove nothing by being refused in a cell.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

const PROBE: &str = env!("CARGO_BIN_EXE_cofferdam-probe");
const CANARY: &str = "canary=5d41402abc4b2a76";

fn report(arguments: &[&str]) -> Value {
    let output = Command::new(PROBE).args(arguments).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn outcome(arguments: &[&str]) -> String {
    let report = report(arguments);
    report["outcome"].as_str().unwrap().to_owned()
}

/// A control that stays, and the line by which it said that it is ready.
struct Control {
    child: Child,
    stdin: Option<ChildStdin>,
    ready: String,
}

impl Control {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(PROBE);
        command.arg("control").args(arguments).arg(CANARY).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut ready = String::new();
        BufReader::with_capacity(1, child.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();
        let stdin = child.stdin.take();
        Self { child, stdin, ready: ready.trim().to_owned() }
    }

    /// Ends it, and gives what it noted.
    fn end(mut self) -> String {
        self.stdin = None;
        let mut noted = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut noted).unwrap();
        assert!(self.child.wait().unwrap().success());
        noted
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn each_positive_control_that_needs_nothing_works() {
    for report in report(&["all", "--only", "works-"]).as_array().unwrap() {
        let needs_workspace = report["id"] == "works-workspace";
        let expected = if needs_workspace { "inconclusive" } else { "reached" };
        assert_eq!(report["outcome"], expected, "{report}");
    }
}

#[test]
fn a_planted_file_is_read_written_and_left_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let control = Control::start(&["canary", text(&path)]);
    let file = format!("outside-file={}", text(&path));
    let workspace = format!("workspace={}", text(directory.path()));
    let before = std::fs::read(&path).unwrap();
    for id in [
        "file-read",
        "file-read-own-root",
        "file-write",
        "file-rename",
        "file-unlink",
        "file-chmod",
        "file-link",
    ] {
        assert_eq!(outcome(&["try", id, &file, &workspace, CANARY]), "reached", "{id}");
    }
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    control.end();
    assert!(!path.exists());
}

#[test]
fn a_file_without_the_canary_is_held_and_not_read_as_reached() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    std::fs::write(&path, "something else").unwrap();
    let file = format!("outside-file={}", text(&path));
    assert_eq!(outcome(&["try", "file-read", &file, CANARY]), "refused");
}

#[test]
fn planted_listeners_are_reached_and_note_it() {
    let directory = tempfile::tempdir().unwrap();
    let (socket, fifo) = (directory.path().join("socket"), directory.path().join("fifo"));
    let name = format!("cofferdam-probe-test-{}", std::process::id());
    let tcp = Control::start(&["serve-tcp", "0"]);
    let unix = Control::start(&["serve-unix", text(&socket)]);
    let names = Control::start(&["serve-abstract", &name]);
    let pipe = Control::start(&["serve-fifo", text(&fifo)]);
    let tries = [
        ("tcp-loopback", format!("host-port={}", tcp.ready)),
        ("unix-stream", format!("unix-stream={}", text(&socket))),
        ("unix-datagram", format!("unix-datagram={}.datagram", text(&socket))),
        ("unix-abstract", format!("abstract-name={name}")),
        ("fifo-write", format!("fifo={}", text(&fifo))),
    ];
    for (id, plant) in &tries {
        assert_eq!(outcome(&["try", id, plant, CANARY]), "reached", "{id}");
    }
    thread::sleep(Duration::from_millis(100));
    assert_eq!(tcp.end(), "tcp\n");
    let noted = unix.end();
    assert!(noted.contains("stream\n") && noted.contains("datagram\n"), "{noted}");
    assert_eq!(names.end(), "abstract\n");
    assert_eq!(pipe.end(), "fifo\n");
}

#[test]
fn a_holder_of_secrets_is_seen_signalled_and_killed() {
    let holder = Control::start(&["hold-secret"]);
    let (outside, init) = (format!("outside-pid={}", holder.ready), format!("init-pid={}", holder.ready));
    assert_eq!(outcome(&["try", "outside-signal", &outside]), "reached");
    assert_eq!(outcome(&["try", "outside-signal-group", &outside]), "reached");
    assert_eq!(outcome(&["try", "init-stop", &init]), "reached");
    assert_eq!(outcome(&["try", "init-kill", &init]), "reached");
    let mut holder = holder;
    assert!(!holder.child.wait().unwrap().success());
}

#[test]
fn the_daemon_beats_after_its_starter_has_gone_and_ends_by_itself() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("beat");
    assert!(Command::new(PROBE).args(["outlive", text(&path), "1"]).status().unwrap().success());
    let beat = || std::fs::read_to_string(&path).unwrap_or_default();
    thread::sleep(Duration::from_millis(300));
    let first = beat();
    thread::sleep(Duration::from_millis(300));
    assert!(!first.is_empty() && beat() > first);
    thread::sleep(Duration::from_millis(1000));
    let last = beat();
    thread::sleep(Duration::from_millis(200));
    assert_eq!(beat(), last);
}
