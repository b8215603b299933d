//! The launcher: reads a sealed plan, makes the namespaces, and stays outside as the cell's guardian.
//!
//! It runs with an emptied environment and three descriptors. It decides nothing: every act is in the plan or
//! in the list below, and the first that fails ends it with a report.
//!
//! 1. Leave the owner's terminal and directory.
//! 2. Read and check the plan.
//! 3. Make the control groups.
//! 4. Clone pid 1 into its namespaces.
//! 5. It joins the groups.
//! 6. Write its id maps.
//! 7. As uid 0: open the sources, show their ids through the cell's map, and hand them over.
//! 8. Guard: when the supervisor goes, however it goes, so does pid 1, and with it all.

use crate::guardian;
use crate::idmap;
use crate::init;
use crate::sources;
use crate::wire::{self, Failure, LaunchAct, Report};
use cofferdam_policy::plan::{PLAN_BYTES_MAX, Plan, PlanError};
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

impl Inherited {
    /// Takes them over, first of all in `main`.
    ///
    /// # Errors
    /// `EBADF` for a process that was not started as the launcher.
    pub fn take() -> Result<Self, Errno> {
        let [plan, control, lifeline] = cofferdam_syscall::inherited::take()?;
        Ok(Self { plan, control, lifeline })
    }
}

/// Runs the launcher; returns its exit code when the cell is gone.
#[must_use]
pub fn run(inherited: Inherited) -> i32 {
    match launch(&inherited) {
        Ok(guarded) => {
            drop(inherited.control);
            drop(inherited.plan);
            guardian::guard(&guarded, inherited.lifeline.as_fd())
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
    stand_apart().map_err(during(LaunchAct::Handover))?;
    let text = wire::unsealed(&inherited.plan, PLAN_BYTES_MAX).map_err(during(LaunchAct::Plan))?;
    let plan = Plan::parse(&text).map_err(|error| during(LaunchAct::Plan)(refusal(&error)))?;
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .map_err(during(LaunchAct::Handover))?;
    let groups = guardian::Groups::make(&plan.groups).map_err(during(LaunchAct::ControlGroup))?;
    match clone_into_namespaces(Namespaces::CELL) {
        Ok(Fork::Child) => {
            drop(ours);
            let joined = groups.join().map_err(during(LaunchAct::ControlGroup));
            groups.forget();
            exit_now(init::run(&plan, inherited, &theirs, joined))
        }
        Ok(Fork::Parent(pid, pidfd)) => {
            drop(theirs);
            let guarded = guardian::Guarded { plan, pid, pidfd, handover: ours, groups };
            prepare(&guarded).inspect_err(|_| guarded.kill())?;
            Ok(guarded)
        }
        Err(errno) => {
            groups.remove();
            Err(during(LaunchAct::Namespaces)(errno))
        }
    }
}

/// Away from the owner's terminal, whose Ctrl-C is the supervisor's to judge, and from the owner's directory,
/// which a session must not keep in use.
fn stand_apart() -> Result<(), Errno> {
    rustix::process::setsid()?;
    guardian::wake_when_the_supervisor_dies()?;
    rustix::process::chdir("/")
}

fn refusal(error: &PlanError) -> Errno {
    match error {
        PlanError::Malformed(_) | PlanError::Source(_) => Errno::BADMSG,
        PlanError::Version(_) => Errno::INVAL,
        PlanError::TooLong => Errno::FBIG,
    }
}

/// All that pid 1 can't do for itself; ends with the word to go on, and the sources beside it.
fn prepare(guarded: &guardian::Guarded) -> Result<(), Failure> {
    let plan = &guarded.plan;
    idmap::write_maps(guarded.pid, &idmap::outer(&plan.identities)).map_err(during(LaunchAct::IdMaps))?;
    let mut trees: Vec<OwnedFd> = Vec::new();
    if plan.identities.privileged {
        let maps =
            idmap::SourceMaps::make(guarded.pid, &plan.identities).map_err(during(LaunchAct::Idmap))?;
        for (number, source) in plan.sources.iter().enumerate() {
            trees.push(sources::open(number, source, Some(&maps))?);
        }
    }
    hand_over(guarded.handover.as_fd(), &trees).map_err(during(LaunchAct::Handover))
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
