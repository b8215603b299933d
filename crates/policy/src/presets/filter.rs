//! What of an agent program's settings comes into a cell: an allow-list of keys, less what looks like a secret.
//!
//! Pure: text in, text out. Comments and order are not kept. A text that can't be read is an error, never passed
//! on as it is. The signs of a secret are [`mask`](crate::mask)'s; finding none proves nothing, which is why
//! files that exist to hold secrets are on no list at all.

mod json;
mod scrub;
mod yaml;

use serde_json::Value;

/// The longest text taken, in bytes.
pub const FILTERED_BYTES_MAX: usize = 8 << 20;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON, also with comments and trailing commas.
    Json,
    /// TOML.
    Toml,
    /// The plain part of YAML: nested keys, scalars on one line, lists of those. The rest is left out.
    Yaml,
}

/// What is kept of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filter {
    /// How it is written.
    pub format: Format,
    /// Keys at the top that are kept; all others are left out.
    pub keep: &'static [&'static str],
    /// Keys that are left out at any depth, such as commands that fetch a secret.
    pub drop: &'static [&'static str],
}

/// Why a text could not be filtered. Nothing of the text is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// It is longer than [`FILTERED_BYTES_MAX`].
    #[error("cannot filter {bytes} bytes, more than {FILTERED_BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It is not JSON.
    #[error("cannot read it as JSON: line {line}, column {column}")]
    Json {
        /// Where, from 1.
        line: usize,
        /// Where, from 1.
        column: usize,
    },
    /// It is not TOML.
    #[error("cannot read it as TOML: {reason}")]
    Toml {
        /// The parser's words.
        reason: String,
    },
    /// There are no keys in it.
    #[error("cannot filter it: it is not a set of keys and values")]
    NotAnObject,
}

impl Filter {
    /// A filter of JSON that keeps `keep` at the top.
    pub(super) const fn json(keep: &'static [&'static str]) -> Self {
        Self { format: Format::Json, keep, drop: &[] }
    }

    /// What is kept of `text`, in the same format.
    ///
    /// # Errors
    /// [`FilterError`]; then nothing of the file is to be used.
    pub fn apply(&self, text: &str) -> Result<String, FilterError> {
        if text.len() > FILTERED_BYTES_MAX {
            return Err(FilterError::TooLong { bytes: text.len() });
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match self.format {
            Format::Json => {
                let mut value = self.kept(json::parse(text)?)?;
                scrub::scrub(&mut value, self.drop);
                Ok(format!("{value:#}\n"))
            }
            Format::Toml => {
                let table: toml::Table =
                    text.parse().map_err(|error: toml::de::Error| toml_error(error.message()))?;
                let value = serde_json::to_value(table).map_err(|error| toml_error(&error.to_string()))?;
                let mut value = self.kept(value)?;
                scrub::scrub(&mut value, self.drop);
                toml::to_string(&value).map_err(|error| toml_error(&error.to_string()))
            }
            Format::Yaml => Ok(yaml::filter(text, self)),
        }
    }

    /// The object with only the keys that are kept at the top.
    fn kept(&self, value: Value) -> Result<Value, FilterError> {
        let Value::Object(mut object) = value else { return Err(FilterError::NotAnObject) };
        object.retain(|key, _| self.keep.contains(&key.as_str()));
        Ok(Value::Object(object))
    }
}

fn toml_error(reason: &str) -> FilterError {
    FilterError::Toml { reason: reason.to_owned() }
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests;
