//! Every command explains itself, and shells can complete them.

use super::OWNER;
use cofferdam_testkit::Home;

const COMMANDS: [&str; 25] = [
    "run",
    "ls",
    "ps",
    "show",
    "exec",
    "attach",
    "logs",
    "events",
    "stop",
    "resume",
    "refresh",
    "discard",
    "explain",
    "doctor",
    "trust",
    "untrust",
    "init",
    "review",
    "diff",
    "apply",
    "undo",
    "checkpoint",
    "restore",
    "secret",
    "completions",
];

#[test]
fn every_command_has_help_of_its_own() {
    let home = Home::of(OWNER);
    let all = home.cofferdam().arg("--help").run();
    let all = all.assert_success().stdout();
    for command in COMMANDS {
        assert!(all.contains(command), "{command} is not listed");
        let help = home.cofferdam().args([command, "--help"]).run();
        let text = help.assert_success().stdout();
        assert!(text.lines().next().is_some_and(|line| line.len() > 10), "{text}");
        assert!(text.contains("Usage: cofferdam") && text.contains("--json"), "{text}");
    }
    for command in ["run", "exec", "resume", "explain"] {
        let help = home.cofferdam().args([command, "--help"]).run();
        assert!(help.stdout().contains("Example"), "{help}");
    }
    assert!(all.contains("Examples:"), "{all}");
}

#[test]
fn shells_can_complete_commands_and_flags() {
    let home = Home::of(OWNER);
    for shell in ["bash", "zsh", "fish"] {
        let script = home.cofferdam().args(["completions", shell]).run();
        let script = script.assert_success().stdout();
        for word in ["agent-home", "discard", "refresh"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = home.cofferdam().args(["completions", shell]).run();
        let offered = script.assert_success().stdout().matches("complete-sessions").count();
        // Called where sessions are meant, never offered.
        let called = match shell {
            "bash" | "zsh" => 1,
            "fish" => 2,
            _ => 0,
        };
        assert_eq!(offered, called, "{shell}");
    }
    let source = "eval \"$(\"$1\" completions bash)\"; complete -p cofferdam";
    let cofferdam = home.cofferdam().command().get_program().to_owned();
    home.invoke("bash").args(["-c", source, "bash"]).arg(&cofferdam).run().assert_success();
}

#[test]
fn a_shell_completes_the_names_of_sessions_and_where_none_fits_their_ids() {
    let home = Home::of(OWNER);
    let asked =
        |beginning: &str| home.cofferdam().args(["complete-sessions", "--", beginning]).run().stdout();
    assert_eq!(asked(""), "");
    for name in ["first", "fifth", "second"] {
        home.cofferdam().args(["run", "--name", name, "--", "true"]).run().assert_success();
    }
    assert_eq!(asked("fi").lines().collect::<Vec<_>>(), ["fifth", "first"]);
    let listed = home.cofferdam().args(["ls", "--json"]).run().json();
    let id = listed[0]["id"].as_str().unwrap();
    assert_eq!(asked(&id[..8]), format!("{id}\n"));

    let script = "PATH=$1:$PATH; eval \"$(cofferdam completions bash)\"; shift
        COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1))
        _cofferdam_with_sessions cofferdam \"${COMP_WORDS[-1]}\" \"${COMP_WORDS[-2]}\"; echo \"${COMPREPLY[*]}\"";
    let bin = std::path::PathBuf::from(home.cofferdam().command().get_program());
    let completed = |words: &[&str]| {
        let bash = home.invoke("bash").args(["-c", script, "bash"]).arg(bin.parent().unwrap());
        bash.arg("cofferdam").args(words).run().assert_success().stdout()
    };
    for words in
        [["show", "s"].as_slice(), &["logs", "-f", "s"], &["exec", "-s", "s"], &["--json", "discard", "s"]]
    {
        assert_eq!(completed(words), "second\n", "{words:?}");
    }
    assert_eq!(completed(&["exec", "--session", ""]), "second fifth first\n");
    for words in [["review", "s"].as_slice(), &["checkpoint", "s"], &["restore", "-s", "s"]] {
        assert_eq!(completed(words), "second\n", "{words:?}");
    }
    for words in [["run", "--", "show", "fi"].as_slice(), &["init", "fi"], &["fi"]] {
        assert!(!completed(words).contains("first"), "{words:?}");
    }
}

#[test]
fn a_shell_completes_the_ids_of_checkpoints_and_of_applies_that_stand() {
    let home = Home::of(OWNER);
    let done = |arguments: &[&str]| home.cofferdam().args(arguments).run().assert_success().stdout();
    done(&["run", "--name", "one", "--", "touch", "a"]);
    done(&["checkpoint", "one"]);
    done(&["checkpoint", "one"]);
    let digest = home.cofferdam().args(["apply", "-n", "--json"]).run().json()["digest"].clone();
    let digest = digest.as_str().unwrap();
    let applied =
        home.cofferdam().args(["apply", "--json", "--digest", digest]).run().json()["apply"].clone();
    let applied = applied.as_str().unwrap();
    done(&["run", "--name", "two", "--", "true"]);
    let script = "PATH=$1:$PATH; eval \"$(cofferdam completions bash)\"; shift
        COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1))
        _cofferdam_with_sessions cofferdam \"${COMP_WORDS[-1]}\" \"${COMP_WORDS[-2]}\"; echo \"${COMPREPLY[*]}\"";
    let bin = std::path::PathBuf::from(home.cofferdam().command().get_program());
    let completed = |words: &[&str]| {
        let bash = home.invoke("bash").args(["-c", script, "bash"]).arg(bin.parent().unwrap());
        bash.arg("cofferdam").args(words).run().assert_success().stdout()
    };
    assert_eq!(completed(&["restore", "-s", "one", "c"]), "c2 c1\n");
    assert_eq!(completed(&["undo", "-s", "one", ""]), format!("{applied}\n"));
    assert_eq!(completed(&["restore", "c"]), "\n", "the latest session here has none");
    done(&["undo", "-s", "one"]);
    assert_eq!(completed(&["undo", "-s", "one", ""]), "\n", "it does not stand any more");
}

#[test]
fn the_version_is_printed() {
    let home = Home::of(OWNER);
    assert!(home.cofferdam().arg("--version").run().assert_success().stdout().starts_with("cofferdam "));
}
