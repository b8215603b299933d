//! The launcher: reads a sealed plan, makes the namespaces, and stays outside as the cell's guardian.
//!
//! It runs with an emptied environment and three descriptors. It decides nothing: every act is in the plan or
//! in the list below, and the first that fails ends it with a report.
//!
//! 1. Leave the owner's terminal and directory.
//! 2. Clone pid 1 into its namespaces, while the supervisor still works on the plan.
//! 3. Wait for the plan or the beginning of it, read and check it, and let pid 1 have it, which makes its network meanwhile.
//! 4. Make the control groups; pid 1 joins them.
//! 5. Write its id maps.
//! 6. As uid 0: open the sources, show their ids through the cell's map. Hand them over.
//! 7. After a beginning: wait for the whole plan, see that it continues what was begun, and hand over the rest.
//! 8. Guard: when the supervisor goes, however it goes, so does pid 1, and with it all.

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
use std::process::ExitCode;

/// The launcher's descriptors, in the order in which [`crate::Cell::start`] hands them over from number 3 on.
#[derive(Debug)]
pub(crate) struct Inherited {
    /// To the supervisor, for reports and orders.
    pub(crate) control: OwnedFd,
    /// Readable with end-of-file when the supervisor is gone.
    pub(crate) lifeline: OwnedFd,
    /// To the gateway: connections go out here, each as its socket.
    pub(crate) arrivals: OwnedFd,
}

impl Inherited {
    /// Takes them over, first of all in `main`.
    ///
    /// # Errors
    /// `EBADF` for a process that was not started as the launcher.
    fn take() -> Result<Self, Errno> {
        let [control, lifeline, arrivals] = cofferdam_syscall::inherited::take()?;
        Ok(Self { control, lifeline, arrivals })
    }
}

/// The launcher's program, to be called by [`crate::Cell::launch`]; whoever calls it without its descriptors gets
/// nothing.
#[must_use]
pub fn main() -> ExitCode {
    let code = Inherited::take().map_or(1, run);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

/// Runs the launcher; returns its exit code when the cell is gone.
fn run(inherited: Inherited) -> i32 {
    match launch(&inherited) {
        Ok(guarded) => {
            drop(inherited.control);
            // Only pid 1 holds its end, so that its end is seen.
            drop(inherited.arrivals);
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
    stand_apart(inherited.lifeline.as_fd()).map_err(during(LaunchAct::Handover))?;
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .map_err(during(LaunchAct::Handover))?;
    match clone_into_namespaces(Namespaces::CELL).map_err(during(LaunchAct::Namespaces))? {
        Fork::Child => {
            drop(ours);
            exit_now(init::run(inherited, &theirs))
        }
        Fork::Parent(pid, pidfd) => {
            drop(theirs);
            let (plan, groups) = prepare(inherited, (pid, &pidfd), ours.as_fd())?;
            Ok(guardian::Guarded { plan, pidfd, handover: ours, groups })
        }
    }
}

/// Reads a sealed plan.
pub(crate) fn read_plan(sealed: &OwnedFd) -> Result<Plan, Failure> {
    let text = wire::unsealed(sealed, PLAN_BYTES_MAX).map_err(during(LaunchAct::Plan))?;
    Plan::parse(&text).map_err(|error| during(LaunchAct::Plan)(refusal(&error)))
}

/// Away from the owner's terminal, whose Ctrl-C is the supervisor's to judge, and from the owner's directory,
/// which a session must not keep in use.
fn stand_apart(lifeline: BorrowedFd<'_>) -> Result<(), Errno> {
    rustix::process::setsid()?;
    guardian::wake_when_the_lifeline_ends(lifeline)?;
    rustix::process::chdir("/")
}

fn refusal(error: &PlanError) -> Errno {
    match error {
        PlanError::Malformed(_) | PlanError::Source(_) => Errno::BADMSG,
        PlanError::Version(_) => Errno::INVAL,
        PlanError::TooLong => Errno::FBIG,
    }
}

/// Does all that pid 1 can't do for itself, for each part of the plan as it comes. When it fails, pid 1 ends before its
/// groups are removed, since a group with a process in it can't be.
fn prepare(
    inherited: &Inherited,
    (pid, pidfd): (Pid, &OwnedFd),
    handover: BorrowedFd<'_>,
) -> Result<(Plan, Groups), Failure> {
    let begun = begin(inherited.control.as_fd(), handover).inspect_err(|_| guardian::end(pidfd));
    let (plan, groups, blank) = begun?;
    let whole = admit(&plan, &groups, pid, handover, blank)
        .and_then(|maps| supply(inherited.control.as_fd(), handover, plan, maps.as_ref()))
        .inspect_err(|_| {
            guardian::end(pidfd);
            groups.remove();
        })?;
    Ok((whole, groups))
}

/// Waits for the plan or the beginning of it, and makes its groups.
fn begin(
    control: BorrowedFd<'_>,
    handover: BorrowedFd<'_>,
) -> Result<(Plan, Groups, Option<idmap::Blank>), Failure> {
    // Made while there is time: who can map others' ids needs a second namespace to show the owner's files through.
    let blank = rustix::process::geteuid().is_root().then(idmap::Blank::make).transpose();
    let blank = blank.map_err(during(LaunchAct::Idmap))?;
    let (plan, sealed) = await_plan(control)?;
    hand_over(handover, &[sealed]).map_err(during(LaunchAct::Handover))?;
    let groups = Groups::make(&plan.groups).map_err(during(LaunchAct::ControlGroup))?;
    Ok((plan, groups, blank))
}

fn await_plan(control: BorrowedFd<'_>) -> Result<(Plan, OwnedFd), Failure> {
    let received = wire::receive::<Sealed>(control, rustix::net::RecvFlags::empty());
    let Some((Sealed {}, descriptors)) = received.map_err(during(LaunchAct::Plan))? else {
        // The supervisor gave up, or is gone.
        return Err(during(LaunchAct::Plan)(Errno::PIPE));
    };
    let sealed = descriptors.into_iter().next().ok_or(during(LaunchAct::Plan)(Errno::BADMSG))?;
    Ok((read_plan(&sealed)?, sealed))
}

/// Lets pid 1 into its groups and ids; the maps by which sources are shown, where they are needed.
fn admit(
    plan: &Plan,
    groups: &Groups,
    pid: Pid,
    handover: BorrowedFd<'_>,
    blank: Option<idmap::Blank>,
) -> Result<Option<idmap::SourceMaps>, Failure> {
    hand_over(handover, groups.doors()).map_err(during(LaunchAct::Handover))?;
    let proc = idmap::host_proc().map_err(during(LaunchAct::IdMaps))?;
    let maps = idmap::outer(&plan.identities);
    idmap::write_maps(proc.as_fd(), pid, &maps).map_err(during(LaunchAct::IdMaps))?;
    if !plan.identities.privileged {
        return Ok(None);
    }
    let blank = blank.ok_or(during(LaunchAct::Idmap)(Errno::PERM))?;
    let maps = idmap::SourceMaps::make(proc.as_fd(), pid, &plan.identities, blank);
    maps.map(Some).map_err(during(LaunchAct::Idmap))
}

/// Hands over the sources of the plan, and whatever comes to it until it is whole, with the sources that this adds.
fn supply(
    control: BorrowedFd<'_>,
    handover: BorrowedFd<'_>,
    mut plan: Plan,
    maps: Option<&idmap::SourceMaps>,
) -> Result<Plan, Failure> {
    let mut opened = 0;
    let mut part = Vec::new();
    loop {
        if maps.is_some() {
            for (number, source) in plan.sources.iter().enumerate().skip(opened) {
                part.push(sources::open(number, source, maps)?);
            }
            opened = plan.sources.len();
        }
        hand_over(handover, &part).map_err(during(LaunchAct::Handover))?;
        if plan.is_whole() {
            return Ok(plan);
        }
        let (next, text) = await_plan(control)?;
        if !next.continues(&plan) {
            return Err(during(LaunchAct::Plan)(Errno::BADMSG));
        }
        plan = next;
        part = vec![text];
    }
}

/// Descriptors go in portions; an empty portion is the word to go on.
fn hand_over(handover: BorrowedFd<'_>, trees: &[OwnedFd]) -> Result<(), Errno> {
    for portion in trees.chunks(cofferdam_syscall::packet::DESCRIPTORS_MAX) {
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
