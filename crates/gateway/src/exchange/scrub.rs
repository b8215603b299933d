//! Taking secrets out of answers, in place and as they stream. No length changes, and what waits for more does not
//! depend on the secrets: an agent that has an origin send bytes of its choice would learn from what is held back how
//! much of a guess is right, and so the secret, a character at a time.

use super::forms::{Form, forms};
use crate::secret::Secret;
use cofferdam_policy::net::handle::Handle;
use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use memchr::memmem::Finder;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// What is held back is a multiple of this at most, so that it tells no more than about how long the secrets are, which
/// their handles tell anyway.
const HELD_STEP_BYTES: usize = 64;
/// Base64 is broken into lines no shorter than this: 60 characters where it is shortest.
const BASE64_LINE_BYTES_MIN: usize = 48;
/// The longest line end: `\r\n` in a JSON text.
const LINE_END_BYTES_MAX: usize = 4;

/// All forms of all secrets, and what goes in the place of each.
pub(super) struct Patterns {
    all: Vec<Pattern>,
    /// No form that has begun is longer.
    held_bytes_max: usize,
}

struct Pattern {
    bytes: Zeroizing<Vec<u8>>,
    /// As long as `bytes`.
    stand_in: Vec<u8>,
    /// Line ends may stand in it.
    may_break: bool,
}

impl fmt::Debug for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Patterns({})", self.all.len())
    }
}

impl Patterns {
    pub(super) fn new(secrets: &[(Secret, Handle)]) -> Option<Self> {
        let mut all: Vec<Pattern> = Vec::new();
        for (secret, handle) in secrets {
            all.extend(forms(secret.expose()).into_iter().map(|form| Pattern::new(form, secret, handle)));
        }
        let longest = all.iter().map(Pattern::bytes_max).max()?;
        Some(Self { all, held_bytes_max: longest.next_multiple_of(HELD_STEP_BYTES) })
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        // Most pieces of an event stream are shorter than a long secret: nothing is made ready to search them.
        let mut fitting = self.all.iter().filter(|pattern| pattern.bytes.len() <= bytes.len());
        if fitting.any(|pattern| pattern.finder().find(bytes).is_some()) {
            return true;
        }
        let Some(joined) = Joined::of(bytes) else { return false };
        self.breaking().any(|pattern| pattern.finder().find(&joined.bytes).is_some())
    }

    fn breaking(&self) -> impl Iterator<Item = &Pattern> {
        self.all.iter().filter(|pattern| pattern.may_break)
    }

    /// Replaces each secret; whether there was one. Those with line ends in them first, for the `n` of one that is
    /// written as `\n` could be taken for a letter before the rest.
    fn scrub(&self, bytes: &mut [u8]) -> bool {
        let mut any = self.scrub_broken(bytes);
        for pattern in &self.all {
            let mut at = 0;
            while let Some(start) = bytes.get(at..).and_then(|rest| pattern.finder().find(rest)) {
                let end = at + start + pattern.bytes.len();
                if let Some(place) = bytes.get_mut(at + start..end) {
                    place.copy_from_slice(&pattern.stand_in);
                }
                (at, any) = (end, true);
            }
        }
        any
    }

    fn scrub_broken(&self, bytes: &mut [u8]) -> bool {
        let Some(joined) = Joined::of(bytes) else { return false };
        let mut any = false;
        for pattern in self.breaking() {
            for start in pattern.finder().find_iter(&joined.bytes) {
                let places = joined.places.iter().skip(start);
                for (place, byte) in places.zip(&pattern.stand_in) {
                    if let Some(there) = bytes.get_mut(*place) {
                        *there = *byte;
                    }
                }
                any = true;
            }
        }
        any
    }

    /// Takes secrets out of the values of fields, and takes away a field that has one for its name, where all letters are
    /// small.
    pub(super) fn scrub_headers(&self, headers: &mut HeaderMap) {
        let named: Vec<HeaderName> = headers.keys().filter(|name| self.names(name)).cloned().collect();
        for name in &named {
            headers.remove(name);
        }
        for value in headers.values_mut() {
            let mut bytes = value.as_bytes().to_vec();
            if self.scrub(&mut bytes)
                && let Ok(scrubbed) = HeaderValue::from_bytes(&bytes)
            {
                *value = scrubbed;
            }
        }
    }
}

impl Patterns {
    fn names(&self, name: &HeaderName) -> bool {
        let name = name.as_str().as_bytes();
        let mut fitting = self.all.iter().filter(|pattern| pattern.bytes.len() <= name.len());
        fitting.any(|pattern| {
            let small = Zeroizing::new(pattern.bytes.to_ascii_lowercase());
            Finder::new(small.as_slice()).find(name).is_some()
        })
    }
}

impl Pattern {
    fn new(form: Form, secret: &Secret, handle: &Handle) -> Self {
        let handle = handle.as_str().as_bytes();
        // The handle, if it is as long: what the agent knows the secret as anyway.
        let stand_in = if form.bytes == secret.expose() && handle.len() == form.bytes.len() {
            handle.to_vec()
        } else {
            vec![form.filler; form.bytes.len()]
        };
        Self { bytes: Zeroizing::new(form.bytes), stand_in, may_break: form.may_break }
    }

    /// Made for each search, which costs less than it saves: one that is kept would keep a copy of the secret.
    fn finder(&self) -> Finder<'_> {
        Finder::new(self.bytes.as_slice())
    }

    /// With as many line ends as can be in it.
    fn bytes_max(&self) -> usize {
        let length = self.bytes.len();
        if self.may_break {
            length + (length / BASE64_LINE_BYTES_MIN + 1) * LINE_END_BYTES_MAX
        } else {
            length
        }
    }
}

/// A text without its line ends, those in JSON texts too, and where each of its bytes stands.
struct Joined {
    bytes: Zeroizing<Vec<u8>>,
    places: Vec<usize>,
}

impl Joined {
    /// Nothing, if there is no line end.
    fn of(text: &[u8]) -> Option<Self> {
        let is_end = |byte: u8| byte == b'\n' || byte == b'\r';
        let is_written = |pair: &[u8]| matches!(pair, b"\\n" | b"\\r");
        if !text.iter().any(|byte| is_end(*byte)) && !text.windows(2).any(is_written) {
            return None;
        }
        let mut joined = Self {
            bytes: Zeroizing::new(Vec::with_capacity(text.len())),
            places: Vec::with_capacity(text.len()),
        };
        let mut at = 0;
        while let Some(byte) = text.get(at) {
            if text.get(at..at + 2).is_some_and(is_written) {
                at += 2;
                continue;
            }
            if !is_end(*byte) {
                joined.bytes.push(*byte);
                joined.places.push(at);
            }
            at += 1;
        }
        Some(joined)
    }
}

/// How many of the last bytes of a stream could be part of any secret, by what kind of characters they are.
#[derive(Debug, Default)]
struct Tail {
    /// Visible characters and spaces since the last that is neither, and line ends within base64.
    run: usize,
    /// The last of them, if they are base64's.
    base64: usize,
    is_line_end_begun: bool,
}

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let is_broken = self.base64 >= BASE64_LINE_BYTES_MIN;
            match byte {
                b'\r' if is_broken && !self.is_line_end_begun => {
                    self.run = self.run.saturating_add(1);
                    self.is_line_end_begun = true;
                    continue;
                }
                b'\n' if is_broken => {
                    self.run = self.run.saturating_add(1);
                    self.base64 = 0;
                }
                0x20..=0x7E => {
                    if self.is_line_end_begun {
                        (self.run, self.base64) = (0, 0);
                    }
                    self.run = self.run.saturating_add(1);
                    let is_base64 = byte.is_ascii_alphanumeric() || b"+/-_=".contains(byte);
                    self.base64 = if is_base64 { self.base64.saturating_add(1) } else { 0 };
                }
                0..0x20 | 0x7F..=0xFF => (self.run, self.base64) = (0, 0),
            }
            self.is_line_end_begun = false;
        }
    }
}

/// Takes secrets out of a body as it streams. As many bytes come out as go in.
#[derive(Debug)]
pub struct Scrubber {
    patterns: Arc<Patterns>,
    held: Zeroizing<Vec<u8>>,
    tail: Tail,
}

impl Scrubber {
    pub(super) fn new(patterns: Arc<Patterns>) -> Self {
        Self { patterns, held: Zeroizing::new(Vec::new()), tail: Tail::default() }
    }

    /// Takes the next bytes and gives those that can go on, which may be none. A line goes on with its end; the last
    /// characters of one that has not ended wait, whatever they are.
    pub fn push(&mut self, bytes: Bytes) -> Bytes {
        // Of what came, before anything is replaced: what is held back must not tell whether that was done.
        self.tail.push(&bytes);
        let keep = self.tail.run.min(self.patterns.held_bytes_max);
        if self.held.is_empty() && !self.patterns.is_in(&bytes) {
            // Whole lines are not copied.
            let at = bytes.len().saturating_sub(keep);
            self.held.extend_from_slice(bytes.get(at..).unwrap_or_default());
            return bytes.slice(..at);
        }
        let mut all = std::mem::take(&mut *self.held);
        all.extend_from_slice(&bytes);
        self.patterns.scrub(&mut all);
        let at = all.len().saturating_sub(keep);
        self.held.extend_from_slice(all.get(at..).unwrap_or_default());
        all.truncate(at);
        Bytes::from(all)
    }

    /// What sees the same secrets in what has passed already.
    #[must_use]
    pub fn seam(&self) -> Seam {
        Seam { patterns: Arc::clone(&self.patterns), last: Zeroizing::new(Vec::new()) }
    }

    /// At the end of the body, or of a frame: what was held back.
    pub fn finish(&mut self) -> Bytes {
        self.tail = Tail::default();
        Bytes::from(std::mem::take(&mut *self.held))
    }
}

/// Sees a secret in a stream that was scrubbed in parts, each by itself: one that was cut between two of them.
#[derive(Debug)]
pub struct Seam {
    patterns: Arc<Patterns>,
    last: Zeroizing<Vec<u8>>,
}

impl Seam {
    /// Takes the next bytes; whether a secret ends in them.
    pub fn is_cut(&mut self, bytes: &[u8]) -> bool {
        self.last.extend_from_slice(bytes);
        let is_cut = self.patterns.is_in(&self.last);
        let surplus = self.last.len().saturating_sub(self.patterns.held_bytes_max);
        self.last.drain(..surplus);
        is_cut
    }
}
