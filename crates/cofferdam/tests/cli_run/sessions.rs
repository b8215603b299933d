//! The life of a session: its name, its changes and its home, from start to discard.

use super::OWNER;
use cofferdam_testkit::{Home, Outcome, Tree};
use serde_json::Value;
use std::time::Duration;

fn run(home: &Home, script: &str) -> Outcome {
    home.cofferdam().args(["run", "--", "sh", "-c", script]).run()
}

fn names(home: &Home) -> Vec<String> {
    let listed = home.cofferdam().args(["ls", "--json"]).run().json();
    listed.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
}

/// What is left of sessions in the state directory, the ledger apart.
fn layers(home: &Home) -> usize {
    std::fs::read_dir(home.state().join("sessions")).map_or(0, Iterator::count)
}

#[test]
fn what_a_session_does_stays_in_it_and_is_there_when_it_goes_on() {
    let home = Home::of(OWNER);
    let repo = home.repo("project");
    repo.write("kept.txt", "before\n");
    repo.write("gone.txt", "before\n");
    repo.commit("first");
    let before = Tree::of(repo.path());
    let script = "echo after >kept.txt; rm gone.txt; mkdir d; echo new >d/new; echo mine >~/.mine; exit 3";
    let command = ["run", "--name", "one", "--", "sh", "-c", script];
    home.cofferdam().args(command).in_directory(repo.path()).run().assert_exit(3);
    Tree::of(repo.path()).assert_same_as(&before);
    assert!(!home.home().join(".mine").exists());

    let script = "cat kept.txt d/new ~/.mine; test ! -e gone.txt; pwd";
    let command = ["resume", "-s", "one", "--", "sh", "-c", script];
    let resumed = home.cofferdam().args(command).in_directory(repo.path()).run();
    let expected = format!("after\nnew\nmine\n{}\n", repo.path().display());
    assert_eq!(resumed.assert_success().stdout(), expected);
    let again = home.cofferdam().args(["resume", "-s", "one"]).in_directory(repo.path()).run();
    assert_eq!(again.assert_success().stdout(), expected, "without a command, the last one is run again");
    Tree::of(repo.path()).assert_same_as(&before);
    home.wait_until_quiet();
}

#[test]
fn a_session_sees_nothing_of_another() {
    let home = Home::of(OWNER);
    run(&home, "echo secret >of-one; echo secret >~/of-one; echo secret >/tmp/of-one").assert_success();
    let found = run(&home, "find . ~ /tmp /var/tmp /dev/shm -name of-one");
    assert_eq!(found.assert_success().stdout(), "");
}

#[test]
fn a_session_left_out_is_the_latest_of_this_directory_and_is_named() {
    let home = Home::of(OWNER);
    let (one, other) = (home.directory("one"), home.directory("other"));
    for (directory, name) in [(&one, "first"), (&one, "second"), (&other, "elsewhere")] {
        let command = ["run", "--name", name, "--", "sh", "-c", "echo \"I am $COFFERDAM_SESSION\""];
        home.cofferdam().args(command).in_directory(directory).run().assert_success();
    }
    for command in ["show", "logs", "events"] {
        let said = home.cofferdam().arg(command).in_directory(&one).run();
        let text = format!("{}{}", said.assert_success().stdout(), said.stderr());
        assert!(text.contains("session second") || text.contains("session  second"), "{said}");
    }
    assert_eq!(home.cofferdam().arg("logs").in_directory(&one).run().stdout(), "I am second\n");
    assert_eq!(home.cofferdam().args(["logs", "first"]).in_directory(&one).run().stdout(), "I am first\n");
    let below = home.directory("other/below");
    let logs = home.cofferdam().arg("logs").in_directory(&below).run();
    assert_eq!(logs.stdout(), "I am elsewhere\n");
    let nowhere = home.directory("nowhere");
    home.cofferdam().arg("show").in_directory(&nowhere).run().assert_refused(205, &["cofferdam ls"]);
}

#[test]
fn names_are_unique_and_those_that_are_not_given_are_made_so() {
    let home = Home::of(OWNER);
    let directory = home.directory("project");
    for _ in 0..3 {
        home.cofferdam().args(["run", "--", "true"]).in_directory(&directory).run().assert_success();
    }
    let mut found = names(&home);
    found.sort();
    assert_eq!(found, ["project", "project-2", "project-3"]);
    let taken = home.cofferdam().args(["run", "--name", "project-2", "--", "true"]).run();
    taken.assert_refused(206, &["project-2"]);
    assert_eq!(names(&home).len(), 3);
    assert_eq!(layers(&home), 3);
}

#[test]
fn a_session_can_be_named_by_its_id_or_the_beginning_of_it() {
    let home = Home::of(OWNER);
    run(&home, "echo here").assert_success();
    let id = home.cofferdam().args(["ls", "--json"]).run().json()[0]["id"].as_str().unwrap().to_owned();
    for asked in [id.as_str(), &id[..6]] {
        assert_eq!(home.cofferdam().args(["logs", asked]).run().assert_success().stdout(), "here\n");
    }
}

#[test]
fn rm_removes_a_session_only_when_nothing_is_left_to_lose() {
    let home = Home::of(OWNER);
    home.cofferdam().args(["run", "--rm", "--", "true"]).run().assert_success();
    assert_eq!((names(&home).len(), layers(&home)), (0, 0));
    let kept = home.cofferdam().args(["run", "--rm", "--", "sh", "-c", "echo x >new"]).run();
    assert!(kept.assert_success().stderr().contains("new"), "{kept}");
    assert_eq!((names(&home).len(), layers(&home)), (1, 1));
}

#[test]
fn discard_asks_when_there_are_changes_and_force_does_not() {
    let home = Home::of(OWNER);
    run(&home, "true").assert_success();
    home.cofferdam().args(["discard", "work"]).run().assert_success();
    home.cofferdam().args(["run", "--name", "changed", "--", "touch", "new"]).run().assert_success();
    home.cofferdam().args(["discard", "changed"]).run().assert_refused(211, &["changed", "-f"]);
    assert_eq!(names(&home), ["changed"]);

    let mut terminal = home.cofferdam().args(["discard", "changed"]).terminal(24, 80);
    terminal.wait_for("[y/N]");
    terminal.send("n\r");
    assert_eq!(terminal.finish().code(), Some(211), "{}", terminal.screen());
    assert_eq!(names(&home), ["changed"]);
    let mut terminal = home.cofferdam().args(["discard", "changed"]).terminal(24, 80);
    terminal.wait_for("[y/N]");
    terminal.send("y\r");
    assert_eq!(terminal.finish().code(), Some(0), "{}", terminal.screen());

    home.cofferdam().args(["run", "--name", "changed", "--", "touch", "new"]).run().assert_success();
    home.cofferdam().args(["discard", "changed", "-f"]).run().assert_success();
    assert_eq!((names(&home).len(), layers(&home)), (0, 0));
    home.cofferdam().args(["discard", "changed"]).run().assert_refused(205, &["changed"]);
}

/// Directories without permissions, deep ones, and names that no shell likes: what an agent may leave.
#[test]
fn discard_removes_what_the_agent_made_hard_to_remove() {
    let home = Home::of(OWNER);
    let script = "mkdir -p a/b; touch a/b/c; chmod 0 a/b a; touch \"$(printf 'new\\nline')\" -- -f; \
                  python3 -c 'import os\nfor _ in range(300):\n os.mkdir(\"d\" * 200); os.chdir(\"d\" * 200)'";
    run(&home, script).assert_success();
    home.cofferdam().args(["discard", "work", "-f"]).run().assert_success();
    assert_eq!(layers(&home), 0);
}

#[test]
fn a_detached_session_runs_until_it_is_stopped() {
    let home = Home::of(OWNER);
    let script = "echo begun; trap 'echo asked; exit 0' TERM; while :; do sleep 0.05; done";
    let started = home.cofferdam().args(["run", "-d", "--name", "job", "--", "sh", "-c", script]).run();
    assert!(started.assert_success().stdout().contains("job"), "{started}");
    let seen = home.cofferdam().args(["exec", "-s", "job", "--", "ps", "-eo", "args"]).run();
    assert!(seen.assert_success().stdout().contains("echo begun"), "{seen}");
    home.cofferdam().args(["stop", "job"]).run().assert_success();
    home.wait_until_quiet();
    let logs = home.cofferdam().args(["logs", "job"]).run().stdout();
    assert!(logs.contains("begun") && logs.contains("asked"), "{logs}");
    home.cofferdam().args(["stop", "job"]).run().assert_refused(207, &["job", "resume"]);
    home.cofferdam().args(["exec", "-s", "job", "--", "true"]).run().assert_refused(207, &["job", "resume"]);
}

/// It ignores SIGTERM, as every interactive shell does, and ends when its terminal hangs up.
#[test]
fn a_shell_on_a_terminal_is_stopped_before_its_grace_is_over() {
    let home = Home::of(OWNER);
    home.cofferdam().args(["run", "-d", "--name", "job", "--", "bash", "-i"]).run().assert_success();
    let stop = home.cofferdam().args(["stop", "--grace", "600", "job"]);
    stop.run_within(Duration::from_secs(60)).assert_success();
    home.wait_until_quiet();
}

#[test]
fn a_running_session_can_be_neither_resumed_nor_silently_discarded() {
    let home = Home::of(OWNER);
    let started =
        home.cofferdam().args(["run", "-d", "--name", "job", "--", "sh", "-c", "touch new; exec sleep 1000"]);
    started.run().assert_success();
    home.cofferdam().args(["resume", "-s", "job"]).run().assert_refused(207, &["running"]);
    home.cofferdam().args(["discard", "job", "-f"]).run().assert_success();
    home.wait_until_quiet();
    assert_eq!(layers(&home), 0);
}

#[test]
fn what_the_owner_changes_meanwhile_shows_after_a_refresh() {
    let home = Home::of(OWNER);
    home.write("file", "old\n");
    let script = "cd /; exec sleep 1000";
    home.cofferdam().args(["run", "-d", "--", "sh", "-c", script]).run().assert_success();
    let look = || home.cofferdam().args(["exec", "--", "cat", "file", "late"]).run();
    look().assert_exit(1);
    std::fs::remove_file(home.work().join("file")).unwrap();
    home.write("file", "new\n");
    home.write("late", "late\n");
    home.cofferdam().arg("refresh").run().assert_success();
    assert_eq!(look().assert_success().stdout(), "new\nlate\n");

    let held = home.cofferdam().args(["exec", "--", "sh", "-c", "echo held; exec sleep 1000"]).start();
    held.wait_for_output("held");
    home.cofferdam().args(["refresh", "work"]).run().assert_refused(207, &["process"]);
    home.cofferdam().args(["stop", "--grace", "0"]).run().assert_success();
}

#[test]
fn a_time_limit_ends_the_session_with_a_code_of_its_own() {
    let home = Home::of(OWNER);
    let command = ["run", "--limit", "time=1s", "--", "sleep", "1000"];
    let ended = home.cofferdam().args(command).run();
    assert!(ended.assert_exit(212).stderr().contains("time limit"), "{ended}");
    home.wait_until_quiet();
}

#[test]
fn a_program_that_ends_with_the_session_did_not_end_well() {
    let home = Home::of(OWNER);
    let wait = "until test -e /tmp/go; do sleep 0.02; done";
    home.cofferdam().args(["run", "-d", "--name", "job", "--", "sh", "-c", wait]).run().assert_success();
    let exec = |script: &str| home.cofferdam().args(["exec", "-s", "job", "--", "sh", "-c", script]);
    exec("exit 3").run().assert_exit(3);
    let cut_off = exec("echo held; exec sleep 1000").start();
    cut_off.wait_for_output("held");
    exec("touch /tmp/go").run();
    let ended = cut_off.finish();
    ended.assert_exit(207);
    assert!(ended.stderr().contains("the session ended under it"), "{ended}");
    home.wait_until_quiet();
    let events = home.cofferdam().args(["events", "--json", "job"]).run().assert_success().stdout();
    assert!(events.contains(r#""code": 0"#), "the control, the session itself ended well: {events}");
}

#[test]
fn a_session_whose_supervisor_was_killed_is_stopped_and_can_go_on() {
    let home = Home::of(OWNER);
    home.cofferdam()
        .args(["run", "-d", "--", "sh", "-c", "echo x >kept; exec sleep 1000"])
        .run()
        .assert_success();
    home.cofferdam()
        .args(["exec", "--", "sh", "-c", "until test -s kept; do sleep 0.02; done"])
        .run()
        .assert_success();
    let row: Value = home.cofferdam().args(["ls", "--json"]).run().json()[0].clone();
    home.invoke("kill").args(["-9", &row["supervisor_pid"].to_string()]).run().assert_success();
    home.wait_until_quiet();
    assert_eq!(home.cofferdam().args(["ls", "--json"]).run().json()[0]["state"], "stopped");
    let resumed = home.cofferdam().args(["resume", "--", "cat", "kept"]).run();
    assert_eq!(resumed.assert_success().stdout(), "x\n");
}

/// Which session was chosen is said in the first of the three lines, not in a fourth.
#[test]
fn a_failure_without_a_named_session_names_the_one_that_was_chosen() {
    let home = Home::of(OWNER);
    run(&home, "true").assert_success();
    for command in [["stop"].as_slice(), &["refresh"], &["exec", "--", "true"]] {
        home.cofferdam().args(command).run().assert_refused(207, &["work"]);
    }
    let exec = home.cofferdam().args(["resume", "--", "nosuch"]).run();
    exec.assert_refused(208, &["nosuch", "session work"]);
    let failed = home.cofferdam().args(["exec", "--json"]).run();
    assert!(failed.assert_exit(201).json()["error"]["what"].as_str().unwrap().contains("work"), "{failed}");
    let resumed = home.cofferdam().args(["resume", "--", "echo", "out"]).run();
    assert!(resumed.assert_success().stderr().starts_with("session work\n"), "{resumed}");
}
