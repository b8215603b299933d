//! To whom the files belong that are made for a cell.
//!
//! Only arithmetic on ids: it changes the owner of nothing by itself.

use rustix::fs::{Gid, Uid};

/// How many ids a cell of uid 0 has.
const RANGE_IDS: u32 = 65_536;

/// What uid 0 of the host is shown as, so that the agent is not root in its cell.
const OWNER_INSIDE: u32 = 1_000;

/// Shown for ids beyond the range (`nobody`).
const OVERFLOW: u32 = 65_534;

/// How an id of the host appears on files that are made for a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// As it is: the cell runs under the owner's own uid.
    AsIs,
    /// The owner is uid 0 and the cell has the host's ids from `base` on. 0 and 1000 change places.
    Shifted {
        /// The host's id for the cell's id 0.
        base: u32,
    },
}

impl Ownership {
    /// The id that a file made for the cell carries on disk, if the owner's has `id`.
    #[must_use]
    pub const fn map(self, id: u32) -> u32 {
        let base = match self {
            Self::AsIs => return id,
            Self::Shifted { base } => base,
        };
        base.saturating_add(match id {
            0 => OWNER_INSIDE,
            OWNER_INSIDE => 0,
            OVERFLOW => OVERFLOW,
            1..RANGE_IDS => id,
            RANGE_IDS.. => OVERFLOW,
        })
    }

    /// The owner's id for one found on a file of the cell, or `None` if it lies outside the range.
    #[must_use]
    pub const fn unmap(self, id: u32) -> Option<u32> {
        let base = match self {
            Self::AsIs => return Some(id),
            Self::Shifted { base } => base,
        };
        match id.checked_sub(base) {
            Some(0) => Some(OWNER_INSIDE),
            Some(OWNER_INSIDE) => Some(0),
            Some(inside) if inside < RANGE_IDS => Some(inside),
            Some(_) | None => None,
        }
    }

    pub(crate) fn uid(self, uid: u32) -> Uid {
        Uid::from_raw(self.map(uid))
    }

    pub(crate) fn gid(self, gid: u32) -> Gid {
        Gid::from_raw(self.map(gid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn root_of_the_host_is_shown_as_an_ordinary_user_and_the_other_way_round() {
        let shifted = Ownership::Shifted { base: 1_000_000 };
        assert_eq!(shifted.map(0), 1_001_000);
        assert_eq!(shifted.map(1000), 1_000_000);
        assert_eq!(shifted.map(5), 1_000_005);
        assert_eq!(shifted.map(70_000), 1_065_534);
        assert_eq!(Ownership::AsIs.map(0), 0);
    }

    proptest! {
        #[test]
        fn an_id_within_the_range_comes_back(id in 0u32..65_536, base in 65_536u32..1_000_000_000) {
            let shifted = Ownership::Shifted { base };
            prop_assert_eq!(shifted.unmap(shifted.map(id)), Some(id));
        }

        #[test]
        fn no_file_for_a_cell_ever_belongs_to_an_id_outside_its_range(id in any::<u32>(), base in 65_536u32..1_000_000_000) {
            let mapped = Ownership::Shifted { base }.map(id);
            prop_assert!((base..base + 65_536).contains(&mapped));
        }
    }
}
