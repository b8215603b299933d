//! JSON as a tree, read so that no other reader could see another request in the same bytes.
//!
//! Stricter than RFC 8259: no key twice in an object, no byte order mark, no lone surrogate, nothing after the end.
//! Numbers are not kept: no rule looks at one.

use super::{BODY_BYTES_MAX, DEPTH_MAX, ModelRefusal, VALUES_MAX};
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;

/// A value; texts without escapes lie in the body itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Json<'j> {
    Null,
    Flag(bool),
    Number,
    Text(Cow<'j, str>),
    List(Vec<Json<'j>>),
    Object(BTreeMap<Cow<'j, str>, Json<'j>>),
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
    trouble: RefCell<Option<ModelRefusal>>,
}

impl State {
    fn stop<E: serde::de::Error>(&self, trouble: ModelRefusal) -> E {
        *self.trouble.borrow_mut() = Some(trouble);
        E::custom("stopped")
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
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'j>, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'j>>(self, mut items: A) -> Result<Json<'j>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.inner())? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'j>>(self, mut entries: A) -> Result<Json<'j>, A::Error> {
        let mut object = BTreeMap::new();
        while let Some(key) = entries.next_key_seed(Key)? {
            if object.contains_key(&key) {
                return Err(self.state.stop(ModelRefusal::TwoMeanings { key: super::spot::shown(&key) }));
            }
            object.insert(key, entries.next_value_seed(self.inner())?);
        }
        Ok(Json::Object(object))
    }
}

#[derive(Debug, Clone, Copy)]
struct Key;

impl<'j> DeserializeSeed<'j> for Key {
    type Value = Cow<'j, str>;

    fn deserialize<D: serde::Deserializer<'j>>(self, reader: D) -> Result<Cow<'j, str>, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'j> Visitor<'j> for Key {
    type Value = Cow<'j, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, text: &'j str) -> Result<Cow<'j, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cow<'j, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}
