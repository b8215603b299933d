//! `cofferdam review`: a person goes through what a session changed, and chooses.
//!
//! On a terminal it is a view of its own; into a pipe it is what `diff` prints, in the order of a review, and completes
//! nothing. What is chosen is handed on; nothing is written here.

mod cells;
mod choices;
mod colour;
mod gather;
mod item;
mod keys;
mod model;
mod page;
mod paint;
mod palette;
mod run;
mod view;

#[cfg(test)]
mod tests;

use crate::output::{Output, Tone, toned};
use cofferdam_policy::event::ReviewNote;
use cofferdam_session::context::Context;
use cofferdam_session::diff::{self, Chosen, Diff, Refusal};
use cofferdam_session::error::{Error, ErrorKind};
use cofferdam_session::reviewed;
use cofferdam_session::screen::Screen;
use cofferdam_session::selection::{Selection, Take};
use cofferdam_session::sessions::{self, SessionRecord};
use cofferdam_session::state::State;
use gather::gather;
use model::{End, Model};
use palette::Palette;
use std::ffi::OsStr;

/// What a person chose.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Outcome {
    pub(crate) selection: Selection,
    pub(crate) notes: Vec<ReviewNote>,
    /// Every entry was decided, and the whole was confirmed. If not, the rest says nothing.
    pub(crate) completed: bool,
}

pub(super) fn command(context: &Context, output: &Output, asked: Option<&str>) -> Result<u8, Error> {
    let state = State::open(context)?;
    let record = super::find(context, &state, output, asked)?;
    let authority = sessions::authority(&record)?;
    let diff = diff::of(context, &state, &record, &authority)?;
    if output.json || !Screen::is_there() {
        return plain(context, output, &record, &diff);
    }
    output.say_chosen();
    if diff.directories.iter().all(|directory| directory.set.entries.is_empty()) {
        return super::diff::print_in_order(context, output, &record, &diff, &[]).map(|()| 0);
    }
    let outcome = review(context, &record, &diff)?;
    if !outcome.completed {
        return Err(Error::new(ErrorKind::Declined, "cannot finish the review")
            .since("you left it: nothing is recorded")
            .hint(format!("cofferdam review {}", record.name.as_str())));
    }
    completed(context, &state, output, &record, &diff, outcome)
}

/// Shows a change set on the terminal until the person has decided or leaves.
///
/// # Errors
/// [`ErrorKind::Declined`] if it is interrupted or there is no terminal, [`ErrorKind::Internal`] if that can't be used.
pub(crate) fn review(context: &Context, record: &SessionRecord, diff: &Diff) -> Result<Outcome, Error> {
    if !Screen::is_there() {
        return Err(Error::new(ErrorKind::Declined, "cannot show the review")
            .since("there is no terminal to show it on")
            .hint("cofferdam diff shows the same into a pipe"));
    }
    let (gathered, items, folded) = gather(diff);
    let mut model = Model::new(&gathered, record.name.as_str().to_owned(), items, folded);
    let variable =
        |name: &str| Some(context.environment.get(OsStr::new(name))?.to_string_lossy().into_owned());
    let end = run::run(&mut model, Palette::of(variable))?;
    Ok(match end {
        End::Quit => Outcome::default(),
        End::Finished => Outcome {
            selection: links_alone(diff, model.selection()),
            notes: model.notes.into_iter().map(|(_, note)| note).collect(),
            completed: true,
        },
    })
}

/// Whoever takes a link that leads out takes it by itself: no other key does.
fn links_alone(diff: &Diff, mut selection: Selection) -> Selection {
    for directory in &diff.directories {
        let links = directory.set.entries.iter().filter(|entry| entry.refused.is_some_and(Refusal::is_link));
        for entry in links {
            if selection.of(&directory.path, &entry.path).is_some() {
                selection.take(&directory.path, &entry.path, Take::Alone);
            }
        }
    }
    selection
}

/// What follows a completed review: it is recorded, and the next command is said.
fn completed(
    context: &Context,
    state: &State,
    output: &Output,
    record: &SessionRecord,
    diff: &Diff,
    outcome: Outcome,
) -> Result<u8, Error> {
    let name = record.name.as_str();
    let chosen = recorded(context, state, record, diff, outcome)?;
    let total: usize = diff.directories.iter().map(|directory| directory.set.entries.len()).sum();
    output.line(&format!("reviewed {name}: {} of {total} taken", chosen.entries()));
    if chosen.entries() > 0 {
        output.line(&toned(Tone::Dim, &format!("cofferdam apply -s {name} --digest {}", chosen.digest)));
    }
    Ok(0)
}

/// Writes down that the review was completed, and gives what it took.
///
/// # Errors
/// As [`Diff::select`] and [`reviewed::record`].
pub(crate) fn recorded(
    context: &Context,
    state: &State,
    record: &SessionRecord,
    diff: &Diff,
    outcome: Outcome,
) -> Result<Chosen, Error> {
    let chosen = diff.select(&outcome.selection)?;
    if chosen.entries() > 0 {
        reviewed::record(context, state, record, &chosen, &outcome.selection, outcome.notes)?;
    }
    Ok(chosen)
}

/// The digest of what is taken.
fn digest_of(diff: &Diff, selection: &Selection) -> Option<String> {
    diff.select(selection).ok().filter(|chosen| chosen.entries() > 0).map(|chosen| chosen.digest.to_string())
}

/// Off a terminal: the same as `diff`, the most notable first.
fn plain(context: &Context, output: &Output, record: &SessionRecord, diff: &Diff) -> Result<u8, Error> {
    let (gathered, _, _) = gather(diff);
    super::diff::print_in_order(context, output, record, diff, &gathered.every)?;
    output.aside("this completes no review: that takes a terminal");
    Ok(0)
}
