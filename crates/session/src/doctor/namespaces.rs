//! Whether the namespaces of a cell can be made, by making them.

use super::attempt::{Refusal, Tried, in_child, trying};
use super::remedies::{of_container, of_kernel_feature, of_user_namespaces};
use super::surroundings::Surroundings;
use super::{Check, Ids, tried};
use cofferdam_syscall::process::{Namespaces, unshare};
use rustix::mount::{MountPropagationFlags, mount_change};

/// User namespaces, the cell's ids in one, one within another, and all the others.
pub(super) fn checks(around: &Surroundings) -> Vec<Check> {
    let ids = Ids::of_cell(around.uid, around.gid);
    // As uid 0, first with the one id that every user namespace may have: the range has a check of its own.
    let simple = if around.uid == 0 { Ids::Single } else { ids };
    let mut checks = vec![tried("user-namespaces", "user namespaces", user_namespace(simple), |refusal| {
        of_user_namespaces(around, refusal)
    })];
    if around.uid == 0 {
        let range = in_child(Namespaces::USER, Some(ids), || Ok(ids.to_string()));
        checks.push(tried("id-range", "ids of the cell's own", range, |_| of_container(around).into_iter().collect()));
    }
    let nested = in_child(Namespaces::USER, Some(ids), || {
        in_child(Namespaces::USER, Some(ids.nested()), || Ok("a user namespace within a user namespace".into()))
    });
    checks.push(tried("nested-user-namespaces", "user namespaces within one another", nested, |refusal| {
        of_user_namespaces(around, refusal)
    }));
    checks.push(tried("namespaces", "mount, pid, network, ipc, uts and cgroup namespaces", all(ids), |refusal| {
        of_kernel_feature(around, refusal)
    }));
    checks
}

/// A user namespace is worth nothing without capabilities in it: AppArmor lets it be made and takes them away.
fn user_namespace(ids: Ids) -> Tried {
    in_child(Namespaces::USER, Some(ids), || {
        unshare(Namespaces::MOUNT).map_err(trying("make a mount namespace in the user namespace"))?;
        let private = MountPropagationFlags::REC | MountPropagationFlags::PRIVATE;
        mount_change("/", private).map_err(trying("change a mount in the user namespace"))?;
        Ok("made one, and a mount namespace in it".into())
    })
}

fn all(ids: Ids) -> Tried {
    in_child(Namespaces::CELL, Some(ids), || {
        rustix::system::sethostname(b"cofferdam").map_err(trying("set the host name in them"))?;
        cofferdam_syscall::network::loopback_up().map_err(trying("bring up the loopback device in them"))?;
        match rustix::process::getpid() {
            pid if pid.is_init() => Ok("made them; pid 1, host name and loopback device are its own".into()),
            pid => Err(Refusal::Unexpected { act: "be pid 1 in them".into(), seen: format!("it is {pid:?}") }),
        }
    })
}
