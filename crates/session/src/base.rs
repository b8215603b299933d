//! When a session started, by the clock that stamps files, and whether that clock has stepped back since.
//!
//! Noted once, at the first start: what is resumed or refreshed still stands on what was there at first. Within one
//! boot a step shows as a change of the distance between the clock and the time since the boot; from boot to boot only
//! a clock that is behind what it once showed is found out.

use crate::error::{Error, ErrorKind};
use crate::record::boot_id;
use crate::state::SessionPlace;
use cofferdam_ledger::SessionRecord;
use cofferdam_policy::event::UnixNanos;
use cofferdam_workspace::changes::Moment;
use cofferdam_workspace::changeset::base::Base;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// How far two readings of two clocks may lie apart without a step, in nanoseconds.
const READING_NANOS_MAX: i128 = 10_000_000;

/// What is noted at the first start.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    /// By the coarse clock, which inodes are stamped by: no later stamp is older.
    started: Moment,
    /// The clock, less the time since the boot, in nanoseconds.
    distance: i64,
    boot: String,
}

/// Notes the start, if none is noted yet.
pub(crate) fn note(place: &SessionPlace) -> Result<(), Error> {
    let path = place.base();
    if path.exists() {
        return Ok(());
    }
    let coarse = clock_gettime(ClockId::RealtimeCoarse);
    let started = Moment { seconds: coarse.tv_sec, nanos: u32::try_from(coarse.tv_nsec).unwrap_or_default() };
    let boot = boot_id().unwrap_or_default();
    let note = Note { started, distance: i64::try_from(distance()).unwrap_or(i64::MAX), boot };
    let cannot = |error: std::io::Error| {
        Error::new(ErrorKind::State, "cannot note when the session starts")
            .because(error)
            .hint("is the disk full? cofferdam doctor")
    };
    // Made aside and renamed: half a note would be none.
    let partial = path.with_extension("partial");
    let text = serde_json::to_vec(&note).unwrap_or_default();
    std::fs::write(&partial, text).and_then(|()| std::fs::rename(&partial, &path)).map_err(cannot)
}

/// What the owner's files are measured by.
pub(crate) fn of(place: &SessionPlace, record: &SessionRecord, now: UnixNanos) -> Base {
    let note = std::fs::read(place.base()).ok().and_then(|text| serde_json::from_slice::<Note>(&text).ok());
    let Some(note) = note else { return Base::SteppedBack };
    let shown = [Some(record.created_at), record.started_at, record.ended_at];
    let behind = shown.into_iter().flatten().any(|once| once.0 > now.0);
    let started = i128::from(note.started.seconds) * 1_000_000_000 + i128::from(note.started.nanos);
    let same_boot = boot_id().is_some_and(|boot| boot == note.boot);
    let stepped = same_boot && distance() + READING_NANOS_MAX < i128::from(note.distance);
    if behind || stepped || i128::from(now.0) < started {
        Base::SteppedBack
    } else {
        Base::Since(note.started)
    }
}

fn distance() -> i128 {
    let nanos = |clock| {
        let read = clock_gettime(clock);
        i128::from(read.tv_sec) * 1_000_000_000 + i128::from(read.tv_nsec)
    };
    nanos(ClockId::Realtime) - nanos(ClockId::Boottime)
}
