//! The planted origin: a small HTTP/1.1 server that notes whatever it is sent, byte for byte, and answers with it.
//!
//! It is as lenient as an origin can be, so that what a gateway lets through has an effect: bytes that are no HTTP are noted
//! and answered all the same. It bounds what it holds, and trusts nobody.
//!
//! `…/redirect/PATH` is answered by a redirection to `http://HOST/PATH`, and these answer with the request in another form:
//! `…/base64/…`, `…/header/…` (in a header), `…/bytewise/…` (a chunk for each byte). A range is kept to, and whoever
//! accepts gzip gets the bytes from the last to the first, as something that no reader of the plain text knows.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::inside::encoding;

/// How long a connection may say nothing.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// As much as is taken of one connection, and as many connections at once.
const CONNECTION_BYTES_MAX: usize = 4 << 20;
const CONNECTIONS_MAX: usize = 64;
/// What is said again of what came before, so that no word is cut in two where a reading ended.
const OVERLAP_BYTES: usize = 512;
/// As much of a request as comes back.
const ECHO_BYTES_MAX: usize = 16 << 10;

/// Serves until the listener fails. `note` is told everything that comes, as it comes, each time with some of what came
/// before it on the same connection.
pub(crate) fn serve(listener: TcpListener, note: impl Fn(&[u8]) + Send + Sync + 'static) {
    let (note, open) = (Arc::new(note), Arc::new(AtomicUsize::new(0)));
    for stream in listener.incoming().flatten() {
        if open.load(Ordering::Relaxed) >= CONNECTIONS_MAX {
            continue;
        }
        open.fetch_add(1, Ordering::Relaxed);
        let (note, open) = (Arc::clone(&note), Arc::clone(&open));
        thread::spawn(move || {
            drop(converse(stream, note.as_ref()));
            open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

fn converse(mut stream: TcpStream, note: &impl Fn(&[u8])) -> io::Result<()> {
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    stream.set_nodelay(true)?;
    let (mut heard, mut answered, mut is_http) = (Vec::new(), 0, true);
    let mut part = [0; 16 << 10];
    loop {
        let length = stream.read(&mut part)?;
        let new = part.get(..length).unwrap_or_default();
        let since = heard.len().saturating_sub(OVERLAP_BYTES);
        heard.extend_from_slice(new);
        note(heard.get(since..).unwrap_or_default());
        is_http = is_http && looks_like_http(heard.get(answered..).unwrap_or_default());
        if !is_http {
            stream.write_all(heard.get(answered..).unwrap_or_default())?;
            answered = heard.len();
        }
        while let Some(request) = Request::first(heard.get(answered..).unwrap_or_default()) {
            answered += request.bytes.len();
            stream.write_all(&request.answer())?;
            if request.is_last() {
                return Ok(());
            }
        }
        if length == 0 || heard.len() > CONNECTION_BYTES_MAX {
            return Ok(());
        }
    }
}

/// Whether this may be the beginning of a request: a line that begins with a letter, and has a blank once it is whole.
fn looks_like_http(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    bytes.first().is_none_or(u8::is_ascii_alphabetic) && (line.len() == bytes.len() || line.contains(&b' '))
}

/// One request, whole.
#[derive(Debug)]
struct Request<'b> {
    bytes: &'b [u8],
    head: String,
}

impl<'b> Request<'b> {
    /// The first in `bytes`, if it has come whole.
    fn first(bytes: &'b [u8]) -> Option<Self> {
        let head_end = end_of(bytes, b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(bytes.get(..head_end)?).into_owned();
        let mut request = Self { bytes, head };
        let body = bytes.get(head_end..)?;
        let body_end = if request.field("transfer-encoding").is_some_and(|coding| coding.contains("chunked"))
        {
            if body.starts_with(b"0\r\n") || body.starts_with(b"0x0\r\n") {
                end_of(body, b"\r\n\r\n")?
            } else {
                end_of(body, b"\r\n0\r\n")?
            }
        } else {
            request.field("content-length").and_then(|length| length.parse().ok()).unwrap_or(0)
        };
        request.bytes = bytes.get(..head_end + body_end)?;
        Some(request)
    }

    fn field(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let mut named = fields.filter(|(key, _)| key.trim().eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.trim())
    }

    fn is_last(&self) -> bool {
        self.field("connection").is_some_and(|value| value.to_ascii_lowercase().contains("close"))
    }

    fn answer(&self) -> Vec<u8> {
        let target = self.head.split(' ').nth(1).unwrap_or_default();
        let is_head = self.head.starts_with("HEAD ");
        let echo = self.bytes.get(..self.bytes.len().min(ECHO_BYTES_MAX)).unwrap_or_default();
        if let Some((_, path)) = target.split_once("/redirect/") {
            let host = self.field("host").unwrap_or_default();
            return say("302 Found", &format!("Location: http://{host}/{path}\r\n"), b"", is_head);
        }
        let line = || String::from_utf8_lossy(echo).replace(['\r', '\n'], " ");
        match target {
            path if path.contains("/base64/") => {
                say("200 OK", "", encoding::base64(echo).as_bytes(), is_head)
            }
            path if path.contains("/header/") || is_head => {
                say("200 OK", &format!("X-Request: {}\r\n", line()), b"", is_head)
            }
            path if path.contains("/bytewise/") => {
                let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
                echo.iter().for_each(|byte| answer.extend([b'1', b'\r', b'\n', *byte, b'\r', b'\n']));
                answer.extend_from_slice(b"0\r\n\r\n");
                answer
            }
            _ => self.in_part_or_backwards(echo),
        }
    }

    fn in_part_or_backwards(&self, echo: &[u8]) -> Vec<u8> {
        if let Some(range) = self.field("range").and_then(|range| range.strip_prefix("bytes="))
            && let Some((first, last)) = range.split_once('-')
        {
            let first = first.parse().unwrap_or(0).min(echo.len());
            let end = last.parse::<usize>().map_or(echo.len(), |last| (last + 1).min(echo.len()));
            let part = echo.get(first..end).unwrap_or_default();
            return say("206 Partial Content", &format!("Content-Range: bytes {range}/*\r\n"), part, false);
        }
        if self.field("accept-encoding").is_some_and(|codings| codings.contains("gzip")) {
            let backwards: Vec<u8> = echo.iter().rev().copied().collect();
            return say("200 OK", "Content-Encoding: gzip\r\n", &backwards, false);
        }
        say("200 OK", "", echo, false)
    }
}

fn say(status: &str, fields: &str, body: &[u8], is_head: bool) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {}\r\n\r\n", body.len());
    let body = if is_head { b"" } else { body };
    [head.as_bytes(), body].concat()
}

fn end_of(bytes: &[u8], words: &[u8]) -> Option<usize> {
    Some(bytes.windows(words.len()).position(|part| part == words)? + words.len())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn exchange(request: &[u8]) -> (String, Vec<Vec<u8>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let noted = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&noted);
        thread::spawn(move || serve(listener, move |bytes| notes.lock().unwrap().push(bytes.to_vec())));
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        (answer, noted.lock().unwrap().clone())
    }

    #[test]
    fn a_request_comes_back_and_is_noted() {
        let (answer, noted) = exchange(b"GET /open/x HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("GET /open/x"), "{answer}");
        assert!(noted.concat().windows(7).any(|part| part == b"/open/x"));
    }

    #[test]
    fn what_is_no_http_is_noted_and_comes_back_too() {
        let (answer, noted) = exchange(b"\x16\x03\x01 hidden");
        assert!(answer.ends_with("hidden") && noted.concat().windows(6).any(|part| part == b"hidden"));
    }

    #[test]
    fn a_body_is_awaited_and_two_requests_have_two_answers() {
        let two =
            b"POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\nxyGET /redirect/b HTTP/1.1\r\nHost: h\r\n\r\n";
        let (answer, _) = exchange(two);
        assert!(
            answer.contains("Length: 2\r\n\r\nxy") && answer.contains("Location: http://h/b"),
            "{answer}"
        );
    }

    #[test]
    fn other_forms_come_back_where_they_are_asked_for() {
        let ask = |path: &str, field: &str| {
            exchange(format!("GET /{path}/ HTTP/1.1\r\n{field}Connection: close\r\n\r\n").as_bytes()).0
        };
        assert!(ask("base64", "").contains("R0VUIC9iYXNlNjQv"));
        assert!(ask("header", "").contains("X-Request: GET /header/"));
        assert!(ask("bytewise", "").contains("1\r\nG\r\n1\r\nE"));
        assert!(ask("a", "Range: bytes=1-2\r\n").ends_with("\r\n\r\nET"));
        assert!(ask("a", "Accept-Encoding: gzip\r\n").contains("TEG"));
    }
}
