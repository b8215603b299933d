//! What nothing grants, held until the owner has said a word.

use super::scene::{Scene, WORD};
use std::time::Duration;

/// Longer than the silence that an answer needs before it and after it.
const SILENCE: Duration = Duration::from_millis(900);

#[test]
fn a_held_request_goes_on_when_it_is_approved_and_is_refused_when_denied() {
    let scene = Scene::new();
    // The address is not public, so it is the grant that has to name it; the request is held for its path.
    let grant = scene.grant("GET", "/v1/**");
    let script = format!("curl -sS {}; curl -sS {}", scene.url("/other"), scene.url("/more"));
    let words = ["run", "-d", "--name", "one", "--ask", "--allow", &grant, "--", "sh", "-c", &script];
    scene.cofferdam(&words).run().assert_success();
    let first = waiting(&scene);
    assert_eq!(first["refused"]["path"], "/other");
    assert!(scene.server.seen().is_empty());
    let id = first["id"].to_string();
    scene.cofferdam(&["pending", "approve", &id, "-s", "one"]).run().assert_success();
    let second = waiting(&scene);
    assert_eq!(second["refused"]["path"], "/more");
    scene.cofferdam(&["pending", "deny", &second["id"].to_string(), "-s", "one"]).run().assert_success();
    scene.home.wait_until_quiet();
    let logs = scene.cofferdam(&["logs", "one"]).run().stdout();
    assert!(logs.contains(WORD) && logs.contains("held-denied"), "{logs}");
    assert_eq!(scene.server.seen().len(), 1);
    let decisions: Vec<String> =
        scene.events_of("one", "decided").iter().map(|event| event["decision"].to_string()).collect();
    assert_eq!(decisions, ["\"allowed-once\"", "\"denied\""]);
    scene.cofferdam(&["pending", "approve", "99", "-s", "one"]).run().assert_refused(207, &["not running"]);
}

#[test]
fn without_asking_nothing_is_held() {
    let scene = Scene::new();
    let script = format!("curl -sS {}", scene.url("/other"));
    let run = scene.session("one", &["--allow", &scene.grant("GET", "/v1/**")], &script);
    assert!(run.stdout().contains("path-not-granted"), "{}", run.stdout());
    assert!(scene.events_of("one", "held").is_empty());
}

#[test]
fn the_question_takes_the_terminal_and_one_key_answers_it() {
    let scene = Scene::new();
    let script = format!("curl -sS {}; echo; echo done", scene.url("/other"));
    let words = [
        "run",
        "--name",
        "one",
        "--ask",
        "--allow",
        &scene.grant("GET", "/v1/**"),
        "--",
        "sh",
        "-c",
        &script,
    ];
    let mut terminal = scene.cofferdam(&words).terminal(24, 100);
    terminal.wait_for("the session wants what nothing grants");
    assert!(terminal.screen().contains("/other"), "{}", terminal.screen());
    // A sentence for the program, begun before the question and gone on with: no answer, however long it is.
    for key in b"so please do look for the list of those stores" {
        terminal.send([*key]);
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(Duration::from_millis(200));
    std::thread::sleep(2 * SILENCE);
    // The same after a pause, which the agent can wait for: the first letter would be an answer.
    for key in b"so that it works" {
        terminal.send([*key]);
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(2 * SILENCE);
    assert!(scene.server.seen().is_empty() && terminal.screen().contains("/other"), "{}", terminal.screen());
    terminal.send(b"o");
    terminal.wait_for("done");
    assert!(terminal.screen().contains(WORD), "{}", terminal.screen());
    terminal.finish();
}

#[test]
fn an_owner_who_keeps_saying_no_is_left_alone_for_a_minute() {
    let scene = Scene::new();
    // Seven at once, and one more after them.
    let urls = (1..=7).map(|number| format!("curl -sS {} &", scene.url(&format!("/other/{number}"))));
    let script = format!("{} wait; curl -sS {}", urls.collect::<String>(), scene.url("/last"));
    let grant = scene.grant("GET", "/v1/**");
    let words = ["run", "-d", "--name", "one", "--ask", "--allow", &grant, "--", "sh", "-c", &script];
    scene.cofferdam(&words).run().assert_success();
    for held in all_waiting(&scene, 7).iter().take(5) {
        let id = held["id"].to_string();
        scene.cofferdam(&["pending", "deny", &id, "-s", "one"]).run().assert_success();
    }
    scene.home.wait_until_quiet();
    let logs = scene.cofferdam(&["logs", "one"]).run().stdout();
    assert_eq!(logs.matches("held-denied").count(), 8, "{logs}");
    assert!(scene.server.seen().is_empty());
    let decided = scene.events_of("one", "decided");
    let count = |decision: &str| decided.iter().filter(|event| event["decision"] == decision).count();
    assert_eq!((count("denied"), count("denied-for-now"), count("timed-out")), (4, 3, 0), "{decided:?}");
    assert_eq!(scene.events_of("one", "held").len(), 7, "the last is not even held");
}

#[test]
fn what_is_offered_can_be_pasted_into_a_shell() {
    let scene = Scene::new();
    // The agent would have the owner run its command.
    let url = scene.url("/v1/x'&touch$IFS~/gone&'");
    let script = format!("curl -sS -g \"{}\"; curl -sS -g '{}'", url.replace('$', "\\$"), scene.url("/*/*"));
    let run = scene.session("one", &["--allow", &scene.grant("GET", "/other")], &script);
    let offered = format!(
        "permitted by: --allow 'GET {}/v1/x'\\''&touch$IFS~/gone&'\\'' query=deny address=127.0.0.1'",
        scene.place()
    );
    assert!(run.stderr().contains(&offered), "{}", run.stderr());
    assert!(run.stdout().contains("\"grant_that_would_allow\":null"), "{}", run.stdout());
}

/// The one request that waits, once there is one.
fn waiting(scene: &Scene) -> serde_json::Value {
    all_waiting(scene, 1).remove(0)
}

/// All requests that wait, once there are so many.
fn all_waiting(scene: &Scene, number: usize) -> Vec<serde_json::Value> {
    for _ in 0..200 {
        let listed = scene.cofferdam(&["pending", "--json"]).run().assert_success().json();
        let waiting = listed[0]["waiting"].as_array().cloned().unwrap_or_default();
        if waiting.len() >= number {
            return waiting;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{number} are not held")
}
