//! Claude Code with the owner's subscription: a handle in its own file, and a login that the gateway keeps fresh.

use super::scene::{PROMPT, Scene};
use cofferdam_testkit::agents::Agent;
use cofferdam_testkit::server::{Answer, Server};
use serde_json::json;

const ACCESS: &str =
    "sk-ant-oat01-Ld9Wk2Vb7Nq4Xs1Zt8Rf5Hc3Jy6Mg0Pa9Eu2Io7Bw4Dx1Cv8Tn5Gk3Qm6Yl0Sh9Fr2Zj7Op4Ua1Xe-AAccEE";
const STALE: &str =
    "sk-ant-oat01-Ty5Hn8Gb2Vf6Rd9Ce3Xs7Wz1Qa4Lp0Ok8Im5Jn2Uh6Bg9Yv3Tf7Cr1Dx4Es0Za8Wq5Mk2Nj6Pl9Oi-BBddFF";
const FAR_MILLISECONDS: u64 = 4_000_000_000_000;

fn works_with_a_login(expires_milliseconds: u64, access: &str, endpoint: Option<&str>) -> Scene {
    let scene = Scene::new(ACCESS);
    let repo = scene.repo();
    let login = json!({"claudeAiOauth": {
        "accessToken": access, "refreshToken": "sk-ant-ort01-planted-refresh", "expiresAt": expires_milliseconds,
        "scopes": ["user:inference", "user:profile"], "subscriptionType": "max",
    }});
    scene.home.write(scene.home.home().join(".claude/.credentials.json"), login.to_string());
    let add = scene.cofferdam().args(["secret", "add", "claude", "--from", "login:claude"]);
    let add = endpoint.into_iter().fold(add, |add, endpoint| add.args(["--token-endpoint", endpoint]));
    add.run().assert_success();
    let place = "header:Authorization: Bearer {}";
    let policy = scene.policy_with("claude", "api.anthropic.com", "anthropic", place, &[]);
    let mut driven = Agent::Claude.driven_at_vendor(ACCESS, None, PROMPT).unwrap();
    driven.environment.retain(|(name, _)| *name != "ANTHROPIC_API_KEY");
    scene.assert_done(&scene.session("claude", &policy, &driven, &repo));
    scene
}

#[test]
fn claude_code_works_with_the_owners_login_and_never_has_it() {
    works_with_a_login(FAR_MILLISECONDS, ACCESS, None);
}

#[test]
fn a_login_that_has_run_out_is_refreshed_outside_and_claude_code_works() {
    let token = Server::plain(|_| {
        let fresh = json!({"access_token": ACCESS, "refresh_token": "sk-ant-ort01-planted-next", "expires_in": 28_800});
        Answer::json(&fresh)
    });
    let endpoint = format!("http://{}/v1/oauth/token", token.address());
    works_with_a_login(1_000_000_000_000, STALE, Some(&endpoint));
    let asked: Vec<String> = token.seen().iter().map(|seen| seen.line()).collect();
    assert_eq!(asked, ["POST /v1/oauth/token"]);
}
