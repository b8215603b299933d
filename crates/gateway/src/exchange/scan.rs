//! Looking for handles where they don't belong: in names, URLs, headers, and bodies of any length in constant memory.
//!
//! A handle is known by its last characters, which are random in every form of it; so a part that was cut off in front is
//! found too. What an agent encodes by a method of its own is not found, and buys it nothing: a handle opens no door.

use super::forms::{PercentDecoder, base64_forms, percent_decoded};
use super::place;
use cofferdam_policy::net::credential::CredentialName;
use cofferdam_policy::net::handle::Handle;
use memchr::memmem::Finder;
use std::collections::BTreeSet;
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
    marks: Vec<Mark>,
    window: usize,
}

/// A form of the end of a handle. Each is searched for by itself: for as few as there are, that is several times faster
/// than any automaton for all of them.
#[derive(Debug)]
struct Mark {
    name: CredentialName,
    exact: Finder<'static>,
    /// In small letters, as host names come.
    small: Finder<'static>,
    /// What of the handle stands before it.
    front: Vec<u8>,
}

impl Scanner {
    pub(super) fn new<'h>(handles: impl Iterator<Item = (CredentialName, &'h Handle)>) -> Option<Self> {
        let (mut marks, mut window) = (Vec::new(), 0);
        for (name, handle) in handles {
            let bytes = handle.as_str().as_bytes();
            let (front, end) =
                bytes.split_at_checked(bytes.len().saturating_sub(MARK_BYTES)).unwrap_or((&[], bytes));
            let mut forms = vec![end.to_vec()];
            forms.extend(base64_forms(end));
            forms.sort_unstable();
            forms.dedup();
            window = forms.iter().map(|form| form.len() - 1).fold(window, usize::max);
            marks.extend(forms.into_iter().map(|form| Mark {
                name: name.clone(),
                exact: Finder::new(&form).into_owned(),
                small: Finder::new(&form.to_ascii_lowercase()).into_owned(),
                front: if form == end { front.to_vec() } else { Vec::new() },
            }));
        }
        (!marks.is_empty()).then_some(Self { marks, window })
    }

    /// With regard to case.
    fn find(&self, bytes: &[u8]) -> Option<CredentialName> {
        self.marks.iter().find(|mark| mark.exact.find(bytes).is_some()).map(|mark| mark.name.clone())
    }

    /// Puts asterisks in the place of one credential's handle, or of as much of it as stands there; whether any did.
    pub(super) fn replace(&self, name: &CredentialName, bytes: &mut [u8]) -> bool {
        let mut is_there = false;
        for mark in self.marks.iter().filter(|mark| mark.name == *name) {
            let starts: Vec<usize> = mark.exact.find_iter(bytes).collect();
            for start in starts {
                let before = bytes.get(..start).unwrap_or_default().iter().rev();
                let front = before.zip(mark.front.iter().rev()).take_while(|(byte, own)| byte == own).count();
                let end = start.saturating_add(mark.exact.needle().len());
                bytes.get_mut(start.saturating_sub(front)..end).unwrap_or_default().fill(b'*');
                is_there = true;
            }
        }
        is_there
    }

    /// In something short: as it is, with escapes decoded, and with the dots between labels of a name left out.
    pub(super) fn find_in_text(&self, text: &[u8]) -> Option<CredentialName> {
        self.all_in_text(text).pop_first()
    }

    /// The same in a header, and in what it holds as Basic authentication.
    pub(super) fn find_in_header(&self, value: &[u8]) -> Option<CredentialName> {
        self.all_in_header(value).pop_first()
    }

    /// Whose handles are in a text: one that may be there must not hide another.
    pub(super) fn all_in_text(&self, text: &[u8]) -> BTreeSet<CredentialName> {
        let mut found = BTreeSet::new();
        let mut look = |text: &[u8]| {
            let small = text.to_ascii_lowercase();
            let there = self.marks.iter().filter(|mark| mark.small.find(&small).is_some());
            found.extend(there.map(|mark| mark.name.clone()));
        };
        look(text);
        if text.contains(&b'%') {
            look(&percent_decoded(text));
        }
        if text.contains(&b'.') {
            look(&text.iter().copied().filter(|byte| *byte != b'.').collect::<Vec<u8>>());
        }
        found
    }

    pub(super) fn all_in_header(&self, value: &[u8]) -> BTreeSet<CredentialName> {
        let mut found = self.all_in_text(value);
        if let Some(pair) = place::basic(value) {
            found.append(&mut self.all_in_text(pair.as_bytes()));
        }
        found
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
            let across = scanner.find(&self.0);
            if across.is_some() {
                return across;
            }
        }
        let within = scanner.find(bytes);
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
