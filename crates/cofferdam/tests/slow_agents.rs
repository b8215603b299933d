//! Agent programs in a cell that is granted nothing: each starts, and each ends with its own clear error, at once.
//! That they start outside is tested beside the test kit.
#![forbid(unsafe_code)]

use cofferdam_testkit::{Home, Outcome, Owner};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(110);

const BOTH: [Owner; 2] = [Owner::Ordinary, Owner::Root];

/// Runs an agent in a repository; `agents` is where the programs are.
fn agent(home: &Home, flags: &[&str], command: &[&str]) -> Outcome {
    let repo = home.repo("project");
    repo.write("README.md", "text\n");
    repo.commit("first");
    let agents = home.agents();
    let program = agents.join("bin").join(command.first().copied().unwrap_or_default());
    let run = home.cofferdam().arg("run").arg("--mount").arg(&agents).args(flags).arg("--").arg(program);
    // A key of nobody's, for those that ask to have it passed on.
    let run =
        run.args(command.iter().skip(1)).in_directory(repo.path()).env("ANTHROPIC_API_KEY", "sk-ant-none");
    let outcome = run.run_within(PATIENCE);
    home.wait_until_quiet();
    outcome
}

/// Both owners at once: the agents wait most of the time.
fn for_both(check: impl Fn(Owner) + Sync) {
    std::thread::scope(|threads| {
        for owner in BOTH {
            let check = &check;
            threads.spawn(move || check(owner));
        }
    });
}

fn starts(command: &[&str], says: &str) {
    for_both(|owner| {
        let run = agent(&Home::of(owner), &[], command);
        assert!(run.assert_success().stdout().contains(says), "{run}");
    });
}

/// With nothing granted it ends by itself, with this status of its own and these words of its own.
fn ends(prepare: impl Fn(&Home) + Sync, flags: &[&str], command: &[&str], status: u8, says: &[&str]) {
    for_both(|owner| {
        let home = Home::of(owner);
        prepare(&home);
        let run = agent(&home, flags, command);
        run.assert_exit(status);
        let text = format!("{}{}", run.stdout(), run.stderr());
        assert!(says.iter().all(|words| text.contains(words)), "not its own error as {owner:?}: {run}");
    });
}

#[test]
fn claude_code_starts() {
    starts(&["claude", "--version"], "Claude Code");
}

#[test]
fn codex_starts() {
    starts(&["codex", "--version"], "codex");
}

#[test]
fn opencode_starts() {
    starts(&["opencode", "--version"], "1.");
}

#[test]
fn claude_code_that_is_granted_nothing_ends_with_its_own_error() {
    let flags =
        ["--agent-home", "claude", "--dangerous-env", "ANTHROPIC_API_KEY", "-e", "CLAUDE_CODE_MAX_RETRIES=0"];
    let prompt = ["claude", "-p", "say hello", "--dangerously-skip-permissions"];
    ends(|_| {}, &flags, &prompt, 1, &["API Error: 403", "host-not-granted"]);
}

#[test]
fn claude_code_without_a_login_says_so() {
    let prompt = ["claude", "-p", "say hello", "--dangerously-skip-permissions"];
    ends(|_| {}, &["--agent-home", "claude"], &prompt, 1, &["Not logged in"]);
}

const CODEX: [&str; 5] =
    ["codex", "exec", "--dangerously-bypass-approvals-and-sandbox", "--skip-git-repo-check", "say hello"];

const CODEX_PROVIDER: &str = "model = \"m\"\nmodel_provider = \"p\"\n[model_providers.p]\nname = \"p\"\n\
    base_url = \"https://model.example/v1\"\nwire_api = \"responses\"\nrequest_max_retries = 0\nstream_max_retries = 0\n";

fn codex_settings(home: &Home, more: &str) {
    home.write(home.home().join(".codex/config.toml"), format!("{CODEX_PROVIDER}{more}"));
}

#[test]
fn codex_that_is_granted_nothing_ends_with_its_own_error() {
    let says = ["provider: p", "unexpected status 403", "host-not-granted"];
    ends(|home| codex_settings(home, ""), &["--agent-home", "codex"], &CODEX, 1, &says);
}

#[test]
fn codex_without_its_key_says_so() {
    let keyed = |home: &Home| codex_settings(home, "env_key = \"MODEL_KEY\"\n");
    ends(keyed, &["--agent-home", "codex"], &CODEX, 1, &["Missing environment variable: `MODEL_KEY`"]);
}

#[test]
fn opencode_that_is_granted_nothing_ends_with_its_own_error() {
    ends(
        |_| {},
        &["--agent-home", "opencode"],
        &["opencode", "run", "say hello"],
        1,
        &["Forbidden: {", "host-not-granted"],
    );
}
