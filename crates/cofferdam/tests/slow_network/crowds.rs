//! As many connections as may stand at once, and all of them stand still: the gateway goes on, within its memory.

use super::scene::{Scene, WORD};
use cofferdam_testkit::{Outcome, until_within};
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const NAME: &str = "crowd.test";
const PATIENCE: Duration = Duration::from_secs(80);
/// As in the gateway: requests at once, connections at once, and what its process may hold.
const REQUESTS_MAX: usize = 1_024;
const CONNECTIONS_MAX: usize = 4_096;
const MEMORY_KIBIBYTES_MAX: u64 = 512 << 10;
/// More than all buffers of one connection, ours and the kernel's.
const FLOOD_BYTES_MAX: usize = 16 << 20;
/// How many of them are stalled, full of that: the kernel's own memory for all of TCP is the whole machine's, and no test
/// may use it up. What one takes is then multiplied.
const STALLED: usize = 48;
const STALLED_TUNNELS: usize = 24;
/// The kernel's buffers at either end: what is stalled lies between them.
const WINDOW_BYTES: usize = 4 << 10;
/// What each says in a crowd that is not meant to stall.
const GREETING_BYTES: usize = 4 << 10;
const PAUSE: Duration = Duration::from_millis(10);
const WHOLE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

/// What an origin does with each connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Answers at once and says more than anybody takes.
    Flooding,
    /// The same without waiting for a request.
    FloodingTunnel,
    /// Says little, without waiting for a request.
    Tunnel,
    /// Reads a head and nothing after it, and answers when told to.
    Holding,
}

impl Manner {
    fn is_tunnel(self) -> bool {
        matches!(self, Self::FloodingTunnel | Self::Tunnel)
    }
}

/// An origin in one thread, however many come.
struct Crowd {
    port: u16,
    asked: Arc<AtomicUsize>,
    /// Those of whom all was taken that was to be said.
    through: Arc<AtomicUsize>,
    release: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

struct Guest {
    stream: TcpStream,
    head: Vec<u8>,
    said: usize,
    is_released: bool,
}

impl Crowd {
    fn new(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        if manner != Manner::Tunnel {
            // Handed down to whatever it accepts.
            set_socket_recv_buffer_size(&listener, WINDOW_BYTES).unwrap();
            set_socket_send_buffer_size(&listener, WINDOW_BYTES).unwrap();
        }
        let port = listener.local_addr().unwrap().port();
        let (asked, through, release, over) = (
            Arc::<AtomicUsize>::default(),
            Arc::<AtomicUsize>::default(),
            Arc::<AtomicBool>::default(),
            Arc::<AtomicBool>::default(),
        );
        let (counted, passed, released, ended) =
            (Arc::clone(&asked), Arc::clone(&through), Arc::clone(&release), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            let mut guests: Vec<Guest> = Vec::new();
            while !ended.load(Ordering::SeqCst) {
                while let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(true).unwrap();
                    guests.push(Guest { stream, head: Vec::new(), said: 0, is_released: false });
                }
                for guest in &mut guests {
                    guest.turn(manner, released.load(Ordering::SeqCst));
                }
                let is_asked = |guest: &&Guest| manner.is_tunnel() || guest.is_asked();
                counted.store(guests.iter().filter(is_asked).count(), Ordering::SeqCst);
                let is_through = |guest: &&Guest| guest.said >= FLOOD_BYTES_MAX;
                passed.store(guests.iter().filter(is_through).count(), Ordering::SeqCst);
                std::thread::sleep(PAUSE);
            }
        });
        Self { port, asked, through, release, over, thread: Some(thread) }
    }

    fn wait_for(&self, count: usize) {
        let asked = || self.asked.load(Ordering::SeqCst);
        until_within(PATIENCE, "the crowd to have come", || (asked() >= count).then_some(()));
    }
}

impl Guest {
    fn is_asked(&self) -> bool {
        self.head.ends_with(b"\r\n\r\n")
    }

    /// As much as can be done without waiting.
    fn turn(&mut self, manner: Manner, is_released: bool) {
        let mut byte = [0];
        while !manner.is_tunnel() && !self.is_asked() && matches!(self.stream.read(&mut byte), Ok(1)) {
            self.head.push(byte[0]);
        }
        match manner {
            Manner::Flooding if self.is_asked() => {
                if self.said == 0 {
                    self.say(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
                }
                self.flood(FLOOD_BYTES_MAX);
            }
            Manner::FloodingTunnel => self.flood(FLOOD_BYTES_MAX),
            Manner::Tunnel => self.flood(GREETING_BYTES),
            Manner::Holding if is_released && self.is_asked() && !self.is_released => {
                self.say(WHOLE);
                self.is_released = true;
            }
            Manner::Flooding | Manner::Holding => {}
        }
    }

    fn flood(&mut self, most: usize) {
        while self.said < most && self.say(&[b'x'; GREETING_BYTES]) {}
    }

    /// Whether it was taken.
    fn say(&mut self, bytes: &[u8]) -> bool {
        match self.stream.write(bytes) {
            Ok(count) => {
                self.said += count;
                true
            }
            Err(error) => {
                if error.kind() != ErrorKind::WouldBlock {
                    self.said = usize::MAX;
                }
                false
            }
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}

/// A session whose program is the client of a crowd, beside a server that answers as usual.
struct Session {
    scene: Scene,
    crowd: Crowd,
}

impl Session {
    /// The client begins when it is [`let_in`](Self::let_in): the gateway is there and at rest before.
    fn begin(manner: Manner, count: usize, sent: usize, more: &str) -> Self {
        let (scene, crowd) = (Scene::new(), Crowd::new(manner));
        let port = crowd.port;
        let (grant, path) = if manner.is_tunnel() {
            (format!("{NAME}:{port} protocols=tcp address=127.0.0.1"), "-")
        } else {
            (Scene::clear_grant("GET,POST", NAME, port, "/**"), "/x")
        };
        scene.home.write("project/crowd.py", include_str!("crowd.py"));
        let script = format!(
            "while ! [ -e begin ]; do sleep 0.1; done; python3 crowd.py {NAME} {port} {count} {sent} {path} {more}"
        );
        let own = scene.grant("GET", "/v1/**");
        let words =
            ["run", "-d", "--name", "one", "--allow", &grant, "--allow", &own, "--", "sh", "-c", &script];
        scene.cofferdam(&words).run().assert_success();
        let session = Self { scene, crowd };
        assert_eq!(session.ask(), WORD, "nothing is in the way yet");
        session
    }

    /// Until `count` have come to the origin, and all stand.
    fn let_in(&self, count: usize) {
        self.exec("touch begin").assert_success();
        self.crowd.wait_for(count);
        let is_standing = || self.exec("test -e standing").status.success().then_some(());
        until_within(PATIENCE, "all to stand", is_standing);
        // What is on its way then comes to rest.
        std::thread::sleep(Duration::from_secs(2));
    }

    /// Another program of the same session.
    fn exec(&self, script: &str) -> Outcome {
        self.scene.cofferdam(&["exec", "-s", "one", "--", "sh", "-c", script]).run_within(PATIENCE)
    }

    fn ask(&self) -> String {
        let run = self.exec(&format!("curl -sS -m 30 {} 2>&1", self.scene.url("/v1/a")));
        run.stdout()
    }

    /// What the gateway's process held at its most, in KiB.
    #[track_caller]
    fn held(&self) -> u64 {
        let gateway = self.scene.home.processes();
        let gateway = gateway.into_iter().find(|each| each.command.contains("cofferdam-gateway serve"));
        let gateway = gateway.expect("the gateway has ended");
        let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// As many as may come, each of which takes as much as one of these `count` does, are within its memory.
    #[track_caller]
    fn assert_within_memory(&self, before: u64, count: usize, most: usize) {
        let each = (self.held() - before) / count as u64;
        let all = before + each * most as u64;
        let what = format!("{before} KiB, and {each} KiB for each of {count}: {all} KiB for {most}");
        assert!(all < MEMORY_KIBIBYTES_MAX, "{what}");
    }

    /// What the client says when it is let go, as statuses with how often each came.
    fn let_go(&self) -> BTreeMap<String, usize> {
        self.crowd.release.store(true, Ordering::SeqCst);
        self.exec("touch go").assert_success();
        let logs = || self.scene.cofferdam(&["logs", "one"]).run().stdout();
        let said = until_within(PATIENCE, "the client to tell", || {
            let said: Value = serde_json::from_str(logs().lines().next()?).ok()?;
            Some(said)
        });
        let counts = said.as_object().unwrap().iter();
        counts
            .map(|(status, count)| (status.clone(), usize::try_from(count.as_u64().unwrap()).unwrap()))
            .collect()
    }

    #[track_caller]
    fn assert_goes_on(&self) {
        assert_eq!(self.ask(), WORD);
        assert_eq!(self.scene.events_of("one", "gateway-ended").len(), 0);
    }
}

/// Stalls `count` of them, and sees that what is beside them goes on.
fn stall(manner: Manner, count: usize, sent: usize, most: usize) {
    let session = Session::begin(manner, count, sent, "");
    let before = session.held();
    session.let_in(count);
    // They do stall: neither side could say all that it has to.
    assert_eq!(session.crowd.through.load(Ordering::SeqCst), 0);
    if sent > 0 {
        assert_eq!(session.exec("cat standing").stdout(), "0");
    }
    session.assert_goes_on();
    session.assert_within_memory(before, count, most);
    session.exec("touch go").assert_success();
    session.scene.home.wait_until_quiet();
}

#[test]
fn eleven_hundred_requests_at_once_are_sent_up_to_the_limit_and_the_others_refused() {
    const MORE: usize = 76;
    let session = Session::begin(Manner::Holding, REQUESTS_MAX + MORE, 0, "take");
    let before = session.held();
    session.let_in(REQUESTS_MAX);
    assert!(session.ask().contains("too-many-open"), "there is no room for one more");
    session.assert_within_memory(before, REQUESTS_MAX, REQUESTS_MAX);
    let heard = session.let_go();
    let of = |status: &str| heard.get(status).copied().unwrap_or_default();
    let all: usize = heard.values().sum();
    assert_eq!((of("HTTP/1.1 200 OK"), all), (REQUESTS_MAX, REQUESTS_MAX + MORE), "{heard:?}");
    assert_eq!(session.crowd.asked.load(Ordering::SeqCst), REQUESTS_MAX, "no more came than may");
    session.scene.home.wait_until_quiet();
}

#[test]
fn uploads_that_an_origin_does_not_take_hold_nobody_up() {
    stall(Manner::Holding, STALLED, FLOOD_BYTES_MAX, REQUESTS_MAX);
}

#[test]
fn answers_that_nobody_reads_hold_nobody_up() {
    stall(Manner::Flooding, STALLED, 0, REQUESTS_MAX);
}

#[test]
fn requests_that_are_stalled_both_ways_hold_nobody_up() {
    stall(Manner::Flooding, STALLED, FLOOD_BYTES_MAX, REQUESTS_MAX);
}

#[test]
fn tunnels_that_are_stalled_both_ways_hold_nobody_up() {
    stall(Manner::FloodingTunnel, STALLED_TUNNELS, FLOOD_BYTES_MAX, CONNECTIONS_MAX);
}

#[test]
fn as_many_tunnels_as_may_stand_hold_nobody_up_and_one_more_is_reset() {
    let session = Session::begin(Manner::Tunnel, CONNECTIONS_MAX - 1, GREETING_BYTES, "");
    let before = session.held();
    session.let_in(CONNECTIONS_MAX - 1);
    session.assert_goes_on();
    session.assert_within_memory(before, CONNECTIONS_MAX - 1, CONNECTIONS_MAX);
    // One that stays, and then there is no room; and when it has left, there is again.
    let stay = "touch last; while ! [ -e leave ]; do sleep 0.1; done";
    let script = format!("exec 5<>/dev/tcp/{NAME}/{}; {stay}", session.crowd.port);
    let last = session.scene.cofferdam(&["exec", "-s", "one", "--", "bash", "-c", &script]).start();
    session.crowd.wait_for(CONNECTIONS_MAX);
    let said = session.ask();
    assert!(said.starts_with("curl: (") && !said.contains(WORD), "{said}");
    session.exec("touch leave").assert_success();
    last.finish().assert_success();
    until_within(PATIENCE, "room", || (session.ask() == WORD).then_some(()));
    session.exec("touch go").assert_success();
    session.scene.home.wait_until_quiet();
}
