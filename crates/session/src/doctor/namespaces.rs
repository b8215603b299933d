//! Whether the namespaces of a cell can be made, by making them.

use super::attempt::{Refusal, Tried, in_child, trying, unless};
use super::remedies::{ANY, Remedy, of_container, of_kernel_feature, of_user_namespaces, remedy};
use super::surroundings::Surroundings;
use super::{Check, CheckState, Ids, tried};
use cofferdam_syscall::process::{Namespaces, unshare};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, mount_change};

/// A process with its descriptor from the start: without it nothing else can be tried.
pub(super) fn process(around: &Surroundings) -> Check {
    let started = in_child(Namespaces::NONE, None, || Ok("started one, held by its descriptor".into()));
    tried("clone3", "processes held by descriptor", started, |refusal| of_kernel_feature(around, refusal))
}

/// User namespaces, the cell's ids in one, one within another, and all the others.
pub(super) fn checks(around: &Surroundings, lacking_before: Option<&'static str>) -> Vec<Check> {
    let ids = Ids::of_cell(around.uid, around.gid);
    // As uid 0, first with the one id that every user namespace may have: the range has a check of its own.
    let simple = if around.uid == 0 { Ids::Single } else { ids };
    let made = unless(lacking_before, || user_namespace(simple));
    let mut checks = vec![tried("user-namespaces", "user namespaces", made, |refusal| {
        of_user_namespaces(around, refusal)
    })];
    if around.uid == 0 {
        let above = lacking_before.or_else(|| lacking(&checks));
        let range = unless(above, || in_child(Namespaces::USER, Some(ids), || Ok(ids.to_string())));
        checks.push(tried("id-range", "ids of the cell's own", range, |_| of_range(around)));
    }
    let above = lacking_before.or_else(|| lacking(&checks));
    let nested = unless(above, || {
        in_child(Namespaces::USER, Some(ids), || {
            in_child(Namespaces::USER, Some(ids.nested()), || {
                Ok("a user namespace within a user namespace".into())
            })
        })
    });
    let all = unless(above, || all(ids));
    checks.push(tried("nested-user-namespaces", "user namespaces within one another", nested, |refusal| {
        of_user_namespaces(around, refusal)
    }));
    checks.push(tried("namespaces", "mount, pid, network, ipc, uts and cgroup namespaces", all, |refusal| {
        match refusal.errno() {
            Some(Errno::NOSPC | Errno::USERS) => of_user_namespaces(around, refusal),
            Some(_) | None => of_kernel_feature(around, refusal),
        }
    }));
    checks
}

/// Root of a container without all of the host's ids.
fn of_range(around: &Surroundings) -> Vec<Remedy> {
    let words = "work as an ordinary user, whose cells need no ids but their own";
    let user = remedy(ANY, words, "su - USER -c 'cofferdam doctor'");
    [user].into_iter().chain(of_container(around)).collect()
}

/// What everything within namespaces has to wait for: the first of these checks that failed.
pub(super) fn lacking(checks: &[Check]) -> Option<&'static str> {
    checks.iter().find(|check| check.state == CheckState::Missing).map(|check| check.title)
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
            pid => {
                Err(Refusal::Unexpected { act: "be pid 1 in them".into(), seen: format!("it is {pid:?}") })
            }
        }
    })
}
