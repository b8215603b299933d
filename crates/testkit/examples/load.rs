//! Puts load on a server, directly or through a proxy, and says how it went: the bench's generator.
//!
//! HTTP/1.1 only, connections are kept, one request at a time on each; all are open before the clock starts. It knows
//! no gateway, and judges nothing: `scripts/bench` starts it and compares what it says.
//!
//! Words: `to=ADDRESS host=HOST:PORT [proxy=absolute|connect] [tls=CERTIFICATE.pem] [path=PATH] [connections=N]
//! [seconds=S | requests=N] [rate=REQUESTS_PER_SECOND] [body=BYTES]`. Answer: one line of JSON, times in microseconds.

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::Write as _;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

type Failed = Box<dyn std::error::Error>;

const BUFFER_BYTES: usize = 64 << 10;
static ZEROS: [u8; BUFFER_BYTES] = [0; BUFFER_BYTES];
/// Nobody hangs: what has not come after this long, beyond the time that was asked for, is a failure.
const PATIENCE: Duration = Duration::from_secs(60);

trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

struct Load {
    to: String,
    host: String,
    proxy: Option<String>,
    tls: Option<TlsConnector>,
    head: Vec<u8>,
    body: usize,
    connections: usize,
    seconds: Duration,
    requests: Option<u64>,
    /// Between two requests on one connection.
    every: Option<Duration>,
}

#[derive(Default)]
struct Seen {
    requests: Cell<u64>,
    bytes: Cell<u64>,
    errors: Cell<u64>,
    first_error: RefCell<Option<String>>,
    nanoseconds: RefCell<Vec<u64>>,
}

impl Load {
    fn of(words: impl Iterator<Item = String>) -> Result<Self, Failed> {
        let mut given: HashMap<String, String> = HashMap::new();
        for word in words {
            let (key, value) = word.split_once('=').ok_or_else(|| format!("`{word}` is not KEY=VALUE"))?;
            given.insert(key.to_owned(), value.to_owned());
        }
        let mut take = |key: &str| given.remove(key);
        let host = take("host").ok_or("host= is missing")?;
        let proxy = take("proxy");
        let connections: usize = take("connections").map_or(Ok(1), |text| text.parse())?;
        let body: usize = take("body").map_or(Ok(0), |text| text.parse())?;
        let path = take("path").unwrap_or_else(|| "/".to_owned());
        let origin =
            if proxy.as_deref() == Some("absolute") { format!("http://{host}") } else { String::new() };
        let method = if body > 0 { "POST" } else { "GET" };
        let length = if body > 0 { format!("Content-Length: {body}\r\n") } else { String::new() };
        let head =
            format!("{method} {origin}{path} HTTP/1.1\r\nHost: {host}\r\n{length}User-Agent: load\r\n\r\n");
        let every = match take("rate") {
            Some(rate) => Some(Duration::from_secs(u64::try_from(connections)?) / rate.parse()?),
            None => None,
        };
        let load = Self {
            to: take("to").unwrap_or_else(|| host.clone()),
            tls: take("tls").map(|file| believing(&file)).transpose()?,
            seconds: Duration::from_secs_f64(take("seconds").map_or(Ok(1.0), |text| text.parse())?),
            requests: take("requests").map(|text| text.parse()).transpose()?,
            head: head.into_bytes(),
            host,
            proxy,
            body,
            connections,
            every,
        };
        if given.is_empty() { Ok(load) } else { Err(format!("nobody knows {:?}", given.keys()).into()) }
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, Failed> {
        let mut socket = TcpStream::connect(&self.to).await?;
        socket.set_nodelay(true)?;
        if self.proxy.as_deref() == Some("connect") {
            let host = &self.host;
            socket.write_all(format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await?;
            let answer = head_of_answer(&mut socket, &mut Vec::new()).await?;
            if answer.status != 200 {
                return Err(format!("CONNECT was answered with {}", answer.status).into());
            }
        }
        let Some(tls) = &self.tls else { return Ok(Box::new(socket)) };
        let name = self.host.rsplit_once(':').map_or(self.host.as_str(), |(name, _)| name);
        Ok(Box::new(tls.connect(ServerName::try_from(name.to_owned())?, socket).await?))
    }

    /// One request, from its first byte to the last of the answer; the answer, with all of its body heard.
    async fn ask(&self, stream: &mut Box<dyn Stream>, buffer: &mut Vec<u8>) -> Result<Answered, Failed> {
        stream.write_all(&self.head).await?;
        let mut left = self.body;
        while left > 0 {
            let part = ZEROS.get(..left.min(BUFFER_BYTES)).unwrap_or_default();
            stream.write_all(part).await?;
            left -= part.len();
        }
        stream.flush().await?;
        buffer.clear();
        let answer = head_of_answer(stream, buffer).await?;
        if answer.status != 200 {
            return Err(format!("a request was answered with {}", answer.status).into());
        }
        let mut left = answer.length.saturating_sub(u64::try_from(buffer.len() - answer.head_bytes)?);
        buffer.resize(BUFFER_BYTES, 0);
        while left > 0 {
            match stream.read(buffer).await? {
                0 => return Err("the answer ended before its end".into()),
                read => left = left.saturating_sub(u64::try_from(read)?),
            }
        }
        Ok(answer)
    }

    async fn talk(&self, mut stream: Box<dyn Stream>, begin: Instant, seen: &Seen) -> Result<(), Failed> {
        let mut buffer = Vec::with_capacity(BUFFER_BYTES);
        let mut next = begin;
        let mut asked = 0;
        while self.requests.map_or_else(|| begin.elapsed() < self.seconds, |requests| asked < requests) {
            if let Some(every) = self.every {
                tokio::time::sleep_until(next.into()).await;
                next += every;
            }
            let since = Instant::now();
            let answer = self.ask(&mut stream, &mut buffer).await?;
            seen.nanoseconds.borrow_mut().push(u64::try_from(since.elapsed().as_nanos())?);
            seen.requests.set(seen.requests.get() + 1);
            seen.bytes.set(seen.bytes.get() + answer.length);
            asked += 1;
            if answer.is_last {
                stream = self.connect().await?;
            }
        }
        Ok(())
    }

    async fn run(self) -> Result<String, Failed> {
        let mut streams = Vec::new();
        for _ in 0..self.connections {
            streams.push(self.connect().await?);
        }
        let (load, seen, begin) = (Rc::new(self), Rc::new(Seen::default()), Instant::now());
        let mut tasks = Vec::new();
        for (number, stream) in streams.into_iter().enumerate() {
            let (load, seen) = (Rc::clone(&load), Rc::clone(&seen));
            // Spread evenly, so that a rate is one, and no burst.
            let after =
                load.every.unwrap_or_default() * u32::try_from(number)? / u32::try_from(load.connections)?;
            tasks.push(tokio::task::spawn_local(async move {
                if let Err(error) = load.talk(stream, begin + after, &seen).await {
                    seen.errors.set(seen.errors.get() + 1);
                    seen.first_error.borrow_mut().get_or_insert_with(|| error.to_string());
                }
            }));
        }
        for task in tasks {
            task.await?;
        }
        Ok(seen.report(begin.elapsed()))
    }
}

impl Seen {
    fn report(&self, took: Duration) -> String {
        let mut all = self.nanoseconds.take();
        all.sort_unstable();
        let at = |percent: usize| all.get(all.len() * percent / 100).copied().unwrap_or_default();
        serde_json::json!({
            "requests": self.requests.get(), "bytes": self.bytes.get(), "errors": self.errors.get(),
            "error": self.first_error.take(), "seconds": took.as_secs_f64(),
            "p50": at(50) / 1_000, "p99": at(99) / 1_000,
        })
        .to_string()
    }
}

struct Answered {
    status: u16,
    /// The server closes after it; what that costs is the server's to bear.
    is_last: bool,
    length: u64,
    head_bytes: usize,
}

/// Reads until the head is whole; what came after it stays in `buffer`, too.
async fn head_of_answer<S: Stream + ?Sized>(
    stream: &mut S,
    buffer: &mut Vec<u8>,
) -> Result<Answered, Failed> {
    loop {
        let end = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        if let Some(end) = end {
            let head = std::str::from_utf8(buffer.get(..end).unwrap_or_default())?;
            let status = head.split(' ').nth(1).ok_or("an answer has no status")?.parse()?;
            let field = |wanted: &str| {
                let mut fields = head.lines().filter_map(|line| line.split_once(':'));
                fields.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim())
            };
            let length = field("content-length").map_or(Ok(0), str::parse)?;
            let is_last = field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
                || (head.starts_with("HTTP/1.0") && field("connection").is_none());
            return Ok(Answered { status, is_last, length, head_bytes: end + 4 });
        }
        if stream.read_buf(buffer).await? == 0 {
            return Err("an answer has no end of its head".into());
        }
    }
}

fn believing(file: &str) -> Result<TlsConnector, Failed> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file)? {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()).into())
}

fn main() -> Result<(), Failed> {
    let load = Load::of(std::env::args().skip(1))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let patience = load.seconds + PATIENCE;
    let report = tokio::task::LocalSet::new()
        .block_on(&runtime, async { tokio::time::timeout(patience, load.run()).await })??;
    writeln!(std::io::stdout(), "{report}")?;
    Ok(())
}
