//! Command lines that can't be understood, or ask for what there is not.

use super::scene::{POLICY, SECRET, Scene, UNENFORCEABLE, USAGE, WORKSPACE};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

#[test]
fn unknown_flags_and_commands_and_missing_words() {
    let scene = Scene::new();
    let lines: [&[&str]; 13] = [
        &["run", "--nonsense", "--", "true"],
        &["qwertyuiop"],
        &["run", "true"],
        &["run"],
        &["run", "--"],
        &["run", "--name"],
        &["discard"],
        &["stop", "--grace", "soon"],
        &["completions", "qwertyuiop"],
        &["explain", "-w", ".", "session"],
        &["show", "one", "two"],
        &["exec", "ls"],
        &["ls", "--json=yes"],
    ];
    for line in lines {
        scene.refused(scene.cofferdam().args(line), USAGE, &["error:", "why:", "try:"]);
    }
}

#[test]
fn what_to_do_names_what_was_meant_or_the_help_of_the_command() {
    let scene = Scene::new();
    for (line, hint) in [
        (["run", "--nonsense", "--", "true"].as_slice(), "try: cofferdam run --help\n"),
        (&["discard"], "try: cofferdam discard --help\n"),
        (&["run", "--namme", "x", "--", "true"], "try: a similar argument exists: '--name'\n"),
        (&["qwertyuiop"], "try: cofferdam --help, or cofferdam COMMAND --help\n"),
    ] {
        scene.refused(scene.cofferdam().args(line), USAGE, &[hint]);
    }
}

/// They would change nothing: a session's authority is what it started with.
#[test]
fn explaining_a_session_takes_no_flags_of_a_start() {
    let scene = Scene::new();
    for flag in [
        "--workspace=.",
        "--mount=.",
        "--env=A=1",
        "--dangerous-env=A",
        "--mask=x",
        "--instructions=.",
        "--agent-home=claude",
        "--tools=node",
        "--profile=chromium",
        "--limit=files=9",
        "--copy",
        "--policy=x",
    ] {
        scene.refused(scene.cofferdam().args(["explain", flag, "session"]), USAGE, &["cannot be used with"]);
    }
}

#[test]
fn a_command_without_the_dashes_before_it_is_told_where_it_belongs() {
    let scene = Scene::new();
    for (line, hint) in [
        (["run", "make", "test"].as_slice(), "cofferdam run -- make"),
        (&["run", "--rm", "ls", "-l"], "cofferdam run -- ls"),
        (&["exec", "ls"], "cofferdam exec -- ls"),
        (&["resume", "ls"], "cofferdam resume -- ls"),
    ] {
        scene.refused(scene.cofferdam().args(line), USAGE, &["follows `--`", hint]);
    }
    let flag = scene.refused(scene.cofferdam().args(["run", "--nonsense"]), USAGE, &["--nonsense"]);
    assert!(!flag.stderr().contains("follows"), "{flag}");
}

#[test]
fn names_that_a_shell_or_a_terminal_would_stumble_over() {
    let scene = Scene::new();
    let long = "x".repeat(300);
    let names: [&[u8]; 8] = [b"a/b", b"a\nb", b"a\xff", b"", b"..", b"a b", b"\x1b[31m", long.as_bytes()];
    for name in names {
        scene.run_refused(&[OsStr::new("--name"), OsStr::from_bytes(name)], USAGE, &["name"]);
    }
}

#[test]
fn limits_that_are_none() {
    let scene = Scene::new();
    for limit in [
        "memory=x",
        "memory=0",
        "memory=-1",
        "memory=1K",
        "memory=",
        "memory",
        "=1",
        "nonsense=1",
        "time=0",
        "time=99999999999999d",
        "cpu=0",
        "cpu=nan",
        "processes=1",
        "files=1",
        "tmp=x",
        "time=1",
    ] {
        scene.run_refused(&["--limit", limit], USAGE, &["limit"]);
    }
}

/// By default a disk is shared without a quota; asked for by name, the limit must hold or be refused.
#[test]
fn a_limit_that_nothing_here_can_keep() {
    let scene = Scene::new();
    scene.run_refused(&["--limit", "disk=1G"], UNENFORCEABLE, &["disk"]);
}

#[test]
fn mounts_that_lead_nowhere_or_to_too_much() {
    let scene = Scene::new();
    let home = scene.home.home().to_str().unwrap().to_owned();
    let own = [".:/etc", ".:/usr/x", ".:/", ".:/proc", ".:/var/lib", ".:/var/lib/cofferdam/hosts"];
    for mount in ["file:relative:ro", "a:b:c", ":/x"].into_iter().chain(own) {
        scene.run_refused(&["--mount", mount], USAGE, &["mount"]);
    }
    scene.run_refused(&["--mount", &format!(".:{home}")], USAGE, &["hide"]);
    for mount in ["missing", "/", "~", "/dev/null:/n"] {
        scene.run_refused(&["--mount", mount], WORKSPACE, &["mount"]);
    }
    std::fs::create_dir_all(scene.home.state()).unwrap();
    scene.home.invoke("true").run();
    let state = scene.home.state().to_str().unwrap().to_owned();
    scene.run_refused(&["--mount", &state], WORKSPACE, &["own files"]);
    let twice = ["--mount", "below/file:/x", "--mount", "file:/x"];
    scene.run_refused(&twice, USAGE, &["/x"]);
}

/// A socket or FIFO leads to whoever listens on the host, however it is mounted.
#[test]
fn mounts_of_sockets_and_fifos() {
    let scene = Scene::new();
    let plants = scene.home.directory("plants");
    let make = "import os, socket; os.mkfifo('fifo'); socket.socket(socket.AF_UNIX).bind('socket')";
    scene.home.invoke("python3").args(["-c", make]).in_directory(&plants).run().assert_success();
    for plant in ["fifo", "socket"] {
        let mount = format!("{}:/x", plants.join(plant).display());
        let run = scene.cofferdam().args(["run", "--mount", &mount, "--", "true"]).run();
        run.assert_refused(WORKSPACE, &["neither a directory nor a regular file"]);
    }
    scene.assert_no_session();
}

#[test]
fn masks_that_are_no_patterns() {
    let scene = Scene::new();
    for mask in ["", "[", "a/[", "!shown", "/", "..", "a\nb", "a\\"] {
        scene.run_refused(&["--mask", mask], POLICY, &["mask"]);
    }
}

#[test]
fn variables_without_a_name_and_those_that_the_cell_sets() {
    let scene = Scene::new();
    for variable in ["1A=2", "A B=1", "=1", "", "PATH=/x", "HOME=/", "USER", "COFFERDAM_SESSION=x"] {
        scene.run_refused(&["-e", variable], USAGE, &["variable"]);
    }
    scene.run_refused(&["--dangerous-env", "A B"], USAGE, &["variable"]);
}

/// From a policy it is left out, with a note: what a directory needs in one place, it may do without in another.
#[test]
fn a_variable_that_is_not_set_is_refused_where_it_was_named_by_hand() {
    let scene = Scene::new();
    scene.run_refused(&["-e", "NOT_SET_HERE"], USAGE, &["NOT_SET_HERE", "not set", "-e NOT_SET_HERE=VALUE"]);
    scene.run_refused(&["--dangerous-env", "NOT_SET_HERE"], USAGE, &["NOT_SET_HERE", "not set"]);
    let policy = scene.home.write("policy.toml", "environment = [\"NOT_SET_HERE\"]\n");
    let run = scene.cofferdam().args(["run", "--rm", "--policy"]).arg(&policy).args(["--", "true"]).run();
    let told = run.assert_success().stderr();
    assert!(told.contains("NOT_SET_HERE") && told.lines().count() == 1, "{run}");
}

#[test]
fn a_secret_in_a_variable_is_named_and_never_repeated() {
    let scene = Scene::new();
    let secret = "ghp_abcdefghijklmnopqrstuvwxyz0123456789";
    for (variable, name) in [
        (format!("A={secret}"), "A"),
        ("DB_PASSWORD=correct-horse-battery".to_owned(), "DB_PASSWORD"),
        ("INHERITED_TOKEN".to_owned(), "INHERITED_TOKEN"),
    ] {
        let run =
            scene.cofferdam().env("INHERITED_TOKEN", secret).args(["run", "-e", &variable, "--", "true"]);
        let refused = scene.refused(run, SECRET, &[name, "--dangerous-env"]);
        let stderr = refused.stderr();
        assert!(!stderr.contains(secret) && !stderr.contains("correct-horse"), "{stderr}");
    }
}

#[test]
fn tools_agents_and_profiles_that_nobody_knows_are_refused_with_those_that_are_known() {
    let scene = Scene::new();
    scene.run_refused(&["--tools", "qwertyuiop"], POLICY, &["qwertyuiop", "cargo", "node"]);
    scene.run_refused(
        &["--agent-home", "qwertyuiop"],
        POLICY,
        &["qwertyuiop", "claude", "codex", "opencode"],
    );
    scene.run_refused(&["--profile", "qwertyuiop"], POLICY, &["qwertyuiop", "chromium"]);
    scene.run_refused(&["--instructions", "qwertyuiop"], WORKSPACE, &["qwertyuiop"]);
}

#[test]
fn sessions_that_there_are_not() {
    let scene = Scene::new();
    for line in
        [["show", "nobody"], ["stop", "nobody"], ["logs", ""], ["discard", "no/body"], ["attach", "\n"]]
    {
        scene.refused(scene.cofferdam().args(line), 205, &["cofferdam ls"]);
    }
    for command in ["show", "logs", "events", "stop", "refresh", "resume", "attach"] {
        scene.refused(scene.cofferdam().arg(command), 205, &["cofferdam"]);
    }
    scene.refused(scene.cofferdam().args(["exec", "--", "true"]), 205, &["cofferdam"]);
}

#[test]
fn a_command_line_that_is_not_understood_is_an_object_where_json_is_asked_for() {
    let scene = Scene::new();
    for words in [
        &["--json"][..],
        &["ls", "--json", "--frob"],
        &["run", "--json", "--frob", "--", "true"],
        &["discard", "--json"],
    ] {
        let refused = scene.cofferdam().args(words).run();
        refused.assert_exit(USAGE);
        assert_eq!(refused.json()["error"]["kind"], "usage", "{refused}");
        assert_eq!(refused.stderr().lines().count(), 3, "{refused}");
    }
    // The command's own flag asks nothing of us.
    let refused = scene.refused(scene.cofferdam().args(["run", "--frob", "--", "x", "--json"]), USAGE, &[]);
    assert_eq!(refused.stdout(), "");
}
