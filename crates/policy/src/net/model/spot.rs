//! A place in a body, and tables that say what may stand there.
//!
//! A table names every field that an object may have, with the rule for its value; a field that it does not name is
//! refused. Names are compared without case and underscores, as some vendors' servers read them, and an object that
//! has one name in two spellings is refused.

use super::ModelRefusal;
use super::document::Json;

/// What must hold for a value.
pub(super) type Rule = fn(&Spot<'_>) -> Result<(), ModelRefusal>;

/// The fields that an object may have.
pub(super) type Fields = &'static [(&'static str, Rule)];

/// The objects that may stand somewhere, by their `type`; a `*` at its end stands for digits, a date.
pub(super) type Kinds = &'static [(&'static str, Fields)];

/// The most of a name that is shown, in characters.
pub(super) const SHOWN_CHARS_MAX: usize = 64;

/// A value and the way to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot<'s> {
    value: &'s Json<'s>,
    above: Option<&'s Spot<'s>>,
    step: Step<'s>,
    /// What the owner lets through by name.
    granted: &'s [String],
}

#[derive(Debug, Clone, Copy)]
enum Step<'s> {
    Top,
    Key(&'s str),
    Index(usize),
}

impl<'s> Spot<'s> {
    pub(super) fn top(value: &'s Json<'s>, granted: &'s [String]) -> Self {
        Self { value, above: None, step: Step::Top, granted }
    }

    fn below<'t>(&'t self, value: &'t Json<'t>, step: Step<'t>) -> Spot<'t> {
        Spot { value, above: Some(self), step, granted: self.granted }
    }

    /// Whether the owner lets through what has this name.
    pub(super) fn is_granted(&self, name: &str) -> bool {
        is_granted(name, self.granted)
    }

    /// An object with no field but these, each by its rule.
    pub(super) fn fields(&self, fields: Fields) -> Result<(), ModelRefusal> {
        self.fields_of(&[fields])
    }

    /// As [`Spot::fields`], with several tables.
    pub(super) fn fields_of(&self, tables: &[Fields]) -> Result<(), ModelRefusal> {
        let Json::Object(object) = self.value else { return Err(self.other_kind()) };
        for (key, value) in object {
            let spot = self.below(value, Step::Key(key));
            let twin = object.keys().take_while(|other| *other != key).find(|other| is_same(other, key));
            if twin.is_some() {
                return Err(ModelRefusal::TwoMeanings { key: shown(key) });
            }
            let mut known = tables.iter().flat_map(|fields| fields.iter());
            match known.find(|(name, _)| is_same(name, key)) {
                _ if self.is_granted(key) => {}
                Some((_, rule)) => rule(&spot)?,
                None => return Err(spot.not_known(key)),
            }
        }
        Ok(())
    }

    /// A list whose every item is by this rule.
    pub(super) fn each(&self, rule: Rule) -> Result<(), ModelRefusal> {
        let Json::List(list) = self.value else { return Err(self.other_kind()) };
        for (index, value) in list.iter().enumerate() {
            rule(&self.below(value, Step::Index(index)))?;
        }
        Ok(())
    }

    /// Text, or a list whose every item is by this rule, or nothing.
    pub(super) fn text_or_each(&self, rule: Rule) -> Result<(), ModelRefusal> {
        match self.value {
            Json::Text(_) | Json::Null => Ok(()),
            Json::Flag(_) | Json::Number | Json::List(_) | Json::Object(_) => self.each(rule),
        }
    }

    /// An object of one of these kinds; `usual` is that of one without a `type`. `refused` says why another is not.
    pub(super) fn kind(
        &self,
        kinds: Kinds,
        usual: Option<&str>,
        refused: fn(&Spot<'_>, &str) -> ModelRefusal,
    ) -> Result<(), ModelRefusal> {
        if !self.is_object() {
            return Err(self.other_kind());
        }
        let kind = self.field("type");
        let kind = match (&kind, usual) {
            (Some(kind), _) => kind.text()?,
            (None, Some(usual)) => usual,
            (None, None) => return Err(self.other_kind()),
        };
        match kinds.iter().find(|(name, _)| is_kind(name, kind)) {
            _ if self.is_granted(kind) => Ok(()),
            Some((_, fields)) => self.fields_of(&[&[("type", ANY)], fields]),
            None => Err(refused(self, kind)),
        }
    }

    /// A field by its exact name, whatever its spelling.
    pub(super) fn field(&self, name: &str) -> Option<Spot<'_>> {
        let Json::Object(object) = self.value else { return None };
        let (key, value) = object.iter().find(|(key, _)| is_same(name, key))?;
        Some(self.below(value, Step::Key(key)))
    }

    pub(super) fn text(&self) -> Result<&'s str, ModelRefusal> {
        match self.value {
            Json::Text(text) => Ok(text),
            Json::Null | Json::Flag(_) | Json::Number | Json::List(_) | Json::Object(_) => {
                Err(self.other_kind())
            }
        }
    }

    /// Neither null nor false nor empty.
    pub(super) fn is_set(&self) -> bool {
        match self.value {
            Json::Null => false,
            Json::Flag(value) => *value,
            Json::Number => true,
            Json::Text(text) => !text.is_empty(),
            Json::List(list) => !list.is_empty(),
            Json::Object(object) => !object.is_empty(),
        }
    }

    pub(super) fn is_null(&self) -> bool {
        *self.value == Json::Null
    }

    pub(super) fn is_object(&self) -> bool {
        matches!(self.value, Json::Object(_))
    }

    pub(super) fn other_kind(&self) -> ModelRefusal {
        ModelRefusal::OtherKind { at: self.pointer() }
    }

    pub(super) fn not_known(&self, what: &str) -> ModelRefusal {
        ModelRefusal::NotKnown { at: self.pointer(), what: shown(what) }
    }

    pub(super) fn server_tool(&self, what: &str) -> ModelRefusal {
        ModelRefusal::ServerTool { at: self.pointer(), what: shown(what) }
    }

    /// RFC 6901, with each key cut short.
    pub(super) fn pointer(&self) -> String {
        let above = self.above.map(Spot::pointer).unwrap_or_default();
        match self.step {
            Step::Top => above,
            Step::Key(key) => format!("{above}/{}", shown(key).replace('~', "~0").replace('/', "~1")),
            Step::Index(index) => format!("{above}/{index}"),
        }
    }
}

/// Anything: no reader acts on it.
pub(super) const ANY: Rule = |_| Ok(());

/// A field that must say nothing, because it hands out a tool that runs elsewhere.
pub(super) const NO_SERVER_TOOL: Rule = |spot| if spot.is_set() { SWITCHED_ON(spot) } else { Ok(()) };

/// A field that must not be there, for the same reason.
pub(super) const SWITCHED_ON: Rule = |spot| match spot.step {
    Step::Key(key) => Err(spot.server_tool(key)),
    Step::Top | Step::Index(_) => Err(spot.other_kind()),
};

/// A field that must name no other server.
pub(super) const NO_REMOTE: Rule =
    |spot| if spot.is_set() { Err(ModelRefusal::RemoteServer { at: spot.pointer() }) } else { Ok(()) };

/// A field that must name nothing that the vendor keeps.
pub(super) const NOTHING_KEPT: Rule =
    |spot| if spot.is_set() { Err(ModelRefusal::KeptThere { at: spot.pointer() }) } else { Ok(()) };

/// A field that must hold no address.
pub(super) const NOT_FETCHED: Rule =
    |spot| if spot.is_set() { Err(ModelRefusal::Fetched { at: spot.pointer() }) } else { Ok(()) };

/// An address that holds its content itself (RFC 2397), or none.
pub(super) const DATA_URL: Rule = |spot| {
    if spot.is_null() {
        return Ok(());
    }
    let scheme = spot.text()?.get(..5).unwrap_or_default();
    if scheme.eq_ignore_ascii_case("data:") { Ok(()) } else { NOT_FETCHED(spot) }
};

/// A name as it may be shown: short, and without anything that a terminal would obey.
pub(super) fn shown(name: &str) -> String {
    let plain = |character: char| if character.is_ascii_graphic() { character } else { '?' };
    name.chars().take(SHOWN_CHARS_MAX).map(plain).collect()
}

/// A name stands for itself and for its dated versions.
pub(super) fn is_granted(name: &str, granted: &[String]) -> bool {
    let date = |rest: &str| {
        let separator = |byte: u8| matches!(byte, b'_' | b'-');
        rest.bytes().next().is_none_or(separator)
            && rest.bytes().all(|byte| byte.is_ascii_digit() || separator(byte))
    };
    granted.iter().any(|granted| !granted.is_empty() && name.strip_prefix(granted.as_str()).is_some_and(date))
}

fn is_same(name: &str, other: &str) -> bool {
    fn letters(name: &str) -> impl Iterator<Item = u8> {
        name.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase())
    }
    name == other || letters(name).eq(letters(other))
}

fn is_kind(pattern: &str, kind: &str) -> bool {
    match pattern.strip_suffix('*') {
        None => pattern == kind,
        Some(start) => {
            kind.strip_prefix(start).is_some_and(|date| date.bytes().all(|byte| byte.is_ascii_digit()))
        }
    }
}
