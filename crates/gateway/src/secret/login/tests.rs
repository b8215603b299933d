//! Logins against made-up files and a scripted token endpoint.

use super::*;
use crate::wire::SecretStore;
use cofferdam_policy::net::secret::{LoginEntry, SecretEntry, Source};
use std::cell::RefCell;
use std::convert::Infallible;

const HOUR: i64 = 3600 * NANOS_PER_SECOND;

fn token_ending_at(seconds: i64) -> String {
    let part = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
    format!(
        "{}.{}.{}",
        part(r#"{"alg":"RS256"}"#),
        part(&format!(r#"{{"exp":{seconds}}}"#)),
        part("signature")
    )
}

#[test]
fn claudes_file_is_read() {
    let file = br#"{"claudeAiOauth":{"accessToken":"sk-ant-oat01-access","refreshToken":"sk-ant-ort01-refresh",
        "expiresAt":1747909518727,"scopes":["user:inference","user:profile"],"subscriptionType":"max"},"other":1}"#;
    let login = parse_file(LoginKind::Claude, file).unwrap();
    assert_eq!(login.access.expose(), b"sk-ant-oat01-access");
    assert_eq!(login.refresh.unwrap().expose(), b"sk-ant-ort01-refresh");
    assert_eq!(login.expires, Some(UnixNanos(1_747_909_518_727_000_000)));
    assert_eq!(login.facts.plan.as_deref(), Some("max"));
    for none in [b"{}".as_slice(), br#"{"claudeAiOauth":{}}"#, b"not json", b""] {
        assert_eq!(parse_file(LoginKind::Claude, none).unwrap_err(), LoginError::NoLogin);
    }
}

#[test]
fn codexs_file_is_read_and_an_api_key_alone_is_no_login() {
    let identity = BASE64URL_NOPAD.encode(
        br#"{"https://api.openai.com/auth":{"chatgpt_plan_type":"pro","chatgpt_account_id":"account-1"}}"#,
    );
    let file = serde_json::json!({
        "OPENAI_API_KEY": null, "last_refresh": "2026-01-01T00:00:00Z",
        "tokens": { "id_token": format!("e30.{identity}.sig"), "access_token": token_ending_at(1000), "refresh_token": "refresh-1" },
    });
    let login = parse_file(LoginKind::Codex, file.to_string().as_bytes()).unwrap();
    assert_eq!(login.expires, Some(UnixNanos(1000 * NANOS_PER_SECOND)));
    assert_eq!(login.facts.plan.as_deref(), Some("pro"));
    assert_eq!(login.facts.account.as_deref(), Some("account-1"));
    let key_only = br#"{"OPENAI_API_KEY":"sk-planted-planted","tokens":null}"#;
    assert_eq!(parse_file(LoginKind::Codex, key_only).unwrap_err(), LoginError::NoLogin);
}

#[test]
fn a_request_says_what_the_program_would_and_shows_no_token() {
    let refresh = Secret::new(b"refresh\"quoted".to_vec()).unwrap();
    let request = token_request(LoginKind::Codex, None, &refresh).unwrap();
    assert_eq!(request.endpoint, "https://auth.openai.com/oauth/token");
    let body: serde_json::Value = serde_json::from_slice(&request.body.0).unwrap();
    assert_eq!(body["grant_type"], "refresh_token");
    assert_eq!(body["refresh_token"], "refresh\"quoted");
    assert!(!format!("{request:?}").contains("quoted"));
    let own = token_request(LoginKind::Claude, Some("http://127.0.0.1:1/token"), &refresh).unwrap();
    assert_eq!(own.endpoint, "http://127.0.0.1:1/token");
}

struct Scene {
    _directory: tempfile::TempDir,
    store: Store,
    name: SecretName,
}

fn scene(expires: i64) -> Scene {
    let directory = tempfile::tempdir().unwrap();
    let store =
        Store::at(&SecretStore::of(&directory.path().join("state"), &directory.path().join("config")));
    let name: SecretName = "claude".parse().unwrap();
    let added: Result<(), StoreError> = store.change(|contents| {
        let secret = Secret::new(b"access-one".to_vec()).unwrap();
        let facts = LoginFacts::default();
        let entry = SecretEntry {
            shape: secret.shape().unwrap(),
            source: Source::Login(LoginKind::Claude),
            added: UnixNanos(0),
            refreshed: UnixNanos(0),
            expires: Some(UnixNanos(expires)),
            revoked: None,
            revoked_in: BTreeMap::new(),
            login: Some(LoginEntry { kind: LoginKind::Claude, facts, token_endpoint: None, renewable: true }),
        };
        contents.entries.insert(name.clone(), entry);
        let refresh = Some(Secret::new(b"refresh-one".to_vec()).unwrap());
        contents.values.insert(name.clone(), Value { secret, refresh });
        Ok(())
    });
    added.unwrap();
    Scene { _directory: directory, store, name }
}

fn answer(status: u16, body: &str) -> TokenAnswer {
    TokenAnswer { status, body: Zeroizing::new(body.as_bytes().to_vec()) }
}

const RENEWED: &str = r#"{"access_token":"access-two","refresh_token":"refresh-two","expires_in":28800}"#;

#[tokio::test]
async fn a_login_near_its_end_is_refreshed_and_kept_before_it_is_used() {
    let scene = scene(HOUR);
    let asked = RefCell::new(0);
    let send = async |_: TokenRequest| {
        *asked.borrow_mut() += 1;
        Ok::<_, Infallible>(answer(200, RENEWED))
    };
    // Time enough: nobody is asked.
    let value = renew(&scene.store, &scene.name, UnixNanos(0), &send).await.unwrap().secret;
    assert_eq!((value.expose(), *asked.borrow()), (b"access-one".as_slice(), 0));
    let renewed = renew(&scene.store, &scene.name, UnixNanos(HOUR), &send).await.unwrap();
    assert_eq!((renewed.secret.expose(), *asked.borrow()), (b"access-two".as_slice(), 1));
    assert_eq!(renewed.expires, Some(UnixNanos(9 * HOUR)));
    let contents = scene.store.contents().unwrap();
    assert_eq!(contents.values[&scene.name].refresh.as_ref().unwrap().expose(), b"refresh-two");
    assert_eq!(contents.entries[&scene.name].expires, Some(UnixNanos(9 * HOUR)));
}

#[tokio::test]
async fn many_sessions_at_once_refresh_once() {
    let scene = scene(0);
    let asked = RefCell::new(Vec::new());
    let send = async |request: TokenRequest| {
        asked.borrow_mut().push(String::from_utf8(request.body.0.to_vec()).unwrap());
        tokio::time::sleep(Duration::from_millis(30)).await;
        Ok::<_, Infallible>(answer(200, RENEWED))
    };
    let one = || renew(&scene.store, &scene.name, UnixNanos(HOUR), &send);
    let (first, second, third) = tokio::join!(one(), one(), one());
    for value in [first, second, third] {
        assert_eq!(value.unwrap().secret.expose(), b"access-two");
    }
    assert_eq!(asked.borrow().len(), 1, "a refresh token is good for one use");
}

#[tokio::test]
async fn a_revoked_login_is_not_refreshed() {
    let scene = scene(0);
    let revoked: Result<(), StoreError> = scene.store.change_entries(|entries| {
        entries.values_mut().for_each(|entry| entry.revoked = Some(UnixNanos(1)));
        Ok(())
    });
    revoked.unwrap();
    let send = async |_: TokenRequest| -> Result<TokenAnswer, Infallible> { panic!("nobody is asked") };
    let renewed = renew(&scene.store, &scene.name, UnixNanos(HOUR), send).await;
    assert!(matches!(renewed, Err(RenewError::Revoked)));
}

#[tokio::test]
async fn a_refusal_and_an_answer_that_makes_no_sense_leave_the_store_alone() {
    for (status, body) in
        [(400, "{}"), (401, ""), (500, RENEWED), (200, "{}"), (200, r#"{"access_token":"a\nb"}"#)]
    {
        let scene = scene(0);
        let send = async |_: TokenRequest| Ok::<_, Infallible>(answer(status, body));
        assert!(renew(&scene.store, &scene.name, UnixNanos(HOUR), send).await.is_err(), "{status}");
        let contents = scene.store.contents().unwrap();
        assert_eq!(contents.values[&scene.name].secret.expose(), b"access-one");
        assert_eq!(contents.values[&scene.name].refresh.as_ref().unwrap().expose(), b"refresh-one");
    }
}
