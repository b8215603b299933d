//! What nothing grants, held until the owner has said a word.

use super::scene::{Scene, WORD};

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
    // Typed ahead: no answer.
    terminal.send(b"o");
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(scene.server.seen().is_empty());
    std::thread::sleep(std::time::Duration::from_millis(900));
    terminal.send(b"o");
    terminal.wait_for("done");
    assert!(terminal.screen().contains(WORD), "{}", terminal.screen());
    terminal.finish();
}

/// The one request that waits, once there is one.
fn waiting(scene: &Scene) -> serde_json::Value {
    for _ in 0..200 {
        let listed = scene.cofferdam(&["pending", "--json"]).run().assert_success().json();
        if let Some(found) = listed.as_array().unwrap().first() {
            return found["waiting"][0].clone();
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("nothing is held")
}
