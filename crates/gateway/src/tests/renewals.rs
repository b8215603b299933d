//! Logins that end while sessions have the use of them, and a token endpoint that is good for one use of each token.

use super::harness::{Cell, Wishes, get, run, say, start};
use super::origin::{echo, head, listen};
use crate::exchange::Exchange;
use crate::secret::Secret;
use crate::secret::store::{Store, StoreError, Value};
use crate::wire::SecretStore;
use cofferdam_policy::event::UnixNanos;
use cofferdam_policy::net::credential::Credential;
use cofferdam_policy::net::handle::{Handle, LoginFacts, LoginKind};
use cofferdam_policy::net::secret::{LoginEntry, SecretEntry, Source};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const FIRST: &str = "sk-ant-oat01-first0123456789firstABCDEFGHIJabcdefgh";
const SECOND: &str = "sk-ant-oat01-second0123456789secondABCDEFGHIJabcdef";
const NANOS_PER_SECOND: i64 = 1_000_000_000;

fn noon() -> UnixNanos {
    UnixNanos(43_200 * NANOS_PER_SECOND)
}

/// A store with a login that ends so many seconds after noon, to be refreshed at `endpoint`.
fn store(directory: &tempfile::TempDir, seconds: i64, endpoint: &str) -> Store {
    let store =
        Store::at(&SecretStore::of(&directory.path().join("state"), &directory.path().join("config")));
    let added: Result<(), StoreError> = store.change(|contents| {
        let secret = Secret::new(FIRST.into()).unwrap();
        let login = LoginEntry {
            kind: LoginKind::Claude,
            facts: LoginFacts::default(),
            token_endpoint: Some(endpoint.to_owned()),
            renewable: true,
        };
        let entry = SecretEntry {
            shape: secret.shape().unwrap(),
            source: Source::Login(LoginKind::Claude),
            added: UnixNanos(0),
            refreshed: UnixNanos(0),
            expires: Some(UnixNanos(noon().0 + seconds * NANOS_PER_SECOND)),
            revoked: None,
            revoked_in: BTreeMap::new(),
            login: Some(login),
        };
        contents.entries.insert("claude".parse().unwrap(), entry);
        let refresh = Some(Secret::new(b"refresh-one".to_vec()).unwrap());
        contents.values.insert("claude".parse().unwrap(), Value { secret, refresh });
        Ok(())
    });
    added.unwrap();
    store
}

/// A token endpoint that refuses every use of a refresh token but the first, and how often it was asked.
async fn endpoint(is_willing: bool) -> (String, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let address = listen(move |mut stream| {
        let count = Arc::clone(&count);
        async move {
            let head = head(&mut stream).await;
            assert!(head.starts_with("POST /token HTTP/1.1"), "{head}");
            let mut body = vec![0; 1];
            while !body.ends_with(b"}") {
                body.push(stream.read_u8().await.unwrap());
            }
            let is_first = count.fetch_add(1, Ordering::SeqCst) == 0;
            let body = String::from_utf8(body).unwrap();
            let is_known = is_willing && is_first && body.contains("refresh-one");
            let (status, answer) = if is_known {
                let answer = serde_json::json!({
                    "access_token": SECOND, "refresh_token": "refresh-two", "expires_in": 28_800,
                });
                ("200 OK", answer.to_string())
            } else {
                ("400 Bad Request", "{\"error\":\"invalid_grant\"}".to_owned())
            };
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{answer}", answer.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    (format!("http://{address}/token"), asked)
}

/// A session with the use of the login, to this origin.
fn session(store: &Store, origin: SocketAddr) -> Cell {
    let contents = store.contents().unwrap();
    let name = "claude".parse().unwrap();
    let credential = Credential {
        name: "claude".parse().unwrap(),
        secret: "claude".parse().unwrap(),
        place: "header:Authorization: Bearer {}".parse().unwrap(),
        environment: Vec::new(),
    };
    let handle = Handle::new(&contents.entries[&name].shape, &[3; 32]);
    let exchange = Exchange::open(vec![(credential, handle)], store, "one", noon()).unwrap();
    assert!(exchange.has_logins());
    start(Wishes {
        grants: vec![format!("http://a.test:{}/** credential=claude address=127.0.0.1", origin.port())],
        exchange: Some(exchange),
        logins: Some((store.clone(), noon)),
        ..Wishes::default()
    })
}

async fn ask(cell: &Cell, origin: SocketAddr) -> String {
    let host = format!("a.test:{}", origin.port());
    say(&mut cell.connect(&host).await, &get("/x", &host)).await
}

/// Tells the bearer that each request carries, and that nothing of it comes back.
async fn origin() -> (SocketAddr, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let (seen, heads) = tokio::sync::mpsc::unbounded_channel();
    let origin = listen(move |mut stream| {
        let seen = seen.clone();
        async move {
            seen.send(head(&mut stream).await).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
        }
    })
    .await;
    (origin, heads)
}

#[test]
fn two_sessions_at_once_refresh_a_login_once_and_both_go_on_with_what_it_brought() {
    run(async {
        let (address, asked) = endpoint(true).await;
        let directory = tempfile::tempdir().unwrap();
        let store = store(&directory, 60, &address);
        let (origin, mut heads) = origin().await;
        let (one, two) = (session(&store, origin), session(&store, origin));
        let both = tokio::join!(ask(&one, origin), ask(&two, origin), ask(&one, origin));
        for answer in [both.0, both.1, both.2] {
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            assert!(heads.recv().await.unwrap().contains(&format!("Bearer {SECOND}")));
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        let kept = store.contents().unwrap();
        let value = &kept.values[&"claude".parse().unwrap()];
        assert_eq!(value.refresh.as_ref().unwrap().expose(), b"refresh-two");
    });
}

#[test]
fn a_login_that_is_not_refreshed_is_used_to_its_end_and_refused_after_it() {
    run(async {
        let (address, asked) = endpoint(false).await;
        let directory = tempfile::tempdir().unwrap();
        let (origin, mut heads) = origin().await;
        let cell = session(&store(&directory, 60, &address), origin);
        assert!(ask(&cell, origin).await.starts_with("HTTP/1.1 200"));
        assert!(heads.recv().await.unwrap().contains(&format!("Bearer {FIRST}")));
        let over = tempfile::tempdir().unwrap();
        let cell = session(&store(&over, -60, &address), origin);
        for _ in 0..2 {
            let answer = ask(&cell, origin).await;
            assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("credential-expired"), "{answer}");
        }
        assert_eq!(asked.load(Ordering::SeqCst), 2, "it is not asked again at once");
        assert!(heads.try_recv().is_err());
    });
}

#[test]
fn a_login_with_time_left_asks_nobody() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let store = store(&directory, 3600, "http://127.0.0.1:1/token");
        let origin = listen(echo).await;
        let answer = ask(&session(&store, origin), origin).await;
        assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains(FIRST), "{answer}");
    });
}
