//! Whether the file systems that a cell is made of can be mounted in it, by mounting them where nobody sees it.

use super::attempt::{Refusal, Tried, in_child, trying, unless};
use super::remedies::{Remedy, of_container, of_kernel_feature};
use super::surroundings::Surroundings;
use super::{Check, Ids, tried};
use cofferdam_syscall::mount::{MountAttributes, set_attributes};
use cofferdam_syscall::process::Namespaces;
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};
use std::path::Path;

/// Directories that every host has: mounts are laid over one of them, in a mount namespace that ends with the attempt.
const PLACES: [&str; 4] = ["/tmp", "/run", "/mnt", "/var"];
/// What is copied as a mount: a directory of every host.
const SAMPLE: &str = "/usr";

/// Memory, processes, terminals, and mounts that are moved.
pub(super) fn checks(around: &Surroundings, lacking: Option<&'static str>) -> Vec<Check> {
    let ids = Ids::of_cell(around.uid, around.gid);
    let within = |act: fn() -> Tried| unless(lacking, || in_child(Namespaces::CELL, Some(ids), act));
    let feature = |refusal: &Refusal| of_kernel_feature(around, refusal);
    vec![
        tried(
            "tmpfs",
            "file systems in memory",
            within(|| stage().map(|_| "mounted one of a set size".into())),
            feature,
        ),
        tried("mounts", "mounts by descriptor", within(moved), feature),
        tried("proc", "/proc of its own", within(proc), |refusal| of_proc(around, refusal)),
        tried("devpts", "terminals and message queues of its own", within(terminals), feature),
    ]
}

/// A new mount of this type.
pub(super) fn new_mount(kind: &str, options: &[(&str, &str)], flags: &[&str]) -> Result<OwnedFd, Errno> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in options {
        fsconfig_set_string(context.as_fd(), *key, *value)?;
    }
    for flag in flags {
        fsconfig_set_flag(context.as_fd(), *flag)?;
    }
    fsconfig_create(context.as_fd())?;
    fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
}

/// Puts a mount over `place`.
pub(super) fn attach(mount: &OwnedFd, place: impl AsRef<Path>) -> Result<(), Errno> {
    move_mount(mount, "", CWD, place.as_ref(), MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// A small file system in memory, which becomes the current directory.
pub(super) fn stage() -> Result<OwnedFd, Refusal> {
    let options = [("size", "1048576"), ("nr_inodes", "256"), ("mode", "0700")];
    let stage = new_mount("tmpfs", &options, &[]).map_err(trying("mount a tmpfs"))?;
    let place = PLACES.iter().find(|place| Path::new(place).is_dir()).ok_or(Errno::NOENT);
    place.and_then(|place| attach(&stage, place)).map_err(trying("attach a tmpfs (move_mount)"))?;
    rustix::process::fchdir(&stage).map_err(trying("enter a tmpfs"))?;
    Ok(stage)
}

/// A copy of a mount of the host's, made read-only and attached elsewhere.
fn moved() -> Tried {
    let _stage = stage()?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = open_tree(CWD, SAMPLE, flags).map_err(trying("copy a mount (open_tree)"))?;
    let safe = MountAttributes::READ_ONLY.and(MountAttributes::NO_SETUID);
    set_attributes(tree.as_fd(), safe).map_err(trying("make a mount read-only (mount_setattr)"))?;
    rustix::fs::mkdirat(CWD, "copy", Mode::RWXU).map_err(trying("make a directory"))?;
    attach(&tree, "copy").map_err(trying("attach a mount (move_mount)"))?;
    match rustix::fs::open("copy", OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC, Mode::RWXU) {
        Err(Errno::ROFS) => Ok("copied a mount, made it read-only and attached it".into()),
        Err(errno) => Err(trying("see that it is read-only")(errno)),
        Ok(_) => Err(Refusal::Unexpected {
            act: "make a mount read-only".into(),
            seen: "it can be written".into(),
        }),
    }
}

/// The kernel refuses it where parts of the `/proc` in sight are covered, as container engines do.
fn proc() -> Tried {
    let proc = new_mount("proc", &[("hidepid", "invisible")], &[])
        .map_err(trying("mount /proc with hidepid=invisible"))?;
    let _stage = stage()?;
    rustix::fs::mkdirat(CWD, "proc", Mode::RWXU).map_err(trying("make a directory"))?;
    attach(&proc, "proc").map_err(trying("attach /proc"))?;
    match std::fs::read_link("proc/self") {
        Ok(own) if own == Path::new("1") => Ok("mounted one, in which this process is pid 1".into()),
        Ok(own) => {
            Err(Refusal::Unexpected { act: "see itself in /proc".into(), seen: format!("it is {own:?}") })
        }
        Err(error) => {
            Err(trying("read /proc")(error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error)))
        }
    }
}

fn of_proc(around: &Surroundings, refusal: &Refusal) -> Vec<Remedy> {
    match (of_container(around), refusal.errno()) {
        (Some(remedy), _) => vec![remedy],
        (None, Some(Errno::PERM)) => vec![super::remedies::remedy(
            super::remedies::ANY,
            "something is mounted over a part of /proc, as container engines do; name what it is, and unmount it",
            "grep ' /proc/' /proc/self/mountinfo",
        )],
        (None, _) => of_kernel_feature(around, refusal),
    }
}

fn terminals() -> Tried {
    new_mount("devpts", &[("mode", "0600"), ("ptmxmode", "0666")], &["newinstance"])
        .map_err(trying("mount a devpts"))?;
    new_mount("mqueue", &[], &[]).map_err(trying("mount an mqueue"))?;
    Ok("mounted a devpts and an mqueue".into())
}
