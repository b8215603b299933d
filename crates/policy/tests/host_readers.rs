//! What we take for a host, others take for the same one: the URL standard's parser, curl and Python.
//!
//! They take much more than we do, and disagree among themselves; all of that is refused. Whatever is in
//! `REFUSED_THOUGH_READ` shows both: that the other readers were really asked, and what a client can't write here.
#![forbid(unsafe_code)]
#![expect(clippy::panic, clippy::unwrap_used, reason = "tests")]

use cofferdam_policy::net::host::{Host, HostError};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};

/// What the text means to somebody; `None` is a refusal.
type Reading = Option<Meaning>;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Meaning {
    Name(String),
    Address(IpAddr),
}

const PLAIN: [&str; 16] = [
    "example.com",
    "EXAMPLE.Com",
    "example.com.",
    "localhost",
    "a-b.c_d.example",
    "xn--bcher-kva.example",
    "1e100.net",
    "3com",
    "127.0.0.1.example",
    "0x7f.example",
    "0x7g",
    "127.0.0.1",
    "255.255.255.255",
    "[::1]",
    "[2001:DB8:0:0::1]",
    "[64:ff9b::1.2.3.4]",
];

/// Each is read as a host by one of the others at least.
const REFUSED_THOUGH_READ: [&str; 31] = [
    "127.1",
    "0",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.0.0.0x1",
    "127.0.0.01",
    "127.0.0.1.",
    "1.2.3.4.5",
    "127.0.0.256",
    "[::ffff:127.0.0.1]",
    "[fe80::1%25eth0]",
    "user@example.com",
    "good.example:pw@evil.example",
    "example.com:443",
    "bücher.example",
    "ＥＸample.com",
    "example。com",
    "ex\u{ad}ample.com",
    "①②⑦.0.0.1",
    "e%78ample.com",
    "127.0.0%2e1",
    "exa\tmple.com",
    "a..b",
    "-a.example",
    "a-.example",
    "a!b.example",
    "a~b.example",
    "a+b.example",
    "good.example\\@evil.example",
    "good.example#@evil.example",
];

#[test]
fn whoever_reads_a_host_that_we_take_reads_the_same_one() {
    let texts = texts();
    let readers: [(&str, Vec<Reading>); 3] = [
        ("url", texts.iter().map(|text| by_url(text)).collect()),
        ("curl", by_curl(&texts)),
        ("python", by_python(&texts)),
    ];
    let mut refused_though_read: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut taken = 0;
    for (at, text) in texts.iter().enumerate() {
        let own = Host::parse(text);
        for (reader, readings) in &readers {
            let reading = readings.get(at).unwrap();
            match (&own, reading) {
                (Ok(host), Some(reading)) => assert_eq!(&meaning(host), reading, "{text:?} by {reader}"),
                (Err(error), Some(_)) => refused_though_read.entry(kind(error)).or_default().push(text),
                (Ok(_) | Err(_), None) => {}
            }
        }
        taken += usize::from(own.is_ok());
        if PLAIN.contains(&text.as_str()) {
            assert!(own.is_ok(), "{text:?} is refused");
            let shy = readers.iter().filter(|(_, readings)| readings.get(at).unwrap().is_none());
            assert_eq!(shy.map(|(reader, _)| *reader).collect::<Vec<_>>(), Vec::<&str>::new(), "{text:?}");
        }
        if REFUSED_THOUGH_READ.contains(&text.as_str()) {
            assert!(own.is_err(), "{text:?} is taken");
            assert!(
                readers.iter().any(|(_, readings)| readings.get(at).unwrap().is_some()),
                "{text:?} is read by nobody"
            );
        }
    }
    assert!(taken * 10 > texts.len(), "{taken} of {} texts are hosts: too few to tell", texts.len());
    for (kind, texts) in &refused_though_read {
        eprintln!(
            "{kind}: {} readings refused, such as {:?}",
            texts.len(),
            texts.iter().take(4).collect::<Vec<_>>()
        );
    }
}

fn kind(error: &HostError) -> String {
    format!("{error:?}")
}

fn meaning(host: &Host) -> Meaning {
    match host {
        Host::Name(name) => Meaning::Name(name.as_str().to_owned()),
        Host::Address(address) => Meaning::Address(*address),
    }
}

/// The tables, and pieces put together in an order that is the same every time.
fn texts() -> Vec<String> {
    let pieces = [
        "a", "example", "com", "xn--", "0x7f", "127", "0", "1", "255", "256", "010", ".", ".", ".", "-", "_",
        "A", "%41", "%00", "@", ":", "[", "]", "::", "ffff", "é", "。", " ", "\t", "%", "*", "e", "0x",
        "1.2.3.4", "[::1]", "\\", "/", "x",
    ];
    let mut state = 1_u64;
    let mut below = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % bound
    };
    let made = (0..3_000).map(|_| {
        // Most pieces are plain, so that many texts are hosts.
        let count = 1 + below(5);
        (0..count)
            .map(|_| *pieces.get(if below(3) == 0 { below(pieces.len()) } else { below(14) }).unwrap())
            .collect()
    });
    PLAIN.into_iter().chain(REFUSED_THOUGH_READ).map(str::to_owned).chain(made).collect()
}

/// What somebody prints as a host: in small letters, without the root's dot, without brackets.
fn read(text: &str) -> Meaning {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    match bare.parse() {
        Ok(address) => Meaning::Address(address),
        Err(_) => Meaning::Name(bare.strip_suffix('.').unwrap_or(bare).to_ascii_lowercase()),
    }
}

fn by_url(text: &str) -> Reading {
    url::Url::parse(&format!("http://{text}/x")).ok()?.host_str().map(read)
}

/// Asks curl for each text through a proxy of ours, which sees what curl makes of it.
fn by_curl(texts: &[String]) -> Vec<Reading> {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = proxy.local_addr().unwrap();
    let (done, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut hosts = BTreeMap::new();
        for client in proxy.incoming() {
            if !serve(client.unwrap(), &mut hosts) {
                break;
            }
        }
        done.send(hosts).unwrap();
    });
    let mut configuration = String::new();
    for (number, text) in texts.iter().enumerate() {
        let quoted = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\t', "\\t");
        configuration.push_str(&format!(
            "next\nsilent\ngloboff\nmax-time = 10\nnoproxy = \"\"\nproxy = \"http://{at}\"\n\
             header = \"X-Number: {number}\"\noutput = \"/dev/null\"\nurl = \"http://{quoted}/x\"\n"
        ));
    }
    let mut curl = Command::new("curl");
    let curl =
        curl.args(["-q", "-K", "-"]).env("LC_ALL", "C.UTF-8").stdin(Stdio::piped()).stdout(Stdio::null());
    let mut curl = curl.spawn().unwrap();
    curl.stdin.take().unwrap().write_all(configuration.as_bytes()).unwrap();
    curl.wait().unwrap();
    TcpStream::connect(at).unwrap().write_all(b"END\r\n\r\n").unwrap();
    let hosts = asked.recv().unwrap();
    assert!(!hosts.is_empty(), "curl asked for nothing");
    (0..texts.len()).map(|number| hosts.get(&number).map(|text: &String| read(text))).collect()
}

/// Answers the one request of a connection; whether there are to be more connections.
fn serve(mut client: TcpStream, hosts: &mut BTreeMap<usize, String>) -> bool {
    let mut lines = BufReader::new(client.try_clone().unwrap()).lines().map_while(Result::ok);
    let first = lines.next().unwrap_or_default();
    if first.is_empty() || first == "END" {
        return first.is_empty();
    }
    let url = first.split(' ').nth(1).unwrap_or_default();
    let authority = url.strip_prefix("http://").unwrap_or_else(|| panic!("curl asked for {url:?}"));
    let authority = authority.split('/').next().unwrap_or_default();
    // A port means that the text was more than a host; it counts as read all the same.
    let colon = authority.rfind(':').filter(|_| !authority.ends_with(']'));
    let host = authority.split_at(colon.unwrap_or(authority.len())).0;
    let header = lines
        .by_ref()
        .take_while(|line| !line.is_empty())
        .find_map(|line| line.strip_prefix("X-Number: ").and_then(|number| number.parse().ok()));
    hosts.insert(header.unwrap(), host.to_owned());
    lines.take_while(|line| !line.is_empty()).for_each(drop);
    client.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").unwrap();
    true
}

const PYTHON: &str = r#"
import ipaddress, json, socket, sys, urllib.parse
def read(text):
    try:
        host = urllib.parse.urlsplit("http://" + text + "/x").hostname
    except ValueError:
        return None
    if not host:
        return None
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host)) if host.isascii() and " " not in host else host
    except (OSError, ValueError):
        return host
json.dump([read(text) for text in json.load(sys.stdin)], sys.stdout)
"#;

fn by_python(texts: &[String]) -> Vec<Reading> {
    let mut python = Command::new("python3");
    let python = python.args(["-I", "-c", PYTHON]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = python.spawn().unwrap();
    let input = serde_json::to_vec(texts).unwrap();
    let mut stdin = python.stdin.take().unwrap();
    let writing = std::thread::spawn(move || stdin.write_all(&input).unwrap());
    let output = python.wait_with_output().unwrap();
    writing.join().unwrap();
    assert!(output.status.success());
    let hosts: Vec<Option<String>> = serde_json::from_slice(&output.stdout).unwrap();
    hosts.into_iter().map(|host| host.as_deref().map(read)).collect()
}
