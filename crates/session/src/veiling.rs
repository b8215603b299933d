//! Hiding: from masks, denials and git directories to the veil of each mount.
//!
//! A census finds what lies in a workspace now; literal names are hidden beforehand. What a veil hides is listed,
//! and what looks like a secret and is not hidden is listed too.

use crate::error::{Error, ErrorKind};
use crate::resolve::{Opened, Resolved};
use cofferdam_policy::authority::{Authority, Purpose};
use cofferdam_policy::mask::{self, MaskRule, MaskSet};
use cofferdam_policy::path::AbsPath;
use cofferdam_policy::presets;
use cofferdam_policy::presets::instructions::INSTRUCTIONS;
use cofferdam_workspace::census::{self, Census, Finding};
use cofferdam_workspace::git::directory::{self, DirectoryError};
use cofferdam_workspace::git::{clones, places, skip, traces, tracked};
use cofferdam_workspace::path::WorkspacePath;
use cofferdam_workspace::veil::VeilPlan;
use rustix::fd::{AsFd as _, BorrowedFd};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

/// As git makes its index.
const INDEX_MODE: u32 = 0o644;

/// What one veil is to hide, and what the census said.
#[derive(Debug, Default)]
pub(crate) struct Veiling {
    pub(crate) plan: VeilPlan,
    /// Hidden by a mask, relative to the mount.
    pub(crate) masked: Vec<WorkspacePath>,
    /// Looks like a secret, and is shown.
    pub(crate) resembling: Vec<WorkspacePath>,
    /// Git's index, as it is shown, says of what is masked that it is meant to be missing.
    pub(crate) marked: bool,
}

/// The veiling of every mounted directory that gets one, with the number of its layer.
pub(crate) fn all(
    resolved: &Resolved,
    cache: BorrowedFd<'_>,
    now_seconds: i64,
) -> Result<Vec<(AbsPath, Veiling)>, Error> {
    let mut all = Vec::new();
    for (target, ground) in &resolved.opened {
        if let Some(veiling) = one(resolved, target, ground, cache, now_seconds)? {
            all.push((target.clone(), veiling));
        }
    }
    mark_in_indexes(resolved, &mut all);
    Ok(all)
}

/// Shows git indexes in which what is hidden is marked as meant to be missing. One that can't be marked stays as it is,
/// and what is hidden then shows as deleted.
fn mark_in_indexes(resolved: &Resolved, all: &mut [(AbsPath, Veiling)]) {
    for workspace in &resolved.authority.workspaces {
        let masked =
            all.iter().find(|(target, veiling)| *target == workspace.path && !veiling.masked.is_empty());
        let Some((_, veiling)) = masked else { continue };
        let Some((index, marked)) = marked_index(&workspace.path, veiling) else { continue };
        // The nearest mount shows it: a git directory's own before the workspace that it lies in.
        let holding = all.iter_mut().filter(|(target, _)| index.is_within(target));
        let Some((target, veiling)) = holding.max_by_key(|(target, _)| target.as_str().len()) else {
            continue;
        };
        let below = index.as_path().strip_prefix(target.as_path()).ok();
        let path = below.and_then(|below| WorkspacePath::new(below.as_os_str().as_bytes()).ok());
        let Some(path) = path else { continue };
        veiling.plan.replace(path, marked, INDEX_MODE);
        if let Some((_, veiling)) = all.iter_mut().find(|(target, _)| *target == workspace.path) {
            veiling.marked = true;
        }
    }
}

fn marked_index(workspace: &AbsPath, veiling: &Veiling) -> Option<(AbsPath, Vec<u8>)> {
    let found = places::find(workspace, workspace).ok()??;
    let below = workspace.as_path().strip_prefix(found.top.as_path()).ok()?;
    let hidden = veiling.masked.iter().map(|path| below.join(OsStr::from_bytes(path.as_bytes())));
    let hidden = hidden.map(|path| path.into_os_string().into_vec()).collect();
    let index = AbsPath::new(found.git_directory.as_path().join("index")).ok()?;
    let marked = skip::marked(&tracked::index_of(&found.git_directory)?, &hidden)?;
    Some((index, marked))
}

fn one(
    resolved: &Resolved,
    target: &AbsPath,
    ground: &Opened,
    cache: BorrowedFd<'_>,
    now_seconds: i64,
) -> Result<Option<Veiling>, Error> {
    let authority = &resolved.authority;
    let mut veiling = Veiling::default();
    hide_denied(authority, ground, target, &mut veiling)?;
    let Some(kind) = kind(authority, target) else {
        // Tools and caches hold no secrets by the tables' own care, but for the addresses of clones; what the policy
        // denies is hidden all the same.
        let denied = authority.denied.iter().any(|denied| denied.is_within(&ground.path));
        let mut veiled = denied;
        for pattern in patterns_of_clones(authority, target) {
            clones::cover(ground.fd.as_fd(), pattern, &mut veiling.plan)
                .map_err(|error| cannot(target, error))?;
            veiled = true;
        }
        return Ok(veiled.then_some(veiling));
    };
    if kind == Kind::Git {
        directory::cover(ground.fd.as_fd(), b"", &mut veiling.plan).map_err(|error| cannot(target, error))?;
        return Ok(Some(veiling));
    }
    let masks = mask_set(authority, kind)?;
    let census =
        census::take(ground.fd.as_fd(), cache, &masks, now_seconds).map_err(|error| cannot(target, error))?;
    apply(&census, ground, &mut veiling).map_err(|error| cannot(target, error))?;
    for path in masks.literal_paths().filter_map(|path| WorkspacePath::new(path).ok()) {
        veiling.plan.hide_beforehand(path);
    }
    Ok(Some(veiling))
}

/// Hides what the policy denies inside a mounted directory; where it does not exist yet, the nearest directory above
/// that does not, so that it can't come into being in sight.
fn hide_denied(
    authority: &Authority,
    ground: &Opened,
    target: &AbsPath,
    veiling: &mut Veiling,
) -> Result<(), Error> {
    for denied in authority.denied.iter().filter(|denied| denied.is_within(&ground.path)) {
        let Ok(below) = denied.as_path().strip_prefix(ground.path.as_path()) else { continue };
        let exists =
            |path: &std::path::Path| std::fs::symlink_metadata(ground.path.as_path().join(path)).is_ok();
        let missing =
            below.ancestors().take_while(|path| !path.as_os_str().is_empty() && !exists(path)).last();
        let hidden = missing.unwrap_or(below);
        veiling.plan.hide_beforehand(below_path(hidden.as_os_str().as_bytes(), target)?);
    }
    Ok(())
}

/// What a mounted directory is, as far as hiding goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A workspace that shows agent instructions, or a directory that the owner chose.
    Open,
    /// A workspace that does not.
    Mute,
    /// A git directory.
    Git,
}

/// `None` for what the tables brought: tools and caches hold no secrets by the tables' own care.
fn kind(authority: &Authority, target: &AbsPath) -> Option<Kind> {
    if let Some(workspace) = authority.workspaces.iter().find(|known| known.path == *target) {
        return Some(if workspace.instructions { Kind::Open } else { Kind::Mute });
    }
    let mount = authority.mounts.iter().find(|known| known.target == *target)?;
    match &mount.purpose {
        Purpose::Git(_) => Some(Kind::Git),
        Purpose::Chosen | Purpose::AgentHome(_) => Some(Kind::Open),
        Purpose::Tool(_) | Purpose::Cache(_) | Purpose::System => None,
    }
}

fn patterns_of_clones(authority: &Authority, target: &AbsPath) -> Vec<&'static str> {
    let mount = authority.mounts.iter().find(|known| known.target == *target);
    match mount.map(|mount| &mount.purpose) {
        Some(Purpose::Tool(name) | Purpose::Cache(name)) => presets::clones::clones(name, target).collect(),
        Some(Purpose::Chosen | Purpose::Git(_) | Purpose::AgentHome(_) | Purpose::System) | None => {
            Vec::new()
        }
    }
}

/// The masks that hold in a mounted directory.
///
/// # Errors
/// [`ErrorKind::Policy`] for a pattern that is none.
pub(crate) fn masks(authority: &Authority, target: &AbsPath) -> Result<MaskSet, Error> {
    mask_set(authority, kind(authority, target).unwrap_or(Kind::Open))
}

/// Every mounted directory and file, in the order by which their layers are numbered.
pub(crate) fn targets(authority: &Authority) -> Vec<AbsPath> {
    let workspaces = authority.workspaces.iter().map(|known| known.path.clone());
    let mut targets: Vec<AbsPath> =
        workspaces.chain(authority.mounts.iter().map(|known| known.target.clone())).collect();
    targets.sort();
    targets
}

fn mask_set(authority: &Authority, kind: Kind) -> Result<MaskSet, Error> {
    let rules = rules(authority, kind).map_err(|error| {
        Error::new(ErrorKind::Policy, "cannot use a mask")
            .because(error)
            .hint("write it as in a .gitignore file")
    })?;
    MaskSet::new(rules).map_err(|error| {
        Error::new(ErrorKind::Policy, "cannot use the masks")
            .because(error)
            .hint("use fewer, or simpler ones")
    })
}

fn rules(authority: &Authority, kind: Kind) -> Result<Vec<MaskRule>, mask::MaskError> {
    let mut rules = mask::default_masks()?;
    for pattern in &authority.masks {
        rules.push(mask::explicit_mask(pattern)?);
    }
    if kind == Kind::Mute {
        for instruction in INSTRUCTIONS {
            let rule = mask::explicit_mask(instruction.pattern)?;
            rules.push(MaskRule { reason: instruction.reason.to_owned(), ..rule });
        }
    }
    Ok(rules)
}

fn apply(census: &Census, ground: &Opened, veiling: &mut Veiling) -> Result<(), DirectoryError> {
    for found in &census.found {
        match found.finding {
            Finding::Masked => {
                veiling.masked.push(found.path.clone());
                veiling.plan.hide(found.path.clone());
            }
            Finding::Resembles(_) => veiling.resembling.push(found.path.clone()),
            // What lies under a mount point was not looked at, and what could not be read could be made readable.
            Finding::MountPoint | Finding::Unreadable => veiling.plan.hollow(found.path.clone()),
            Finding::GitDirectory | Finding::BareRepository => {
                cover_below(ground, &found.path, veiling)?;
                traces::cover_work_tree(ground.fd.as_fd(), found.path.parent(), &mut veiling.plan)?;
            }
            Finding::GitPointer => {
                traces::cover_work_tree(ground.fd.as_fd(), found.path.parent(), &mut veiling.plan)?;
            }
        }
    }
    Ok(())
}

/// Covers a git directory inside a workspace; one that can't be made safe is hidden whole.
fn cover_below(ground: &Opened, path: &WorkspacePath, veiling: &mut Veiling) -> Result<(), DirectoryError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let opened = rustix::fs::openat2(&ground.fd, path.as_bytes(), flags, Mode::empty(), resolve);
    let mut plan = veiling.plan.clone();
    match opened.map(|fd| directory::cover(fd.as_fd(), path.as_bytes(), &mut plan)) {
        Ok(Ok(_)) => veiling.plan = plan,
        Ok(Err(_)) | Err(_) => {
            veiling.masked.push(path.clone());
            veiling.plan.hide(path.clone());
        }
    }
    Ok(())
}

fn below_path(bytes: &[u8], target: &AbsPath) -> Result<WorkspacePath, Error> {
    WorkspacePath::new(bytes).map_err(|error| {
        Error::new(ErrorKind::Policy, format!("cannot hide a path in {target}"))
            .because(error)
            .hint("deny the directory above it")
    })
}

fn cannot(target: &AbsPath, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Workspace, format!("cannot find out what to hide in {target}"))
        .because(error)
        .hint("nothing is shown that could not be looked through: mend it, or name a smaller directory")
}
