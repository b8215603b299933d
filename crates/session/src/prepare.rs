//! Preparing a start: the session's directories, the veils, the agent's home, and the plan.
//!
//! Everything here lies in the session's own directory; the owner's directories are only read.

use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::machine::Machine;
use crate::resolve::{AGENT_ID, Resolved};
use crate::state::{self, SessionPlace, State};
use crate::system;
use crate::veiling;
use cofferdam_ledger::SessionRecord;
use cofferdam_policy::admission::Permit;
use cofferdam_policy::authority::{Access, Authority, View};
use cofferdam_policy::layout::{self, Host, Place};
use cofferdam_policy::path::AbsPath;
use cofferdam_policy::plan::Plan;
use cofferdam_workspace::changes::Moment;
use cofferdam_workspace::copy;
use cofferdam_workspace::discard;
use cofferdam_workspace::ownership::Ownership;
use cofferdam_workspace::path::WorkspacePath;
use cofferdam_workspace::veil;
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// What is told while a workspace is copied: files and bytes so far.
pub type Progress<'p> = &'p mut dyn FnMut(u64, u64);

/// Ids of the session's own files on the host.
pub(crate) fn ownership(id_base: Option<u32>) -> Ownership {
    id_base.map_or(Ownership::AsIs, |base| Ownership::Shifted { base })
}

/// Prepares everything and computes the plan.
pub(crate) fn prepare(
    context: &Context,
    state: &State,
    machine: &Machine,
    session: &SessionRecord,
    resolved: &Resolved,
    permit: &Permit,
    progress: Progress<'_>,
) -> Result<Plan, Error> {
    let place = state.session(&session.id);
    let owner = session.uid_base.map(|base| base + AGENT_ID);
    directories(&place, owner)?;
    let cache = state::open_directory(&state.census())?;
    let seconds = (context.now)().0 / 1_000_000_000;
    let veilings: BTreeMap<AbsPath, veiling::Veiling> =
        veiling::all(resolved, cache.as_fd(), seconds)?.into_iter().collect();
    let ownership = ownership(session.uid_base);
    let mut places = BTreeMap::new();
    for (number, (target, inode)) in resolved.inodes.iter().enumerate() {
        let mut made = Place { veil: None, layer: None, copy: None, inode: *inode };
        let is_copy = view(&resolved.authority, target) == Some(View::Copy);
        if let (Some(veiling), Some(ground)) = (veilings.get(target), resolved.opened.get(target)) {
            if is_copy {
                let source = Original { fd: ground.fd.as_fd(), veiling, ownership };
                made.copy = Some(copied(&place, number, &source, progress)?);
            } else {
                made.veil = Some(veiled(&place, number, ground.fd.as_fd(), veiling, ownership)?);
            }
        }
        if !is_copy && writable(&resolved.authority, target) {
            made.layer = Some(layer(&place, number, owner)?);
        }
        places.insert(target.clone(), made);
    }
    crate::home::furnish(context, &resolved.authority, &place.home(), owner)?;
    let hostname = hostname(session);
    let system = system::look(&resolved.authority.identity, &hostname, session.id.as_str()).map_err(|error| {
        Error::new(ErrorKind::State, "cannot make the cell's password file").because(error).hint("set USER")
    })?;
    let host = Host {
        id_base: session.uid_base,
        system,
        places,
        home: absolute(&place.home())?,
        hostname,
        groups: machine.hierarchies.groups(&resolved.authority.limits, session.id.as_str()),
    };
    layout::compute(permit, &host).map_err(|error| {
        Error::new(ErrorKind::Internal, "cannot lay out the cell").because(error).hint("please report this")
    })
}

fn directories(place: &SessionPlace, owner: Option<u32>) -> Result<(), Error> {
    state::make_directory(place.root(), None)?;
    for directory in ["layers", "veils", "copies"] {
        state::make_directory(&place.root().join(directory), None)?;
    }
    state::make_directory(&place.home(), owner)
}

/// The layer of one mount: `upper` keeps what the agent did, `work` is the kernel's and made anew for each start.
/// (The mark of a volatile overlay lies in it; that something may be lost is said by `resume`.)
fn layer(place: &SessionPlace, number: usize, owner: Option<u32>) -> Result<AbsPath, Error> {
    let path = place.layer(number);
    state::make_directory(&path, None)?;
    let parent = state::open_directory(&path)?;
    remove(&parent, b"work", &path)?;
    state::make_directory(&path.join("upper"), owner)?;
    state::make_directory(&path.join("work"), owner)?;
    absolute(&path)
}

fn veiled(
    place: &SessionPlace,
    number: usize,
    real: BorrowedFd<'_>,
    veiling: &veiling::Veiling,
    ownership: Ownership,
) -> Result<AbsPath, Error> {
    let path = place.veil(number);
    let parent = state::open_directory(path.parent().unwrap_or(Path::new("/")))?;
    let name = number.to_string();
    veil::build(real, parent.as_fd(), name.as_bytes(), &veiling.plan, ownership).map_err(|error| {
        Error::new(ErrorKind::State, "cannot hide what must be hidden")
            .because(error)
            .hint("keep the state on a file system with user xattrs (ext4, xfs, btrfs): set XDG_STATE_HOME")
    })?;
    absolute(&path)
}

/// A directory that is to be copied.
struct Original<'a> {
    fd: BorrowedFd<'a>,
    veiling: &'a veiling::Veiling,
    ownership: Ownership,
}

/// The copy of a workspace, made once; a resumed session goes on in it.
fn copied(
    place: &SessionPlace,
    number: usize,
    original: &Original<'_>,
    progress: Progress<'_>,
) -> Result<AbsPath, Error> {
    let path = place.copy(number);
    if !path.exists() {
        let parent = state::open_directory(path.parent().unwrap_or(Path::new("/")))?;
        let name = number.to_string();
        let partial = format!("{name}.partial");
        remove(&parent, partial.as_bytes(), &path)?;
        let cannot = |error: &dyn std::fmt::Display| {
            Error::new(ErrorKind::State, "cannot copy the workspace")
                .since(error.to_string())
                .hint("is there room for it where the sessions are kept? cofferdam doctor")
        };
        let mut told = |done: copy::Progress| progress(done.files, done.bytes);
        let made = copy::copy_tree(
            original.fd,
            parent.as_fd(),
            partial.as_bytes(),
            &original.veiling.plan,
            original.ownership,
            &mut told,
        )
        .map_err(|error| cannot(&error))?;
        let mut hidden: Vec<WorkspacePath> = made.left_out.into_iter().map(|left| left.path).collect();
        hidden.sort();
        let record = CopyRecord { finished: made.finished, hidden };
        let text = serde_json::to_vec(&record).map_err(|error| cannot(&error))?;
        std::fs::write(record_path(place, number), text).map_err(|error| cannot(&error))?;
        rustix::fs::renameat(&parent, partial.as_str(), &parent, name.as_str()).map_err(|error| cannot(&error))?;
    }
    absolute(&path)
}

/// What was noted when a copy was finished.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CopyRecord {
    /// When.
    pub(crate) finished: Moment,
    /// What was left out of it, sorted.
    pub(crate) hidden: Vec<WorkspacePath>,
}

fn record_path(place: &SessionPlace, number: usize) -> std::path::PathBuf {
    place.copy(number).with_extension("json")
}

/// The note that lies beside a copy.
pub(crate) fn copy_record(place: &SessionPlace, number: usize) -> Result<CopyRecord, Error> {
    let path = record_path(place, number);
    let cannot = |why: String| {
        Error::new(ErrorKind::State, format!("cannot read {}", path.display())).since(why).hint("discard the session")
    };
    let text = std::fs::read(&path).map_err(|error| cannot(error.to_string()))?;
    serde_json::from_slice(&text).map_err(|error| cannot(error.to_string()))
}

fn remove(parent: &OwnedFd, name: &[u8], path: &Path) -> Result<(), Error> {
    discard::remove(parent.as_fd(), name).map(|_| ()).map_err(|error| {
        Error::new(ErrorKind::State, format!("cannot clear {}", path.display()))
            .because(error)
            .hint("cofferdam doctor --fix")
    })
}

fn view(authority: &Authority, target: &AbsPath) -> Option<View> {
    authority.workspaces.iter().find(|known| known.path == *target).map(|known| known.view)
}

fn writable(authority: &Authority, target: &AbsPath) -> bool {
    view(authority, target).is_some()
        || authority.mounts.iter().any(|known| known.target == *target && known.access == Access::Cow)
}

/// A name of the cell's own, never the host's.
fn hostname(session: &SessionRecord) -> String {
    let plain: String =
        session.name.as_str().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(60).collect();
    let plain = plain.trim_matches('-');
    if plain.is_empty() { "cell".into() } else { plain.to_owned() }
}

fn absolute(path: &Path) -> Result<AbsPath, Error> {
    AbsPath::new(path).map_err(|error| {
        Error::new(ErrorKind::State, "cannot use the state directory").because(error).hint("set XDG_STATE_HOME")
    })
}
