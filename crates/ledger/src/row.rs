//! How values stand in columns, and how they are read back. Private: the schema's version is theirs too.

use crate::error::{Fault, unreadable};
use cofferdam_policy::event::Event;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::map::Map;

/// An event without particulars.
const NOTHING: &str = "{}";

/// Kind and body of an event; the body is JSON on one line, so that nothing in it can forge a second line.
pub(crate) fn event_to_columns(event: &Event) -> Result<(&'static str, String), Fault> {
    let kind = event.kind().name();
    let value = serde_json::to_value(event).map_err(unreadable("body", kind))?;
    Ok((kind, value.get("body").map_or_else(|| NOTHING.to_owned(), Value::to_string)))
}

/// The event that [`event_to_columns`] took apart.
pub(crate) fn event_from_columns(kind: &str, body: &str) -> Result<Event, serde_json::Error> {
    let mut object = Map::new();
    object.insert("kind".to_owned(), Value::String(kind.to_owned()));
    if body != NOTHING {
        object.insert("body".to_owned(), serde_json::from_str(body)?);
    }
    serde_json::from_value(Value::Object(object))
}

/// A value as JSON.
pub(crate) fn to_json(what: &'static str, value: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(unreadable(what, "a new session"))
}

/// A value from JSON.
pub(crate) fn from_json<T: DeserializeOwned>(what: &'static str, key: &str, text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(unreadable(what, key))
}

#[cfg(test)]
mod fuzz;
