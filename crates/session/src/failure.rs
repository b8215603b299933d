//! From a kernel's answer inside the launcher to three lines for the owner: what failed, why, what to do.

use crate::ceiling::Ceiling;
use crate::context::Context;
use crate::elsewhere;
use crate::error::{Error, ErrorKind};
use crate::programs::SIDE_BY_SIDE;
use crate::terminal::visible;
use cofferdam_cell::{EntryStage, Failure, LaunchAct};
use cofferdam_policy::plan::{Plan, Step};
use rustix::io::Errno;
use std::path::Path;

/// The cell could not be made.
pub(crate) fn of_cell(plan: &Plan, failure: Failure) -> Error {
    let cell =
        |what: String, errno: i32| Error::new(ErrorKind::Cell, what).because(Errno::from_raw_os_error(errno));
    match failure {
        Failure::Launch { act, errno } => {
            let failed = cell(format!("cannot build the cell: {}", phrase(act)), errno);
            if matches!(act, LaunchAct::Namespaces | LaunchAct::Identity) && is_exhausted(errno) {
                failed.hint(too_few_namespaces())
            } else {
                failed.hint(remedy(act, Errno::from_raw_os_error(errno)))
            }
        }
        Failure::Step { step, errno }
            if matches!(plan.steps.get(step), Some(Step::View)) && is_exhausted(errno) =>
        {
            cell("cannot build the cell: make its second mount namespace".into(), errno)
                .hint(too_few_namespaces())
        }
        Failure::Step { step, errno } => match plan.steps.get(step) {
            Some(step) => cell(format!("cannot {}", step.phrase()), errno).hint(step_remedy(step, errno)),
            None => cell(format!("cannot apply step {step} of the plan"), errno).hint("cofferdam doctor"),
        },
        Failure::SourceMoved { source } => {
            let path = plan.sources.get(source).map(|source| source.path.to_string()).unwrap_or_default();
            Error::new(ErrorKind::Workspace, format!("cannot mount {path}"))
                .since("it is not the directory any more that it was a moment ago")
                .hint("start again; if it happens again, see who moves it")
        }
        Failure::Source { source, errno } => {
            let path = plan.sources.get(source).map(|source| source.path.to_string()).unwrap_or_default();
            let failed = cell(format!("cannot open {path} for the cell"), errno);
            // Until it is attached, each source is a mount namespace of its own to the kernel.
            if is_exhausted(errno) {
                return failed.hint(too_few_namespaces());
            }
            failed.hint(
                match Errno::from_raw_os_error(errno) {
                    Errno::INVAL => {
                        "another file system is mounted inside it, or it lies on one that can't map ids: name another directory, or --copy"
                    }
                    Errno::PERM => "a container's root can't map ids: run as an ordinary user, or on the host itself",
                    Errno::LOOP => "a link stands in its path: name the real directory",
                    _ => "check that you can read it",
                },
            )
        }
    }
}

fn phrase(act: LaunchAct) -> &'static str {
    match act {
        LaunchAct::Plan => "read the plan",
        LaunchAct::ControlGroup => "make its control group",
        LaunchAct::Namespaces => "make its namespaces",
        LaunchAct::IdMaps => "write its id maps",
        LaunchAct::Idmap => "show your files under its ids",
        LaunchAct::Identity => "become its root",
        LaunchAct::Landlock => "prepare Landlock",
        LaunchAct::Handover => "hand over to its first process",
    }
}

/// The kernel's answers at the limit of namespaces of any kind.
fn is_exhausted(errno: i32) -> bool {
    matches!(Errno::from_raw_os_error(errno), Errno::NOSPC | Errno::USERS)
}

/// The kernel does not say of which kind.
fn too_few_namespaces() -> String {
    match Ceiling::lowest(Path::new("/")) {
        Some(ceiling) => {
            format!("raise the number of namespaces: sysctl {}={}", ceiling.setting(), ceiling.raised())
        }
        None => "raise the number of namespaces: sysctl -a | grep user.max_".into(),
    }
}

fn remedy(act: LaunchAct, errno: Errno) -> &'static str {
    match (act, errno) {
        (LaunchAct::Namespaces | LaunchAct::IdMaps, _) => {
            "user namespaces are forbidden here; cofferdam doctor names the setting that permits them"
        }
        (LaunchAct::Idmap, _) => {
            "put the workspace on a file system that can map ids (ext4, xfs, btrfs, tmpfs)"
        }
        (LaunchAct::ControlGroup, _) => "leave the limit away that needs it: cofferdam explain",
        // A launcher of this version can read every plan of this version.
        (LaunchAct::Plan, _) => SIDE_BY_SIDE,
        (LaunchAct::Identity | LaunchAct::Landlock | LaunchAct::Handover, _) => "cofferdam doctor",
    }
}

fn step_remedy(step: &Step, errno: i32) -> &'static str {
    match (step, Errno::from_raw_os_error(errno)) {
        (Step::Overlay { .. }, Errno::NODEV) => "this kernel has no overlay file system: modprobe overlay",
        (Step::Overlay { upper: Some(_), .. }, _) => "use --copy, which needs no overlay there",
        (Step::Overlay { .. } | Step::Stage { .. } | Step::Proc { .. }, Errno::PERM) => {
            "inside another container this is often forbidden: run on the host, or permit it there (doctor)"
        }
        (_, Errno::LOOP | Errno::NOTDIR) => {
            "a link or file of the session's home stands where a directory must be mounted: discard the session"
        }
        (_, Errno::NOSPC) => "the disk or the memory is full",
        (_, _) => "cofferdam doctor",
    }
}

/// The command could not be started in the cell.
pub(crate) fn of_entry(context: &Context, command: &[u8], stage: EntryStage, errno: i32) -> Error {
    let missing = (stage, errno) == (EntryStage::Exec, Errno::NOENT.raw_os_error());
    if let Some((path, remedy)) = missing.then(|| elsewhere::remedy(context, command)).flatten() {
        return Error::new(
            ErrorKind::Command,
            format!("cannot find the command {} in the cell", visible(command)),
        )
        .since(format!("outside it is {}", path.display()))
        .hint(remedy);
    }
    let errno = Errno::from_raw_os_error(errno);
    let called = visible(command);
    let (kind, what, hint) = match (stage, errno) {
        (EntryStage::Exec, Errno::NOENT) => (
            ErrorKind::Command,
            format!("cannot find the command {called} in the cell"),
            "only the system's programs are there; give it its tools with --tools, or a path with --mount",
        ),
        (EntryStage::Exec, _) => {
            (ErrorKind::Command, format!("cannot execute {called}"), "is it a program for this machine?")
        }
        (EntryStage::Directory, _) => (
            ErrorKind::Workspace,
            "cannot enter the working directory in the cell".to_owned(),
            "start from within a workspace",
        ),
        (EntryStage::Order, Errno::NOSPC) => (
            ErrorKind::Ledger,
            format!("cannot record {called}, and so not do it"),
            "is the disk full? cofferdam doctor",
        ),
        (EntryStage::Order, _) => {
            (ErrorKind::Command, "cannot take the command".to_owned(), "is it empty, or does it hold a NUL?")
        }
        (EntryStage::Fork, _) => {
            (ErrorKind::Cell, format!("cannot start {called} in the cell"), "see its limit: processes")
        }
        (
            EntryStage::Terminal
            | EntryStage::Limits
            | EntryStage::UserNamespace
            | EntryStage::Credentials
            | EntryStage::Filter,
            _,
        ) => (ErrorKind::Cell, format!("cannot confine {called}"), "cofferdam doctor"),
    };
    Error::new(kind, what).because(errno).hint(hint)
}
