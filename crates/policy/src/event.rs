//! What happens to a session, as the ledger records it.
//!
//! Only what something emits today has a variant. Nothing here says how an event is stored or shown.

mod traffic;

pub use traffic::{Decision, Refused, Requested};

use serde::{Deserialize, Serialize};
use std::fmt;

/// A point in time: nanoseconds since 1970-01-01 UTC. The clock that it was read from is the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixNanos(pub i64);

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum ExitStatus {
    /// By itself, with this code.
    Code(u8),
    /// By this signal.
    Signal(i32),
}

/// Who ended a session that had not ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoppedBy {
    /// A person, by `stop` or an interrupt.
    Owner,
    /// The guardian, because the supervisor was gone.
    Guardian,
    /// `doctor`, which found it left over.
    Doctor,
}

/// One event, with what there is to know about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "body", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Event {
    /// The session began; written before anything else is done for it.
    Started {
        /// SHA-256 of its authority's canonical form, in hexadecimal.
        authority_digest: String,
        /// The program and its arguments.
        command: Vec<String>,
    },
    /// It runs again, on the same layers.
    Resumed {
        /// SHA-256 of the authority that it runs with now.
        authority_digest: String,
        /// The program and its arguments.
        command: Vec<String>,
    },
    /// A further program was started in it, with the session's own authority.
    Executed {
        /// The program and its arguments.
        command: Vec<String>,
    },
    /// A terminal was connected to it.
    Attached,
    /// The terminal was taken away again.
    Detached,
    /// Its workspaces were mounted anew, so that the owner's later changes show.
    Refreshed,
    /// Its program ended.
    Exited {
        /// How.
        status: ExitStatus,
    },
    /// It was ended from outside.
    Stopped {
        /// By whom.
        by: StoppedBy,
    },
    /// It came to one of its limits.
    LimitReached {
        /// Which, by the name that `--limit` uses.
        limit: String,
    },
    /// It could not be started, or broke down.
    Failed {
        /// The step that failed, as the plan names it.
        step: String,
        /// Why, in one line.
        cause: String,
    },
    /// A person went through all that is to be written, on a terminal, to the end.
    Reviewed {
        /// The digest of exactly what was chosen, in hexadecimal.
        digest: String,
        /// What the person wrote down about it.
        notes: Vec<ReviewNote>,
    },
    /// What had been reviewed was brought into the owner's directories.
    Applied {
        /// What `undo` takes.
        apply: String,
        /// The digest of exactly what was written, in hexadecimal.
        digest: String,
        /// How many entries.
        entries: u64,
    },
    /// Its commits were brought into the owner's repository.
    Imported {
        /// What names the last one now.
        reference: String,
        /// The last one.
        tip: String,
        /// The digest of exactly what came, in hexadecimal.
        digest: String,
        /// How many commits.
        commits: u64,
    },
    /// An apply was taken back.
    Undone {
        /// Which.
        apply: String,
    },
    /// Its layers were copied.
    Checkpointed {
        /// What `restore` takes.
        checkpoint: String,
    },
    /// Its layers became what they were.
    Restored {
        /// Which checkpoint.
        checkpoint: String,
    },
    /// Its layers were removed.
    Discarded,
    /// Its gateway took up its work, at the first connection.
    GatewayBegan,
    /// Its gateway is gone before the session: nothing leaves the cell any more.
    GatewayEnded {
        /// Why, in one line.
        cause: String,
    },
    /// The gateway did not let something through.
    Refused(Refused),
    /// The gateway let requests through; such as differ in nothing are told together.
    Requested(Requested),
    /// A request that nothing grants waits for the owner.
    Held {
        /// What `pending` takes.
        id: u64,
        /// What it is.
        refused: Refused,
    },
    /// A held request was decided.
    Decided {
        /// Which.
        id: u64,
        /// How.
        decision: Decision,
    },
    /// A handle was seen where it does not belong.
    HandleLeaked {
        /// Whose handle.
        credential: String,
        /// Where it was seen, as the gateway names it.
        place: String,
        /// How often, if it came several times at once.
        #[serde(default = "once", skip_serializing_if = "is_once")]
        count: u64,
    },
    /// A credential can't be used any more in this session.
    Revoked {
        /// Which.
        credential: String,
    },
    /// The owner's browser reaches a port of the cell.
    Published {
        /// The port in the cell.
        port: u16,
        /// Where the browser finds it.
        url: String,
    },
    /// It does so no longer.
    Unpublished {
        /// The port in the cell.
        port: u16,
    },
}

/// A remark of the person who reviews.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewNote {
    /// About which path, shown harmlessly; absolute.
    pub path: String,
    /// About which line after the change, counted from 1; nothing if about the whole file.
    pub line: Option<u32>,
    /// The remark.
    pub text: String,
}

/// An [`Event`] without its particulars: what a filter names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// [`Event::Started`]
    Started,
    /// [`Event::Resumed`]
    Resumed,
    /// [`Event::Executed`]
    Executed,
    /// [`Event::Attached`]
    Attached,
    /// [`Event::Detached`]
    Detached,
    /// [`Event::Refreshed`]
    Refreshed,
    /// [`Event::Exited`]
    Exited,
    /// [`Event::Stopped`]
    Stopped,
    /// [`Event::LimitReached`]
    LimitReached,
    /// [`Event::Failed`]
    Failed,
    /// [`Event::Reviewed`]
    Reviewed,
    /// [`Event::Applied`]
    Applied,
    /// [`Event::Imported`]
    Imported,
    /// [`Event::Undone`]
    Undone,
    /// [`Event::Checkpointed`]
    Checkpointed,
    /// [`Event::Restored`]
    Restored,
    /// [`Event::Discarded`]
    Discarded,
    /// [`Event::GatewayBegan`]
    GatewayBegan,
    /// [`Event::GatewayEnded`]
    GatewayEnded,
    /// [`Event::Refused`]
    Refused,
    /// [`Event::Requested`]
    Requested,
    /// [`Event::Held`]
    Held,
    /// [`Event::Decided`]
    Decided,
    /// [`Event::HandleLeaked`]
    HandleLeaked,
    /// [`Event::Revoked`]
    Revoked,
    /// [`Event::Published`]
    Published,
    /// [`Event::Unpublished`]
    Unpublished,
}

fn once() -> u64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_once(count: &u64) -> bool {
    *count == once()
}

impl Event {
    /// What sort of event it is.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        match self {
            Self::Started { .. } => EventKind::Started,
            Self::Resumed { .. } => EventKind::Resumed,
            Self::Executed { .. } => EventKind::Executed,
            Self::Attached => EventKind::Attached,
            Self::Detached => EventKind::Detached,
            Self::Refreshed => EventKind::Refreshed,
            Self::Exited { .. } => EventKind::Exited,
            Self::Stopped { .. } => EventKind::Stopped,
            Self::LimitReached { .. } => EventKind::LimitReached,
            Self::Failed { .. } => EventKind::Failed,
            Self::Reviewed { .. } => EventKind::Reviewed,
            Self::Applied { .. } => EventKind::Applied,
            Self::Imported { .. } => EventKind::Imported,
            Self::Undone { .. } => EventKind::Undone,
            Self::Checkpointed { .. } => EventKind::Checkpointed,
            Self::Restored { .. } => EventKind::Restored,
            Self::Discarded => EventKind::Discarded,
            Self::GatewayBegan => EventKind::GatewayBegan,
            Self::GatewayEnded { .. } => EventKind::GatewayEnded,
            Self::Refused(_) => EventKind::Refused,
            Self::Requested(_) => EventKind::Requested,
            Self::Held { .. } => EventKind::Held,
            Self::Decided { .. } => EventKind::Decided,
            Self::HandleLeaked { .. } => EventKind::HandleLeaked,
            Self::Revoked { .. } => EventKind::Revoked,
            Self::Published { .. } => EventKind::Published,
            Self::Unpublished { .. } => EventKind::Unpublished,
        }
    }

    /// The credential that it names.
    #[must_use]
    pub fn credential(&self) -> Option<&str> {
        match self {
            Self::Requested(requested) => requested.credential.as_deref(),
            Self::HandleLeaked { credential, .. } | Self::Revoked { credential } => Some(credential),
            Self::Started { .. }
            | Self::Resumed { .. }
            | Self::Executed { .. }
            | Self::Attached
            | Self::Detached
            | Self::Refreshed
            | Self::Exited { .. }
            | Self::Stopped { .. }
            | Self::LimitReached { .. }
            | Self::Failed { .. }
            | Self::Reviewed { .. }
            | Self::Applied { .. }
            | Self::Imported { .. }
            | Self::Undone { .. }
            | Self::Checkpointed { .. }
            | Self::Restored { .. }
            | Self::Discarded
            | Self::GatewayBegan
            | Self::GatewayEnded { .. }
            | Self::Refused(_)
            | Self::Held { .. }
            | Self::Decided { .. }
            | Self::Published { .. }
            | Self::Unpublished { .. } => None,
        }
    }
}

impl EventKind {
    /// Every kind there is.
    pub const ALL: [Self; 27] = [
        Self::Started,
        Self::Resumed,
        Self::Executed,
        Self::Attached,
        Self::Detached,
        Self::Refreshed,
        Self::Exited,
        Self::Stopped,
        Self::LimitReached,
        Self::Failed,
        Self::Reviewed,
        Self::Applied,
        Self::Imported,
        Self::Undone,
        Self::Checkpointed,
        Self::Restored,
        Self::Discarded,
        Self::GatewayBegan,
        Self::GatewayEnded,
        Self::Refused,
        Self::Requested,
        Self::Held,
        Self::Decided,
        Self::HandleLeaked,
        Self::Revoked,
        Self::Published,
        Self::Unpublished,
    ];

    /// Its name, in the ledger and for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Resumed => "resumed",
            Self::Executed => "executed",
            Self::Attached => "attached",
            Self::Detached => "detached",
            Self::Refreshed => "refreshed",
            Self::Exited => "exited",
            Self::Stopped => "stopped",
            Self::LimitReached => "limit-reached",
            Self::Failed => "failed",
            Self::Reviewed => "reviewed",
            Self::Applied => "applied",
            Self::Imported => "imported",
            Self::Undone => "undone",
            Self::Checkpointed => "checkpointed",
            Self::Restored => "restored",
            Self::Discarded => "discarded",
            Self::GatewayBegan => "gateway-began",
            Self::GatewayEnded => "gateway-ended",
            Self::Refused => "refused",
            Self::Requested => "requested",
            Self::Held => "held",
            Self::Decided => "decided",
            Self::HandleLeaked => "handle-leaked",
            Self::Revoked => "revoked",
            Self::Published => "published",
            Self::Unpublished => "unpublished",
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_kind_is_what_is_written() {
        for kind in EventKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), serde_json::json!(kind.name()));
        }
        let event = Event::LimitReached { limit: "memory".into() };
        let value = serde_json::to_value(&event).unwrap();
        assert_eq!(value["kind"], event.kind().name());
    }

    #[test]
    fn a_newline_in_an_event_stays_within_its_line() {
        let event =
            Event::Executed { command: vec!["sh".into(), "-c".into(), "a\n{\"kind\":\"discarded\"}".into()] };
        let text = serde_json::to_string(&event).unwrap();
        assert!(!text.contains('\n'));
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
    }
}
