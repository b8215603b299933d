//! The agent programs start, and work by a script, outside a cell: the positive control of every test that has them
//! inside.
#![forbid(unsafe_code)]

use cofferdam_testkit::agents::{Agent, Endpoint};
use cofferdam_testkit::model::{Act, ModelServer, Script};
use cofferdam_testkit::pki::Pki;
use cofferdam_testkit::proxy::Proxy;
use cofferdam_testkit::server::Seen;
use cofferdam_testkit::{Home, Invocation, Owner, Repo};
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(50);
const PROMPT: &str = "mend the sum";
/// For an agent without a vendor: its test fails.
const NOWHERE: Endpoint<'_> = Endpoint { url: "", key: "", root_file: None };
const KEY: &str = "sk-test-0123456789";

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

/// The work that each agent does: reads and edits a file, makes another, tests, commits.
fn work(repo: &Path) -> Script {
    let at = |name: &str| repo.join(name).display().to_string();
    let edit = Act::Edit {
        path: at("sum.sh"),
        old: "echo $(($1 - $2))".to_owned(),
        new: "echo $(($1 + $2))".to_owned(),
    };
    Script::new()
        .then(Act::Read { path: at("sum.sh") })
        .then(edit)
        .then(Act::Write { path: at("NOTES.md"), text: "mended\n".to_owned() })
        .then(Act::shell("test \"$(sh sum.sh 2 3)\" = 5 && echo tests passed > passed.log"))
        .then(Act::shell("git add --all && git commit --quiet -m 'mend the sum'"))
        .finish("the sum is mended")
}

/// Outside a cell, with the real key: what a test inside changes is only who holds the key.
fn works(agent: Agent) {
    let pki = Pki::new();
    for owner in [Owner::current(), Owner::Ordinary] {
        let home = Home::of(owner);
        let repo = scene(&home);
        let model = ModelServer::secure(&pki, KEY, work(repo.path()));
        let url = model.url("localhost");
        let endpoint = Endpoint { url: &url, key: model.key(), root_file: Some(pki.root_file()) };
        let command = agent.driven(endpoint, PROMPT).in_home(&home);
        did_its_work(agent, &repo, command.env("TMPDIR", home.runtime()), &model);
    }
}

/// The same, when nothing but its environment's proxy says that the vendor's host is another.
fn works_at_its_vendor(agent: Agent) {
    let pki = Pki::new();
    let home = Home::new();
    let repo = scene(&home);
    let names = [agent.vendor_host().unwrap_or_default()];
    let address = (Ipv4Addr::LOCALHOST, 0).into();
    let model = ModelServer::secure_at(address, &pki, &names, KEY, work(repo.path()));
    let proxy = Proxy::to(model.server().address());
    let driven = agent.driven_at_vendor(KEY, Some(pki.root_file()), PROMPT);
    let command =
        driven.unwrap_or_else(|| agent.driven(NOWHERE, PROMPT)).in_home(&home).env("TMPDIR", home.runtime());
    let through = |command: Invocation, (name, value): (&str, String)| command.env(name, value);
    let command = proxy.environment().into_iter().fold(command, through);
    did_its_work(agent, &repo, command, &model);
}

fn scene(home: &Home) -> Repo<'_> {
    let repo = home.repo("project");
    repo.write("sum.sh", "# adds\necho $(($1 - $2))\n");
    repo.commit("first");
    home.write(home.home().join(".gitconfig"), "[user]\n\tname = Ada\n\temail = ada@owner.example\n");
    repo
}

fn did_its_work(agent: Agent, repo: &Repo<'_>, command: Invocation, model: &ModelServer) {
    let run = command.in_directory(repo.path()).run_within(PATIENCE);
    let asked: Vec<String> = model.seen().iter().map(Seen::line).collect();
    keep(agent, model);
    let searches = |seen: &Seen| seen.body.windows(18).any(|part| part == b"\"type\":\"web_search");
    assert!(!model.seen().iter().any(searches), "{agent:?} has the vendor search the web");
    run.assert_success();
    assert!(run.stdout().contains("the sum is mended"), "{run}\n{asked:?}");
    assert_eq!(repo.read("sum.sh"), b"# adds\necho $(($1 + $2))\n", "{run}\n{asked:?}");
    assert_eq!(repo.read("NOTES.md"), b"mended\n", "{run}");
    assert_eq!(repo.git(["log", "--format=%s"]), "mend the sum\nfirst\n", "{run}");
    assert!(repo.git(["ls-files"]).contains("passed.log"), "{run}");
}

/// Keeps what an agent sent, for a person who wants to see it.
fn keep(agent: Agent, model: &ModelServer) {
    let Some(directory) = std::env::var_os("COFFERDAM_TEST_KEEP") else { return };
    for (number, seen) in model.seen().iter().enumerate() {
        let name = format!("{agent:?}-{number:02}.txt");
        let text = format!("{seen:#?}\n{}", String::from_utf8_lossy(&seen.body));
        let kept = std::fs::write(Path::new(&directory).join(name), text);
        assert!(kept.is_ok(), "cannot keep what was sent: {kept:?}");
    }
}

#[test]
fn claude_code_edits_tests_and_commits_by_a_script() {
    works(Agent::Claude);
}

#[test]
fn codex_edits_tests_and_commits_by_a_script() {
    works(Agent::Codex);
}

#[test]
fn opencode_edits_tests_and_commits_by_a_script() {
    works(Agent::Opencode);
}

#[test]
fn pi_edits_tests_and_commits_by_a_script() {
    works(Agent::Pi);
}

#[test]
fn claude_code_works_by_a_script_as_it_comes() {
    works_at_its_vendor(Agent::Claude);
}

#[test]
fn codex_works_by_a_script_as_it_comes() {
    works_at_its_vendor(Agent::Codex);
}
