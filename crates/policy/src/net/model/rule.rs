//! What a grant says of a model, as one word: `anthropic`, `openai/api/v1`, `anthropic+tools:web_search`.
//!
//! How the names that are let through are written is `pass`'s matter, and where they count `spot`'s.

use super::{ModelApi, ModelCall, ModelRefusal};
use crate::net::grant::{GRANT_ENTRIES_MAX, GrantError};
use crate::net::path::CanonicalPath;
use std::fmt;
use std::str::FromStr;

/// Whose protocols a granted place speaks, below which path, and what of them the owner lets through unchecked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelRule {
    api: ModelApi,
    base: String,
    unchecked: Vec<String>,
}

impl ModelRule {
    /// With `base` before the paths of its calls, empty or beginning with `/`.
    ///
    /// # Errors
    /// [`GrantError::Model`] for a path that can be read in two ways.
    pub fn at(api: ModelApi, base: &str) -> Result<Self, GrantError> {
        let wrong = || GrantError::Model(base.to_owned());
        let plain = base.strip_suffix('/').unwrap_or(base);
        let is_path = plain.is_empty()
            || (CanonicalPath::parse(plain.as_bytes()).is_ok() && !plain.contains(['+', ' ', '%']));
        if is_path { Ok(Self { base: plain.to_owned(), ..api.into() }) } else { Err(wrong()) }
    }

    /// This rule, with one more name that is let through.
    ///
    /// # Errors
    /// [`GrantError`] for what is no name, and for more than [`GRANT_ENTRIES_MAX`].
    pub fn letting_through(mut self, name: &str) -> Result<Self, GrantError> {
        if !super::pass::is_name(name) {
            return Err(GrantError::Model(name.to_owned()));
        }
        if !self.unchecked.iter().any(|known| known == name) {
            self.unchecked.push(name.to_owned());
            self.unchecked.sort_unstable();
        }
        if self.unchecked.len() > GRANT_ENTRIES_MAX { Err(GrantError::TooMany("model")) } else { Ok(self) }
    }

    /// Whose.
    #[must_use]
    pub fn api(&self) -> ModelApi {
        self.api
    }

    /// What is let through by its name.
    #[must_use]
    pub fn unchecked(&self) -> &[String] {
        &self.unchecked
    }

    /// What this method and path ask for; `None` for everything but inference.
    #[must_use]
    pub fn call(&self, method: &str, path: &str) -> Option<ModelCall> {
        self.api.call(&self.base, method, path)
    }

    /// This rule as it would let through what was refused, if a name could.
    #[must_use]
    pub fn widened(&self, refusal: &ModelRefusal) -> Option<Self> {
        self.clone().letting_through(&refusal.name_to_grant()?).ok()
    }
}

impl From<ModelApi> for ModelRule {
    /// As at the vendor's own host, with nothing let through unchecked.
    fn from(api: ModelApi) -> Self {
        Self { api, base: api.usual_base().to_owned(), unchecked: Vec::new() }
    }
}

impl FromStr for ModelRule {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Self, GrantError> {
        let mut words = text.split('+');
        let place = words.next().unwrap_or_default();
        let end = place.find('/').unwrap_or(place.len());
        let (api, base) = place.split_at_checked(end).unwrap_or((place, ""));
        let api = [ModelApi::Anthropic, ModelApi::OpenAi, ModelApi::Gemini]
            .into_iter()
            .find(|known| known.name() == api)
            .ok_or_else(|| GrantError::Model(text.to_owned()))?;
        let rule = if base.is_empty() { api.into() } else { Self::at(api, base)? };
        words.try_fold(rule, Self::letting_through)
    }
}

impl fmt::Display for ModelRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.api.name())?;
        if self.base.is_empty() {
            f.write_str("/")?;
        } else if self.base != self.api.usual_base() {
            f.write_str(&self.base)?;
        }
        self.unchecked.iter().try_for_each(|name| write!(f, "+{name}"))
    }
}
