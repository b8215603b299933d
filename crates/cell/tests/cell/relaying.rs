//! What becomes of connections and questions about names in a cell; the tests stand in for the gateway.

use crate::Promise;
use crate::scene::{Owner, Scene, Supervised, WAIT_SECONDS_MAX};
use cofferdam_cell::{Order, Report};
use cofferdam_policy::net::arrival::Arrival;
use cofferdam_policy::plan::{Capture, Plan, Step};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::net::RecvFlags;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

pub(crate) const PROMISES: &[Promise] = &[
    ("every_connection_arrives_with_where_it_was_to_go", arrives),
    ("a_connection_arrives_with_the_name_that_was_asked_for", named),
    ("any_name_server_is_answered_by_the_cells_own_resolver", resolved),
    ("datagrams_to_anywhere_are_refused_at_once", datagrams),
    ("loopback_stays_the_agents_own", loopback),
    ("every_port_that_the_agent_can_bind_is_free", ports),
    ("connections_are_reset_when_the_gateway_is_gone", gone),
    ("a_connection_to_the_relay_itself_is_reset", itself),
    ("a_flood_of_connections_holds_up_no_order", flood),
    ("a_gateway_that_is_slow_loses_no_connection", slow),
    ("a_port_of_the_cell_is_connected_to_on_order", published),
    ("without_redirects_granted_ports_are_caught_at_any_address", any_ip),
];

/// Two protocols' worth of connecting, in Perl, whose module is part of the base system.
const CONNECT: &str = "perl -MIO::Socket::IP -e '
    $SIG{ALRM} = sub { print \"silence\"; exit }; alarm 10;
    my $s = IO::Socket::IP->new(PeerHost => $ARGV[0], PeerPort => $ARGV[1], Proto => \"tcp\");
    if (!$s) { print 0 + $!; exit }
    syswrite $s, \"hello\" or do { print \"errno=\" . (0 + $!); exit };
    my $n = sysread $s, my $answer, 100;
    print defined $n ? \"answer=$answer\" : \"errno=\" . (0 + $!)'";

fn connect(host: &str, port: u16) -> String {
    format!("{CONNECT} {host} {port}")
}

/// The next connection at the gateway's end.
fn next(gateway: &OwnedFd) -> (Arrival, TcpStream) {
    let mut ends = [PollFd::new(gateway, PollFlags::IN)];
    let within = Timespec { tv_sec: WAIT_SECONDS_MAX, tv_nsec: 0 };
    assert_ne!(poll(&mut ends, Some(&within)).unwrap(), 0, "waited in vain for a connection");
    let received = cofferdam_syscall::packet::receive(gateway.as_fd(), 512, RecvFlags::empty()).unwrap();
    let (packet, mut descriptors) = received.unwrap();
    let stream = TcpStream::from(descriptors.remove(0));
    assert!(descriptors.is_empty());
    stream.set_nonblocking(false).unwrap();
    (Arrival::decode(&packet).unwrap(), stream)
}

/// Says what came, and so ends the connection.
fn echo(stream: &mut TcpStream) {
    let mut hello = [0_u8; 5];
    stream.read_exact(&mut hello).unwrap();
    stream.write_all(&hello).unwrap();
}

fn start(scene: &Scene) -> (Supervised, OwnedFd) {
    let mut cell = scene.start();
    let gateway = cell.cell.take_arrivals().unwrap();
    assert!(cell.cell.take_arrivals().is_none());
    (cell, gateway)
}

fn arrives(owner: Owner) {
    let scene = Scene::of(owner);
    let (cell, gateway) = start(&scene);
    let destinations = [
        ("8.8.8.8", 443),
        ("192.0.2.1", 1),
        ("10.0.0.1", 65_535),
        ("169.254.169.254", 80),
        ("198.18.0.1", 3_128),
        ("2001:db8::1", 443),
        ("fd00:c0ff:e::10", 53),
        ("::ffff:203.0.113.5", 22),
    ];
    for (host, port) in destinations {
        let (number, printed) = cell.run(&scene.workspace(), &["sh", "-c", &connect(host, port)]);
        let (arrival, mut stream) = next(&gateway);
        let expected = SocketAddr::new(host.parse::<std::net::IpAddr>().unwrap().to_canonical(), port);
        assert_eq!(arrival, Arrival { destination: expected, name: None });
        echo(&mut stream);
        drop(stream);
        assert_eq!(ended(&cell, number, printed), "answer=hello", "{host}");
    }
}

fn ended(cell: &Supervised, number: u32, printed: OwnedFd) -> String {
    let mut text = String::new();
    std::fs::File::from(printed).read_to_string(&mut text).unwrap();
    match cell.hear() {
        (Report::Exited { process, .. }, _) if process == number => text,
        (other, _) => panic!("instead of an end: {other:?}"),
    }
}

/// Asks a name server for addresses, in Perl: server, name, record type.
const ASK: &str = "perl -MIO::Socket::IP -e '
    $SIG{ALRM} = sub { print \"silence\"; exit }; alarm 10;
    my ($server, $name, $type) = @ARGV;
    my $s = IO::Socket::IP->new(PeerHost => $server, PeerPort => 53, Proto => \"udp\") or die $!;
    send $s, pack(\"n6\", 7, 256, 1, 0, 0, 0) . join(\"\", map { pack \"C/a\", $_ } split /[.]/, $name) . pack(\"x n2\", $type, 1), 0;
    defined recv $s, my $answer, 512, 0 or do { print \"errno=\" . (0 + $!); exit };
    my ($id, $flags, $q, $n) = unpack \"n4\", $answer;
    print \"code=\", $flags & 15, \" n=$n\";
    print \" \", join \".\", unpack \"C4\", substr $answer, -4 if $n && $type == 1;
    print \" \", unpack \"H*\", substr $answer, -16 if $n && $type == 28;'";

fn resolved(owner: Owner) {
    let scene = Scene::of(owner);
    let (cell, _gateway) = start(&scene);
    let asks = [
        ("127.0.0.1 one.example 1", "code=0 n=1 198.18.0.16"),
        ("8.8.8.8 two.example 1", "code=0 n=1 198.18.0.17"),
        ("192.0.2.53 one.example 1", "code=0 n=1 198.18.0.16"),
        ("2001:4860:4860::8888 one.example 28", "code=0 n=1 fd00c0ff000e00000000000000000010"),
        ("::1 localhost 28", "code=0 n=1 00000000000000000000000000000001"),
        ("8.8.8.8 one.example 65", "code=0 n=0"),
    ];
    for (ask, expected) in asks {
        let (said, _) = cell.script(&scene.workspace(), &format!("{ASK} {ask}"));
        assert_eq!(said, expected, "{ask}");
    }
}

fn named(owner: Owner) {
    let scene = Scene::of(owner);
    let (cell, gateway) = start(&scene);
    let workspace = scene.workspace();
    let (said, _) = cell.script(&workspace, &format!("{ASK} 127.0.0.1 Registry.Example 1"));
    assert_eq!(said, "code=0 n=1 198.18.0.16");
    for host in ["198.18.0.16", "fd00:c0ff:e::10"] {
        let (number, printed) = cell.run(&workspace, &["sh", "-c", &connect(host, 443)]);
        let (arrival, stream) = next(&gateway);
        assert_eq!(arrival.name.unwrap().as_str(), "registry.example");
        drop(stream);
        ended(&cell, number, printed);
    }
}

const DATAGRAM: &str = "perl -MIO::Socket::IP -e '
    $SIG{ALRM} = sub { print \"silence\"; exit }; alarm 10;
    my $s = IO::Socket::IP->new(PeerHost => $ARGV[0], PeerPort => $ARGV[1], Proto => \"udp\") or die $!;
    send $s, \"x\", 0;
    defined recv $s, my $answer, 512, 0 or print \"errno=\" . (0 + $!)'";

fn datagrams(owner: Owner) {
    let scene = Scene::of(owner);
    let (cell, _gateway) = start(&scene);
    for to in ["8.8.8.8 443", "8.8.8.8 123", "198.18.0.16 443", "2001:db8::1 443", "127.0.0.1 9"] {
        let (said, _) = cell.script(&scene.workspace(), &format!("{DATAGRAM} {to}"));
        assert_eq!(said, format!("errno={}", libc::ECONNREFUSED), "{to}");
    }
}

/// Listens, says hello to the first, and is connected to.
const OWN_SERVER: &str = "perl -MIO::Socket::IP -e '
    my ($host, $port) = @ARGV;
    my $l = IO::Socket::IP->new(LocalHost => $host, LocalPort => $port, Listen => 1, Proto => \"tcp\") or die $!;
    unless (fork) { my $c = $l->accept; print $c \"own\"; exit }
    my $s = IO::Socket::IP->new(PeerHost => $host, PeerPort => $port, Proto => \"tcp\") or die $!;
    print <$s>'";

fn loopback(owner: Owner) {
    let scene = Scene::of(owner);
    let (cell, _gateway) = start(&scene);
    for place in ["127.0.0.1 8080", "127.9.9.9 3128", "::1 5432", "198.18.0.2 8088", "fd00:c0ff:e::2 9090"] {
        let (said, _) = cell.script(&scene.workspace(), &format!("{OWN_SERVER} {place}"));
        assert_eq!(said, "own", "{place}");
    }
    let (said, _) = cell.script(&scene.workspace(), &connect("127.0.0.1", 8_081));
    assert_eq!(said, libc::ECONNREFUSED.to_string(), "nobody listens there");
}

fn ports(owner: Owner) {
    let scene = Scene::of(owner);
    let (cell, _gateway) = start(&scene);
    let bind = "perl -MSocket -e '
        my @not;
        for my $port (1 .. 65535) {
            socket my $s, PF_INET, SOCK_STREAM, 0 or die $!;
            bind($s, pack_sockaddr_in($port, INADDR_ANY)) && listen($s, 1) or push @not, $port;
        }
        print scalar(@not), \" $not[0] $not[-1]\"'";
    let (said, _) = cell.script(&scene.workspace(), bind);
    assert_eq!(said, "1023 1 1023");
}

fn gone(owner: Owner) {
    let scene = Scene::of(owner);
    let (cell, gateway) = start(&scene);
    drop(gateway);
    for host in ["8.8.8.8", "2001:db8::1"] {
        let (said, _) = cell.script(&scene.workspace(), &connect(host, 443));
        // The reset comes while the program connects, or after.
        let expected = [libc::ECONNRESET.to_string(), format!("errno={}", libc::ECONNRESET)];
        assert!(expected.contains(&said), "{said}");
    }
}

fn itself(owner: Owner) {
    let scene = Scene::of(owner);
    let (cell, gateway) = start(&scene);
    for host in ["127.0.0.1", "::1"] {
        let (said, _) = cell.script(&scene.workspace(), &connect(host, 1));
        assert!(said.ends_with(&libc::ECONNRESET.to_string()), "{said}");
    }
    let mut ends = [PollFd::new(&gateway, PollFlags::IN)];
    assert_eq!(
        poll(&mut ends, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap(),
        0,
        "the gateway hears none"
    );
}

/// Connections that never wait, and questions about names, as fast as it goes, until it is ended.
const FLOOD: &str = "exec perl -MSocket -MFcntl -e '
    socket my $u, PF_INET, SOCK_DGRAM, 0;
    fcntl $u, F_SETFL, O_NONBLOCK;
    my $dns = pack_sockaddr_in(53, inet_aton(\"127.0.0.1\"));
    my $to = pack_sockaddr_in(443, inet_aton(\"192.0.2.7\"));
    $| = 1; print \"on\\n\"; open STDOUT, \">/dev/null\";
    while (1) {
        socket my $s, PF_INET, SOCK_STREAM, 0 or next;
        fcntl $s, F_SETFL, O_NONBLOCK;
        connect $s, $to;
        $n++;
        send $u, pack(\"n6\", 7, 256, 1, 0, 0, 0) . pack(\"C/a C/a x n2\", \"n$n\", \"example\", 1, 1), 0, $dns;
    }'";

fn flood(owner: Owner) {
    // Once nobody reads what arrives, and once everything is reset.
    for read in [false, true] {
        let scene = Scene::of(owner);
        let (cell, gateway) = start(&scene);
        let kept = (!read).then_some(gateway);
        let floods: Vec<(u32, OwnedFd)> =
            (0..3).map(|_| cell.run(&scene.workspace(), &["sh", "-c", FLOOD])).collect();
        for (_, printed) in &floods {
            let mut on = [0_u8; 3];
            assert_eq!(rustix::io::read(printed, &mut on).unwrap(), 3);
        }
        for _ in 0..5 {
            let begin = std::time::Instant::now();
            let (said, _) = cell.script(&scene.workspace(), "echo here");
            assert_eq!(said, "here\n");
            assert!(begin.elapsed().as_secs() < 5, "{:?}", begin.elapsed());
        }
        drop(kept);
    }
}

fn slow(owner: Owner) {
    const CONNECTIONS: usize = 1_500;
    let scene = Scene::of(owner);
    let (cell, gateway) = start(&scene);
    let many = format!(
        "ulimit -n 4096; perl -MSocket -e '
        my (@all, $failed);
        for my $port (1 .. {CONNECTIONS}) {{
            socket my $s, PF_INET, SOCK_STREAM, 0 or die $!;
            connect $s, pack_sockaddr_in($port, inet_aton(\"192.0.2.7\")) or die $!;
            push @all, $s;
        }}
        for my $s (@all) {{ sysread($s, my $byte, 1) == 1 or $failed++ }}
        print scalar(@all), \" \", $failed + 0'"
    );
    let (number, printed) = cell.run(&scene.workspace(), &["sh", "-c", &many]);
    std::thread::sleep(std::time::Duration::from_millis(300));
    let mut seen: Vec<u16> = Vec::new();
    for _ in 0..CONNECTIONS {
        let (arrival, mut stream) = next(&gateway);
        stream.write_all(b"x").unwrap();
        seen.push(arrival.destination.port());
    }
    assert_eq!(ended(&cell, number, printed), format!("{CONNECTIONS} 0"));
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), CONNECTIONS, "each once");
}

fn published(owner: Owner) {
    let scene = Scene::of(owner);
    let (cell, _gateway) = start(&scene);
    let serve = "exec perl -MIO::Socket::IP -e '
        my $l = IO::Socket::IP->new(LocalHost => $ARGV[0], LocalPort => 8080, Listen => 9, Proto => \"tcp\") or die $!;
        $| = 1; print \"on\\n\";
        while (my $c = $l->accept) { print $c \"page\" }'";
    for host in ["127.0.0.1", "::1"] {
        let (number, printed) = cell.run(&scene.workspace(), &["sh", "-c", &format!("{serve} {host}")]);
        let mut on = [0_u8; 3];
        assert_eq!(rustix::io::read(&printed, &mut on).unwrap(), 3, "{host}");
        cell.cell.order(&Order::Connect { number: 7, port: 8_080 }).unwrap();
        let (Report::Connected { number: 7 }, Some(socket)) = cell.hear() else { panic!("not connected") };
        let mut stream = TcpStream::from(socket);
        stream.set_nonblocking(false).unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        assert_eq!(page, "page");
        cell.cell.order(&Order::Signal { process: number, signal: libc::SIGKILL }).unwrap();
        ended(&cell, number, printed);
    }
    cell.cell.order(&Order::Connect { number: 8, port: 8_080 }).unwrap();
    match cell.hear() {
        (Report::NotConnected { number: 8, errno }, None) => assert_eq!(errno, libc::ECONNREFUSED),
        (other, _) => panic!("instead of a refusal: {other:?}"),
    }
}

fn any_ip(owner: Owner) {
    let scene = Scene::of(owner);
    let capture = Capture::AnyIp { ports: vec![443] };
    let instead = |mut plan: Plan| {
        for step in &mut plan.steps {
            if let Step::Capture { capture: first } = step {
                *first = capture.clone();
            }
        }
        plan
    };
    let started = crate::scene::start_begun(&instead(scene.beginning()), &instead(scene.plan()));
    let mut cell = started.unwrap_or_else(|failure| panic!("no cell: {failure:?}"));
    let gateway = cell.cell.take_arrivals().unwrap();
    for (host, port) in [("8.8.8.8", 443), ("2001:db8::1", 443), ("198.18.0.1", 3_128), ("198.18.0.1", 1_080)]
    {
        let (number, printed) = cell.run(&scene.workspace(), &["sh", "-c", &connect(host, port)]);
        let (arrival, mut stream) = next(&gateway);
        assert_eq!(arrival.destination, SocketAddr::new(host.parse().unwrap(), port));
        echo(&mut stream);
        drop(stream);
        assert_eq!(ended(&cell, number, printed), "answer=hello");
    }
    let (said, _) = cell.script(&scene.workspace(), &connect("8.8.8.8", 80));
    assert_eq!(said, libc::ECONNREFUSED.to_string(), "a port that nothing is granted at");
    let (said, _) = cell.script(&scene.workspace(), &format!("{ASK} 127.0.0.1 one.example 1"));
    assert_eq!(said, "code=0 n=1 198.18.0.16");
}
