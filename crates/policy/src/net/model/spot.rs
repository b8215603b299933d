//! A place in a body, and tables that say what may stand there.
//!
//! A table names every field that an object may have, with the rule for its value; a field that it does not name is
//! refused. Names are compared without case and underscores, as some vendors' servers read them, and an object that
//! has one name in two spellings is refused.
//!
//! What the owner lets through by name is looked up in one place only, where a rule has refused: a name never stands
//! for a field whose rule looks into it. How names are written is `pass`'s matter.

use super::ModelRefusal;
use super::document::Json;
use super::pass::{self, Place, is_dated};

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
    /// What is said of what is here: its `type`, the name of a model or of a caller.
    kind: Option<&'s str>,
    /// What the owner lets through by name.
    granted: &'s [String],
}

#[derive(Debug, Clone, Copy)]
enum Step<'s> {
    Top,
    /// As it is spelled here, and in the table that knows it.
    Key(&'s str, &'s str),
    Index(usize),
}

impl<'s> Spot<'s> {
    pub(super) fn top(value: &'s Json<'s>, granted: &'s [String]) -> Self {
        Self { value, above: None, step: Step::Top, kind: None, granted }
    }

    fn below<'t>(&'t self, value: &'t Json<'t>, step: Step<'t>) -> Spot<'t> {
        Spot { value, above: Some(self), step, kind: None, granted: self.granted }
    }

    /// The same place, as one of this kind.
    pub(super) fn of_kind<'t>(&'t self, kind: &'t str) -> Spot<'t> {
        Spot { kind: Some(kind), ..*self }
    }

    /// What is refused, unless the owner lets through exactly this by its name.
    pub(super) fn unless_let_through(&self, refusal: ModelRefusal) -> Result<(), ModelRefusal> {
        let name = if self.granted.is_empty() { None } else { self.name() };
        let is_let_through = name.is_some_and(|name| {
            self.granted.iter().any(|granted| match self.kind {
                Some(_) => is_dated(&name, granted),
                None => name == *granted,
            })
        });
        if is_let_through { Ok(()) } else { Err(refusal) }
    }

    /// An object with no field but these, each by its rule.
    pub(super) fn fields(&self, fields: Fields) -> Result<(), ModelRefusal> {
        self.fields_of(&[fields])
    }

    /// As [`Spot::fields`], with several tables.
    pub(super) fn fields_of(&self, tables: &[Fields]) -> Result<(), ModelRefusal> {
        let Json::Object(object) = self.value else { return Err(self.other_kind()) };
        for (at, (key, value)) in object.iter().enumerate() {
            let mut known = tables.iter().flat_map(|fields| fields.iter());
            let known = known.find(|(name, _)| is_same(name, key));
            let spot = self.below(value, Step::Key(key, known.map_or(key, |(name, _)| name)));
            // Few come before it: the first that is not known ends this.
            if object.iter().take(at).any(|(other, _)| is_same(other, key)) {
                return Err(ModelRefusal::TwoMeanings { key: shown(key) });
            }
            match known {
                Some((_, rule)) => rule(&spot)?,
                None => spot.unless_let_through(spot.not_known(key))?,
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
            Some((_, fields)) => self.of_kind(kind).fields_of(&[&[("type", ANY)], fields]),
            None => {
                let spot = self.of_kind(kind);
                spot.unless_let_through(refused(&spot, kind))
            }
        }
    }

    /// A field by its exact name, whatever its spelling.
    pub(super) fn field(&self, name: &str) -> Option<Spot<'_>> {
        let Json::Object(object) = self.value else { return None };
        let (key, value) = object.iter().find(|(key, _)| is_same(name, key))?;
        Some(self.below(value, Step::Key(key, key)))
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
        ModelRefusal::NotKnown { at: self.place(), what: shown(what) }
    }

    pub(super) fn server_tool(&self, what: &str) -> ModelRefusal {
        ModelRefusal::ServerTool { at: self.place(), what: shown(what) }
    }

    pub(super) fn remote_server(&self) -> ModelRefusal {
        ModelRefusal::RemoteServer { at: self.place() }
    }

    pub(super) fn kept_there(&self) -> ModelRefusal {
        ModelRefusal::KeptThere { at: self.place() }
    }

    fn place(&self) -> Place {
        Place { pointer: self.pointer(), name: self.name() }
    }

    /// The name of what is here: the way to it by keys and kinds, without the places in lists. None where a word of it
    /// could be read as two, or is too long.
    fn name(&self) -> Option<String> {
        let mut name = match self.above {
            Some(above) => above.name()?,
            None => String::new(),
        };
        if let Step::Key(_, key) = self.step {
            if !name.is_empty() {
                name.push('.');
            }
            name.push_str(pass::word(key)?);
        }
        if let Some(kind) = self.kind {
            name.push(':');
            name.push_str(if name == "model:" { pass::model(kind)? } else { pass::word(kind)? });
        }
        (name.len() <= pass::NAME_BYTES_MAX).then_some(name)
    }

    /// RFC 6901, with each key cut short.
    pub(super) fn pointer(&self) -> String {
        let above = self.above.map(Spot::pointer).unwrap_or_default();
        match self.step {
            Step::Top => above,
            Step::Key(key, _) => format!("{above}/{}", shown(key).replace('~', "~0").replace('/', "~1")),
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
    Step::Key(key, _) => spot.unless_let_through(spot.server_tool(key)),
    Step::Top | Step::Index(_) => Err(spot.other_kind()),
};

/// A field that must name no other server.
pub(super) const NO_REMOTE: Rule =
    |spot| if spot.is_set() { spot.unless_let_through(spot.remote_server()) } else { Ok(()) };

/// A field that must name nothing that the vendor keeps.
pub(super) const NOTHING_KEPT: Rule =
    |spot| if spot.is_set() { spot.unless_let_through(spot.kept_there()) } else { Ok(()) };

/// A field that must hold no address.
pub(super) const NOT_FETCHED: Rule = |spot| {
    if spot.is_set() { spot.unless_let_through(ModelRefusal::Fetched { at: spot.place() }) } else { Ok(()) }
};

/// An address that holds its content itself (RFC 2397), or none.
pub(super) const DATA_URL: Rule = |spot| {
    if spot.is_null() {
        return Ok(());
    }
    let scheme = spot.text()?.get(..5).unwrap_or_default();
    if scheme.eq_ignore_ascii_case("data:") { Ok(()) } else { NOT_FETCHED(spot) }
};

/// Base64 by itself, in lines or not, or within a data address; some vendors fetch what is neither.
pub(super) const DATA_OR_BARE: Rule = |spot| {
    if spot.is_null() {
        return Ok(());
    }
    let bare = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_' | b'\r' | b'\n')
    };
    if spot.text()?.bytes().all(bare) { Ok(()) } else { DATA_URL(spot) }
};

/// What was recorded.
pub(super) const AUDIO: Fields = &[("data", DATA_OR_BARE), ("format", ANY)];

/// A name as it may be shown: short, and without anything that a terminal would obey.
pub(super) fn shown(name: &str) -> String {
    let plain = |character: char| if character.is_ascii_graphic() { character } else { '?' };
    name.chars().take(SHOWN_CHARS_MAX).map(plain).collect()
}

/// No longer key is a name in any table, however many underscores it is spelled with: it is not known, and refused as that.
const KEY_BYTES_MAX: usize = 128;

/// Whether two spellings are one name to some reader. A key of megabytes is not gone through for each name that there is.
pub(super) fn is_same(name: &str, other: &str) -> bool {
    fn letters(name: &str) -> impl Iterator<Item = u8> {
        name.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase())
    }
    name == other || (other.len() <= KEY_BYTES_MAX && letters(name).eq(letters(other)))
}

fn is_kind(pattern: &str, kind: &str) -> bool {
    match pattern.strip_suffix('*') {
        None => pattern == kind,
        Some(start) => {
            kind.strip_prefix(start).is_some_and(|date| date.bytes().all(|byte| byte.is_ascii_digit()))
        }
    }
}
