//! Preparing a start: the session's directories, the veils, the agent's home, and the plan.
//!
//! Everything here lies in the session's own directory; the owner's directories are only read.

use crate::capture;
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::handles::Handles;
use crate::machine::Machine;
use crate::resolve::{AGENT_ID, Resolved};
use crate::roots;
use crate::state::{self, SessionPlace, State};
use crate::system;
use crate::veiling;
use cofferdam_ledger::SessionRecord;
use cofferdam_policy::admission::Permit;
use cofferdam_policy::authority::{Access, Authority, View};
use cofferdam_policy::layout::{self, Ground, Host, LayoutError, Place};
use cofferdam_policy::path::AbsPath;
use cofferdam_policy::plan::{Capture, Plan};
use cofferdam_policy::session_id::SessionId;
use cofferdam_workspace::census;
use cofferdam_workspace::changes::Moment;
use cofferdam_workspace::copy;
use cofferdam_workspace::discard;
use cofferdam_workspace::layer;
use cofferdam_workspace::ownership::Ownership;
use cofferdam_workspace::path::WorkspacePath;
use cofferdam_workspace::veil;
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Mode};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// What is told while a workspace is copied: files and bytes so far.
pub type Progress<'p> = &'p mut dyn FnMut(u64, u64);

/// Ids of the session's own files on the host.
pub(crate) fn ownership(id_base: Option<u32>) -> Ownership {
    id_base.map_or(Ownership::AsIs, |base| Ownership::Shifted { base })
}

/// Looks for what a session stands on, before anything is known of the owner's directories.
pub(crate) fn ground(
    state: &State,
    machine: &Machine,
    authority: &Authority,
    id: &SessionId,
    id_base: Option<u32>,
) -> Ground {
    let groups = machine.hierarchies.groups(&authority.limits, id.as_str());
    Ground { id_base, system: system::look(), groups, capture: capture(state, authority) }
}

/// How connections are caught: where only listeners can, at the ports at which something is granted.
pub(crate) fn capture(state: &State, authority: &Authority) -> Capture {
    let ports: BTreeSet<u16> = authority.grants.iter().map(|grant| grant.port.get()).collect();
    capture::capture(state, ports.into_iter().collect())
}

/// The beginning of the plan, which can be built meanwhile.
pub(crate) fn beginning(permit: &Permit, ground: &Ground) -> Result<Plan, Error> {
    layout::beginning(permit, ground).map_err(no_layout)
}

/// What a session was given: the word to go ahead, and what stands for its secrets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given<'g> {
    pub(crate) permit: &'g Permit,
    pub(crate) handles: &'g Handles,
}

/// Prepares everything and computes the plan.
pub(crate) fn prepare(
    context: &Context,
    state: &State,
    session: &SessionRecord,
    resolved: &Resolved,
    given: Given<'_>,
    ground: Ground,
    progress: Progress<'_>,
) -> Result<Plan, Error> {
    let Given { permit, handles } = given;
    let place = state.session(&session.id);
    let owner = session.uid_base.map(|base| base + AGENT_ID);
    state::make_directory(place.root(), None)?;
    handles.keep(&place)?;
    crate::base::note(&place)?;
    let cache = state::open_directory(&state.census())?;
    let seconds = (context.now)().0 / 1_000_000_000;
    let veilings: BTreeMap<AbsPath, veiling::Veiling> =
        veiling::all(resolved, cache.as_fd(), seconds)?.into_iter().collect();
    let kept = state::open_directory(place.root())?;
    for workspace in &resolved.authority.workspaces {
        if let Some(real) = resolved.opened.get(&workspace.path) {
            // Without it, a directory that the owner touched counts as exchanged: more is in conflict, nothing is lost.
            let _kept = census::kept::keep(cache.as_fd(), real.fd.as_fd(), kept.as_fd()).is_ok();
        }
    }
    let real = |target: &AbsPath| resolved.opened.get(target).map(|opened| opened.fd.as_fd());
    let roots = resolved.inodes.keys().enumerate();
    roots::note(&place, roots.filter_map(|(number, target)| Some((number, real(target)?))))?;
    let ownership = ownership(session.uid_base);
    let mut places = BTreeMap::new();
    for (number, (target, inode)) in resolved.inodes.iter().enumerate() {
        let mut made = Place { veil: None, layer: None, copy: None, inode: *inode };
        let is_copy = view(&resolved.authority, target) == Some(View::Copy);
        let real = resolved.opened.get(target).map(|opened| opened.fd.as_fd());
        let changeable = !is_copy && writable(&resolved.authority, target);
        if let (Some(veiling), Some(real)) = (veilings.get(target), real) {
            let flat = if changeable { veiling.plan.flat_names(real).map_err(cannot_veil)? } else { None };
            match flat {
                Some(names) => made.veil = Some(shared_veil(state, &names, real, veiling)?),
                None if is_copy => {
                    let source = Original { fd: real, veiling, ownership };
                    made.copy = Some(copied(&place, number, &source, progress)?);
                }
                None => made.veil = Some(veiled(&place, number, real, veiling, ownership)?),
            }
        }
        if let (true, Some(real)) = (changeable, real) {
            made.layer = Some(layer(&place, number, real, ownership)?);
        }
        places.insert(target.clone(), made);
    }
    crate::home::furnish(context, &resolved.authority, handles, &place.home(), owner)?;
    let hostname = hostname(session);
    let names = system::names(&hostname, session.id.as_str(), &resolved.authority.grants)?;
    let etc = system::etc(state, &resolved.authority.identity, system::authority(state)?)?;
    let host = Host { ground, etc: Some(etc), places, home: absolute(&place.home())?, hostname, names };
    layout::compute(permit, &host).map_err(no_layout)
}

fn no_layout(error: LayoutError) -> Error {
    Error::new(ErrorKind::Internal, "cannot lay out the cell").because(error).hint("please report this")
}

/// The layer of one mount. That something written before a crash may be lost is said by `resume`.
fn layer(
    place: &SessionPlace,
    number: usize,
    real: BorrowedFd<'_>,
    ownership: Ownership,
) -> Result<AbsPath, Error> {
    let path = place.layer(number);
    state::make_directory(&path, None)?;
    let directory = state::open_directory(&path)?;
    if path.join("upper").exists() {
        state::make_enterable(&path.join("upper"))?;
    }
    layer::make(directory.as_fd(), real, ownership).map_err(|error| {
        Error::new(ErrorKind::State, format!("cannot make {}", path.display()))
            .because(error)
            .hint("is there room, of bytes and of inodes? df, df -i; cofferdam doctor")
    })?;
    absolute(&path)
}

fn cannot_veil(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    let mut causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
    let errno = causes.find_map(|error| error.downcast_ref::<Errno>().copied());
    let hint = match errno {
        Some(Errno::NOSPC | Errno::DQUOT) => {
            "make room where the state lies, of bytes or of inodes: df, df -i"
        }
        Some(Errno::ROFS | Errno::ACCESS) => "keep the state where you can write: set XDG_STATE_HOME",
        Some(_) | None => {
            "keep the state on a file system with user xattrs (ext4, xfs, btrfs): set XDG_STATE_HOME"
        }
    };
    Error::new(ErrorKind::State, "cannot hide what must be hidden").because(error).hint(hint)
}

fn veiled(
    place: &SessionPlace,
    number: usize,
    real: BorrowedFd<'_>,
    veiling: &veiling::Veiling,
    ownership: Ownership,
) -> Result<AbsPath, Error> {
    let path = place.veil(number);
    let parent = state::open_directory(place.root())?;
    let name = path.file_name().unwrap_or_default();
    veil::build(real, parent.as_fd(), name.as_bytes(), &veiling.plan, ownership).map_err(cannot_veil)?;
    absolute(&path)
}

/// A veil that only hides names at the top is made once, and shared by all sessions that hide the same.
fn shared_veil(
    state: &State,
    names: &[&[u8]],
    real: BorrowedFd<'_>,
    veiling: &veiling::Veiling,
) -> Result<AbsPath, Error> {
    let mut digest = Sha256::new();
    for name in names {
        digest.update(name);
        digest.update([0]);
    }
    let name: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let path = state.veils().join(&name);
    if !path.exists() {
        let parent = state::open_directory(&state.veils())?;
        // Made aside and renamed, so that of two sessions that come first neither finds half of it.
        let partial = format!("{name}.{}", rustix::process::getpid().as_raw_nonzero());
        veil::build(real, parent.as_fd(), partial.as_bytes(), &veiling.plan, Ownership::AsIs)
            .map_err(cannot_veil)?;
        // Its own mode never shows, the upper layer's does; that of the first workspace would lock out the cell's root.
        let readable = Mode::from_raw_mode(0o755);
        rustix::fs::chmodat(&parent, partial.as_str(), readable, AtFlags::empty()).map_err(cannot_veil)?;
        match rustix::fs::renameat(&parent, partial.as_str(), &parent, name.as_str()) {
            Ok(()) => {}
            Err(Errno::EXIST | Errno::NOTEMPTY) => remove(&parent, partial.as_bytes(), &path)?,
            Err(errno) => return Err(cannot_veil(errno)),
        }
    }
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
        let parent = state::open_directory(place.root())?;
        let partial = format!("copy-{number}.partial");
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
        rustix::fs::renameat(&parent, partial.as_str(), rustix::fs::CWD, &path)
            .map_err(|error| cannot(&error))?;
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
        Error::new(ErrorKind::State, format!("cannot read {}", path.display()))
            .since(why)
            .hint("discard the session")
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
    let plain: String = session
        .name
        .as_str()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(60)
        .collect();
    let plain = plain.trim_matches('-');
    if plain.is_empty() { "cell".into() } else { plain.to_owned() }
}

fn absolute(path: &Path) -> Result<AbsPath, Error> {
    AbsPath::new(path).map_err(|error| {
        Error::new(ErrorKind::State, "cannot use the state directory")
            .because(error)
            .hint("set XDG_STATE_HOME")
    })
}
