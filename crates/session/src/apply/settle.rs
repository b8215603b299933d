//! Finishing or taking back what was cut off, over all directories of an apply or undo; and the ends that both share.
//!
//! An apply that is written in every directory is finished; any other is taken back. An undo likewise. Where the owner
//! has edited meanwhile what would be taken back, that stays as it is, and is said.

use super::notes::{self, Learnt};
use super::record::{Locked, Member, Record, Records, Standing};
use super::tree::Tree;
use crate::context::Context;
use crate::error::Error;
use crate::reviewed::any_event;
use crate::state::State;
use cofferdam_ledger::Durability;
use cofferdam_policy::event::Event;
use cofferdam_policy::path::AbsPath;
use cofferdam_workspace::apply::ApplyId;

/// Whether the ledger may know already what is to be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recording {
    New,
    Perhaps,
}

/// Settles everything that was cut off; what touches none of `concerning` must not be in anybody's way. What is left to
/// say comes back. While another is at work nothing was cut off, and nothing is done.
pub(super) fn recover(
    context: &Context,
    state: &State,
    concerning: &[&AbsPath],
) -> Result<Vec<String>, Error> {
    let records = Records::of(state);
    if records.standing(&[Standing::Begun, Standing::Undoing])?.is_empty() {
        return Ok(Vec::new());
    }
    match records.try_lock(context)? {
        Some(locked) => all(context, state, &locked, concerning),
        None => Ok(Vec::new()),
    }
}

/// The same, under the lock.
pub(super) fn all(
    context: &Context,
    state: &State,
    locked: &Locked,
    concerning: &[&AbsPath],
) -> Result<Vec<String>, Error> {
    let mut notes = Vec::new();
    for (record, standing) in locked.records.standing(&[Standing::Begun, Standing::Undoing])? {
        let settled = match standing {
            Standing::Undoing => undoing(context, state, locked, &record),
            Standing::Begun | Standing::Applied | Standing::Undone => begun(context, state, locked, &record),
        };
        let touches = record.members.iter().any(|member| {
            concerning
                .iter()
                .any(|path| member.directory.is_within(path) || path.is_within(&member.directory))
        });
        match settled {
            Ok(note) => notes.extend(note),
            Err(error) if touches => return Err(error),
            Err(error) => notes.push(format!("{error}: {}", error.why())),
        }
    }
    Ok(notes)
}

/// Settles an apply that was begun.
pub(super) fn begun(
    context: &Context,
    state: &State,
    locked: &Locked,
    record: &Record,
) -> Result<Option<String>, Error> {
    let trees = open(locked, record)?;
    let written = standing_by(record, &trees, |member| member.apply)?;
    if written.iter().all(|written| *written) {
        notes::written(state, record, &trees, Learnt::Later, |member| member.apply)?;
        finish_apply(context, state, locked, record, Recording::Perhaps)?;
        return Ok(Some(format!("the apply {} was cut off at its end; it is complete", record.id)));
    }
    let mut stays = Vec::new();
    for ((member, tree), written) in record.members.iter().zip(&trees).zip(written) {
        if !written {
            notes::taken_back(state, record, member, tree)?;
            continue;
        }
        match tree.undo(member.apply, member.undo) {
            Ok(_) => {
                let only = std::slice::from_ref(tree);
                notes::written(state, record, only, Learnt::AtOnce, |member| member.undo)?;
                tree.forget(member.undo);
                tree.forget(member.apply);
            }
            Err(error @ cofferdam_workspace::apply::ApplyError::Conflicts(_)) => {
                stays.push((member.clone(), tree.error("take it back from", error)));
            }
            Err(error) => return Err(tree.error("take it back from", error)),
        }
    }
    let Some((_, why)) = stays.first() else {
        locked.remove(record, Standing::Begun)?;
        return Ok(Some(format!("the apply {} was cut off; it is taken back", record.id)));
    };
    let note = format!("the apply {} was cut off, and stays in part: {why}: {}", record.id, why.why());
    let record = Record { members: stays.into_iter().map(|(member, _)| member).collect(), ..record.clone() };
    locked.write(&record, Standing::Begun)?;
    finish_apply(context, state, locked, &record, Recording::Perhaps)?;
    Ok(Some(note))
}

/// Settles an undo that was begun.
pub(super) fn undoing(
    context: &Context,
    state: &State,
    locked: &Locked,
    record: &Record,
) -> Result<Option<String>, Error> {
    let trees = open(locked, record)?;
    let undone = standing_by(record, &trees, |member| member.undo)?;
    if undone.iter().all(|undone| *undone) {
        finish_undo(context, state, locked, record, Recording::Perhaps)?;
        return Ok(Some(format!("the undo of {} was cut off at its end; it is complete", record.id)));
    }
    let mut note = format!("the undo of {} was cut off; it is as before", record.id);
    let (mut members, mut kept) = (Vec::new(), Vec::new());
    for ((member, tree), undone) in record.members.iter().zip(&trees).zip(undone) {
        if !undone {
            let again = tree.stands(member.redo)?;
            members.push(if again { member.redone()? } else { member.again()? });
            kept.extend((!again).then_some((member, tree)));
            continue;
        }
        match tree.undo(member.undo, member.redo) {
            Ok(_) => members.push(member.redone()?),
            Err(error @ cofferdam_workspace::apply::ApplyError::Conflicts(_)) => {
                let why = tree.error("put it back into", error);
                note =
                    format!("the undo of {} was cut off, and stays in part: {why}: {}", record.id, why.why());
            }
            Err(error) => return Err(tree.error("put it back into", error)),
        }
    }
    let stands = Record { members, ..record.clone() };
    notes::written(state, record, &trees, Learnt::AtOnce, |member| member.redo)?;
    for (member, tree) in kept {
        notes::taken_back(state, record, member, tree)?;
    }
    locked.write(&stands, Standing::Applied)?;
    locked.remove(record, Standing::Undoing)?;
    Ok(Some(note))
}

/// Every directory is written, and the session knows what: the ledger and the record learn it, in this order. Cut off in
/// between, all of it is done again.
pub(super) fn finish_apply(
    context: &Context,
    state: &State,
    locked: &Locked,
    record: &Record,
    recording: Recording,
) -> Result<(), Error> {
    let (apply, digest) = (record.id.to_string(), record.digest.to_string());
    let known = recording == Recording::Perhaps
        && any_event(
            state,
            &record.session,
            |event| matches!(event, Event::Applied { apply: known, .. } if *known == apply),
        )?;
    if !known {
        let event = Event::Applied { apply, digest, entries: record.entries };
        state.ledger()?.record(&record.session, (context.now)(), &event, Durability::Disk)?;
    }
    locked.restand(record, Standing::Begun, Standing::Applied)
}

/// Every directory is as before; what the apply kept is not needed any more.
pub(super) fn finish_undo(
    context: &Context,
    state: &State,
    locked: &Locked,
    record: &Record,
    recording: Recording,
) -> Result<(), Error> {
    let trees = open(locked, record)?;
    let learnt = match recording {
        Recording::New => Learnt::AtOnce,
        Recording::Perhaps => Learnt::Later,
    };
    notes::written(state, record, &trees, learnt, |member| member.undo)?;
    let apply = record.id.to_string();
    let known = recording == Recording::Perhaps
        && any_event(
            state,
            &record.session,
            |event| matches!(event, Event::Undone { apply: known } if *known == apply),
        )?;
    if !known {
        state.ledger()?.record(
            &record.session,
            (context.now)(),
            &Event::Undone { apply },
            Durability::Disk,
        )?;
    }
    locked.restand(record, Standing::Undoing, Standing::Undone)?;
    for (member, tree) in record.members.iter().zip(&trees) {
        tree.forget(member.undo);
        tree.forget(member.apply);
    }
    Ok(())
}

fn open(locked: &Locked, record: &Record) -> Result<Vec<Tree>, Error> {
    let trees: Vec<Tree> = record
        .members
        .iter()
        .map(|member| Tree::open(locked, &member.directory))
        .collect::<Result<_, _>>()?;
    trees.iter().try_for_each(Tree::recover)?;
    Ok(trees)
}

fn standing_by(record: &Record, trees: &[Tree], id: impl Fn(&Member) -> ApplyId) -> Result<Vec<bool>, Error> {
    record.members.iter().zip(trees).map(|(member, tree)| tree.stands(id(member))).collect()
}
