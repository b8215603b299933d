//! The plain part of YAML, line by line: `key: scalar`, `key:` with something indented below, `- scalar`.
//!
//! Whatever is more than that (anchors, tags, flow collections, scalars over several lines) is left out together
//! with all that is indented below it. So what is kept means the same to every YAML reader.

use super::{Filter, scrub};
use serde_json::{Map, Value};

/// Beginnings of a scalar that mean something other than its text.
const NOT_PLAIN: [char; 10] = ['|', '>', '&', '*', '!', '{', '[', '%', '@', '`'];

/// What of `text` is kept.
pub(super) fn filter(text: &str, filter: &Filter) -> String {
    let mut kept = String::new();
    // Lines indented further than this belong to something that was left out.
    let mut left_out: Option<usize> = None;
    for line in text.lines() {
        let content = line.trim_start_matches(' ');
        let indent = line.len().saturating_sub(content.len());
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        if left_out.is_some_and(|depth| indent > depth || (indent == depth && content.starts_with("- "))) {
            continue;
        }
        left_out = None;
        if is_kept(content, indent, filter) {
            kept.push_str(line);
            kept.push('\n');
        } else {
            left_out = Some(indent);
        }
    }
    kept
}

fn is_kept(content: &str, indent: usize, filter: &Filter) -> bool {
    if content.chars().any(char::is_control) {
        return false;
    }
    let item = content.strip_prefix("- ");
    let entry = item.unwrap_or(content);
    match entry.strip_suffix(':').map(|key| (key, "")).or_else(|| entry.split_once(": ")) {
        Some((key, value)) => {
            let allowed = (indent > 0 || filter.keep.contains(&key)) && !filter.drop.contains(&key);
            allowed && (indent > 0 || item.is_none()) && is_plain_key(key) && is_harmless(key, value)
        }
        None => item.is_some() && is_harmless("", entry),
    }
}

fn is_plain_key(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'))
}

/// A scalar that stands on its line and, with its key, does not look like a secret.
fn is_harmless(key: &str, value: &str) -> bool {
    let value = value.trim();
    if value.is_empty() {
        return true;
    }
    let bare = unquoted(value);
    let plain = bare.is_some() && !value.starts_with(NOT_PLAIN);
    let mut object = Map::new();
    object.insert(key.to_owned(), Value::String(bare.unwrap_or(value).to_owned()));
    let mut object = Value::Object(object);
    scrub::scrub(&mut object, &[]);
    plain && object.get(key).is_some()
}

/// The text of a scalar; `None` if its quotes don't close, or if a comment may follow it.
fn unquoted(value: &str) -> Option<&str> {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            return rest.strip_suffix(quote).filter(|inside| !inside.contains([quote, '\\']));
        }
    }
    (!value.contains(" #")).then_some(value)
}
