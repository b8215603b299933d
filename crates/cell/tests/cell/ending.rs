//! Whoever of guardian, pid 1 and supervisor is killed or stopped, in whatever order: nothing outlives the cell.

use crate::Promise;
use crate::process::{Family, until};
use crate::scene::{Owner, Scene};
use rustix::process::{Pid, Signal};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, ExitCode, Stdio};

pub(crate) const PROMISES: &[Promise] = &[
    ("nothing_outlives_a_supervisor_that_lets_go", |owner| after(owner, &[])),
    ("nothing_outlives_a_killed_guardian", |owner| after(owner, &[(GUARDIAN, Signal::KILL)])),
    ("nothing_outlives_a_killed_pid_1", |owner| after(owner, &[(PID_1, Signal::KILL)])),
    ("nothing_outlives_a_killed_supervisor", |owner| after(owner, &[(SUPERVISOR, Signal::KILL)])),
    ("nothing_outlives_a_supervisor_killed_while_the_guardian_is_stopped", |owner| {
        after(owner, &[(GUARDIAN, Signal::STOP), (SUPERVISOR, Signal::KILL)]);
    }),
    ("nothing_outlives_a_supervisor_killed_while_pid_1_is_stopped", |owner| {
        after(owner, &[(PID_1, Signal::STOP), (SUPERVISOR, Signal::KILL)]);
    }),
    ("nothing_outlives_a_supervisor_killed_while_both_are_stopped", |owner| {
        after(owner, &[(GUARDIAN, Signal::STOP), (PID_1, Signal::STOP), (SUPERVISOR, Signal::KILL)]);
    }),
    ("nothing_outlives_a_guardian_killed_while_pid_1_is_stopped", |owner| {
        after(owner, &[(PID_1, Signal::STOP), (GUARDIAN, Signal::KILL)]);
    }),
    ("nothing_outlives_a_guardian_and_a_supervisor_killed_while_all_are_stopped", |owner| {
        let stopped = [SUPERVISOR, GUARDIAN, PID_1].map(|who| (who, Signal::STOP));
        let killed = [GUARDIAN, SUPERVISOR].map(|who| (who, Signal::KILL));
        after(owner, &[stopped.as_slice(), killed.as_slice()].concat());
    }),
    ("a_signal_from_the_owners_terminal_is_the_supervisors_to_judge", terminal_signal),
];

const SUPERVISOR: usize = 0;
const GUARDIAN: usize = 1;
const PID_1: usize = 2;
/// Supervisor, guardian, pid 1, the first program, and two that cut themselves loose.
const FAMILY_MIN: usize = 6;
const DAEMONS: &str = "trap '' HUP TERM INT; (setsid sleep 1000 &); (setsid sh -c 'sleep 1000 & sleep 1000' &); exec sleep 1000";

/// The supervisor of these tests, in a process of its own: starts a cell, says so, and stays until it is told to go.
pub(crate) fn supervise(owner: &str) -> ExitCode {
    let scene = Scene::of(if owner == "root" { Owner::Root } else { Owner::Ordinary });
    let cell = scene.start();
    let (_, _printed) = cell.run(&scene.workspace(), &["sh", "-c", DAEMONS]);
    println!("running");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    drop(cell);
    // It stays, so that what ends now ends because the cell was let go.
    std::io::stdin().read_line(&mut line).unwrap();
    ExitCode::SUCCESS
}

fn supervisor(owner: Owner) -> (Child, Family) {
    let name = match owner {
        Owner::Root => "root",
        Owner::Ordinary => "ordinary",
    };
    let mut command = crate::myself();
    let mut child =
        command.args(["supervise", name]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "running\n");
    let eldest = Pid::from_child(&child);
    let family = Family::of(eldest, FAMILY_MIN);
    (child, family)
}

fn after(owner: Owner, acts: &[(usize, Signal)]) {
    let (mut child, family) = supervisor(owner);
    for &(who, signal) in acts {
        family.signal(who, signal);
    }
    if acts.is_empty() {
        use std::io::Write as _;
        child.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    }
    family.without_the_eldest().assert_ended();
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The guardian stands in a session of its own: Ctrl-C in the owner's terminal does not reach it.
fn terminal_signal(owner: Owner) {
    let (mut child, family) = supervisor(owner);
    // As /proc tells it: 0 is a session whose leader stands outside of these tests' pid namespace, as theirs may.
    let session = |number: usize| {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", family.pid(number))).unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        fields.split_whitespace().nth(3).unwrap().parse::<u32>().unwrap()
    };
    assert_ne!(session(GUARDIAN), session(SUPERVISOR));
    assert_ne!(session(PID_1), session(SUPERVISOR));
    until("the guardian's directory", || {
        // Readable only where it is ours to read: uid 0, or the same ordinary user.
        std::fs::read_link(format!("/proc/{}/cwd", family.pid(GUARDIAN))).ok()
    });
    child.kill().unwrap();
    child.wait().unwrap();
    family.assert_ended();
}
