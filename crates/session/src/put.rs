//! What applies and undos left in the directories that a session works on, kept with the session.
//!
//! Losing it loses nobody's edits: what we put would then count as edited by the owner, and stay.

use crate::error::{Error, ErrorKind};
use crate::state::SessionPlace;
use cofferdam_workspace::changeset::put::Put;
use std::io::ErrorKind as IoKind;

/// What was left in the original of layer `number`.
pub(crate) fn read(place: &SessionPlace, number: usize) -> Result<Put, Error> {
    match std::fs::read(place.put(number)) {
        // What is not understood tells nothing.
        Ok(text) => Ok(serde_json::from_slice(&text).unwrap_or_default()),
        Err(error) if error.kind() == IoKind::NotFound => Ok(Put::default()),
        Err(error) => Err(Error::new(ErrorKind::State, "cannot read what earlier applies put")
            .because(error)
            .hint("cofferdam doctor")),
    }
}

/// Keeps it.
pub(crate) fn write(place: &SessionPlace, number: usize, put: &Put) -> Result<(), Error> {
    let text = serde_json::to_vec(put).unwrap_or_default();
    let path = place.put(number);
    let partial = path.with_extension("partial");
    // Not flushed: a loss of power may take it, and nobody waits for the disk here.
    std::fs::write(&partial, text).and_then(|()| std::fs::rename(&partial, &path)).map_err(|error| {
        Error::new(ErrorKind::State, "cannot note what was put")
            .because(error)
            .hint("is the disk full? cofferdam doctor")
    })
}
