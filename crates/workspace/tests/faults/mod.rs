//! Runs of a small program that are killed or failed at one system call each, by strace.
//!
//! Only the command's own descendants are traced. What the program does, and what is to hold after, is the test's part.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Calls that change a disk, or bring what was changed to it.
const CHANGING: &str = "openat,write,mkdirat,mknodat,renameat,renameat2,unlinkat,linkat,symlinkat,fchmod,fchmodat,fchown,fchownat,utimensat,fsetxattr,copy_file_range,ftruncate,fsync,fdatasync,syncfs,flock";

/// The n-th call of a name.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) name: String,
    number: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    Refused,
    Unsettled,
    Abandoned,
    Killed,
    Other(Option<i32>),
}

/// A program of `examples`, and where its traces are written.
pub(crate) struct Traced {
    pub(crate) program: &'static str,
    pub(crate) log: PathBuf,
}

impl Traced {
    pub(crate) fn run(&self, arguments: &[PathBuf]) -> End {
        end(&Command::new(program(self.program)).args(arguments).output().unwrap())
    }

    pub(crate) fn strace(&self, options: &[&str]) -> Command {
        let mut command = Command::new("strace");
        command.arg("-o").arg(&self.log).args(options).arg(program(self.program));
        command
    }

    fn traced(&self, arguments: &[PathBuf], options: &[&str]) -> Output {
        self.strace(options)
            .args(arguments)
            .output()
            .unwrap_or_else(|error| panic!("cannot start strace ({error}): run `scripts/prerequisites test`"))
    }

    /// All calls of one whole run that change a disk.
    pub(crate) fn calls(&self, arguments: &[PathBuf]) -> Vec<Call> {
        let output = self.traced(arguments, &["-e", &format!("trace={CHANGING}")]);
        assert_eq!(end(&output), End::Done, "{output:?}");
        let log = fs::read_to_string(&self.log).unwrap();
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let names = log.lines().filter_map(|line| line.split_once('(').map(|(name, _)| name.to_owned()));
        names
            .map(|name| {
                let count = counts.entry(name.clone()).or_default();
                *count += 1;
                Call { name, number: *count }
            })
            .collect()
    }

    pub(crate) fn run_killed(&self, arguments: &[PathBuf], call: &Call) -> End {
        let inject = format!("inject={}:signal=KILL:when={}", call.name, call.number);
        end(&self.traced(arguments, &["-e", &format!("trace={}", call.name), "-e", &inject]))
    }

    pub(crate) fn run_failed(
        &self,
        arguments: &[PathBuf],
        call: &Call,
        errno: &str,
        from_then_on: bool,
    ) -> (End, String) {
        let on = if from_then_on { "+" } else { "" };
        let inject = format!("inject={}:error={errno}:when={}{on}", call.name, call.number);
        let output = self.traced(arguments, &["-e", &format!("trace={}", call.name), "-e", &inject]);
        (end(&output), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// A place in which the program does one of several acts.
pub(crate) trait Stage {
    fn program(&self) -> Traced;

    fn arguments(&self, act: &str) -> Vec<PathBuf>;

    fn run(&self, act: &str) -> End {
        self.program().run(&self.arguments(act))
    }

    /// All calls of one whole run that change a disk. The stage is used up.
    fn calls(&self, act: &str) -> Vec<Call> {
        self.program().calls(&self.arguments(act))
    }

    fn run_killed(&self, act: &str, call: &Call) -> End {
        self.program().run_killed(&self.arguments(act), call)
    }

    /// With what the program said.
    fn run_failed(&self, act: &str, call: &Call, errno: &str, from_then_on: bool) -> (End, String) {
        self.program().run_failed(&self.arguments(act), call, errno, from_then_on)
    }
}

pub(crate) fn end(output: &Output) -> End {
    match (output.status.code(), output.status.signal()) {
        (Some(0), _) => End::Done,
        // With 2, the program could not even open what it was given.
        (Some(2 | 3), _) => End::Refused,
        (Some(4), _) => End::Unsettled,
        (Some(5), _) => End::Abandoned,
        (_, Some(9)) => End::Killed,
        (code, _) => End::Other(code),
    }
}

/// In memory, where a flush costs nothing, if there is such a place.
pub(crate) fn memory() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

pub(crate) fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Cargo builds examples with the tests, into a directory beside theirs.
pub(crate) fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(
        program.is_file(),
        "{} is not built: cargo build -p cofferdam-workspace --examples",
        program.display()
    );
    program
}

/// Does `work` for each case on as many threads as there are processors.
pub(crate) fn in_parallel<C: Sync, R: Send>(cases: &[C], work: impl Fn(&C) -> R + Sync) -> Vec<R> {
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = work(case);
                    results.lock().unwrap().push(result);
                }
            });
        }
    });
    results.into_inner().unwrap()
}
