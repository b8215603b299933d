//! One mask pattern: a glob over bytes, written as in a gitignore file.
//!
//! A pattern without a slash matches a name at any depth; one with a slash is anchored at the workspace's root,
//! where `**` stands for any number of directories. A trailing slash limits it to directories. There is no
//! negation, and nothing is expanded from the environment.

use super::NameKind;
use std::fmt;
use std::str::FromStr;

/// The longest pattern taken, in bytes.
pub const PATTERN_BYTES_MAX: usize = 1024;

/// Why a pattern, or a set of them, was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MaskError {
    /// Nothing is left of it that could match a name.
    #[error("the mask {0:?} names nothing")]
    Empty(String),
    /// It begins with `!`: masks only ever hide.
    #[error("the mask {0:?} begins with `!`; a mask can't show what another hides")]
    Negated(String),
    /// It goes up or stands still (`..`, `.`), or has an empty segment.
    #[error("the mask {0:?} has a segment `.`, `..` or an empty one")]
    Segment(String),
    /// It holds a newline, NUL or another control character.
    #[error("the mask {0:?} holds a control character")]
    Control(String),
    /// A `[` without its `]`, an empty or backward range, or a `\` at the end.
    #[error("the mask {0:?} has an unfinished or backward class, or ends with a backslash")]
    Class(String),
    /// It is longer than [`PATTERN_BYTES_MAX`].
    #[error("a mask is longer than {PATTERN_BYTES_MAX} bytes")]
    TooLong,
    /// There are more than [`super::MASK_RULES_MAX`].
    #[error("{count} masks are more than {max}", max = super::MASK_RULES_MAX)]
    TooMany {
        /// How many there are.
        count: usize,
    },
}

/// A parsed pattern; prints as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskPattern {
    text: String,
    /// The segments above the last one; `None` if the pattern holds at any depth.
    above: Option<Vec<Segment>>,
    last: Segment,
    directory_only: bool,
    prefix: Vec<u8>,
    suffix: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    /// `**`: any number of segments, also none.
    AnyDepth,
    Name(Vec<Token>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Byte(u8),
    AnyByte,
    AnyRun,
    Class { negated: bool, ranges: Vec<(u8, u8)> },
}

impl FromStr for MaskPattern {
    type Err = MaskError;

    fn from_str(text: &str) -> Result<Self, MaskError> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err(MaskError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(MaskError::Control(text.to_owned()));
        }
        if text.starts_with('!') {
            return Err(MaskError::Negated(text.to_owned()));
        }
        let (body, directory_only) = match text.strip_suffix('/') {
            Some(body) => (body, true),
            None => (text, false),
        };
        let anchored = body.contains('/');
        let body = body.strip_prefix('/').unwrap_or(body);
        if body.is_empty() {
            return Err(MaskError::Empty(text.to_owned()));
        }
        let mut segments = Vec::new();
        for segment in body.split('/') {
            segments.push(parse_segment(segment, text)?);
        }
        let last = segments.pop().ok_or_else(|| MaskError::Empty(text.to_owned()))?;
        let prefix = last.literal_prefix();
        let suffix = last.literal_suffix();
        let above = anchored.then_some(segments);
        Ok(Self { text: text.to_owned(), above, last, directory_only, prefix, suffix })
    }
}

impl MaskPattern {
    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the entry `name` of the directory `parent` matches. `parent` is relative to the workspace's root.
    #[must_use]
    pub fn matches(&self, parent: &[u8], name: &[u8], kind: NameKind) -> bool {
        // An empty vector points nowhere: comparing with it costs a hundred nanoseconds on processors that load
        // under a mask and then find the page missing.
        let kind_fits = !self.directory_only || kind == NameKind::Directory;
        kind_fits
            && (self.prefix.is_empty() || name.starts_with(&self.prefix))
            && (self.suffix.is_empty() || name.ends_with(&self.suffix))
            && self.last.matches(name)
            && self.above.as_ref().is_none_or(|above| self.parent_matches(above, parent))
    }

    /// The bytes that every matching name begins with.
    pub(crate) fn name_prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// Whether it ends with a slash.
    pub(crate) const fn is_directory_only(&self) -> bool {
        self.directory_only
    }

    /// The bytes that every matching name ends with.
    pub(crate) fn name_suffix(&self) -> &[u8] {
        &self.suffix
    }

    /// The one path in the workspace's root that this hides, if it holds no wildcard (a leading `**/` aside).
    pub(super) fn literal_path(&self) -> Option<Vec<u8>> {
        let mut path = Vec::new();
        for (number, segment) in self.above.iter().flatten().chain([&self.last]).enumerate() {
            match segment {
                Segment::AnyDepth if number == 0 => {}
                Segment::AnyDepth => return None,
                Segment::Name(tokens) => {
                    if !path.is_empty() {
                        path.push(b'/');
                    }
                    for token in tokens {
                        let Token::Byte(byte) = token else { return None };
                        path.push(*byte);
                    }
                }
            }
        }
        (!path.is_empty()).then_some(path)
    }

    fn parent_matches(&self, above: &[Segment], parent: &[u8]) -> bool {
        let names: Vec<&[u8]> = parent.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).collect();
        // A last `**` takes the entry itself, so that at least its parent has to match what stands before.
        if self.last == Segment::AnyDepth {
            return (0..=names.len()).any(|kept| names.get(..kept).is_some_and(|n| segments_match(above, n)));
        }
        segments_match(above, &names)
    }
}

impl fmt::Display for MaskPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Greedy matching that goes back to the last `**` only: enough for globs, and never exponential.
fn segments_match(segments: &[Segment], names: &[&[u8]]) -> bool {
    let (mut s, mut n) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        match (segments.get(s), names.get(n)) {
            (None, None) => return true,
            (Some(Segment::AnyDepth), _) => {
                retry = Some((s, n));
                s += 1;
                continue;
            }
            (Some(segment @ Segment::Name(_)), Some(name)) if segment.matches(name) => {
                s += 1;
                n += 1;
                continue;
            }
            (Some(Segment::Name(_)) | None, _) => {}
        }
        let Some((star, taken)) = retry else { return false };
        if taken >= names.len() {
            return false;
        }
        retry = Some((star, taken + 1));
        s = star + 1;
        n = taken + 1;
    }
}

/// The first place from `from` on where `token` can begin; the end of `name` counts if anything can.
fn next_start(token: Option<&Token>, name: &[u8], from: usize) -> Option<usize> {
    match token.and_then(Token::literal) {
        Some(literal) => name.iter().skip(from).position(|byte| *byte == literal).map(|ahead| from + ahead),
        None => Some(from),
    }
}

impl Segment {
    fn matches(&self, name: &[u8]) -> bool {
        let tokens = match self {
            Self::AnyDepth => return true,
            Self::Name(tokens) => tokens,
        };
        let (mut t, mut b) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        loop {
            match (tokens.get(t), name.get(b)) {
                (None, None) => return true,
                (Some(Token::AnyRun), _) => {
                    t += 1;
                    let Some(found) = next_start(tokens.get(t), name, b) else { return false };
                    retry = Some((t, found));
                    b = found;
                    continue;
                }
                (Some(token), Some(byte)) if token.matches(*byte) => {
                    t += 1;
                    b += 1;
                    continue;
                }
                (Some(_) | None, _) => {}
            }
            // Back to the last star, which takes up to the next byte that what follows it can begin with.
            let Some((after_star, taken)) = retry.filter(|(_, taken)| *taken < name.len()) else {
                return false;
            };
            let Some(found) = next_start(tokens.get(after_star), name, taken + 1) else { return false };
            retry = Some((after_star, found));
            t = after_star;
            b = found;
        }
    }

    fn literal_prefix(&self) -> Vec<u8> {
        match self {
            Self::AnyDepth => Vec::new(),
            Self::Name(tokens) => tokens.iter().map_while(Token::literal).collect(),
        }
    }

    fn literal_suffix(&self) -> Vec<u8> {
        let mut suffix: Vec<u8> = match self {
            Self::AnyDepth => Vec::new(),
            Self::Name(tokens) => tokens.iter().rev().map_while(Token::literal).collect(),
        };
        suffix.reverse();
        suffix
    }
}

impl Token {
    fn literal(&self) -> Option<u8> {
        match self {
            Self::Byte(byte) => Some(*byte),
            Self::AnyByte | Self::AnyRun | Self::Class { .. } => None,
        }
    }

    fn matches(&self, byte: u8) -> bool {
        match self {
            Self::Byte(own) => *own == byte,
            Self::AnyByte => true,
            Self::AnyRun => false,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&byte)) != *negated
            }
        }
    }
}

fn parse_segment(segment: &str, whole: &str) -> Result<Segment, MaskError> {
    match segment {
        "" | "." | ".." => return Err(MaskError::Segment(whole.to_owned())),
        "**" => return Ok(Segment::AnyDepth),
        _ => {}
    }
    let unfinished = || MaskError::Class(whole.to_owned());
    let mut tokens = Vec::new();
    let mut bytes = segment.bytes().peekable();
    while let Some(byte) = bytes.next() {
        let token = match byte {
            b'*' => Token::AnyRun,
            b'?' => Token::AnyByte,
            b'\\' => Token::Byte(bytes.next().ok_or_else(unfinished)?),
            b'[' => parse_class(&mut bytes).ok_or_else(unfinished)?,
            other => Token::Byte(other),
        };
        // `a**b` within a segment is `a*b`, as in git.
        if token != Token::AnyRun || tokens.last() != Some(&Token::AnyRun) {
            tokens.push(token);
        }
    }
    Ok(Segment::Name(tokens))
}

/// The rest of a class after its `[`. A `]` in first place stands for itself; a slash can't come here.
fn parse_class(bytes: &mut std::iter::Peekable<std::str::Bytes<'_>>) -> Option<Token> {
    let negated = bytes.next_if(|byte| matches!(byte, b'!' | b'^')).is_some();
    let mut ranges = Vec::new();
    loop {
        let low = match bytes.next()? {
            b']' if !ranges.is_empty() => return Some(Token::Class { negated, ranges }),
            b'\\' => bytes.next()?,
            byte => byte,
        };
        if bytes.next_if_eq(&b'-').is_none() {
            ranges.push((low, low));
            continue;
        }
        let high = match bytes.next()? {
            // `[a-]`: the dash stands for itself.
            b']' => {
                ranges.extend([(low, low), (b'-', b'-')]);
                return Some(Token::Class { negated, ranges });
            }
            b'\\' => bytes.next()?,
            byte => byte,
        };
        if high < low {
            return None;
        }
        ranges.push((low, high));
    }
}

#[cfg(test)]
mod fuzz;
