//! What the supervisor and pid 1 of a cell say to each other: one datagram a message, descriptors beside it.
//!
//! The socket never enters the agent's reach; reports are still parsed as claims.

use cofferdam_policy::event::ExitStatus;
use cofferdam_syscall::packet;
pub(crate) use cofferdam_syscall::sealed::{sealed, unsealed};
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::RecvFlags;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The longest message, in bytes; a command line travels in a memfd beside it.
pub(crate) const MESSAGE_BYTES_MAX: usize = 16 << 10;

/// From the supervisor to the launcher, before any order: a sealed plan is beside it, whole or the beginning of one.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sealed {}

/// From the supervisor to pid 1.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "order", deny_unknown_fields)]
pub enum Order {
    /// Start a process: a sealed [`Program`] comes as the first descriptor, then (without a terminal) its
    /// standard input, output and error.
    Spawn {
        /// The supervisor's number for it.
        process: u32,
        /// Size of the terminal that it gets, if it gets one.
        terminal: Option<WindowSize>,
    },
    /// Send a signal to a process and the group it leads.
    Signal {
        /// The supervisor's number.
        process: u32,
        /// Signal number.
        signal: i32,
    },
    /// Send a signal to every process of the cell.
    SignalAll {
        /// Signal number.
        signal: i32,
    },
    /// Stop every process but pid 1, at one moment, so that no fork slips through.
    StopAll,
    /// Mount the copy-on-write directories anew.
    Refresh,
    /// Connect to a port of loopback in the cell.
    Connect {
        /// The supervisor's number for it.
        number: u32,
        /// The port.
        port: u16,
    },
    /// End every process of the cell at one moment, reap them all, and say so.
    Empty,
}

/// From the guardian or pid 1 to the supervisor.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "report", deny_unknown_fields)]
pub enum Report {
    /// The view stands; orders are taken.
    Ready,
    /// The cell could not be made; nothing of it is left.
    Failed(Failure),
    /// A process runs; with a terminal, its controlling side is beside this message.
    Spawned {
        /// The supervisor's number.
        process: u32,
    },
    /// A process could not be started.
    NotSpawned {
        /// The supervisor's number.
        process: u32,
        /// Where it failed.
        stage: EntryStage,
        /// The kernel's answer.
        errno: i32,
    },
    /// A process ended.
    Exited {
        /// The supervisor's number.
        process: u32,
        /// How.
        status: ExitStatus,
    },
    /// Every process but pid 1 has been told to stop.
    StopSent,
    /// No process is left but pid 1: nothing writes to the session's layers any more.
    Emptied,
    /// A connection was made; it is beside this message, and does not block.
    Connected {
        /// The supervisor's number.
        number: u32,
    },
    /// No connection was made.
    NotConnected {
        /// The supervisor's number.
        number: u32,
        /// The kernel's answer: `ECONNREFUSED` where nobody listens, `EAGAIN` if too many are being made.
        errno: i32,
    },
    /// The mounts were made anew.
    Refreshed,
    /// They were not: this mount is in use, or the kernel refused.
    NotRefreshed {
        /// Number of the plan's step.
        step: usize,
        /// The kernel's answer; `EBUSY` when processes hold it.
        errno: i32,
    },
}

/// Where the making of a cell failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "at", deny_unknown_fields)]
pub enum Failure {
    /// Before the first step, in this act.
    Launch {
        /// What was being done.
        act: LaunchAct,
        /// The kernel's answer.
        errno: i32,
    },
    /// In a step of the plan.
    Step {
        /// Its number.
        step: usize,
        /// The kernel's answer.
        errno: i32,
    },
    /// A source is not what it was when the authority was computed.
    SourceMoved {
        /// Its number.
        source: usize,
    },
    /// A source can't be opened.
    Source {
        /// Its number.
        source: usize,
        /// The kernel's answer.
        errno: i32,
    },
}

/// The acts of a launch around the plan's steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LaunchAct {
    /// Reading the sealed plan.
    Plan,
    /// Making and filling a control group.
    ControlGroup,
    /// Making the namespaces.
    Namespaces,
    /// Writing the id maps.
    IdMaps,
    /// Mapping the ids of the sources.
    Idmap,
    /// Becoming the cell's root, or making the inner user namespace.
    Identity,
    /// Preparing the Landlock rules.
    Landlock,
    /// Talking between guardian and pid 1.
    Handover,
}

/// The acts of entering a cell, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum EntryStage {
    /// The order itself could not be read.
    Order = 0,
    /// Forking.
    Fork = 1,
    /// A session and a terminal of its own.
    Terminal = 2,
    /// Limits.
    Limits = 3,
    /// The inner user namespace.
    UserNamespace = 4,
    /// User, groups and capabilities.
    Credentials = 5,
    /// The working directory.
    Directory = 6,
    /// The system-call filter.
    Filter = 7,
    /// Executing the program.
    Exec = 8,
}

impl EntryStage {
    /// The stage that stands behind a byte of the entering process's last words.
    pub(crate) fn from_byte(byte: u8) -> Self {
        match byte {
            1 => Self::Fork,
            2 => Self::Terminal,
            3 => Self::Limits,
            4 => Self::UserNamespace,
            5 => Self::Credentials,
            6 => Self::Directory,
            7 => Self::Filter,
            8 => Self::Exec,
            _ => Self::Order,
        }
    }
}

/// Size of a terminal, in character cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowSize {
    /// Lines.
    pub rows: u16,
    /// Columns.
    pub columns: u16,
}

/// A program to start: bytes, as the kernel takes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// Name and arguments; the name is looked up along `PATH` of the environment unless it holds a slash.
    pub arguments: Vec<Vec<u8>>,
    /// `KEY=value`, each.
    pub environment: Vec<Vec<u8>>,
    /// Where it starts.
    pub directory: Vec<u8>,
}

/// The longest command line and environment together, in bytes of their sealed form.
pub const PROGRAM_BYTES_MAX: usize = 16 << 20;

/// Sends one message with descriptors beside it.
pub(crate) fn send<M: Serialize>(
    socket: BorrowedFd<'_>,
    message: &M,
    descriptors: &[BorrowedFd<'_>],
) -> Result<(), Errno> {
    let text = serde_json::to_vec(message).ok().ok_or(Errno::INVAL)?;
    if text.len() > MESSAGE_BYTES_MAX {
        return Err(Errno::MSGSIZE);
    }
    packet::send(socket, &text, descriptors)
}

/// A message and what came with it; `None` when the other side is gone.
pub(crate) type Received<M> = Option<(M, Vec<OwnedFd>)>;

/// Receives one message; waits unless `flags` say otherwise.
pub(crate) fn receive<M: DeserializeOwned>(
    socket: BorrowedFd<'_>,
    flags: RecvFlags,
) -> Result<Received<M>, Errno> {
    let Some((text, descriptors)) = packet::receive(socket, MESSAGE_BYTES_MAX, flags)? else {
        return Ok(None);
    };
    let message = serde_json::from_slice(&text).ok().ok_or(Errno::BADMSG)?;
    Ok(Some((message, descriptors)))
}

#[cfg(test)]
mod fuzz;
