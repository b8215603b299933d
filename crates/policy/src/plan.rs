//! The plan of a cell: a finite list of steps, computed before anything is done.
//!
//! Pure and printable, so that it can be read, compared with a snapshot and mutated by tests. The launcher in
//! `cell` applies it step by step and decides nothing. [`compute`](crate::layout::compute) makes plans; the VM
//! cell and root inside the cell will be further kinds of [`Identities`] and steps.

use crate::authority::Profile;
use crate::path::AbsPath;
use serde::{Deserialize, Serialize};

/// The layout of a sealed plan; a launcher takes exactly this version.
pub const PLAN_VERSION: u32 = 1;

/// The longest sealed plan taken, in bytes.
pub const PLAN_BYTES_MAX: usize = 4 << 20;

/// One line of `/proc/PID/uid_map`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdExtent {
    /// First id as seen inside.
    pub inside: u32,
    /// First id as seen by the parent namespace.
    pub outside: u32,
    /// How many.
    pub count: u32,
}

/// How ids are mapped: the outer namespace owns the mounts and pid 1, the inner one holds the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identities {
    /// User id of the agent, inside.
    pub uid: u32,
    /// Group id of the agent, inside.
    pub gid: u32,
    /// Users of the outer namespace.
    pub outer_uids: Vec<IdExtent>,
    /// Groups of the outer namespace.
    pub outer_gids: Vec<IdExtent>,
    /// Users of the inner namespace, in terms of the outer one.
    pub inner_uids: Vec<IdExtent>,
    /// Groups of the inner namespace, in terms of the outer one.
    pub inner_gids: Vec<IdExtent>,
    /// Whether the launcher is uid 0, so that maps are written with privilege and sources are idmapped.
    pub privileged: bool,
}

/// How the ids of a source appear inside, when the launcher is uid 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdView {
    /// As they are: the session's own files already carry the cell's ids, device nodes need none.
    Plain,
    /// The host's root is the cell's root: programs and libraries.
    System,
    /// The owner's files are the agent's own.
    Owner,
}

/// A file or directory of the host's, opened once and used by its descriptor from then on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Where it is.
    pub path: AbsPath,
    /// What it must be: device and inode as they were when the authority was computed; `None` for the session's
    /// own state and for devices.
    pub identity: Option<(u64, u64)>,
    /// Whose ids it shows.
    pub ids: IdView,
    /// Whether it is a directory.
    pub directory: bool,
}

/// Index into [`Plan::sources`].
pub type SourceId = usize;

/// The writable layer of an overlay: a source that holds `upper` and `work`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// The source.
    pub source: SourceId,
}

/// What works through a [`Step::Bind`]; set-user-id bits never do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Through {
    /// Reading.
    Reading,
    /// Reading and writing, but no device nodes.
    Writing,
    /// A device node.
    Device,
}

/// How connections of the cell are caught.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Capture {
    /// The kernel redirects every TCP connection, to any address and port, and every question about names.
    Redirect,
    /// For kernels that can't: the relay listens at these ports, and at those of the proxies, on every address.
    /// Connections to other ports are refused by the kernel, without a reason.
    AnyIp {
        /// The ports that something is granted at.
        ports: Vec<u16>,
    },
}

/// One step of building the view. Targets are paths inside the cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "step", deny_unknown_fields)]
pub enum Step {
    /// Name the machine inside.
    Hostname {
        /// The name.
        name: String,
    },
    /// Bring up `lo`, the only network device.
    Loopback,
    /// Make every address the cell's own, and catch what goes to any.
    Capture {
        /// How.
        capture: Capture,
    },
    /// Make the stage: an empty root on tmpfs, and room for sources beside it. The host's root is still there.
    Stage {
        /// Size of the root's tmpfs in bytes.
        bytes_max: u64,
    },
    /// An empty file system in memory.
    Tmpfs {
        /// Where.
        target: AbsPath,
        /// Permission bits.
        mode: u32,
        /// Size in bytes.
        bytes_max: u64,
        /// How many files.
        inodes_max: u64,
        /// Whether the agent owns its root.
        owned: bool,
    },
    /// A directory, with its parents.
    Directory {
        /// Where.
        target: AbsPath,
        /// Permission bits.
        mode: u32,
        /// Whether the agent owns it.
        owned: bool,
    },
    /// A small file with these contents.
    File {
        /// Where.
        target: AbsPath,
        /// Permission bits.
        mode: u32,
        /// What it holds.
        content: String,
    },
    /// A symbolic link.
    Symlink {
        /// Where.
        target: AbsPath,
        /// What it points to.
        to: String,
    },
    /// A host directory, through an overlay, so that its sockets and FIFOs lead nowhere.
    Overlay {
        /// Where.
        target: AbsPath,
        /// From top to bottom.
        lower: Vec<SourceId>,
        /// The session's own layer; without it the overlay is read-only.
        upper: Option<Layer>,
    },
    /// A directory of the session's own state, a device node, or one regular file, as it is.
    Bind {
        /// What.
        source: SourceId,
        /// Where.
        target: AbsPath,
        /// What works through it.
        through: Through,
    },
    /// The cell's own `/proc`, hiding other users' processes.
    Proc {
        /// Where.
        target: AbsPath,
    },
    /// The cell's own terminals.
    Devpts {
        /// Where.
        target: AbsPath,
    },
    /// POSIX message queues of the cell's own ipc namespace.
    Mqueue {
        /// Where.
        target: AbsPath,
    },
    /// Make the mount at this place read-only.
    Freeze {
        /// Where.
        target: AbsPath,
    },
    /// Detach from the host's mounts: from here on only the stage is left.
    Leave,
    /// Enter the finished view; from here on the stage can't be reached.
    View,
}

/// A limit that the kernel keeps for each process, and for the inner namespace as a whole where it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceLimit {
    /// Which.
    pub resource: LimitedResource,
    /// How much, soft and hard alike.
    pub most: u64,
}

/// What a [`ResourceLimit`] limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitedResource {
    /// Processes and threads of the inner namespace.
    Processes,
    /// Open files of one process.
    OpenFiles,
    /// Size of a core dump.
    Core,
    /// Signals that wait to be taken.
    PendingSignals,
    /// Locked memory of one process.
    LockedMemory,
    /// Bytes in POSIX message queues.
    MessageQueues,
}

/// What each process is confined by when it enters the cell, the first command and every `exec` alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Kept by the kernel.
    pub limits: Vec<ResourceLimit>,
    /// Paths that may be written to, by Landlock, whatever the mounts say.
    pub writable: Vec<AbsPath>,
    /// Device nodes that may be opened for writing.
    pub devices: Vec<AbsPath>,
    /// Widenings of the system-call filter.
    pub profiles: Vec<Profile>,
}

/// Control groups that hold the cell, made by the guardian before pid 1 runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlGroup {
    /// Directory of the group, below a mounted hierarchy.
    pub path: AbsPath,
    /// Files in it and what is written to them, in order, before the first process joins.
    pub settings: Vec<(String, String)>,
}

/// A cell, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`PLAN_VERSION`].
    pub version: u32,
    /// Who is who.
    pub identities: Identities,
    /// What comes from the host.
    pub sources: Vec<Source>,
    /// How the view is built.
    pub steps: Vec<Step>,
    /// How processes enter it.
    pub entry: Entry,
    /// What holds its use of the machine.
    pub groups: Vec<ControlGroup>,
}

/// Why a sealed plan was not taken.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// It is not the text of a plan.
    #[error("cannot read the plan")]
    Malformed(#[source] serde_json::Error),
    /// It is of another version.
    #[error("the plan is of version {0}, not {PLAN_VERSION}")]
    Version(u32),
    /// A step names a source that the plan does not have.
    #[error("step {0} names a source that the plan lacks")]
    Source(usize),
    /// It is longer than [`PLAN_BYTES_MAX`].
    #[error("the plan is longer than {PLAN_BYTES_MAX} bytes")]
    TooLong,
}

impl Plan {
    /// Reads a sealed plan and checks that it is whole.
    ///
    /// # Errors
    /// [`PlanError`]: anything that is not exactly a plan of this version.
    pub fn parse(text: &[u8]) -> Result<Self, PlanError> {
        if text.len() > PLAN_BYTES_MAX {
            return Err(PlanError::TooLong);
        }
        let plan: Self = serde_json::from_slice(text).map_err(PlanError::Malformed)?;
        if plan.version != PLAN_VERSION {
            return Err(PlanError::Version(plan.version));
        }
        for (number, step) in plan.steps.iter().enumerate() {
            if step.sources().iter().any(|&source| source >= plan.sources.len()) {
                return Err(PlanError::Source(number));
            }
        }
        Ok(plan)
    }

    /// Whether it goes as far as a finished view. One that doesn't is the beginning of another.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.steps.last() == Some(&Step::View)
    }

    /// Whether `beginning` can have been followed so far: it has the same identities, limits and groups, and its
    /// sources and steps come first.
    #[must_use]
    pub fn continues(&self, beginning: &Self) -> bool {
        self.version == beginning.version
            && self.identities == beginning.identities
            && self.groups == beginning.groups
            && self.entry.limits == beginning.entry.limits
            && self.sources.starts_with(&beginning.sources)
            && self.steps.starts_with(&beginning.steps)
    }

    /// The text that [`Plan::parse`] reads.
    ///
    /// # Errors
    /// [`PlanError::Malformed`] if it can't be written as text.
    pub fn print(&self) -> Result<String, PlanError> {
        serde_json::to_string(self).map_err(PlanError::Malformed)
    }
}

impl Step {
    /// The sources that this step uses.
    #[must_use]
    pub fn sources(&self) -> Vec<SourceId> {
        match self {
            Self::Bind { source, .. } => vec![*source],
            Self::Overlay { lower, upper, .. } => {
                lower.iter().copied().chain(upper.iter().map(|layer| layer.source)).collect()
            }
            Self::Hostname { .. }
            | Self::Loopback
            | Self::Capture { .. }
            | Self::Stage { .. }
            | Self::Tmpfs { .. }
            | Self::Directory { .. }
            | Self::File { .. }
            | Self::Symlink { .. }
            | Self::Proc { .. }
            | Self::Devpts { .. }
            | Self::Mqueue { .. }
            | Self::Freeze { .. }
            | Self::Leave
            | Self::View => Vec::new(),
        }
    }

    /// The step in words, for errors.
    #[must_use]
    pub fn phrase(&self) -> String {
        match self {
            Self::Hostname { name } => format!("name the cell {name}"),
            Self::Loopback => "bring up the loopback device".into(),
            Self::Capture { capture: Capture::Redirect } => "redirect connections to the relay".into(),
            Self::Capture { capture: Capture::AnyIp { .. } } => "listen at the granted ports".into(),
            Self::Stage { .. } => "make the stage".into(),
            Self::Tmpfs { target, .. } => format!("mount a tmpfs at {target}"),
            Self::Directory { target, .. } => format!("make the directory {target}"),
            Self::File { target, .. } => format!("write {target}"),
            Self::Symlink { target, to } => format!("link {target} to {to}"),
            Self::Overlay { target, upper: Some(_), .. } => format!("mount {target} copy-on-write"),
            Self::Overlay { target, upper: None, .. } => format!("mount {target} read-only"),
            Self::Bind { target, .. } => format!("bind {target}"),
            Self::Proc { target } => format!("mount the cell's processes at {target}"),
            Self::Devpts { target } => format!("mount the cell's terminals at {target}"),
            Self::Mqueue { target } => format!("mount the cell's message queues at {target}"),
            Self::Freeze { target } => format!("make {target} read-only"),
            Self::Leave => "leave the host's file system".into(),
            Self::View => "enter the finished view".into(),
        }
    }
}

#[cfg(test)]
mod fuzz;
