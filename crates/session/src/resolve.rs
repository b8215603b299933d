//! From wishes to an authority: every name looked up, every path opened, every denial applied.
//!
//! The policy of the directory (or the one named by `--policy`), the accepted request of the repository, and the
//! flags are joined; any deny wins. What comes out is complete: nothing is decided later.

mod directories;
mod environment;
mod homes;
mod since;

pub(crate) use environment::check_value;

use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::machine::Machine;
use crate::policies::Policies;
use crate::request::RunRequest;
use crate::sets;
use crate::state::State;
use crate::trust;
use cofferdam_gateway::wire::PUBLISHED_MAX;
use cofferdam_policy::authority::{
    AUTHORITY_VERSION, Authority, CellKind, EnvValue, Identity, Profile, View, Workspace,
};
use cofferdam_policy::checkpoint::RegularCheckpoints;
use cofferdam_policy::label::Label;
use cofferdam_policy::layout::Inode;
use cofferdam_policy::net::credential::undefined;
use cofferdam_policy::path::AbsPath;
use cofferdam_policy::presets::limits::Limits;
use cofferdam_policy::wish::Wish;
use rustix::fd::OwnedFd;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Who the agent is when the owner is uid 0: an ordinary user of its own.
pub(crate) const AGENT_ID: u32 = 1000;
const AGENT_NAME: &str = "owner";

/// A directory of the host's, open for reading.
#[derive(Debug)]
pub struct Opened {
    /// Where it is.
    pub path: AbsPath,
    /// The directory.
    pub fd: OwnedFd,
}

/// An authority, and what was looked at on the way to it.
#[derive(Debug)]
pub struct Resolved {
    /// The authority.
    pub authority: Authority,
    /// The directory that the session belongs to: its first workspace.
    pub directory: PathBuf,
    /// By target: the inode that was looked at.
    pub inodes: BTreeMap<AbsPath, Inode>,
    /// By target: directories, open.
    pub opened: BTreeMap<AbsPath, Opened>,
    /// What the owner should know: requests that were not accepted, denials that struck something out.
    pub notes: Vec<String>,
    /// Checkpoints that it takes by itself.
    pub checkpoint: RegularCheckpoints,
    /// The policy file that was used, if there was one.
    pub policy: Option<PathBuf>,
    /// The owner's command that is told what can't wait.
    pub notify: Option<String>,
}

/// Resolves a request.
///
/// # Errors
/// Of every kind that says what can't be used and why; nothing has been changed then.
pub fn resolve(
    context: &Context,
    state: &State,
    machine: &Machine,
    request: &RunRequest,
) -> Result<Resolved, Error> {
    let mut notes = Vec::new();
    let first = directories::first(context, request)?;
    let (wish, policy) = wishes(context, state, &first, request, &mut notes)?;
    let stricken = wish.clone().without_denied_names();
    note_stricken(&wish, &stricken, &mut notes);
    let comes = sets::of_wish(context, &stricken)?;
    let wish = with_sets(stricken, &comes);
    let identity = identity(context);
    check_network(&wish)?;
    let denied = directories::denied(context, &wish, &first)?;
    let mut found = directories::Found::new(context, request.copy, denied);
    found.workspaces(&first, request, &wish)?;
    found.foreign(&mut notes);
    found.git(&mut notes)?;
    found.mounts(&wish, request, &first, &mut notes)?;
    let homes = homes::Homes::look(context, &wish, &mut found, &mut notes)?;
    let mut brought: BTreeMap<String, EnvValue> =
        comes.environment.into_iter().map(|(key, value)| (key, EnvValue::Literal(value))).collect();
    brought.extend(homes.environment);
    let environment = environment::resolve(context, &wish, request, brought, &mut notes)?;
    let mut limits =
        Limits::defaults(cofferdam_policy::presets::limits::Machine { memory_bytes: machine.memory_bytes });
    wish.limits.iter().for_each(|limit| limits.ask(*limit));
    let authority = Authority {
        version: AUTHORITY_VERSION,
        cell: CellKind::Namespaces,
        identity,
        workspaces: found.workspaces,
        mounts: found.mounts,
        home_files: homes.files.into_iter().chain(comes.home_files).collect(),
        scratch: homes.scratch,
        environment,
        path: homes.path,
        masks: wish.masks.clone(),
        denied: found.denied,
        limits,
        profiles: wish.profiles.iter().map(|name| profile(name)).collect::<Result<_, _>>()?,
        grants: wish.grants.clone(),
        credentials: wish.credentials.clone(),
        published: wish.publish.iter().copied().collect(),
        denied_hosts: wish.deny.hosts.clone(),
        on_handle_leak: wish.on_handle_leak.unwrap_or_default(),
        label: Label::initial(),
    };
    let (checkpoint, notify) = (wish.checkpoint, wish.notify.clone());
    let (inodes, opened) = (found.inodes, found.opened);
    Ok(Resolved { authority, directory: first, inodes, opened, notes, checkpoint, policy, notify })
}

/// The directory that a request is about: its first workspace.
///
/// # Errors
/// [`ErrorKind::Workspace`] if it does not exist.
pub fn first_workspace(context: &Context, request: &RunRequest) -> Result<PathBuf, Error> {
    directories::first(context, request)
}

/// Opens again what an authority names, for a session that is resumed.
///
/// # Errors
/// [`ErrorKind::Workspace`] if something is gone or can't be used any more.
pub fn reopen(context: &Context, mut authority: Authority, directory: PathBuf) -> Result<Resolved, Error> {
    // What the policy denies by now holds for old sessions too.
    let mut notes = Vec::new();
    let (mut checkpoint, mut notify) = (RegularCheckpoints::default(), None);
    if let Some(policy) = Policies::of(context).find(&directory)? {
        (checkpoint, notify) = (policy.wish.checkpoint, policy.wish.notify.clone());
        let denied = directories::denied(context, &policy.wish, &directory)?;
        since::narrow(&mut authority, &policy.wish, denied, &mut notes)?;
    }
    let mut found = directories::Found::new(context, false, authority.denied.clone());
    found.check_git_again(&authority)?;
    for copied in &authority.home_files {
        found.check_shown(&copied.source)?;
    }
    for known in &authority.workspaces {
        found.reopen(&known.path, &known.path, false, true)?;
    }
    for known in &authority.mounts {
        found.reopen(&known.source, &known.target, known.file, false)?;
    }
    let (inodes, opened) = (found.inodes, found.opened);
    Ok(Resolved { authority, directory, inodes, opened, notes, checkpoint, policy: None, notify })
}

/// What policy and accepted request ask for in a directory, without any flag.
///
/// # Errors
/// [`ErrorKind::Policy`] for a policy that can't be used.
pub(crate) fn standing(context: &Context, state: &State, directory: &std::path::Path) -> Result<Wish, Error> {
    // The notes are said at a start.
    wishes(context, state, directory, &RunRequest::default(), &mut Vec::new()).map(|(wish, _)| wish)
}

/// Policy, accepted request and flags, joined.
fn wishes(
    context: &Context,
    state: &State,
    first: &std::path::Path,
    request: &RunRequest,
    notes: &mut Vec<String>,
) -> Result<(Wish, Option<PathBuf>), Error> {
    let policies = Policies::of(context);
    let policy = match &request.policy {
        Some(path) => {
            let mut workspaces = vec![first.to_owned()];
            workspaces.extend(request.workspaces.iter().filter_map(|path| std::fs::canonicalize(path).ok()));
            let workspaces: Vec<AbsPath> =
                workspaces.iter().filter_map(|path| AbsPath::new(path).ok()).collect();
            Some(policies.read(&context.current.join(path), &workspaces)?)
        }
        None => policies.find(first)?,
    };
    let path = policy.as_ref().map(|policy| policy.path.clone());
    let mut wish = policy.map(|policy| policy.wish).unwrap_or_default();
    if let Some(accepting) = &request.accepting {
        wish = wish.and(kept_inside(context, first, accepting.clone(), notes));
    } else if let Some(accepted) = accepted(state, first, notes)? {
        wish = wish.and(kept_inside(context, first, accepted, notes));
    }
    Ok((wish.and(request.wish.clone()), path))
}

/// What the repository asks for, if the owner accepted exactly that.
fn accepted(state: &State, first: &std::path::Path, notes: &mut Vec<String>) -> Result<Option<Wish>, Error> {
    // A request that can't be read asks for nothing: a repository must not be able to forbid sessions on it.
    let asked = trust::read_request(first).unwrap_or_else(|error| {
        notes.push(format!("the repository's cofferdam.toml counts for nothing: {}", error.why()));
        None
    });
    let Some(asked) = asked else { return Ok(None) };
    let ledger = state.ledger()?;
    let ignored = match trust::standing(&ledger, first, Some(&asked))? {
        trust::Standing::Accepted => return Ok(Some(asked.wish)),
        trust::Standing::NoRequest => return Ok(None),
        trust::Standing::Changed { .. } => "changed since you accepted it",
        trust::Standing::NotAccepted => "asks for more",
    };
    notes.push(format!("the repository's cofferdam.toml {ignored}, and counts for nothing: cofferdam trust"));
    Ok(None)
}

/// What a repository asked for of itself must still lie in it: a link that came with a later pull was never accepted.
fn kept_inside(context: &Context, first: &std::path::Path, mut wish: Wish, notes: &mut Vec<String>) -> Wish {
    let leads_out = |source: &&str| {
        let lexical = context.expand(source, first);
        lexical.starts_with(first)
            && std::fs::canonicalize(&lexical).is_ok_and(|real| !real.starts_with(first))
    };
    let mut stays = |entry: &String| {
        // A name may hold colons, and a file of such a name may come later: whatever part could be taken for the source.
        let ends = entry.match_indices(':').map(|(at, _)| at).chain([entry.len()]);
        let leading = ends.filter_map(|end| entry.get(..end)).find(leads_out);
        if let Some(source) = leading {
            notes.push(format!(
                "the repository's cofferdam.toml names {source}, which leads out of it: not shown"
            ));
        }
        leading.is_none()
    };
    wish.mounts.retain(&mut stays);
    wish.workspaces.retain(&mut stays);
    wish.instructions.retain(&mut stays);
    wish
}

/// The grants of named sets beside those that were written, with the credentials that they name.
fn with_sets(mut wish: Wish, comes: &sets::Comes) -> Wish {
    wish.grants.extend(comes.grants.iter().cloned());
    wish.credentials.extend(comes.credentials.iter().cloned());
    wish
}

/// What nothing here can bring about yet, or never, is not left out in silence.
fn check_network(wish: &Wish) -> Result<(), Error> {
    if wish.publish.iter().collect::<BTreeSet<_>>().len() > PUBLISHED_MAX {
        return Err(Error::new(ErrorKind::Policy, "cannot publish so many ports")
            .since(format!("a session has at most {PUBLISHED_MAX}"))
            .hint("take some from `publish` or --publish"));
    }
    match undefined(&wish.grants, &wish.credentials) {
        Some((grant, name)) => Err(Error::new(ErrorKind::Policy, format!("cannot grant `{grant}`"))
            .since(format!("the policy says nothing of a credential {name}"))
            .hint(format!("write [credential.{name}] into the policy, or take it from the grant"))),
        None => Ok(()),
    }
}

fn note_stricken(before: &Wish, after: &Wish, notes: &mut Vec<String>) {
    let lists = [
        ("environment", &before.environment, &after.environment),
        ("agent-homes", &before.agent_homes, &after.agent_homes),
        ("tools", &before.tools, &after.tools),
        ("profiles", &before.profiles, &after.profiles),
    ];
    for (list, before, after) in lists {
        let gone = before.iter().filter(|entry| !after.contains(entry));
        notes.extend(gone.map(|entry| {
            let name = entry.split('=').next().unwrap_or(entry);
            format!("denied by policy: {list} {name}")
        }));
    }
}

/// The owner's own ids and name; for uid 0 an ordinary user's, with the owner's home path.
fn identity(context: &Context) -> Identity {
    if context.uid == 0 {
        return Identity {
            uid: AGENT_ID,
            gid: AGENT_ID,
            name: AGENT_NAME.into(),
            home: context.home.clone(),
        };
    }
    let plain = |name: &&str| {
        !name.is_empty()
            && name.len() <= 32
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let name = context.variable("USER").or_else(|| context.variable("LOGNAME")).filter(plain);
    Identity {
        uid: context.uid,
        gid: context.gid,
        name: name.filter(|name| *name != "root").unwrap_or(AGENT_NAME).into(),
        home: context.home.clone(),
    }
}

fn profile(name: &str) -> Result<Profile, Error> {
    Profile::ALL.into_iter().find(|profile| profile.name() == name).ok_or_else(|| {
        let known: Vec<&str> = Profile::ALL.iter().map(|profile| profile.name()).collect();
        Error::new(ErrorKind::Policy, format!("cannot use the profile {name:?}"))
            .since("there is no such profile")
            .hint(format!("choose from: {}", known.join(", ")))
    })
}

/// Builds the value of a workspace.
pub(crate) fn workspace(path: AbsPath, copy: bool, instructions: bool) -> Workspace {
    Workspace { path, view: if copy { View::Copy } else { View::Overlay }, instructions }
}
