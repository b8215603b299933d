//! Positive controls: acts that must work inside, so that a refusal elsewhere means something.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::process::{Command, Stdio};

use cofferdam_syscall::raw::{Act, ProcessAct, attempt};
use rustix::fs::{self, Mode, OFlags};
use rustix::process::Pid;
use rustix::pty;

use crate::attempt::Attempt;
use crate::finding::{Finding, Gate};
use crate::inside::control::{self, ANSWER};
use crate::inside::files::scratch_name;
use crate::inside::{netlink, proc};
use crate::plants::{Plant, PlantError, Plants};

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::allowed("works-spawn", "Starts a program and hears its answer.", "design", |_| {
        spawn(&["control", "answer"])
    }),
    Attempt::allowed("works-memfd-exec", "Executes a program from memory.", "attacks 6", |_| {
        spawn(&["control", "memfd-exec"])
    }),
    Attempt::allowed("works-netlink-dump", "Lists the network devices.", "rtnetlink(7)", |_| {
        Ok(Gate::SOCKET.judge("RTM_GETLINK", netlink::links()))
    }),
    Attempt::allowed("works-loopback", "Listens on its own loopback and connects.", "design", |_| loopback()),
    Attempt::allowed("works-unix", "Listens on its own abstract socket and connects.", "design", |_| unix()),
    Attempt::allowed(
        "works-scratch",
        "Writes and reads a file in the scratch directory.",
        "design",
        |plants| Ok(write_and_read(&scratch_name(plants, "works"))),
    ),
    Attempt::allowed("works-workspace", "Writes and reads a file in the workspace.", "design", in_workspace)
        .needs(&[Plant::Workspace]),
    Attempt::allowed("works-pty", "Opens a terminal of its own.", "pty(7)", |_| pseudo_terminal()),
    Attempt::allowed("works-ptrace-child", "Attaches to its own child.", "ptrace(2)", |_| trace_child()),
    Attempt::allowed("works-dev-null", "Writes to /dev/null.", "null(4)", |_| {
        let written = fs::open("/dev/null", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
            .and_then(|fd| rustix::io::write(fd, b"x"));
        Ok(Gate::PATH.judge("/dev/null", written))
    }),
    Attempt::allowed("works-proc-self", "Reads its own status.", "proc(5)", |_| {
        Ok(Gate::PATH.judge("/proc/self/status", proc::own_status("Pid")))
    }),
    Attempt::allowed("works-threads", "Starts a thread.", "pthreads(7)", |_| {
        let thread = std::thread::Builder::new().spawn(|| {});
        let joined = thread.map_err(|error| proc::from_io(&error)).map(std::thread::JoinHandle::join);
        Ok(Gate::LIMIT.judge("a thread", joined))
    }),
];

fn spawn(arguments: &[&str]) -> Result<Finding, PlantError> {
    let output = Command::new(control::OWN_PROGRAM).args(arguments).stdin(Stdio::null()).output();
    Ok(match output {
        Ok(output) if output.stdout == ANSWER => Finding::Reached("it answered".to_owned()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            Finding::Held(format!("it ended with {} and no answer: {}", output.status, said.trim_end()))
        }
        Err(error) => Gate::PATH.judge::<()>("spawning", Err(proc::from_io(&error))),
    })
}

fn loopback() -> Result<Finding, PlantError> {
    let heard = TcpListener::bind("127.0.0.1:0").and_then(|listener| {
        let mut near = TcpStream::connect(listener.local_addr()?)?;
        let (mut far, _) = listener.accept()?;
        near.write_all(b"x")?;
        far.read_exact(&mut [0])
    });
    Ok(Gate::SOCKET.judge("127.0.0.1", heard.map_err(|error| proc::from_io(&error))))
}

fn unix() -> Result<Finding, PlantError> {
    let name = format!("cofferdam-probe-{}", std::process::id());
    let heard = SocketAddr::from_abstract_name(name.as_bytes()).and_then(|address| {
        let listener = UnixListener::bind_addr(&address)?;
        let mut near = UnixStream::connect_addr(&address)?;
        let (mut far, _) = listener.accept()?;
        near.write_all(b"x")?;
        far.read_exact(&mut [0])
    });
    Ok(Gate::SOCKET.judge(&format!("@{name}"), heard.map_err(|error| proc::from_io(&error))))
}

fn in_workspace(plants: &Plants) -> Result<Finding, PlantError> {
    let workspace = plants.text(Plant::Workspace)?;
    Ok(write_and_read(&format!("{workspace}/.cofferdam-probe-{}", std::process::id())))
}

fn write_and_read(path: &str) -> Finding {
    let read = std::fs::write(path, b"x").and_then(|()| std::fs::read(path));
    drop(std::fs::remove_file(path));
    Gate::PATH.judge(path, read.map_err(|error| proc::from_io(&error)))
}

fn pseudo_terminal() -> Result<Finding, PlantError> {
    let opened = pty::openpt(pty::OpenptFlags::RDWR | pty::OpenptFlags::NOCTTY).and_then(|control| {
        pty::unlockpt(&control)?;
        let path = pty::ptsname(&control, Vec::new())?;
        fs::open(path, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())
    });
    Ok(Gate::PATH.judge("a terminal", opened))
}

fn trace_child() -> Result<Finding, PlantError> {
    let mut command = Command::new(control::OWN_PROGRAM);
    command.args(["control", "hold"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Ok(Gate::PATH.judge::<()>("spawning", Err(proc::from_io(&error)))),
    };
    let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else {
        return Ok(Finding::Inconclusive("the child has no pid".to_owned()));
    };
    let seized = attempt(Act::Process(ProcessAct::PtraceSeize, pid));
    drop(child.kill());
    drop(child.wait());
    Ok(Gate::PROCESS.judge("PTRACE_SEIZE of a child", seized))
}
