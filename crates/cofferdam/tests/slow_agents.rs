//! Agent programs in a cell that has no network: each starts, and each ends with its own clear error. None hangs.
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
    let run = run.args(command.iter().skip(1)).in_directory(repo.path());
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

/// Without a network it ends by itself, with a status and a text of its own.
fn ends(flags: &[&str], command: &[&str], any_of: &[&str]) {
    for_both(|owner| {
        let run = agent(&Home::of(owner), flags, command);
        let text = format!("{}{}", run.stdout(), run.stderr()).to_lowercase();
        assert!(any_of.iter().any(|word| text.contains(word)), "no clear error as {owner:?}: {run}");
        assert!(run.status.code().is_some_and(|code| !(200..220).contains(&code)), "{run}");
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

/// What each of them says of a network that is not there, or of a login that is missing.
const NO_NETWORK: [&str; 7] = ["connect", "network", "unreachable", "login", "log in", "api key", "econn"];

#[test]
fn claude_code_without_a_network_ends_with_its_own_error() {
    let flags = ["--agent-home", "claude", "--dangerous-env", "ANTHROPIC_API_KEY"];
    let prompt = ["claude", "-p", "say hello", "--dangerously-skip-permissions"];
    ends(&flags, &prompt, &NO_NETWORK);
}

/// It says that it waits for a network, and goes on waiting: the session's time limit ends it.
#[test]
fn codex_without_a_network_says_so_and_is_ended_by_the_time_limit() {
    const TIME_LIMIT: u8 = 212;
    let prompt =
        ["codex", "exec", "--dangerously-bypass-approvals-and-sandbox", "--skip-git-repo-check", "say hello"];
    for_both(|owner| {
        let home = Home::of(owner);
        let settings = "model = \"m\"\nmodel_provider = \"p\"\n[model_providers.p]\nname = \"p\"\nbase_url = \"https://model.example/v1\"\n\
            wire_api = \"responses\"\nrequest_max_retries = 0\nstream_max_retries = 0\n";
        home.write(home.home().join(".codex/config.toml"), settings);
        let run = agent(&home, &["--agent-home", "codex", "--limit", "time=20s"], &prompt);
        assert!(run.assert_exit(TIME_LIMIT).stderr().contains("waiting for network"), "{run}");
        assert!(run.stderr().contains("provider: p"), "its settings did not come along: {run}");
    });
}

#[test]
fn opencode_without_a_network_ends_with_its_own_error() {
    ends(&["--agent-home", "opencode"], &["opencode", "run", "say hello"], &["error", "unable", "failed"]);
}
