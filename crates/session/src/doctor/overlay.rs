//! Whether a session's changes can be kept in the state directory: an overlay there, tried to the last detail.
//!
//! As uid 0 with mapped ids below, as a cell has them. All of it happens in a directory of its own, which is removed.

use super::attempt::{Refusal, Tried, in_child, trying};
use super::filesystems::{attach, new_mount, stage};
use super::ids::{CELL_IDS_START, namespace_with};
use super::place::Scratch;
use super::remedies::{Remedy, of_overlay};
use super::surroundings::Surroundings;
use super::{Check, Ids, tried};
use crate::context::Context;
use cofferdam_syscall::mount::map_ids;
use cofferdam_syscall::process::{Namespaces, join_namespace, unshare};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, OpenTreeFlags, mount_change, open_tree};

/// The overlay, and as uid 0 the mapped ids that it needs.
pub(super) fn checks(context: &Context, around: &Surroundings, lacking: Option<&'static str>) -> Vec<Check> {
    let remedies = |refusal: &Refusal| of_overlay(around, refusal);
    let scratch = match lacking {
        None => Scratch::make(context, "overlay").map_err(trying("make a directory in the state directory")),
        Some(on) => Err(Refusal::Dependent { on: on.to_owned() }),
    };
    let scratch = match scratch {
        Ok(scratch) => scratch,
        Err(refusal) => return vec![tried("overlay", TITLE, Err(refusal), remedies)],
    };
    let mut checks = Vec::new();
    if context.uid == 0 {
        checks.push(tried("idmapped-mounts", "mounts with mapped ids", mapped(&scratch), of_mapped));
    }
    let furnished =
        furnish(&scratch, context.uid == 0).map_err(trying("fill a directory in the state directory"));
    let outcome = furnished
        .and_then(|()| if context.uid == 0 { as_root(&scratch) } else { as_user(&scratch, context) });
    checks.push(tried("overlay", TITLE, outcome, remedies));
    checks
}

const TITLE: &str = "overlay over the state directory";

fn of_mapped(_: &Refusal) -> Vec<Remedy> {
    vec![super::remedies::remedy(
        super::remedies::ANY,
        "keep workspaces and state on ext4, xfs, btrfs or tmpfs, or work as an ordinary user, who needs no mapped ids",
        "export XDG_STATE_HOME=DIRECTORY_ON_SUCH_A_FILE_SYSTEM",
    )]
}

/// What the owner has, below, and an empty layer of the session's.
fn furnish(scratch: &Scratch, shifted: bool) -> Result<(), Errno> {
    let root = &scratch.fd;
    for name in ["lower", "lower/directory", "layer", "layer/upper", "layer/work"] {
        rustix::fs::mkdirat(root, name, Mode::RWXU)?;
    }
    for name in ["lower/kept", "lower/removed", "lower/directory/inner"] {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        rustix::fs::openat(root, name, flags, Mode::RUSR | Mode::WUSR)?;
    }
    if shifted {
        let owner = (Some(Uid::from_raw(CELL_IDS_START)), Some(Gid::from_raw(CELL_IDS_START)));
        for name in ["layer", "layer/upper", "layer/work"] {
            rustix::fs::chownat(root, name, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW)?;
        }
    }
    Ok(())
}

/// Only the mapping, without an overlay on it.
fn mapped(scratch: &Scratch) -> Tried {
    in_child(Namespaces::NONE, None, || {
        let namespace =
            namespace_with(Ids::Range { base: CELL_IDS_START }).map_err(trying("make a user namespace"))?;
        let tree = tree(&scratch.fd, ".")?;
        map_ids(tree.as_fd(), namespace.as_fd()).map_err(trying("map the ids of a mount (mount_setattr)"))?;
        let seen = rustix::fs::fstat(&tree).map_err(trying("look at a mount with mapped ids"))?;
        if seen.st_uid == CELL_IDS_START {
            Ok(format!("root's files in the state directory show as those of uid {CELL_IDS_START}"))
        } else {
            let seen = format!("root's files show as those of uid {}", seen.st_uid);
            Err(Refusal::Unexpected { act: "map the ids of a mount".into(), seen })
        }
    })
}

/// The trees are opened with root's rights and shown through the cell's map; then the process becomes the cell's root.
fn as_root(scratch: &Scratch) -> Tried {
    in_child(Namespaces::NONE, None, || {
        let ids = Ids::Range { base: CELL_IDS_START };
        let namespace = namespace_with(ids).map_err(trying("make a user namespace"))?;
        let (lower, layer) = (tree(&scratch.fd, "lower")?, tree(&scratch.fd, "layer")?);
        map_ids(lower.as_fd(), namespace.as_fd())
            .map_err(trying("map the ids of a mount (mount_setattr)"))?;
        join_namespace(namespace.as_fd()).map_err(trying("enter a user namespace (setns)"))?;
        ids.become_root().map_err(trying("become root of a user namespace"))?;
        unshare(Namespaces::MOUNT).map_err(trying("make a mount namespace"))?;
        overlay(&lower, &layer)
    })
}

fn as_user(scratch: &Scratch, context: &Context) -> Tried {
    let ids = Ids::of_cell(context.uid, context.gid);
    in_child(Namespaces::USER, Some(ids), || {
        unshare(Namespaces::MOUNT).map_err(trying("make a mount namespace"))?;
        // Opened anew: the mount that the descriptor came from is not of this mount namespace.
        let place = scratch.reopened().map_err(trying("open a directory in the state directory"))?;
        overlay(&tree(&place, "lower")?, &tree(&place, "layer")?)
    })
}

/// A directory of the scratch place, as a mount of its own.
fn tree(place: &OwnedFd, name: &str) -> Result<OwnedFd, Refusal> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    open_tree(place, name, flags).map_err(trying("copy a mount of the state directory (open_tree)"))
}

/// Mounts it, and does what a session does: changes, removes, and replaces what is below.
fn overlay(lower: &OwnedFd, layer: &OwnedFd) -> Tried {
    let private = MountPropagationFlags::REC | MountPropagationFlags::PRIVATE;
    mount_change("/", private).map_err(trying("change a mount"))?;
    let _stage = stage()?;
    for name in ["lower", "layer", "view"] {
        rustix::fs::mkdirat(CWD, name, Mode::RWXU).map_err(trying("make a directory"))?;
    }
    attach(lower, "lower")
        .and_then(|()| attach(layer, "layer"))
        .map_err(trying("attach a mount (move_mount)"))?;
    let options = [("lowerdir", "lower"), ("upperdir", "layer/upper"), ("workdir", "layer/work")];
    let view = new_mount("overlay", &options, &["userxattr", "volatile"])
        .map_err(trying("mount an overlay with userxattr"))?;
    attach(&view, "view").map_err(trying("attach an overlay"))?;
    let open = |name: &str| rustix::fs::openat(CWD, name, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
    let file = open("view/kept").map_err(trying("change a file in an overlay"))?;
    rustix::io::write(&file, b"x").map_err(trying("write a file in an overlay"))?;
    rustix::fs::unlink("view/removed").map_err(trying("remove a file in an overlay"))?;
    let whiteout =
        rustix::fs::lstat("layer/upper/removed").map_err(trying("find the whiteout of a removed file"))?;
    if FileType::from_raw_mode(whiteout.st_mode) != FileType::CharacterDevice || whiteout.st_rdev != 0 {
        let seen = "something else is there".to_owned();
        return Err(Refusal::Unexpected { act: "find the whiteout of a removed file".into(), seen });
    }
    rustix::fs::unlink("view/directory/inner").map_err(trying("remove a file in an overlay"))?;
    rustix::fs::rmdir("view/directory").map_err(trying("remove a directory in an overlay"))?;
    rustix::fs::mkdir("view/directory", Mode::RWXU).map_err(trying("replace a directory in an overlay"))?;
    let mut value = [0_u8; 8];
    rustix::fs::getxattr("layer/upper/directory", "user.overlay.opaque", &mut value)
        .map_err(trying("find the mark of a replaced directory (user xattr)"))?;
    let below = rustix::fs::stat("lower/kept").map_err(trying("look at the file below"))?;
    if below.st_size != 0 {
        let seen = "it was written too".to_owned();
        return Err(Refusal::Unexpected { act: "keep the file below".into(), seen });
    }
    Ok("mounted one with userxattr; a change, a removal and a replacement stayed in its upper layer".into())
}
