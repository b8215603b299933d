//! A session's worth of directories, the plan over them, and a supervisor's conversation with the cell.

use cofferdam_cell::{Cell, CellReport, EntryStage, Failure, Order, Program, Report, Streams, WindowSize};
use cofferdam_policy::admission::{Mechanism, Permit, Support, Verdict, admit};
use cofferdam_policy::authority::{Access, Authority, CellKind, Identity, Mount, Purpose, View, Workspace};
use cofferdam_policy::event::ExitStatus;
use cofferdam_policy::label::Label;
use cofferdam_policy::layout::{Ground, Host, Inode, Place, System, beginning, compute};
use cofferdam_policy::net::credential::OnHandleLeak;
use cofferdam_policy::path::AbsPath;
use cofferdam_policy::plan::{Capture, Plan};
use cofferdam_policy::presets::limits::{LimitName, Limits, Machine};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::pipe::{PipeFlags, pipe_with};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus as HostStatus};
use tempfile::TempDir;

/// How long anything may take.
pub(crate) const WAIT_SECONDS_MAX: i64 = 20;
/// Uids that no account has; each test process takes one by its own number.
const UNUSED_UIDS: std::ops::Range<u32> = 61_000..61_180;
const AGENT_OF_ROOT: u32 = 1000;
const HOME: &str = "/home/owner";

/// Whose cell it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Root,
    Ordinary,
}

/// Runs one promise in a process of its owner's, with a directory for all that it leaves; `None` if it could not be
/// started.
pub(crate) fn as_owner(owner: Owner, name: &str) -> Option<HostStatus> {
    let me = rustix::process::geteuid();
    if owner == Owner::Root && !me.is_root() {
        eprintln!("this half of the tests needs root, and you are uid {}: run them as root", me.as_raw());
        return None;
    }
    let place = TempDir::with_prefix("cofferdam-cell-").ok()?;
    std::fs::set_permissions(place.path(), PermissionsExt::from_mode(0o755)).ok()?;
    // The target directory may lie where nobody else can enter.
    let copy = place.path().join("cell");
    std::fs::copy(std::env::current_exe().ok()?, &copy).ok()?;
    let mut command = Command::new(copy);
    command.args(["promise", name]).env("TMPDIR", place.path()).current_dir("/");
    if owner == Owner::Ordinary && me.is_root() {
        let span = UNUSED_UIDS.end - UNUSED_UIDS.start;
        let uid = UNUSED_UIDS.start + std::process::id() % span;
        chown(place.path(), Some(uid), Some(uid)).ok()?;
        command.uid(uid).gid(uid);
    }
    let status = command.status().ok();
    // The kernel's own directories in an overlay's work directory are closed to everybody.
    Command::new("chmod").args(["-R", "u+rwx"]).arg(place.path()).status().ok()?;
    place.close().ok()?;
    status
}

/// The directories of one session.
#[derive(Debug)]
pub(crate) struct Scene {
    owner: Owner,
    base: TempDir,
    pub(crate) processes_max: u64,
    /// Beside the workspace: target inside, source, and what may be done with it.
    mounts: Vec<(PathBuf, PathBuf, Access, bool)>,
}

impl Scene {
    pub(crate) fn of(owner: Owner) -> Self {
        let base = TempDir::with_prefix("cofferdam-cell-").unwrap();
        std::fs::set_permissions(base.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let scene = Self { owner, base, processes_max: 300, mounts: Vec::new() };
        for directory in ["workspace", "home"] {
            std::fs::create_dir(scene.path(directory)).unwrap();
        }
        scene.give(&scene.path("home"));
        scene.layer("layer");
        scene
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.base.path().join(below)
    }

    pub(crate) fn workspace(&self) -> PathBuf {
        self.path("workspace")
    }

    /// Where a path of the session's home is seen inside.
    pub(crate) fn home(below: &str) -> PathBuf {
        Path::new(HOME).join(below)
    }

    /// What the agent's own files belong to on the host.
    pub(crate) fn give(&self, path: &Path) {
        if let Some(base) = self.id_base() {
            chown(path, Some(base + AGENT_OF_ROOT), Some(base + AGENT_OF_ROOT)).unwrap();
        }
    }

    pub(crate) fn mount(&mut self, source: &Path, target: &Path, access: Access, file: bool) {
        let number = self.mounts.len();
        if access == Access::Cow {
            self.layer(&format!("layer-{number}"));
        }
        self.mounts.push((target.to_owned(), source.to_owned(), access, file));
    }

    fn layer(&self, name: &str) {
        for directory in ["", "/upper", "/work"] {
            let path = self.path(&format!("{name}{directory}"));
            std::fs::create_dir(&path).unwrap();
            self.give(&path);
        }
    }

    /// Gives the layer a work directory without the mark that the kernel leaves of a volatile overlay, as the
    /// session does knowingly before it resumes.
    pub(crate) fn forget_volatile(&self) {
        let work = self.path("layer/work");
        std::fs::rename(&work, self.path("layer/work-before")).unwrap();
        std::fs::create_dir(&work).unwrap();
        self.give(&work);
    }

    fn id_base(&self) -> Option<u32> {
        match self.owner {
            Owner::Root => Some(0x4000_0000 + (std::process::id() % 0x2000) * 0x1_0000),
            Owner::Ordinary => None,
        }
    }

    pub(crate) fn uid(&self) -> u32 {
        match self.owner {
            Owner::Root => AGENT_OF_ROOT,
            Owner::Ordinary => rustix::process::getuid().as_raw(),
        }
    }

    pub(crate) fn plan(&self) -> Plan {
        let mut places = BTreeMap::new();
        places.insert(abs(&self.workspace()), self.place(&self.workspace(), Some("layer")));
        for (number, (target, source, access, _)) in self.mounts.iter().enumerate() {
            let layer = (*access == Access::Cow).then(|| format!("layer-{number}"));
            places.insert(abs(target), self.place(source, layer.as_deref()));
        }
        let host = Host {
            ground: self.ground(),
            etc: None,
            places,
            home: abs(&self.path("home")),
            hostname: "cell".into(),
            names: Vec::new(),
        };
        compute(&self.permit(), &host).unwrap()
    }

    fn ground(&self) -> Ground {
        Ground { id_base: self.id_base(), system: system(), groups: Vec::new(), capture: Capture::Redirect }
    }

    /// What can be built before the workspace is known.
    pub(crate) fn beginning(&self) -> Plan {
        beginning(&self.permit(), &self.ground()).unwrap()
    }

    fn place(&self, source: &Path, layer: Option<&str>) -> Place {
        let found = std::fs::metadata(source).unwrap();
        let inode = Inode { device: found.dev(), number: found.ino() };
        Place { veil: None, layer: layer.map(|layer| abs(&self.path(layer))), copy: None, inode }
    }

    fn permit(&self) -> Permit {
        let mut limits = Limits::defaults(Machine { memory_bytes: 1 << 34 });
        limits.ask(format!("processes={}", self.processes_max).parse().unwrap());
        let mounts = self.mounts.iter().map(|(target, source, access, file)| Mount {
            source: abs(source),
            target: abs(target),
            access: *access,
            file: *file,
            purpose: Purpose::Chosen,
        });
        let authority = Authority {
            version: cofferdam_policy::authority::AUTHORITY_VERSION,
            cell: CellKind::Namespaces,
            identity: Identity {
                uid: self.uid(),
                gid: self.uid(),
                name: "owner".into(),
                home: abs(Path::new(HOME)),
            },
            workspaces: vec![Workspace {
                path: abs(&self.workspace()),
                view: View::Overlay,
                instructions: true,
            }],
            mounts: mounts.collect(),
            home_files: Vec::new(),
            scratch: Vec::new(),
            environment: BTreeMap::new(),
            path: Vec::new(),
            masks: Vec::new(),
            denied: Vec::new(),
            limits,
            profiles: BTreeSet::new(),
            grants: Vec::new(),
            credentials: Vec::new(),
            published: BTreeSet::new(),
            denied_hosts: Vec::new(),
            on_handle_leak: OnHandleLeak::Refuse,
            label: Label::initial(),
        };
        let support = Support {
            landlock: cofferdam_cell::landlock::version().ok(),
            landlock_min: cofferdam_cell::landlock::LANDLOCK_VERSION_MIN,
            mechanisms: [
                (LimitName::Processes, Mechanism::Rlimit),
                (LimitName::Files, Mechanism::Rlimit),
                (LimitName::Tmp, Mechanism::SizedTmpfs),
            ]
            .into(),
        };
        match admit(authority, &support) {
            Verdict::Permit(permit) => *permit,
            Verdict::Refuse(reasons) => panic!("this machine can't: {reasons:?}"),
        }
    }

    /// A cell that stands.
    pub(crate) fn start(&self) -> Supervised {
        start_begun(&self.beginning(), &self.plan()).unwrap_or_else(|failure| panic!("no cell: {failure:?}"))
    }

    /// What a script prints, and how it ends, in a cell of its own.
    pub(crate) fn script(&self, script: &str) -> (String, ExitStatus) {
        self.start().script(&self.workspace(), script)
    }
}

pub(crate) fn abs(path: &Path) -> AbsPath {
    AbsPath::new(path).unwrap()
}

/// Enough of the host for a shell and its tools.
fn system() -> System {
    let path = |text: &str| abs(Path::new(text));
    let there = |text: &str| Path::new(text).exists().then(|| path(text));
    let link = |text: &str| {
        let to = std::fs::read_link(text).ok()?;
        Some((path(text), to.to_str()?.to_owned()))
    };
    System {
        directories: ["/usr", "/etc/alternatives"].into_iter().filter_map(there).collect(),
        files: ["/etc/ld.so.cache"].into_iter().filter_map(there).collect(),
        links: ["/bin", "/sbin", "/lib", "/lib64"].into_iter().filter_map(link).collect(),
        made: vec![(path("/etc/passwd"), "root:x:0:0::/root:/bin/sh\n".to_owned())],
    }
}

/// This very binary, and the words by which it knows that it is to be the launcher.
const OWN_PROGRAM: &str = "/proc/self/exe";
const LAUNCH: [&str; 2] = ["cell", "launch"];

/// Starts a cell and waits until it stands, or until it says why not.
pub(crate) fn start(plan: &Plan) -> Result<Supervised, Failure> {
    standing(Cell::start(plan, Path::new(OWN_PROGRAM), &LAUNCH).unwrap())
}

/// The same, begun before the plan is there.
pub(crate) fn start_begun(beginning: &Plan, plan: &Plan) -> Result<Supervised, Failure> {
    let cell = Cell::launch(Path::new(OWN_PROGRAM), &LAUNCH).unwrap();
    cell.build(beginning).unwrap();
    cell.build(plan).unwrap();
    standing(cell)
}

fn standing(cell: Cell) -> Result<Supervised, Failure> {
    let supervised = Supervised { cell, next: std::cell::Cell::new(1) };
    match supervised.hear() {
        (Report::Ready, _) => Ok(supervised),
        (Report::Failed(failure), _) => {
            supervised.wait_until_gone();
            Err(failure)
        }
        (other, _) => panic!("a cell that begins with {other:?}"),
    }
}

/// A cell, seen by its supervisor.
#[derive(Debug)]
pub(crate) struct Supervised {
    pub(crate) cell: Cell,
    next: std::cell::Cell<u32>,
}

impl Supervised {
    /// The next report, and what came beside it.
    pub(crate) fn hear(&self) -> (Report, Option<OwnedFd>) {
        self.hear_if_any().unwrap_or_else(|| panic!("the cell ended without a word"))
    }

    fn hear_if_any(&self) -> Option<(Report, Option<OwnedFd>)> {
        loop {
            let mut ends = [PollFd::new(&self.cell, PollFlags::IN)];
            let within = Timespec { tv_sec: WAIT_SECONDS_MAX, tv_nsec: 0 };
            assert_ne!(poll(&mut ends, Some(&within)).unwrap(), 0, "waited in vain for a report");
            match self.cell.report().unwrap() {
                CellReport::Said(report, descriptor) => return Some((report, descriptor)),
                CellReport::Silent => {}
                CellReport::Gone => return None,
            }
        }
    }

    pub(crate) fn wait_until_gone(&self) {
        while self.hear_if_any().is_some() {}
    }

    /// Orders a program with pipes; its number, and what it prints.
    pub(crate) fn order(&self, directory: &Path, arguments: &[&str]) -> (u32, OwnedFd) {
        let number = self.next.replace(self.next.get() + 1);
        let (_, input) = pipe_with(PipeFlags::CLOEXEC).map(|(read, write)| (write, read)).unwrap();
        let (printed, output) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let streams = Streams::Pipes([input.as_fd(), output.as_fd(), output.as_fd()]);
        self.cell.spawn(number, &program(directory, arguments), streams).unwrap();
        (number, printed)
    }

    /// Orders a program with a terminal of its own; the controlling side.
    pub(crate) fn order_with_terminal(&self, directory: &Path, arguments: &[&str]) -> OwnedFd {
        let number = self.next.replace(self.next.get() + 1);
        let size = WindowSize { rows: 24, columns: 80 };
        self.cell.spawn(number, &program(directory, arguments), Streams::Terminal(size)).unwrap();
        match self.hear() {
            (Report::Spawned { process }, Some(terminal)) if process == number => terminal,
            (other, _) => panic!("instead of a terminal: {other:?}"),
        }
    }

    /// As [`Self::order`], and it runs.
    pub(crate) fn run(&self, directory: &Path, arguments: &[&str]) -> (u32, OwnedFd) {
        let (number, printed) = self.order(directory, arguments);
        match self.hear() {
            (Report::Spawned { process }, None) if process == number => (number, printed),
            (other, _) => panic!("instead of running: {other:?}"),
        }
    }

    pub(crate) fn script(&self, directory: &Path, script: &str) -> (String, ExitStatus) {
        let (number, printed) = self.run(directory, &["sh", "-c", script]);
        let mut text = String::new();
        std::fs::File::from(printed).read_to_string(&mut text).unwrap();
        match self.hear() {
            (Report::Exited { process, status }, _) if process == number => (text, status),
            (other, _) => panic!("instead of an end: {other:?}"),
        }
    }

    /// Where a program failed to start.
    pub(crate) fn refusal(&self, directory: &Path, arguments: &[&str]) -> (EntryStage, i32) {
        let (number, _printed) = self.order(directory, arguments);
        match self.hear() {
            (Report::NotSpawned { process, stage, errno }, _) if process == number => (stage, errno),
            (other, _) => panic!("instead of a refusal: {other:?}"),
        }
    }

    /// Orders a refresh; the errno if it was refused.
    pub(crate) fn refresh(&self) -> Result<(), i32> {
        self.cell.order(&Order::Refresh).unwrap();
        match self.hear() {
            (Report::Refreshed, _) => Ok(()),
            (Report::NotRefreshed { errno, .. }, _) => Err(errno),
            (other, _) => panic!("instead of a refresh: {other:?}"),
        }
    }
}

fn program(directory: &Path, arguments: &[&str]) -> Program {
    let environment = ["PATH=/usr/bin:/bin:/usr/sbin", "LC_ALL=C"].map(|pair| pair.as_bytes().to_vec());
    Program {
        arguments: arguments.iter().map(|argument| argument.as_bytes().to_vec()).collect(),
        environment: environment.into(),
        directory: directory.to_str().unwrap().as_bytes().to_vec(),
    }
}
