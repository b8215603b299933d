//! What passed the gateway and what did not, as the ledger records it; never a query string, a header or a body.

use serde::{Deserialize, Serialize};

/// What the gateway did not let through. Query strings are never recorded: they carry data, and now and then secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// The stable code; see `docs/refusals.md`.
    pub reason: String,
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Of the request, if it came to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Of the request, if it came to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The grant that would allow it, as `--allow` takes it; none where none would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow: Option<String>,
    /// How often, if it came several times at once.
    pub count: u64,
}

/// What the gateway let through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requested {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Of the request; nothing for a connection that is passed through unread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The origin's answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Which credential was put in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// Bytes of bodies that left.
    pub up: u64,
    /// Bytes of bodies that came.
    pub down: u64,
    /// How many such requests.
    pub count: u64,
    /// The gateway ended before they did: what they came to is not known, nor how much of them was sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_cut_off: bool,
}

/// What became of a held request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// The owner let this one through.
    AllowedOnce,
    /// The owner let it and its like through until the session ends.
    AllowedForSession,
    /// The owner refused it.
    Denied,
    /// The owner refused it after others; for a while nobody is asked.
    DeniedForNow,
    /// Nobody answered in time.
    TimedOut,
}
