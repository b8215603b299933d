//! What a request to a model's vendor asks for: enough of it to know that it is inference and nothing else.
//!
//! A vendor's host does more than infer: it searches and fetches the web, runs code, talks to other servers, keeps
//! files. Each of that is a way out by another party's hands. So a call is recognised by its exact path, and its body
//! is read whole: every field, tool and content block must be one that is known to stay between the agent and the
//! model. What is not known is refused, by the place where it stands; vendors add features faster than any list of
//! bad ones could follow.
//!
//! It does not look at what is said: a prompt is data that the grant lets out. It does not change a body. It can't
//! tell what a model does by itself; names that are known to search are refused, and that list has holes. Answers
//! are not read.

mod anthropic;
mod beta;
mod chat;
mod document;
mod gemini;
mod head;
mod pass;
mod responses;
mod rule;
mod spot;

pub use beta::check_beta;
pub use head::{is_field, is_parameter};
pub use pass::Place;
pub use rule::ModelRule;

use super::refusal::RefusalReason;
use spot::{Rule, Spot};

/// Longest body that is read, in bytes: what the vendors take, and what the gateway must hold.
pub const BODY_BYTES_MAX: usize = 32 << 20;
/// Most values in a body, each key with its value counted once.
pub const VALUES_MAX: usize = 1_000_000;
/// The most that the tree of a body takes while it is looked at, in bytes: twice the longest body.
pub const TREE_BYTES_MAX: usize = 2 * BODY_BYTES_MAX;
/// Deepest nesting of lists and objects.
pub const DEPTH_MAX: usize = 100;

/// Whose protocols a host speaks. Many hosts speak another vendor's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ModelApi {
    /// Messages.
    Anthropic,
    /// Responses and Chat Completions.
    OpenAi,
    /// `generateContent`.
    Gemini,
}

/// The form of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BodyForm {
    /// Anthropic Messages.
    Messages,
    /// OpenAI Responses.
    Responses,
    /// OpenAI Chat Completions.
    ChatCompletions,
    /// Gemini `generateContent`.
    GenerateContent,
}

/// What a call is for. There is no other: what is none of these is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModelCall {
    /// The model answers.
    Inference(BodyForm),
    /// How long a prompt is; it holds the prompt.
    TokenCount(BodyForm),
    /// Which models there are; it has no body.
    ModelList,
}

impl ModelApi {
    /// As policy writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::OpenAi => "openai",
            Self::Gemini => "gemini",
        }
    }

    /// What stands before the paths at the vendor's own host.
    #[must_use]
    pub fn usual_base(self) -> &'static str {
        match self {
            Self::Anthropic | Self::OpenAi => "/v1",
            Self::Gemini => "/v1beta",
        }
    }

    /// Whether the list has something of this name; further down lies what is kept. Those who forward to many put the
    /// vendor's name before the model's, and behind it who else offers that.
    fn is_model(self, name: &str) -> bool {
        let segments: Vec<&str> = name.split('/').collect();
        let is_one = match (self, segments.as_slice()) {
            (_, [_]) | (Self::OpenAi, [_, _] | [_, _, "endpoints"]) => true,
            (Self::Anthropic | Self::OpenAi | Self::Gemini, _) => false,
        };
        is_one && !name.contains(':') && segments.iter().all(|segment| !segment.is_empty())
    }

    /// What this method and path (canonical, without the query) ask for, where `base` stands before the paths of
    /// this host; `None` for everything but inference.
    #[must_use]
    pub fn call(self, base: &str, method: &str, path: &str) -> Option<ModelCall> {
        let below = path.strip_prefix(base)?.strip_prefix('/')?;
        if method == "GET" {
            let models = below.strip_prefix("models")?;
            let listed = models.is_empty() || models.strip_prefix('/').is_some_and(|one| self.is_model(one));
            return listed.then_some(ModelCall::ModelList);
        }
        if method != "POST" {
            return None;
        }
        match self {
            Self::Anthropic => match below {
                "messages" => Some(ModelCall::Inference(BodyForm::Messages)),
                "messages/count_tokens" => Some(ModelCall::TokenCount(BodyForm::Messages)),
                _ => None,
            },
            Self::OpenAi => match below {
                "responses" | "responses/compact" => Some(ModelCall::Inference(BodyForm::Responses)),
                "responses/input_tokens" => Some(ModelCall::TokenCount(BodyForm::Responses)),
                "chat/completions" => Some(ModelCall::Inference(BodyForm::ChatCompletions)),
                _ => None,
            },
            Self::Gemini => {
                let (model, verb) = below.strip_prefix("models/")?.split_once(':')?;
                let plain = !model.is_empty() && !model.contains('/');
                match verb {
                    _ if !plain || model_searches(model) => None,
                    "generateContent" | "streamGenerateContent" => {
                        Some(ModelCall::Inference(BodyForm::GenerateContent))
                    }
                    "countTokens" => Some(ModelCall::TokenCount(BodyForm::GenerateContent)),
                    _ => None,
                }
            }
        }
    }
}

/// Why a request to a model is not let out. `at` is a JSON pointer (RFC 6901) into its body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelRefusal {
    /// It is longer than [`BODY_BYTES_MAX`].
    #[error("the body has {bytes} bytes, more than {BODY_BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It has more values than [`VALUES_MAX`], more than [`TREE_BYTES_MAX`] with its escaped texts, or nests deeper than
    /// [`DEPTH_MAX`].
    #[error("the body has more than {VALUES_MAX} values or nests deeper than {DEPTH_MAX}")]
    TooManyValues,
    /// It is not one JSON object in UTF-8.
    #[error("the body is not JSON: line {line}, column {column}")]
    NotJson {
        /// Counted from 1.
        line: usize,
        /// In bytes.
        column: usize,
    },
    /// A key stands twice in an object, perhaps in two spellings: two readers would see two requests.
    #[error("the key {key} stands twice in one object of the body")]
    TwoMeanings {
        /// As it is spelled the second time.
        key: String,
    },
    /// A list where an object should be, or the like.
    #[error("{at} is not of the kind that belongs there")]
    OtherKind {
        /// Where.
        at: String,
    },
    /// A field, tool, content block or model that is not known to be harmless.
    #[error("{at} is {what}, which is not known")]
    NotKnown {
        /// Where.
        at: Place,
        /// Its name or type, cut short.
        what: String,
    },
    /// A tool that the vendor's servers run: search, fetch, code execution.
    #[error("{at} is {what}, which the vendor's servers would run")]
    ServerTool {
        /// Where.
        at: Place,
        /// Its type, cut short.
        what: String,
    },
    /// Another server that the vendor would talk to.
    #[error("{at} names another server for the vendor to talk to")]
    RemoteServer {
        /// Where.
        at: Place,
    },
    /// Something that the vendor keeps, named by an id: a file, a container, a stored prompt.
    #[error("{at} names something that the vendor keeps")]
    KeptThere {
        /// Where.
        at: Place,
    },
    /// An address that the vendor would fetch.
    #[error("{at} is an address for the vendor to fetch")]
    Fetched {
        /// Where.
        at: Place,
    },
    /// A beta feature of the request's headers that switches on one of the above.
    #[error("the beta feature {feature} switches on what is not let out")]
    Beta {
        /// Its name, cut short.
        feature: String,
    },
}

impl ModelRefusal {
    /// As the agent and records have it.
    #[must_use]
    pub fn reason(&self) -> RefusalReason {
        match self {
            Self::TooLong { .. } => RefusalReason::ModelBodyTooLong,
            Self::TooManyValues => RefusalReason::ModelBodyTooManyValues,
            Self::NotJson { .. } => RefusalReason::ModelBodyNotJson,
            Self::TwoMeanings { .. } => RefusalReason::ModelBodyAmbiguous,
            Self::OtherKind { .. } => RefusalReason::ModelBodyMalformed,
            Self::NotKnown { .. } => RefusalReason::ModelFeatureUnknown,
            Self::ServerTool { .. } => RefusalReason::ModelServerTool,
            Self::RemoteServer { .. } => RefusalReason::ModelRemoteServer,
            Self::KeptThere { .. } => RefusalReason::ModelStoredReference,
            Self::Fetched { .. } => RefusalReason::ModelUrlSource,
            Self::Beta { .. } => RefusalReason::ModelBetaFeature,
        }
    }

    /// Its stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.reason().code()
    }
}

impl ModelRefusal {
    /// The name by which the owner could let exactly this through; none where no name could.
    #[must_use]
    pub fn name_to_grant(&self) -> Option<String> {
        match self {
            Self::TooLong { .. }
            | Self::TooManyValues
            | Self::NotJson { .. }
            | Self::TwoMeanings { .. }
            | Self::OtherKind { .. } => None,
            // Another protocol of the same grant may know the field as one that is refused.
            Self::NotKnown { at, .. } if at.name.as_deref().is_some_and(is_known_field) => None,
            Self::NotKnown { at, .. }
            | Self::ServerTool { at, .. }
            | Self::RemoteServer { at }
            | Self::KeptThere { at }
            | Self::Fetched { at } => at.name.clone(),
            Self::Beta { feature } => {
                let whole = feature.len() < spot::SHOWN_CHARS_MAX;
                pass::word(feature).filter(|_| whole).map(|name| format!("{}{name}", pass::BETA))
            }
        }
    }
}

/// Whether some protocol has a field of this name.
fn is_known_field(name: &str) -> bool {
    let tables = [anthropic::REQUEST, responses::REQUEST, chat::REQUEST, gemini::REQUEST];
    tables.into_iter().flatten().any(|(known, _)| spot::is_same(known, name))
}

/// What is let out and yet worth telling: fields that let data rest at the vendor's, or take it from there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModelNotes {
    /// The top-level fields that do.
    pub rests_there: Vec<&'static str>,
}

/// Reads the body of a call. One with a `content-encoding` must have been refused or decoded before.
///
/// `granted` names what the owner lets through all the same: fields, and types of tools, items or blocks with their
/// dated versions, each in one place. What is let through so is not looked into; what has a rule of its own that looks
/// further is looked into whatever is granted.
///
/// # Errors
/// The first thing in it that is not known to be harmless, with its place.
pub fn inspect(call: ModelCall, body: &[u8], granted: &[String]) -> Result<ModelNotes, ModelRefusal> {
    let form = match call {
        ModelCall::ModelList if body.is_empty() => return Ok(ModelNotes::default()),
        ModelCall::ModelList => return Err(ModelRefusal::OtherKind { at: String::new() }),
        ModelCall::Inference(form) | ModelCall::TokenCount(form) => form,
    };
    let document = document::read(body)?;
    let top = Spot::top(&document, granted);
    let (fields, resting) = match form {
        BodyForm::Messages => (anthropic::REQUEST, &[][..]),
        BodyForm::Responses => (responses::REQUEST, responses::RESTING),
        BodyForm::ChatCompletions => (chat::REQUEST, chat::RESTING),
        BodyForm::GenerateContent => (gemini::REQUEST, &[][..]),
    };
    top.fields(fields)?;
    let rests = resting.iter().filter(|name| top.field(name).is_some_and(|field| field.is_set()));
    Ok(ModelNotes { rests_there: rests.copied().collect() })
}

/// Whether a model is known to search the web or run code by itself, whatever the request says.
fn model_searches(name: &str) -> bool {
    let mut words = name.split(['-', '/', ':', '.', '_']);
    words.any(|word| {
        ["search", "online", "sonar", "research", "compound"]
            .iter()
            .any(|known| word.eq_ignore_ascii_case(known))
    })
}

/// What a name has in it that stands for a request kept at the vendor's, with tools of its own (OpenRouter).
const PRESET: &str = "@preset";

/// A model by its name.
const MODEL: Rule = |spot| {
    let name = spot.text()?;
    let spot = spot.of_kind(name);
    if name.to_ascii_lowercase().contains(PRESET) {
        return spot.unless_let_through(spot.kept_there());
    }
    if model_searches(name) { spot.unless_let_through(spot.server_tool(name)) } else { Ok(()) }
};

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
