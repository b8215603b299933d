//! What was understood of one lock file.
//!
//! A format's parser fills it; it bounds what it takes and counts what it does not understand.

use super::{FIELD_BYTES_MAX, LOCK_BYTES_MAX, LockFormat, PINS_MAX, lines, tables};
use std::collections::{BTreeMap, BTreeSet};

/// Why a text was not read at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Longer than [`LOCK_BYTES_MAX`].
    #[error("the lock file is longer than {LOCK_BYTES_MAX} bytes")]
    TooLong,
    /// More pins than [`PINS_MAX`].
    #[error("the lock file has more than {PINS_MAX} entries")]
    TooMany,
    /// It is not UTF-8.
    #[error("the lock file is not UTF-8")]
    NotUtf8,
    /// It does not have the form that its name promises.
    #[error("the lock file is no {0}")]
    Form(&'static str),
}

/// One dependency as it is pinned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pin {
    /// Where it comes from, as far as the file says. In an address its own version stands as `{version}`, so that a newer
    /// one from the same place has the same source.
    pub source: BTreeSet<String>,
    /// What its content must hash to, as far as the file says.
    pub checksums: BTreeSet<String>,
    /// Whether the file says that it runs a script when it is installed.
    pub runs_at_installation: bool,
}

/// The dependencies of one lock file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// By name, then by version. A version can be empty, or a range where that is all the file says.
    pub pins: BTreeMap<String, BTreeMap<String, Pin>>,
    /// Lines or entries that were not understood.
    pub not_understood: u64,
    count: usize,
}

impl Reading {
    /// Reads `text`.
    ///
    /// # Errors
    /// [`Unreadable`] if nothing can be said of it.
    pub fn of(format: LockFormat, text: &[u8]) -> Result<Self, Unreadable> {
        if text.len() > LOCK_BYTES_MAX {
            return Err(Unreadable::TooLong);
        }
        let text = std::str::from_utf8(text).ok().ok_or(Unreadable::NotUtf8)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reading = Self::default();
        match format {
            LockFormat::Cargo | LockFormat::Poetry | LockFormat::Uv => tables::toml(text, &mut reading)?,
            LockFormat::Npm => tables::npm(text, &mut reading)?,
            LockFormat::Yarn => lines::yarn(text, &mut reading),
            LockFormat::Pnpm => lines::pnpm(text, &mut reading),
            LockFormat::Gemfile => lines::gemfile(text, &mut reading),
            LockFormat::Go => lines::go(text, &mut reading),
            LockFormat::Requirements => lines::requirements(text, &mut reading),
        }
        if reading.count > PINS_MAX { Err(Unreadable::TooMany) } else { Ok(reading) }
    }

    /// The pin of `name` at `version`, new if it is not there; `None` for a name that is none, or one too many.
    pub(super) fn pin(&mut self, name: &str, version: &str) -> Option<&mut Pin> {
        if name.is_empty() {
            self.not_understood = self.not_understood.saturating_add(1);
            return None;
        }
        let known = self.pins.get(name).is_some_and(|versions| versions.contains_key(version));
        if !known {
            self.count = self.count.saturating_add(1);
            if self.count > PINS_MAX {
                return None;
            }
        }
        Some(self.pins.entry(bounded(name)).or_default().entry(bounded(version)).or_default())
    }

    pub(super) fn not_understood(&mut self) {
        self.not_understood = self.not_understood.saturating_add(1);
    }
}

impl Pin {
    pub(super) fn has_source(&mut self, source: &str, version: &str) {
        if !source.is_empty() {
            self.source.insert(bounded(&without_version(source, version)));
        }
    }

    pub(super) fn has_checksum(&mut self, checksum: &str) {
        if !checksum.is_empty() {
            self.checksums.insert(bounded(checksum));
        }
    }

    /// An address, whose part after `#` is the checksum.
    pub(super) fn has_address(&mut self, address: &str, version: &str) {
        let (address, checksum) = address.split_once('#').unwrap_or((address, ""));
        self.has_source(address, version);
        self.has_checksum(checksum);
    }
}

/// The scheme and host of an address, for those whose path is a hash.
pub(super) fn origin(address: &str) -> &str {
    let after_scheme = address.find("://").map_or(0, |at| at.saturating_add(3));
    let path = address.get(after_scheme..).and_then(|rest| rest.find('/'));
    path.and_then(|at| address.get(..after_scheme.saturating_add(at))).unwrap_or(address)
}

fn without_version(source: &str, version: &str) -> String {
    if version.is_empty() { source.to_owned() } else { source.replace(version, "{version}") }
}

fn bounded(text: &str) -> String {
    if text.len() <= FIELD_BYTES_MAX {
        return text.to_owned();
    }
    let kept = text.get(..text.floor_char_boundary(FIELD_BYTES_MAX)).unwrap_or_default();
    format!("{kept}…")
}
