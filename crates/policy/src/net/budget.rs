//! How much may pass under one grant: bytes, requests, requests a second.
//!
//! Only the numbers and their spellings; counting is the gateway's.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

/// What one grant lets through in one session; what is not said is not bounded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Budget {
    /// Bytes to the origin: heads and bodies of requests.
    pub up: Option<ByteCount>,
    /// Bytes from the origin.
    pub down: Option<ByteCount>,
    /// Requests; connections, where no requests are seen.
    pub requests: Option<u64>,
    /// Requests (or connections) a second.
    pub rate: Option<Rate>,
}

impl Budget {
    /// Nothing is bounded.
    pub const UNBOUNDED: Self = Self { up: None, down: None, requests: None, rate: None };

    /// What is within both, bound by bound.
    #[must_use]
    pub fn narrowest(self, other: Self) -> Self {
        fn less<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
            match (one, other) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            }
        }
        Self {
            up: less(self.up, other.up),
            down: less(self.down, other.down),
            requests: less(self.requests, other.requests),
            rate: less(self.rate, other.rate),
        }
    }
}

/// Why a text is no amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BudgetError {
    /// Not a size.
    #[error("`{0}` is no size: write a whole number and B, kB, MB, GB, TB, KiB, MiB, GiB or TiB")]
    Size(String),
    /// Not a rate.
    #[error("`{0}` is no rate: write a whole number of requests a second, as in 20/s")]
    Rate(String),
    /// Not a number of requests.
    #[error("`{0}` is no number of requests")]
    Requests(String),
}

/// A number of bytes, written with a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ByteCount(pub u64);

const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
];

impl FromStr for ByteCount {
    type Err = BudgetError;

    fn from_str(text: &str) -> Result<Self, BudgetError> {
        let wrong = || BudgetError::Size(text.to_owned());
        let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at_checked(end).ok_or_else(wrong)?;
        let unit = unit.strip_prefix(' ').unwrap_or(unit);
        let number: u64 = number.parse().ok().ok_or_else(wrong)?;
        let unit = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit));
        let bytes = unit.and_then(|(_, factor)| number.checked_mul(*factor));
        bytes.map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, factor): &&(&str, u64)| self.0 > 0 && self.0.is_multiple_of(*factor);
        let (name, factor) = UNITS.iter().find(fits).unwrap_or(&("B", 1));
        write!(f, "{}{name}", self.0 / factor)
    }
}

/// Requests a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate {
    /// At most so many a second, on average; the gateway lets as many come at once.
    pub per_second: NonZeroU32,
}

impl FromStr for Rate {
    type Err = BudgetError;

    fn from_str(text: &str) -> Result<Self, BudgetError> {
        let number =
            text.strip_suffix("/s").filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
        let per_second = number.and_then(|number| number.parse().ok());
        per_second.map(|per_second| Self { per_second }).ok_or_else(|| BudgetError::Rate(text.to_owned()))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.per_second)
    }
}

impl TryFrom<String> for ByteCount {
    type Error = BudgetError;

    fn try_from(text: String) -> Result<Self, BudgetError> {
        text.parse()
    }
}

impl From<ByteCount> for String {
    fn from(count: ByteCount) -> Self {
        count.to_string()
    }
}

impl TryFrom<String> for Rate {
    type Error = BudgetError;

    fn try_from(text: String) -> Result<Self, BudgetError> {
        text.parse()
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_what_it_is_called() {
        for (text, bytes) in [
            ("3B", 3),
            ("3kB", 3_000),
            ("3KiB", 3 * 1024),
            ("3MB", 3_000_000),
            ("3MiB", 3 * 1024 * 1024),
            ("3GB", 3_000_000_000),
            ("3GiB", 3 * 1024 * 1024 * 1024),
            ("3TB", 3_000_000_000_000),
            ("3TiB", 3 * 1024 * 1024 * 1024 * 1024),
        ] {
            assert_eq!(text.parse(), Ok(ByteCount(bytes)), "{text}");
        }
    }

    #[test]
    fn a_bound_that_is_written_down_is_read_again() {
        let (count, rate): (ByteCount, Rate) = ("5MiB".parse().unwrap(), "20/s".parse().unwrap());
        assert_eq!(String::from(count).parse(), Ok(count));
        assert_eq!(String::from(rate).parse(), Ok(rate));
        assert_eq!((String::from(count), String::from(rate)), ("5MiB".to_owned(), "20/s".to_owned()));
    }
}
