//! Refresh: mounting the copy-on-write directories anew, so that the owner's later changes below are seen.
//!
//! Pid 1 can't: it lives in the agent's Landlock domain, under which no mount changes. It asks the guardian, who
//! starts a *mounter* for the one act. The mounter joins the cell's user and mount namespaces, never its pid
//! namespace: an agent of the same user id has no number by which to stop or kill it, nor a `/proc` to find it
//! in. Pid 1 does not wait for it.

use crate::guardian::{end, is_over};
use crate::idmap::become_cell_root;
use crate::view::{STAGED_VIEW, View, attach_at, mount_overlay, open_beneath, staged_path};
use crate::wire;
use cofferdam_policy::path::AbsPath;
use cofferdam_policy::plan::{Layer, Plan, SourceId, Step};
use cofferdam_syscall::process::{Fork, Namespaces, clone_into_namespaces, exit_now, join_namespace};
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, UnmountFlags, open_tree, unmount};
use rustix::net::RecvFlags;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Where a mounter works: the cell's outer user namespace and its two mount namespaces.
#[derive(Debug)]
pub(crate) struct Places {
    user: OwnedFd,
    stage: OwnedFd,
    finished: OwnedFd,
}

/// From pid 1 to the guardian; the three [`Places`] come beside it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {}

/// Back to pid 1.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Outcome {
    /// The plan's step that could not be made anew, and the kernel's answer.
    pub(crate) failed: Option<(usize, i32)>,
}

impl Places {
    /// Pid 1's own, once its view is finished.
    pub(crate) fn of(view: &mut View) -> Result<Self, Errno> {
        let own = |path: &str| rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        Ok(Self {
            user: own("/proc/self/ns/user")?,
            stage: view.stage_namespace.take().ok_or(Errno::INVAL)?,
            finished: own("/proc/self/ns/mnt")?,
        })
    }

    /// Asks the guardian for a refresh; the [`Outcome`] comes later.
    pub(crate) fn ask(&self, guardian: BorrowedFd<'_>) -> Result<(), Errno> {
        wire::send(guardian, &Request {}, &[self.user.as_fd(), self.stage.as_fd(), self.finished.as_fd()])
    }
}

/// A mounter at work, as the guardian sees it.
#[derive(Debug)]
pub(crate) struct Mounter {
    pub(crate) pidfd: OwnedFd,
}

impl Mounter {
    /// Takes pid 1's request and starts a mounter for it. Pid 1 asks for one at a time.
    pub(crate) fn answer(plan: &Plan, pid_1: BorrowedFd<'_>) -> Result<Option<Self>, Errno> {
        let Some((Request {}, descriptors)) = wire::receive(pid_1, RecvFlags::DONTWAIT)? else {
            return Err(Errno::PIPE);
        };
        let mut descriptors = descriptors.into_iter();
        let (Some(user), Some(stage), Some(finished)) =
            (descriptors.next(), descriptors.next(), descriptors.next())
        else {
            return Err(Errno::BADMSG);
        };
        match clone_into_namespaces(Namespaces::NONE) {
            Ok(Fork::Child) => {
                let done = work(plan, &Places { user, stage, finished });
                exit_now(i32::from(tell(pid_1, done).is_err()))
            }
            Ok(Fork::Parent(_, pidfd)) => Ok(Some(Self { pidfd })),
            Err(errno) => tell(pid_1, Err((0, errno))).map(|()| None),
        }
    }

    /// Reaps a mounter that ended; one that could not tell its outcome is spoken for.
    pub(crate) fn reap(self, pid_1: BorrowedFd<'_>) -> Result<(), Errno> {
        if is_over(&self.pidfd)? == Some(0) { Ok(()) } else { tell(pid_1, Err((0, Errno::IO))) }
    }

    /// Ends a mounter whose cell ends.
    pub(crate) fn kill(self) {
        end(&self.pidfd);
    }
}

fn tell(pid_1: BorrowedFd<'_>, done: Result<(), (usize, Errno)>) -> Result<(), Errno> {
    let failed = done.err().map(|(step, errno)| (step, errno.raw_os_error()));
    wire::send(pid_1, &Outcome { failed }, &[])
}

fn work(plan: &Plan, places: &Places) -> Result<(), (usize, Errno)> {
    enter(plan, places).map_err(|errno| (0, errno))?;
    Remount::of(plan, places)?.run()
}

/// Becomes what pid 1 was while it built the view.
fn enter(plan: &Plan, places: &Places) -> Result<(), Errno> {
    join_namespace(places.user.as_fd())?;
    if plan.identities.privileged {
        become_cell_root()?;
    }
    // After the change of ids, which clears it. A guardian that died before leaves an act that ends by itself.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    rustix::process::umask(Mode::empty());
    join_namespace(places.stage.as_fd())?;
    // The view was built here and copied. The first mounter removes the original, which keeps the overlays in use.
    match unmount(STAGED_VIEW, UnmountFlags::DETACH) {
        Ok(()) | Err(Errno::INVAL) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// One mount that is taken away and put back.
struct Again<'p> {
    step: usize,
    target: &'p AbsPath,
    how: How<'p>,
}

enum How<'p> {
    /// A copy-on-write overlay, from its layers.
    Anew(&'p [SourceId], Layer),
    /// Anything else that lies in one: a copy of the mount, taken before.
    AsItWas(OwnedFd),
}

struct Remount<'p> {
    places: &'p Places,
    /// The finished view's root.
    root: OwnedFd,
    /// In the order of the plan: outer mounts before those that lie in them.
    mounts: Vec<Again<'p>>,
}

impl<'p> Remount<'p> {
    fn of(plan: &'p Plan, places: &'p Places) -> Result<Self, (usize, Errno)> {
        join_namespace(places.finished.as_fd()).map_err(|errno| (0, errno))?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open("/", flags, Mode::empty()).map_err(|errno| (0, errno))?;
        let mut remount = Self { places, root, mounts: Vec::new() };
        for (step, target, layers) in affected(plan) {
            let at_step = |errno: Errno| (step, errno);
            let how = match layers {
                Some((lower, layer)) => {
                    writable_afterwards(target).map_err(at_step)?;
                    How::Anew(lower, layer)
                }
                None => How::AsItWas(remount.copy_of(target).map_err(at_step)?),
            };
            remount.mounts.push(Again { step, target, how });
        }
        Ok(remount)
    }

    /// All away, innermost first; then all back. If one is in use, those that were taken away come back, and the
    /// view is as it was.
    fn run(self) -> Result<(), (usize, Errno)> {
        let mut away = Ok(());
        let mut first = self.mounts.len();
        for (number, again) in self.mounts.iter().enumerate().rev() {
            away = self.take_away(again.target).map_err(|errno| (again.step, errno));
            if away.is_err() {
                break;
            }
            first = number;
        }
        for again in self.mounts.iter().skip(first) {
            self.put_back(again).map_err(|errno| (again.step, errno))?;
        }
        away
    }

    fn open(&self, target: &AbsPath) -> Result<OwnedFd, Errno> {
        let below = target.as_path().strip_prefix("/").unwrap_or(target.as_path());
        open_beneath(self.root.as_fd(), below, OFlags::empty())
    }

    fn copy_of(&self, target: &AbsPath) -> Result<OwnedFd, Errno> {
        let flags =
            OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
        open_tree(self.open(target)?, "", flags)
    }

    /// By its name in the directory above, which is found without following links: the agent may have moved it
    /// and put a link in its place, so that something else were unmounted (ATTACKS 2).
    fn take_away(&self, target: &AbsPath) -> Result<(), Errno> {
        let above = target.as_path().parent().ok_or(Errno::INVAL)?;
        let name = target.as_path().file_name().ok_or(Errno::INVAL)?;
        rustix::process::fchdir(self.open(&AbsPath::new(above).ok().ok_or(Errno::INVAL)?)?)?;
        let unmounted = unmount(Path::new(name), UnmountFlags::NOFOLLOW);
        // Standing there would keep the mount above in use.
        rustix::process::chdir("/")?;
        unmounted
    }

    fn put_back(&self, again: &Again<'_>) -> Result<(), Errno> {
        match &again.how {
            How::AsItWas(mount) => attach_at(mount.as_fd(), self.open(again.target)?.as_fd()),
            How::Anew(lower, layer) => {
                join_namespace(self.places.stage.as_fd())?;
                let mount = forget_volatile(*layer).and_then(|()| mount_overlay(lower, Some(*layer)));
                join_namespace(self.places.finished.as_fd())?;
                attach_at(mount?.as_fd(), self.open(again.target)?.as_fd())
            }
        }
    }
}

/// A step that is affected by a refresh, its target, and the layers if it is to be mounted anew.
type Affected<'p> = (usize, &'p AbsPath, Option<(&'p [SourceId], Layer)>);

/// Every copy-on-write overlay, and every other mount that lies in one.
fn affected(plan: &Plan) -> Vec<Affected<'_>> {
    let mut affected: Vec<Affected<'_>> = Vec::new();
    for (number, step) in plan.steps.iter().enumerate() {
        match step {
            Step::Overlay { target, lower, upper: Some(layer) } => {
                affected.push((number, target, Some((lower, *layer))));
            }
            Step::Overlay { target, upper: None, .. }
            | Step::Tmpfs { target, .. }
            | Step::Bind { target, .. }
            | Step::Proc { target }
            | Step::Devpts { target }
            | Step::Mqueue { target } => {
                if affected.iter().any(|&(_, outer, _)| target.is_within(outer)) {
                    affected.push((number, target, None));
                }
            }
            Step::Hostname { .. }
            | Step::Loopback
            | Step::Capture { .. }
            | Step::Stage { .. }
            | Step::Directory { .. }
            | Step::File { .. }
            | Step::Symlink { .. }
            | Step::Freeze { .. }
            | Step::Leave
            | Step::View => {}
        }
    }
    affected
}

/// Landlock's rule on a mount ends with the mount; the one on the directory above it remains. Directly below the
/// root there is none, and the agent could no longer write: such a mount is not made anew.
fn writable_afterwards(target: &AbsPath) -> Result<(), Errno> {
    if target.parents().next().is_some() { Ok(()) } else { Err(Errno::OPNOTSUPP) }
}

/// The kernel marks the work directory of a volatile overlay, so that nobody mounts it again unknowingly after a
/// crash; here there was none.
fn forget_volatile(layer: Layer) -> Result<(), Errno> {
    let mark = format!("{}/work/work/incompat/volatile", staged_path(layer.source));
    for removed in [rustix::fs::unlink(format!("{mark}/dirty")), rustix::fs::rmdir(&mark)] {
        match removed {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cofferdam_policy::plan::{Entry, Identities, PLAN_VERSION};

    fn path(text: &str) -> AbsPath {
        AbsPath::new(text).unwrap()
    }

    fn overlay(target: &str, upper: Option<SourceId>) -> Step {
        Step::Overlay { target: path(target), lower: vec![0], upper: upper.map(|source| Layer { source }) }
    }

    fn plan(steps: Vec<Step>) -> Plan {
        let identities = Identities {
            uid: 1,
            gid: 1,
            outer_uids: Vec::new(),
            outer_gids: Vec::new(),
            inner_uids: Vec::new(),
            inner_gids: Vec::new(),
            privileged: false,
        };
        let entry =
            Entry { limits: Vec::new(), writable: Vec::new(), devices: Vec::new(), profiles: Vec::new() };
        Plan { version: PLAN_VERSION, identities, sources: Vec::new(), steps, entry, groups: Vec::new() }
    }

    #[test]
    fn what_lies_in_a_workspace_is_taken_along_and_nothing_else() {
        let plan = plan(vec![
            Step::Tmpfs { target: path("/a/b"), mode: 0o755, bytes_max: 1, inodes_max: 1, owned: false },
            overlay("/usr", None),
            overlay("/a", Some(1)),
            overlay("/a/read", None),
            overlay("/a/write", Some(2)),
            overlay("/ab", None),
            Step::Directory { target: path("/a/directory"), mode: 0o755, owned: false },
            Step::View,
        ]);
        let found: Vec<(usize, bool)> =
            affected(&plan).into_iter().map(|(step, _, layers)| (step, layers.is_some())).collect();
        assert_eq!(found, [(2, true), (3, false), (4, true)]);
    }

    #[test]
    fn only_a_mount_with_a_directory_between_it_and_the_root_stays_writable() {
        assert_eq!(writable_afterwards(&path("/project")), Err(Errno::OPNOTSUPP));
        assert_eq!(writable_afterwards(&path("/srv/project")), Ok(()));
    }
}
