//! A secret is planted; then all that can be read in the cell is searched for it, and all that is left outside.

use super::raw::{Case, RawOrigin, lay, say};
use super::scene::{SECRET, Scene};
use cofferdam_testkit::server::Answer;
use data_encoding::BASE64;
use serde_json::{Value, json};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Echoed beside the secret, and no secret: what is searched for has to be found where it is.
const DECOY: &str = "wK4tRz9QpLm2XvB7nYc6HsJd3GfUa8EoTi5S";
/// The name of the origin in clear text.
const ECHO: &str = "echo.service.test";
/// What shows that a way of answering was tried.
const WAYS: [&str; 13] = [
    "plain",
    "chunked",
    "compressed",
    "ranged",
    "base64",
    "base64-1",
    "base64-2",
    "header",
    "location",
    "error",
    "trailer",
    "early",
    "json",
];

/// The value of a header of that name.
fn field<'h>(head: &'h str, name: &str) -> &'h str {
    let of_name = |line: &'h str| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name));
    head.lines().find_map(of_name).map_or("", |(_, value)| value)
}

/// Answers with what it was sent, in the way that the path names.
fn echo(stream: &mut TcpStream, head: &str) {
    let text = format!("{} {}", field(head, "authorization"), field(head, "x-decoy"));
    let whole = |status: &str, fields: &str, body: &str| {
        format!(
            "HTTP/1.1 {status}\r\n{fields}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    let encoded = |offset: usize| BASE64.encode(format!("{}{text}", &"xx"[..offset]).as_bytes());
    let way = head.split(' ').nth(1).unwrap_or_default().trim_start_matches("/echo/");
    let answer = match way {
        "chunked" | "trailer" => {
            let mut answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Last\r\nConnection: close\r\n\r\n".to_owned();
            let mut rest = text.as_str();
            for length in [1, 2, 3, 5, 7, 11].into_iter().cycle() {
                let (piece, after) = rest.split_at(length.min(rest.len()));
                answer += &format!("{:x};a=b\r\n{piece}\r\n", piece.len());
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            let last = if way == "trailer" { format!("X-Last: {text}\r\n") } else { String::new() };
            answer + &format!("0\r\n{last}\r\n")
        }
        "base64" => whole("200 OK", "", &encoded(0)),
        "base64-1" => whole("200 OK", "", &encoded(1)),
        "base64-2" => whole("200 OK", "", &encoded(2)),
        "header" => {
            whole("200 OK", &format!("X-Echo: {text}\r\nWWW-Authenticate: Basic realm=\"{text}\"\r\n"), "x")
        }
        "location" => {
            whole("302 Found", &format!("Location: https://x.test/?t={}\r\n", text.replace(' ', "%20")), "x")
        }
        "error" => whole(&format!("500 {text}"), "", &format!("<pre>{text}</pre>")),
        "early" => {
            format!("HTTP/1.1 103 Early Hints\r\nLink: <{text}>\r\n\r\n{}", whole("200 OK", "", &text))
        }
        "json" => whole("200 OK", "Content-Type: application/json\r\n", &json!({"got": text}).to_string()),
        _ => whole("200 OK", "", &text),
    };
    // In small pieces, so that no reader has it whole at once.
    for piece in answer.as_bytes().chunks(37) {
        say(stream, piece);
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A WebSocket that says what it was sent: in one frame over many writes, then in a long one, then the end.
fn echo_frames(stream: &mut TcpStream, head: &str) {
    say(
        stream,
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    );
    let text = format!("{} {}", field(head, "authorization"), field(head, "x-decoy"));
    let short = [&[0x81, u8::try_from(text.len()).unwrap()][..], text.as_bytes()].concat();
    for piece in short.chunks(5) {
        say(stream, piece);
        std::thread::sleep(Duration::from_millis(5));
    }
    let long = format!("{}{text}", "-".repeat(300));
    let length = u16::try_from(long.len()).unwrap().to_be_bytes();
    say(stream, [&[0x82, 126][..], &length, long.as_bytes()].concat());
    say(stream, [0x88, 0]);
}

/// Each letter moved on by one, of the text and of its base64 at each offset.
fn needles(text: &str) -> Vec<String> {
    let moved = |bytes: &[u8]| bytes.iter().map(|byte| char::from(byte + 1)).collect::<String>();
    let mut all = vec![moved(text.as_bytes())];
    for offset in 0..3 {
        let encoded = BASE64.encode(format!("{}{text}", &"xx"[..offset]).as_bytes());
        // What stands at its ends holds bits of its neighbours.
        all.push(moved(encoded.get(4..encoded.len() - 4).unwrap().as_bytes()));
    }
    all
}

fn script(scene: &Scene, echo_port: u16) -> String {
    let url = format!("http://{ECHO}:{echo_port}/echo");
    let mut script = format!(
        "mkdir answers; DECOY={DECOY}; export DECOY; sh -c 'sleep 30' decoy-$DECOY & echo {DECOY} > /tmp/decoy; \
         echo {DECOY}; curl -siS -H \"X-Decoy: $DECOY\" {} > answers/h2; ",
        scene.url("/v1/x")
    );
    for way in WAYS {
        let more = match way {
            "compressed" => "--compressed",
            "ranged" => "-r 10-25",
            _ => "",
        };
        script += &format!(
            "curl -siS {more} -H \"X-Decoy: $DECOY\" -H \"Authorization: Bearer $EXAMPLE_TOKEN\" {url}/{way} > answers/{way}; "
        );
    }
    script
        + "python3 client.py cases.json > answers/frames; python3 seek.py needles.json; touch sought; \
              while ! [ -e go ]; do sleep 0.1; done; kill %1"
}

/// The files below a directory that hold `bytes`.
fn holding(directory: &Path, bytes: &[u8]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            found.extend(holding(&path, bytes));
        } else if kind.is_file()
            && std::fs::read(&path).is_ok_and(|read| read.windows(bytes.len()).any(|part| part == bytes))
        {
            found.push(path);
        }
    }
    found
}

/// Command lines and environments of all processes of the machine that hold `bytes`.
fn telling(bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        for kind in ["cmdline", "environ"] {
            let path = entry.path().join(kind);
            if std::fs::read(&path).is_ok_and(|read| read.windows(bytes.len()).any(|part| part == bytes)) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

#[test]
fn no_byte_of_a_planted_secret_is_found_in_the_cell_nor_in_what_is_kept() {
    let scene = Scene::answering(|seen| Answer::text(format!("{:?}", seen.headers)));
    let origin = RawOrigin::new(|stream, head| match head.contains("pgrade: websocket") {
        true => echo_frames(stream, head),
        false => echo(stream, head),
    });
    let grants = [
        scene.grant("GET", "/v1/** credential=example"),
        Scene::clear_grant("GET", ECHO, origin.port(), "/** credential=example protocols=http,websocket"),
    ];
    let policy = scene.policy_with_secret(&grants, "");
    let place = format!("{ECHO}:{}", origin.port());
    let upgrade = format!(
        "GET /frames HTTP/1.1\r\nHost: {place}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Decoy: {DECOY}\r\n\
         Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    lay(&scene, vec![Case::to("frames", &place).say(upgrade)]);
    scene.home.write("project/seek.py", include_str!("seek.py"));
    let needles = json!({"secret": needles(&SECRET[4..]), "decoy": needles(DECOY)});
    scene.home.write("project/needles.json", needles.to_string());
    let script = script(&scene, origin.port());
    let words = ["run", "-d", "--name", "one", "--policy", &policy, "--", "sh", "-c", &script];
    scene.cofferdam(&words).run().assert_success();
    let logs = || scene.cofferdam(&["logs", "one"]).run().stdout();
    let told: Value = cofferdam_testkit::until("the search to end", || {
        logs().lines().find_map(|line| serde_json::from_str(line).ok())
    });
    assert_eq!(telling(SECRET.as_bytes()), Vec::<String>::new());
    assert!(telling(DECOY.as_bytes()).len() >= 2, "the control is found");
    assert_eq!(told["secret"], json!([]), "{told} {}", logs());
    for place in
        ["process environ", "process cmdline", "process memory", "file", "answer h2", "answer frames"]
    {
        assert!(told["decoy"].as_array().unwrap().contains(&json!(place)), "{place}: {told}");
    }
    for way in WAYS {
        assert!(told["decoy"].as_array().unwrap().contains(&json!(format!("answer {way}"))), "{way}: {told}");
    }
    // The secret was there: the origin got it each time.
    let heads = origin.heads();
    assert_eq!(heads.len(), WAYS.len() + 1);
    for head in &heads {
        assert_eq!(field(head, "authorization"), format!("Bearer {SECRET}"));
        let asks_for_a_part = field(head, "range").len() + field(head, "sec-websocket-extensions").len();
        assert!(asks_for_a_part == 0 && !field(head, "accept-encoding").contains("gzip"), "{head}");
    }
    scene.cofferdam(&["exec", "-s", "one", "--", "touch", "go"]).run().assert_success();
    scene.home.wait_until_quiet();
    assert_eq!(holding(scene.home.root(), SECRET.as_bytes()), Vec::<PathBuf>::new());
    assert!(holding(&scene.home.state(), DECOY.as_bytes()).len() >= 2, "the control is found");
}
