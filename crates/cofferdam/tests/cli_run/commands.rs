//! Every command explains itself, and shells can complete them.

use super::OWNER;
use cofferdam_testkit::Home;

const COMMANDS: [&str; 17] = [
    "run", "ls", "ps", "show", "exec", "attach", "logs", "events", "stop", "resume", "refresh", "discard",
    "explain", "doctor", "trust", "untrust", "init",
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
    let source = "eval \"$(\"$1\" completions bash)\"; complete -p cofferdam";
    let cofferdam = home.cofferdam().command().get_program().to_owned();
    home.invoke("bash").args(["-c", source, "bash"]).arg(&cofferdam).run().assert_success();
}

#[test]
fn the_version_is_printed() {
    let home = Home::of(OWNER);
    assert!(home.cofferdam().arg("--version").run().assert_success().stdout().starts_with("cofferdam "));
}
