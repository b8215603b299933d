//! Checkpoints, restores, and the freezing of what runs.

use super::OWNER;
use cofferdam_testkit::{Home, Repo, until_within};
use rustix::process::Signal;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

fn begun<'h>(home: &'h Home, script: &str) -> Repo<'h> {
    let repo = home.repo("project");
    repo.write("kept", "kept\n");
    repo.write("dir/inner", "inner\n");
    repo.commit("first");
    let script = format!("{script}; touch ready; exec sleep 1000");
    let command = ["run", "-d", "--name", "one", "--", "bash", "-c", script.as_str()];
    home.cofferdam().args(command).in_directory(repo.path()).run().assert_success();
    until_within(SOON, "the session to be ready", || is_ready(home).then_some(()));
    repo
}

fn is_ready(home: &Home) -> bool {
    within(home, "if test -e ready; then echo yes; fi") == "yes\n"
}

fn within(home: &Home, script: &str) -> String {
    let run = home.cofferdam().args(["exec", "-s", "one", "--", "bash", "-c", script]).run();
    run.assert_success().stdout()
}

fn stop_and_restore(home: &Home, checkpoint: &str) {
    home.cofferdam().args(["stop", "one", "--grace", "1"]).run().assert_success();
    home.cofferdam().args(["restore", "-s", "one", checkpoint]).run().assert_success();
}

fn resumed(home: &Home, script: &str) -> String {
    let run = home.cofferdam().args(["resume", "-s", "one", "--", "bash", "-c", script]).run();
    run.assert_success().stdout()
}

fn checkpoints(home: &Home) -> Vec<Value> {
    let shown = home.cofferdam().args(["show", "one", "--json"]).run().json();
    shown.get("checkpoints").and_then(Value::as_array).unwrap().clone()
}

/// All that there is in a work directory and a home, in one line each: it tells every difference that matters.
const ALL: &str = r#"shopt -u failglob; for top in . ~; do (cd $top; find . -name .git -prune -o ! -type d -printf '%P %y %m %n %s %b %l %T@\n' -o -type d -printf '%P d %m\n' | sort; find . -name .git -prune -o -type f -print0 | sort -z | xargs -0 cat | sha256sum); done"#;

#[test]
fn what_an_agent_destroys_within_is_taken_back_and_the_restore_too() {
    let home = Home::of(OWNER);
    let _repo =
        begun(&home, "echo new >new; rm kept; rm -r dir; mkdir dir; echo other >dir/other; echo me >~/notes");
    let before = within(&home, ALL);
    home.cofferdam().args(["checkpoint", "one"]).run().assert_success();
    within(&home, "rm -rf ~/notes *; echo junk >junk");
    home.cofferdam()
        .args(["restore", "-s", "one", "c1"])
        .run()
        .assert_refused(207, &["running", "cofferdam stop one"]);
    let destroyed = within(&home, ALL);
    assert_ne!(before, destroyed);
    stop_and_restore(&home, "c1");
    assert_eq!(resumed(&home, ALL), before);
    home.cofferdam().args(["restore", "-s", "one", "c2"]).run().assert_success();
    assert_eq!(resumed(&home, ALL), destroyed);
    let why: Vec<Value> = checkpoints(&home).iter().map(|row| row["why"].clone()).collect();
    assert_eq!(why, ["by-hand", "before-restore", "before-restore"]);
    home.cofferdam().args(["restore", "-s", "one", "c9"]).run().assert_refused(207, &["no checkpoint c9"]);
    home.cofferdam().args(["discard", "-f", "one"]).run().assert_success();
    let left = std::fs::read_dir(home.state().join("sessions")).unwrap().count();
    assert_eq!(left, 0);
}

#[test]
fn a_checkpoint_keeps_all_that_a_layer_can_hold() {
    let home = Home::of(OWNER);
    let script = r#"mkdir odd; cd odd; echo s >secret; ln secret twice; ln -s /nowhere link; mkfifo fifo
        truncate -s 40M sparse; echo end >>sparse; echo x >"$(printf 'n\377\nl')"; chmod 6711 twice
        setfattr -n user.note -v hello sparse 2>/dev/null; mkdir closed; echo c >closed/c; chmod 000 closed/c closed
        touch -d @1000000000.5 link -h; touch -d 2001-01-01 sparse; cd .."#;
    let _repo = begun(&home, script);
    // What was closed is opened for looking, and closed again before the checkpoint.
    let look = |open: &str| format!("chmod 700 odd/closed; chmod 600 odd/closed/c; {ALL}; {open}");
    let before = within(&home, &look("chmod 000 odd/closed/c odd/closed"));
    home.cofferdam().args(["checkpoint", "one"]).run().assert_success();
    within(&home, "chmod 700 odd/closed; rm -rf odd");
    stop_and_restore(&home, "c1");
    let closed = resumed(&home, "cat odd/closed/c 2>&1; stat -c %a odd/closed");
    assert!(closed.contains("Permission denied") && closed.ends_with("0\n"), "{closed}");
    let after = resumed(&home, &look("true"));
    assert_eq!(before, after);
    assert!(before.contains("odd/twice f 6711 2"), "{before}");
}

#[test]
fn a_checkpoint_costs_what_changed_and_not_what_the_tree_holds() {
    let home = Home::of(OWNER);
    let top = home.many_files("project", 3000);
    let script = "for n in 1 2 3 4 5; do echo x >new$n; done; rm -r d0001; touch ready; exec sleep 1000";
    let command = ["run", "-d", "--name", "one", "-w", ".", "--", "bash", "-c", script];
    home.cofferdam().args(command).in_directory(&top).run().assert_success();
    until_within(SOON, "it to be ready", || is_ready(&home).then_some(()));
    let taken = home.cofferdam().args(["checkpoint", "one", "--json"]).run().json();
    let count = |name: &str| taken["checkpoint"][name].as_u64().unwrap();
    assert!((6..20).contains(&count("files")), "{taken}");
    assert!(count("directories") < 30 && count("deletions") == 1, "{taken}");
}

#[test]
fn a_session_that_runs_takes_checkpoints_by_itself_and_only_of_what_is_new() {
    let home = Home::of(OWNER);
    let policy = home.write("policy.toml", "[checkpoint]\nevery = \"1s\"\nkeep = 2\n");
    let directory = home.directory("project");
    let script = "for n in 1 2 3; do date >f; sleep 2; done; sleep 1000";
    let policy = policy.to_str().unwrap().to_owned();
    let command = ["run", "-d", "--name", "one", "--policy", &policy, "--", "bash", "-c", script];
    home.cofferdam().args(command).in_directory(&directory).run().assert_success();
    let ids = || -> Vec<String> {
        checkpoints(&home).iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    };
    until_within(SOON, "three changes to be kept", || {
        ids().last().is_some_and(|id| id.trim_start_matches('c').parse::<u32>().unwrap() >= 3).then_some(())
    });
    assert!(ids().len() <= 2, "{:?}", ids());
    // Nothing changes any more: nothing more comes.
    std::thread::sleep(Duration::from_secs(2));
    let quiet = ids();
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(ids(), quiet);
    assert_eq!(within(&home, "ps -eo stat= | grep -c T; true"), "0\n");
    home.cofferdam().args(["stop", "one", "--grace", "1"]).run().assert_success();
    home.wait_until_quiet();
}

/// Slows the copy of a checkpoint down, so that something can happen meanwhile.
const LARGE: &str = "head -c 300M /dev/zero >large";

#[test]
fn what_was_stopped_before_stays_stopped_and_a_shell_sees_no_stop() {
    let home = Home::of(OWNER);
    let _repo = begun(&home, "sleep 777 & kill -STOP $!; true");
    let shell = "set -m; sleep 3; echo status $?; jobs";
    let watched = home.cofferdam().args(["exec", "-s", "one", "--", "bash", "-c", shell]).start();
    for _ in 0..5 {
        home.cofferdam().args(["checkpoint", "one"]).run().assert_success();
    }
    let watched = watched.finish();
    assert_eq!(watched.assert_success().stdout(), "status 0\n");
    let states = within(&home, "ps -eo stat=,args= | grep sleep | grep -v grep");
    assert!(states.lines().any(|line| line.starts_with('T') && line.contains("777")), "{states}");
    assert_eq!(states.lines().filter(|line| line.starts_with('T')).count(), 1, "{states}");
}

/// The session's directory, of the only one that there is.
fn place(home: &Home) -> PathBuf {
    std::fs::read_dir(home.state().join("sessions")).unwrap().next().unwrap().unwrap().path()
}

#[test]
fn a_crowd_that_forks_and_ends_all_the_time_is_held_whole() {
    let home = Home::of(OWNER);
    let crowd = "for n in 1 2 3 4 5 6; do (while :; do (echo $BASHPID >>f$n) & wait; done) & done";
    let _repo = begun(&home, &format!("{LARGE}; {crowd}"));
    let upper = place(&home).join("layer-0/upper");
    let written = || -> u64 {
        (1..=6).map(|n| std::fs::metadata(upper.join(format!("f{n}"))).map_or(0, |found| found.len())).sum()
    };
    let at_work = || place(&home).join("checkpoints/partial/layer-0/large").exists();
    let mut held = 0;
    for _ in 0..5 {
        let taking = home.cofferdam().args(["checkpoint", "one"]).start();
        until_within(SOON, "the copy to be at work", || at_work().then_some(()));
        let first = written();
        std::thread::sleep(Duration::from_millis(20));
        let second = written();
        // Looked at afterwards: what was over by then says nothing.
        if at_work() && !place(&home).join("checkpoints/partial/record.json").exists() {
            assert_eq!(first, second);
            held += 1;
        }
        taking.finish().assert_success();
        // The control: it goes on, and writes.
        until_within(SOON, "the crowd to go on", || (written() > second).then_some(()));
    }
    assert!(held > 0, "no copy was seen at work");
}

#[test]
fn a_checkpoint_that_is_killed_leaves_no_frozen_cell_and_nothing_that_counts() {
    let home = Home::of(OWNER);
    let _repo = begun(&home, LARGE);
    for pause in [5, 20, 60] {
        let taking = home.cofferdam().args(["checkpoint", "one"]).start();
        std::thread::sleep(Duration::from_millis(pause));
        taking.signal(Signal::KILL);
        taking.finish();
        let seen = within(&home, "ps -eo stat= | grep -c ^T; true");
        assert_eq!(seen, "0\n", "killed after {pause} ms");
    }
    let known = checkpoints(&home).len();
    home.cofferdam().args(["checkpoint", "one"]).run().assert_success();
    assert_eq!(checkpoints(&home).len(), known + 1);
    home.cofferdam().args(["stop", "one", "--grace", "1"]).run().assert_success();
}
