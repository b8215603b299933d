//! The state directory: whether it is the owner's alone, what it lies on, and whose ids cells have.

use super::attempt::{Refusal, Tried, errno_text, trying};
use super::ids::cell_ids;
use super::remedies::{ANY, Remedy, remedy};
use super::surroundings::Surroundings;
use super::{Check, CheckState, Need, tried};
use crate::context::Context;
use crate::error::Error;
use crate::policies::shown;
use crate::terminal::visible;
use cofferdam_ledger::Ledger;
use cofferdam_workspace::discard;
use cofferdam_workspace::ground::FileSystem;
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags, XattrFlags};
use rustix::io::Errno;
use std::path::PathBuf;

/// What our own attempts are made in begins so.
pub(super) const SCRATCH_PREFIX: &str = "doctor-";

/// A directory of ours in the state directory, removed when dropped.
#[derive(Debug)]
pub(super) struct Scratch {
    parent: OwnedFd,
    name: String,
    path: PathBuf,
    pub(super) fd: OwnedFd,
}

impl Scratch {
    pub(super) fn make(context: &Context, purpose: &str) -> Result<Self, Errno> {
        let parent = rustix::fs::openat(CWD, context.state.as_path(), DIRECTORY, Mode::empty())?;
        let thread = rustix::thread::gettid().as_raw_nonzero();
        let name =
            format!("{SCRATCH_PREFIX}{}-{thread}-{purpose}", rustix::process::getpid().as_raw_nonzero());
        rustix::fs::mkdirat(&parent, name.as_str(), Mode::RWXU)?;
        let fd = rustix::fs::openat(&parent, name.as_str(), DIRECTORY, Mode::empty())?;
        let path = context.state.as_path().join(&name);
        Ok(Self { parent, name, path, fd })
    }

    /// The directory, through the mounts of the caller's namespace.
    pub(super) fn reopened(&self) -> Result<OwnedFd, Errno> {
        rustix::fs::openat(CWD, &self.path, DIRECTORY, Mode::empty())
    }
}

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is not removed now is listed as left over the next time.
        let _removed = discard::remove(self.parent.as_fd(), self.name.as_bytes()).is_ok();
    }
}

/// The place itself, its file system, and as uid 0 the ids.
pub(super) fn checks(context: &Context, around: &Surroundings, unusable: Option<&Error>) -> Vec<Check> {
    let mut checks = vec![private(context, unusable)];
    if unusable.is_none() {
        checks.push(tried(
            "state-attributes",
            "user attributes in the state directory",
            attributes(context),
            |_| {
                vec![remedy(
                    ANY,
                    "keep the state on a file system with user xattrs (ext4, xfs, btrfs)",
                    "export XDG_STATE_HOME=DIRECTORY_ON_SUCH_A_FILE_SYSTEM",
                )]
            },
        ));
    }
    checks.push(ledger(context));
    if context.uid == 0 {
        checks.push(subordinate_ids(around));
    }
    checks
}

/// Only whether it can be opened; one that does not exist yet is made with the first session.
fn ledger(context: &Context) -> Check {
    let (id, title, need) = ("ledger", "ledger", Need::Required);
    let (state, evidence) = match Ledger::open_existing(&context.state.as_path().join("ledger")) {
        Ok(Some(ledger)) => (CheckState::Works, shown(ledger.path())),
        Ok(None) => (CheckState::Works, "none yet".to_owned()),
        Err(error) => {
            let error = Error::from(error);
            (CheckState::Missing, format!("{error}: {}", error.why()))
        }
    };
    let remedies = match state {
        CheckState::Missing => vec![remedy(
            ANY,
            "put back a copy of it, or start a new one; sessions that only the old one knows are then left over",
            format!("mv {0} {0}.broken", shown(&context.state.as_path().join("ledger"))),
        )],
        CheckState::Works | CheckState::CannotTell => Vec::new(),
    };
    Check { id, title, state, need, evidence, remedies }
}

fn private(context: &Context, unusable: Option<&Error>) -> Check {
    let (id, title, need) = ("state-directory", "state directory of the owner's alone", Need::Required);
    match unusable {
        None => Check {
            id,
            title,
            state: CheckState::Works,
            need,
            evidence: format!("{}, on {}", context.state, filesystem(context)),
            remedies: Vec::new(),
        },
        Some(error) => {
            let hint = error.what_to_do().unwrap_or_default();
            Check {
                id,
                title,
                state: CheckState::Missing,
                need,
                evidence: format!("{error}: {}", error.why()),
                remedies: vec![remedy(ANY, "let it be a directory of your own, mode 700", hint)],
            }
        }
    }
}

fn filesystem(context: &Context) -> String {
    match rustix::fs::statfs(context.state.as_path()) {
        Ok(found) => {
            let [a, b, c, d, ..] = found.f_type.to_le_bytes();
            let free_bytes = found.f_bavail.saturating_mul(u64::try_from(found.f_bsize).unwrap_or_default());
            let kind = FileSystem { magic: u32::from_le_bytes([a, b, c, d]) };
            format!("{kind}, {} MiB free", free_bytes >> 20)
        }
        Err(errno) => format!("a file system that can't be asked: {}", errno_text(errno)),
    }
}

/// Overlays and veils keep their marks in attributes of this kind.
fn attributes(context: &Context) -> Tried {
    let scratch =
        Scratch::make(context, "attributes").map_err(trying("make a directory in the state directory"))?;
    let (name, mut value) = ("user.overlay.cofferdam", [0_u8; 1]);
    rustix::fs::fsetxattr(&scratch.fd, name, b"y", XattrFlags::empty())
        .map_err(trying("set a user attribute"))?;
    let length =
        rustix::fs::fgetxattr(&scratch.fd, name, &mut value).map_err(trying("read a user attribute"))?;
    if (length, value) == (1, *b"y") {
        Ok("set and read one".into())
    } else {
        Err(Refusal::Unexpected { act: "read a user attribute".into(), seen: "it has another value".into() })
    }
}

/// A user with subordinate ids among those of the cells could own what a cell owns.
fn subordinate_ids(around: &Surroundings) -> Check {
    let overlaps: Vec<Overlap> = around.subordinate_ids.lines().filter_map(overlap).collect();
    let state = if overlaps.is_empty() { CheckState::Works } else { CheckState::Missing };
    let cells = format!("cells have ids from {} to {}", cell_ids().start, cell_ids().end - 1);
    let shown: Vec<String> = overlaps.iter().map(|found| visible(found.line.as_bytes())).collect();
    let evidence = match state {
        CheckState::Missing => format!("{cells}, and so have: {}", shown.join("; ")),
        CheckState::Works | CheckState::CannotTell => {
            format!("{cells}, and no user in /etc/subuid or /etc/subgid")
        }
    };
    let remedies: Vec<Remedy> = overlaps
        .iter()
        .map(|found| {
            let range =
                format!("{}-{}", found.start, found.start.saturating_add(found.count).saturating_sub(1));
            let command = format!(
                "usermod --del-subuids {range} --del-subgids {range} {}",
                visible(found.name.as_bytes())
            );
            remedy(ANY, "give that user other subordinate ids", command)
        })
        .collect();
    Check {
        id: "subordinate-ids",
        title: "ids that nobody else has",
        state,
        need: Need::Required,
        evidence,
        remedies,
    }
}

struct Overlap<'l> {
    line: &'l str,
    name: &'l str,
    start: u64,
    count: u64,
}

/// `name:start:count`, as subuid(5) has it, if it meets the range of the cells.
fn overlap(line: &str) -> Option<Overlap<'_>> {
    let mut fields = line.trim().split(':');
    let (name, start, count) = (fields.next()?, fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let end: u64 = u64::saturating_add(start, count);
    (start < cell_ids().end && end > cell_ids().start).then_some(Overlap { line, name, start, count })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_with_ids_of_the_cells_is_found_and_an_ordinary_one_is_not() {
        let check = |text: &str| {
            subordinate_ids(&Surroundings { subordinate_ids: text.into(), ..Surroundings::default() })
        };
        assert_eq!(check("me:100000:65536\nyou:165536:65536\n\n# words\n").state, CheckState::Works);
        let found = check("me:100000:65536\nwide:1000000:2000000000\n");
        assert_eq!(found.state, CheckState::Missing);
        assert!(found.evidence.contains("wide:1000000"), "{}", found.evidence);
        assert!(found.remedies[0].command.contains("--del-subuids 1000000-2000999999"), "{found:?}");
        assert_eq!(check(&format!("edge:{}:1", cell_ids().start - 1)).state, CheckState::Works);
        assert_eq!(check(&format!("edge:{}:2", cell_ids().start - 1)).state, CheckState::Missing);
        assert_eq!(check(&format!("edge:{}:9", cell_ids().end)).state, CheckState::Works);
    }
}
