//! Completed reviews: that a person went through all of it, and what was taken.
//!
//! Only a view on a terminal, at its end, calls [`record`]. What counts is the ledger's word for exactly one digest; the
//! file beside it says only which parts that digest was made of, and is believed if they make it again.

use crate::context::Context;
use crate::diff::{Chosen, Digest};
use crate::error::{Error, ErrorKind};
use crate::selection::Selection;
use crate::state::{State, make_private, put_file};
use cofferdam_ledger::{Durability, SessionRecord};
use cofferdam_policy::event::{Event, ReviewNote};
use cofferdam_policy::session_id::SessionId;

/// The most events that are read at once.
const PAGE_EVENTS: u32 = 10_000;

/// The longest selection that is read, in bytes.
const SELECTION_BYTES_MAX: u64 = 256 << 20;

/// Records that a person completed a review of `chosen`, which `selection` made.
///
/// # Errors
/// [`ErrorKind::State`], [`ErrorKind::Ledger`]: what can't be recorded was not reviewed.
pub fn record(
    context: &Context,
    state: &State,
    record: &SessionRecord,
    chosen: &Chosen,
    selection: &Selection,
    notes: Vec<ReviewNote>,
) -> Result<(), Error> {
    let reviews = state.session(&record.id).reviews();
    make_private(&reviews, context.uid)?;
    let text = serde_json::to_vec(selection).unwrap_or_default();
    put_file(&reviews, &format!("{}.json", chosen.digest), &text).map_err(|error| {
        Error::new(ErrorKind::State, "cannot keep what the review took")
            .because(error)
            .hint("is the disk full? cofferdam doctor")
    })?;
    let event = Event::Reviewed { digest: chosen.digest.to_string(), notes };
    state.ledger()?.record(&record.id, (context.now)(), &event, Durability::Disk)?;
    Ok(())
}

/// What the completed review of `digest` took, if that was kept.
#[must_use]
pub fn find(state: &State, record: &SessionRecord, digest: Digest) -> Option<Selection> {
    let path = state.session(&record.id).reviews().join(format!("{digest}.json"));
    let found = std::fs::symlink_metadata(&path).ok()?;
    if !found.is_file() || found.len() > SELECTION_BYTES_MAX {
        return None;
    }
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// Whether the ledger holds a completed review of exactly `digest` in this session.
///
/// # Errors
/// [`ErrorKind::Ledger`].
pub fn is_recorded(state: &State, session: &SessionId, digest: Digest) -> Result<bool, Error> {
    let digest = digest.to_string();
    any_event(
        state,
        session,
        |event| matches!(event, Event::Reviewed { digest: reviewed, .. } if *reviewed == digest),
    )
}

/// Whether an event of the session is as `wanted`.
pub(crate) fn any_event(
    state: &State,
    session: &SessionId,
    wanted: impl Fn(&Event) -> bool,
) -> Result<bool, Error> {
    let ledger = state.ledger()?;
    let mut after = 0;
    loop {
        let page = ledger.events(Some(session), after, PAGE_EVENTS)?;
        if page.iter().any(|recorded| wanted(&recorded.event)) {
            return Ok(true);
        }
        match page.last() {
            Some(last) => after = last.seq,
            None => return Ok(false),
        }
    }
}
