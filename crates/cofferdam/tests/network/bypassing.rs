//! Ways out that go round the gateway, or over its body: other protocols, settings, its own sockets, its death, floods.

use super::scene::{Scene, WORD};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Tries each way, and prints how it ended.
const TRIES: &str = r#"
import errno, json, os, socket, struct
def tell(act):
    try: return act()
    except socket.timeout: return "silence"
    except OSError as error: return errno.errorcode.get(error.errno, str(error))
def datagram(family, to, data=b"x"):
    s = socket.socket(family, socket.SOCK_DGRAM); s.settimeout(3); s.connect(to); s.send(data)
    return s.recv(512).hex()
def stream(family, to, data):
    s = socket.socket(family, socket.SOCK_STREAM); s.settimeout(8); s.connect(to); s.sendall(data)
    return s.recv(512).decode("latin-1")
question = struct.pack(">6H", 7, 256, 1, 0, 0, 0) + b"\x06secret\x04data\x04evil\x04test\0" + struct.pack(">2H", 1, 1)
v4, v6 = socket.AF_INET, socket.AF_INET6
raw = lambda kind, protocol: socket.socket(v4, kind, protocol) and "made"
print(json.dumps({
  "quic": tell(lambda: datagram(v4, ("192.0.2.1", 443))),
  "quic by v6": tell(lambda: datagram(v6, ("2001:db8::1", 443))),
  "ntp": tell(lambda: datagram(v4, ("192.0.2.1", 123))),
  "metadata by udp": tell(lambda: datagram(v4, ("169.254.169.254", 80))),
  "dns": tell(lambda: datagram(v4, ("192.0.2.53", 53), question)),
  "dns by tcp": tell(lambda: stream(v4, ("192.0.2.53", 53), struct.pack(">H", len(question)) + question)),
  "dns by tls": tell(lambda: stream(v4, ("192.0.2.53", 853), b"\x16\x03\x01")),
  "icmp": tell(lambda: raw(socket.SOCK_RAW, socket.IPPROTO_ICMP)),
  "ping": tell(lambda: raw(socket.SOCK_DGRAM, socket.IPPROTO_ICMP)),
  "sctp": tell(lambda: raw(socket.SOCK_STREAM, 132)),
  "metadata": tell(lambda: stream(v4, ("169.254.169.254", 80), b"GET / HTTP/1.1\r\nHost: 169.254.169.254\r\nConnection: close\r\n\r\n")),
  "devices": sorted(line.split(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:]),
}))
"#;

#[test]
fn no_protocol_beside_tcp_leads_out_and_tcp_leads_to_the_verdict() {
    let scene = Scene::new();
    scene.home.write("project/tries.py", TRIES);
    let script = format!("python3 tries.py; curl -sS {}", scene.url("/v1/a"));
    let run = scene.session("one", &["--allow", &scene.grant("GET", "/v1/**")], &script);
    let (told, control) = run.stdout().split_once('\n').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    assert!(control.contains(WORD), "{run}");
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    for name in ["quic", "quic by v6", "ntp", "metadata by udp"] {
        assert_eq!(told[name], "ECONNREFUSED", "{name}: {told}");
    }
    // The cell's own resolver answers whom a question is sent to, with an address of ours: 198.18.0.0/15.
    let answer = told["dns"].as_str().unwrap();
    assert!(
        answer.starts_with("0007") && (answer.contains("0004c612") || answer.contains("0004c613")),
        "{told}"
    );
    for name in ["dns by tcp", "dns by tls"] {
        assert!(["ECONNRESET", ""].contains(&told[name].as_str().unwrap()), "{name}: {told}");
    }
    for name in ["icmp", "ping", "sctp"] {
        assert_ne!(told[name], "made", "{name}: {told}");
    }
    assert!(told["metadata"].as_str().unwrap().contains("not-granted"), "{told}");
    assert_eq!(told["devices"], serde_json::json!(["lo"]));
}

#[test]
fn no_setting_of_a_program_leads_past_the_verdict() {
    let scene = Scene::new();
    let (granted, refused) = (scene.url("/v1/a"), scene.url("/admin"));
    let ways = [
        "env NO_PROXY='*' no_proxy='*'",
        "env -u https_proxy -u HTTPS_PROXY -u all_proxy -u ALL_PROXY",
        "env https_proxy=http://198.18.0.1:3128 no_proxy=",
        "env https_proxy=socks5h://198.18.0.1:1080 no_proxy=",
    ];
    let one = |way: &str| format!("{way} curl -sS {granted}; echo; {way} curl -sS {refused}; echo;");
    let script: String = ways.iter().map(|way| one(way)).collect();
    let run = scene.session("one", &["--allow", &scene.grant("GET", "/v1/**")], &script);
    let lines: Vec<String> =
        run.stdout().lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    assert_eq!(lines.len(), 2 * ways.len(), "{run}");
    for (way, said) in ways.iter().zip(lines.chunks(2)) {
        assert!(said[0].contains(WORD) && said[1].contains("path-not-granted"), "{way}: {said:?}");
    }
    assert!(scene.server.seen().iter().all(|seen| seen.path == "/v1/a"));
}

/// The process of a home whose command line holds `word`.
#[track_caller]
pub(super) fn process(scene: &Scene, word: &str) -> u32 {
    let all = scene.home.processes();
    let found: Vec<u32> =
        all.iter().filter(|each| each.command.contains(word)).map(|each| each.pid).collect();
    assert_eq!(found.len(), 1, "{all:#?}");
    found[0]
}

/// Sockets of a process at which others could arrive, as lines of its `/proc/…/net`.
fn doors(pid: u32) -> Vec<String> {
    let directory = PathBuf::from(format!("/proc/{pid}"));
    let descriptors =
        std::fs::read_dir(directory.join("fd")).expect("only root can look into another's descriptors");
    let sockets: BTreeSet<String> = descriptors
        .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.trim_end_matches(']').to_owned()))
        .collect();
    assert!(!sockets.is_empty(), "it has no socket at all");
    let mut found = Vec::new();
    for table in ["tcp", "tcp6", "udp", "udp6", "raw", "raw6", "packet", "unix"] {
        let text = std::fs::read_to_string(directory.join("net").join(table)).unwrap_or_default();
        for line in text.lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (inode, is_door) = match table {
                // 0A is LISTEN (include/net/tcp_states.h).
                "tcp" | "tcp6" => (words[9], words[3] == "0A"),
                "unix" => (words[6], words[3] == "00010000" || words.len() > 7),
                "packet" => (words[8], true),
                _ => (words[9], true),
            };
            if is_door && sockets.contains(inode) {
                found.push(format!("{table}: {line}"));
            }
        }
    }
    found
}

#[test]
fn nobody_on_the_host_can_speak_to_a_sessions_gateway() {
    let scene = Scene::new();
    let script = format!("curl -sS {}; sleep 60", scene.url("/v1/a"));
    let grant = scene.grant("GET", "/v1/**");
    let words = ["run", "-d", "--name", "one", "--allow", &grant, "--", "sh", "-c", &script];
    scene.cofferdam(&words).run().assert_success();
    scene.server.wait_for("the request", |seen| seen.path == "/v1/a");
    assert_eq!(doors(process(&scene, "cofferdam-gateway serve")), Vec::<String>::new());
    // The control: the test's own server listens, and is found to.
    assert_eq!(doors(std::process::id()).iter().filter(|door| door.starts_with("tcp:")).count(), 1);
    scene.cofferdam(&["stop", "one"]).run().assert_success();
}

#[test]
fn without_its_gateway_a_session_has_no_way_out_and_it_is_told() {
    let scene = Scene::new();
    let url = scene.url("/v1/a");
    let script = format!(
        "curl -sS {url}; echo; touch answered; while ! [ -e go ]; do sleep 0.05; done; \
         curl -sS -m 9 {url}; echo \"proxy $?\"; env -i PATH=$PATH curl -sS -m 9 {url}; echo \"direct $?\"; \
         curl -sS -m 9 http://198.51.100.1/; echo \"address $?\"; getent hosts any.test && echo resolved"
    );
    let grant = scene.grant("GET", "/v1/**");
    let words = ["run", "-d", "--name", "one", "--allow", &grant, "--", "sh", "-c", &script];
    scene.cofferdam(&words).run().assert_success();
    let answered = ["exec", "-s", "one", "--", "sh", "-c", "while ! [ -e answered ]; do sleep 0.05; done"];
    scene.cofferdam(&answered).run().assert_success();
    let gateway = process(&scene, "cofferdam-gateway serve");
    kill_process(Pid::from_raw(gateway.cast_signed()).unwrap(), Signal::KILL).unwrap();
    scene.cofferdam(&["exec", "-s", "one", "--", "touch", "go"]).run().assert_success();
    scene.home.wait_until_quiet();
    let said = scene.cofferdam(&["logs", "one"]).run().stdout();
    assert_eq!(said.matches(WORD).count(), 1, "{said}");
    for way in ["proxy", "direct", "address"] {
        assert!(said.contains(way) && !said.contains(&format!("{way} 0")), "{way}: {said}");
    }
    assert!(
        !said.contains(&format!("{} 28", "proxy")),
        "it was silent, where it had to fail at once: {said}"
    );
    assert_eq!(scene.server.seen().len(), 1);
    assert_eq!(scene.events_of("one", "gateway-ended").len(), 1);
    assert_eq!(scene.events_of("one", "gateway-began").len(), 1, "it is not started again");
    // Another start has one again.
    let again = scene.cofferdam(&["resume", "-s", "one", "--", "curl", "-sS", &url]).run();
    assert!(again.stdout().contains(WORD), "{again}");
}

/// Connections that say nothing, half a head, or go at once; and a lawful request meanwhile and afterwards.
const FLOOD: &str = r#"
import resource, socket, subprocess, sys
url, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
lawful = lambda: subprocess.run(["curl", "-sS", "-m", "15", url], capture_output=True, text=True).stdout
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
held = []
for number in range(700):
    try: held.append(socket.create_connection((host, port), timeout=10))
    except OSError as error: print("held", number, error); break
    if number % 3 == 0: held[-1].sendall(b"GET /v1/a HTTP/1.1\r\nHost: ")
    if number % 3 == 1: held[-1].sendall(b"\x16\x03\x01\x02\x00\x01")
print("meanwhile", lawful())
for each in held: each.close()
for number in range(2000):
    try: socket.create_connection((host, port), timeout=10).close()
    except OSError: pass
for number in range(300):
    try: socket.create_connection((f"n{number}.flood.test", 80), timeout=10).close()
    except OSError: pass
print("afterwards", lawful())
"#;

#[test]
fn a_flood_of_connections_ends_neither_the_gateway_nor_the_session() {
    let scene = Scene::new();
    scene.home.write("project/flood.py", FLOOD);
    let port = scene.server.address().port();
    let script =
        format!("python3 flood.py {} {} {port}; echo survived", scene.url("/v1/a"), super::scene::NAME);
    let run = scene.session("one", &["--allow", &scene.grant("GET", "/v1/**")], &script);
    assert_eq!(run.stdout(), format!("meanwhile {WORD}\nafterwards {WORD}\nsurvived\n"), "{run}");
    assert_eq!(scene.server.seen().len(), 2);
    assert_eq!(scene.events_of("one", "gateway-began").len(), 1);
}
