//! JSON as a tree, read so that no other reader could see another request in the same bytes.
//!
//! Stricter than RFC 8259: no key twice in an object, no byte order mark, no lone surrogate, nothing after the end.
//! Numbers are not kept: no rule looks at one. What the tree takes is counted while it grows, and bounded.

use super::{BODY_BYTES_MAX, DEPTH_MAX, ModelRefusal, TREE_BYTES_MAX, VALUES_MAX};
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::Deref;

/// What an allocation costs beside its bytes, and at least, in bytes.
const ALLOCATION_BYTES: usize = 16;

/// From this many fields on, doubled keys are found by their order.
const FIELDS_COMPARED_MAX: usize = 8;

/// A value, in 24 bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Json<'j> {
    Null,
    Flag(bool),
    Number,
    Text(Text<'j>),
    List(Box<[Json<'j>]>),
    /// In the order of the body; no key is there twice.
    Object(Box<[(Text<'j>, Json<'j>)]>),
}

/// Text; without escapes it lies in the body itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Text<'j> {
    Within(&'j str),
    Apart(Box<str>),
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Within(text) => text,
            Self::Apart(text) => text,
        }
    }
}

pub(super) fn read(body: &[u8]) -> Result<Json<'_>, ModelRefusal> {
    if body.len() > BODY_BYTES_MAX {
        return Err(ModelRefusal::TooLong { bytes: body.len() });
    }
    let state = State::default();
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = Value { state: &state, depth: 0 }.deserialize(&mut reader);
    match read.and_then(|document| reader.end().map(|()| document)) {
        Ok(document) => Ok(document),
        Err(error) => Err(state
            .trouble
            .into_inner()
            .unwrap_or(ModelRefusal::NotJson { line: error.line(), column: error.column() })),
    }
}

/// What is counted while reading; what was found comes out beside serde's error, which is only text.
#[derive(Debug, Default)]
struct State {
    values: Cell<usize>,
    /// What the tree takes by now, in bytes.
    bytes: Cell<usize>,
    trouble: RefCell<Option<ModelRefusal>>,
}

impl State {
    fn stop<E: serde::de::Error>(&self, trouble: ModelRefusal) -> E {
        *self.trouble.borrow_mut() = Some(trouble);
        E::custom("stopped")
    }

    fn take<E: serde::de::Error>(&self, bytes: usize) -> Result<(), E> {
        let taken = self.bytes.get().saturating_add(bytes);
        self.bytes.set(taken);
        if taken > TREE_BYTES_MAX { Err(self.stop(ModelRefusal::TooManyValues)) } else { Ok(()) }
    }

    fn apart<'j, E: serde::de::Error>(&self, text: &str) -> Result<Text<'j>, E> {
        self.take(text.len().saturating_add(ALLOCATION_BYTES))?;
        Ok(Text::Apart(text.into()))
    }
}

/// A list that grows, with what it takes counted.
#[derive(Debug)]
struct Growing<'s, T> {
    items: Vec<T>,
    state: &'s State,
}

impl<'s, T> Growing<'s, T> {
    fn new(state: &'s State) -> Self {
        Self { items: Vec::new(), state }
    }

    fn push<E: serde::de::Error>(&mut self, item: T) -> Result<(), E> {
        let capacity = self.items.capacity();
        if self.items.len() == capacity {
            let first = if capacity == 0 { ALLOCATION_BYTES } else { 0 };
            let more = capacity.max(1);
            self.state.take(first.saturating_add(more.saturating_mul(size_of::<T>())))?;
            self.items.reserve_exact(more);
        }
        self.items.push(item);
        Ok(())
    }

    /// With no more room than it needs.
    fn done(self) -> Box<[T]> {
        let spare = self.items.capacity().saturating_sub(self.items.len()).saturating_mul(size_of::<T>());
        self.state.bytes.set(self.state.bytes.get().saturating_sub(spare));
        self.items.into_boxed_slice()
    }
}

#[derive(Debug, Clone, Copy)]
struct Value<'s> {
    state: &'s State,
    depth: usize,
}

impl Value<'_> {
    fn inner(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }
}

impl<'j> DeserializeSeed<'j> for Value<'_> {
    type Value = Json<'j>;

    fn deserialize<D: serde::Deserializer<'j>>(self, reader: D) -> Result<Json<'j>, D::Error> {
        let values = self.state.values.get() + 1;
        self.state.values.set(values);
        if values > VALUES_MAX || self.depth > DEPTH_MAX {
            return Err(self.state.stop(ModelRefusal::TooManyValues));
        }
        reader.deserialize_any(self)
    }
}

impl<'j> Visitor<'j> for Value<'_> {
    type Value = Json<'j>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'j>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'j>, E> {
        Ok(Json::Flag(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json<'j>, E> {
        Ok(Json::Number)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Json<'j>, E> {
        Ok(Json::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json<'j>, E> {
        Ok(Json::Number)
    }

    fn visit_borrowed_str<E>(self, text: &'j str) -> Result<Json<'j>, E> {
        Ok(Json::Text(Text::Within(text)))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Json<'j>, E> {
        self.state.apart(text).map(Json::Text)
    }

    fn visit_seq<A: SeqAccess<'j>>(self, mut items: A) -> Result<Json<'j>, A::Error> {
        let mut list = Growing::new(self.state);
        while let Some(item) = items.next_element_seed(self.inner())? {
            list.push(item)?;
        }
        Ok(Json::List(list.done()))
    }

    fn visit_map<A: MapAccess<'j>>(self, mut entries: A) -> Result<Json<'j>, A::Error> {
        let mut object = Growing::new(self.state);
        while let Some(key) = entries.next_key_seed(Key(self.state))? {
            object.push((key, entries.next_value_seed(self.inner())?))?;
        }
        let object = object.done();
        match twin(&object) {
            Some(key) => Err(self.state.stop(ModelRefusal::TwoMeanings { key: super::spot::shown(key) })),
            None => Ok(Json::Object(object)),
        }
    }
}

/// A key that is there twice.
fn twin<'o>(object: &'o [(Text<'_>, Json<'_>)]) -> Option<&'o str> {
    let keys = || object.iter().map(|(key, _)| &**key);
    if object.len() <= FIELDS_COMPARED_MAX {
        return keys()
            .enumerate()
            .find(|(at, key)| keys().take(*at).any(|other| other == *key))
            .map(|(_, key)| key);
    }
    let mut sorted: Vec<&str> = keys().collect();
    sorted.sort_unstable();
    sorted.windows(2).find_map(|pair| match pair {
        [one, other] if one == other => Some(*one),
        [..] => None,
    })
}

#[derive(Debug, Clone, Copy)]
struct Key<'s>(&'s State);

impl<'j> DeserializeSeed<'j> for Key<'_> {
    type Value = Text<'j>;

    fn deserialize<D: serde::Deserializer<'j>>(self, reader: D) -> Result<Text<'j>, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'j> Visitor<'j> for Key<'_> {
    type Value = Text<'j>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, text: &'j str) -> Result<Text<'j>, E> {
        Ok(Text::Within(text))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Text<'j>, E> {
        self.0.apart(text)
    }
}

#[cfg(test)]
mod tests;
