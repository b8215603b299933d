//! `logs -f` and `events -f`: what is there and what comes, until the session ends and no longer.

use super::OWNER;
use cofferdam_testkit::Home;
use serde_json::Value;

/// A session that prints `word N` whenever the file `N` comes into being, and ends with `end`.
const STEPS: &str = "echo begun; for n in 1 2; do until test -e $n; do sleep 0.02; done; echo word $n; done";

/// The last step ends the session, and `touch` perhaps with it, before it can end by itself: its status tells nothing.
fn step(home: &Home, name: &str) {
    home.cofferdam().args(["exec", "-s", "job", "--", "touch", name]).run();
}

#[test]
fn what_a_program_prints_is_followed_to_its_end() {
    let home = Home::of(OWNER);
    let start = ["run", "-d", "--name", "job", "--", "sh", "-c", STEPS];
    home.cofferdam().args(start).run().assert_success();
    let logs = home.cofferdam().args(["logs", "-f", "job"]).start();
    logs.wait_for_output("begun");
    step(&home, "1");
    logs.wait_for_output("word 1");
    step(&home, "2");
    let logs = logs.finish();
    let text = logs.assert_success().stdout().replace('\r', "");
    assert_eq!(text, "begun\nword 1\nword 2\n", "{logs}");
    // Of a session that has ended, it is what there is.
    let again = home.cofferdam().args(["logs", "--follow", "job"]).run();
    assert_eq!(again.assert_success().stdout().replace('\r', ""), text);
}

#[test]
fn what_happens_is_followed_to_the_end_of_the_session() {
    let home = Home::of(OWNER);
    let start = ["run", "-d", "--name", "job", "--", "sh", "-c", STEPS];
    home.cofferdam().args(start).run().assert_success();
    let people = home.cofferdam().args(["events", "-f"]).start();
    let programs = home.cofferdam().args(["events", "--json", "-f", "job"]).start();
    people.wait_for_output("started with authority");
    programs.wait_for_output("started");
    step(&home, "1");
    people.wait_for_output("touch 1");
    step(&home, "2");
    let (people, programs) = (people.finish(), programs.finish());
    assert!(people.assert_success().stdout().contains("its program ended: exit status 0"), "{people}");
    let stdout = programs.assert_success().stdout();
    let kinds: Vec<String> = stdout
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["event"]["kind"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(kinds, ["started", "executed", "executed", "exited"], "{programs}");
}

#[test]
fn a_session_that_is_stopped_or_loses_its_supervisor_is_followed_no_longer() {
    let home = Home::of(OWNER);
    for end in ["stop", "kill"] {
        home.cofferdam().args(["run", "-d", "--name", end, "--", "sleep", "1000"]).run().assert_success();
        let logs = home.cofferdam().args(["logs", "-f", end]).start();
        let events = home.cofferdam().args(["events", "-f", end]).start();
        events.wait_for_output("started");
        if end == "stop" {
            home.cofferdam().args(["stop", end, "--grace", "0"]).run().assert_success();
        } else {
            let listed = home.cofferdam().args(["ls", "--json"]).run().json();
            let row = listed.as_array().unwrap().iter().find(|row| row["name"] == end).unwrap();
            home.invoke("kill").args(["-9", &row["supervisor_pid"].to_string()]).run().assert_success();
        }
        logs.finish().assert_success();
        let told = events.finish();
        let word = if end == "stop" { "stopped" } else { "ended by its guardian" };
        assert!(told.assert_success().stdout().contains(word), "{told}");
    }
    home.wait_until_quiet();
}

#[test]
fn following_goes_on_when_a_session_is_detached_meanwhile() {
    let home = Home::of(OWNER);
    let script = "echo begun; until test -e 1; do sleep 0.02; done; echo over";
    let run = ["run", "--name", "job", "--", "sh", "-c", script];
    let mut terminal = home.cofferdam().args(run).terminal(24, 80);
    terminal.wait_for("begun");
    let logs = home.cofferdam().args(["logs", "-f", "job"]).start();
    logs.wait_for_output("begun");
    terminal.send("\x1ed");
    terminal.finish();
    step(&home, "1");
    assert!(logs.finish().assert_success().stdout().contains("over"));
}

#[test]
fn one_object_can_not_be_followed() {
    let home = Home::of(OWNER);
    home.cofferdam().args(["run", "--", "true"]).run().assert_success();
    let refused = home.cofferdam().args(["logs", "-f", "--json"]).run();
    assert_eq!(refused.assert_exit(201).json()["error"]["kind"], "usage");
}
