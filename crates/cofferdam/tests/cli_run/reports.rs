//! What the commands report: to people in few lines, to programs as one JSON value of a known form.

use super::OWNER;
use cofferdam_testkit::{Home, Outcome};
use serde_json::Value;

const SUMMARY_LINES_MAX: usize = 6;

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// One session that changed something, and its report.
fn changed(home: &Home) -> Outcome {
    home.write("kept", "before\n");
    home.write("gone", "before\n");
    let script = "echo out; echo err >&2; echo after >kept; rm gone; echo new >new; chmod 700 .; exit 3";
    home.cofferdam().args(["run", "--json", "--name", "one", "--", "sh", "-c", script]).run()
}

const ROW: [&str; 12] = [
    "authority_digest",
    "command",
    "created_at",
    "directory",
    "ended_at",
    "exit_status",
    "id",
    "name",
    "published",
    "started_at",
    "state",
    "supervisor_pid",
];

#[test]
fn run_reports_one_object_and_standard_output_holds_nothing_else() {
    let home = Home::of(OWNER);
    let run = changed(&home);
    let report = run.assert_exit(3).json();
    assert_eq!(keys(&report), ["changes", "ending", "exit_status", "refusals", "removed", "session"]);
    assert_eq!(keys(&report["session"]), ["id", "name"]);
    assert_eq!(report["session"]["name"], "one");
    assert_eq!(report["exit_status"], serde_json::json!({ "code": 3 }));
    assert_eq!((&report["ending"], &report["removed"]), (&Value::from("exited"), &Value::from(false)));
    assert_eq!(report["refusals"], serde_json::json!([]));
    let directory = &report["changes"]["directories"][0];
    assert_eq!(directory["path"], home.work().to_str().unwrap());
    let count = |key: &str| directory[key].as_u64().unwrap();
    assert_eq!((count("added"), count("modified"), count("deleted")), (1, 1, 1), "{directory}");
    let listed: Vec<&str> = directory["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["path"].as_str().unwrap())
        .collect();
    for path in ["kept", "gone", "new"] {
        assert!(listed.contains(&path), "{listed:?}");
    }
    let stderr = run.stderr();
    assert!(stderr.contains("out\n") && stderr.contains("err\n"), "the program's own output is lost: {run}");
}

#[test]
fn a_signal_is_reported_as_one() {
    let home = Home::of(OWNER);
    let run = home.cofferdam().args(["run", "--json", "--rm", "--", "sh", "-c", "kill -9 $$"]).run();
    let report = run.assert_exit(137).json();
    assert_eq!(report["exit_status"], serde_json::json!({ "signal": 9 }));
    assert_eq!(report["removed"], true);
}

#[test]
fn every_report_is_one_value_of_a_known_form() {
    let home = Home::of(OWNER);
    changed(&home).assert_exit(3);
    let json = |arguments: &[&str]| home.cofferdam().arg("--json").args(arguments).run();
    let listed = json(&["ls"]).json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(keys(&listed[0]), ROW);
    assert_eq!(listed[0]["exit_status"], serde_json::json!({ "code": 3 }));
    assert_eq!(listed[0]["supervisor_pid"], Value::Null);

    let shown = json(&["show", "one"]).json();
    assert_eq!(keys(&shown), ["applies", "authority", "changes", "checkpoints", "session"]);
    assert_eq!(keys(&shown["session"]), ROW);
    assert_eq!(shown["authority"]["workspaces"][0]["path"], home.work().to_str().unwrap());

    let events = json(&["events", "one"]).json();
    let kinds: Vec<&str> =
        events.as_array().unwrap().iter().map(|row| row["event"]["kind"].as_str().unwrap_or("?")).collect();
    assert_eq!(keys(&events[0]), ["at", "event", "seq"]);
    assert_eq!(kinds, ["started", "exited"], "{events}");

    let logs = json(&["logs", "one"]).json();
    assert_eq!(keys(&logs), ["output", "session"]);
    assert!(logs["output"].as_str().unwrap().contains("out\n"));
    assert_eq!(keys(&json(&["explain"]).json()), keys(&json(&["explain", "one"]).json()));
    assert!(json(&["doctor"]).json().is_object());
    assert_eq!(
        json(&["discard", "one", "-f"]).json(),
        serde_json::json!({ "session": "one", "discarded": true })
    );
    assert_eq!(json(&["ls"]).json(), serde_json::json!([]));
}

#[test]
fn commands_to_a_running_session_report_one_object_each() {
    let home = Home::of(OWNER);
    let started =
        home.cofferdam().args(["run", "-d", "--json", "--name", "job", "--", "sleep", "1000"]).run();
    assert_eq!(started.assert_success().json()["detached"], true);
    let exec = home.cofferdam().args(["exec", "--json", "--", "sh", "-c", "echo out; exit 3"]).run();
    let expected = serde_json::json!({ "session": "job", "exit_status": { "code": 3 } });
    assert_eq!(exec.assert_exit(3).json(), expected);
    assert!(exec.stderr().contains("out\n"), "{exec}");
    let stopped = home.cofferdam().args(["stop", "--json", "--grace", "0"]).run();
    assert_eq!(stopped.assert_success().json(), serde_json::json!({ "session": "job", "stopped": true }));
    let resumed = home.cofferdam().args(["resume", "--json", "--", "echo", "out"]).run();
    assert_eq!(resumed.assert_success().json()["exit_status"], serde_json::json!({ "code": 0 }));
}

#[test]
fn a_failure_is_an_object_for_programs_and_three_lines_for_people() {
    let home = Home::of(OWNER);
    let failed = home.cofferdam().args(["show", "nobody", "--json"]).run();
    let report = failed.assert_exit(205).json();
    assert_eq!(keys(&report), ["error"]);
    assert_eq!(keys(&report["error"]), ["kind", "what", "what_to_do", "why"]);
    assert_eq!(report["error"]["kind"], "no-session");
    assert_eq!(failed.stderr().lines().count(), 3, "{failed}");
}

#[test]
fn the_summary_has_at_most_six_lines_and_says_what_to_type_next() {
    let home = Home::of(OWNER);
    let scripts = [
        "true",
        "touch one",
        "touch one two three four five six seven; chmod 700 .; rm -f kept",
        "mkdir -p .git/hooks; touch .git/hooks/x; touch $(seq 1 500)",
        "touch \"$(printf 'line\\nbreak')\" \"$(printf '\\033[31mred')\" \"$(printf '\\342\\200\\256rtl')\"",
    ];
    for script in scripts {
        home.write("kept", "x");
        let run = home.cofferdam().args(["run", "--", "sh", "-c", script]).run();
        let said = run.assert_success().stderr();
        assert!(said.lines().count() <= SUMMARY_LINES_MAX, "{run}");
        assert!(said.contains("cofferdam discard "), "{run}");
        assert!(!said.contains('\x1b') && !said.contains('\u{202e}'), "{said:?}");
    }
    let limited =
        home.cofferdam().args(["run", "--limit", "time=1s", "--", "sh", "-c", "touch a b c d e; sleep 99"]);
    let limited = limited.run();
    assert!(limited.assert_exit(212).stderr().lines().count() <= SUMMARY_LINES_MAX, "{limited}");
}

#[test]
fn the_summary_names_what_fits_and_counts_the_rest() {
    let home = Home::of(OWNER);
    let said = |name: &str, script: &str| {
        let run = home.cofferdam().args(["run", "--name", name, "--", "sh", "-c", script]).run();
        run.assert_success().stderr().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let three = said("three", "touch a b c");
    assert_eq!(three[..4], ["changed: 3 added", "  + a", "  + b", "  + c"]);
    assert_eq!(
        three[4..],
        [
            "cofferdam review three  ·  cofferdam diff -s three  ·  cofferdam apply -s three",
            "cofferdam resume -s three  ·  cofferdam discard three"
        ]
    );
    assert_eq!(three.len(), SUMMARY_LINES_MAX);
    let many = said("many", "touch a b c d e");
    assert_eq!(many[1..4], ["  + a", "  + b", "  … and 3 more: cofferdam show many"]);
    assert_eq!(many.len(), SUMMARY_LINES_MAX);
    // More than are listed are counted all the same.
    let crowd = said("crowd", "mkdir d; cd d; seq 1 10500 | xargs touch");
    assert!(crowd[3].starts_with("  … and 10499 more"), "{crowd:?}");
}

#[test]
fn show_says_how_it_ended_and_what_it_may_touch() {
    let home = Home::of(OWNER);
    let data = home.directory("data");
    let flags = ["--mount", "../data:/data", "-e", "COLOUR=red", "--limit", "processes=77"];
    let project = home.directory("project");
    let run = home.cofferdam().arg("run").args(flags).args(["--", "sh", "-c", "exit 3"]);
    run.in_directory(&project).run().assert_exit(3);
    let shown = home.cofferdam().args(["show", "project"]).run();
    let text = shown.assert_success().stdout();
    let mount = format!("mount {} at /data (read-only)", data.display());
    let workspace = format!("workspace {}", project.display());
    let all = [
        "exit status 3",
        "'exit 3'",
        &mount,
        &workspace,
        "COLOUR=red",
        "processes=77",
        "explain project",
        "changed  nothing\n",
    ];
    for told in all {
        assert!(text.contains(told), "{told} is not told: {text}");
    }
}

#[test]
fn what_happened_is_told_in_sentences() {
    let home = Home::of(OWNER);
    home.cofferdam().args(["run", "-d", "--name", "job", "--", "sleep", "1000"]).run().assert_success();
    home.cofferdam().args(["exec", "--", "echo", "it's", "a \u{1b}[31mtrap"]).run().assert_success();
    home.cofferdam().args(["stop", "--grace", "0"]).run().assert_success();
    let told = home.cofferdam().args(["events", "job"]).run();
    let text = told.assert_success().stdout();
    assert!(!text.contains(['{', '\u{1b}']) || text.contains("\\u{1b}"), "{text}");
    let mut lines = text.lines();
    for sentence in [": sleep 1000", "a further program was started: echo 'it'", "stopped"] {
        assert!(
            lines.any(|line| line.contains(sentence)),
            "{sentence:?} is not told, or not in turn: {text}"
        );
    }
    for line in text.lines() {
        let (date, rest) = line.split_once(' ').unwrap();
        assert!(date.starts_with("20") && date.len() == 10 && rest.chars().nth(8) == Some('Z'), "{line}");
    }
}

/// A scene in which no line fits eighty columns.
fn long(home: &Home) -> std::path::PathBuf {
    let long =
        home.directory("a-directory-with-a-rather-long-name/and-one-below-it-that-is-longer-still/end");
    home.write(long.join(".env.production-of-the-long-name"), "");
    let name = "a-name-of-a-session-that-is-as-long-as-names-may-be-here";
    let mut command = vec!["run", "--name", name, "--", "echo"];
    command.extend(["argument"; 40]);
    home.cofferdam().args(&command).in_directory(&long).run().assert_success();
    home.cofferdam().args(["run", "--", "echo", "w\u{131}de \u{1b}[31m\n\u{202e}"]).run().assert_success();
    long
}

#[test]
fn off_a_terminal_nothing_is_cut_and_a_row_is_a_line() {
    let home = Home::of(OWNER);
    let long = long(&home);
    for (command, arguments) in [("ls", 40), ("events", 40), ("show", 40), ("explain", 0)] {
        let report = home.cofferdam().arg(command).in_directory(&long).run();
        let text = report.assert_success().stdout();
        assert!(!text.contains('…'), "{command}: {text}");
        assert!(text.contains(long.to_str().unwrap()) || command == "events", "{command}: {text}");
        assert!(text.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'), "{command}: {text:?}");
        let most = text.lines().map(|line| line.matches("argument").count()).max();
        assert_eq!(most, Some(arguments), "{command}: {text}");
    }
    let masked = format!("{}/.env.production-of-the-long-name", long.display());
    assert!(home.cofferdam().arg("explain").in_directory(&long).run().stdout().contains(&masked));
}

#[test]
fn on_a_terminal_long_lines_go_on_below_and_lose_nothing() {
    let home = Home::of(OWNER);
    let long = long(&home);
    let screen = |command: &str| {
        let mut terminal = home.cofferdam().arg(command).in_directory(&long).terminal(100, 80);
        terminal.finish();
        terminal.screen()
    };
    for command in ["events", "show"] {
        assert_eq!(screen(command).matches("argument").count(), 40, "{}", screen(command));
    }
    // What is one word is broken by the terminal, and is whole for it.
    let joined: String = screen("explain").split_whitespace().collect();
    assert!(joined.contains(long.to_str().unwrap()), "{joined}");
    let below = screen("events").lines().filter(|line| line.starts_with(&" ".repeat(22))).count();
    assert!(below >= 5, "{}", screen("events"));
}

#[test]
fn colour_is_for_terminals_and_never_with_no_color() {
    let home = Home::of(OWNER);
    home.cofferdam().args(["run", "--", "touch", "new"]).run().assert_success();
    assert!(!home.cofferdam().arg("show").run().stdout().contains('\x1b'));
    let mut coloured = home.cofferdam().arg("show").terminal(24, 80);
    coloured.finish();
    assert!(coloured.raw().contains(&0x1b), "{}", coloured.screen());
    let mut plain = home.cofferdam().arg("show").env("NO_COLOR", "1").terminal(24, 80);
    plain.finish();
    assert!(!plain.raw().contains(&0x1b), "{}", plain.screen());
}
