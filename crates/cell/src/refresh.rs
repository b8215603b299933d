//! The mounter: a child of pid 1 that stays on the stage, for mounting the workspaces anew.
//!
//! Pid 1 itself is confined by Landlock, under which no mount changes. The mounter waits in the stage's mount
//! namespace, which holds nothing but the session's sources; the agent can neither see nor trace it.

use crate::view::{Overlay, View, attach_at, open_beneath};
use cofferdam_policy::plan::{Plan, Step};
use cofferdam_syscall::process::{Fork, Namespaces, clone_into_namespaces, exit_now, join_namespace};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socketpair};
use rustix::process::{Pid, Signal};
use std::path::Path;

/// Pid 1's end of the mounter.
#[derive(Debug)]
pub(crate) struct Mounter {
    socket: OwnedFd,
    pid: Pid,
}

impl Mounter {
    /// Starts the mounter for the copy-on-write overlays of a finished view.
    pub(crate) fn start(plan: &Plan, view: &mut View<'_>) -> Result<Self, Errno> {
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        match clone_into_namespaces(Namespaces::NONE)? {
            Fork::Child => {
                drop(ours);
                exit_now(match serve(plan, view, &theirs) {
                    Ok(()) => 0,
                    Err(_) => 1,
                })
            }
            Fork::Parent(pid, _) => Ok(Self { socket: ours, pid }),
        }
    }

    /// Its pid in the cell.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Mounts every copy-on-write directory anew; the number of the step that could not be, and why.
    pub(crate) fn refresh(&self) -> Result<(), (usize, Errno)> {
        let failed = |errno: Errno| (0, errno);
        rustix::net::send(&self.socket, &[1], SendFlags::NOSIGNAL).map_err(failed)?;
        let mut answer = [0_u8; 12];
        rustix::io::retry_on_intr(|| rustix::net::recv(&self.socket, &mut answer[..], RecvFlags::empty()))
            .map_err(failed)?;
        let (step, errno) = answer.split_at(8);
        let step = usize::from_ne_bytes(step.try_into().unwrap_or_default());
        match i32::from_ne_bytes(errno.try_into().unwrap_or_default()) {
            0 => Ok(()),
            errno => Err((step, Errno::from_raw_os_error(errno))),
        }
    }
}

fn serve(plan: &Plan, view: &mut View<'_>, socket: &OwnedFd) -> Result<(), Errno> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let stage = view.stage_namespace.take().ok_or(Errno::INVAL)?;
    let finished = rustix::fs::open("/proc/self/ns/mnt", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    join_namespace(stage.as_fd())?;
    // The finished view has copies of its own; these would keep the overlays in use.
    unmount("/root", UnmountFlags::DETACH)?;
    loop {
        let mut order = [0_u8; 1];
        match rustix::io::retry_on_intr(|| rustix::net::recv(socket, &mut order[..], RecvFlags::empty())) {
            Ok((1, _)) => {}
            Ok(_) | Err(_) => return Ok(()),
        }
        let (step, errno) = match remount(plan, view, &stage, &finished) {
            Ok(()) => (0, 0),
            Err((step, errno)) => (step, errno.raw_os_error()),
        };
        let answer = [step.to_ne_bytes().as_slice(), errno.to_ne_bytes().as_slice()].concat();
        rustix::net::send(socket, &answer, SendFlags::NOSIGNAL)?;
    }
}

/// One after the other: unmount in the finished view (refused by the kernel while anybody is in it), then mount
/// the same layers there again.
fn remount(plan: &Plan, view: &mut View<'_>, stage: &OwnedFd, finished: &OwnedFd) -> Result<(), (usize, Errno)> {
    for (number, step) in plan.steps.iter().enumerate() {
        let Step::Overlay { target, lower, upper: Some(layer) } = step else { continue };
        let failed = |errno: Errno| (number, errno);
        join_namespace(finished.as_fd()).map_err(failed)?;
        let unmounted = unmount(target.as_path(), UnmountFlags::NOFOLLOW);
        join_namespace(stage.as_fd()).map_err(failed)?;
        unmounted.map_err(failed)?;
        let overlay = Overlay { lower, upper: Some(*layer) };
        let mount = forget_volatile(*layer).and_then(|()| view.overlay(&overlay)).map_err(failed)?;
        join_namespace(finished.as_fd()).map_err(failed)?;
        let below = target.as_path().strip_prefix("/").unwrap_or(target.as_path());
        let attached = root().and_then(|root| open_beneath(root.as_fd(), below, OFlags::DIRECTORY)).and_then(|place| attach_at(mount.as_fd(), place.as_fd()));
        join_namespace(stage.as_fd()).map_err(failed)?;
        attached.map_err(failed)?;
    }
    Ok(())
}

/// The kernel marks the work directory of a volatile overlay, so that nobody mounts it again unknowingly after a
/// crash; here there was none.
fn forget_volatile(layer: cofferdam_policy::plan::Layer) -> Result<(), Errno> {
    let mark = format!("/src/{}/work/work/incompat/volatile", layer.source);
    match rustix::fs::unlink(Path::new(&mark)) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(Errno::ISDIR | Errno::PERM) => rustix::fs::rmdir(Path::new(&mark))?,
        Err(errno) => return Err(errno),
    }
    Ok(())
}

fn root() -> Result<OwnedFd, Errno> {
    rustix::fs::open("/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}
