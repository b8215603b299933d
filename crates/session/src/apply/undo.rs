//! Taking an apply back, in any order, also when its session is gone; and the list of those that there are.

use super::record::{Record, Records, Standing};
use super::settle::{self, Recording};
use super::tree::Tree;
use super::{hold, lock, notes};
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::sessions;
use crate::state::State;
use cofferdam_ledger::SessionRecord;
use cofferdam_policy::event::UnixNanos;
use cofferdam_policy::path::AbsPath;
use cofferdam_policy::session_id::SessionId;
use cofferdam_workspace::apply::ApplyError;
use cofferdam_workspace::path::WorkspacePath;

/// An apply as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// What `undo` takes; the beginning is enough where there is no other that begins so.
    pub id: String,
    /// When.
    pub at: UnixNanos,
    /// Over exactly what was written, in hexadecimal.
    pub digest: String,
    /// How many entries.
    pub entries: u64,
    /// Whether it was taken back.
    pub undone: bool,
}

/// An apply that was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    /// Which.
    pub id: String,
    /// Of which session.
    pub session: String,
    /// How many entries it had.
    pub entries: u64,
    /// In which directories.
    pub directories: Vec<String>,
    /// What was settled before.
    pub notes: Vec<String>,
    /// Other sessions that run on these directories.
    pub others: Vec<String>,
}

/// The applies of a session, the earliest first.
///
/// # Errors
/// [`ErrorKind::State`].
pub fn list(state: &State, session: &SessionId) -> Result<Vec<Listed>, Error> {
    let all = Records::of(state).standing(&[Standing::Applied, Standing::Undoing, Standing::Undone])?;
    let own = all.into_iter().filter(|(record, _)| record.session == *session);
    Ok(own
        .map(|(record, standing)| Listed {
            id: record.id.to_string(),
            at: record.at,
            digest: record.digest.to_string(),
            entries: record.entries,
            undone: standing == Standing::Undone,
        })
        .collect())
}

/// Takes an apply back: the one that begins with `asked`, or the latest that stands of the session (named or found for
/// the current directory), or of this directory where the session is gone.
///
/// # Errors
/// [`ErrorKind::Nothing`] if there is none, [`ErrorKind::Usage`] if several begin so, [`ErrorKind::Conflict`] if the owner
/// edited since; otherwise as [`super::apply`].
pub fn undo(
    context: &Context,
    state: &State,
    session: Option<&str>,
    asked: Option<&str>,
) -> Result<Undone, Error> {
    let locked = lock(context, state)?;
    let notes = settle::all(context, state, &locked, &[])?;
    let record = find(context, state, &locked.records, session, asked)?;
    let live = state.ledger()?.session(&record.session).ok();
    let _held = if let Some(live) = &live {
        // A session that ran and was never recorded as ended is not in the way.
        let now = sessions::find(context, state, Some(live.id.as_str())).unwrap_or_else(|_gone| live.clone());
        Some(hold(state, &now)?)
    } else {
        None
    };
    let directories: Vec<&AbsPath> = record.members.iter().map(|member| &member.directory).collect();
    let mut trees = Vec::new();
    for directory in &directories {
        let tree = Tree::open(&locked, directory)?;
        tree.recover()?;
        trees.push(tree);
    }
    locked.restand(&record, Standing::Applied, Standing::Undoing)?;
    for (member, tree) in record.members.iter().zip(&trees) {
        let done = expect(context, state, live.as_ref(), (member, tree)).and_then(|()| {
            tree.undo(member.apply, member.undo).map_err(|error| {
                let is_edited = matches!(error, ApplyError::Conflicts(_));
                let told = tree.error("undo the apply in", error);
                match is_edited {
                    true => told.hint(format!(
                        "put these back as the apply left them, then: cofferdam undo {}",
                        record.id
                    )),
                    false => told,
                }
            })
        });
        if let Err(error) = done {
            // The first failure is the one worth telling; what can't be put back now is by the next command.
            settle::undoing(context, state, &locked, &record).or(Ok::<_, Error>(None))?;
            return Err(error);
        }
    }
    settle::finish_undo(context, state, &locked, &record, Recording::New)?;
    let others = match &live {
        Some(live) => super::others(context, state, live, &directories)?,
        None => Vec::new(),
    };
    Ok(Undone {
        id: record.id.to_string(),
        session: record.name.clone(),
        entries: record.entries,
        directories: directories.iter().map(|path| path.as_str().to_owned()).collect(),
        notes,
        others,
    })
}

fn expect(
    context: &Context,
    state: &State,
    live: Option<&SessionRecord>,
    (member, tree): (&super::record::Member, &Tree),
) -> Result<(), Error> {
    let Some(live) = live else { return Ok(()) };
    let paths: Vec<WorkspacePath> = tree.put_by(member.apply)?.into_iter().map(|put| put.path).collect();
    notes::expect((context, state), (live, member, tree), paths.iter().map(|path| (path, None)))
}

fn find(
    context: &Context,
    state: &State,
    records: &Records,
    session: Option<&str>,
    asked: Option<&str>,
) -> Result<Record, Error> {
    let mut all = records.standing(&[Standing::Applied, Standing::Undone])?;
    if let Some(session) = session {
        all.retain(|(record, _)| record.name == session || record.session.as_str().starts_with(session));
    }
    if let Some(asked) = asked {
        all.retain(|(record, _)| record.id.to_string().starts_with(asked));
        return one(all, asked);
    }
    let mut standing: Vec<Record> = all
        .into_iter()
        .filter(|(_, standing)| *standing == Standing::Applied)
        .map(|(record, _)| record)
        .collect();
    if session.is_none() {
        let here = |record: &Record| {
            record.members.iter().any(|member| context.current.starts_with(member.directory.as_path()))
        };
        let meant = sessions::find(context, state, None).ok().map(|found| found.id);
        let own = |record: &Record| meant.as_ref() == Some(&record.session);
        if standing.iter().any(own) {
            standing.retain(own);
        } else {
            standing.retain(here);
        }
    }
    standing.pop().ok_or_else(|| nothing("no apply stands that could be undone"))
}

fn one(mut found: Vec<(Record, Standing)>, asked: &str) -> Result<Record, Error> {
    let several = found.len();
    match found.pop() {
        Some((record, Standing::Applied)) if several == 1 => Ok(record),
        Some((record, _)) if several == 1 => {
            Err(nothing(&format!("the apply {} is undone already", record.id)))
        }
        Some(_) => Err(Error::new(ErrorKind::Usage, "cannot tell which apply is meant")
            .since(format!("{several} begin with {asked:?}"))
            .hint("type more of it; they are listed by: cofferdam show")),
        None => Err(nothing(&format!("there is no apply {asked:?}"))),
    }
}

fn nothing(why: &str) -> Error {
    Error::new(ErrorKind::Nothing, "there is nothing to undo")
        .since(why)
        .hint("see what was applied: cofferdam show")
}
