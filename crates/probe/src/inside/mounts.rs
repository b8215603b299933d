//! Mounts: made, moved, undone and reopened for writing.
//!
//! Sources and types that do not exist make nothing. An unmount is tried only while its mount is held busy, never
//! on the root (where it would turn the root read-only); a read-only mount that does open is closed again at once.

use cofferdam_syscall::raw::{Act, MountsAct, attempt};
use rustix::fs::{self, Mode, OFlags, StatVfsMountFlags};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount_remount, unmount};

use crate::attempt::Attempt;
use crate::finding::{Finding, Gate};
use crate::inside::proc;
use crate::plants::{Plant, PlantError, Plants};

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::forbidden("mount", "Mounts a file system.", "mount(2)", |_| act(MountsAct::MountUnknownType)),
    Attempt::forbidden("mount-bind", "Binds a directory elsewhere.", "mount(2)", |_| {
        act(MountsAct::BindAbsent)
    }),
    Attempt::forbidden("mount-move", "Moves a mount.", "mount(2)", |_| act(MountsAct::MoveAbsent)),
    Attempt::forbidden("pivot-root", "Changes the root mount.", "pivot_root(2)", |_| {
        act(MountsAct::PivotRootAbsent)
    }),
    Attempt::forbidden("move-mount", "Moves a mount by the new calls.", "move_mount(2)", |_| {
        act(MountsAct::MoveMount)
    }),
    Attempt::forbidden("open-tree", "Clones a mount by the new calls.", "open_tree(2)", |_| {
        act(MountsAct::OpenTreeClone)
    }),
    Attempt::forbidden("fsopen", "Configures a new file system.", "CVE-2022-0185", |_| {
        act(MountsAct::Fsopen)
    }),
    Attempt::forbidden("fspick", "Reconfigures a mounted file system.", "fspick(2)", |_| {
        act(MountsAct::Fspick)
    }),
    Attempt::forbidden("mount-setattr", "Sets the attributes of a mount.", "mount_setattr(2)", |_| {
        act(MountsAct::MountSetattr)
    }),
    Attempt::forbidden("umount", "Unmounts any mount but the root.", "umount(2)", |_| umount_any()),
    Attempt::forbidden("remount-writable", "Makes any read-only mount writable.", "attacks 6", |plants| {
        remount_any(plants)
    }),
    Attempt::forbidden(
        "mount-writable-foreign",
        "Finds a writable file system of a block device.",
        "attacks 3",
        |_| block_device_mounts(),
    ),
];

/// How many mounts are tried.
const MOUNTS_MAX: usize = 256;

fn act(what: MountsAct) -> Result<Finding, PlantError> {
    // After `may_mount`: the type, the source, the descriptor are looked for.
    let gate = Gate::CALL.or_beyond(&[Errno::NODEV, Errno::NOENT, Errno::BADF, Errno::INVAL]);
    Ok(gate.judge(&format!("{what:?}"), attempt(Act::Mounts(what))))
}

/// One line of `/proc/self/mounts`.
struct Mount {
    source: String,
    target: String,
    options: String,
}

fn mounts() -> Result<Vec<Mount>, Errno> {
    let text = proc::read_text("/proc/self/mounts")?;
    let parsed = text.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (source, target, _kind, options) = (words.next()?, words.next()?, words.next()?, words.next()?);
        Some(Mount {
            source: source.to_owned(),
            target: target.replace("\\040", " "),
            options: options.to_owned(),
        })
    });
    Ok(parsed.take(MOUNTS_MAX).collect())
}

fn umount_any() -> Result<Finding, PlantError> {
    each_mount(|mount| {
        // Held open, the mount is busy for whoever may unmount.
        let held = fs::open(mount.target.as_str(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
        let Ok(_held) = held else { return None };
        Some(match unmount(mount.target.as_str(), UnmountFlags::NOFOLLOW) {
            // EINVAL: locked by the user namespace that the mount came from, or covered by another.
            Err(Errno::INVAL) => Finding::Refused(Errno::INVAL, format!("{}: EINVAL, locked", mount.target)),
            answer => Gate::PATH.or_beyond(&[Errno::BUSY]).judge(&mount.target, answer),
        })
    })
}

fn remount_any(plants: &Plants) -> Result<Finding, PlantError> {
    let machines_own = proc::link("/proc/self/ns/user").as_deref() == Ok(MACHINES_USER_NAMESPACE)
        || plants.text(Plant::Unenclosed).is_ok();
    each_mount(|mount| {
        let before = fs::statvfs(mount.target.as_str()).ok()?.f_flag;
        if !before.contains(StatVfsMountFlags::RDONLY) {
            return None;
        }
        Some(match remount(mount, before, machines_own) {
            Err(Errno::INVAL) => Finding::Refused(Errno::INVAL, format!("{}: EINVAL, covered", mount.target)),
            answer => Gate::PATH.judge(&mount.target, answer),
        })
    })
}

/// The inode of the machine's own user namespace (`PROC_USER_INIT_INO` in the kernel's sources).
const MACHINES_USER_NAMESPACE: &str = "user:[4026531837]";

/// `MS_NOSYMFOLLOW` (mount(2)).
const MS_NOSYMFOLLOW: u32 = 1 << 8;

/// Opens a read-only mount for writing, and closes it again. Where there is no enclosure at all, the machine's own
/// mounts are set to what they are, which takes the same right.
fn remount(mount: &Mount, before: StatVfsMountFlags, machines_own: bool) -> Result<(), Errno> {
    let target = mount.target.as_str();
    let has = |name: &str| mount.options.split(',').any(|option| option == name);
    let mut kept = MountFlags::BIND;
    kept.set(MountFlags::NODIRATIME, has("nodiratime"));
    kept.set(MountFlags::from_bits_retain(MS_NOSYMFOLLOW), has("nosymfollow"));
    // Neither `noatime` nor `relatime` among the options is strict.
    kept.set(MountFlags::STRICTATIME, !has("noatime") && !has("relatime"));
    kept.set(MountFlags::NOSUID, before.contains(StatVfsMountFlags::NOSUID));
    kept.set(MountFlags::NODEV, before.contains(StatVfsMountFlags::NODEV));
    kept.set(MountFlags::NOEXEC, before.contains(StatVfsMountFlags::NOEXEC));
    kept.set(MountFlags::NOATIME, before.contains(StatVfsMountFlags::NOATIME));
    kept.set(MountFlags::RELATIME, before.contains(StatVfsMountFlags::RELATIME));
    if !machines_own {
        mount_remount(target, kept, "")?;
    }
    mount_remount(target, kept | MountFlags::RDONLY, "")
}

/// Tries every mount but the root that `act` has an opinion on.
fn each_mount(act: impl FnMut(&Mount) -> Option<Finding>) -> Result<Finding, PlantError> {
    Ok(match mounts() {
        Ok(mounts) => Finding::strongest(mounts.iter().filter(|mount| mount.target != "/").filter_map(act)),
        failed @ Err(_) => Gate::PATH.judge("/proc/self/mounts", failed.map(|_| ())),
    })
}

fn block_device_mounts() -> Result<Finding, PlantError> {
    let mounts = match mounts() {
        Ok(mounts) => mounts,
        failed @ Err(_) => return Ok(Gate::PATH.judge("/proc/self/mounts", failed.map(|_| ()))),
    };
    let writable = |mount: &&Mount| {
        mount.source.starts_with("/dev/")
            && mount.options.split(',').any(|option| option == "rw")
            && fs::access(mount.target.as_str(), fs::Access::WRITE_OK).is_ok()
    };
    Ok(match mounts.iter().find(writable) {
        Some(mount) => Finding::Reached(format!("{} on {} may be written", mount.source, mount.target)),
        None => Finding::Held(format!("{} mounts, none a writable block device", mounts.len())),
    })
}
