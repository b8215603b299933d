//! Which rows of an entry have been on the screen.

/// A bit a row; the bits are forgotten when all are set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Seen {
    #[default]
    Nothing,
    Some {
        rows: Vec<u64>,
        left: usize,
    },
    All,
}

impl Seen {
    /// Row `row` of `total` was seen.
    pub(super) fn see(&mut self, row: usize, total: usize) {
        if *self == Self::Nothing {
            *self = Self::Some { rows: vec![0; total.div_ceil(64)], left: total };
        }
        let Self::Some { rows, left } = self else { return };
        let Some(word) = rows.get_mut(row / 64) else { return };
        let bit = 1 << (row % 64);
        if *word & bit == 0 {
            *word |= bit;
            *left = left.saturating_sub(1);
        }
        if *left == 0 {
            *self = Self::All;
        }
    }

    /// There is nothing in it to be seen.
    pub(super) fn see_nothing(&mut self) {
        *self = Self::All;
    }

    pub(super) fn is_complete(&self) -> bool {
        match self {
            Self::All => true,
            Self::Nothing | Self::Some { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_seen_only_when_every_row_was() {
        let mut seen = Seen::default();
        for row in (0..130).rev().chain(0..129) {
            assert!(!seen.is_complete() || row < 129);
            seen.see(row, 130);
        }
        assert!(seen.is_complete());
        let mut other = Seen::default();
        (0..100).for_each(|_| other.see(5, 6));
        assert!(!other.is_complete(), "one row again and again is one row");
    }
}
