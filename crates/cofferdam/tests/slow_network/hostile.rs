//! Origins that mean ill or are broken: cut by limits, told of with a reason, and of no harm to the session.

use super::raw::{RawOrigin, say};
use super::scene::{Scene, WORD};
use cofferdam_testkit::pki::{Pki, Validity};
use cofferdam_testkit::server::{Answer, Server};
use rustix::net::sockopt::set_socket_linger;
use std::collections::BTreeMap;
use std::io::Read;
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

const NAME: &str = "hostile.test";
/// What the gateway's process may have held at its most: a body is never gathered, whatever its length.
const RESIDENT_KIBIBYTES_MAX: u64 = 64 << 10;
const SECONDS_MAX: u64 = 8;

fn ok(fields: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{fields}\r\n")
}

/// Says it again and again, until nobody hears, or for a while.
fn endlessly(stream: &mut TcpStream, bytes: &[u8]) {
    let end = Instant::now() + Duration::from_secs(SECONDS_MAX);
    while Instant::now() < end && say(stream, bytes) {}
}

/// The ways that are said at once, by the path.
fn at_once(way: &str) -> String {
    let chunked = ok("Transfer-Encoding: chunked\r\n");
    match way {
        "good" => ok("Content-Length: 11\r\n") + WORD,
        "short" => ok("Content-Length: 50\r\n") + "hello",
        "long" => ok("Content-Length: 5\r\n") + "hello" + &ok("Content-Length: 6\r\n") + "forged",
        "chunk" => chunked + "7fffffffffffffff\r\nhello",
        "chunk-over" => chunked + "ffffffffffffffffff\r\nhello",
        "chunk-end" => chunked + "5\r\nhello",
        "chunk-lines" => chunked + "5\r\nhelloX\r\n0\r\n\r\n",
        "two-lengths" => ok("Content-Length: 5\r\nContent-Length: 6\r\n") + "hello",
        "nul" => ok("X-A: b\0c\r\nContent-Length: 5\r\n") + "hello",
        "no-http" => "SSH-2.0-OpenSSH_9.6\r\n".to_owned(),
        "switching" => {
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nhello".to_owned()
        }
        "status" => "HTTP/1.1 99999 OK\r\n\r\n".to_owned(),
        other => panic!("nobody asks for {other}"),
    }
}

/// Each way of answering, by the path.
fn speak(stream: &mut TcpStream, head: &str) {
    match head.split(' ').nth(1).unwrap_or_default().trim_start_matches('/') {
        "fields" => {
            say(stream, "HTTP/1.1 200 OK\r\n");
            endlessly(stream, &b"X-More: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n".repeat(64));
        }
        "field" => {
            say(stream, "HTTP/1.1 200 OK\r\nX-More: ");
            endlessly(stream, &[b'a'; 4096]);
        }
        "informational" => endlessly(stream, &b"HTTP/1.1 100 Continue\r\n\r\n".repeat(64)),
        "silent" => std::thread::sleep(Duration::from_secs(SECONDS_MAX + 2)),
        "reset" => {
            say(stream, ok("Content-Length: 50\r\n") + "hello");
            std::thread::sleep(Duration::from_millis(300));
            set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
        }
        "" => {}
        way => {
            say(stream, at_once(way));
        }
    }
}

/// What each way comes to: a word that is in the answer, and whether curl was content.
const ENDS: [(&str, &str, bool); 17] = [
    ("good", WORD, true),
    ("fields", "upstream-malformed", true),
    ("field", "upstream-malformed", true),
    ("informational", "upstream-malformed", true),
    ("short", "hello", false),
    ("long", "hello", true),
    ("long", "hello", true),
    ("chunk", "hello", false),
    ("chunk-over", "", false),
    ("chunk-end", "hello", false),
    ("chunk-lines", "hello", false),
    ("two-lengths", "upstream-malformed", true),
    ("nul", "upstream-malformed", true),
    ("no-http", "upstream-malformed", true),
    ("switching", "", false),
    ("status", "upstream-malformed", true),
    ("reset", "hello", false),
];

#[test]
fn origins_that_break_http_are_cut_and_told_of_and_the_session_goes_on() {
    let scene = Scene::new();
    let origin = RawOrigin::new(speak);
    let grant = Scene::clear_grant("GET,POST", NAME, origin.port(), "/**");
    let url = format!("http://{NAME}:{}", origin.port());
    let mut script = format!("curl -sS -m {SECONDS_MAX} {url}/silent > /dev/null 2>&1 & ");
    for (way, ..) in ENDS {
        script += &format!("said=$(curl -s -m {SECONDS_MAX} {url}/{way}); echo \"$? {way} $said\"; ");
    }
    script += &format!("wait; curl -sS {url}/good; echo; curl -sS {}", scene.url("/v1/a"));
    let run = scene.session("one", &["--allow", &grant, "--allow", &scene.grant("GET", "/v1/**")], &script);
    let said = run.stdout();
    let lines: Vec<&str> = said.lines().filter(|line| !line.is_empty()).collect();
    for ((way, word, is_content), line) in ENDS.iter().zip(&lines) {
        assert!(line.contains(&format!(" {way} ")) && line.contains(word), "{way}: {line} in {said}");
        assert_eq!(line.starts_with("0 "), *is_content, "{way}: {line}");
        assert!(!line.contains("forged"), "{line}");
    }
    assert_eq!(lines[ENDS.len()..], [WORD, WORD], "{said}");
    let refused = scene.events_of("one", "refused");
    assert!(refused.iter().any(|refused| refused["reason"] == "upstream-malformed"), "{refused:?}");
    assert!(scene.events_of("one", "gateway-ended").len() <= 1);
}

#[test]
fn origins_whose_tls_is_bad_are_refused_and_get_no_request() {
    let scene = Scene::new();
    let at = |leaf| Server::secure_at((Ipv4Addr::LOCALHOST, 0).into(), leaf, |_| Answer::text("BAD"));
    let stranger = Pki::new();
    let servers = [
        ("expired", at(scene.pki.leaf(&[NAME], Validity::Over))),
        ("another-name", at(scene.pki.leaf(&["elsewhere.test"], Validity::Current))),
        ("above-the-name", at(scene.pki.leaf(&["*.hostile.test"], Validity::Current))),
        ("unknown-authority", at(stranger.leaf(&[NAME], Validity::Current))),
        ("clear-text", Server::plain(|_| Answer::text("BAD"))),
    ];
    // A server that knows TLS 1.1 and nothing newer: its hello, as far as any client reads it.
    let odd = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = odd.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = odd.accept() {
            let _hello = stream.read(&mut [0; 4096]);
            let hello = [&[2, 0, 0, 38, 3, 2][..], &[7; 32], &[0, 0, 47, 0]].concat();
            say(&mut stream, [&[22, 3, 2, 0, 42][..], &hello].concat());
        }
    });
    let mut ports: Vec<(&str, u16)> =
        servers.iter().map(|(name, server)| (*name, server.address().port())).collect();
    ports.push(("old-version", port));
    let grants: Vec<String> =
        ports.iter().map(|(_, port)| format!("GET {NAME}:{port} address=127.0.0.1")).collect();
    let own = scene.grant("GET", "/v1/**");
    let flags: Vec<&str> = grants.iter().chain([&own]).flat_map(|grant| ["--allow", grant]).collect();
    let mut script: String = ports
        .iter()
        .map(|(name, port)| format!("echo \"{name} $(curl -s -m {SECONDS_MAX} https://{NAME}:{port}/)\"; "))
        .collect();
    script += &format!("curl -sS {}", scene.url("/v1/a"));
    let run = scene.session("one", &flags, &script);
    let lines: BTreeMap<String, String> = run
        .stdout()
        .lines()
        .map(|line| {
            line.split_once(' ').map_or((String::new(), line.to_owned()), |(a, b)| (a.into(), b.into()))
        })
        .collect();
    for (name, _) in &ports {
        assert!(lines[*name].contains("\"reason\":\"upstream-tls\""), "{name}: {run}");
    }
    assert!(run.stdout().ends_with(WORD), "{run}");
    assert!(servers.iter().all(|(_, server)| server.seen().is_empty()));
}

/// Ten thousand times smaller than what it unpacks to, and as long as it is, it is only bytes to the gateway.
#[test]
fn neither_a_bomb_nor_a_flood_takes_memory_while_secrets_are_looked_for() {
    let scene = Scene::new();
    let origin = RawOrigin::new(|stream, head| {
        if head.contains(" /bomb ") {
            // A gzip member of one block that repeats a zero (RFC 1951): made by `gzip`, which is what is asked for nowhere.
            let bomb = std::process::Command::new("sh")
                .args(["-c", "head -c 200000000 /dev/zero | gzip -1"])
                .output()
                .unwrap()
                .stdout;
            say(stream, ok(&format!("Content-Encoding: gzip\r\nContent-Length: {}\r\n", bomb.len())));
            say(stream, bomb);
            return;
        }
        // What begins like a secret over and over.
        let piece = b"ghp_q8ZJ3vN7kTs2LhXr5WmCy9BdFa4EoGp1UiV".repeat(1000);
        say(stream, ok(&format!("Content-Length: {}\r\n", piece.len() * 2000)));
        for _ in 0..2000 {
            if !say(stream, &piece) {
                return;
            }
        }
    });
    let grants = [Scene::clear_grant("GET", NAME, origin.port(), "/** credential=example")];
    let policy = scene.policy_with_secret(&grants, "");
    let url = format!("http://{NAME}:{}", origin.port());
    let script =
        format!("curl -sS {url}/bomb | gzip -d | wc -c; curl -sS {url}/flood | wc -c; touch over; sleep 20");
    let words = ["run", "-d", "--name", "one", "--policy", &policy, "--", "sh", "-c", &script];
    scene.cofferdam(&words).run().assert_success();
    // Followed, not asked for again and again: on two processors that would take one from the gateway.
    let logs = scene.cofferdam(&["logs", "-f", "one"]).start();
    let lengths = ["200000000", "78000000"];
    logs.wait_for_output(lengths[1]);
    let gateway =
        scene.home.processes().into_iter().find(|each| each.command.contains("cofferdam-gateway serve"));
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.unwrap().pid)).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < RESIDENT_KIBIBYTES_MAX, "{peak} KiB");
    scene.cofferdam(&["stop", "one"]).run().assert_success();
    assert_eq!(logs.finish().stdout().lines().collect::<Vec<_>>(), lengths);
}
