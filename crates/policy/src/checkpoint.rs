//! How often a session's layers are copied by themselves, and how many such copies are kept.
//!
//! What a checkpoint is, and what else is kept, is not known here.

use crate::presets::limits::{Limit, LimitError};

/// The most regular checkpoints that can be asked for.
pub const KEEP_MAX: u32 = 1000;

/// What is asked for; nothing of what is missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RegularCheckpoints {
    /// How long from one to the next, in seconds; never, if missing.
    pub every_seconds: Option<u64>,
    /// How many are kept.
    pub keep: Option<u32>,
}

/// Why a wish for checkpoints is none.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointWishError {
    /// It is no span of time.
    #[error("`checkpoint.every` is no time such as \"10m\"")]
    Every(#[source] LimitError),
    /// It is none, or more than anybody looks through.
    #[error("`checkpoint.keep` is not between 1 and {KEEP_MAX}")]
    Keep,
}

impl RegularCheckpoints {
    /// Of the texts in a policy.
    ///
    /// # Errors
    /// [`CheckpointWishError`].
    pub fn parse(every: Option<&str>, keep: Option<u32>) -> Result<Self, CheckpointWishError> {
        // Written as the time of a session is.
        let seconds = |text: &str| format!("time={text}").parse::<Limit>().map(Limit::value);
        let every_seconds = every.map(seconds).transpose().map_err(CheckpointWishError::Every)?;
        if keep.is_some_and(|keep| keep == 0 || keep > KEEP_MAX) {
            return Err(CheckpointWishError::Keep);
        }
        Ok(Self { every_seconds, keep })
    }

    /// Both wishes: as often and as many as either asks for.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let every_seconds = [self.every_seconds, other.every_seconds].into_iter().flatten().min();
        Self { every_seconds, keep: self.keep.max(other.keep) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_wishes_the_more_careful_one_holds() {
        let one = RegularCheckpoints::parse(Some("10m"), Some(5)).unwrap();
        let other = RegularCheckpoints::parse(Some("90s"), None).unwrap();
        assert_eq!(one.and(other), RegularCheckpoints { every_seconds: Some(90), keep: Some(5) });
        assert_eq!(one.and(RegularCheckpoints::default()), one);
    }

    #[test]
    fn what_is_no_time_or_no_number_is_refused() {
        for every in ["", "0", "0s", "often", "-1m", "1w"] {
            assert!(RegularCheckpoints::parse(Some(every), None).is_err(), "{every}");
        }
        for keep in [0, KEEP_MAX + 1] {
            assert!(RegularCheckpoints::parse(None, Some(keep)).is_err(), "{keep}");
        }
    }
}
