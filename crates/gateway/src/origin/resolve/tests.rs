//! Name servers that answer, cut short, guess, know nothing or are gone.

use super::*;
use cofferdam_policy::net::dns::{Asked, ResponseCode};
use tokio::net::TcpListener;

/// What a name server of these tests does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Server {
    Answers,
    CutsShort,
    Guesses,
    KnowsNothing,
}

fn address(family: Family) -> IpAddr {
    match family {
        Family::V4 => "192.0.2.7".parse().unwrap(),
        Family::V6 => "2001:db8::7".parse().unwrap(),
    }
}

async fn serve(kind: Server) -> SocketAddr {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = tcp.local_addr().unwrap();
    let udp = UdpSocket::bind(place).await.unwrap();
    let answer = |query: &[u8]| {
        let asked = Asked::parse(query).unwrap();
        asked.answer(asked.family().map(address))
    };
    tokio::spawn(async move {
        loop {
            let mut query = [0; 512];
            let (length, from) = udp.recv_from(&mut query).await.unwrap();
            let query = &query[..length];
            let mut message = answer(query);
            match kind {
                Server::Answers => {}
                Server::CutsShort => message[2] |= 2,
                Server::Guesses => {
                    // Somebody else's answers, before the real one.
                    let mut guess = message.clone();
                    guess[0] ^= 1;
                    udp.send_to(&guess, from).await.unwrap();
                    udp.send_to(b"x", from).await.unwrap();
                }
                Server::KnowsNothing => {
                    message = Asked::parse(query).unwrap().failed(ResponseCode::NoSuchName)
                }
            }
            udp.send_to(&message, from).await.unwrap();
        }
    });
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = tcp.accept().await.unwrap();
            let mut query = vec![0; stream.read_u16().await.unwrap().into()];
            stream.read_exact(&mut query).await.unwrap();
            let message = answer(&query);
            stream.write_u16(u16::try_from(message.len()).unwrap()).await.unwrap();
            stream.write_all(&message).await.unwrap();
        }
    });
    place
}

async fn addresses_by(servers: Vec<SocketAddr>, hosts: &str, name: &str) -> Result<Vec<IpAddr>, Failure> {
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = home.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let resolver = Resolver::read(&Places { configuration: file("c", ""), hosts: file("h", hosts) });
    resolver.configuration.lock().unwrap().servers = servers;
    let name = DnsName::parse(name).unwrap();
    let addresses = resolver.addresses(&name).await?;
    assert_eq!(
        resolver.kept(&name).is_some(),
        hosts.is_empty(),
        "what a name server says is kept for a while"
    );
    Ok(addresses.to_vec())
}

fn run<F: Future>(test: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

#[test]
fn a_name_has_the_addresses_that_a_name_server_says() {
    run(async {
        for kind in [Server::Answers, Server::CutsShort, Server::Guesses] {
            let servers = vec![serve(kind).await];
            let addresses = addresses_by(servers, "", "a.test").await.unwrap();
            assert_eq!(addresses, [address(Family::V6), address(Family::V4)]);
        }
    });
}

#[test]
fn a_name_that_nobody_knows_has_none_and_a_server_that_is_gone_is_passed_over() {
    run(async {
        let nothing = vec![serve(Server::KnowsNothing).await];
        assert!(matches!(addresses_by(nothing, "", "a.test").await, Err(Failure::NoSuchName)));
        let gone = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        assert!(matches!(addresses_by(vec![gone], "", "a.test").await, Err(Failure::Resolver)));
        let servers = vec![gone, serve(Server::Answers).await];
        assert_eq!(addresses_by(servers, "", "a.test").await.unwrap().len(), 2);
    });
}

#[test]
fn what_the_hosts_file_says_comes_first() {
    run(async {
        let servers = vec![serve(Server::Answers).await];
        let addresses = addresses_by(servers, "192.0.2.1 a.test\n", "a.test").await.unwrap();
        assert_eq!(addresses, ["192.0.2.1".parse::<IpAddr>().unwrap()]);
    });
}
