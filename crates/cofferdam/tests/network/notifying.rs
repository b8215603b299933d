//! The owner's own command that is told of held requests, leaked handles and ends: what it hears, what it runs as, and
//! that no agent gets a word into it.

use super::scene::{SECRET, Scene, WORD};
use cofferdam_testkit::until;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// The documented exit codes, as `docs/exit-codes.md` has them.
const POLICY: u8 = 202;
const DECLINED: u8 = 211;

/// One line for each time that it is called.
const TELL: &str = r#"echo "$COFFERDAM_EVENT|$COFFERDAM_SESSION|$COFFERDAM_TEXT" >>~/told"#;
/// More of them than may run at once, and further apart than what is left out as too soon.
const LEAKS: usize = 6;
const RUNNING_MAX: usize = 4;

fn lines(path: PathBuf) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// What [`TELL`] heard so far.
fn told(scene: &Scene) -> Vec<String> {
    lines(scene.home.home().join("told"))
}

/// The same, once there are so many.
fn told_so_often(scene: &Scene, count: usize) -> Vec<String> {
    until("the command to be told", || Some(told(scene)).filter(|told| told.len() >= count))
}

/// A policy with this command, the planted secret, and grants of `/v1/**` and, without the secret, `/open/**`.
fn policy(scene: &Scene, command: &str) -> String {
    let grants = [scene.grant("GET", "/v1/** credential=example"), scene.grant("GET", "/open/**")];
    let command = format!("{command:?}");
    scene.policy_with_secret(&grants, &format!("notify = {command}"))
}

/// A request with the handle where it does not belong.
fn leak(scene: &Scene) -> String {
    format!("curl -sS -H \"Authorization: Bearer $EXAMPLE_TOKEN\" {}; ", scene.url("/open/x"))
}

fn begin(scene: &Scene, policy: &str, script: &str) {
    let words = ["run", "-d", "--name", "one", "--ask", "--policy", policy, "--", "sh", "-c", script];
    scene.cofferdam(&words).run().assert_success();
}

/// Denies the one request that is held, once it is.
fn deny(scene: &Scene) {
    let held = until("a request to be held", || {
        let listed = scene.cofferdam(&["pending", "--json"]).run().assert_success().json();
        Some(listed[0]["waiting"][0].clone()).filter(|held| !held.is_null())
    });
    scene.cofferdam(&["pending", "deny", &held["id"].to_string(), "-s", "one"]).run().assert_success();
}

#[test]
fn a_held_request_a_leaked_handle_and_the_end_are_each_told_once() {
    let scene = Scene::new();
    let policy = policy(&scene, TELL);
    let script = format!("curl -sS {}; {} exit 3", scene.url("/other"), leak(&scene));
    begin(&scene, &policy, &script);
    let place = scene.place();
    assert_eq!(told_so_often(&scene, 1), [format!("held|one|1: GET {place}/other")]);
    deny(&scene);
    let mut all = told_so_often(&scene, 3);
    assert_eq!(all.len(), 3, "{all:?}");
    // Two commands that were started one after the other: either may be done first.
    all[1..].sort();
    assert_eq!(all[1], "ended|one|its program failed");
    assert!(all[2].starts_with("handle-leaked|one|example: ") && all[2].contains(&place), "{all:?}");
    scene.home.wait_until_quiet();
    assert_eq!(told(&scene).len(), 3);
}

/// The control of the one above: the same session without anything to tell of but its end.
#[test]
fn what_is_granted_is_told_to_nobody() {
    let scene = Scene::new();
    let policy = policy(&scene, TELL);
    begin(&scene, &policy, &format!("curl -sS {}", scene.url("/open/x")));
    assert_eq!(told_so_often(&scene, 1), ["ended|one|its program ended well"]);
    scene.home.wait_until_quiet();
    assert_eq!(told(&scene).len(), 1);
    assert_eq!(scene.server.seen().len(), 1);
}

#[test]
fn a_command_that_hangs_holds_up_nothing_and_does_not_pile_up() {
    let scene = Scene::new();
    let policy = policy(&scene, &format!("{TELL}; exec sleep 1000"));
    // Each to another host: what is alike is told once, and then counted.
    let leak = |number| format!("curl -sS http://n{number}.$EXAMPLE_TOKEN.test/; sleep 1.1; ");
    let leaks: String = (0..LEAKS).map(leak).collect();
    let script = format!("{leaks} curl -sS {}; exit 5", scene.url("/open/last"));
    let run = scene.session("one", &["--policy", &policy], &script);
    run.assert_exit(5);
    assert!(run.stdout().ends_with(WORD), "{run}");
    assert_eq!(scene.events_of("one", "handle-leaked").len(), LEAKS);
    let hangs = || {
        let mut all = scene.home.processes();
        all.retain(|process| process.command == "sleep 1000");
        all.len()
    };
    assert_eq!((hangs(), told(&scene).len()), (RUNNING_MAX, RUNNING_MAX), "{:?}", told(&scene));
    assert_eq!(scene.home.processes().len(), RUNNING_MAX, "nothing but them is left");
}

#[test]
fn a_command_that_fails_or_is_none_changes_nothing_of_the_session() {
    for command in [&format!("{TELL}; exit 7"), &format!("{TELL}; kill -9 $$"), "/nowhere/at/all", "'", ""] {
        let scene = Scene::new();
        let policy = policy(&scene, command);
        let script = format!("{} curl -sS {}; exit 5", leak(&scene), scene.url("/open/last"));
        let run = scene.session("one", &["--policy", &policy], &script);
        run.assert_exit(5);
        assert!(run.stdout().ends_with(WORD), "{command}: {run}");
        scene.home.wait_until_quiet();
        assert_eq!(told(&scene).len(), if command.contains("told") { 2 } else { 0 }, "{command}");
    }
}

/// What an agent can choose, each with a command in it that would leave a trace in the owner's home.
fn chosen(scene: &Scene) -> String {
    let place = scene.place();
    [
        "printf '$(touch ~/gone)`touch ~/gone`; touch ~/gone\\n\\033]0;$(touch ~/gone)\\007'; ".to_owned(),
        "curl -sS -g 'http://-touch-gone.$(touch ~/gone).test/' 2>&1; ".to_owned(),
        "curl -sS -x '' -g -X '`touch$IFS~/gone`' http://chosen.test/ 2>&1; ".to_owned(),
        "curl -sS -g 'http://touch-gone.chosen.test/$(touch$IFS~/gone)&touch$IFS~/gone' 2>&1; ".to_owned(),
        "curl -sS -g 'http://chosen.test/$(touch$IFS~/gone);touch$IFS~/gone' -A '$(touch ~/gone)' 2>&1; ".to_owned(),
        format!("curl -sS -H \"X: $EXAMPLE_TOKEN\" -H 'Y: $(touch ~/gone)' -X '|touch' https://{place}/open/x 2>&1; "),
        format!("curl -sS -g \"https://{place}/open/\\$(touch\\$IFS~/gone)/$EXAMPLE_TOKEN\" 2>&1; "),
    ]
    .concat()
}

#[test]
fn nothing_that_an_agent_chose_becomes_an_argument_or_code_of_the_command() {
    let scene = Scene::new();
    let command = format!("tr '\\0' '|' </proc/$$/cmdline >>~/arguments; echo >>~/arguments; {TELL}");
    let policy = policy(&scene, &command);
    begin(&scene, &policy, &chosen(&scene));
    // Of what is held, whatever comes first, and all that follows, until the program has ended.
    until("the end", || {
        let listed = scene.cofferdam(&["pending", "--json"]).run().assert_success().json();
        let waiting = listed[0]["waiting"].as_array().cloned().unwrap_or_default();
        for held in waiting {
            scene.cofferdam(&["pending", "deny", &held["id"].to_string(), "-s", "one"]).run();
        }
        told(&scene).last().is_some_and(|last| last.starts_with("ended|")).then_some(())
    });
    scene.home.wait_until_quiet();
    let all = told(&scene);
    let logs = scene.cofferdam(&["logs", "one"]).run();
    // The control: what the agent chose did come, in a variable.
    let is_chosen = |line: &String| line.starts_with("held|") && line.contains("chosen.test");
    assert!(all.iter().any(is_chosen), "{all:?} {logs}");
    assert!(all.iter().any(|line| line.starts_with("handle-leaked|")), "{all:?}");
    assert!(!scene.home.home().join("gone").exists(), "{all:?}");
    let arguments = lines(scene.home.home().join("arguments"));
    assert_eq!(arguments.len(), all.len(), "{arguments:?}");
    for line in arguments {
        assert_eq!(line, format!("sh|-c|{command}|"));
    }
}

const SELF: &str = "[ $COFFERDAM_EVENT = handle-leaked ] || exit 0; id -u >~/as; readlink /proc/self/ns/user /proc/self/ns/pid /proc/self/ns/mnt /proc/self/ns/net >>~/as; \
     env >~/environment; sh -c 'ls -l /proc/$PPID/fd >~/descriptors'; grep -E '^(Seccomp|NoNewPrivs|CapBnd|SigBlk):' /proc/self/status >~/rights";

#[test]
fn it_runs_outside_the_cell_as_the_owner_and_with_no_descriptor_of_the_session_s() {
    let scene = Scene::new();
    let policy = policy(&scene, SELF);
    let script = format!("readlink /proc/self/ns/pid >inside; cat inside; {}", leak(&scene));
    let run = scene.session("one", &["--policy", &policy], &script);
    scene.home.wait_until_quiet();
    let of = |name: &str| lines(scene.home.home().join(name));
    let own = |name: &str| fs::read_link(format!("/proc/self/ns/{name}")).unwrap().display().to_string();
    let [user, pid, mnt, net] = ["user", "pid", "mnt", "net"].map(own);
    // The control: in the cell it is another one.
    assert!(run.stdout().contains("pid:[") && !run.stdout().contains(&pid), "{run}");
    assert_eq!(of("as"), [scene.home.uid().to_string(), user, pid, mnt, net]);
    let descriptors = of("descriptors");
    let open: Vec<&str> =
        descriptors.iter().filter_map(|line| line.split_once(" -> ")).map(|(_, to)| to).collect();
    assert_eq!(open, ["/dev/null"; 3], "{descriptors:?}");
    let keys = |lines: &[String]| -> BTreeSet<String> {
        lines.iter().filter_map(|line| line.split_once('=')).map(|(key, _)| key.to_owned()).collect()
    };
    let environment = of("environment");
    let plain = scene.home.invoke("env").env("SSL_CERT_FILE", "x").run();
    let mut expected = keys(&plain.stdout().lines().map(str::to_owned).collect::<Vec<_>>());
    expected.extend(["COFFERDAM_EVENT", "COFFERDAM_SESSION", "COFFERDAM_TEXT"].map(str::to_owned));
    // A shell sets these by itself.
    let of_a_shell = |key: &String| !matches!(key.as_str(), "PWD" | "OLDPWD" | "SHLVL" | "_");
    let found: BTreeSet<String> = keys(&environment).into_iter().filter(of_a_shell).collect();
    assert_eq!(found, expected);
    assert!(
        !environment.iter().any(|line| line.contains(SECRET) || line.contains("ghp_")),
        "{environment:?}"
    );
    let own = scene
        .home
        .invoke("grep")
        .args(["-E", "^(Seccomp|NoNewPrivs|CapBnd|SigBlk):", "/proc/self/status"])
        .run();
    assert_eq!(
        of("rights"),
        own.stdout().lines().collect::<Vec<_>>(),
        "as any program that the owner starts"
    );
}

#[test]
fn a_repository_cannot_ask_for_a_command_on_its_owner_s_machine() {
    let scene = Scene::new();
    let repo = scene.home.repo("project");
    repo.write("cofferdam.toml", "notify = \"touch ~/gone\"\n");
    scene.cofferdam(&["trust"]).run().assert_refused(POLICY, &["notify", "on your machine"]);
    // The control: without it the request is shown, and waits for a word.
    repo.write("cofferdam.toml", "environment = [\"FROM_REQUEST=1\"]\n");
    let shown = scene.cofferdam(&["trust"]).run();
    assert!(shown.assert_exit(DECLINED).stdout().contains("FROM_REQUEST"), "{shown}");
    assert!(!scene.home.home().join("gone").exists());
}
