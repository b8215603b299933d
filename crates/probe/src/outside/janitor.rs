//! Takes a scene away, in a process of its own: so that it is done however the collector ends.
//!
//! The janitor reads orders from a pipe, and begins when that ends: the collector has left the scene, was interrupted or
//! was killed. It is in a process group of its own, so that Ctrl-C does not end it, too.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};

use crate::catalog;
use crate::outside::scene;
use crate::plants::Plants;

/// How long what was ended is given to be gone, with what it holds open.
const ENDING: Duration = Duration::from_millis(300);
/// How often a directory is tried that something still writes to.
const REMOVALS_MAX: u32 = 5;
/// How often what still runs is looked for: what is ended may have started another one.
const ROUNDS_MAX: u32 = 10;

/// The janitor of one scene.
#[derive(Debug)]
pub(crate) struct Janitor {
    child: Child,
    orders: Option<ChildStdin>,
}

impl Janitor {
    /// Starts one for the scene in `scratch`, before anything is planted.
    pub(crate) fn start(program: &Path, scratch: &Path, tag: &str) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.args(["control", "tidy"]).arg(scratch).arg(tag).process_group(0);
        // It outlives the directory in which it was started.
        command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let orders = child.stdin.take();
        Ok(Self { child, orders })
    }

    /// Tells what is planted, and where.
    pub(crate) fn learn(&self, plants: &Plants) {
        if let Some(mut orders) = self.orders.as_ref() {
            writeln!(orders, "plants {}", plants.for_inside()).ok();
        }
    }

    /// From now on the process group `group` is to be ended with the scene.
    pub(crate) fn watch(&self, group: u32) {
        self.order("watch", group);
    }

    /// It has ended, and its number may be another's.
    pub(crate) fn forget(&self, group: u32) {
        self.order("forget", group);
    }

    fn order(&self, order: &str, group: u32) {
        if let Some(mut orders) = self.orders.as_ref() {
            // A janitor that is gone can't be told; the collector tidies then.
            writeln!(orders, "{order} {group}").ok();
        }
    }

    /// Has the scene taken away, and waits until it is.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        drop(self.orders.take());
        self.child.wait().map(|_| ())
    }
}

/// The janitor's work: waits for the end of its orders, then takes the scene away.
pub(crate) fn run(scratch: &Path, tag: &str) {
    let (mut groups, mut plants) = (BTreeSet::new(), Plants::default());
    for line in BufReader::new(io::stdin().lock()).lines().map_while(Result::ok) {
        match line.split_once(' ') {
            Some(("plants", map)) => plants.add_json(map).unwrap_or_default(),
            Some(("watch", group)) => groups.extend(group.parse::<i32>()),
            Some(("forget", group)) => groups.retain(|known| group.parse() != Ok(*known)),
            Some(_) | None => {}
        }
    }
    let was_cut_short = !groups.is_empty();
    if was_cut_short {
        for group in groups.into_iter().filter_map(Pid::from_raw) {
            kill_process_group(group, Signal::KILL).ok();
        }
        thread::sleep(ENDING);
    }
    end_programs(scratch);
    tidy(scratch, tag, &plants);
    if was_cut_short {
        // What was ended may have been in the middle of making something.
        thread::sleep(ENDING);
        tidy(scratch, tag, &plants);
    }
}

/// Ends what still runs of the scene's own programs: an enclosure may have left the process group that was watched.
fn end_programs(scratch: &Path) {
    let identity = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    let programs: Vec<_> = scene::programs(scratch).iter().filter_map(|path| identity(path)).collect();
    for _ in 0..ROUNDS_MAX {
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let ended = numbers.filter_map(Pid::from_raw).filter(|&pid| {
            // Held before it is looked at: the number may be another's by then.
            let Ok(held) = pidfd_open(pid, PidfdFlags::empty()) else { return false };
            let program = identity(Path::new(&format!("/proc/{pid}/exe")));
            program.is_some_and(|program| programs.contains(&program))
                && pidfd_send_signal(held, Signal::KILL).is_ok()
        });
        if ended.count() == 0 {
            return;
        }
        thread::sleep(ENDING / 10);
    }
}

/// The one file that a scene has in the machine's scratch directory.
pub(crate) fn in_tmp(tag: &str) -> PathBuf {
    Path::new("/tmp").join(format!("cofferdam-probe-{tag}"))
}

/// Takes away what was planted, and the scratch directory.
pub(crate) fn tidy(scratch: &Path, tag: &str, plants: &Plants) {
    // What the first made may hold what the last did.
    for planting in catalog::PLANTINGS.iter().rev() {
        (planting.tidy)(plants).ok();
    }
    fs::remove_file(in_tmp(tag)).ok();
    for _ in 0..REMOVALS_MAX {
        if fs::remove_dir_all(scratch).is_ok() || !scratch.exists() {
            return;
        }
        // Attempts may have taken all rights away.
        open_up(scratch);
        thread::sleep(ENDING / 10);
    }
    fs::remove_dir_all(scratch).ok();
}

fn open_up(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).ok();
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        open_up(&entry.path());
    }
}
