//! Taking out of settings what looks like a secret, wherever it stands.
//!
//! An entry of an object is removed. An argument of a command is replaced, so that the others keep their places. An
//! entry that can do nothing without what it lost (a server without its address) goes as a whole.

use crate::mask::{SecretSign, looks_secret_value};
use serde_json::{Map, Value};

/// What stands for a removed argument.
const REMOVED: &str = "removed-by-cofferdam";

/// Without these, the entry that they belong to can't work.
const ESSENTIAL: [&str; 4] = ["command", "url", "httpUrl", "serverUrl"];

/// Objects whose entries are request headers: only named ones, or references, are kept.
const HEADER_OBJECTS: [&str; 5] =
    ["headers", "http_headers", "httpHeaders", "extra_headers", "defaultHeaders"];

/// Headers that never carry a secret, in lower case.
const HEADERS_KEPT: [&str; 6] =
    ["accept", "content-type", "user-agent", "mcp-protocol-version", "anthropic-version", "anthropic-beta"];

/// Objects whose keys name acts and events (`SessionStart`, `session_new`): there, names are no sign.
const ACT_OBJECTS: [&str; 6] = ["hooks", "keybinds", "keybindings", "keys", "permission", "permissions"];

/// Ends of keys whose value is the *name* of a variable, not its value.
const VARIABLE_NAME_ENDS: [&str; 5] = ["_env_var", "_env", "_env_key", "_env_vars", "_variable"];

/// What may stand beside a reference.
const SCHEMES: [&str; 4] = ["", "Bearer", "Basic", "token"];

/// What is known about the place of a value from the objects around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Nothing.
    Plain,
    /// Keys name acts and events.
    Acts,
    /// The name of an object around it sounds secret.
    Secret,
}

/// Whether something is left that is worth keeping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Kept,
    Removed,
}

/// Takes out of `value` whatever looks like a secret, and every entry called one of `drop`.
pub(super) fn scrub(value: &mut Value, drop: &[&str]) {
    let _: Left = scrub_value("", value, Place::Plain, drop);
}

fn scrub_value(key: &str, value: &mut Value, place: Place, drop: &[&str]) -> Left {
    match value {
        Value::String(text) if is_secret(key, text, place) => Left::Removed,
        Value::Object(object) if HEADER_OBJECTS.contains(&key) => scrub_headers(object),
        Value::Object(object) => scrub_object(object, place_within(key, place), drop),
        Value::Array(items) => scrub_array(key, items, place_within(key, place), drop),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => Left::Kept,
    }
}

fn scrub_object(object: &mut Map<String, Value>, place: Place, drop: &[&str]) -> Left {
    let mut left = Left::Kept;
    object.retain(|key, value| {
        let kept = !drop.contains(&key.as_str()) && scrub_value(key, value, place, drop) == Left::Kept;
        if !kept && ESSENTIAL.contains(&key.as_str()) {
            left = Left::Removed;
        }
        kept
    });
    left
}

fn scrub_headers(object: &mut Map<String, Value>) -> Left {
    object.retain(|name, value| {
        let harmless = HEADERS_KEPT.contains(&name.to_ascii_lowercase().as_str());
        value.as_str().is_some_and(|text| is_reference(text) || (harmless && shape("", text).is_none()))
    });
    Left::Kept
}

fn scrub_array(key: &str, items: &mut Vec<Value>, place: Place, drop: &[&str]) -> Left {
    let mut after_secret_flag = false;
    items.retain_mut(|item| {
        let Value::String(text) = item else {
            after_secret_flag = false;
            // What the array is called has had its say in `place`.
            return scrub_value("", item, place, drop) == Left::Kept;
        };
        let secret = after_secret_flag || is_secret(key, text, place) || is_secret_argument(text);
        after_secret_flag = !after_secret_flag && is_secret_flag(text);
        if secret && !is_reference(text) {
            REMOVED.clone_into(text);
        }
        true
    });
    Left::Kept
}

fn place_within(key: &str, place: Place) -> Place {
    match place {
        Place::Secret => Place::Secret,
        Place::Plain | Place::Acts if ACT_OBJECTS.contains(&key) => Place::Acts,
        // `auth: { selectedType: … }` says how to log in.
        Place::Plain if key != "auth" && sounds_secret(key) => Place::Secret,
        Place::Plain => Place::Plain,
        // Only the names directly in such an object are acts; what a hook is made of is not.
        Place::Acts => Place::Plain,
    }
}

fn is_secret(key: &str, text: &str, place: Place) -> bool {
    if is_reference(text) || names_a_variable(key, text) {
        return false;
    }
    let by_name = match place {
        Place::Secret => looks_secret_value("secret", text).is_some(),
        Place::Plain => looks_secret_value(&snake(key), text).is_some(),
        Place::Acts => shape(key, text).is_some(),
    };
    by_name || holds_secret_word(text) || has_secret_path(text)
}

/// A sign that lies in the value alone.
fn shape(key: &str, text: &str) -> Option<SecretSign> {
    looks_secret_value(key, text).filter(|sign| match sign {
        SecretSign::Key => false,
        SecretSign::Shape
        | SecretSign::PrivateKey
        | SecretSign::SignedToken
        | SecretSign::UrlPassword
        | SecretSign::Random => true,
    })
}

fn sounds_secret(key: &str) -> bool {
    looks_secret_value(&snake(key), "some value") == Some(SecretSign::Key)
}

/// A command line, or a header, with a secret among its words.
fn holds_secret_word(text: &str) -> bool {
    let mut after_secret_flag = false;
    text.contains(char::is_whitespace)
        && text.split(char::is_whitespace).map(|word| word.trim_matches(['"', '\'', '`', ',', ';'])).any(
            |word| {
                let secret = !is_reference(word) && (after_secret_flag || is_secret_argument(word));
                after_secret_flag = is_secret_flag(word);
                secret && !word.is_empty()
            },
        )
}

/// A token, `--api-key=…`, `TOKEN=…`, `Authorization: …`.
fn is_secret_argument(text: &str) -> bool {
    let named = |(name, value): (&str, &str)| {
        let value = value.trim();
        !is_reference(value) && looks_secret_value(&snake(name.trim_start_matches('-')), value).is_some()
    };
    shape("", text).is_some()
        || text.split_once('=').is_some_and(named)
        || text.split_once(": ").is_some_and(named)
}

/// `--api-key`, `--token`, `Authorization:`: the secret comes next.
fn is_secret_flag(text: &str) -> bool {
    let is_flag = (text.starts_with('-') || text.ends_with(':')) && !text.contains('=');
    is_flag && sounds_secret(text.trim_start_matches('-').trim_end_matches(':'))
}

/// A URL with a secret as a segment of its path, as some servers hand out.
fn has_secret_path(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else { return false };
    rest.split(['/', '?', '#', '&', '=']).skip(1).any(|segment| shape("", segment).is_some())
}

/// `${NAME}`, `$NAME`, `{env:NAME}`, `{file:PATH}`, also after a scheme: where the secret is, not the secret.
fn is_reference(text: &str) -> bool {
    let mut beside = String::new();
    let mut references = 0_usize;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = reference_length(rest);
        if length > 0 {
            references = references.saturating_add(1);
        } else {
            beside.push(first);
        }
        rest = rest.get(length.max(first.len_utf8())..).unwrap_or_default();
    }
    references > 0 && SCHEMES.contains(&beside.trim())
}

/// The length in bytes of the reference that `text` begins with; 0 where there is none.
fn reference_length(text: &str) -> usize {
    let braced = |opening: &str, is_plain: fn(char) -> bool| {
        let inside = text.strip_prefix(opening)?.split_once('}')?.0;
        let plain = !inside.is_empty() && inside.chars().all(is_plain);
        plain.then(|| opening.len().saturating_add(inside.len()).saturating_add(1))
    };
    // No `${NAME:-default}`: the default may be the secret.
    let bare = || {
        let name = text.strip_prefix('$')?.split(|c: char| !is_name_character(c)).next()?;
        let is_name = name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_');
        is_name.then(|| name.len().saturating_add(1))
    };
    braced("${", is_name_character)
        .or_else(|| braced("{env:", is_name_character))
        .or_else(|| braced("{file:", |c| !c.is_control()))
        .or_else(bare)
        .unwrap_or(0)
}

fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// `api_key_env: OPENAI_API_KEY`, or a key named by the variable that holds it.
fn names_a_variable(key: &str, text: &str) -> bool {
    let is_upper = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let is_name = text.starts_with(|c: char| c.is_ascii_uppercase()) && text.chars().all(is_upper);
    let key = snake(key).to_ascii_lowercase();
    let by_key = VARIABLE_NAME_ENDS.iter().any(|end| key.ends_with(end)) || key == "env_key";
    let sounds_named = text.contains('_') && sounds_secret(text);
    is_name && (by_key || sounds_named)
}

/// `apiKey` and `APIKey` as `api_Key` and `API_Key`: words apart.
fn snake(key: &str) -> String {
    let mut words = String::with_capacity(key.len());
    let mut previous = '_';
    let mut characters = key.chars().peekable();
    while let Some(character) = characters.next() {
        let before_lower = characters.peek().is_some_and(char::is_ascii_lowercase);
        let begins_word = character.is_ascii_uppercase()
            && (previous.is_ascii_lowercase() || (previous.is_ascii_uppercase() && before_lower));
        if begins_word {
            words.push('_');
        }
        words.push(character);
        previous = character;
    }
    words
}
