//! The one error of this crate: a kind, which fixes the exit code, a cause, and hints what to do.
//!
//! Printed as three lines: what failed, why, what to do.

use crate::exit;
use cofferdam_ledger::SessionState;
use std::error::Error as StdError;

/// What sort of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// See [`exit::INTERNAL`].
    Internal,
    /// See [`exit::USAGE`].
    Usage,
    /// See [`exit::POLICY`].
    Policy,
    /// See [`exit::UNENFORCEABLE`].
    Unenforceable,
    /// See [`exit::WORKSPACE`].
    Workspace,
    /// See [`exit::NO_SESSION`].
    NoSession,
    /// See [`exit::NAME_TAKEN`].
    NameTaken,
    /// See [`exit::WRONG_STATE`].
    WrongState,
    /// See [`exit::COMMAND`].
    Command,
    /// See [`exit::CELL`].
    Cell,
    /// See [`exit::LEDGER`].
    Ledger,
    /// See [`exit::DECLINED`].
    Declined,
    /// See [`exit::SECRET`].
    Secret,
    /// See [`exit::STATE`].
    State,
    /// See [`exit::MOVED`].
    Moved,
    /// See [`exit::NOTHING`].
    Nothing,
    /// See [`exit::CONFLICT`].
    Conflict,
    /// See [`exit::REFUSED`].
    Refused,
    /// See [`exit::UNREVIEWED`].
    Unreviewed,
}

impl ErrorKind {
    /// The exit code of a command that fails so.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Internal => exit::INTERNAL,
            Self::Usage => exit::USAGE,
            Self::Policy => exit::POLICY,
            Self::Unenforceable => exit::UNENFORCEABLE,
            Self::Workspace => exit::WORKSPACE,
            Self::NoSession => exit::NO_SESSION,
            Self::NameTaken => exit::NAME_TAKEN,
            Self::WrongState => exit::WRONG_STATE,
            Self::Command => exit::COMMAND,
            Self::Cell => exit::CELL,
            Self::Ledger => exit::LEDGER,
            Self::Declined => exit::DECLINED,
            Self::Secret => exit::SECRET,
            Self::State => exit::STATE,
            Self::Moved => exit::MOVED,
            Self::Nothing => exit::NOTHING,
            Self::Conflict => exit::CONFLICT,
            Self::Refused => exit::REFUSED,
            Self::Unreviewed => exit::UNREVIEWED,
        }
    }

    /// Its stable name, for `--json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Usage => "usage",
            Self::Policy => "policy",
            Self::Unenforceable => "unenforceable",
            Self::Workspace => "workspace",
            Self::NoSession => "no-session",
            Self::NameTaken => "name-taken",
            Self::WrongState => "wrong-state",
            Self::Command => "command",
            Self::Cell => "cell",
            Self::Ledger => "ledger",
            Self::Declined => "declined",
            Self::Secret => "secret",
            Self::State => "state",
            Self::Moved => "moved",
            Self::Nothing => "nothing",
            Self::Conflict => "conflict",
            Self::Refused => "refused",
            Self::Unreviewed => "unreviewed",
        }
    }
}

/// What failed, why, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Error {
    /// Fixes the exit code.
    pub kind: ErrorKind,
    /// What failed, as a fragment: `cannot start a session in /x`.
    what: String,
    /// Why; the chain of sources is printed in one line.
    #[source]
    source: Option<Box<dyn StdError + Send + Sync>>,
    /// What to do.
    hint: Option<String>,
}

/// A cause that has only words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Words(String);

impl Error {
    /// A failure of `kind`, described by `what`.
    pub fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), source: None, hint: None }
    }

    /// With an error as its cause.
    #[must_use]
    pub fn because(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// With a cause in words.
    #[must_use]
    pub fn since(self, words: impl Into<String>) -> Self {
        self.because(Words(words.into()))
    }

    /// With what the owner can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The second line: every cause, from the nearest to the first, joined by colons.
    #[must_use]
    pub fn why(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        let mut cause: Option<&dyn StdError> = self.source.as_deref().map(|source| source as &dyn StdError);
        while let Some(error) = cause {
            let text = error.to_string();
            if parts.last() != Some(&text) {
                parts.push(text);
            }
            cause = error.source();
        }
        parts.join(": ")
    }

    /// The third line.
    #[must_use]
    pub fn what_to_do(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl From<cofferdam_ledger::Error> for Error {
    fn from(error: cofferdam_ledger::Error) -> Self {
        use cofferdam_ledger::Error as Ledger;
        match error {
            Ledger::NotFound { .. } => Self::new(ErrorKind::NoSession, "cannot find the session")
                .because(error)
                .hint("list the sessions: cofferdam ls"),
            Ledger::NameTaken { .. } => Self::new(ErrorKind::NameTaken, "cannot name the session so")
                .because(error)
                .hint("choose another --name, or discard the session that has it: cofferdam ls"),
            Ledger::WrongState { ref session, state, .. } => {
                let hint = match state {
                    SessionState::Starting | SessionState::Running => {
                        format!(
                            "go to it: cofferdam attach {session}; or end it first: cofferdam stop {session}"
                        )
                    }
                    SessionState::Stopped | SessionState::Failed | SessionState::Discarded => {
                        format!("see its state: cofferdam show {session}")
                    }
                };
                Self::new(ErrorKind::WrongState, "cannot do that with the session now")
                    .because(error)
                    .hint(hint)
            }
            other @ (Ledger::Place { .. }
            | Ledger::ForeignOwner { .. }
            | Ledger::Exposed { .. }
            | Ledger::Irregular { .. }
            | Ledger::NewerSchema { .. }
            | Ledger::DiskFull { .. }
            | Ledger::Corrupt { .. }
            | Ledger::Busy { .. }
            | Ledger::Database { .. }
            | Ledger::Row { .. }
            | Ledger::UidsExhausted { .. }
            | Ledger::Ambiguous { .. }) => Self::new(ErrorKind::Ledger, "cannot use the ledger")
                .because(other)
                .hint("look at the state directory: cofferdam doctor"),
        }
    }
}
