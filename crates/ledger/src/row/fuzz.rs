//! Any text in the columns of an event is refused, or is an event that is written as it was read, on one line.

use super::*;
use cofferdam_fuzz::{fuzz, parts};

#[test]
fn an_event_in_the_ledger_is_read_whole_or_refused() {
    fuzz("ledger_event", target);
}

/// Kind and body.
fn target(input: &[u8]) -> Option<(&'static str, usize)> {
    let [kind, body] = parts::<2>(input).map(String::from_utf8_lossy);
    let event = event_from_columns(&kind, &body).ok()?;
    let (kind_again, body_again) = event_to_columns(&event).ok().unwrap();
    assert_eq!(kind_again, kind);
    assert!(!body_again.chars().any(|c| matches!(c, '\n' | '\r')), "{body_again:?}");
    assert_eq!(event_from_columns(kind_again, &body_again).unwrap(), event);
    Some((kind_again, body_again.matches('"').count()))
}
