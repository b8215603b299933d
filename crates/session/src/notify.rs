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
