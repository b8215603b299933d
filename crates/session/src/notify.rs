//! The owner's own command that is told what can't wait: a request that is held, a handle that leaked, the end.
//!
//! It runs on the host with the owner's environment, never in the cell; what the agent chose reaches it in variables,
//! made harmless, and never as a part of the command.

use crate::context::Context;
use crate::terminal::visible_within;
use cofferdam_policy::session_id::SessionName;
use cofferdam_syscall::process::{ExecStrings, spawn};
use rustix::fd::AsFd as _;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, waitpid};
use std::collections::BTreeMap;
use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::time::{Duration, Instant};

/// An agent that floods its gateway must not flood its owner's machine with processes.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The most that run at once; a command that hangs gets no more company than that.
const RUNNING_MAX: usize = 4;
/// How much of what the agent chose is told.
const TEXT_COLUMNS_MAX: usize = 500;

/// What the command is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Occasion {
    /// A request waits for the owner.
    Held,
    /// A handle was seen where it does not belong.
    HandleLeaked,
    /// The session has ended.
    Ended,
}

impl Occasion {
    fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::HandleLeaked => "handle-leaked",
            Self::Ended => "ended",
        }
    }
}

/// Starts the command, and knows those that it started.
#[derive(Debug)]
pub(crate) struct Notifier {
    command: String,
    running: Vec<Pid>,
    last: BTreeMap<Occasion, Instant>,
}

impl Notifier {
    pub(crate) fn new(command: String) -> Self {
        Self { command, running: Vec::new(), last: BTreeMap::new() }
    }

    /// Tells of `occasion`; one that came too soon after another of its kind is left out.
    ///
    /// # Errors
    /// The kernel's, if the command can't be started.
    pub(crate) fn tell(
        &mut self,
        context: &Context,
        session: &SessionName,
        occasion: Occasion,
        text: &str,
    ) -> Result<(), Errno> {
        self.reap();
        let now = Instant::now();
        let too_soon = self.last.get(&occasion).is_some_and(|last| now.duration_since(*last) < PAUSE_MIN);
        if too_soon || self.running.len() >= RUNNING_MAX {
            return Ok(());
        }
        self.last.insert(occasion, now);
        let mut variables = context.environment.clone();
        let told = [
            ("COFFERDAM_EVENT", occasion.name().to_owned()),
            ("COFFERDAM_SESSION", session.as_str().to_owned()),
            ("COFFERDAM_TEXT", visible_within(text.as_bytes(), TEXT_COLUMNS_MAX)),
        ];
        variables.extend(told.map(|(key, value)| (OsString::from(key), OsString::from(value))));
        let pair = |(key, value): (&OsString, &OsString)| {
            CString::new([key.as_bytes(), b"=", value.as_bytes()].concat()).ok()
        };
        let environment = ExecStrings::new(variables.iter().filter_map(pair).collect());
        let words = ["sh", "-c", self.command.as_str()].map(CString::new);
        let arguments = ExecStrings::new(words.into_iter().filter_map(Result::ok).collect());
        let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
        let streams = [null.as_fd(), null.as_fd(), null.as_fd()];
        self.running.push(spawn(c"/bin/sh", &arguments, &environment, &streams)?);
        Ok(())
    }

    fn reap(&mut self) {
        self.running.retain(|child| matches!(waitpid(Some(*child), WaitOptions::NOHANG), Ok(None)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cofferdam_policy::event::UnixNanos;
    use std::path::Path;

    fn context(home: &Path) -> Context {
        let environment = BTreeMap::from([("HOME".into(), home.as_os_str().to_owned())]);
        Context::new(environment, home.to_owned(), || UnixNanos(1)).unwrap()
    }

    /// Tells of this text, and what the command found.
    fn found(text: &str) -> (Vec<u8>, Vec<String>) {
        let home = tempfile::tempdir().unwrap();
        let command = "printf %s \"$COFFERDAM_TEXT\" >text; tr '\\0' '\\n' </proc/$$/cmdline >line";
        let mut notifier = Notifier::new(format!("cd ~; {command}"));
        let session = "one".parse::<SessionName>().unwrap();
        notifier.tell(&context(home.path()), &session, Occasion::Held, text).unwrap();
        let started: Vec<Pid> = std::mem::take(&mut notifier.running);
        for child in &started {
            waitpid(Some(*child), WaitOptions::empty()).unwrap();
        }
        assert_eq!(started.len(), 1);
        let text = std::fs::read(home.path().join("text")).unwrap();
        let line = std::fs::read_to_string(home.path().join("line")).unwrap();
        (text, line.lines().map(str::to_owned).collect())
    }

    #[test]
    fn a_text_is_one_line_of_visible_characters_whatever_it_was_and_no_argument() {
        let plain = "GET a.test:443";
        let (text, arguments) = found(plain);
        assert_eq!(text, plain.as_bytes());
        for hostile in [
            "a\nb\r\x1b]0;title\x07\x1b[2J".to_owned(),
            "$(touch gone)`touch gone`'\";touch gone;\0touch gone".to_owned(),
            "\u{202e}\u{9b}2J\u{feff}".to_owned(),
            "x".repeat(10_000),
        ] {
            let (text, line) = found(&hostile);
            let text = String::from_utf8(text).unwrap();
            assert!(!text.is_empty() && text.chars().count() <= TEXT_COLUMNS_MAX, "{text:?}");
            assert!(!text.contains(|c: char| c.is_control() || "\u{202e}\u{feff}".contains(c)), "{text:?}");
            assert_eq!(line, arguments);
        }
    }

    #[test]
    fn what_comes_within_a_second_of_the_same_kind_is_left_out_and_another_kind_is_not() {
        let home = tempfile::tempdir().unwrap();
        let (context, session) = (context(home.path()), "one".parse::<SessionName>().unwrap());
        let mut notifier = Notifier::new("echo $COFFERDAM_EVENT >>~/told".to_owned());
        let begun = Instant::now();
        let occasions =
            [Occasion::Held, Occasion::Held, Occasion::HandleLeaked, Occasion::Held, Occasion::Ended];
        for occasion in occasions {
            notifier.tell(&context, &session, occasion, "x").unwrap();
        }
        // A machine that stood still meanwhile may have had a second for another one.
        let late = usize::try_from(begun.elapsed().as_secs()).unwrap();
        for child in &notifier.running {
            // Those that ended before the last began are reaped already.
            let _reaped = waitpid(Some(*child), WaitOptions::empty());
        }
        let told = std::fs::read_to_string(home.path().join("told")).unwrap();
        let count = |name: &str| told.lines().filter(|line| *line == name).count();
        assert_eq!((count("handle-leaked"), count("ended")), (1, 1), "{told}");
        assert!((1..=1 + late).contains(&count("held")), "{told}");
    }
}
