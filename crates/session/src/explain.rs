//! `explain`: all that a session may touch, along the five radii, with what enforces each on this machine.
//!
//! Computed from the same values that build the cell, before it is built; nothing is started.

mod network;

use crate::checkpoints;
use crate::context::Context;
use crate::error::Error;
use crate::machine::Machine;
use crate::network::Published;
use crate::prepare;
use crate::resolve::Resolved;
use crate::start::permit;
use crate::state::{self, State};
use crate::terminal::visible_within;
use crate::veiling;
use cofferdam_policy::admission::Permit;
use cofferdam_policy::authority::{Authority, EnvValue, Purpose, View};
use cofferdam_policy::checkpoint::RegularCheckpoints;
use cofferdam_policy::path::AbsPath;
use cofferdam_policy::presets::limits::Origin;
use cofferdam_workspace::git::{places, tracked};
use cofferdam_workspace::path::WorkspacePath;
use rustix::fd::AsFd as _;
use serde::Serialize;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

/// How much of a path or a value is shown: all of what there commonly is.
const PATH_COLUMNS_MAX: usize = 65_535;

/// Everything, in the order in which it is shown.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// The kind of cell.
    pub cell: &'static str,
    /// Who the agent is inside.
    pub identity: String,
    /// The authority's digest, as the ledger records it.
    pub authority_digest: String,
    /// The five radii.
    pub radii: Vec<Radius>,
    /// What the session may use up.
    pub limits: Vec<Limit>,
    /// What is hidden in workspaces and mounts.
    pub masked: Vec<String>,
    /// What looks like a secret, and is shown.
    pub resembling: Vec<String>,
    /// What the owner should know.
    pub notes: Vec<String>,
    /// The policy file, if there is one.
    pub policy: Option<String>,
}

/// One radius: the question, what is within it, and what holds it.
#[derive(Debug, Serialize)]
pub struct Radius {
    /// Its name.
    pub name: &'static str,
    /// What it asks.
    pub question: &'static str,
    /// Every single thing within it.
    pub reach: Vec<String>,
    /// What enforces it here.
    pub held_by: Vec<String>,
}

/// One limit.
#[derive(Debug, Serialize)]
pub struct Limit {
    /// What is limited.
    pub name: String,
    /// To how much.
    pub most: String,
    /// By what; `None` if nothing here can keep it.
    pub mechanism: Option<&'static str>,
    /// Whether the owner asked for it.
    pub asked: bool,
}

/// Explains what `resolved` amounts to, with ports of a running session that were published since its start.
///
/// # Errors
/// As a start would refuse it.
pub fn explain(
    context: &Context,
    state: &State,
    machine: &Machine,
    resolved: &Resolved,
    published: &[Published],
) -> Result<Explanation, Error> {
    let permit = permit(resolved.authority.clone(), machine)?;
    let authority = permit.authority();
    let cache = state::open_directory(&state.census())?;
    let veilings = veiling::all(resolved, cache.as_fd(), (context.now)().0 / 1_000_000_000)?;
    let list = |of: fn(&veiling::Veiling) -> &Vec<WorkspacePath>| -> Vec<String> {
        let paths =
            veilings.iter().flat_map(|(target, veiling)| of(veiling).iter().map(move |path| (target, path)));
        paths
            .map(|(target, path)| format!("{target}/{}", visible_within(path.as_bytes(), PATH_COLUMNS_MAX)))
            .collect()
    };
    let landlock = machine.support.landlock.unwrap_or_default();
    let capture = prepare::capture(state, authority);
    let hidden = hidden_and_tracked(authority, &veilings);
    Ok(Explanation {
        cell: "namespaces",
        identity: format!(
            "{} (uid {}, gid {}), home {}",
            authority.identity.name, authority.identity.uid, authority.identity.gid, authority.identity.home
        ),
        authority_digest: authority.digest().to_string(),
        radii: vec![
            destruction(authority, resolved.checkpoint),
            collateral(authority, landlock),
            review(),
            credential(authority, list(|veiling| &veiling.resembling).len()),
            network::exfiltration(authority, &capture, published),
        ],
        limits: limits(&permit),
        masked: list(|veiling| &veiling.masked),
        resembling: list(|veiling| &veiling.resembling),
        notes: resolved.notes.iter().cloned().chain(hidden).collect(),
        policy: resolved.policy.as_ref().map(|path| path.display().to_string()),
    })
}

/// What is to be said of hidden files that git tracks.
fn hidden_and_tracked(authority: &Authority, veilings: &[(AbsPath, veiling::Veiling)]) -> Option<String> {
    let hidden = |path: &AbsPath| {
        let veiling = veilings.iter().find(|(target, _)| target == path);
        veiling.map(|(_, veiling)| veiling).filter(|veiling| !veiling.masked.is_empty())
    };
    let mut tracked: Vec<String> = Vec::new();
    let mut all_marked = true;
    for workspace in &authority.workspaces {
        let Some(veiling::Veiling { masked, marked, .. }) = hidden(&workspace.path) else { continue };
        let Ok(Some(found)) = places::find(&workspace.path, &workspace.path) else { continue };
        let Ok(below) = workspace.path.as_path().strip_prefix(found.top.as_path()) else { continue };
        let asked = masked.iter().map(|path| below.join(OsStr::from_bytes(path.as_bytes())));
        let asked = asked.map(|path| path.into_os_string().into_vec()).collect();
        let paths = tracked::tracked(&found.git_directory, &asked);
        all_marked &= *marked || paths.is_empty();
        tracked.extend(paths.iter().map(|path| visible_within(path, PATH_COLUMNS_MAX)));
    }
    let first = tracked.first()?;
    let others = match tracked.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(if all_marked {
        format!(
            "git tracks {first}{others}: hidden, and marked in the index inside, so that no commit deletes it"
        )
    } else {
        format!("git tracks {first}{others}: hidden, it shows as deleted inside; leave that out of commits")
    })
}

fn destruction(authority: &Authority, checkpoint: RegularCheckpoints) -> Radius {
    let regular = match checkpoint.every_seconds {
        Some(every) => format!(
            "its own changes can be taken back to a checkpoint: every {every} s, the last {} kept",
            checkpoints::kept(checkpoint)
        ),
        None => "its own changes can be taken back to a checkpoint by hand; none is taken by itself".into(),
    };
    let reach = authority.workspaces.iter().map(|workspace| match workspace.view {
        View::Overlay => format!("{}: changed in a layer of the session's own", workspace.path),
        View::Copy => format!("{}: changed in a copy of the session's own", workspace.path),
    });
    Radius {
        name: "destruction",
        question: "what inside the work directory can be lost?",
        reach: reach.collect(),
        held_by: vec![
            "the real directories are never written: overlays, and copies where asked for".into(),
            regular,
        ],
    }
}

fn collateral(authority: &Authority, landlock: u32) -> Radius {
    let mut reach: Vec<String> = vec!["the system's programs and libraries: read-only".into()];
    for mount in &authority.mounts {
        let why = match &mount.purpose {
            Purpose::Chosen => "named by you".to_owned(),
            Purpose::Git(workspace) => format!("git directory of {workspace}"),
            Purpose::Tool(name) => format!("tools: {name}"),
            Purpose::Cache(name) => format!("download cache: {name}"),
            Purpose::AgentHome(name) => format!("settings of {name}"),
            Purpose::System => "the system's".to_owned(),
        };
        let place =
            if mount.source == mount.target { String::new() } else { format!(" at {}", mount.target) };
        reach.push(format!("{}{place}: {} ({why})", mount.source, mount.access.phrase()));
    }
    reach.extend(
        authority.scratch.iter().map(|path| format!("{path}: empty, in memory, for tools to write to")),
    );
    for file in &authority.home_files {
        let how = if file.filtered { "copied, without secrets" } else { "copied" };
        reach.push(format!("{}: {how} ({})", file.source, file.of));
    }
    let mut held_by = vec![
        "two nested user namespaces; mount, pid, network, ipc, uts and cgroup namespaces".to_owned(),
        "a root of its own; every directory of the host through an overlay".to_owned(),
        "no capabilities, none to gain (no_new_privs)".to_owned(),
        format!("Landlock version {landlock}; a system-call allow-list"),
        "a guardian that ends every process when the session ends".to_owned(),
    ];
    held_by.extend(
        authority
            .profiles
            .iter()
            .map(|profile| format!("a filter that profile {} widens: {}", profile.name(), profile.permits())),
    );
    Radius { name: "collateral", question: "what outside it can be touched?", reach, held_by }
}

fn review() -> Radius {
    Radius {
        name: "review",
        question: "what comes back without a person having seen it?",
        reach: vec!["nothing: changes stay in the session until a person stands for them".into()],
        held_by: vec![
            "only what has the digest that was seen is written, wholly or not at all; undo takes it back"
                .into(),
            "nothing of it is executed; git directories, setuid and special files never come".into(),
        ],
    }
}

fn credential(authority: &Authority, resembling: usize) -> Radius {
    let mut reach: Vec<String> = authority
        .environment
        .iter()
        .map(|(key, value)| match value {
            EnvValue::Inherited | EnvValue::DangerouslyInherited => format!("variable {key}: your value"),
            EnvValue::Literal(text) => {
                format!("variable {key}={}", visible_within(text.as_bytes(), PATH_COLUMNS_MAX))
            }
        })
        .collect();
    reach.extend(network::credentials(authority));
    match (resembling, reach.is_empty()) {
        (0, true) => reach.push("none of yours, and no file that is shown is called like one".into()),
        (0, false) => {}
        (1, _) => reach.push("one file that looks like a secret and is shown: it is named below".into()),
        (more, _) => {
            reach.push(format!("{more} files that look like secrets and are shown: they are named below"));
        }
    }
    Radius {
        name: "credential",
        question: "which secrets can it see, and use for what?",
        reach,
        held_by: [
            "an environment from nothing; a home of its own; none of your sockets and agents".into(),
            "secrets lying in workspaces are hidden by name; .git/config is shown without credentials".into(),
        ]
        .into_iter()
        .chain(network::credentials_held_by(authority))
        .collect(),
    }
}

fn limits(permit: &Permit) -> Vec<Limit> {
    let bounds = permit.authority().limits.iter();
    bounds
        .map(|bound| Limit {
            name: bound.limit.name().to_string(),
            most: bound.limit.printed_value(),
            mechanism: permit.mechanism(bound.limit.name()).map(|mechanism| mechanism.phrase()),
            asked: bound.origin == Origin::Asked,
        })
        .collect()
}
