//! The launcher: reads a sealed plan, makes the namespaces, and stays outside as the cell's guardian.
//!
//! It runs with an emptied environment and three descriptors. It decides nothing: every act is in the plan or
//! in the list below, and the first that fails ends it with a report.
//!
//! 1. Leave the owner's terminal and directory.
//! 2. Clone pid 1 into its namespaces, while the supervisor still works on the plan.
//! 3. Wait for the plan, read and check it.
//! 4. Make the control groups; pid 1 joins them.
//! 5. Write its id maps.
//! 6. As uid 0: open the sources, show their ids through the cell's map, and hand them over.
//! 7. Guard: when the supervisor goes, however it goes, so does pid 1, and with it all.

use crate::guardian::{self, Groups};
use crate::idmap;
use crate::init;
use crate::sources;
use crate::wire::{self, Failure, LaunchAct, Report, Sealed};
use cofferdam_policy::plan::{PLAN_BYTES_MAX, Plan, PlanError};
use cofferdam_syscall::process::{Fork, Namespaces, clone_into_namespaces, exit_now};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::Pid;

/// The launcher's descriptors, in the order in which [`crate::Cell::start`] hands them over from number 3 on.
#[derive(Debug)]
pub struct Inherited {
    /// For the plan, which the supervisor seals when it is done.
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
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .map_err(during(LaunchAct::Handover))?;
    match clone_into_namespaces(Namespaces::CELL).map_err(during(LaunchAct::Namespaces))? {
        Fork::Child => {
            drop(ours);
            exit_now(init::run(inherited, &theirs))
        }
        Fork::Parent(pid, pidfd) => {
            drop(theirs);
            prepare(inherited, pid, ours.as_fd())
                .inspect_err(|_| guardian::end(&pidfd))
                .map(|(plan, groups)| guardian::Guarded { plan, pidfd, handover: ours, groups })
        }
    }
}

/// Reads the sealed plan.
pub(crate) fn read_plan(inherited: &Inherited) -> Result<Plan, Failure> {
    let text = wire::unsealed(&inherited.plan, PLAN_BYTES_MAX).map_err(during(LaunchAct::Plan))?;
    Plan::parse(&text).map_err(|error| during(LaunchAct::Plan)(refusal(&error)))
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

/// Waits for the plan, then does all that pid 1 can't do for itself; ends with the word to go on.
fn prepare(inherited: &Inherited, pid: Pid, handover: BorrowedFd<'_>) -> Result<(Plan, Groups), Failure> {
    match wire::receive::<Sealed>(inherited.control.as_fd(), rustix::net::RecvFlags::empty()) {
        Ok(Some(_)) => {}
        // The supervisor gave up, or is gone.
        Ok(None) => return Err(during(LaunchAct::Plan)(Errno::PIPE)),
        Err(errno) => return Err(during(LaunchAct::Plan)(errno)),
    }
    let plan = read_plan(inherited)?;
    let groups = Groups::make(&plan.groups).map_err(during(LaunchAct::ControlGroup))?;
    admit(&plan, &groups, pid, handover).inspect_err(|_| groups.remove())?;
    Ok((plan, groups))
}

fn admit(plan: &Plan, groups: &Groups, pid: Pid, handover: BorrowedFd<'_>) -> Result<(), Failure> {
    hand_over(handover, groups.doors()).map_err(during(LaunchAct::Handover))?;
    idmap::write_maps(pid, &idmap::outer(&plan.identities)).map_err(during(LaunchAct::IdMaps))?;
    let mut trees: Vec<OwnedFd> = Vec::new();
    if plan.identities.privileged {
        let maps = idmap::SourceMaps::make(pid, &plan.identities).map_err(during(LaunchAct::Idmap))?;
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
