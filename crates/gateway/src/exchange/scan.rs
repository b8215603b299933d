//! Looking for handles where they don't belong: in names, URLs, headers, and bodies of any length in constant memory.
//!
//! A handle is known by its last characters, which are random in every form of it; so a part that was cut off in front is
//! found too. What an agent encodes by a method of its own is not found, and buys it nothing: a handle opens no door.

use super::ExchangeError;
use super::forms::{PercentDecoder, base64_forms, percent_decoded};
use super::place;
use aho_corasick::{AhoCorasick, MatchKind};
use cofferdam_policy::net::credential::CredentialName;
use cofferdam_policy::net::handle::Handle;
use std::sync::Arc;

/// By how many of its last characters a handle is known: enough for 128 bits in the poorest alphabet.
const MARK_BYTES: usize = 40;

/// A handle where it doesn't belong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leak {
    /// Whose handle.
    pub credential: CredentialName,
    /// Where it stood.
    pub place: LeakPlace,
}

/// Where a handle stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeakPlace {
    /// In a header or trailer that is not its place.
    Header,
    /// In the path or query.
    Url,
    /// In the body.
    Body,
    /// In the name of a host.
    Name,
}

impl LeakPlace {
    /// For people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Url => "URL",
            Self::Body => "body",
            Self::Name => "host name",
        }
    }
}

/// All handles of a session.
#[derive(Debug)]
pub(super) struct Scanner {
    /// By the number of each pattern.
    names: Vec<CredentialName>,
    /// For names and URLs: host names come in small letters.
    text: AhoCorasick,
    /// For bodies: faster where case counts.
    body: AhoCorasick,
    window: usize,
}

impl Scanner {
    pub(super) fn new<'h>(
        handles: impl Iterator<Item = (CredentialName, &'h Handle)>,
    ) -> Result<Option<Self>, ExchangeError> {
        let (mut names, mut patterns) = (Vec::new(), Vec::new());
        for (name, handle) in handles {
            let bytes = handle.as_str().as_bytes();
            let mark = bytes.get(bytes.len().saturating_sub(MARK_BYTES)..).unwrap_or(bytes);
            let mut forms = vec![mark.to_vec()];
            forms.extend(base64_forms(mark));
            names.extend(forms.iter().map(|_| name.clone()));
            patterns.extend(forms);
        }
        if patterns.is_empty() {
            return Ok(None);
        }
        let window = patterns.iter().map(Vec::len).max().unwrap_or_default().saturating_sub(1);
        let mut builder = AhoCorasick::builder();
        let body = builder.match_kind(MatchKind::LeftmostFirst).build(&patterns).map_err(Box::new)?;
        let text = builder.ascii_case_insensitive(true).build(&patterns).map_err(Box::new)?;
        Ok(Some(Self { names, text, body, window }))
    }

    /// In something short: as it is, with escapes decoded, and with the dots between labels of a name left out.
    pub(super) fn find_in_text(&self, text: &[u8]) -> Option<CredentialName> {
        let whole = |text: &[u8]| self.name(self.text.find(text));
        whole(text).or_else(|| text.contains(&b'%').then(|| whole(&percent_decoded(text))).flatten()).or_else(
            || {
                let joined: Vec<u8> = text.iter().copied().filter(|byte| *byte != b'.').collect();
                (joined.len() < text.len()).then(|| whole(&joined)).flatten()
            },
        )
    }

    /// The same in a header, and in what it holds as Basic authentication.
    pub(super) fn find_in_header(&self, value: &[u8]) -> Option<CredentialName> {
        self.find_in_text(value).or_else(|| self.find_in_text(place::basic(value)?.as_bytes()))
    }

    fn name(&self, found: Option<aho_corasick::Match>) -> Option<CredentialName> {
        self.names.get(found?.pattern().as_usize()).cloned()
    }
}

/// Looks for handles in a body as it passes; what was pushed without an error may be sent.
#[derive(Debug)]
pub struct BodyScanner {
    scanner: Arc<Scanner>,
    plain: Window,
    decoded: Window,
    decoder: PercentDecoder,
    /// Whether the two windows differ, because something was escaped in them.
    escaped: bool,
}

impl BodyScanner {
    pub(super) fn new(scanner: Arc<Scanner>) -> Self {
        Self {
            scanner,
            plain: Window::default(),
            decoded: Window::default(),
            decoder: PercentDecoder::default(),
            escaped: false,
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// The [`Leak`]. A handle may have begun in bytes that were pushed before: they were sent, and the rest is not.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Leak> {
        let leak = |credential| Leak { credential, place: LeakPlace::Body };
        if let Some(name) = self.plain.find(&self.scanner, bytes) {
            return Err(leak(name));
        }
        let escapes = bytes.contains(&b'%');
        if escapes || self.escaped || self.decoder.is_waiting() {
            let mut decoded = Vec::with_capacity(bytes.len());
            self.decoder.push(bytes, &mut decoded);
            if let Some(name) = self.decoded.find(&self.scanner, &decoded) {
                return Err(leak(name));
            }
            // Once a whole window has passed without one, both are the same again.
            self.escaped = escapes || bytes.len() < self.scanner.window || self.decoder.is_waiting();
        } else {
            self.decoded.clone_from(&self.plain);
        }
        Ok(())
    }
}

/// The last bytes of a stream: one fewer than the longest pattern.
#[derive(Debug, Default, Clone)]
struct Window(Vec<u8>);

impl Window {
    fn find(&mut self, scanner: &Scanner, bytes: &[u8]) -> Option<CredentialName> {
        if !self.0.is_empty() {
            // What lies across the bound; then what lies within.
            self.0.extend_from_slice(bytes.get(..bytes.len().min(scanner.window)).unwrap_or_default());
            let across = scanner.name(scanner.body.find(&self.0));
            if across.is_some() {
                return across;
            }
        }
        let within = scanner.name(scanner.body.find(bytes));
        if within.is_some() {
            return within;
        }
        if bytes.len() >= scanner.window {
            self.0.clear();
            self.0.extend_from_slice(bytes.get(bytes.len() - scanner.window..).unwrap_or_default());
        } else {
            if self.0.is_empty() {
                self.0.extend_from_slice(bytes);
            }
            let surplus = self.0.len().saturating_sub(scanner.window);
            self.0.drain(..surplus);
        }
        None
    }
}
