//! What a session is told of what was left in the owner's directories, so that it does not count as the owner's edit.
//!
//! If there is no such session any more, nothing is told. Nothing here writes to the owner's directories.

use super::record::{Member, Record};
use super::tree::Tree;
use crate::base;
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::put;
use crate::state::{SessionPlace, State};
use cofferdam_ledger::SessionRecord;
use cofferdam_policy::session_id::SessionId;
use cofferdam_workspace::apply::{ApplyId, Seen};
use cofferdam_workspace::changeset::put::Put;
use cofferdam_workspace::path::WorkspacePath;
use rustix::fd::AsFd as _;
use rustix::io::Errno;

/// What lies where before it is written; with each path what was seen there, if that is the owner's own.
pub(super) fn expect<'p>(
    (context, state): (&Context, &State),
    (record, member, tree): (&SessionRecord, &Member, &Tree),
    paths: impl IntoIterator<Item = (&'p WorkspacePath, Option<&'p Seen>)>,
) -> Result<(), Error> {
    let Some(place) = place(state, &record.id) else { return Ok(()) };
    let base = base::of(&place, record, (context.now)());
    change(&place, member, tree, |put| put.expect(tree.fd.as_fd(), base, paths))
}

/// When it is known that something was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Learnt {
    /// By who wrote it, at once.
    AtOnce,
    /// By a later command, after a crash.
    Later,
}

/// What the applies (or undos) `id` of these trees wrote, as far as they stand.
pub(super) fn written(
    state: &State,
    record: &Record,
    trees: &[Tree],
    learnt: Learnt,
    id: impl Fn(&Member) -> ApplyId,
) -> Result<(), Error> {
    let Some(place) = place(state, &record.session) else { return Ok(()) };
    for member in &record.members {
        let Some(tree) = trees.iter().find(|tree| tree.path == member.directory) else { continue };
        if !tree.stands(id(member))? {
            continue;
        }
        let paths = tree.put_by(id(member))?;
        change(&place, member, tree, |put| {
            for wrote in paths.iter().filter(|wrote| !member.merged.contains(&wrote.path)) {
                put.note(tree.fd.as_fd(), wrote)?;
            }
            match learnt {
                Learnt::AtOnce => put.settle_written(tree.fd.as_fd())?,
                Learnt::Later => put.settle_found_written(),
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Nothing was written after all, or it was taken back.
pub(super) fn taken_back(state: &State, record: &Record, member: &Member, tree: &Tree) -> Result<(), Error> {
    let Some(place) = place(state, &record.session) else { return Ok(()) };
    change(&place, member, tree, |put| put.settle_taken_back(tree.fd.as_fd()))
}

fn place(state: &State, session: &SessionId) -> Option<SessionPlace> {
    Some(state.session(session)).filter(|place| place.root().exists())
}

fn change(
    place: &SessionPlace,
    member: &Member,
    tree: &Tree,
    change: impl FnOnce(&mut Put) -> Result<(), Errno>,
) -> Result<(), Error> {
    let mut put = put::read(place, member.number)?;
    change(&mut put).map_err(|errno| {
        Error::new(ErrorKind::State, format!("cannot note what was put into {}", tree.path))
            .because(errno)
            .hint("mend the cause; the next command finishes it: cofferdam diff")
    })?;
    put::write(place, member.number, &put)
}
