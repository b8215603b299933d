//! The gateway as the process that it is: confined, told by sealed memory, and gone with its supervisor.

use crate::process::{Inherited, serve};
use crate::wire::{self, Resolver, Setup, Trust, WIRE_VERSION, Word};
use cofferdam_policy::event::UnixNanos;
use cofferdam_policy::net::arrival::Arrival;
use cofferdam_policy::net::credential::OnHandleLeak;
use cofferdam_policy::net::grant::{Grant, GrantOrigin};
use cofferdam_policy::net::host::DnsName;
use cofferdam_syscall::packet;
use cofferdam_syscall::process::{ExecStrings, spawn};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, socketpair};
use rustix::process::{Pid, WaitOptions, waitpid};
use std::ffi::CString;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

const ROLE: &str = "COFFERDAM_TEST_IS_THE_GATEWAY";

/// What the test below starts; on its own there is nothing to do.
#[test]
fn as_another_process_it_serves() {
    if std::env::var_os(ROLE).is_some() {
        let now = || UnixNanos(i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos()).unwrap());
        serve(Inherited::take().unwrap(), now).unwrap();
    }
}

fn text(text: impl AsRef<[u8]>) -> CString {
    CString::new(text.as_ref()).unwrap()
}

fn start(supervisor: &OwnedFd, arrivals: &OwnedFd) -> Pid {
    let program = text(std::env::current_exe().unwrap().as_os_str().as_bytes());
    let arguments = [program.clone(), text("--exact"), text("tests::process::as_another_process_it_serves")];
    let arguments = ExecStrings::new(arguments.into());
    let environment = ExecStrings::new(vec![text(format!("{ROLE}=1"))]);
    let null = std::fs::File::options().read(true).write(true).open("/dev/null").unwrap();
    let error = std::io::stderr();
    let trail = crate::trail::blank().unwrap();
    let [supervisor, arrivals, trail] = [supervisor, arrivals, &trail].map(|handed| handed.as_fd());
    let descriptors = [null.as_fd(), null.as_fd(), error.as_fd(), supervisor, arrivals, trail];
    spawn(&program, &arguments, &environment, &descriptors).unwrap()
}

fn setup(home: &Path, grant: &str) -> Setup {
    let authority = home.join("authority");
    crate::authority::make(&authority, std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    let pem = std::fs::read(authority.join(crate::authority::CERTIFICATE_FILE)).unwrap();
    std::fs::write(home.join("roots.pem"), pem).unwrap();
    Setup {
        v: WIRE_VERSION,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        session: "s".to_owned(),
        grants: vec![Grant::from_line(grant, GrantOrigin::Flag).unwrap()],
        denied_hosts: Vec::new(),
        credentials: Vec::new(),
        on_leak: OnHandleLeak::Refuse,
        authority,
        secrets: None,
        resolver: Resolver { configuration: "/etc/resolv.conf".into(), hosts: "/etc/hosts".into() },
        trust: Trust { file: Some(home.join("roots.pem")), directory: None },
        proxy: None,
        ask: None,
    }
}

fn ask(relay: &OwnedFd, name: &str, port: u16) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (taken, _) = listener.accept().unwrap();
    let name = DnsName::parse(name).unwrap();
    let arrival = Arrival { destination: ([198, 18, 0, 16], port).into(), name: Some(name.clone()) };
    packet::send(relay.as_fd(), &arrival.encode(), &[taken.as_fd()]).unwrap();
    drop(taken);
    let request = super::harness::get("/x", &format!("{}:{port}", name.as_str()));
    client.write_all(request.as_bytes()).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

/// Whether a thread of the process has these in its status.
fn has_thread_with(pid: Pid, wanted: &[&str]) -> bool {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero())).unwrap();
    tasks.filter_map(Result::ok).any(|task| {
        let status = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
        wanted.iter().all(|line| status.lines().any(|own| own == *line))
    })
}

fn ends(pid: Pid) -> bool {
    let patience = Instant::now() + Duration::from_secs(10);
    while Instant::now() < patience {
        if waitpid(Some(pid), WaitOptions::NOHANG).unwrap().is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

#[test]
fn it_serves_confined_and_ends_with_its_supervisor() {
    let home = tempfile::tempdir().unwrap();
    let origin = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = origin.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut socket, _) = origin.accept().unwrap();
        let _head = socket.read(&mut [0; 4096]).unwrap();
        socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").unwrap();
    });
    let pair = || socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
    let ((supervisor, theirs), (relay, arrivals)) = (pair(), pair());
    let pid = start(&theirs, &arrivals);
    drop((theirs, arrivals));
    let setup = setup(home.path(), &format!("http://a.test:{port} address=127.0.0.1"));
    wire::send_setup(supervisor.as_fd(), &setup).unwrap();
    let ready = wire::receive::<Word>(supervisor.as_fd(), RecvFlags::empty()).unwrap();
    assert!(matches!(ready, Some(Word::Ready { .. })), "{ready:?}");
    assert!(has_thread_with(pid, &["NoNewPrivs:\t1", "Seccomp:\t2"]));
    let none = "0000000000000000";
    let sets = ["CapInh", "CapPrm", "CapEff", "CapAmb"].map(|set| format!("{set}:\t{none}"));
    assert!(has_thread_with(pid, &sets.each_ref().map(String::as_str)));
    if rustix::process::geteuid().is_root() {
        assert!(has_thread_with(pid, &[&format!("CapBnd:\t{none}")]));
    }
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", pid.as_raw_nonzero())).unwrap();
    let is_bounded = |line: &str| line.starts_with("Max data size") && line.contains("536870912");
    assert!(limits.lines().any(is_bounded), "{limits}");
    assert!(ask(&relay, "a.test", port).ends_with("hello"));
    assert!(ask(&relay, "b.test", 80).contains("host-not-granted"));
    assert!(waitpid(Some(pid), WaitOptions::NOHANG).unwrap().is_none());
    drop(supervisor);
    assert!(ends(pid), "without its supervisor there is no gateway");
}

#[test]
fn it_says_why_it_can_not_start() {
    let home = tempfile::tempdir().unwrap();
    let pair = || socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
    let ((supervisor, theirs), (_relay, arrivals)) = (pair(), pair());
    let pid = start(&theirs, &arrivals);
    drop((theirs, arrivals));
    let setup = setup(home.path(), "a.test");
    wire::send_setup(supervisor.as_fd(), &Setup { authority: home.path().join("none"), ..setup }).unwrap();
    let failed = wire::receive::<Word>(supervisor.as_fd(), RecvFlags::empty()).unwrap();
    let Some(Word::Failed { causes }) = failed else { panic!("{failed:?}") };
    assert_eq!(causes[0], "cannot use the certificate authority");
    assert!(causes[1].contains("key.pem"), "{causes:?}");
    assert!(ends(pid));
}
