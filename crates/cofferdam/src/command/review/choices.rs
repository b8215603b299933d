//! What a person has decided, entry by entry and change by change, and how to take it back.
//!
//! Nothing is chosen by itself. What an entry is, and whether it may be taken at all, is asked elsewhere.

use cofferdam_session::selection::Take;
use std::collections::BTreeSet;
use std::ops::Range;

/// The most decisions that can be taken back.
const UNDONE_MAX: usize = 10_000;

/// Of one entry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Choice {
    #[default]
    Open,
    Taken,
    Left,
    /// By change; nothing where none was decided.
    Parts(Vec<Option<bool>>),
}

/// How an entry, or a part of it, stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Open,
    Taken,
    Left,
    /// Decided: some of it is taken.
    Partly,
}

impl Choice {
    pub(super) fn standing(&self) -> Standing {
        match self {
            Self::Open => Standing::Open,
            Self::Taken => Standing::Taken,
            Self::Left => Standing::Left,
            Self::Parts(parts) => of_parts(parts),
        }
    }

    /// Of some of its changes.
    pub(super) fn of(&self, changes: Range<u32>) -> Standing {
        match self {
            Self::Open | Self::Taken | Self::Left => self.standing(),
            Self::Parts(parts) => of_parts(parts.get(usable(&changes)).unwrap_or_default()),
        }
    }

    /// With these of its `total` changes decided.
    fn with(&self, changes: Range<u32>, total: u32, taken: bool) -> Self {
        let filled = |value| vec![value; usize::try_from(total).unwrap_or_default()];
        let mut parts = match self {
            Self::Open => filled(None),
            Self::Taken => filled(Some(true)),
            Self::Left => filled(Some(false)),
            Self::Parts(parts) => parts.clone(),
        };
        parts.get_mut(usable(&changes)).unwrap_or_default().fill(Some(taken));
        match of_parts(&parts) {
            Standing::Taken => Self::Taken,
            Standing::Left => Self::Left,
            Standing::Open | Standing::Partly => Self::Parts(parts),
        }
    }

    /// Of an entry that is taken in part: how much.
    pub(super) fn parts_taken(&self) -> Option<String> {
        match self {
            Self::Open | Self::Taken | Self::Left => None,
            Self::Parts(parts) => {
                let taken = parts.iter().filter(|part| **part == Some(true)).count();
                (taken > 0).then(|| format!("{taken} of {} changes", parts.len()))
            }
        }
    }

    /// What is taken of it.
    pub(super) fn take(&self) -> Option<Take> {
        match self {
            Self::Open | Self::Left => None,
            Self::Taken => Some(Take::Whole),
            Self::Parts(parts) => {
                let taken: BTreeSet<u32> = (0..)
                    .zip(parts)
                    .filter(|(_, part)| **part == Some(true))
                    .map(|(number, _)| number)
                    .collect();
                (!taken.is_empty()).then_some(Take::Changes(taken))
            }
        }
    }
}

fn of_parts(parts: &[Option<bool>]) -> Standing {
    if parts.iter().any(Option::is_none) {
        Standing::Open
    } else if parts.iter().all(|part| *part == Some(true)) {
        Standing::Taken
    } else if parts.iter().all(|part| *part == Some(false)) {
        Standing::Left
    } else {
        Standing::Partly
    }
}

fn usable(changes: &Range<u32>) -> Range<usize> {
    let usable = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
    usable(changes.start)..usable(changes.end)
}

/// All of them.
#[derive(Debug)]
pub(super) struct Choices {
    of: Vec<Choice>,
    undo: Vec<Vec<(usize, Choice)>>,
}

impl Choices {
    pub(super) fn new(entries: usize) -> Self {
        Self { of: vec![Choice::Open; entries], undo: Vec::new() }
    }

    pub(super) fn of(&self, entry: usize) -> &Choice {
        self.of.get(entry).unwrap_or(&Choice::Open)
    }

    /// Decides some of the `total` changes of an entry.
    pub(super) fn decide_part(&mut self, entry: usize, changes: Range<u32>, total: u32, taken: bool) {
        let choice = self.of(entry).with(changes, total, taken);
        self.put(vec![(entry, choice)]);
    }

    /// Decides whole entries, as one act.
    pub(super) fn decide(&mut self, entries: impl IntoIterator<Item = usize>, taken: bool) {
        let choice = if taken { Choice::Taken } else { Choice::Left };
        self.put(entries.into_iter().map(|entry| (entry, choice.clone())).collect());
    }

    /// Decides what is still open of these entries, as one act; what was decided of them stays.
    pub(super) fn decide_rest(&mut self, entries: impl IntoIterator<Item = usize>, taken: bool) {
        let rest = |entry: usize| {
            let choice = match self.of(entry) {
                Choice::Parts(parts) => {
                    let parts: Vec<_> = parts.iter().map(|part| Some(part.unwrap_or(taken))).collect();
                    Choice::Parts(parts)
                }
                Choice::Open if taken => Choice::Taken,
                Choice::Open => Choice::Left,
                decided @ (Choice::Taken | Choice::Left) => decided.clone(),
            };
            (entry, choice)
        };
        let act = entries.into_iter().map(rest).collect();
        self.put(act);
    }

    fn put(&mut self, act: Vec<(usize, Choice)>) {
        let mut before = Vec::with_capacity(act.len());
        for (entry, choice) in act {
            if let Some(place) = self.of.get_mut(entry) {
                before.push((entry, std::mem::replace(place, choice)));
            }
        }
        if self.undo.len() == UNDONE_MAX {
            self.undo.remove(0);
        }
        self.undo.push(before);
    }

    /// Takes the last act back; says which entry it began with.
    pub(super) fn undo(&mut self) -> Option<usize> {
        let act = self.undo.pop()?;
        let first = act.first().map(|(entry, _)| *entry);
        for (entry, choice) in act.into_iter().rev() {
            if let Some(place) = self.of.get_mut(entry) {
                *place = choice;
            }
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_decided_change_by_change_adds_up_and_can_be_taken_back() {
        let mut choices = Choices::new(2);
        choices.decide_part(0, 0..1, 3, true);
        assert_eq!(choices.of(0).standing(), Standing::Open);
        assert_eq!(choices.of(0).of(0..1), Standing::Taken);
        choices.decide_part(0, 1..3, 3, false);
        assert_eq!(choices.of(0).standing(), Standing::Partly);
        assert_eq!(choices.of(0).take(), Some(Take::Changes([0].into())));
        choices.decide_part(0, 1..3, 3, true);
        assert_eq!(choices.of(0).take(), Some(Take::Whole), "all changes are the whole");
        choices.decide([0, 1], false);
        assert_eq!(choices.of(1).take(), None);
        for _ in 0..4 {
            choices.undo();
        }
        assert_eq!((choices.of(0), choices.of(1)), (&Choice::Open, &Choice::Open));
        assert_eq!(choices.undo(), None);
    }

    #[test]
    fn deciding_the_rest_changes_nothing_that_was_decided() {
        let mut choices = Choices::new(3);
        choices.decide_part(0, 0..1, 2, false);
        choices.decide([1], false);
        choices.decide_rest([0, 1, 2], true);
        assert_eq!(choices.of(0).take(), Some(Take::Changes([1].into())));
        assert_eq!(choices.of(1).take(), None);
        assert_eq!(choices.of(2).take(), Some(Take::Whole));
    }
}
