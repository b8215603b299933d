//! Which lines change between two long texts, in a time that grows with their length and with nothing else.
//!
//! Lines that occur once on either side hold the texts together, as far as they are in the same order; around each, what
//! is the same stays. All between them goes and comes as one change. That is a true difference and seldom the shortest.

use imara_diff::{Hunk, Token};

/// Where a line stands on both sides.
type Pair = (usize, usize);

/// The changes, in order; between two of them at least one line stays.
pub(super) fn changes(before: &[Token], after: &[Token]) -> Vec<Hunk> {
    let mut changes = Vec::new();
    let mut from: Pair = (0, 0);
    for held in anchors(before, after).into_iter().chain([(before.len(), after.len())]) {
        let old = before.get(from.0..held.0).unwrap_or_default();
        let new = after.get(from.1..held.1).unwrap_or_default();
        let lead = old.iter().zip(new).take_while(|(old, new)| old == new).count();
        let most = old.len().min(new.len()) - lead;
        let ends = old.iter().rev().zip(new.iter().rev());
        let trail = ends.take(most).take_while(|(old, new)| old == new).count();
        let range = |from: usize, to: usize| at(from + lead)..at(to - trail);
        let change = Hunk { before: range(from.0, held.0), after: range(from.1, held.1) };
        if !change.before.is_empty() || !change.after.is_empty() {
            changes.push(change);
        }
        from = (held.0 + 1, held.1 + 1);
    }
    changes
}

/// The input has fewer lines than that: each takes a byte of a text whose length is bounded.
fn at(line: usize) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX)
}

/// How often a token occurs on one side, and where it was last seen there.
#[derive(Debug, Clone, Copy, Default)]
struct Occurrences {
    count: u32,
    line: usize,
}

impl Occurrences {
    fn once(self) -> Option<usize> {
        (self.count == 1).then_some(self.line)
    }
}

/// The most lines that occur once on either side and follow one another alike on both.
fn anchors(before: &[Token], after: &[Token]) -> Vec<Pair> {
    let (old, new) = (occurrences(before), occurrences(after));
    let pairs: Vec<Pair> = before
        .iter()
        .enumerate()
        .filter(|(_, token)| of(&old, **token).once().is_some())
        .filter_map(|(line, token)| Some((line, of(&new, *token).once()?)))
        .collect();
    increasing(&pairs)
}

fn of(occurrences: &[Occurrences], token: Token) -> Occurrences {
    let token = usize::try_from(token.0).ok();
    token.and_then(|token| occurrences.get(token)).copied().unwrap_or_default()
}

fn occurrences(tokens: &[Token]) -> Vec<Occurrences> {
    let most = tokens.iter().filter_map(|token| usize::try_from(token.0).ok()).max();
    let mut found = vec![Occurrences::default(); most.map_or(0, |most| most + 1)];
    for (line, token) in tokens.iter().enumerate() {
        if let Some(found) = usize::try_from(token.0).ok().and_then(|token| found.get_mut(token)) {
            *found = Occurrences { count: found.count.saturating_add(1), line };
        }
    }
    found
}

/// A longest run of pairs that rises on the right too (by piles, as in patience sorting); on the left they all rise.
fn increasing(pairs: &[Pair]) -> Vec<Pair> {
    let right = |number: &usize| pairs.get(*number).map_or(0, |pair| pair.1);
    let mut piles: Vec<usize> = Vec::new();
    let mut below: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    for (number, pair) in pairs.iter().enumerate() {
        let pile = piles.partition_point(|top| right(top) < pair.1);
        below.push(pile.checked_sub(1).and_then(|pile| piles.get(pile)).copied());
        match piles.get_mut(pile) {
            Some(top) => *top = number,
            None => piles.push(number),
        }
    }
    let mut run = Vec::with_capacity(piles.len());
    let mut next = piles.last().copied();
    while let Some(number) = next {
        run.extend(pairs.get(number).copied());
        next = below.get(number).copied().flatten();
    }
    run.reverse();
    run
}
