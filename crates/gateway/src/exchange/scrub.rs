//! Taking secrets out of answers, in place and as they stream: no length changes, and nothing waits that is not the
//! beginning of a secret.

use super::forms::forms;
use crate::secret::Secret;
use cofferdam_policy::net::handle::Handle;
use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderValue};
use memchr::memmem::Finder;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// All forms of all secrets, and what goes in the place of each.
pub(super) struct Patterns {
    all: Vec<Pattern>,
}

struct Pattern {
    bytes: Zeroizing<Vec<u8>>,
    /// As long as `bytes`.
    stand_in: Vec<u8>,
    /// How long a beginning of it is an end of what was read so far, by the next byte: Knuth, Morris and Pratt's table.
    fallback: Vec<usize>,
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
            for form in forms(secret.expose()) {
                let handle = handle.as_str().as_bytes();
                let is_secret = form.bytes == secret.expose();
                // The handle, if it is as long: what the agent knows the secret as anyway.
                let stand_in = if is_secret && handle.len() == form.bytes.len() {
                    handle.to_vec()
                } else {
                    vec![form.filler; form.bytes.len()]
                };
                let fallback = fallback(&form.bytes);
                all.push(Pattern { bytes: Zeroizing::new(form.bytes), stand_in, fallback });
            }
        }
        (!all.is_empty()).then_some(Self { all })
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        // Most pieces of an event stream are shorter than a long secret: nothing is made ready to search them.
        let mut fitting = self.all.iter().filter(|pattern| pattern.bytes.len() <= bytes.len());
        fitting.any(|pattern| pattern.finder().find(bytes).is_some())
    }

    /// Replaces each secret; whether there was one.
    fn scrub(&self, bytes: &mut [u8]) -> bool {
        let mut any = false;
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

    /// How many of the last bytes may be the beginning of a secret.
    fn begun(&self, bytes: &[u8]) -> usize {
        self.all.iter().map(|pattern| pattern.begun(bytes)).max().unwrap_or_default()
    }

    pub(super) fn scrub_headers(&self, headers: &mut HeaderMap) {
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

impl Pattern {
    /// Made for each search, which costs less than it saves: one that is kept would keep a copy of the secret.
    fn finder(&self) -> Finder<'_> {
        Finder::new(self.bytes.as_slice())
    }

    fn begun(&self, bytes: &[u8]) -> usize {
        let longest = self.bytes.len().saturating_sub(1);
        let tail = bytes.get(bytes.len().saturating_sub(longest)..).unwrap_or_default();
        let mut matched = 0;
        for byte in tail {
            while matched > 0 && self.bytes.get(matched) != Some(byte) {
                matched = self.fallback.get(matched - 1).copied().unwrap_or_default();
            }
            if self.bytes.get(matched) == Some(byte) {
                matched += 1;
            }
        }
        matched
    }
}

fn fallback(pattern: &[u8]) -> Vec<usize> {
    let mut table = vec![0; pattern.len()];
    let mut matched = 0;
    for (at, byte) in pattern.iter().enumerate().skip(1) {
        while matched > 0 && pattern.get(matched) != Some(byte) {
            matched = table.get(matched - 1).copied().unwrap_or_default();
        }
        if pattern.get(matched) == Some(byte) {
            matched += 1;
        }
        if let Some(entry) = table.get_mut(at) {
            *entry = matched;
        }
    }
    table
}

/// Takes secrets out of a body as it streams. As many bytes come out as go in.
#[derive(Debug)]
pub struct Scrubber {
    patterns: Arc<Patterns>,
    held: Zeroizing<Vec<u8>>,
}

impl Scrubber {
    pub(super) fn new(patterns: Arc<Patterns>) -> Self {
        Self { patterns, held: Zeroizing::new(Vec::new()) }
    }

    /// Takes the next bytes and gives those that can go on, which may be none; the rest may be the beginning of a secret.
    pub fn push(&mut self, bytes: Bytes) -> Bytes {
        if self.held.is_empty() && !self.patterns.is_in(&bytes) {
            // The usual case: nothing is copied.
            let begun = self.patterns.begun(&bytes);
            let at = bytes.len() - begun;
            self.held.extend_from_slice(bytes.get(at..).unwrap_or_default());
            return bytes.slice(..at);
        }
        let mut all = std::mem::take(&mut *self.held);
        all.extend_from_slice(&bytes);
        self.patterns.scrub(&mut all);
        let at = all.len() - self.patterns.begun(&all);
        self.held.extend_from_slice(all.get(at..).unwrap_or_default());
        all.truncate(at);
        Bytes::from(all)
    }

    /// At the end of the body: what was held back, which was no secret.
    pub fn finish(&mut self) -> Bytes {
        Bytes::from(std::mem::take(&mut *self.held))
    }
}
