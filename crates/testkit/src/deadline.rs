//! Waiting for something to become true, with a deadline that fails the test.
//!
//! It asks again and again; it never takes a passed time for a fact.

use std::time::{Duration, Instant};

/// How long anything may take unless a test says otherwise: generous, for a loaded machine, and
/// shorter than the test runner's patience, whose verdict says less.
pub(crate) const WAIT_SECONDS_MAX: u64 = 30;
/// Between two questions.
const PAUSE_MILLIS: u64 = 5;

/// What `ask` finds, asked until it finds something; `what` says in the failure what was waited for.
#[track_caller]
pub fn until<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    until_within(Duration::from_secs(WAIT_SECONDS_MAX), what, ask)
}

/// As [`until`], with a deadline of one's own.
#[track_caller]
pub fn until_within<T>(within: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + within;
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(Instant::now() < end, "waited {} s in vain for {what}", within.as_secs());
        std::thread::sleep(Duration::from_millis(PAUSE_MILLIS));
    }
}
