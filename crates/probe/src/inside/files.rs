//! The owner's files outside the workspace: read, changed, created, renamed, by every spelling of a path.
//!
//! What works is undone or inert: opened and not written, renamed and renamed back, set to what it was.

use rustix::fs::{self, AtFlags, Mode, OFlags, XattrFlags};
use rustix::io::Errno;

use crate::attempt::{Attempt, Opening, Radius};
use crate::finding::{Finding, Gate};
use crate::inside::proc;
use crate::plants::{Plant, PlantError, Plants};

const READING: &[Plant] = &[Plant::OutsideFile, Plant::Canary];
const READING_BY_INIT: &[Plant] = &[Plant::OutsideFile, Plant::Canary, Plant::InitPid];
/// What is shown may be read, and a copy of it may be written.
const READ: Opening = Opening::Shows(Plant::OutsideFile);
const WRITTEN: Opening = Opening::Copies(Plant::OutsideFile);
const FILE: &[Plant] = &[Plant::OutsideFile];
const DIRECTORY: &[Plant] = &[Plant::OutsideDir];

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::forbidden("file-read", "Reads the owner's file by its absolute path.", "attacks 4", |plants| {
        read_at(plants, plants.text(Plant::OutsideFile)?)
    })
    .of(Radius::Credential)
    .needs(READING)
    .opened_by(READ),
    Attempt::forbidden(
        "file-read-dotdot",
        "Reads it by `..` from the current directory.",
        "attacks 2",
        |plants| read_at(plants, &format!("{UPWARDS}{}", plants.text(Plant::OutsideFile)?)),
    )
    .of(Radius::Credential)
    .needs(READING)
    .opened_by(READ),
    Attempt::forbidden(
        "file-read-symlink",
        "Reads it through a symbolic link of its own.",
        "attacks 2",
        by_symlink,
    )
    .of(Radius::Credential)
    .needs(READING)
    .opened_by(READ),
    Attempt::forbidden("file-link", "Makes a hard link to it.", "attacks 1", hard_link)
        .needs(FILE)
        .opened_by(WRITTEN),
    Attempt::forbidden("file-read-own-root", "Reads it by /proc/self/root.", "attacks 4", |plants| {
        read_at(plants, &format!("/proc/self/root{}", plants.text(Plant::OutsideFile)?))
    })
    .of(Radius::Credential)
    .needs(READING)
    .opened_by(READ),
    Attempt::forbidden(
        "file-read-own-cwd",
        "Reads it by `..` from /proc/self/cwd.",
        "CVE-2024-21626",
        |plants| read_at(plants, &format!("/proc/self/cwd/{UPWARDS}{}", plants.text(Plant::OutsideFile)?)),
    )
    .of(Radius::Credential)
    .needs(READING)
    .opened_by(READ),
    Attempt::forbidden("file-read-init-root", "Reads it by the root of pid 1.", "attacks 4", |plants| {
        read_beneath(plants, &format!("/proc/{}/root", plants.pid(Plant::InitPid)?))
    })
    .of(Radius::Credential)
    .needs(READING_BY_INIT),
    Attempt::forbidden(
        "file-read-init-cwd",
        "Reads it by `..` from pid 1's directory.",
        "attacks 4",
        |plants| read_beneath(plants, &format!("/proc/{}/cwd/{UPWARDS}", plants.pid(Plant::InitPid)?)),
    )
    .of(Radius::Credential)
    .needs(READING_BY_INIT),
    Attempt::forbidden(
        "file-read-init-fds",
        "Reads it by `..` from what pid 1 has open.",
        "CVE-2024-21626",
        by_init_fds,
    )
    .of(Radius::Credential)
    .needs(READING_BY_INIT),
    Attempt::forbidden(
        "file-read-any-root",
        "Reads it by the root of any visible process.",
        "attacks 4",
        by_any_root,
    )
    .of(Radius::Credential)
    .needs(READING)
    .opened_by(READ),
    Attempt::forbidden("file-write", "Opens it for writing.", "attacks 1", |plants| {
        open(plants.text(Plant::OutsideFile)?, OFlags::WRONLY)
    })
    .needs(FILE)
    .opened_by(WRITTEN),
    Attempt::forbidden("file-write-dotdot", "Opens it for writing by `..`.", "attacks 2", |plants| {
        open(&format!("{UPWARDS}{}", plants.text(Plant::OutsideFile)?), OFlags::WRONLY)
    })
    .needs(FILE)
    .opened_by(WRITTEN),
    Attempt::forbidden(
        "file-write-symlink",
        "Opens it for writing through a symbolic link.",
        "attacks 2",
        |plants| through_symlink(plants, |link| open(link, OFlags::WRONLY)),
    )
    .needs(FILE)
    .opened_by(WRITTEN),
    Attempt::forbidden(
        "file-write-init-root",
        "Opens it for writing by pid 1's root.",
        "attacks 4",
        |plants| {
            let (pid, file) = (plants.pid(Plant::InitPid)?, plants.text(Plant::OutsideFile)?);
            open(&format!("/proc/{pid}/root{file}"), OFlags::WRONLY)
        },
    )
    .needs(&[Plant::OutsideFile, Plant::InitPid]),
    Attempt::forbidden("file-create", "Creates a file in the owner's directory.", "attacks 1", create)
        .needs(DIRECTORY)
        .opened_by(Opening::Copies(Plant::OutsideDir)),
    Attempt::forbidden("file-mkdir", "Creates a directory in it.", "attacks 1", make_directory)
        .needs(DIRECTORY)
        .opened_by(Opening::Copies(Plant::OutsideDir)),
    Attempt::forbidden("file-rename", "Renames the owner's file, and back.", "attacks 1", |plants| {
        rename_and_back(plants.text(Plant::OutsideFile)?)
    })
    .needs(FILE)
    .opened_by(WRITTEN),
    Attempt::forbidden(
        "file-rename-ancestor",
        "Renames the directory above it, and back.",
        "attacks 1",
        |plants| rename_and_back(plants.text(Plant::OutsideDir)?),
    )
    .needs(DIRECTORY)
    .opened_by(Opening::Copies(Plant::OutsideDir)),
    Attempt::forbidden(
        "file-unlink",
        "Removes the owner's file, as a directory, so that it stays.",
        "attacks 1",
        unlink,
    )
    .needs(FILE)
    .opened_by(WRITTEN),
    Attempt::forbidden("file-chmod", "Sets its mode to what it is.", "attacks 1", chmod)
        .needs(FILE)
        .opened_by(WRITTEN),
    Attempt::forbidden("file-chown", "Sets its owner to what it is.", "attacks 1", chown)
        .needs(FILE)
        .opened_by(WRITTEN),
    Attempt::forbidden(
        "file-xattr",
        "Gives it an extended attribute, and takes it away.",
        "attacks 17",
        xattr,
    )
    .needs(FILE)
    .opened_by(WRITTEN),
    Attempt::forbidden("file-host-tmp", "Sees a file of the host's /tmp.", "attacks 4", |plants| {
        let path = plants.text(Plant::TmpCanary)?;
        Ok(Gate::PATH.judge(path, fs::stat(path)))
    })
    .needs(&[Plant::TmpCanary])
    .opened_by(Opening::Shows(Plant::TmpCanary)),
];

/// Enough to be above any directory that a test works in.
const UPWARDS: &str = "../../../../../../../../../../../../../../../../../../../../../../../..";

fn read_at(plants: &Plants, path: &str) -> Result<Finding, PlantError> {
    Ok(match proc::read(path) {
        Ok(bytes) if proc::contains(&bytes, plants.text(Plant::Canary)?) => {
            Finding::Reached(format!("{path}: the canary was read"))
        }
        Ok(_) => Finding::Held(format!("{path}: a file without the canary lies there")),
        failed @ Err(_) => Gate::PATH.judge(path, failed),
    })
}

fn read_beneath(plants: &Plants, root: &str) -> Result<Finding, PlantError> {
    read_at(plants, &format!("{root}{}", plants.text(Plant::OutsideFile)?))
}

fn by_symlink(plants: &Plants) -> Result<Finding, PlantError> {
    through_symlink(plants, |link| read_at(plants, link))
}

fn through_symlink(
    plants: &Plants,
    act: impl FnOnce(&str) -> Result<Finding, PlantError>,
) -> Result<Finding, PlantError> {
    let link = scratch_name(plants, "symlink");
    if let Err(errno) = fs::symlink(plants.text(Plant::OutsideFile)?, &link) {
        return Ok(Finding::Inconclusive(format!("{link}: cannot make the symbolic link: {errno}")));
    }
    let finding = act(&link);
    fs::unlink(&link).ok();
    finding
}

/// A name in the scratch directory that no other process uses.
pub(crate) fn scratch_name(plants: &Plants, what: &str) -> String {
    format!("{}/.cofferdam-probe-{}-{what}", plants.scratch(), std::process::id())
}

/// To the scratch directory, and to the workspace, which is likelier to lie on the same file system.
fn hard_link(plants: &Plants) -> Result<Finding, PlantError> {
    let file = plants.text(Plant::OutsideFile)?;
    let workspace = plants.text(Plant::Workspace).ok();
    let in_workspace = workspace.map(|path| format!("{path}/.cofferdam-probe-{}-link", std::process::id()));
    let links = std::iter::once(scratch_name(plants, "link")).chain(in_workspace);
    Ok(Finding::strongest(links.map(|link| {
        let linked = fs::link(file, &link);
        if linked.is_ok() {
            fs::unlink(&link).ok();
        }
        Gate::PATH.judge(file, linked)
    })))
}

fn by_init_fds(plants: &Plants) -> Result<Finding, PlantError> {
    let directory = format!("/proc/{}/fd", plants.pid(Plant::InitPid)?);
    let fds = match proc::names(&directory) {
        Ok(fds) => fds,
        failed @ Err(_) => return Ok(Gate::PATH.judge(&directory, failed)),
    };
    for fd in &fds {
        let finding = read_beneath(plants, &format!("{directory}/{fd}/{UPWARDS}"))?;
        if matches!(finding, Finding::Reached(_)) {
            return Ok(finding);
        }
    }
    Ok(Finding::Held(format!("{directory}: {} descriptors, and none leads to the file", fds.len())))
}

fn by_any_root(plants: &Plants) -> Result<Finding, PlantError> {
    let pids = match proc::visible_pids() {
        Ok(pids) => pids,
        failed @ Err(_) => return Ok(Gate::PATH.judge("/proc", failed)),
    };
    for pid in &pids {
        let finding = read_beneath(plants, &format!("/proc/{pid}/root"))?;
        if matches!(finding, Finding::Reached(_)) {
            return Ok(finding);
        }
    }
    Ok(Finding::Held(format!("{} other processes are visible, and by none the file", pids.len())))
}

fn open(path: &str, flags: OFlags) -> Result<Finding, PlantError> {
    let opened = fs::open(path, flags | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK, Mode::empty());
    Ok(Gate::PATH.judge(path, opened))
}

/// In a directory that merely bears the owner's name, creating proves nothing: the planted file must be beside.
fn beside_the_plant(plants: &Plants, finding: Finding) -> Result<Finding, PlantError> {
    let beside = plants.text(Plant::OutsideFile).is_ok_and(|file| fs::stat(file).is_ok());
    Ok(match finding {
        Finding::Reached(evidence) if !beside => {
            Finding::Inconclusive(format!("{evidence}, but the planted file is not seen beside it"))
        }
        finding @ (Finding::Refused(..) | Finding::Held(_) | Finding::Reached(_)) => finding,
        finding @ (Finding::Inapplicable(_) | Finding::Inconclusive(_)) => finding,
    })
}

fn create(plants: &Plants) -> Result<Finding, PlantError> {
    let path = format!("{}/.cofferdam-probe-{}", plants.text(Plant::OutsideDir)?, std::process::id());
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let created = fs::open(&path, flags, Mode::from_raw_mode(0o600));
    if created.is_ok() {
        fs::unlink(&path).ok();
    }
    beside_the_plant(plants, Gate::PATH.judge(&path, created))
}

fn make_directory(plants: &Plants) -> Result<Finding, PlantError> {
    let path = format!("{}/.cofferdam-probe-{}.d", plants.text(Plant::OutsideDir)?, std::process::id());
    let made = fs::mkdir(&path, Mode::from_raw_mode(0o700));
    if made.is_ok() {
        fs::rmdir(&path).ok();
    }
    beside_the_plant(plants, Gate::PATH.judge(&path, made))
}

fn rename_and_back(path: &str) -> Result<Finding, PlantError> {
    let away = format!("{path}.cofferdam-probe-{}", std::process::id());
    let renamed = fs::rename(path, &away);
    if renamed.is_ok()
        && let Err(errno) = fs::rename(&away, path)
    {
        return Ok(Finding::Reached(format!("{path}: renamed, and left as {away}: {errno}")));
    }
    // A mount point is busy for whoever may rename; that is the kernel's order too.
    Ok(Gate::PATH.judge(path, renamed))
}

/// `rmdir` of a file: the kernel checks the right to remove before it notices that it is no directory.
fn unlink(plants: &Plants) -> Result<Finding, PlantError> {
    let path = plants.text(Plant::OutsideFile)?;
    let Ok(state) = fs::stat(path) else {
        return Ok(Gate::PATH.judge(path, fs::stat(path)));
    };
    if fs::FileType::from_raw_mode(state.st_mode) != fs::FileType::RegularFile {
        return Ok(Finding::Inconclusive(format!("{path}: is no regular file")));
    }
    Ok(match fs::rmdir(path) {
        Err(Errno::NOTDIR) => Finding::Reached(format!("{path}: ENOTDIR, beyond the permission check")),
        answer => Gate::PATH.judge(path, answer),
    })
}

fn chmod(plants: &Plants) -> Result<Finding, PlantError> {
    let path = plants.text(Plant::OutsideFile)?;
    let same = fs::stat(path).and_then(|state| fs::chmod(path, Mode::from_raw_mode(state.st_mode & 0o7777)));
    Ok(Gate::PATH.judge(path, same))
}

fn chown(plants: &Plants) -> Result<Finding, PlantError> {
    let path = plants.text(Plant::OutsideFile)?;
    let same = fs::stat(path).and_then(|state| {
        let (owner, group) = (fs::Uid::from_raw(state.st_uid), fs::Gid::from_raw(state.st_gid));
        fs::chownat(fs::CWD, path, Some(owner), Some(group), AtFlags::empty())
    });
    // EINVAL: the owner has no number in this user namespace, and so cannot be named.
    Ok(match same {
        Err(Errno::INVAL) => {
            Finding::Refused(Errno::INVAL, format!("{path}: its owner cannot be named here"))
        }
        answer => Gate::PATH.judge(path, answer),
    })
}

fn xattr(plants: &Plants) -> Result<Finding, PlantError> {
    const NAME: &str = "user.cofferdam-probe";
    let path = plants.text(Plant::OutsideFile)?;
    let set = fs::setxattr(path, NAME, b"1", XattrFlags::CREATE);
    if set.is_ok() {
        fs::removexattr(path, NAME).ok();
    }
    Ok(match set {
        Err(Errno::OPNOTSUPP) => {
            Finding::Inapplicable(format!("{path}: EOPNOTSUPP, the file system has none"))
        }
        answer => Gate::PATH.judge(path, answer),
    })
}
