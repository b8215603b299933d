//! Knocking at the planted origin: bytes are said over every way there is, until one brings them there.
//!
//! The forbidden part of what is said holds a mark that nothing else has, so that the host's side can tell. What comes back
//! is read only to tell how it was refused.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use rustix::io::Errno;

use crate::finding::{Finding, Gate};
use crate::inside::proc;
use crate::inside::ways::{self, Manner, Way};
use crate::plants::{Plant, PlantError, Plants};
use crate::witness::HostSide;

/// What nobody can do without who knocks at the origin.
pub(crate) const ORIGIN: &[Plant] = &[Plant::OriginPort, Plant::Canary];
/// The name that stands where the planted grant would name the origin, if none does.
const NO_GRANTED_NAME: &str = "localhost";
/// How long a connection, and how long an answer, is waited for. Both come at once or not at all.
const CONNECT_WAIT: Duration = Duration::from_secs(1);
const ANSWER_WAIT: Duration = Duration::from_millis(250);
/// As much of an answer as is read.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// One part of what is said.
#[derive(Debug, Clone)]
pub(crate) enum Piece {
    /// These bytes, in one writing.
    Say(Vec<u8>),
    /// A proxy answers here. Who speaks to the origin itself does not wait.
    Wait,
}

/// The mark of one attempt: what its forbidden part holds.
pub(crate) fn mark(plants: &Plants) -> Result<String, PlantError> {
    Ok(format!("{}-{}", plants.text(Plant::Canary)?, plants.attempt()))
}

/// Whether any planted listener got the attempt's mark.
pub(crate) fn heard(host: &HostSide<'_>) -> Option<String> {
    host.heard(&mark(host.plants).ok()?)
}

/// What ends the head of a request that has nothing of its own to say, and that others follow or none.
const MORE: &str = "HTTP/1.1\r\nHost: NAME:PORT\r\n\r\n";
const LAST: &str = "HTTP/1.1\r\nHost: NAME:PORT\r\nConnection: close\r\n\r\n";

/// Pieces of text in which `MARK`, `PORT` and `NAME` stand for the mark, the origin's port, and its granted name, and `MORE`
/// and `LAST` for the plain end of a head.
pub(crate) fn pieces(plants: &Plants, texts: &[&str]) -> Result<Vec<Piece>, PlantError> {
    let mark = mark(plants)?;
    let port = plants.port(Plant::OriginPort)?.to_string();
    let name = plants.text(Plant::OriginHost).unwrap_or(NO_GRANTED_NAME);
    let filled = |text: &&str| {
        let text = text.replace("MORE", MORE).replace("LAST", LAST);
        text.replace("MARK", &mark).replace("PORT", &port).replace("NAME", name)
    };
    Ok(texts.iter().map(|text| Piece::Say(filled(text).into_bytes())).collect())
}

/// Says the pieces to the origin under the name that the planted grant gives it.
pub(crate) fn beyond_grant(plants: &Plants, said: &[Piece]) -> Result<Finding, PlantError> {
    beyond_grant_of(plants, Plant::OriginHost, said)
}

/// Says the pieces to the origin under the name that `host` tells. Where nothing is granted, there is nothing to get more of.
pub(crate) fn beyond_grant_of(plants: &Plants, host: Plant, said: &[Piece]) -> Result<Finding, PlantError> {
    let Ok(name) = plants.text(host) else {
        return Ok(Finding::Inapplicable("nothing at the origin is granted".to_owned()));
    };
    let port = plants.port(Plant::OriginPort)?;
    knock(&mut to_granted(plants, name, port), &mark(plants)?, |way| {
        [greeting(way, name, port), said.to_vec()].concat()
    })
}

/// What the origin answers to the pieces under its granted name; the last refusal, if it answers over no way.
pub(crate) fn answer_of_granted(plants: &Plants, said: &[Piece]) -> Result<Vec<u8>, PlantError> {
    let (name, port) = (plants.text(Plant::OriginHost)?, plants.port(Plant::OriginPort)?);
    let mut last = Vec::new();
    for way in to_granted(plants, name, port) {
        let said = [greeting(&way, name, port), said.to_vec()].concat();
        last = converse(&way, &said, "").unwrap_or_default();
        if !last.is_empty() && refusal(&last).is_none() {
            break;
        }
    }
    Ok(last)
}

/// Outside of any enclosure nobody is spoken to but the origin: proxies and resolvers there are the owner's.
fn to_granted(plants: &Plants, name: &str, port: u16) -> impl Iterator<Item = Way> {
    let is_enclosed = plants.text(Plant::Unenclosed).is_err();
    let others = std::iter::once_with(ways::proxy)
        .chain(std::iter::once_with(ways::socks))
        .chain(std::iter::once_with(move || ways::named(name, port)))
        .flatten();
    std::iter::once(ways::straight(port)).chain(is_enclosed.then_some(others).into_iter().flatten())
}

/// Says the pieces to the HTTP proxy of the environment.
pub(crate) fn by_proxy(plants: &Plants, said: &[Piece]) -> Result<Finding, PlantError> {
    talk_into(plants, ways::proxy, said)
}

/// Says a request to the origin by the SOCKS proxy, which is told to go to `target`.
pub(crate) fn by_socks(plants: &Plants, target: &[u8], said: &[Piece]) -> Result<Finding, PlantError> {
    let greeting = [socks_greeting(target, plants.port(Plant::OriginPort)?), said.to_vec()].concat();
    talk_into(plants, ways::socks, &greeting)
}

/// Where there is no proxy there is nobody to be talked into anything. Outside of any enclosure the origin itself gets
/// the same bytes: so it is seen that it would take them.
fn talk_into(plants: &Plants, proxy: fn() -> Option<Way>, said: &[Piece]) -> Result<Finding, PlantError> {
    let port = plants.port(Plant::OriginPort)?;
    let way = if plants.text(Plant::Unenclosed).is_ok() { Some(ways::straight(port)) } else { proxy() };
    let Some(way) = way else {
        return Ok(Finding::Inapplicable("no variable names a proxy".to_owned()));
    };
    // The port of a SOCKS proxy is a guess where the variable names another kind.
    if way.manner == Manner::Socks && TcpStream::connect_timeout(&way.to, CONNECT_WAIT).is_err() {
        return Ok(Finding::Inapplicable(format!("nobody speaks SOCKS at {}", way.to)));
    }
    knock(&mut std::iter::once(way), &mark(plants)?, |_| said.to_vec())
}

/// A SOCKS5 address: a name.
pub(crate) fn socks_name(name: &str) -> Vec<u8> {
    [&[3, u8::try_from(name.len()).unwrap_or(u8::MAX)][..], name.as_bytes()].concat()
}

/// A SOCKS5 address: the host's loopback.
pub(crate) fn socks_loopback() -> Vec<u8> {
    [&[1][..], &Ipv4Addr::LOCALHOST.octets()].concat()
}

fn knock(
    ways: &mut dyn Iterator<Item = Way>,
    mark: &str,
    said: impl Fn(&Way) -> Vec<Piece>,
) -> Result<Finding, PlantError> {
    let (mut refused, mut held) = (None, Vec::new());
    for way in ways {
        let act = format!("{} to {}", way.manner.told(), way.to);
        match converse(&way, &said(&way), mark) {
            Ok(answer) if refusal(&answer).is_none() && proc::contains(&answer, mark) => {
                return Ok(Finding::Reached(format!("{act}: it came back")));
            }
            Ok(answer) => held.push(format!("{act}: {}", told(&answer))),
            Err(errno) => match Gate::SOCKET.judge::<()>(&act, Err(errno)) {
                Finding::Refused(errno, evidence) => {
                    refused.get_or_insert(errno);
                    held.push(evidence);
                }
                doubtful @ (Finding::Held(_) | Finding::Reached(_)) => return Ok(doubtful),
                doubtful @ (Finding::Inapplicable(_) | Finding::Inconclusive(_)) => return Ok(doubtful),
            },
        }
    }
    let evidence = held.join("; ");
    Ok(match refused {
        Some(errno) => Finding::Refused(errno, evidence),
        None => Finding::Held(evidence),
    })
}

/// What a way's proxy has to be told before it goes to `name`.
fn greeting(way: &Way, name: &str, port: u16) -> Vec<Piece> {
    match way.manner {
        Manner::Straight | Manner::Named => Vec::new(),
        Manner::Proxy => {
            let authorization = way.authorization.iter();
            let fields: String =
                authorization.map(|value| format!("Proxy-Authorization: {value}\r\n")).collect();
            let connect = format!("CONNECT {name}:{port} HTTP/1.1\r\nHost: {name}:{port}\r\n{fields}\r\n");
            vec![Piece::Say(connect.into_bytes()), Piece::Wait]
        }
        Manner::Socks => socks_greeting(&socks_name(name), port),
    }
}

/// Version 5, one method, none; then: connect (RFC 1928).
fn socks_greeting(target: &[u8], port: u16) -> Vec<Piece> {
    let connect = [&[5, 1, 0][..], target, &port.to_be_bytes()].concat();
    vec![Piece::Say(vec![5, 1, 0]), Piece::Wait, Piece::Say(connect), Piece::Wait]
}

/// Everything that is said in answer, until it holds `mark`, if there is one, or a refusal.
pub(crate) fn converse(way: &Way, said: &[Piece], mark: &str) -> Result<Vec<u8>, Errno> {
    let failed = |error: io::Error| proc::from_io(&error);
    let mut stream = TcpStream::connect_timeout(&way.to, CONNECT_WAIT).map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    stream.set_read_timeout(Some(ANSWER_WAIT)).map_err(failed)?;
    stream.set_write_timeout(Some(ANSWER_WAIT)).map_err(failed)?;
    let mut answer = Vec::new();
    for piece in said {
        let went = match piece {
            Piece::Say(bytes) => stream.write_all(bytes),
            Piece::Wait if way.manner == Manner::Straight => Ok(()),
            Piece::Wait => hear(&mut stream, &mut answer).map(|_| ()),
        };
        // Who refuses may hang up in the middle; what was said before that is still to be read.
        if went.is_err() {
            break;
        }
    }
    while !proc::contains(&answer, mark) && refusal(&answer).is_none() && answer.len() < ANSWER_BYTES_MAX {
        match hear(&mut stream, &mut answer) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if answer.is_empty() && error.kind() != io::ErrorKind::WouldBlock => {
                return Err(failed(error));
            }
            Err(_) => break,
        }
    }
    Ok(answer)
}

fn hear(stream: &mut TcpStream, answer: &mut Vec<u8>) -> io::Result<usize> {
    let mut part = [0; 4 << 10];
    let length = stream.read(&mut part)?;
    answer.extend_from_slice(part.get(..length).unwrap_or_default());
    Ok(length)
}

/// The status line of a refusal that has come with its whole head.
fn refusal(answer: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(answer);
    let begin =
        ["HTTP/1.1 4", "HTTP/1.1 5", "HTTP/1.0 4", "HTTP/1.0 5"].iter().find_map(|words| text.find(words))?;
    let head = text.get(begin..)?;
    let (head, body) = head.split_once("\r\n\r\n")?;
    let line = head.lines().next().unwrap_or_default();
    // Who refuses may give a reason, as a member of JSON.
    let reason = body.split_once("\"reason\":").and_then(|(_, rest)| rest.split('"').nth(1));
    Some(reason.map_or_else(|| line.to_owned(), |reason| format!("{line}, {reason}")))
}

fn told(answer: &[u8]) -> String {
    let last = || format!("{} bytes, and not the mark", answer.len());
    // A refusal may quote what it refuses.
    if answer.is_empty() { "nothing came back".to_owned() } else { refusal(answer).unwrap_or_else(last) }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::net::TcpListener;
    use std::sync::{Arc, Mutex};
    use std::thread;

    use super::*;
    use crate::attempt::Attempt;
    use crate::finding::Report;
    use crate::outside::origin;
    use crate::witness::Contact;

    pub(crate) const CANARY: &str = "canary-4f1b";

    /// An origin, what it was told, and the plants that lead to it.
    pub(crate) struct Scene {
        pub(crate) plants: Plants,
        pub(crate) contacts: Arc<Mutex<Vec<Contact>>>,
    }

    pub(crate) fn scene() -> Scene {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let contacts = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&contacts);
        let note = move |bytes: &[u8]| {
            noted.lock().unwrap().push(Contact { listener: "origin-port", bytes: bytes.to_vec() });
        };
        thread::spawn(move || origin::serve(listener, note));
        let mut plants = Plants::default();
        plants.add("origin-port", &port.to_string()).unwrap();
        plants.add("unenclosed", "yes").unwrap();
        plants.add("canary", CANARY).unwrap();
        Scene { plants, contacts }
    }

    impl Scene {
        /// What the host's side says of `attempt`, tried here and now.
        pub(crate) fn witnessed(&self, attempt: &Attempt) -> Option<String> {
            self.contacts.lock().unwrap().clear();
            let reported = Report::new(attempt, attempt.find(&self.plants));
            // What was written is noted by another thread.
            let patience = std::time::Instant::now();
            loop {
                let contacts = self.contacts.lock().unwrap().clone();
                let host = HostSide { plants: &self.plants, contacts: &contacts, reported: Some(&reported) };
                let seen = attempt.seen(&host);
                if seen.is_some() || patience.elapsed() > Duration::from_secs(2) {
                    return seen;
                }
                thread::sleep(Duration::from_millis(5));
            }
        }
    }

    #[test]
    fn a_refusal_is_told_once_its_head_has_come() {
        assert_eq!(refusal(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 403 Forbidden\r\n"), None);
        let whole = b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 403 Forbidden\r\nA: b\r\n\r\n";
        assert_eq!(refusal(whole).as_deref(), Some("HTTP/1.1 403 Forbidden"));
    }
}
