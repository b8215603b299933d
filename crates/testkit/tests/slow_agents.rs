//! The agent programs start outside a cell: the positive control of every test that starts them inside.
#![forbid(unsafe_code)]

use cofferdam_testkit::{Home, Owner};

fn starts(program: &str, says: &str) {
    for owner in [Owner::current(), Owner::Ordinary] {
        let home = Home::of(owner);
        let agent = home.invoke(home.agents().join("bin").join(program)).env("TMPDIR", home.runtime());
        let run = agent.arg("--version").run();
        run.assert_success();
        assert!(run.stdout().contains(says), "{run}");
    }
}

#[test]
fn claude_code_starts() {
    starts("claude", "Claude Code");
}

#[test]
fn codex_starts() {
    starts("codex", "codex");
}

#[test]
fn opencode_starts() {
    starts("opencode", "1.");
}

#[test]
fn pi_starts() {
    starts("pi", "0.");
}
