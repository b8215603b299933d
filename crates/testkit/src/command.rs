//! Running a program as the owner of a home: described first, then run to its end, kept running, or given a terminal.
//!
//! Nothing is inherited from the test: the environment is the home's, standard input is empty unless given.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};

use crate::deadline::WAIT_SECONDS_MAX;
use crate::terminal::Terminal;
use crate::{must, until_within};

/// After a program's end, how long something else may still hold its output before the test fails.
const OUTPUT_SECONDS_MAX: u64 = 10;

/// A program to run as a home's owner.
#[derive(Debug, Clone)]
pub struct Invocation {
    program: OsString,
    arguments: Vec<OsString>,
    environment: BTreeMap<OsString, OsString>,
    directory: PathBuf,
    /// uid and gid to take; `None` when the test has them already.
    identity: Option<(u32, u32)>,
    input: Vec<u8>,
}

impl Invocation {
    pub(crate) fn new(
        program: impl Into<OsString>,
        environment: BTreeMap<OsString, OsString>,
        directory: PathBuf,
        identity: Option<(u32, u32)>,
    ) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            environment,
            directory,
            identity,
            input: Vec::new(),
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Sets a variable beside, or in place of, the home's.
    #[must_use]
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.insert(key.as_ref().to_owned(), value.as_ref().to_owned());
        self
    }

    /// Removes one of the home's variables.
    #[must_use]
    pub fn without_env(mut self, key: impl AsRef<OsStr>) -> Self {
        self.environment.remove(key.as_ref());
        self
    }

    /// The working directory; at first it is the home's `work`.
    #[must_use]
    pub fn in_directory(mut self, directory: impl AsRef<Path>) -> Self {
        self.directory = directory.as_ref().to_path_buf();
        self
    }

    /// What the program reads from standard input, then its end.
    #[must_use]
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = bytes.into();
        self
    }

    /// In a mount namespace of its own, where each second path is the first one: for files of the machine that programs
    /// read and no test may change. Needs root, whoever the owner is.
    #[track_caller]
    #[must_use]
    pub fn seeing(self, instead: &[(PathBuf, &str)]) -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "this test mounts its own files over the machine's, in a namespace: run it as root, for instance `sudo make test`"
        );
        let binds: String = instead
            .iter()
            .map(|(source, target)| format!("mount --bind '{}' '{target}' && ", source.display()))
            .collect();
        let become_owner = self.identity.map_or_else(String::new, |(uid, gid)| {
            format!("setpriv --reuid {uid} --regid {gid} --clear-groups -- ")
        });
        let script = format!("{binds}exec {become_owner}\"$@\"");
        let before = ["--mount", "--", "sh", "-c", &script, "sh"].map(OsString::from);
        let arguments = before.into_iter().chain([self.program]).chain(self.arguments).collect();
        Self { program: "unshare".into(), arguments, identity: None, ..self }
    }

    /// As a command of the standard library, for what this type has no word for.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = self.prepared(Command::new(&self.program));
        command.args(&self.arguments);
        command
    }

    /// Runs it to its end; fails the test after half a minute.
    #[track_caller]
    pub fn run(&self) -> Outcome {
        self.run_within(Duration::from_secs(WAIT_SECONDS_MAX))
    }

    /// Runs it to its end; fails the test when that takes longer than `within`.
    #[track_caller]
    pub fn run_within(&self, within: Duration) -> Outcome {
        self.start().finish_within(within)
    }

    /// Starts it and returns at once. It is killed when the returned value is dropped.
    #[track_caller]
    pub fn start(&self) -> Running {
        let mut command = self.command();
        let input = if self.input.is_empty() { Stdio::null() } else { Stdio::piped() };
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = must(command.spawn(), format_args!("start {}", self.told()));
        if let Some(mut pipe) = child.stdin.take() {
            let bytes = self.input.clone();
            // A program that does not read its input to the end is free to.
            thread::spawn(move || pipe.write_all(&bytes).is_ok());
        }
        let stdout = Capture::of(child.stdout.take());
        let stderr = Capture::of(child.stderr.take());
        Running { watch: Watch::over(child, self.told()), stdout, stderr }
    }

    /// Starts it in a terminal of `rows` by `columns`, as the leader of its session.
    #[track_caller]
    pub fn terminal(&self, rows: u16, columns: u16) -> Terminal {
        // Taking a controlling terminal between fork and exec would be unsafe code; setsid(1) does it.
        let mut command = self.prepared(Command::new("setsid"));
        command.arg("--ctty").arg("--").arg(&self.program).args(&self.arguments);
        if !self.environment.contains_key(OsStr::new("TERM")) {
            command.env("TERM", "xterm-256color");
        }
        Terminal::start(command, self.told(), self.identity, rows, columns)
    }

    fn prepared(&self, mut command: Command) -> Command {
        command.env_clear().envs(&self.environment).current_dir(&self.directory);
        if let Some((uid, gid)) = self.identity {
            // The standard library drops the supplementary groups when root takes another uid.
            command.uid(uid).gid(gid);
        }
        command
    }

    fn told(&self) -> String {
        let words = std::iter::once(&self.program).chain(&self.arguments);
        words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    }
}

/// A program that was started and has not been waited for.
#[derive(Debug)]
pub struct Running {
    watch: Watch,
    stdout: Capture,
    stderr: Capture,
}

impl Running {
    /// The pid of the started program.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.watch.pid()
    }

    /// Sends it a signal; nothing happens when it has ended.
    pub fn signal(&self, signal: Signal) {
        self.watch.signal(signal);
    }

    /// Waits until its standard output holds `text`.
    #[track_caller]
    pub fn wait_for_output(&self, text: &str) {
        let found = || crate::census::contains(&self.stdout.bytes(), text.as_bytes()).then_some(());
        until_within(
            Duration::from_secs(WAIT_SECONDS_MAX),
            &format!("{text:?} from {}", self.watch.told),
            found,
        );
    }

    /// Waits for its end; fails the test after half a minute.
    #[track_caller]
    pub fn finish(self) -> Outcome {
        self.finish_within(Duration::from_secs(WAIT_SECONDS_MAX))
    }

    /// Waits for its end, and for the end of its output: who still holds that has outlived it.
    #[track_caller]
    pub fn finish_within(mut self, within: Duration) -> Outcome {
        let Some(status) = self.watch.wait(within) else {
            panic!(
                "{} did not end within {} s\nstdout: {}\nstderr: {}",
                self.watch.told,
                within.as_secs(),
                self.stdout.text(),
                self.stderr.text()
            )
        };
        for (name, capture) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            assert!(
                capture.wait_for_end(Duration::from_secs(OUTPUT_SECONDS_MAX)),
                "{} has ended, but a process that it left behind still holds its {name}\nstdout: {}\nstderr: {}",
                self.watch.told,
                self.stdout.text(),
                self.stderr.text()
            );
        }
        Outcome {
            told: self.watch.told.clone(),
            status,
            stdout: self.stdout.bytes(),
            stderr: self.stderr.bytes(),
        }
    }
}

/// How a program ended and what it said.
#[derive(Debug, Clone)]
pub struct Outcome {
    told: String,
    /// Its wait status.
    pub status: ExitStatus,
    /// All that it wrote to standard output.
    pub stdout: Vec<u8>,
    /// All that it wrote to standard error.
    pub stderr: Vec<u8>,
}

impl Outcome {
    /// Standard output as text.
    #[must_use]
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    #[must_use]
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// The one JSON value that standard output is.
    #[track_caller]
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        must(serde_json::from_slice(&self.stdout), format_args!("read as JSON what {self} wrote"))
    }

    /// Fails the test unless it exited with 0.
    #[track_caller]
    pub fn assert_success(&self) -> &Self {
        assert!(self.status.success(), "{self}");
        self
    }

    /// Fails the test unless it exited with `code`.
    #[track_caller]
    pub fn assert_exit(&self, code: u8) -> &Self {
        assert_eq!(self.status.code(), Some(i32::from(code)), "{self}");
        self
    }

    /// Fails the test unless it was refused as the owner is promised: this exit code, nothing on standard output, and
    /// three lines on standard error that hold each of `words`.
    #[track_caller]
    pub fn assert_refused(&self, code: u8, words: &[&str]) -> &Self {
        self.assert_exit(code);
        assert!(self.stdout.is_empty(), "a refusal belongs on standard error: {self}");
        let stderr = self.stderr();
        assert_eq!(stderr.lines().count(), 3, "a refusal has three lines: what, why, what to do: {self}");
        for word in words {
            assert!(stderr.contains(word), "the refusal does not say {word:?}: {self}");
        }
        self
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let end = match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("exited with {code}"),
            (None, Some(signal)) => format!("was killed by signal {signal}"),
            (None, None) => "ended".to_owned(),
        };
        write!(f, "`{}` {end}\nstdout: {}\nstderr: {}", self.told, self.stdout(), self.stderr())
    }
}

/// A child that is waited for through its pidfd, and killed with its process group when dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    child: Child,
    handle: OwnedFd,
    pub(crate) told: String,
    ended: Option<ExitStatus>,
}

impl Watch {
    #[track_caller]
    pub(crate) fn over(child: Child, told: String) -> Self {
        let handle = must(pidfd_open(Pid::from_child(&child), PidfdFlags::empty()), "open a pidfd");
        Self { child, handle, told, ended: None }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        // The one failure there is: it has ended.
        let _ended = pidfd_send_signal(self.handle.as_fd(), signal).is_err();
    }

    /// Its status, or `None` when it has not ended within `within`.
    #[track_caller]
    pub(crate) fn wait(&mut self, within: Duration) -> Option<ExitStatus> {
        let end = Instant::now() + within;
        while self.ended.is_none() {
            let left = end.saturating_duration_since(Instant::now());
            let timeout = must(Timespec::try_from(left), "convert a time");
            let mut watched = [PollFd::new(&self.handle, PollFlags::IN)];
            let ready = match poll(&mut watched, Some(&timeout)) {
                Err(rustix::io::Errno::INTR) => continue,
                ready => must(ready, "wait for a process"),
            };
            if ready == 0 {
                return None;
            }
            self.ended = Some(must(self.child.wait(), format_args!("wait for {}", self.told)));
        }
        self.ended
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.ended.is_none() {
            // Not yet waited for, so neither the pid nor the group can be another's.
            let _no_group = kill_process_group(Pid::from_child(&self.child), Signal::KILL).is_err();
            self.signal(Signal::KILL);
            let _waited = self.child.wait().is_ok();
        }
    }
}

/// What was read from a pipe or terminal so far, filled by a thread of its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Capture {
    shared: Arc<(Mutex<Captured>, Condvar)>,
}

#[derive(Debug, Default)]
struct Captured {
    bytes: Vec<u8>,
    ended: bool,
}

impl Capture {
    pub(crate) fn of<R: Read + Send + 'static>(source: Option<R>) -> Self {
        let capture = Self::default();
        let filled = capture.clone();
        thread::spawn(move || filled.fill(source));
        capture
    }

    fn fill<R: Read>(&self, source: Option<R>) {
        let mut buffer = [0; 8192];
        let mut source = source;
        while let Some(reader) = &mut source {
            match reader.read(&mut buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                // A terminal whose last user has gone answers EIO.
                Ok(0) | Err(_) => break,
                Ok(count) => {
                    self.lock().bytes.extend(buffer.iter().take(count));
                    self.shared.1.notify_all();
                }
            }
        }
        self.lock().ended = true;
        self.shared.1.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Captured> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.lock().bytes.clone()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.lock().bytes).into_owned()
    }

    /// Whether the end was reached within `within`.
    pub(crate) fn wait_for_end(&self, within: Duration) -> bool {
        let going_on = |captured: &mut Captured| !captured.ended;
        let waited = self.shared.1.wait_timeout_while(self.lock(), within, going_on);
        waited.is_ok_and(|(captured, _)| captured.ended)
    }

    /// Waits until there are more than `seen` bytes, the end, or `within` is over; says whether there is more.
    pub(crate) fn wait_for_more(&self, seen: usize, within: Duration) -> bool {
        let nothing_new = |captured: &mut Captured| captured.bytes.len() <= seen && !captured.ended;
        let waited = self.shared.1.wait_timeout_while(self.lock(), within, nothing_new);
        waited.is_ok_and(|(captured, _)| captured.bytes.len() > seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Home;

    #[test]
    fn input_output_and_status_pass() {
        let home = Home::new();
        let run = home.invoke("sh").args(["-c", "cat; echo e >&2; exit 3"]).input("in").run();
        run.assert_exit(3);
        assert_eq!((run.stdout().as_str(), run.stderr().as_str()), ("in", "e\n"));
    }

    #[test]
    #[should_panic(expected = "did not end within 0 s")]
    fn a_program_that_does_not_end_fails_the_test_and_is_killed() {
        Home::new().invoke("sleep").arg("1000").run_within(Duration::ZERO);
    }

    #[test]
    fn a_running_program_can_be_waited_for_and_signalled() {
        let home = Home::new();
        let running = home
            .invoke("sh")
            .args(["-c", "trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done"])
            .start();
        running.wait_for_output("ready");
        running.signal(Signal::TERM);
        running.finish().assert_exit(5);
    }

    #[test]
    fn a_refusal_of_three_lines_is_accepted_and_one_of_two_is_not() {
        let home = Home::new();
        let refuse =
            |text: &str| home.invoke("sh").args(["-c", "printf '%s' \"$1\" >&2; exit 64", "sh", text]).run();
        refuse("error: no\n why: so\n do: this\n").assert_refused(64, &["no", "this"]);
        let short = refuse("error: no\n");
        assert!(std::panic::catch_unwind(|| short.assert_refused(64, &[]).to_string()).is_err());
    }
}
