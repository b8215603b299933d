//! How often an owner is asked who keeps saying no.
//!
//! An agent that asks again and again would have the terminal to itself, and an approval sooner or later. After some
//! denials within a short while nobody is asked for as long. Who is asked, and what, is not decided here.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// So many denials within [`WITHIN`] are enough.
const DENIALS_MAX: usize = 5;
/// Both how long a denial counts, and for how long nobody is asked.
const WITHIN: Duration = Duration::from_secs(60);

/// The owner's denials of late.
#[derive(Debug, Default)]
pub(super) struct Patience {
    denials: VecDeque<Instant>,
    ended: Option<Instant>,
}

impl Patience {
    /// Counts a denial; whether it was the one with which patience ends.
    pub(super) fn denied(&mut self, now: Instant) -> bool {
        self.denials.push_back(now);
        self.forget(now);
        let is_over = self.denials.len() >= DENIALS_MAX;
        if is_over {
            self.denials.clear();
            self.ended = Some(now);
        }
        is_over
    }

    /// Whether what is asked for now is refused without a question.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.ended.is_some_and(|ended| now.saturating_duration_since(ended) < WITHIN)
    }

    /// Whether one more denial would end it.
    pub(super) fn is_short(&self, now: Instant) -> bool {
        let counts = |at: &&Instant| now.saturating_duration_since(**at) < WITHIN;
        self.denials.iter().filter(counts).count() + 1 >= DENIALS_MAX
    }

    fn forget(&mut self, now: Instant) {
        while self.denials.front().is_some_and(|at| now.saturating_duration_since(*at) >= WITHIN) {
            self.denials.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_denials_within_a_minute_end_the_questions_for_a_minute() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut patience = Patience::default();
        for second in 0..4 {
            assert!(!patience.is_short(at(second)) && !patience.denied(at(second)));
        }
        assert!(patience.is_short(at(4)) && !patience.is_over(at(4)));
        assert!(patience.denied(at(4)));
        assert!(patience.is_over(at(4)) && patience.is_over(at(63)) && !patience.is_over(at(64)));
        assert!(!patience.is_short(at(64)), "then it begins anew");
    }

    #[test]
    fn denials_now_and_then_are_no_end_of_patience() {
        let begun = Instant::now();
        let mut patience = Patience::default();
        let ended = (0..40).any(|number| patience.denied(begun + Duration::from_secs(15 * number)));
        assert!(!ended);
    }
}
