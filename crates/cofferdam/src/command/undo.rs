//! `cofferdam undo`: takes an apply back.

use super::apply::others;
use crate::arguments::UndoArguments;
use crate::output::{Output, Tone, toned};
use cofferdam_session::apply;
use cofferdam_session::context::Context;
use cofferdam_session::error::Error;
use cofferdam_session::state::State;

pub(super) fn undo(context: &Context, output: &Output, arguments: &UndoArguments) -> Result<u8, Error> {
    let state = State::open(context)?;
    let undone = apply::undo(context, &state, arguments.session.as_deref(), arguments.apply.as_deref())?;
    for note in &undone.notes {
        output.aside(note);
    }
    output.object(&serde_json::json!({
        "apply": undone.id, "session": undone.session, "entries": undone.entries, "directories": undone.directories,
        "undone": true, "refresh": undone.others,
    }))?;
    let noun = if undone.entries == 1 { "entry is" } else { "entries are" };
    let what = format!("undone: {} {noun} as before the apply {}", undone.entries, undone.id);
    output.line(&toned(Tone::Good, &what));
    others(output, &undone.others);
    Ok(0)
}
