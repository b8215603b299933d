//! Messages that two programs could cut in different places. What the gateway sends on is read in the same way by three
//! origins of different make; the rest it refuses, and it ends the connection.

use super::raw::{Case, heard};
use super::scene::{Scene, WORD};
use cofferdam_testkit::server::{Answer, Server};
use cofferdam_testkit::{Running, until};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

const NAME: &str = "origin.test";

/// A request as an origin saw it.
type Noted = (String, String);

/// hyper, nginx and Python's `http.server`.
struct Origins {
    hyper: Server,
    nginx: (u16, PathBuf),
    python: (u16, PathBuf),
    _running: [Running; 2],
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// nginx reads a body only if it sends it somewhere: its second half answers.
fn nginx_configuration(directory: &Path, port: u16, inner: u16) -> String {
    let at = directory.display();
    format!(
        "daemon off; master_process off; worker_processes 1; pid {at}/pid; error_log {at}/error.log;\n\
         events {{ worker_connections 64; }}\n\
         http {{\n\
           log_format noted escape=json '{{\"line\":\"$request_method $request_uri\",\"body\":\"$request_body\",\"status\":\"$status\"}}';\n\
           client_body_temp_path {at}/body; proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/f; uwsgi_temp_path {at}/u;\n\
           scgi_temp_path {at}/s; client_body_buffer_size 64k; access_log off;\n\
           server {{ listen 127.0.0.1:{port}; access_log {at}/noted noted;\n\
             location / {{ proxy_pass http://127.0.0.1:{inner}; }} }}\n\
           server {{ listen 127.0.0.1:{inner}; location / {{ return 200 \"{WORD}\\n\"; }} }}\n\
         }}\n"
    )
}

impl Origins {
    fn start(scene: &Scene) -> Self {
        let directory = scene.home.directory("nginx");
        let (port, inner) = (free_port(), free_port());
        let configuration =
            scene.home.write("nginx/nginx.conf", nginx_configuration(&directory, port, inner));
        let nginx = scene.home.invoke("nginx").arg("-p").arg(&directory).arg("-c").arg(configuration).start();
        let noted = scene.home.write("noted.python", "");
        let program = scene.home.write("origins.py", include_str!("origins.py"));
        let python = scene.home.invoke("python3").arg(program).arg(&noted).start();
        let python_port = until("Python's server to listen", || {
            std::fs::read_to_string(noted.with_extension("python.port"))
                .ok()?
                .strip_suffix('\n')?
                .parse()
                .ok()
        });
        until("nginx to listen", || TcpStream::connect(("127.0.0.1", port)).ok().map(drop));
        Self {
            hyper: Server::plain(|_| Answer::text(WORD)),
            nginx: (port, directory.join("noted")),
            python: (python_port, noted),
            _running: [nginx, python],
        }
    }

    fn ports(&self) -> [(&'static str, u16); 3] {
        [("hyper", self.hyper.address().port()), ("nginx", self.nginx.0), ("python", self.python.0)]
    }

    /// What each saw, sorted.
    fn noted(&self) -> [(&'static str, Vec<Noted>); 3] {
        let of_hyper = self.hyper.seen().into_iter().map(|seen| {
            let query = seen.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
            (format!("{}{query}", seen.line()), String::from_utf8_lossy(&seen.body).into_owned())
        });
        let of_file = |path: &Path| -> Vec<Noted> {
            let text = std::fs::read_to_string(path).unwrap();
            let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            let word = |value: &Value| value.as_str().unwrap().to_owned();
            // nginx notes also what it refused.
            let answered = lines.filter(|line| line["status"] == "200" || line["status"].is_null());
            answered.map(|line| (word(&line["line"]), word(&line["body"]))).collect()
        };
        let mut all = [
            ("hyper", of_hyper.collect()),
            ("nginx", of_file(&self.nginx.1)),
            ("python", of_file(&self.python.1)),
        ];
        all.iter_mut().for_each(|(_, noted): &mut (_, Vec<Noted>)| noted.sort());
        all
    }
}

/// What the gateway has to make of a message: refuse it whole, or send on exactly these requests.
enum Made {
    Refused,
    Sent(&'static [(&'static str, &'static str)]),
}

/// What is hidden in the body of another request.
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n";

/// Name, request line and fields, body. `HOST` is replaced by the right field.
#[rustfmt::skip]
fn corpus() -> Vec<(&'static str, String, Made)> {
    let post = |path: &str, fields: &str, body: &str| format!("POST {path} HTTP/1.1\r\nHOST{fields}\r\n{body}");
    let chunked = "Transfer-Encoding: chunked\r\n";
    let hidden = format!("0\r\n\r\n{HIDDEN}");
    use Made::{Refused, Sent};
    vec![
        ("cl", post("/cl", "Content-Length: 5\r\nConnection: close\r\n", "hello"), Sent(&[("POST /cl", "hello")])),
        ("te", post("/te", &format!("{chunked}Connection: close\r\n"), "5\r\nhello\r\n0\r\n\r\n"), Sent(&[("POST /te", "hello")])),
        ("two", post("/two/1", "Content-Length: 2\r\n", "ab") + &post("/two/2", "Content-Length: 2\r\nConnection: close\r\n", "cd"),
            Sent(&[("POST /two/1", "ab"), ("POST /two/2", "cd")])),
        ("none", post("/none", "Connection: close\r\n", ""), Sent(&[("POST /none", "")])),
        ("upper hex", post("/hex", &format!("{chunked}Connection: close\r\n"), "A\r\n0123456789\r\n0\r\n\r\n"), Sent(&[("POST /hex", "0123456789")])),
        ("query", post("/q?a=b%20c", "Content-Length: 1\r\nConnection: close\r\n", "x"), Sent(&[("POST /q?a=b%20c", "x")])),
        ("cl.te", post("/clte", &format!("Content-Length: {}\r\n{chunked}", hidden.len()), &hidden), Refused),
        ("te.cl", post("/tecl", &format!("{chunked}Content-Length: 4\r\n"), &format!("5c\r\n{HIDDEN}\r\n0\r\n\r\n")), Refused),
        ("te.te", post("/tete", &format!("{chunked}Transfer-Encoding: x\r\nContent-Length: 4\r\n"), &hidden), Refused),
        ("te twice", post("/te2", &format!("{chunked}{chunked}"), &hidden), Refused),
        ("te, te", post("/te3", "Transfer-Encoding: chunked, chunked\r\n", &hidden), Refused),
        ("te, identity", post("/te4", "Transfer-Encoding: chunked, identity\r\n", &hidden), Refused),
        ("gzip, te", post("/te5", "Transfer-Encoding: gzip, chunked\r\n", &hidden), Refused),
        ("x te", post("/te6", "Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n", &hidden), Refused),
        ("te tab", post("/te7", "Transfer-Encoding:\x0bchunked\r\nContent-Length: 5\r\n", &hidden), Refused),
        ("te quoted", post("/te8", "Transfer-Encoding: \"chunked\"\r\n", &hidden), Refused),
        ("te space", post("/te9", "Transfer-Encoding : chunked\r\nContent-Length: 5\r\n", &hidden), Refused),
        ("te by 1.0", post("/te10", chunked, &hidden).replace("HTTP/1.1\r\nHOST", "HTTP/1.0\r\nHOST"), Refused),
        ("cl space", post("/cl1", "Content-Length : 5\r\n", "hello"), Refused),
        ("cl twice", post("/cl2", "Content-Length: 5\r\nContent-Length: 50\r\n", "hello"), Refused),
        ("cl same twice", post("/cl3", "Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), Refused),
        ("cl list", post("/cl4", "Content-Length: 5, 5\r\n", "hello"), Refused),
        ("cl plus", post("/cl5", "Content-Length: +5\r\n", "hello"), Refused),
        ("cl minus", post("/cl6", "Content-Length: -5\r\n", "hello"), Refused),
        ("cl hex", post("/cl7", "Content-Length: 0x5\r\n", "hello"), Refused),
        ("cl huge", post("/cl8", "Content-Length: 18446744073709551621\r\n", "hello"), Refused),
        ("cl empty", post("/cl9", "Content-Length: \r\n", HIDDEN), Refused),
        ("fold", post("/fold", "X-A: b\r\n Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", &hidden), Refused),
        ("fold te", post("/fold2", "Transfer-Encoding:\r\n chunked\r\n", &hidden), Refused),
        ("first fold", post("/fold3", "", "").replace("\r\nHOST", "\r\n X: y\r\nHOST"), Refused),
        ("bare lf", post("/lf", "X-A: b\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n", &hidden), Refused),
        ("bare lf end", post("/lf2", "Content-Length: 5\n", "hello"), Refused),
        ("all lf", post("/lf3", "Content-Length: 5\r\n", "hello").replace("\r\n", "\n"), Refused),
        ("bare cr", post("/cr", "X-A: b\rTransfer-Encoding: chunked\r\nContent-Length: 5\r\n", &hidden), Refused),
        ("nul", post("/nul", "X-A: b\0c\r\nContent-Length: 5\r\n", "hello"), Refused),
        ("nul name", post("/nul2", "Content-Length\0: 5\r\n", "hello"), Refused),
        ("no colon", post("/colon", "Content-Length 5\r\n", "hello"), Refused),
        ("empty name", post("/name", ": x\r\nContent-Length: 5\r\n", "hello"), Refused),
        ("chunk extension", post("/ext", &format!("{chunked}Connection: close\r\n"), "5;a=b\r\nhello\r\n0\r\n\r\n"), Refused),
        ("chunk extension lf", post("/ext2", chunked, &format!("5;a\nb\r\nhello\r\n{hidden}")), Refused),
        ("chunk lf", post("/chunk", chunked, &format!("5\nhello\n{hidden}")), Refused),
        ("chunk space", post("/chunk2", chunked, &format!("5 \r\nhello\r\n{hidden}")), Refused),
        ("chunk 0x", post("/chunk3", chunked, &format!("0x5\r\nhello\r\n{hidden}")), Refused),
        ("chunk minus", post("/chunk4", chunked, &format!("-5\r\nhello\r\n{hidden}")), Refused),
        ("chunk huge", post("/chunk5", chunked, "10000000000000005\r\nhello\r\n0\r\n\r\n"), Refused),
        ("chunk end", post("/chunk6", chunked, &format!("5\r\nhelloXX0\r\n\r\n{HIDDEN}")), Refused),
        ("chunk empty", post("/chunk7", chunked, &format!("\r\nhello\r\n{hidden}")), Refused),
        ("trailer", post("/trailer", &format!("{chunked}Connection: close\r\n"), "5\r\nhello\r\n0\r\nX-Last: 1\r\n\r\n"), Sent(&[("POST /trailer", "hello")])),
        ("trailer cl", post("/trailer2", &format!("{chunked}Connection: close\r\n"), &format!("5\r\nhello\r\n0\r\nContent-Length: 60\r\n\r\n{HIDDEN}")), Refused),
        ("trailer lf", post("/trailer3", chunked, &format!("5\r\nhello\r\n0\r\nX: y\n\r\n{HIDDEN}")), Refused),
        ("line space", post("/a /b", "Content-Length: 5\r\n", "hello"), Refused),
        ("line tab", post("/tab", "Content-Length: 5\r\n", "hello").replace("POST /tab ", "POST\t/tab "), Refused),
        ("version", post("/version", "Content-Length: 5\r\n", "hello").replace("HTTP/1.1", "HTTP/1.2"), Refused),
        ("old version", "POST /old\r\nHOST\r\n".to_owned(), Refused),
        ("get with body", post("/get", "Content-Length: 5\r\nConnection: close\r\n", "hello").replace("POST", "GET"), Sent(&[("GET /get", "hello")])),
        ("expect", post("/expect", "Expect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n", "hello"), Sent(&[("POST /expect", "hello")])),
        ("connection te", post("/connection", "Connection: close, Content-Length\r\nContent-Length: 5\r\n", "hello"), Sent(&[("POST /connection", "hello")])),
    ]
}

#[test]
fn every_message_that_is_sent_on_is_cut_in_the_same_places_by_hyper_nginx_and_python() {
    let scene = Scene::new();
    let origins = Origins::start(&scene);
    let (mut cases, mut grants) = (Vec::new(), Vec::new());
    for (origin, port) in origins.ports() {
        let place = format!("{NAME}:{port}");
        for (name, message, _) in corpus() {
            let message = message.replace("HOST", &format!("Host: {place}\r\n"));
            cases.push(Case::to(format!("{origin} {name}"), &place).say(message));
        }
        grants.push(Scene::clear_grant("GET,POST", NAME, port, "/**"));
    }
    let flags: Vec<&str> = grants.iter().flat_map(|grant| ["--allow", grant]).collect();
    let heard = heard(&scene, "one", &flags, cases);
    let (mut expected, mut wrong): (Vec<Noted>, Vec<String>) = Default::default();
    for (name, _, made) in corpus() {
        for origin in ["hyper", "nginx", "python"] {
            let answer = &heard[&format!("{origin} {name}")];
            let is_right = match &made {
                // What does not even begin like a request is reset.
                Made::Refused => {
                    ["\"reason\":", "HTTP/1.1 400 ", "<reset>"].iter().any(|word| answer.contains(word))
                }
                Made::Sent(requests) => answer.matches(WORD).count() == requests.len(),
            };
            if !is_right || answer.contains("<silence>") {
                wrong.push(format!("{origin} {name}: {answer:?}"));
            }
        }
        if let Made::Sent(requests) = made {
            expected.extend(requests.iter().map(|(line, body)| ((*line).to_owned(), (*body).to_owned())));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    expected.sort();
    for (origin, noted) in origins.noted() {
        assert_eq!(noted, expected, "{origin}");
    }
}

/// The control: without the gateway, the same bytes are not the same requests to all of them.
#[test]
fn without_the_gateway_the_corpus_is_cut_in_different_places() {
    let scene = Scene::new();
    let origins = Origins::start(&scene);
    for (_, port) in origins.ports() {
        for (_, message, made) in corpus() {
            if matches!(made, Made::Refused) {
                let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
                stream.set_read_timeout(Some(Duration::from_millis(150))).unwrap();
                let message = message.replace("HOST", &format!("Host: {NAME}:{port}\r\n"));
                let _gone = stream.write_all(message.as_bytes());
                let _gone = stream.read_to_end(&mut Vec::new());
            }
        }
    }
    let noted = origins.noted();
    assert!(noted.iter().any(|(_, noted)| noted.iter().any(|(line, _)| line == "GET /hidden")), "{noted:?}");
    assert!(noted.iter().any(|(_, other)| *other != noted[0].1), "{noted:?}");
}
