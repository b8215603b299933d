//! Any pattern is refused, or matches exactly what a slow and simple reading of it matches; and a set of patterns
//! hides what one of them matches, however it is sorted for speed.

use super::super::{MaskRule, MaskSet};
use super::*;
use cofferdam_fuzz::{fuzz, parts};
use std::mem::{Discriminant, discriminant};

#[test]
fn a_mask_hides_what_it_says_however_it_is_compiled() {
    fuzz("mask", target);
}

/// Patterns, one a line; the directory; the name.
fn target(input: &[u8]) -> Vec<Result<bool, Discriminant<MaskError>>> {
    let [patterns, parent, name] = parts::<3>(input);
    let patterns = String::from_utf8_lossy(patterns);
    let mut rules = Vec::new();
    let mut outcomes = Vec::new();
    for text in patterns.lines().take(8) {
        let pattern = match text.parse::<MaskPattern>() {
            Ok(pattern) => pattern,
            Err(error) => {
                outcomes.push(Err(discriminant(&error)));
                continue;
            }
        };
        assert_eq!(pattern.as_str(), text);
        let kinds = [NameKind::Directory, NameKind::Other];
        for kind in kinds {
            let expected = reads_as(&pattern, parent, name, kind);
            assert_eq!(pattern.matches(parent, name, kind), expected, "{text:?}");
            outcomes.push(Ok(expected));
        }
        if let Some(path) = pattern.literal_path() {
            let set = MaskSet::new(vec![rule(pattern.clone())]).unwrap();
            assert!(set.hides_path(&path, NameKind::Directory).is_some(), "{text:?}");
        }
        rules.push(rule(pattern));
    }
    if !name.is_empty() {
        let set = MaskSet::new(rules.clone()).unwrap();
        for kind in [NameKind::Directory, NameKind::Other] {
            let hidden = rules.iter().any(|rule| rule.pattern.matches(parent, name, kind));
            assert_eq!(set.hides(parent, name, kind).is_some(), hidden);
        }
    }
    outcomes
}

fn rule(pattern: MaskPattern) -> MaskRule {
    MaskRule { pattern, except: Vec::new(), reason: String::new() }
}

fn reads_as(pattern: &MaskPattern, parent: &[u8], name: &[u8], kind: NameKind) -> bool {
    if pattern.directory_only && kind != NameKind::Directory {
        return false;
    }
    let above: Vec<&[u8]> = parent.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).collect();
    let Some(segments) = &pattern.above else { return is_segment(&pattern.last, name) };
    let fits = |kept: &[&[u8]]| {
        in_order(segments, kept, Segment::is_any_depth, |segment, name| is_segment(segment, name))
    };
    match &pattern.last {
        Segment::AnyDepth => (0..=above.len()).any(|kept| fits(&above[..kept])),
        Segment::Name(_) => is_segment(&pattern.last, name) && fits(&above),
    }
}

fn is_segment(segment: &Segment, name: &[u8]) -> bool {
    match segment {
        Segment::AnyDepth => true,
        Segment::Name(tokens) => {
            in_order(tokens, name, |token| *token == Token::AnyRun, |token, byte| token.matches(*byte))
        }
    }
}

impl Segment {
    fn is_any_depth(&self) -> bool {
        *self == Self::AnyDepth
    }
}

/// Whether `items` match `patterns` one by one, where some patterns stand for any run: all ways at once.
fn in_order<P, I>(
    patterns: &[P],
    items: &[I],
    is_run: impl Fn(&P) -> bool,
    matches: impl Fn(&P, &I) -> bool,
) -> bool {
    let mut reached = vec![false; items.len() + 1];
    reached[0] = true;
    for pattern in patterns {
        let mut next = vec![false; items.len() + 1];
        for at in 0..=items.len() {
            if is_run(pattern) {
                next[at] = reached[at] || (at > 0 && next[at - 1]);
            } else if at > 0 {
                next[at] = reached[at - 1] && matches(pattern, &items[at - 1]);
            }
        }
        reached = next;
    }
    reached[items.len()]
}
