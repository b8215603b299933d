//! Origins that speak as no good server does, and a client in the cell that says whatever a test wants.

use super::scene::Scene;
use rustix::net::sockopt::socket_linger;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long an origin waits for what a client says.
const PATIENCE: Duration = Duration::from_secs(15);

/// A server without TLS on loopback, each of whose connections a closure has to itself once a request's head is there.
pub(super) struct RawOrigin {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    over: Arc<AtomicBool>,
}

impl RawOrigin {
    pub(super) fn new(speak: impl Fn(&mut TcpStream, &str) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (heads, over) = (Arc::<Mutex<Vec<String>>>::default(), Arc::new(AtomicBool::new(false)));
        let (kept, ended, speak) = (Arc::clone(&heads), Arc::clone(&over), Arc::new(speak));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let (kept, speak) = (Arc::clone(&kept), Arc::clone(&speak));
                std::thread::spawn(move || {
                    let Ok(mut stream) = stream else { return };
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    stream.set_write_timeout(Some(PATIENCE)).unwrap();
                    let head = head(&mut stream);
                    kept.lock().unwrap().push(head.clone());
                    speak(&mut stream, &head);
                    if socket_linger(&stream) == Ok(Some(Duration::ZERO)) {
                        // Closed like this, it is reset.
                        return;
                    }
                    let _gone = stream.shutdown(Shutdown::Write);
                    // What comes late is taken, so that what was said is not taken back by a reset.
                    let _gone = stream.read_to_end(&mut Vec::new());
                });
            }
        });
        Self { address, heads, over }
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    /// All that came, up to the end of each head.
    pub(super) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

impl Drop for RawOrigin {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for somebody.
        drop(TcpStream::connect(self.address));
    }
}

/// What is said up to an empty line, or all there is.
fn head(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let mut byte = [0];
    while !read.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        read.push(byte[0]);
    }
    String::from_utf8_lossy(&read).into_owned()
}

/// Says it, whether or not anybody hears.
pub(super) fn say(stream: &mut TcpStream, bytes: impl AsRef<[u8]>) -> bool {
    stream.write_all(bytes.as_ref()).is_ok()
}

/// What the client is to say, to whom.
pub(super) struct Case(Value);

impl Case {
    pub(super) fn to(name: impl Into<String>, place: &str) -> Self {
        let (host, port) = place.rsplit_once(':').unwrap();
        Self(
            json!({"name": name.into(), "to": [host, port.parse::<u16>().unwrap()], "before": [], "send": []}),
        )
    }

    /// By the HTTP proxy, which is asked for `target`.
    pub(super) fn by_proxy(name: impl Into<String>, target: &str) -> Self {
        Self::to(name, "198.18.0.1:3128")
            .before(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n"))
    }

    /// Said first, and answered with 200.
    pub(super) fn before(mut self, text: String) -> Self {
        self.0["before"].as_array_mut().unwrap().push(Value::String(text));
        self
    }

    pub(super) fn tls(self, sni: &str, alpn: &[&str]) -> Self {
        self.tls_cut(json!({"sni": sni, "alpn": alpn}))
    }

    pub(super) fn tls_cut(mut self, wish: Value) -> Self {
        self.0["tls"] = wish;
        self
    }

    /// A piece more, sent by itself.
    pub(super) fn say(mut self, piece: impl AsRef<[u8]>) -> Self {
        let letters: String = piece.as_ref().iter().map(|byte| char::from(*byte)).collect();
        self.0["send"].as_array_mut().unwrap().push(Value::String(letters));
        self
    }
}

/// Lays the client and its cases into the project: `python3 client.py cases.json`.
pub(super) fn lay(scene: &Scene, cases: Vec<Case>) {
    let cases: Vec<Value> = cases.into_iter().map(|case| case.0).collect();
    scene.home.write("project/client.py", include_str!("client.py"));
    scene.home.write("project/cases.json", Value::Array(cases).to_string());
}

/// Has a client in a session say all cases, and tells what each heard.
pub(super) fn heard(scene: &Scene, name: &str, flags: &[&str], cases: Vec<Case>) -> BTreeMap<String, String> {
    lay(scene, cases);
    let run = scene.session(name, flags, "python3 client.py cases.json");
    serde_json::from_slice(&run.assert_success().stdout).unwrap()
}
