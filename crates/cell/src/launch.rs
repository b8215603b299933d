//! The launcher: reads a sealed plan, makes the namespaces, and stays outside as the cell's guardian.
//!
//! It runs with an emptied environment and three descriptors. It decides nothing: every act is in the plan or
//! in the list below, and the first that fails ends it with a report.
//!
//! 1. Read and check the plan. 2. Make the control groups. 3. Clone pid 1 into its namespaces. 4. Put it into
//! the groups. 5. Write its id maps. 6. As uid 0: open the sources, show their ids through the cell's map, and
//! hand them over. 7. Guard: when the supervisor goes, however it goes, so does pid 1, and with it all.

use crate::guardian;
use crate::idmap;
use crate::init;
use crate::sources;
use crate::wire::{self, Failure, LaunchAct, Report};
use cofferdam_policy::plan::{PLAN_BYTES_MAX, Plan};
use cofferdam_syscall::process::{Fork, Namespaces, clone_into_namespaces, exit_now};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::Pid;

/// The launcher's descriptors, in the order in which [`crate::Cell::start`] hands them over from number 3 on.
#[derive(Debug)]
pub struct Inherited {
    /// The sealed plan.
    pub plan: OwnedFd,
    /// To the supervisor, for reports and orders.
    pub control: OwnedFd,
    /// Readable with end-of-file when the supervisor is gone.
    pub lifeline: OwnedFd,
}

/// Runs the launcher; returns its exit code when the cell is gone.
#[must_use]
pub fn run(inherited: Inherited) -> i32 {
    match launch(&inherited) {
        Ok(guarded) => {
            drop(inherited.control);
            drop(inherited.plan);
            guardian::guard(guarded, inherited.lifeline.as_fd())
        }
        Err(failure) => {
            // The supervisor may be gone; then nobody is left to be told.
            let told = wire::send(inherited.control.as_fd(), &Report::Failed(failure), &[]);
            i32::from(told.is_err()) + 1
        }
    }
}

/// Names what was being done when the kernel answered `errno`.
pub(crate) fn during(act: LaunchAct) -> impl Fn(Errno) -> Failure {
    move |errno| Failure::Launch { act, errno: errno.raw_os_error() }
}

fn launch(inherited: &Inherited) -> Result<guardian::Guarded, Failure> {
    let text = wire::unsealed(&inherited.plan, PLAN_BYTES_MAX).map_err(during(LaunchAct::Plan))?;
    let plan = Plan::parse(&text).map_err(|_| during(LaunchAct::Plan)(Errno::INVAL))?;
    let groups = guardian::Groups::make(&plan.groups).map_err(during(LaunchAct::ControlGroup))?;
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .map_err(during(LaunchAct::Handover))?;
    match clone_into_namespaces(Namespaces::CELL).map_err(during(LaunchAct::Namespaces))? {
        Fork::Child => {
            drop(ours);
            groups.forget();
            exit_now(init::run(&plan, inherited, &theirs))
        }
        Fork::Parent(pid, pidfd) => {
            drop(theirs);
            let guarded = guardian::Guarded { pid, pidfd, groups };
            prepare(&plan, &guarded, ours.as_fd()).inspect_err(|_| guarded.kill())?;
            Ok(guarded)
        }
    }
}

/// All that pid 1 can't do for itself; ends with the word to go on, and the sources beside it.
fn prepare(plan: &Plan, guarded: &guardian::Guarded, handover: BorrowedFd<'_>) -> Result<(), Failure> {
    guarded.groups.admit(guarded.pid).map_err(during(LaunchAct::ControlGroup))?;
    idmap::write_maps(guarded.pid, &idmap::outer(&plan.identities)).map_err(during(LaunchAct::IdMaps))?;
    let mut trees: Vec<OwnedFd> = Vec::new();
    if plan.identities.privileged {
        let maps = idmap::SourceMaps::make(guarded.pid, &plan.identities).map_err(during(LaunchAct::Idmap))?;
        for (number, source) in plan.sources.iter().enumerate() {
            trees.push(sources::open(number, source, Some(&maps))?);
        }
    }
    hand_over(handover, &trees).map_err(during(LaunchAct::Handover))
}

/// Descriptors go in portions; an empty portion is the word to go on.
fn hand_over(handover: BorrowedFd<'_>, trees: &[OwnedFd]) -> Result<(), Errno> {
    for portion in trees.chunks(wire::DESCRIPTORS_MAX) {
        let borrowed: Vec<BorrowedFd<'_>> = portion.iter().map(OwnedFd::as_fd).collect();
        wire::send(handover, &portion.len(), &borrowed)?;
    }
    wire::send(handover, &0_usize, &[])
}

/// Pid 1's side of [`hand_over`]; an end without the word means that the guardian gave up.
pub(crate) fn take_over(handover: BorrowedFd<'_>) -> Result<Vec<OwnedFd>, Errno> {
    let mut trees = Vec::new();
    loop {
        match wire::receive::<usize>(handover, rustix::net::RecvFlags::empty())? {
            Some((0, _)) => return Ok(trees),
            Some((_, portion)) => trees.extend(portion),
            None => return Err(Errno::PIPE),
        }
    }
}

/// The pid as other modules print it below `/proc`.
pub(crate) fn proc_path(pid: Pid, file: &str) -> String {
    format!("/proc/{}/{file}", pid.as_raw_nonzero())
}
