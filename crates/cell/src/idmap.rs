//! Ids: the maps of the cell's user namespaces, and those through which sources are shown.

use crate::guardian::end;
use cofferdam_policy::plan::{IdExtent, IdView, Identities};
use cofferdam_syscall::process::{Fork, Namespaces, clone_into_namespaces, exit_now};
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Gid, Pid, Uid};
use std::fmt::Write as _;

/// The maps of one user namespace.
#[derive(Debug)]
pub struct Maps<'p> {
    /// Users.
    pub uids: &'p [IdExtent],
    /// Groups.
    pub gids: &'p [IdExtent],
    /// Whether the writer holds capabilities over ids in the parent namespace.
    pub privileged: bool,
}

/// Of the outer namespace, written by the guardian.
pub(crate) fn outer(identities: &Identities) -> Maps<'_> {
    Maps { uids: &identities.outer_uids, gids: &identities.outer_gids, privileged: identities.privileged }
}

/// Of the inner namespace, written by pid 1.
pub(crate) fn inner(identities: &Identities) -> Maps<'_> {
    Maps { uids: &identities.inner_uids, gids: &identities.inner_gids, privileged: identities.privileged }
}

/// The host's `/proc`; the functions below take a `/proc` that knows `pid` by the number that its parent does.
///
/// # Errors
/// The kernel's answer.
pub fn host_proc() -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open("/proc", flags, Mode::empty())
}

/// Writes the maps of the namespace that `pid` is in (user_namespaces(7)).
///
/// # Errors
/// The kernel's answer.
pub fn write_maps(proc: BorrowedFd<'_>, pid: Pid, maps: &Maps<'_>) -> Result<(), Errno> {
    let write = |file: &str, text: &str| {
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(proc, of(pid, file), flags, Mode::empty())?;
        match rustix::io::write(&file, text.as_bytes())? {
            written if written == text.len() => Ok(()),
            _ => Err(Errno::IO),
        }
    };
    if !maps.privileged {
        // An ordinary user may map groups only after giving up setgroups for good.
        write("setgroups", "deny")?;
    }
    write("uid_map", &lines(maps.uids))?;
    write("gid_map", &lines(maps.gids))
}

fn of(pid: Pid, file: &str) -> String {
    format!("{}/{file}", pid.as_raw_nonzero())
}

fn lines(extents: &[IdExtent]) -> String {
    extents.iter().fold(String::new(), |mut text, extent| {
        let _infallible = writeln!(text, "{} {} {}", extent.inside, extent.outside, extent.count);
        text
    })
}

/// From the host's root to the cell's: from here on the host knows this process by an id of the cell's range.
///
/// The kernel clears the parent-death signal with it.
///
/// # Errors
/// The kernel's answer.
pub fn become_cell_root() -> Result<(), Errno> {
    rustix::thread::set_thread_groups(&[])?;
    rustix::thread::set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT)?;
    rustix::thread::set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT)
}

/// The user namespaces whose maps show the host's files inside, when the launcher is uid 0.
#[derive(Debug)]
pub(crate) struct SourceMaps {
    system: OwnedFd,
    owner: OwnedFd,
    /// Whose namespace `owner` is. It is seen ended at last, when nobody waits for the cell any more.
    _founder: Blank,
}

impl SourceMaps {
    /// The cell's own namespace serves for programs and libraries: the host's root is the cell's root. For the
    /// owner's files another one is needed, in which the host's root is the agent.
    pub(crate) fn make(
        proc: BorrowedFd<'_>,
        pid: Pid,
        identities: &Identities,
        blank: Blank,
    ) -> Result<Self, Errno> {
        let system = user_namespace_of(proc, pid)?;
        let uids = swapped(&identities.outer_uids, identities.uid);
        let gids = swapped(&identities.outer_gids, identities.gid);
        let owner = blank.mapped(proc, &Maps { uids: &uids, gids: &gids, privileged: true })?;
        Ok(Self { system, owner, _founder: blank })
    }

    /// The namespace for a source, if it needs one.
    pub(crate) fn of(&self, ids: IdView) -> Option<BorrowedFd<'_>> {
        match ids {
            IdView::Plain => None,
            IdView::System => Some(self.system.as_fd()),
            IdView::Owner => Some(self.owner.as_fd()),
        }
    }
}

/// The namespace that `pid` is in.
pub(crate) fn user_namespace_of(proc: BorrowedFd<'_>, pid: Pid) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(proc, of(pid, "ns/user"), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

/// A new user namespace with these maps, held by its descriptor alone.
///
/// # Errors
/// The kernel's answer.
pub fn namespace_with(proc: BorrowedFd<'_>, maps: &Maps<'_>) -> Result<OwnedFd, Errno> {
    Blank::make()?.mapped(proc, maps)
}

/// A user namespace without maps, and the child that it lives by, which is seen ended with this value.
#[derive(Debug)]
pub(crate) struct Blank {
    pid: Pid,
    pidfd: OwnedFd,
    /// The child ends when this is closed, however.
    _end: OwnedFd,
}

impl Drop for Blank {
    fn drop(&mut self) {
        end(&self.pidfd);
    }
}

impl Blank {
    pub(crate) fn make() -> Result<Self, Errno> {
        let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        match clone_into_namespaces(Namespaces::USER)? {
            Fork::Child => {
                drop(writer);
                let _ended = rustix::io::read(&reader, &mut [0_u8; 1]);
                exit_now(0)
            }
            Fork::Parent(pid, pidfd) => Ok(Self { pid, pidfd, _end: writer }),
        }
    }

    /// The namespace with these maps, held by its descriptor alone.
    fn mapped(&self, proc: BorrowedFd<'_>, maps: &Maps<'_>) -> Result<OwnedFd, Errno> {
        write_maps(proc, self.pid, maps).and_then(|()| user_namespace_of(proc, self.pid))
    }
}

/// The map with id 0 and `agent` exchanged: what is the host root's is the agent's own, and the other way round.
fn swapped(extents: &[IdExtent], agent: u32) -> Vec<IdExtent> {
    let [IdExtent { inside: 0, outside: base, count }] = *extents else { return extents.to_vec() };
    if agent == 0 || agent >= count {
        return extents.to_vec();
    }
    [(0, agent, 1), (1, 1, agent - 1), (agent, 0, 1), (agent + 1, agent + 1, count - agent - 1)]
        .into_iter()
        .filter(|&(_, _, count)| count > 0)
        .map(|(inside, outside, count)| IdExtent { inside, outside: base + outside, count })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_root_and_the_agent_change_places_and_all_others_keep_theirs() {
        let whole = [IdExtent { inside: 0, outside: 700_000, count: 65_536 }];
        let swapped = swapped(&whole, 1000);
        let seen = |id: u32| {
            swapped
                .iter()
                .find(|e| (e.inside..e.inside + e.count).contains(&id))
                .map(|e| e.outside + (id - e.inside))
        };
        assert_eq!(seen(0), Some(701_000));
        assert_eq!(seen(1000), Some(700_000));
        assert!((1..65_536).filter(|&id| id != 1000).all(|id| seen(id) == Some(700_000 + id)));
        assert_eq!(seen(65_536), None);
    }
}
