//! What supervisor and gateway say comes as it went, and nothing else is understood.

use super::*;
use cofferdam_policy::net::grant::GrantOrigin;
use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

fn pair() -> (OwnedFd, OwnedFd) {
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap()
}

fn setup() -> Setup {
    Setup {
        v: WIRE_VERSION,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        session: "s".to_owned(),
        grants: vec![Grant::from_line("GET a.test:443/b/**", GrantOrigin::Flag).unwrap()],
        denied_hosts: vec!["*.b.test".parse().unwrap()],
        credentials: Vec::new(),
        on_leak: OnHandleLeak::Stop,
        authority: "/a".into(),
        secrets: Some(SecretStore { directory: "/s".into(), identity: "/i".into() }),
        resolver: Resolver { configuration: "/etc/resolv.conf".into(), hosts: "/etc/hosts".into() },
        trust: Trust::default(),
        proxy: Some(UpstreamProxy {
            url: "http://me:word@proxy.test:3128".to_owned(),
            except: String::new(),
        }),
        ask: Some(Ask { seconds: 60, held_max: 4 }),
    }
}

#[test]
fn a_setup_arrives_as_it_was_sent() {
    let (near, far) = pair();
    send_setup(near.as_fd(), &setup()).unwrap();
    assert_eq!(receive_setup(far.as_fd()).unwrap(), setup());
}

#[test]
fn a_setup_of_another_version_or_none_is_refused() {
    let (near, far) = pair();
    send_setup(near.as_fd(), &Setup { v: WIRE_VERSION + 1, ..setup() }).unwrap();
    assert_eq!(receive_setup(far.as_fd()), Err(Errno::PROTO));
    send_setup(near.as_fd(), &Setup { program: "0.0.0".to_owned(), ..setup() }).unwrap();
    assert_eq!(receive_setup(far.as_fd()), Err(Errno::PROTO));
    let unsealed = rustix::fs::memfd_create("x", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    packet::send(near.as_fd(), b"{}", &[unsealed.as_fd()]).unwrap();
    assert_eq!(receive_setup(far.as_fd()), Err(Errno::PERM));
    packet::send(near.as_fd(), b"{}", &[]).unwrap();
    assert_eq!(receive_setup(far.as_fd()), Err(Errno::BADMSG));
    drop(near);
    assert_eq!(receive_setup(far.as_fd()), Err(Errno::PIPE));
}

#[test]
fn the_password_of_a_proxy_is_not_shown() {
    assert!(!format!("{:?}", setup()).contains("word"));
}

#[test]
fn the_longest_word_fits_a_message() {
    let host = format!("{}.test", ["a".repeat(63), "b".repeat(63), "c".repeat(55)].join("."));
    let longest = "c".repeat(cofferdam_policy::net::credential::CREDENTIAL_NAME_BYTES_MAX);
    let request = RequestNote {
        destination: Destination::parse(&host, cofferdam_policy::net::host::Port::HTTPS).unwrap(),
        method: "M".repeat(32),
        path: "/".repeat(WORD_PATH_BYTES_MAX),
        status: Some(200),
        up: u64::MAX,
        down: u64::MAX,
        milliseconds: u64::MAX,
        credential: Some(longest.parse().unwrap()),
    };
    let (near, far) = pair();
    let word = Word::Requests { requests: vec![request; WORD_REQUESTS_MAX], unsaid: 1 };
    send(near.as_fd(), &word).unwrap();
    assert_eq!(receive::<Word>(far.as_fd(), RecvFlags::DONTWAIT).unwrap(), Some(word));
    let traffic = HostTraffic {
        host: Host::parse(&host).unwrap(),
        requests: u64::MAX,
        refused: u64::MAX,
        up: u64::MAX,
        down: u64::MAX,
        open: u64::MAX,
    };
    let word = Word::Traffic { hosts: vec![traffic; WORD_HOSTS_MAX] };
    send(near.as_fd(), &word).unwrap();
    assert_eq!(receive::<Word>(far.as_fd(), RecvFlags::DONTWAIT).unwrap(), Some(word));
}

#[test]
fn an_order_comes_with_no_more_beside_it_than_it_has_use_for() {
    let (near, far) = pair();
    let port = Port::new(3000).unwrap();
    let publish = Order::Publish { port, host: DnsName::parse("a-3000.localhost").unwrap() };
    let (beside, too_many) = ([near.as_fd(); 2], [near.as_fd(); 3]);
    order_beside(near.as_fd(), &publish, &beside).unwrap();
    let (order, descriptors) = receive_order(far.as_fd(), RecvFlags::DONTWAIT).unwrap().unwrap();
    assert_eq!((order, descriptors.len()), (publish.clone(), 2));
    for (order, beside) in [
        (publish, &too_many[..]),
        (Order::Connected { number: 1 }, &beside),
        (Order::Unpublish { port }, &beside[..1]),
        (Order::Stop {}, &beside[..1]),
    ] {
        order_beside(near.as_fd(), &order, beside).unwrap();
        let received = receive_order(far.as_fd(), RecvFlags::DONTWAIT);
        assert_eq!(received.map(|_| ()), Err(Errno::BADMSG), "{order:?}");
    }
}
