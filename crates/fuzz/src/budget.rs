//! How long a run lasts and where its randomness comes from.
//!
//! Without a word from outside a run is short and the same every time: a test. With one it is as long as was said,
//! and different every time.

use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

/// The variable that makes a run a long one.
const SECONDS: &str = "COFFERDAM_FUZZ_SECONDS";

/// Inputs of a short run.
const SHORT_INPUTS_MAX: u64 = 20_000;

/// A short run on a slow machine ends here.
const SHORT_TIME_MAX: Duration = Duration::from_millis(1_500);

const SHORT_SEED: u64 = 1;

/// What is left of a run.
#[derive(Debug)]
pub(crate) struct Budget {
    ends: Instant,
    inputs_left: u64,
    seed: u64,
}

impl Budget {
    pub(crate) fn from_environment() -> Self {
        let Ok(text) = std::env::var(SECONDS) else {
            return Self::new(SHORT_TIME_MAX, SHORT_INPUTS_MAX, SHORT_SEED);
        };
        match text.parse() {
            Ok(seconds) => Self::new(Duration::from_secs(seconds), u64::MAX, RandomState::new().hash_one(0)),
            Err(error) => panic!("{SECONDS} is not a number of seconds: {error}"),
        }
    }

    fn new(time: Duration, inputs_left: u64, seed: u64) -> Self {
        Self { ends: Instant::now() + time, inputs_left, seed }
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// Whether there may be one more input.
    pub(crate) fn goes_on(&mut self) -> bool {
        self.inputs_left = self.inputs_left.saturating_sub(1);
        self.inputs_left > 0 && Instant::now() < self.ends
    }
}
