//! Resources: processes, threads, memory, descriptors, disk, inodes, sizes, core files; each up to a cap that the
//! test gives.
//!
//! Reaching the cap is `reached`. Without its cap an attempt is inconclusive: nothing here runs unbounded, and
//! what was taken is given back.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::attempt::Attempt;
use crate::finding::{Finding, Gate};
use crate::inside::control;
use crate::inside::files::scratch_name;
use crate::inside::proc;
use crate::plants::{Plant, PlantError, Plants};

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::forbidden("flood-processes", "Makes processes up to the cap.", "attacks 7", processes)
        .needs(&[Plant::CapProcesses]),
    Attempt::forbidden("flood-threads", "Makes threads up to the cap.", "attacks 7", threads)
        .needs(&[Plant::CapThreads]),
    Attempt::forbidden("flood-memory", "Takes and touches memory up to the cap.", "attacks 7", memory)
        .needs(&[Plant::CapMemoryMib]),
    Attempt::forbidden("flood-open-files", "Opens files up to the cap.", "attacks 7", open_files)
        .needs(&[Plant::CapOpenFiles]),
    Attempt::forbidden(
        "flood-disk-scratch",
        "Fills the scratch directory up to the cap.",
        "attacks 7",
        |plants| disk(plants, &scratch_name(plants, "fill")),
    )
    .needs(&[Plant::CapDiskMib]),
    Attempt::forbidden("flood-disk-workspace", "Fills the workspace up to the cap.", "attacks 7", |plants| {
        let workspace = plants.text(Plant::Workspace)?;
        disk(plants, &format!("{workspace}/.cofferdam-probe-{}-fill", std::process::id()))
    })
    .needs(&[Plant::CapDiskMib, Plant::Workspace]),
    Attempt::forbidden("flood-disk-shm", "Fills /dev/shm up to the cap.", "attacks 7", |plants| {
        disk(plants, &format!("/dev/shm/.cofferdam-probe-{}-fill", std::process::id()))
    })
    .needs(&[Plant::CapDiskMib]),
    Attempt::forbidden("flood-inodes", "Makes files up to the cap.", "attacks 7", inodes)
        .needs(&[Plant::CapInodes]),
    Attempt::forbidden("sparse-file", "Makes a sparse file of one PiB.", "attacks 7", sparse),
    Attempt::forbidden("core-dump", "Leaves a core, or has one handled by the host.", "attacks 4", core_dump),
];

const MIB: usize = 1 << 20;
const SPARSE_BYTES: u64 = 1 << 50;

fn processes(plants: &Plants) -> Result<Finding, PlantError> {
    let cap = plants.number(Plant::CapProcesses)?;
    let Ok((reader, writer)) = std::io::pipe() else {
        return Ok(Finding::Inconclusive("cannot make a pipe".to_owned()));
    };
    let mut children = Vec::new();
    let mut ended = Ok(());
    while ended.is_ok() && (children.len() as u64) < cap {
        let child = reader.try_clone().and_then(|stdin| hold(Stdio::from(stdin)));
        match child {
            Ok(child) => children.push(child),
            Err(error) => ended = Err(proc::from_io(&error)),
        }
    }
    let made = children.len();
    // All of them wait for the end of this pipe.
    drop(writer);
    for mut child in children {
        drop(child.wait());
    }
    Ok(Gate::LIMIT.judge(&format!("{made} processes of at most {cap}"), ended))
}

fn hold(stdin: Stdio) -> std::io::Result<Child> {
    let mut command = Command::new(control::OWN_PROGRAM);
    command.args(["control", "hold"]).stdin(stdin).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

fn threads(plants: &Plants) -> Result<Finding, PlantError> {
    const STACK_BYTES: usize = 64 << 10;
    let cap = plants.number(Plant::CapThreads)?;
    let mut made = 0;
    let mut ended = Ok(());
    while ended.is_ok() && made < cap {
        // They sleep until this process ends.
        let spawned = thread::Builder::new().stack_size(STACK_BYTES).spawn(|| {
            loop {
                thread::park();
            }
        });
        match spawned {
            Ok(_) => made += 1,
            Err(error) => ended = Err(proc::from_io(&error)),
        }
    }
    Ok(Gate::LIMIT.judge(&format!("{made} threads of at most {cap}"), ended))
}

fn memory(plants: &Plants) -> Result<Finding, PlantError> {
    let cap = plants.number(Plant::CapMemoryMib)?;
    let mut command = Command::new(control::OWN_PROGRAM);
    command.args(["control", "allocate", &cap.to_string()]);
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    Ok(match status {
        Ok(status) if status.success() => Finding::Reached(format!("{cap} MiB were taken and touched")),
        Ok(status) if status.code() == Some(control::EXIT_NO_MEMORY) => {
            Finding::Refused(Errno::NOMEM, format!("ENOMEM before {cap} MiB"))
        }
        Ok(status) if status.signal().is_some() => {
            Finding::Held(format!("ended with {status} before {cap} MiB"))
        }
        Ok(status) => Finding::Inconclusive(format!("ended with {status}")),
        Err(error) => Gate::LIMIT.judge::<()>("spawning", Err(proc::from_io(&error))),
    })
}

fn open_files(plants: &Plants) -> Result<Finding, PlantError> {
    let cap = plants.number(Plant::CapOpenFiles)?;
    let mut files = Vec::new();
    let mut ended = Ok(());
    while ended.is_ok() && (files.len() as u64) < cap {
        match File::open("/dev/null") {
            Ok(file) => files.push(file),
            Err(error) => ended = Err(proc::from_io(&error)),
        }
    }
    Ok(Gate::LIMIT.judge(&format!("{} files of at most {cap}", files.len()), ended))
}

fn disk(plants: &Plants, path: &str) -> Result<Finding, PlantError> {
    let cap = plants.number(Plant::CapDiskMib)?;
    let mut file = match nameless(path) {
        Ok(file) => file,
        Err(error) => return Ok(Gate::PATH.judge::<()>(path, Err(proc::from_io(&error)))),
    };
    let block = vec![0x5a; MIB];
    let mut written = 0;
    let mut ended = Ok(());
    while ended.is_ok() && written < cap {
        match file.write_all(&block) {
            Ok(()) => written += 1,
            Err(error) => ended = Err(proc::from_io(&error)),
        }
    }
    Ok(Gate::LIMIT.judge(&format!("{path}: {written} MiB of at most {cap}"), ended))
}

/// A file without a name: gone with this process, however it ends (`SIGXFSZ`, say).
fn nameless(path: &str) -> std::io::Result<File> {
    let file = File::create_new(path)?;
    fs::remove_file(path)?;
    Ok(file)
}

fn inodes(plants: &Plants) -> Result<Finding, PlantError> {
    let cap = plants.number(Plant::CapInodes)?;
    let directory = scratch_name(plants, "inodes");
    if let Err(error) = fs::create_dir(&directory) {
        return Ok(Gate::PATH.judge::<()>(&directory, Err(proc::from_io(&error))));
    }
    let mut made = 0;
    let mut ended = Ok(());
    while ended.is_ok() && made < cap {
        match File::create_new(format!("{directory}/{made}")) {
            Ok(_) => made += 1,
            Err(error) => ended = Err(proc::from_io(&error)),
        }
    }
    drop(fs::remove_dir_all(&directory));
    Ok(Gate::LIMIT.judge(&format!("{made} files of at most {cap}"), ended))
}

fn sparse(plants: &Plants) -> Result<Finding, PlantError> {
    let path = scratch_name(plants, "sparse");
    let sized = nameless(&path).and_then(|file| file.set_len(SPARSE_BYTES));
    Ok(Gate::LIMIT.judge(&path, sized.map_err(|error| proc::from_io(&error))))
}

/// The child raises its soft limit as far as it may, and crashes where a core file would be seen.
fn core_dump(plants: &Plants) -> Result<Finding, PlantError> {
    const CRASH_WAIT: Duration = Duration::from_millis(50);
    let directory = scratch_name(plants, "core");
    if let Err(error) = fs::create_dir(&directory) {
        return Ok(Finding::Inconclusive(format!("{directory}: cannot make it: {error}")));
    }
    let hard = getrlimit(Resource::Core).maximum;
    setrlimit(Resource::Core, Rlimit { current: hard, maximum: hard }).ok();
    let mut command = Command::new(control::OWN_PROGRAM);
    command.args(["control", "crash"]).current_dir(&directory);
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    thread::sleep(CRASH_WAIT);
    let left = proc::names(&directory).unwrap_or_default();
    drop(fs::remove_dir_all(&directory));
    Ok(match status {
        Ok(status) if status.core_dumped() => Finding::Reached(format!("a core was dumped: {status}")),
        Ok(_) if !left.is_empty() => Finding::Reached(format!("{} was left", left.join(", "))),
        Ok(status) if status.signal().is_some() => Finding::Held(format!("crashed without a core: {status}")),
        Ok(status) => Finding::Inconclusive(format!("the child did not crash: {status}")),
        Err(error) => Finding::Inconclusive(format!("cannot start the child: {error}")),
    })
}
