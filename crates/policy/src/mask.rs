//! Which names in a workspace are hidden from a session, and what looks like a secret.
//!
//! Pure: it matches bytes against patterns. It does not look at any file, neither at its content nor at
//! whether it exists, and it knows no way to un-hide: an exception belongs to the one rule that it limits,
//! so that adding a rule can only hide more.

mod defaults;
mod pattern;
mod secret;

pub use defaults::{default_masks, explicit_mask, git_directory_masks};
pub use pattern::{MaskError, MaskPattern, PATTERN_BYTES_MAX};
pub use secret::{SecretName, SecretSign, looks_secret_name, looks_secret_value};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The most rules one set takes.
pub const MASK_RULES_MAX: usize = 4096;

/// Version of the matching itself: raised when the same patterns come to match other names.
const MATCHING_VERSION: u8 = 1;

/// What kind of object has the name that is being matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NameKind {
    /// A directory itself, not a link to one.
    Directory,
    /// Anything else.
    Other,
}

/// One rule: names that match `pattern` are hidden, unless one of `except` matches them too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskRule {
    /// What is hidden.
    pub pattern: MaskPattern,
    /// What this rule, and no other, lets through.
    pub except: Vec<MaskPattern>,
    /// Why, for `explain`.
    pub reason: String,
}

/// A set of rules, compiled so that a name which matches none is passed over in a few nanoseconds.
#[derive(Debug, Clone)]
pub struct MaskSet {
    rules: Vec<MaskRule>,
    /// Rules whose last segment begins with a known byte, by that byte.
    by_first: Box<[Vec<Sieve>; 256]>,
    /// Rules whose last segment ends with a known byte but begins with a wildcard, by that last byte.
    by_last: Box<[Vec<Sieve>; 256]>,
    /// The rest.
    always: Vec<Sieve>,
}

/// The first and the last eight bytes that a name must have to be worth a closer look, as two comparisons.
#[derive(Debug, Clone, Copy)]
struct Sieve {
    first: u64,
    first_mask: u64,
    last: u64,
    last_mask: u64,
    rule: u32,
}

impl Sieve {
    fn of(pattern: &MaskPattern, rule: u32) -> Self {
        let full = |part: &[u8]| part.iter().map(|_| 0xff).collect::<Vec<u8>>();
        Self {
            first: first_eight(pattern.name_prefix()),
            first_mask: first_eight(&full(pattern.name_prefix())),
            last: last_eight(pattern.name_suffix()),
            last_mask: last_eight(&full(pattern.name_suffix())),
            rule,
        }
    }

    const fn passes(&self, first: u64, last: u64) -> bool {
        (first ^ self.first) & self.first_mask == 0 && (last ^ self.last) & self.last_mask == 0
    }
}

/// The first eight bytes, the very first in the lowest place; zeroes beyond the end.
fn first_eight(name: &[u8]) -> u64 {
    match name.first_chunk::<8>() {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => name.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

/// The last eight bytes, the very last in the lowest place; zeroes beyond the beginning.
fn last_eight(name: &[u8]) -> u64 {
    match name.last_chunk::<8>() {
        Some(chunk) => u64::from_be_bytes(*chunk),
        None => name.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

impl MaskSet {
    /// Compiles `rules`.
    ///
    /// # Errors
    /// [`MaskError::TooMany`] beyond [`MASK_RULES_MAX`].
    pub fn new(rules: Vec<MaskRule>) -> Result<Self, MaskError> {
        if rules.len() > MASK_RULES_MAX {
            return Err(MaskError::TooMany { count: rules.len() });
        }
        let mut set = Self {
            rules: Vec::new(),
            by_first: Box::new(std::array::from_fn(|_| Vec::new())),
            by_last: Box::new(std::array::from_fn(|_| Vec::new())),
            always: Vec::new(),
        };
        for (number, rule) in (0_u32..).zip(&rules) {
            let bucket = match (rule.pattern.name_prefix().first(), rule.pattern.name_suffix().last()) {
                (Some(first), _) => set.by_first.get_mut(usize::from(*first)),
                (None, Some(last)) => set.by_last.get_mut(usize::from(*last)),
                (None, None) => None,
            };
            bucket.unwrap_or(&mut set.always).push(Sieve::of(&rule.pattern, number));
        }
        set.rules = rules;
        Ok(set)
    }

    /// The rules, in the order in which they were given.
    #[must_use]
    pub fn rules(&self) -> &[MaskRule] {
        &self.rules
    }

    /// The rule that hides the entry `name` of the directory `parent` (relative to the workspace, empty for its
    /// root, without leading or trailing slash), if any does.
    ///
    /// Entries below a hidden directory need no rule of their own and are not considered here.
    #[must_use]
    pub fn hides(&self, parent: &[u8], name: &[u8], kind: NameKind) -> Option<&MaskRule> {
        let (Some(first), Some(last)) = (name.first(), name.last()) else { return None };
        let by_first = self.by_first.get(usize::from(*first)).map_or(&[][..], Vec::as_slice);
        let by_last = self.by_last.get(usize::from(*last)).map_or(&[][..], Vec::as_slice);
        let (first, last) = (first_eight(name), last_eight(name));
        // Three plain loops: this runs once for every file of a workspace.
        [by_first, by_last, &self.always].into_iter().find_map(|bucket| {
            let mut passed = bucket.iter().filter(|sieve| sieve.passes(first, last));
            passed.find_map(|sieve| self.confirm(*sieve, parent, name, kind))
        })
    }

    fn confirm(&self, sieve: Sieve, parent: &[u8], name: &[u8], kind: NameKind) -> Option<&MaskRule> {
        let rule = self.rules.get(usize::try_from(sieve.rule).ok()?)?;
        let matches = |pattern: &MaskPattern| pattern.matches(parent, name, kind);
        (matches(&rule.pattern) && !rule.except.iter().any(matches)).then_some(rule)
    }

    /// The rule that hides `path` (relative to the workspace) or a directory above it.
    #[must_use]
    pub fn hides_path(&self, path: &[u8], kind: NameKind) -> Option<&MaskRule> {
        let mut start = 0;
        loop {
            let rest = path.get(start..)?;
            let length = rest.iter().position(|byte| *byte == b'/');
            let parent = path.get(..start.saturating_sub(1)).unwrap_or_default();
            let Some(length) = length else { return self.hides(parent, rest, kind) };
            let name = rest.get(..length).unwrap_or_default();
            if let Some(rule) = self.hides(parent, name, NameKind::Directory) {
                return Some(rule);
            }
            start = start.saturating_add(length).saturating_add(1);
        }
    }

    /// Paths without wildcards that these rules hide in the workspace's root: what can be hidden before it exists.
    /// A path with a slash (`.docker/config.json`) is given whole.
    pub fn literal_paths(&self) -> impl Iterator<Item = Vec<u8>> {
        self.rules.iter().filter(|rule| rule.except.is_empty()).filter_map(|rule| rule.pattern.literal_path())
    }

    /// A digest that changes whenever a name could be judged otherwise than before.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update([MATCHING_VERSION]);
        for rule in &self.rules {
            let texts = std::iter::once(&rule.pattern).chain(&rule.except).map(MaskPattern::as_str);
            hash.update(rule.except.len().to_le_bytes());
            for text in texts {
                hash.update(text.len().to_le_bytes());
                hash.update(text.as_bytes());
            }
        }
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests;
