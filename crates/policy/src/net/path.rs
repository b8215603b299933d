//! Paths of requests in their one canonical form, and the patterns that match them.
//!
//! A path that two servers could read as different files is not mended but refused: dots as segments, empty segments,
//! `;`, `\`, what separates, dots and percent signs in encoded form, encoded letters, bytes that are no UTF-8, blanks at
//! the ends of segments, characters that are folded into one of these. An encoded slash is understood in one
//! place only: within a segment whose pattern names it, as the names of scoped npm packages need. Queries are not
//! part of a path.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// The longest path that is judged, in bytes.
pub const PATH_BYTES_MAX: usize = 8 << 10;

/// The longest pattern, in bytes.
pub const PATTERN_BYTES_MAX: usize = 1 << 10;

/// Why a path is not canonical, or a pattern none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It doesn't begin with `/`.
    #[error("a path begins with `/`")]
    NotAbsolute,
    /// Longer than [`PATH_BYTES_MAX`], or [`PATTERN_BYTES_MAX`] for a pattern.
    #[error("the path is too long")]
    TooLong,
    /// `//`
    #[error("the path has an empty segment")]
    EmptySegment,
    /// `.` or `..`, encoded or not, and what some servers take for that: only dots, blanks and what is not seen.
    #[error("the path has a segment of nothing but dots")]
    DotSegment,
    /// A blank at the end of a segment, or before it.
    #[error("the path has a segment that begins or ends with a blank")]
    Blank,
    /// A byte that can't stand in a path: controls, blanks, `\`, `;`, `?`, `#` and what is not ASCII among them.
    #[error("the path holds `{}`", char::from(*.0).escape_default())]
    Byte(u8),
    /// `%` without two hexadecimal digits.
    #[error("the path has a `%` that encodes nothing")]
    Percent,
    /// An encoded byte that means something to some servers and nothing to others.
    #[error("the path holds the encoded byte %{0:02X}")]
    Encoded(u8),
    /// Encoded bytes that are no UTF-8, overlong forms of `.` and `/` among them.
    #[error("the path encodes bytes that are no UTF-8")]
    NotUtf8,
    /// An encoded character that some servers turn into one that cuts a path.
    #[error("the path holds the encoded character `{}`", .0.escape_unicode())]
    Lookalike(char),
    /// `%2f` outside of where it is understood.
    #[error("the path holds an encoded `/`")]
    EncodedSlash,
    /// `**` together with something else, or twice in a row.
    #[error("`**` is a segment of its own, and not followed by another one")]
    Wildcard,
    /// A segment of a pattern that ends with `,`, which separates patterns in one line.
    #[error("a segment of a path pattern can't end with `,`: write `*`")]
    Comma,
}

/// The path of a request, without its query, known to be canonical.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CanonicalPath<'p> {
    text: Cow<'p, str>,
    has_encoded_slash: bool,
}

impl<'p> CanonicalPath<'p> {
    /// Reads the path of a request. Encoded slashes are refused.
    ///
    /// # Errors
    /// [`PathError`].
    pub fn parse(path: &'p [u8]) -> Result<Self, PathError> {
        let path = Self::parse_with_encoded_slash(path)?;
        if path.has_encoded_slash { Err(PathError::EncodedSlash) } else { Ok(path) }
    }

    /// Reads the path of a request that may hold `%2f`. Such a path is matched only by patterns that name it in the
    /// same segment.
    ///
    /// # Errors
    /// [`PathError`].
    pub fn parse_with_encoded_slash(path: &'p [u8]) -> Result<Self, PathError> {
        if path.len() > PATH_BYTES_MAX {
            return Err(PathError::TooLong);
        }
        let text = canonical(path)?;
        let has_encoded_slash = text.contains(ENCODED_SLASH);
        Ok(Self { text, has_encoded_slash })
    }

    /// The path, with the hexadecimal digits of encoded bytes in capitals.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it holds `%2f`.
    #[must_use]
    pub fn has_encoded_slash(&self) -> bool {
        self.has_encoded_slash
    }
}

/// In the spelling in which it is kept.
const ENCODED_SLASH: &str = "%2F";

/// Checks a path and writes hexadecimal digits in capitals; borrowed when there is nothing to write.
fn canonical(path: &[u8]) -> Result<Cow<'_, str>, PathError> {
    let rest = path.strip_prefix(b"/").ok_or(PathError::NotAbsolute)?;
    let mut bytes = rest.iter();
    let mut has_small_digits = false;
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let digits = [bytes.next(), bytes.next()];
                let [Some(high), Some(low)] = digits else { return Err(PathError::Percent) };
                has_small_digits |= high.is_ascii_lowercase() || low.is_ascii_lowercase();
                check_encoded(hex(*high, *low).ok_or(PathError::Percent)?)?;
            }
            b'/' => {}
            byte if is_plain(*byte) => {}
            byte => return Err(PathError::Byte(*byte)),
        }
    }
    check_segments(rest)?;
    check_decoded(path)?;
    let text = std::str::from_utf8(path).ok().ok_or(PathError::Percent)?;
    Ok(if has_small_digits { Cow::Owned(with_capital_digits(text)) } else { Cow::Borrowed(text) })
}

/// What RFC 3986 lets stand in a segment, less `;`, by which some servers cut segments.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte)
}

/// Encoded: bytes that need it, and `~`, which older programs encode. Never what cuts a path somewhere: `?` and `#` do
/// where a path is decoded before it is rewritten, and a path that ends there was judged as a longer one. Nor controls,
/// nor a percent sign, which begins another encoding for whoever decodes twice.
fn check_encoded(byte: u8) -> Result<(), PathError> {
    match byte {
        b'/' => Ok(()),
        b'\\' | b';' | b'?' | b'#' | b'%' | 0..=0x1f | 0x7f => Err(PathError::Encoded(byte)),
        b'-' | b'.' | b'_' => Err(PathError::Encoded(byte)),
        byte if byte.is_ascii_alphanumeric() => Err(PathError::Encoded(byte)),
        _ => Ok(()),
    }
}

/// What servers that decode before they look would take for a dot, or for what cuts a path: by compatibility (NFKC), by
/// canonical equivalence (`\u{37e}`), or as the nearest character of a smaller set (the signs of yen and won, which are
/// `\` in the sets of their countries).
const LOOKALIKES: [char; 32] = [
    '\u{a5}', '\u{20a9}', '\u{2047}', '\u{2048}', '\u{2049}', '\u{37e}', '\u{2024}', '\u{2025}', '\u{2044}',
    '\u{2100}', '\u{2101}', '\u{2105}', '\u{2106}', '\u{2215}', '\u{2216}', '\u{29f5}', '\u{29f8}',
    '\u{29f9}', '\u{fe30}', '\u{fe52}', '\u{fe54}', '\u{fe56}', '\u{fe5f}', '\u{fe68}', '\u{fe6a}',
    '\u{ff03}', '\u{ff05}', '\u{ff0e}', '\u{ff0f}', '\u{ff1b}', '\u{ff1f}', '\u{ff3c}',
];

/// What the path is to whoever decodes it: UTF-8, and nothing in it that is folded into a separator or a dot.
fn check_decoded(path: &[u8]) -> Result<(), PathError> {
    if !path.contains(&b'%') {
        return Ok(());
    }
    let mut bytes = path.iter();
    let mut decoded = Vec::with_capacity(path.len());
    while let Some(byte) = bytes.next() {
        if *byte != b'%' {
            decoded.push(*byte);
            continue;
        }
        let digits = [bytes.next(), bytes.next()];
        let [Some(high), Some(low)] = digits else { return Err(PathError::Percent) };
        decoded.push(hex(*high, *low).ok_or(PathError::Percent)?);
    }
    let text = std::str::from_utf8(&decoded).ok().ok_or(PathError::NotUtf8)?;
    if let Some(found) = text.chars().find(|c| LOOKALIKES.contains(c)) {
        return Err(PathError::Lookalike(found));
    }
    text.split('/').skip(1).try_for_each(check_seen)
}

/// What a segment is to whoever leaves out of names what can't be seen at their ends: never one that is nothing, or
/// stands for a folder, or is another name.
fn check_seen(segment: &str) -> Result<(), PathError> {
    let is_blank = |c: char| c.is_whitespace() || is_unseen(c);
    let is_dot = |c: char| matches!(c, '.' | '\u{2026}' | '\u{fe19}');
    if !segment.is_empty() && segment.chars().all(|c| is_blank(c) || is_dot(c)) {
        return Err(PathError::DotSegment);
    }
    if segment.starts_with(is_blank) || segment.ends_with(is_blank) {
        return Err(PathError::Blank);
    }
    Ok(())
}

/// Of no width, directions of writing, and controls beyond ASCII: left out of names by some file systems.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn check_segments(rest: &[u8]) -> Result<(), PathError> {
    let mut segments = rest.split(|byte| *byte == b'/').peekable();
    while let Some(segment) = segments.next() {
        // The last one is empty in `/` and `/a/`.
        if segment.is_empty() && segments.peek().is_some() {
            return Err(PathError::EmptySegment);
        }
        check_pieces(segment)?;
    }
    Ok(())
}

/// What lies between encoded slashes is a segment to whoever decodes them.
fn check_pieces(segment: &[u8]) -> Result<(), PathError> {
    let Some(at) =
        segment.windows(3).position(|window| window.eq_ignore_ascii_case(ENCODED_SLASH.as_bytes()))
    else {
        return if is_dots(segment) { Err(PathError::DotSegment) } else { Ok(()) };
    };
    let (piece, rest) = (segment.get(..at).unwrap_or_default(), segment.get(at + 3..).unwrap_or_default());
    match piece {
        b"" => Err(PathError::EmptySegment),
        piece if is_dots(piece) => Err(PathError::DotSegment),
        _ if rest.is_empty() => Err(PathError::EmptySegment),
        _ => check_pieces(rest),
    }
}

/// Three and more stand for folders further up on some systems.
fn is_dots(piece: &[u8]) -> bool {
    !piece.is_empty() && piece.iter().all(|byte| *byte == b'.')
}

fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

fn with_capital_digits(text: &str) -> String {
    let mut digits_left = 0_u8;
    let capital = |character: char| {
        if character == '%' {
            digits_left = 2;
            return character;
        }
        let is_digit = digits_left > 0;
        digits_left = digits_left.saturating_sub(1);
        if is_digit { character.to_ascii_uppercase() } else { character }
    };
    text.chars().map(capital).collect()
}

/// Which paths are meant: `*` is one segment, or any run within a segment that has more; `**` is any number of
/// segments, none included. `/a/**` so means `/a`, `/a/` and all below.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathPattern(String);

const ANY_DEPTH: &str = "**";

impl PathPattern {
    /// `/**`
    #[must_use]
    pub fn everything() -> Self {
        Self("/**".to_owned())
    }

    /// Whether it is `/**`.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.0 == "/**"
    }

    /// The pattern.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The pattern that means `path` and nothing else. There is none of a path with a star, or with a comma at a
    /// segment's end, which a pattern can't hold: no wider one takes its place, for an agent chooses what it asks for.
    #[must_use]
    pub fn of(path: &CanonicalPath<'_>) -> Option<Self> {
        let path = path.as_str();
        if path.contains('*') { None } else { path.parse().ok() }
    }

    /// Whether `path` is meant.
    #[must_use]
    pub fn matches(&self, path: &CanonicalPath<'_>) -> bool {
        let pattern = self.0.get(1..).unwrap_or_default();
        segments_match(pattern, path.as_str().get(1..).unwrap_or_default())
    }

    /// The part before the first segment with a wildcard, without a slash at its end: `/a/b` of `/a/b/**`. Whatever
    /// path is meant is this or begins with this and a slash.
    #[must_use]
    pub fn literal_prefix(&self) -> &str {
        let Some(star) = self.0.find('*') else { return &self.0 };
        let before = self.0.get(..star).unwrap_or_default();
        before.rfind('/').and_then(|at| before.get(..at)).unwrap_or_default()
    }

    /// How narrow it is: of two patterns that mean a path the one with the greater value is the more specific.
    #[must_use]
    pub fn specificity(&self) -> (usize, bool, bool) {
        let literal = self.0.bytes().filter(|byte| *byte != b'*').count();
        (literal, !self.0.contains(ANY_DEPTH), !self.0.contains('*'))
    }
}

/// The usual matching with wildcards, going back to the last `**` only, which is enough.
fn segments_match(pattern: &str, path: &str) -> bool {
    let mut pattern = Some(pattern);
    let mut path = Some(path);
    let mut retry: Option<(Option<&str>, &str)> = None;
    loop {
        let (first, after) = split_segment(pattern);
        if first == Some(ANY_DEPTH) {
            let Some(rest) = path else { return after.is_none() };
            retry = Some((after, rest));
            pattern = after;
            continue;
        }
        let (segment, rest) = split_segment(path);
        match (first, segment) {
            (None, None) => return true,
            (Some(first), Some(segment)) if segment_matches(first, segment) => {
                (pattern, path) = (after, rest);
                continue;
            }
            (Some(_) | None, Some(_)) | (Some(_), None) => {}
        }
        // Let the last `**` take one segment more; never one with an encoded slash, which it doesn't name.
        let Some((after, skipped)) = retry else { return false };
        let (taken, rest) = split_segment(Some(skipped));
        if taken.is_some_and(|taken| taken.contains(ENCODED_SLASH)) {
            return false;
        }
        match rest {
            Some(rest) => retry = Some((after, rest)),
            None => return after.is_none(),
        }
        (pattern, path) = (after, rest);
    }
}

fn split_segment(text: Option<&str>) -> (Option<&str>, Option<&str>) {
    match text.map(|text| text.split_once('/')) {
        None => (None, None),
        Some(Some((segment, rest))) => (Some(segment), Some(rest)),
        Some(None) => (text, None),
    }
}

/// The pieces between encoded slashes match one by one, so that no `*` takes one in.
fn segment_matches(pattern: &str, segment: &str) -> bool {
    if !pattern.contains('*') {
        return pattern == segment;
    }
    let (mut patterns, mut pieces) = (pattern.split(ENCODED_SLASH), segment.split(ENCODED_SLASH));
    loop {
        match (patterns.next(), pieces.next()) {
            (None, None) => return true,
            (Some(pattern), Some(piece)) if piece_matches(pattern.as_bytes(), piece.as_bytes()) => {}
            (Some(_), Some(_) | None) | (None, Some(_)) => return false,
        }
    }
}

fn piece_matches(pattern: &[u8], piece: &[u8]) -> bool {
    if pattern == b"*" {
        return !piece.is_empty();
    }
    let (mut own, mut text) = (pattern, piece);
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        match (own, text) {
            ([b'*', rest @ ..], _) => {
                retry = Some((rest, text));
                own = rest;
                continue;
            }
            ([], []) => return true,
            ([a, own_rest @ ..], [b, text_rest @ ..]) if a == b => {
                (own, text) = (own_rest, text_rest);
                continue;
            }
            ([..], [..]) => {}
        }
        let Some((after, [_, rest @ ..])) = retry else { return false };
        retry = Some((after, rest));
        (own, text) = (after, rest);
    }
}

impl FromStr for PathPattern {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err(PathError::TooLong);
        }
        let text = canonical(text.as_bytes())?;
        let mut before = "";
        for segment in text.split('/').skip(1) {
            let is_wrong = segment.contains(ANY_DEPTH) && (segment != ANY_DEPTH || before == ANY_DEPTH);
            if is_wrong {
                return Err(PathError::Wildcard);
            }
            if segment.ends_with(',') {
                return Err(PathError::Comma);
            }
            before = segment;
        }
        Ok(Self(text.into_owned()))
    }
}

impl TryFrom<String> for PathPattern {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        text.parse()
    }
}

impl From<PathPattern> for String {
    fn from(pattern: PathPattern) -> Self {
        pattern.0
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests;
