//! Helpers for positive controls, and the children that attempts start: listeners, holders of secrets, crashes.
//!
//! Those that stay end when their standard input does. They print one line when they are ready, and listeners one
//! for each contact, so that a test outside can see what came through.

use std::ffi::CStr;
use std::fs;
use std::io::{self, BufRead as _, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::os::fd::AsFd as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use cofferdam_syscall::raw::{Act, KernelAct, attempt};
use rustix::fs::{MemfdFlags, Mode};

use crate::failure::Failure;
use crate::outside::janitor;
use crate::plants::{Plant, Plants};

/// This very program, whatever its name and wherever it lies.
pub(crate) const OWN_PROGRAM: &str = "/proc/self/exe";
/// What `answer` says.
pub(crate) const ANSWER: &[u8] = b"answer\n";
/// The exit status of `allocate` when the kernel says no.
pub(crate) const EXIT_NO_MEMORY: i32 = 3;
/// What the planted listeners say when no canary is given.
const NO_CANARY: &str = "cofferdam-canary";
/// The variable in which `hold-secret` holds the canary.
const HELD_SECRET: &str = "COFFERDAM_HELD_SECRET";
const MIB: usize = 1 << 20;

/// Runs `control NAME ARG…`.
pub(crate) fn run(words: &[&str], plants: &Plants, out: &mut dyn Write) -> Result<(), Failure> {
    match words {
        ["answer"] => say(out, ANSWER),
        ["hold"] => until_end_of_input(),
        ["whoami"] => say(out, format!("{}\n", rustix::process::geteuid().as_raw()).as_bytes()),
        ["crash"] => std::process::abort(),
        ["allocate", mib] => allocate(mib),
        ["tidy", scratch, tag] => {
            janitor::run(Path::new(scratch), tag);
            Ok(())
        }
        ["leave-orphan"] => leave_orphan(out),
        ["memfd-exec"] => execute_from_memory(),
        ["hold-secret"] => hold_secret(plants),
        ["hold-secret", "holding", _] => holding(out),
        ["canary", file] => canary_file(file, plants, out),
        ["serve-unix", path] => serve_unix(path, plants, out),
        ["serve-abstract", name] => serve_abstract(name, plants, out),
        ["serve-tcp", port] => serve_tcp(port, plants, out),
        ["serve-fifo", path] => serve_fifo(path, out),
        _ => Err(Failure::Usage(format!("there is no control {words:?}"))),
    }
}

fn say(out: &mut dyn Write, bytes: &[u8]) -> Result<(), Failure> {
    out.write_all(bytes).and_then(|()| out.flush()).map_err(Failure::Output)
}

fn until_end_of_input() -> Result<(), Failure> {
    io::copy(&mut io::stdin().lock(), &mut io::sink()).map(|_| ()).map_err(Failure::Input)
}

fn canary(plants: &Plants) -> &str {
    plants.text(Plant::Canary).unwrap_or(NO_CANARY)
}

fn allocate(mib: &str) -> Result<(), Failure> {
    let cap: usize =
        mib.parse().map_err(|_not_a_number| Failure::Usage(format!("{mib:?} is no number of MiB")))?;
    let mut blocks: Vec<Vec<u8>> = Vec::new();
    for _ in 0..cap {
        let mut block = Vec::new();
        if block.try_reserve_exact(MIB).is_err() {
            std::process::exit(EXIT_NO_MEMORY);
        }
        // Not zeroes: those could be had without memory.
        block.resize(MIB, 0x5a);
        blocks.push(block);
    }
    std::hint::black_box(&blocks);
    Ok(())
}

/// Starts a program and ends without waiting for it.
fn leave_orphan(out: &mut dyn Write) -> Result<(), Failure> {
    let mut command = Command::new(OWN_PROGRAM);
    command.args(["control", "whoami"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let orphan = command.spawn().map_err(|source| Failure::Control { act: "leave an orphan", source })?;
    say(out, format!("{}\n", orphan.id()).as_bytes())
}

fn execute_from_memory() -> Result<(), Failure> {
    const NAME: &CStr = c"cofferdam-probe";
    let failed = |source: io::Error| Failure::Control { act: "execute from memory", source };
    let program = fs::read(OWN_PROGRAM).map_err(failed)?;
    let memory = rustix::fs::memfd_create(NAME, MemfdFlags::CLOEXEC).map_err(|errno| failed(errno.into()))?;
    let mut memory = fs::File::from(memory);
    memory.write_all(&program).map_err(failed)?;
    attempt(Act::Execute(memory.as_fd())).map(|_| ()).map_err(|errno| failed(errno.into()))
}

/// Starts over with the canary in its environment and on its command line: a program cannot safely put it there
/// while it runs. It leads a process group, so that the group can be aimed at.
fn hold_secret(plants: &Plants) -> Result<(), Failure> {
    let secret = canary(plants);
    let mut command = Command::new(OWN_PROGRAM);
    command.args(["control", "hold-secret", "holding", secret]).env(HELD_SECRET, secret).process_group(0);
    Err(Failure::Control { act: "hold a secret", source: command.exec() })
}

/// It has the directory in which it was started open, a way out for whoever gets at its descriptors; and a session
/// keyring, so that the user has a key for as long as it lives.
fn holding(out: &mut dyn Write) -> Result<(), Failure> {
    let _directory =
        fs::File::open(".").map_err(|source| Failure::Control { act: "hold a directory", source })?;
    // Where there are no keyrings, nobody has keys.
    attempt(Act::Kernel(KernelAct::KeyctlJoinSession)).ok();
    say(out, format!("{}\n", std::process::id()).as_bytes())?;
    until_end_of_input()
}

fn canary_file(path: &str, plants: &Plants, out: &mut dyn Write) -> Result<(), Failure> {
    let failed = |source: io::Error| Failure::Control { act: "plant a canary", source };
    let mut file = fs::File::create_new(path).map_err(failed)?;
    writeln!(file, "{}", canary(plants)).map_err(failed)?;
    say(out, format!("{}\n", canary(plants)).as_bytes())?;
    let waited = until_end_of_input();
    fs::remove_file(path).map_err(failed)?;
    waited
}

/// A stream listener at `path`, and a datagram socket at `path.datagram`.
fn serve_unix(path: &str, plants: &Plants, out: &mut dyn Write) -> Result<(), Failure> {
    let failed = |source: io::Error| Failure::Control { act: "listen on a path", source };
    let beside = format!("{path}.datagram");
    let listener = UnixListener::bind(path).map_err(failed)?;
    let datagrams = UnixDatagram::bind(&beside).map_err(failed)?;
    say(out, b"ready\n")?;
    let words = canary(plants).to_owned();
    thread::spawn(move || listener.incoming().flatten().for_each(|stream| contact("stream", stream, &words)));
    thread::spawn(move || {
        let mut buffer = [0; 256];
        while datagrams.recv(&mut buffer).is_ok() {
            note("datagram");
        }
    });
    let waited = until_end_of_input();
    fs::remove_file(path).and_then(|()| fs::remove_file(&beside)).map_err(failed)?;
    waited
}

fn serve_abstract(name: &str, plants: &Plants, out: &mut dyn Write) -> Result<(), Failure> {
    let failed = |source: io::Error| Failure::Control { act: "listen on an abstract name", source };
    let address = SocketAddr::from_abstract_name(name.as_bytes()).map_err(failed)?;
    let listener = UnixListener::bind_addr(&address).map_err(failed)?;
    say(out, b"ready\n")?;
    let words = canary(plants).to_owned();
    thread::spawn(move || {
        listener.incoming().flatten().for_each(|stream| contact("abstract", stream, &words))
    });
    until_end_of_input()
}

/// Listens on 127.0.0.1 and ::1. Port 0 is any, and is printed.
fn serve_tcp(port: &str, plants: &Plants, out: &mut dyn Write) -> Result<(), Failure> {
    let failed = |source: io::Error| Failure::Control { act: "listen on the loopback", source };
    let port: u16 = port.parse().map_err(|_not_a_port| Failure::Usage(format!("{port:?} is no port")))?;
    let first = TcpListener::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), port)).map_err(failed)?;
    let port = first.local_addr().map_err(failed)?.port();
    let second = TcpListener::bind((IpAddr::V6(Ipv6Addr::LOCALHOST), port));
    say(out, format!("{port}\n").as_bytes())?;
    // A machine without IPv6 has the first only.
    for listener in std::iter::once(first).chain(second) {
        let words = canary(plants).to_owned();
        thread::spawn(move || {
            listener.incoming().flatten().for_each(|stream| contact("tcp", stream, &words))
        });
    }
    until_end_of_input()
}

fn serve_fifo(path: &str, out: &mut dyn Write) -> Result<(), Failure> {
    let failed = |source: io::Error| Failure::Control { act: "read a FIFO", source };
    rustix::fs::mkfifoat(rustix::fs::CWD, path, Mode::from_raw_mode(0o666))
        .map_err(|errno| failed(errno.into()))?;
    // Open for both, so that it always has a reader and never ends.
    let fifo = fs::File::options().read(true).write(true).open(path).map_err(failed)?;
    say(out, b"ready\n")?;
    thread::spawn(move || io::BufReader::new(fifo).lines().map_while(Result::ok).for_each(|_| note("fifo")));
    let waited = until_end_of_input();
    fs::remove_file(path).map_err(failed)?;
    waited
}

/// Says the canary to whoever came.
fn contact(kind: &str, mut stream: impl Write, words: &str) {
    note(kind);
    drop(stream.write_all(words.as_bytes()));
}

fn note(kind: &str) {
    let mut out = io::stdout().lock();
    drop(writeln!(out, "{kind}").and_then(|()| out.flush()));
}
