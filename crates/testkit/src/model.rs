//! Model endpoints that follow a script, so that a real agent program does a known piece of work.
//!
//! One server speaks the protocols that the agents speak: Anthropic Messages, OpenAI Responses and Chat Completions,
//! Gemini; streaming and not. A script says what is to be done in words of its own; each endpoint turns that into
//! calls of the tools that the asking agent offered. Nothing is kept between requests: which turn is due is read from
//! the conversation, so that retries and several agents at once do no harm. It judges no request: what an agent
//! sends is in [`ModelServer::seen`].

mod anthropic;
mod chat;
mod gemini;
mod responses;
mod tools;

use serde_json::{Value, json};
use std::net::SocketAddr;

use crate::pki::Pki;
use crate::server::{Answer, Seen, Server};
use tools::{Call, Tools};

/// One act of the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Runs a shell command.
    Shell(String),
    /// Reads a file, as some agents must before they edit it.
    Read {
        /// Absolute.
        path: String,
    },
    /// Makes a file, or replaces all of it.
    Write {
        /// Absolute.
        path: String,
        /// The whole file, with a line end at its end.
        text: String,
    },
    /// Replaces one line of a file, which must be there once.
    Edit {
        /// Absolute.
        path: String,
        /// A whole line, without its end.
        old: String,
        /// What stands there afterwards.
        new: String,
    },
    /// Calls a tool of one agent's own.
    Tool {
        /// Its name there.
        name: String,
        /// By its schema.
        input: Value,
    },
}

impl Act {
    /// Runs `command` in a shell.
    #[must_use]
    pub fn shell(command: impl Into<String>) -> Self {
        Self::Shell(command.into())
    }
}

/// One answer of the model: what it says, and what it has the agent do. Without acts the agent is done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Turn {
    /// Shown to the owner.
    pub says: String,
    /// Called at once.
    pub acts: Vec<Act>,
}

/// What the model does in each conversation, from its first turn to its last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Script(Vec<Turn>);

impl Script {
    /// A model that has nothing to do.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One more turn with one act.
    #[must_use]
    pub fn then(mut self, act: Act) -> Self {
        self.0.push(Turn { says: String::new(), acts: vec![act] });
        self
    }

    /// The end: the agent is told this, and stops.
    #[must_use]
    pub fn finish(mut self, says: impl Into<String>) -> Self {
        self.0.push(Turn { says: says.into(), acts: Vec::new() });
        self
    }
}

/// The names that the endpoint's certificate is for.
pub const NAMES: [&str; 4] = ["api.models.test", "anthropic.models.test", "openai.models.test", "localhost"];

/// The model that the endpoints list.
pub const MODEL: &str = "scripted-1";

/// A server of all the protocols; whoever does not bring its key gets 401.
#[derive(Debug)]
pub struct ModelServer {
    server: Server,
    key: String,
}

impl ModelServer {
    /// Under TLS, for [`NAMES`].
    #[track_caller]
    #[must_use]
    pub fn secure(pki: &Pki, key: &str, script: Script) -> Self {
        let model = Model { key: key.to_owned(), script };
        Self { server: Server::secure(pki, &NAMES, move |seen| model.answer(seen)), key: key.to_owned() }
    }

    /// Under TLS at an address of the test's choice, for these names.
    #[track_caller]
    #[must_use]
    pub fn secure_at(address: SocketAddr, pki: &Pki, names: &[&str], key: &str, script: Script) -> Self {
        let model = Model { key: key.to_owned(), script };
        let leaf = pki.leaf(names, crate::pki::Validity::Current);
        Self { server: Server::secure_at(address, leaf, move |seen| model.answer(seen)), key: key.to_owned() }
    }

    /// Without TLS.
    #[track_caller]
    #[must_use]
    pub fn plain(key: &str, script: Script) -> Self {
        let model = Model { key: key.to_owned(), script };
        Self { server: Server::plain(move |seen| model.answer(seen)), key: key.to_owned() }
    }

    /// The server below.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// `https://NAME:PORT`, without a slash at its end.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        self.server.url(name)
    }

    /// The key that it wants.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// All that was asked so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.server.seen()
    }
}

#[derive(Debug)]
struct Model {
    key: String,
    script: Script,
}

/// What a protocol makes of one turn.
#[derive(Debug)]
struct Reply<'a> {
    says: &'a str,
    calls: Vec<Call>,
    /// How many pieces a text is streamed in does not matter; that there are some does.
    streamed: bool,
}

impl Model {
    fn answer(&self, seen: &Seen) -> Answer {
        if !self.has_key(seen) {
            let error = json!({"type": "authentication_error", "message": "the key is not the one"});
            return Answer::json(&json!({"type": "error", "error": error})).with_status(401);
        }
        let asked = seen.json();
        match (seen.method.as_str(), seen.path.as_str()) {
            ("POST", "/v1/messages") => anthropic::answer(&asked, &self.reply(&asked)),
            ("POST", "/v1/messages/count_tokens") => Answer::json(&json!({"input_tokens": 1})),
            ("POST", "/v1/responses") => responses::answer(&asked, &self.reply(&asked)),
            ("POST", "/v1/chat/completions") => chat::answer(&asked, &self.reply(&asked)),
            ("GET", "/v1/models") => models(),
            // A WebSocket in place of requests, which not every endpoint has: this answer has the agent use HTTP at once.
            ("GET", "/v1/responses") => Answer::status(426),
            ("POST", path) if path.ends_with(":generateContent") => {
                gemini::answer(&self.reply_streamed(&asked, false))
            }
            ("POST", path) if path.ends_with(":streamGenerateContent") => {
                gemini::answer(&self.reply_streamed(&asked, true))
            }
            (_, path) => {
                let error = json!({"type": "not_found_error", "message": format!("there is no {path}")});
                Answer::json(&json!({"type": "error", "error": error})).with_status(404)
            }
        }
    }

    fn has_key(&self, seen: &Seen) -> bool {
        let bearer = seen.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        [bearer, seen.header("x-api-key"), seen.header("x-goog-api-key")].contains(&Some(&self.key))
    }

    fn reply(&self, asked: &Value) -> Reply<'_> {
        self.reply_streamed(asked, asked.get("stream").and_then(Value::as_bool).unwrap_or(false))
    }

    /// The turn that is due: one after the last whose calls the conversation holds. Side requests (a title, a summary)
    /// offer no shell, and get a word.
    fn reply_streamed(&self, asked: &Value, streamed: bool) -> Reply<'_> {
        let tools = Tools::of(asked);
        if !tools.can_act() {
            return Reply { says: "work", calls: Vec::new(), streamed };
        }
        let due = tools::turns_done(&asked.to_string());
        let Some(turn) = self.script.0.get(due) else {
            return Reply { says: "done", calls: Vec::new(), streamed };
        };
        let calls = turn.acts.iter().enumerate().map(|(number, act)| tools.call(act, due, number));
        Reply { says: &turn.says, calls: calls.collect(), streamed }
    }
}

/// In a form that is both vendors' at once.
fn models() -> Answer {
    let model =
        json!({"id": MODEL, "object": "model", "type": "model", "display_name": MODEL, "owned_by": "test"});
    Answer::json(&json!({"object": "list", "data": [model], "has_more": false}))
}

/// One server-sent event.
fn event(name: Option<&str>, data: &Value) -> String {
    let name = name.map(|name| format!("event: {name}\n")).unwrap_or_default();
    format!("{name}data: {data}\n\n")
}

#[cfg(test)]
mod tests;
