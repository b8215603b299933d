//! Sessions beside each other see nothing of each other; programs of one session see each other as they should.

use std::collections::BTreeMap;

use cofferdam_testkit::until;
use serde_json::Value;

use super::reports::reports;
use super::scene::Scene;

const WORD: &str = "word-of-the-first-session";

#[test]
fn nothing_of_one_session_is_to_be_seen_in_another() {
    let scene = Scene::set();
    let probe = scene.home.probe().display().to_string();
    let name = scene.home.abstract_name("inside");
    // In the same directory: a file in /tmp, in the workspace and at home, an abstract name, a port, an argument.
    let script = format!(
        "for f in /tmp/mine mine ~/mine /dev/shm/mine; do echo {WORD} > $f; done; \
         sleep 1000 | \"$1\" control serve-tcp 45678 canary={WORD} & exec \"$1\" control serve-abstract \"$2\" canary={WORD}"
    );
    for session in ["first", "second"] {
        let command = if session == "first" { script.as_str() } else { "sleep 1000" };
        scene.detached(session, ["/bin/sh", "-c", command, "sh", &probe, &name]);
    }
    let project = scene.project().join("mine").display().to_string();
    let home = scene.home.home().join("mine").display().to_string();
    let attempts = [
        vec!["file-read".to_owned(), "outside-file=/tmp/mine".to_owned()],
        vec!["file-read".to_owned(), "outside-file=/dev/shm/mine".to_owned()],
        vec!["file-read".to_owned(), format!("outside-file={project}")],
        vec!["file-read".to_owned(), format!("outside-file={home}")],
        vec!["unix-abstract".to_owned(), format!("abstract-name={name}")],
        vec!["unix-abstract-listed".to_owned(), format!("abstract-name={name}")],
        vec!["tcp-loopback".to_owned(), "host-port=45678".to_owned()],
        vec!["tcp-port-listed".to_owned(), "host-port=45678".to_owned()],
    ];
    let ask = |session: &str, attempt: &[String]| -> Value {
        let exec = scene.cofferdam(["exec", "-s", session, "--", &probe, "try"]).args(attempt);
        exec.arg(format!("canary={WORD}")).run().assert_success().json()
    };
    for attempt in &attempts {
        // The control: in its own session each is reached.
        until(&format!("{attempt:?} in its own session"), || {
            (ask("first", attempt)["outcome"] == "reached").then_some(())
        });
        let seen = ask("second", attempt);
        assert_eq!(seen["outcome"], "refused", "{seen}");
    }
    let count = |session: &str| {
        let list = scene.cofferdam(["exec", "-s", session, "--", "/bin/sh", "-c"]);
        list.arg("cat /proc/[0-9]*/cmdline | tr '\\0' '\\n' | grep -c '[s]erve-'").run().stdout()
    };
    assert_ne!(count("first").trim(), "0", "the control");
    assert_eq!(count("second").trim(), "0");
    for session in ["first", "second"] {
        scene.cofferdam(["stop", "--grace", "0", session]).run().assert_success();
    }
}

#[test]
fn a_program_started_by_exec_is_confined_as_the_first_one() {
    let scene = Scene::set();
    let probe = scene.home.probe().display().to_string();
    let tell = "grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|Umask|Sig(Blk|Ign|Cgt))' /proc/self/status; \
                readlink /proc/self/ns/*; cat /proc/self/uid_map /proc/self/gid_map /proc/self/limits /proc/self/cgroup \
                /proc/self/oom_score_adj; pwd; env | sort; ls -l /proc/self/fd | wc -l; nice";
    let both = format!("{{ {tell}; }} > /tmp/$1 2>&1; \"$2\" all canary=x workspace=\"$PWD\" > /tmp/$1.json");
    let first = format!("{both}; sleep 1000");
    let mount = scene.home.probe().parent().unwrap().display().to_string();
    let wall = ["--limit", "processes=300", "--limit", "files=200", "--mount", mount.as_str()];
    // Both with pipes, so that the only difference left would be one of confinement.
    let run = scene.cofferdam(["run", "--name", "alike"]).args(wall);
    let run = run.args(["--", "/bin/sh", "-c", &format!("echo up; {first}"), "sh", "run", &probe]).start();
    run.wait_for_output("up");
    let exec = |arguments: &[&str]| scene.cofferdam(["exec", "-s", "alike", "--"]).args(arguments).run();
    exec(&["/bin/sh", "-c", &both, "sh", "exec", &probe]).assert_success();
    let read = |name: &str| exec(&["cat", name]).assert_success().stdout();
    until("the first program to have told", || serde_json::from_str::<Value>(&read("/tmp/run.json")).ok());
    let (first, executed) = (read("/tmp/run"), read("/tmp/exec"));
    assert!(first.contains("Seccomp:\t2"), "the control: {first}");
    assert_eq!(first, executed);
    assert_eq!(outcomes(&read("/tmp/run.json")), outcomes(&read("/tmp/exec.json")));
}

fn outcomes(text: &str) -> BTreeMap<String, (String, String)> {
    let output: Value = serde_json::from_str(text).unwrap();
    let told = |report: &Value, key: &str| report[key].to_string();
    // What these bring or destroy, the other program's have brought or destroyed before them.
    let is_alone = |id: &str| !["destroy-", "review-", "channel-"].iter().any(|kind| id.starts_with(kind));
    let all = reports(&output).into_iter().filter(|(id, _)| is_alone(id));
    all.map(|(id, report)| (id.to_owned(), (told(report, "outcome"), told(report, "errno")))).collect()
}

#[test]
fn a_debugger_attaches_to_a_program_of_its_own_session() {
    let scene = Scene::set();
    scene.detached("debugged", ["sleep", "1000"]);
    let script = "gdb --batch --nx -p \"$(pgrep -x sleep)\" -ex 'print $pc' -ex detach 2>&1";
    let run = scene.cofferdam(["exec", "-s", "debugged", "--", "/bin/sh", "-c", script]).run();
    assert!(run.assert_success().stdout().contains("$1 = (void"), "{run}");
    scene.cofferdam(["stop", "--grace", "0", "debugged"]).run().assert_success();
}
