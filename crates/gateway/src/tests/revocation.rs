//! The owner revokes a credential while requests wait for something: its secret goes with none of them.

use super::harness::{Cell, Wishes, get, hear, run, say, start};
use super::origin::{echo, head, listen, tls};
use crate::exchange::HeldSecret;
use crate::secret::Secret;
use crate::wire::Order;
use cofferdam_policy::net::credential::Credential;
use cofferdam_policy::net::handle::{Handle, Shape};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;

const SECRET: &str = "ghp_planted0123456789plantedABCDEFGHIJab";
/// Requests that wait when the owner revokes.
const WAITING: usize = 20;
/// Bodies that a gateway reads at once.
const AT_THE_DESK: usize = 4;

/// `a.test` by TLS and `model.test` without at these origins, and `now.test`, where nothing waits: all with one secret.
async fn holding(a: SocketAddr, model: SocketAddr) -> Scene {
    let now = listen(echo).await;
    let place = "header:Authorization: Bearer {}".parse().unwrap();
    let (name, secret) = ("key".parse().unwrap(), "key".parse().unwrap());
    let credential = Credential { name, secret, place, environment: Vec::new() };
    let handle = Handle::new(&Shape::of(SECRET.as_bytes()).unwrap(), &[7; 32]);
    let value = Some(Secret::new(SECRET.into()).unwrap());
    let cell = start(Wishes {
        grants: vec![
            format!("GET a.test:{}/** credential=key protocols=http,websocket address=127.0.0.1", a.port()),
            format!("* http://model.test:{}/** credential=key model=openai address=127.0.0.1", model.port()),
            format!("GET http://now.test:{}/** credential=key address=127.0.0.1", now.port()),
        ],
        secrets: vec![HeldSecret { credential, handle, value, expires: None, revoked: false }],
        ..Wishes::default()
    });
    Scene { cell, now: format!("now.test:{}", now.port()) }
}

struct Scene {
    cell: Cell,
    now: String,
}

impl Scene {
    /// When all that was said before is under way.
    async fn settle(&self) -> String {
        say(&mut self.cell.connect(&self.now).await, &get("/", &self.now)).await
    }

    async fn revoke(&self) {
        self.cell.order(&Order::Revoke { credential: "key".parse().unwrap() });
        while !self.settle().await.contains("credential-revoked") {}
    }
}

/// Makes nobody wait: it tells whether a request had the secret, and answers.
async fn tell(mut socket: TcpStream, told: UnboundedSender<bool>) {
    let head = head(&mut socket).await;
    told.send(head.contains(SECRET)).unwrap();
    let mut body = vec![0; BODY.len()];
    if head.starts_with("POST") && socket.read_exact(&mut body).await.is_err() {
        return;
    }
    let _gone = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
}

/// An origin by TLS that keeps everybody waiting before the handshake.
struct Slow {
    address: SocketAddr,
    came: UnboundedReceiver<()>,
    door: watch::Sender<bool>,
    told: UnboundedReceiver<bool>,
}

impl Slow {
    async fn new(alpn: &'static str) -> Self {
        let (tell_came, came) = unbounded_channel();
        let (tell_told, told) = unbounded_channel();
        let door = watch::Sender::new(false);
        let (acceptor, opened) = (tls("a.test", &[alpn]), door.clone());
        let address = listen(move |socket| {
            let (acceptor, mut opened) = (acceptor.clone(), opened.subscribe());
            let (came, told) = (tell_came.clone(), tell_told.clone());
            async move {
                came.send(()).unwrap();
                opened.wait_for(|is_open| *is_open).await.unwrap();
                let Ok(mut stream) = acceptor.accept(socket).await else { return };
                if alpn == "h2" {
                    let served = service_fn(move |request: Request<Incoming>| {
                        let value = request.headers().get("authorization");
                        told.send(value.is_some_and(|value| value.to_str().unwrap().contains(SECRET)))
                            .unwrap();
                        async {
                            Ok::<_, Infallible>(Response::new(Endless { is_begun: false, is_short: true }))
                        }
                    });
                    let builder = http2::Builder::new(TokioExecutor::new());
                    let _ended = builder.serve_connection(TokioIo::new(stream), served).await;
                    return;
                }
                let head = head(&mut stream).await;
                if head.is_empty() {
                    return;
                }
                told.send(head.contains(SECRET)).unwrap();
                let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
                let _gone = stream.shutdown().await;
            }
        })
        .await;
        Self { address, came, door, told }
    }
}

/// How many of the requests that waited came with the secret, and the answers.
async fn sent_to_a_slow_origin(
    alpn: &'static str,
    asked: fn(&str) -> String,
    is_revoked: bool,
) -> (usize, Vec<String>) {
    let mut origin = Slow::new(alpn).await;
    let scene = holding(origin.address, origin.address).await;
    let host = format!("a.test:{}", origin.address.port());
    let mut clients = Vec::new();
    for _ in 0..WAITING {
        let mut client = scene.cell.connect_tls(&host, "a.test", &["http/1.1"]).await;
        client.write_all(asked(&host).as_bytes()).await.unwrap();
        clients.push(client);
    }
    for _ in 0..WAITING {
        origin.came.recv().await.unwrap();
    }
    if is_revoked {
        scene.revoke().await;
    }
    origin.door.send_replace(true);
    let mut answers = Vec::new();
    for mut client in clients {
        answers.push(hear(&mut client).await);
    }
    (drained(&mut origin.told), answers)
}

fn drained(told: &mut UnboundedReceiver<bool>) -> usize {
    std::iter::from_fn(|| told.try_recv().ok()).filter(|had_it| *had_it).count()
}

fn websocket(host: &str) -> String {
    format!(
        "GET /ws HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

#[test]
fn what_waits_for_a_slow_handshake_of_its_origin_goes_without_a_revoked_secret() {
    for (alpn, asked) in [
        ("http/1.1", (|host| get("/x", host)) as fn(&str) -> String),
        ("h2", |host| get("/x", host)),
        ("http/1.1", websocket),
    ] {
        run(async {
            let (with_it, answers) = sent_to_a_slow_origin(alpn, asked, false).await;
            assert_eq!(with_it, WAITING, "{alpn}: {answers:?}");
        });
        run(async {
            let (with_it, answers) = sent_to_a_slow_origin(alpn, asked, true).await;
            assert_eq!(with_it, 0, "{alpn}: {answers:?}");
            assert!(answers.iter().all(|answer| answer.contains("credential-revoked")), "{answers:?}");
        });
    }
}

const BODY: &str = r#"{"model":"m","messages":[]}"#;

async fn post(scene: &Scene, host: &str, body: &str) -> TcpStream {
    let mut client = scene.cell.connect(host).await;
    let length = BODY.len();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    client.write_all(head.as_bytes()).await.unwrap();
    client
}

/// Some requests to a model of which a half has come, and some that wait behind them: how many came with the secret.
async fn sent_to_a_model(halves: usize, wholes: usize, is_revoked: bool) -> usize {
    let (tell_told, mut told) = unbounded_channel();
    let origin = listen(move |socket| tell(socket, tell_told.clone())).await;
    let scene = holding(origin, origin).await;
    let host = format!("model.test:{}", origin.port());
    let (first, second) = BODY.split_at(5);
    let (mut begun, mut waiting) = (Vec::new(), Vec::new());
    for _ in 0..halves {
        begun.push(post(&scene, &host, first).await);
    }
    assert!(scene.settle().await.contains("200 OK"));
    for _ in 0..wholes {
        waiting.push(post(&scene, &host, BODY).await);
    }
    assert!(scene.settle().await.contains("200 OK"));
    if is_revoked {
        scene.revoke().await;
    }
    for mut client in begun {
        // What was refused is not listened to.
        let _gone = client.write_all(second.as_bytes()).await;
        waiting.push(client);
    }
    for mut client in waiting {
        let answer = hear(&mut client).await;
        assert_eq!(answer.starts_with("HTTP/1.1 200"), !is_revoked, "{answer}");
    }
    drained(&mut told)
}

#[test]
fn what_waits_for_the_rest_of_its_body_goes_without_a_revoked_secret() {
    run(async { assert_eq!(sent_to_a_model(WAITING, 0, false).await, WAITING) });
    run(async { assert_eq!(sent_to_a_model(WAITING, 0, true).await, 0) });
}

#[test]
fn what_waits_for_a_place_behind_slow_bodies_goes_without_a_revoked_secret() {
    run(async { assert_eq!(sent_to_a_model(AT_THE_DESK, WAITING, false).await, AT_THE_DESK + WAITING) });
    run(async { assert_eq!(sent_to_a_model(AT_THE_DESK, WAITING, true).await, 0) });
}

/// A body that begins, and ends only where it is short.
struct Endless {
    is_begun: bool,
    is_short: bool,
}

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if !self.is_begun {
            self.is_begun = true;
            return Poll::Ready(Some(Ok(Frame::data("begun\n".into()))));
        }
        if self.is_short { Poll::Ready(None) } else { Poll::Pending }
    }
}

#[test]
fn an_answer_by_http2_is_cut_when_its_credential_is_revoked() {
    run(async {
        let acceptor = tls("a.test", &["h2"]);
        let origin = listen(move |socket| {
            let acceptor = acceptor.clone();
            async move {
                let stream = acceptor.accept(socket).await.unwrap();
                let served = service_fn(|request: Request<Incoming>| {
                    let is_short = request.uri().path() == "/short";
                    async move { Ok::<_, Infallible>(Response::new(Endless { is_begun: false, is_short })) }
                });
                let builder = http2::Builder::new(TokioExecutor::new());
                let _ended = builder.serve_connection(TokioIo::new(stream), served).await;
            }
        })
        .await;
        let scene = holding(origin, origin).await;
        let host = format!("a.test:{}", origin.port());
        let mut client = scene.cell.connect_tls(&host, "a.test", &["http/1.1"]).await;
        assert!(say(&mut client, &get("/short", &host)).await.ends_with("0\r\n\r\n"));
        let mut client = scene.cell.connect_tls(&host, "a.test", &["http/1.1"]).await;
        client.write_all(get("/endless", &host).as_bytes()).await.unwrap();
        let mut heard = Vec::new();
        while !heard.ends_with(b"begun\n") {
            heard.push(client.read_u8().await.unwrap());
        }
        scene.revoke().await;
        let rest = hear(&mut client).await;
        assert!(!rest.contains("0\r\n\r\n"), "it was cut: {rest}");
    });
}
