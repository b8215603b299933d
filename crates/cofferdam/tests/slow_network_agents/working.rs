//! Each agent with a key of its vendor's kind, of which it has a handle.

use super::scene::{PROMPT, Scene};
use cofferdam_testkit::agents::{Agent, Endpoint};

const ANTHROPIC_KEY: &str =
    "sk-ant-api03-Zq8vN3kTs2LhXr5WmCy9BdFa4EoGp1UiVx7JtQw6Pl0Rn8Ms2Kc4Hb9Yd3Gf5Ez1Ua7Oi6Sj2Wl8Xv4Dt-AAbbCC";
const OPENAI_KEY: &str =
    "sk-proj-Qw6Pl0Rn8Ms2Kc4Hb9Yd3Gf5Ez1Ua7Oi6Sj2Wl8Xv4DtZq8vN3kTs2LhXr5WmCy9BdFa4EoGp1UiVx7Jt";

/// As it comes, at its vendor's own name.
fn works_at_its_vendor(agent: Agent, home: &str, key: &str, api: &str, place: &str, variable: &str) {
    let scene = Scene::new(key);
    let repo = scene.repo();
    let policy = scene.policy(agent.vendor_host().unwrap(), api, place, &[variable]);
    let driven = agent.driven_at_vendor(key, None, PROMPT).unwrap();
    scene.assert_done(&scene.session(home, &policy, &driven, &repo));
}

/// At an endpoint that its settings name.
fn works(agent: Agent, home: &str, api: &str, place: &str) {
    let scene = Scene::new(OPENAI_KEY);
    let repo = scene.repo();
    let policy = scene.policy("api.models.test", api, place, &["MODEL_KEY"]);
    let endpoint = Endpoint { url: "https://api.models.test", key: OPENAI_KEY, root_file: None };
    scene.assert_done(&scene.session(home, &policy, &agent.driven(endpoint, PROMPT), &repo));
}

#[test]
fn claude_code_edits_tests_and_commits_with_nothing_but_a_handle() {
    let place = "header:x-api-key: {}";
    works_at_its_vendor(Agent::Claude, "claude", ANTHROPIC_KEY, "anthropic", place, "ANTHROPIC_API_KEY");
}

#[test]
fn codex_edits_tests_and_commits_with_nothing_but_a_handle() {
    let place = "header:Authorization: Bearer {}";
    works_at_its_vendor(Agent::Codex, "codex", OPENAI_KEY, "openai", place, "CODEX_API_KEY");
}

#[test]
fn opencode_edits_tests_and_commits_with_nothing_but_a_handle() {
    works(Agent::Opencode, "opencode", "openai", "header:Authorization: Bearer {}");
}

#[test]
fn pi_edits_tests_and_commits_with_nothing_but_a_handle() {
    works(Agent::Pi, "pi", "anthropic", "header:x-api-key: {}");
}
