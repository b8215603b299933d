//! A connection from where it arrives to where it is known what it speaks: the proxies, then TLS, HTTP, or bytes.
//!
//! Whatever way a client takes, it ends at one question: what may be spoken to this destination? What is not granted
//! is told so in the client's own protocol where that is HTTP, with or without TLS; anything else is reset, soon.

use crate::bounds::SEALED_BYTES_MAX;
use crate::gate::Gate;
use crate::passage::{Named, Passage};
use crate::protocol::hello::{self, Hello};
use crate::protocol::socks::{self, SocksError, Target};
use crate::serve::{After, Place, Talk, stands_for_a_name};
use crate::splice;
use crate::stream::Client;
use cofferdam_policy::net::arrival::Arrival;
use cofferdam_policy::net::grant::{Protocol, Scheme};
use cofferdam_policy::net::host::{Destination, DnsName, Host, Port};
use cofferdam_policy::net::refusal::{Refusal, RefusalReason};
use cofferdam_policy::net::verdict::{Permitted as _, Reach, SplicePermit};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// Where the proxies seem to be, inside a cell.
pub const PROXY_ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
/// The HTTP proxy's port.
pub const HTTP_PROXY_PORT: u16 = 3128;
/// The SOCKS5 proxy's port.
pub const SOCKS_PROXY_PORT: u16 = 1080;

/// For a client to say what it wants where something is granted; browsers open connections ahead.
const FIRST_BYTES_TIME_MAX: Duration = Duration::from_secs(60);
/// The same where nothing is.
const UNWANTED_TIME_MAX: Duration = Duration::from_secs(1);
/// The same where nothing is, for a client that has asked a proxy: it is about to speak, however busy the machine is.
const LED_TIME_MAX: Duration = Duration::from_secs(3);
/// Ports of protocols in which the server speaks first (FTP, SSH, Telnet, SMTP, POP3, IMAP, MySQL, VNC): whoever connects
/// there waits to be greeted, and where nothing is granted nobody does.
const SERVER_FIRST_PORTS: [u16; 10] = [21, 22, 23, 25, 110, 143, 587, 2525, 3306, 5900];
/// For a handshake with a proxy or by TLS.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(15);
/// Letters of the longest method that is taken for one.
const METHOD_BYTES_MAX: usize = 32;

/// Serves one connection, until it ends. Each stage of its way is boxed by itself, and gone when the next one begins:
/// what stays for as long as a connection lives is the last.
pub(crate) async fn serve(gate: Arc<Gate>, arrival: Arrival, socket: TcpStream) {
    let client = Client::new(socket);
    let to = arrival.destination;
    let unwanted = if to.ip() == PROXY_ADDRESS { LED_TIME_MAX } else { UNWANTED_TIME_MAX };
    let led = match (to.ip(), to.port()) {
        (IpAddr::V4(PROXY_ADDRESS), HTTP_PROXY_PORT) => Box::pin(http_proxy(&gate, client)).await,
        (IpAddr::V4(PROXY_ADDRESS), SOCKS_PROXY_PORT) => Box::pin(socks_proxy(&gate, client)).await,
        (address, port) => {
            let host = arrival.name.map_or_else(|| Host::Address(address.to_canonical()), Host::Name);
            match Port::new(port) {
                Some(port) => Some((client, Destination { host, port })),
                None => {
                    client.reset();
                    None
                }
            }
        }
    };
    if let Some((client, to)) = led {
        Box::pin(open(gate, to, client, unwanted)).await;
    }
}

/// A client of a proxy, and where it wants to go.
type Led = Option<(Client, Destination)>;

async fn http_proxy(gate: &Arc<Gate>, client: Client) -> Led {
    let talk = Talk { gate: Arc::clone(gate), place: Place::Proxy, doom: None };
    match talk.http1(client).await {
        After::Closed => None,
        After::Tunnel(mut client, early, to) => {
            client.give_back(&early);
            Some((client, to))
        }
    }
}

async fn socks_proxy(gate: &Arc<Gate>, mut client: Client) -> Led {
    match timeout(HANDSHAKE_TIME_MAX, greet(&mut client)).await {
        Ok(Ok(Some(Ok(to)))) => return Some((client, to)),
        Ok(Ok(Some(Err(reason)))) => {
            gate.words.refused(&Refusal::of_nowhere(reason));
            // It was told; a reset could take that back.
            let _gone = client.shutdown().await;
        }
        Ok(Ok(None) | Err(_)) | Err(_) => client.reset(),
    }
    None
}

/// The SOCKS handshake; `None` if the client goes before its end.
async fn greet(client: &mut Client) -> io::Result<Option<Result<Destination, RefusalReason>>> {
    let greeting = loop {
        match socks::greeting(client.ahead()) {
            Ok(None) if client.read_ahead().await? => {}
            Ok(None) => return Ok(None),
            Ok(Some(length)) => break length,
            Err(error) => {
                if error == SocksError::Methods {
                    client.write_all(&socks::NOT_GREETED).await?;
                }
                return Ok(Some(Err(RefusalReason::ProtocolUnknown)));
            }
        }
    };
    client.drop_ahead(greeting);
    client.write_all(&socks::GREETED).await?;
    let (target, length) = loop {
        match socks::request(client.ahead()) {
            Ok(None) if client.read_ahead().await? => {}
            Ok(None) => return Ok(None),
            Ok(Some(request)) => break request,
            Err(error) => {
                client.write_all(&error.reply().bytes()).await?;
                return Ok(Some(Err(RefusalReason::MessageMalformed)));
            }
        }
    };
    client.drop_ahead(length);
    let Some(to) = destination(target) else {
        client.write_all(&socks::Reply::Failed.bytes()).await?;
        return Ok(Some(Err(RefusalReason::HostMalformed)));
    };
    client.write_all(&socks::Reply::Succeeded.bytes()).await?;
    Ok(Some(Ok(to)))
}

fn destination(target: Target) -> Option<Destination> {
    let (host, port) = match target {
        Target::Address(address, port) => (Host::Address(address.to_canonical()), port),
        Target::Name(name, port) => (Host::parse(name).ok()?, port),
    };
    Some(Destination { host, port: Port::new(port)? })
}

/// What a client's first bytes are.
enum Spoken {
    Tls(Hello),
    Http,
    Malformed,
    Unknown,
    Nothing,
}

/// An address of the cell's own stands for a name, and only the cell knows for which: who has resolved it and then says
/// it to a proxy names the host in the TLS server name or in `Host`. That is a claim like any other, and judged like any
/// other; the address itself leads nowhere, whatever is granted and whatever the host's network has there. `unwanted` is
/// how long a client is heard where nothing is granted.
async fn open(gate: Arc<Gate>, to: Destination, mut client: Client, unwanted: Duration) {
    if !stands_for_a_name(&to.host) {
        return open_named(gate, to, client, unwanted).await;
    }
    let is_greeted = SERVER_FIRST_PORTS.contains(&to.port.get());
    let patience = if is_greeted { Duration::ZERO } else { unwanted };
    match timeout(patience, listen(&mut client)).await.unwrap_or(Ok(Spoken::Nothing)) {
        Err(_gone) => {}
        Ok(Spoken::Http) => {
            let talk = Talk { gate, place: Place::Named(to.port), doom: None };
            let _closed = talk.http1(client).await;
        }
        Ok(Spoken::Tls(hello)) => {
            let said = hello.server_name.as_deref();
            if said.is_some_and(|name| gate.leaks_in(&to, name)) {
                return client.reset();
            }
            match said.and_then(|name| DnsName::parse(name).ok()) {
                Some(name) => {
                    let to = Destination { host: Host::Name(name), port: to.port };
                    open_named(gate, to, client, unwanted).await;
                }
                None => {
                    let (name, doom) = (to.host.to_string(), Some(RefusalReason::NameUnknown));
                    Box::pin(terminate(gate, to, client, &name, doom)).await;
                }
            }
        }
        Ok(Spoken::Malformed | Spoken::Unknown | Spoken::Nothing) => {
            gate.words.refused(&Refusal::of_connection(RefusalReason::NameUnknown, &to));
            client.reset();
        }
    }
}

/// The way of a connection to a host that is known.
async fn open_named(gate: Arc<Gate>, to: Destination, mut client: Client, unwanted: Duration) {
    if gate.leaks_in(&to, to.host.to_string().as_bytes()) {
        return client.reset();
    }
    let (patience, unheard, unread) = match gate.grants().reach(&to) {
        Ok(Reach::Unread(permit)) if permit.protocol() == Protocol::Tcp => {
            return Box::pin(pass_on(&gate, &permit, client)).await;
        }
        Ok(Reach::Unread(permit)) => (FIRST_BYTES_TIME_MAX, None, Some(permit)),
        Ok(Reach::Read) => (FIRST_BYTES_TIME_MAX, None, None),
        Err(refusal) if SERVER_FIRST_PORTS.contains(&to.port.get()) => (Duration::ZERO, Some(refusal), None),
        Err(refusal) => (unwanted, Some(refusal), None),
    };
    let spoken = timeout(patience, listen(&mut client)).await.unwrap_or(Ok(Spoken::Nothing));
    match spoken {
        Err(_gone) => {}
        Ok(Spoken::Tls(hello)) => tls(gate, to, client, &hello, unread).await,
        Ok(Spoken::Http) => {
            let talk = Talk { gate, place: Place::At(to, Scheme::Http), doom: None };
            // A tunnel is opened by the proxy only.
            let _closed = talk.http1(client).await;
        }
        Ok(spoken @ (Spoken::Malformed | Spoken::Unknown | Spoken::Nothing)) => {
            let reason = match spoken {
                Spoken::Malformed => RefusalReason::MessageMalformed,
                Spoken::Nothing => RefusalReason::TooSlow,
                Spoken::Unknown | Spoken::Tls(_) | Spoken::Http => RefusalReason::ProtocolUnknown,
            };
            gate.words.refused(&match unheard {
                // Whatever it speaks, it is no HTTP: no other grant would help.
                Some(refusal) => gate.grants().offering_tcp(refusal),
                None => Refusal::of_connection(reason, &to),
            });
            client.reset();
        }
    }
}

/// Reads ahead until it is clear what a client speaks.
async fn listen(client: &mut Client) -> io::Result<Spoken> {
    loop {
        match client.ahead() {
            [] => {}
            &[first, ..] if hello::may_be_tls(first) => match hello::read(client.ahead()) {
                Ok(Some(hello)) => return Ok(Spoken::Tls(hello)),
                Ok(None) => {}
                Err(_malformed) => return Ok(Spoken::Malformed),
            },
            ahead => match may_be_http(ahead) {
                Some(true) => return Ok(Spoken::Http),
                Some(false) => return Ok(Spoken::Unknown),
                None => {}
            },
        }
        if !client.read_ahead().await? {
            return Ok(Spoken::Nothing);
        }
    }
}

/// Whether these bytes begin a request of HTTP/1; `None` while that is not clear. HTTP/2 in clear text is not served.
fn may_be_http(bytes: &[u8]) -> Option<bool> {
    let end = bytes.iter().position(|byte| *byte == b' ');
    let method = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
    let is_method = method.iter().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_'));
    if !is_method || method.len() > METHOD_BYTES_MAX || end == Some(0) || method == b"PRI" {
        return Some(false);
    }
    end.map(|_| true)
}

async fn tls(gate: Arc<Gate>, to: Destination, client: Client, hello: &Hello, unread: Option<SplicePermit>) {
    if hello.server_name.as_ref().is_some_and(|name| gate.leaks_in(&to, name)) {
        return client.reset();
    }
    let doom = doom(&to, hello, unread.is_some());
    match unread {
        Some(permit) if doom.is_none() => Box::pin(pass_on(&gate, &permit, client)).await,
        // What is wrong is said in HTTP, by our own certificate.
        Some(_) | None => {
            let named = hello.server_name.as_deref().and_then(|name| DnsName::parse(name).ok());
            let name = named.map_or_else(|| to.host.to_string(), |name| name.as_str().to_owned());
            Box::pin(terminate(gate, to, client, &name, doom)).await;
        }
    }
}

/// Whether the hello names another host than its connection goes to. What is not opened must not hide what it names;
/// what is opened hides nothing, so that the decoys which browsers send are no reason to refuse them.
fn doom(to: &Destination, hello: &Hello, is_unread: bool) -> Option<RefusalReason> {
    if hello.encrypted && is_unread {
        return Some(RefusalReason::SniHidden);
    }
    let named = hello.server_name.as_ref().map(DnsName::parse);
    match (&to.host, named) {
        (Host::Name(name), Some(Ok(named))) if *name == named => None,
        // An address is not named in a hello (RFC 6066, 3); there is nothing that could differ.
        (Host::Address(_), None) => None,
        (Host::Name(_) | Host::Address(_), _) => Some(RefusalReason::SniMismatch),
    }
}

/// Speaks TLS as the server, and HTTP in it.
async fn terminate(
    gate: Arc<Gate>,
    to: Destination,
    client: Client,
    name: &str,
    doom: Option<RefusalReason>,
) {
    let refuse = |reason| gate.words.refused(&Refusal::of_connection(doom.unwrap_or(reason), &to));
    let Ok(config) = gate.authority.server(name) else {
        refuse(RefusalReason::HostMalformed);
        return client.reset();
    };
    // Keys and all are more than a KiB, which each future that holds them would have room for anew.
    let handshake = Box::pin(TlsAcceptor::from(config).accept(client));
    let mut stream = match timeout(HANDSHAKE_TIME_MAX, handshake).await {
        Ok(Ok(stream)) => Box::new(stream),
        // A client that does not believe in our authority, or does not speak TLS after all.
        Ok(Err(_)) | Err(_) => return refuse(RefusalReason::ProtocolUnknown),
    };
    stream.get_mut().1.set_buffer_limit(Some(SEALED_BYTES_MAX));
    let is_new = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let talk = Talk { gate, place: Place::At(to, Scheme::Https), doom };
    if is_new {
        Box::pin(talk.http2(stream)).await;
    } else {
        let _closed = talk.http1(stream).await;
    }
}

/// Passes bytes on unread.
async fn pass_on(gate: &Arc<Gate>, permit: &SplicePermit, client: Client) {
    let to = permit.destination();
    let refuse = |reason| gate.words.refused(&Refusal::of_connection(reason, to));
    let allowance = gate.budgets.of(permit.index(), permit.budget());
    let named = Named { method: permit.protocol().name(), path: "" };
    let passage = match Passage::begin(&gate.words, allowance, permit, named) {
        Ok(passage) => passage,
        Err(exhausted) => {
            refuse(exhausted.reason());
            return client.reset();
        }
    };
    let origin = match gate.origins.dialer.tcp(permit).await {
        Ok(origin) => origin,
        Err(failure) => {
            refuse(failure.reason());
            return client.reset();
        }
    };
    let ahead = client.ahead();
    let counted = passage.up(u64::try_from(ahead.len()).unwrap_or(u64::MAX)).map_err(io::Error::other);
    let passed = match counted {
        Ok(()) => splice::write_all(&origin, ahead).await,
        Err(error) => Err(error),
    };
    let passed = match passed {
        Ok(()) => splice::both_ways(client.socket(), &origin, &passage).await,
        Err(error) => Err(error),
    };
    if let Err(error) = passed {
        let exhausted = error.get_ref().and_then(|inner| inner.downcast_ref::<crate::passage::Exhausted>());
        if let Some(exhausted) = exhausted {
            refuse(exhausted.reason());
        }
        crate::stream::reset(origin);
        client.reset();
    }
}
