//! What a test server saw, and what it answers.

use std::fmt;

use data_encoding::BASE64;
use serde_json::Value;

/// One request, as it came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// The name in the TLS handshake; `None` without TLS or without a name.
    pub sni: Option<String>,
    /// Whether it came over HTTP/2.
    pub over_http2: bool,
    /// `GET`, …
    pub method: String,
    /// `:authority`, or the `Host` header.
    pub authority: String,
    /// Undecoded, without the query.
    pub path: String,
    /// What stands after `?`.
    pub query: Option<String>,
    /// In their order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its first bytes, up to [`BODY_KEPT_BYTES_MAX`](crate::server::BODY_KEPT_BYTES_MAX).
    pub body: Vec<u8>,
    /// How long the whole body was.
    pub body_bytes: u64,
}

impl Seen {
    /// The first header of that name, which is given in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; `Null` if it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// User and password of a Basic `Authorization`.
    #[must_use]
    pub fn basic(&self) -> Option<(String, String)> {
        let text = self.header("authorization")?.strip_prefix("Basic ")?;
        let text = String::from_utf8(BASE64.decode(text.as_bytes()).ok()?).ok()?;
        let (user, password) = text.split_once(':')?;
        Some((user.to_owned(), password.to_owned()))
    }

    /// `METHOD path`, for messages and for comparisons.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// One answer; its body may be made piece by piece while it is sent.
pub struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Body,
}

pub(super) enum Body {
    Whole(Vec<u8>),
    /// Asked for in a thread that may sleep.
    Pieces(Box<dyn Iterator<Item = Vec<u8>> + Send>),
}

impl Answer {
    /// An empty answer.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Body::Whole(Vec::new()) }
    }

    /// 200 with these bytes.
    #[must_use]
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self { body: Body::Whole(bytes.into()), ..Self::status(200) }
    }

    /// 200 with a text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::bytes(text.into()).header("content-type", "text/plain; charset=utf-8")
    }

    /// 200 with JSON.
    #[must_use]
    pub fn json(value: &Value) -> Self {
        Self::bytes(value.to_string()).header("content-type", "application/json")
    }

    /// 200 with a body of unknown length, sent as its pieces come; the iterator may sleep.
    #[must_use]
    pub fn pieces(pieces: impl Iterator<Item = Vec<u8>> + Send + 'static) -> Self {
        Self { body: Body::Pieces(Box::new(pieces)), ..Self::status(200) }
    }

    /// 200 with server-sent events, each in a piece of its own.
    #[must_use]
    pub fn events(events: Vec<String>) -> Self {
        Self::pieces(events.into_iter().map(String::into_bytes)).header("content-type", "text/event-stream")
    }

    /// The same with another status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}
