//! Why something is not let through: stable codes, and what the agent is told.
//!
//! The codes are a promise, documented in `docs/refusals.md`, where a test compares them with this list. What is told
//! names the request and the grant that would allow it, and nothing about the owner's machine or policy.

use crate::net::host::Destination;
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Serialize, Serializer};

/// The longest piece of a request's path that is told, in bytes.
pub const PATH_TOLD_BYTES_MAX: usize = 1 << 10;
/// The longest piece of its method.
const METHOD_TOLD_BYTES_MAX: usize = 32;

/// Why. Each has one code; [`RefusalReason::ALL`] has each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum RefusalReason {
    /// The policy denies the host, whatever is granted.
    HostDenied,
    /// The text that names the host is none, or one that others read as another host.
    HostMalformed,
    /// Nothing is granted at the host.
    HostNotGranted,
    /// The host is granted at another port.
    PortNotGranted,
    /// The protocol is not granted there.
    ProtocolNotGranted,
    /// What was sent is of no protocol that can be let through there.
    ProtocolUnknown,
    /// The method is not granted there.
    MethodNotGranted,
    /// The path is not granted there.
    PathNotGranted,
    /// The path can be read in two ways.
    PathNotCanonical,
    /// The grant permits no query.
    QueryNotGranted,
    /// A header would have the origin take another method or URL than the one that was judged.
    HeaderOverride,
    /// `Host` or `:authority` names another place than the connection goes to.
    AuthorityMismatch,
    /// The TLS handshake names another host than the connection goes to.
    SniMismatch,
    /// The TLS handshake hides the host that it names.
    SniHidden,
    /// Two grants permit the request with different credentials, and neither is the narrower one.
    CredentialAmbiguous,
    /// The address stands for a name in the cell, and what was sent does not say which.
    NameUnknown,
    /// The name leads to nothing.
    NameNotResolved,
    /// The name leads to an address that is not out on the internet, and no grant names it.
    AddressNotGlobal,
    /// What was sent is no proper message of its protocol.
    MessageMalformed,
    /// A head, a body or a frame is longer than the gateway takes.
    TooLarge,
    /// The message came too slowly.
    TooSlow,
    /// There are as many connections or requests open as there may be.
    TooManyOpen,
    /// The grant's bytes to the origin are used up.
    BudgetExhaustedUp,
    /// The grant's bytes from the origin are used up.
    BudgetExhaustedDown,
    /// The grant's requests are used up.
    BudgetExhaustedRequests,
    /// The grant's requests a second are used up; it passes.
    RateExceeded,
    /// The grant's credential was revoked.
    CredentialRevoked,
    /// The store has no value for the grant's credential, or one that has run out.
    CredentialMissing,
    /// The grant's login has run out, and can't be refreshed.
    CredentialExpired,
    /// A handle stands where it doesn't belong.
    HandleMisplaced,
    /// The origin can't be connected to.
    UpstreamUnreachable,
    /// The origin's certificate or TLS is not what it must be.
    UpstreamTls,
    /// The origin answered with something that is no proper message.
    UpstreamMalformed,
    /// The origin took longer than it may.
    UpstreamTimeout,
    /// The owner was asked and said no.
    HeldDenied,
    /// The owner was asked and did not answer in time.
    HeldTimeout,
    /// More requests wait for the owner than may.
    HeldFlood,
    /// The request asks a model's host for something else than inference.
    ModelCallUnknown,
    /// The request would have the model's provider run a tool of its own.
    ModelServerTool,
    /// The request would have the model's provider connect to a server.
    ModelRemoteServer,
    /// The request names something that the model's provider keeps.
    ModelStoredReference,
    /// The request would have the model's provider fetch a URL.
    ModelUrlSource,
    /// A header switches on a feature of the model's provider that is not let through.
    ModelBetaFeature,
    /// The request names a field, tool or block that is not known.
    ModelFeatureUnknown,
    /// The body of a request to a model has one key twice in an object.
    ModelBodyAmbiguous,
    /// The body of a request to a model has a list where an object belongs, or the like.
    ModelBodyMalformed,
    /// The body of a request to a model is not JSON.
    ModelBodyNotJson,
    /// The body of a request to a model is compressed.
    ModelBodyEncoded,
    /// The body of a request to a model is longer than is read.
    ModelBodyTooLong,
    /// The body of a request to a model has more values, or nests deeper, than is read.
    ModelBodyTooManyValues,
}

impl RefusalReason {
    /// Every reason there is.
    pub const ALL: [Self; 50] = [
        Self::HostDenied,
        Self::HostMalformed,
        Self::HostNotGranted,
        Self::PortNotGranted,
        Self::ProtocolNotGranted,
        Self::ProtocolUnknown,
        Self::MethodNotGranted,
        Self::PathNotGranted,
        Self::PathNotCanonical,
        Self::QueryNotGranted,
        Self::HeaderOverride,
        Self::AuthorityMismatch,
        Self::SniMismatch,
        Self::SniHidden,
        Self::CredentialAmbiguous,
        Self::NameUnknown,
        Self::NameNotResolved,
        Self::AddressNotGlobal,
        Self::MessageMalformed,
        Self::TooLarge,
        Self::TooSlow,
        Self::TooManyOpen,
        Self::BudgetExhaustedUp,
        Self::BudgetExhaustedDown,
        Self::BudgetExhaustedRequests,
        Self::RateExceeded,
        Self::CredentialRevoked,
        Self::CredentialMissing,
        Self::CredentialExpired,
        Self::HandleMisplaced,
        Self::UpstreamUnreachable,
        Self::UpstreamTls,
        Self::UpstreamMalformed,
        Self::UpstreamTimeout,
        Self::HeldDenied,
        Self::HeldTimeout,
        Self::HeldFlood,
        Self::ModelCallUnknown,
        Self::ModelServerTool,
        Self::ModelRemoteServer,
        Self::ModelStoredReference,
        Self::ModelUrlSource,
        Self::ModelBetaFeature,
        Self::ModelFeatureUnknown,
        Self::ModelBodyAmbiguous,
        Self::ModelBodyMalformed,
        Self::ModelBodyNotJson,
        Self::ModelBodyEncoded,
        Self::ModelBodyTooLong,
        Self::ModelBodyTooManyValues,
    ];

    /// The stable code, as documented in `docs/refusals.md`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::HostDenied => "host-denied",
            Self::HostMalformed => "host-malformed",
            Self::HostNotGranted => "host-not-granted",
            Self::PortNotGranted => "port-not-granted",
            Self::ProtocolNotGranted => "protocol-not-granted",
            Self::ProtocolUnknown => "protocol-unknown",
            Self::MethodNotGranted => "method-not-granted",
            Self::PathNotGranted => "path-not-granted",
            Self::PathNotCanonical => "path-not-canonical",
            Self::QueryNotGranted => "query-not-granted",
            Self::HeaderOverride => "header-override",
            Self::AuthorityMismatch => "authority-mismatch",
            Self::SniMismatch => "sni-mismatch",
            Self::SniHidden => "sni-hidden",
            Self::CredentialAmbiguous => "credential-ambiguous",
            Self::NameUnknown => "name-unknown",
            Self::NameNotResolved => "name-not-resolved",
            Self::AddressNotGlobal => "address-not-global",
            Self::MessageMalformed => "message-malformed",
            Self::TooLarge => "too-large",
            Self::TooSlow => "too-slow",
            Self::TooManyOpen => "too-many-open",
            Self::BudgetExhaustedUp => "budget-exhausted-up",
            Self::BudgetExhaustedDown => "budget-exhausted-down",
            Self::BudgetExhaustedRequests => "budget-exhausted-requests",
            Self::RateExceeded => "rate-exceeded",
            Self::CredentialRevoked => "credential-revoked",
            Self::CredentialMissing => "credential-missing",
            Self::CredentialExpired => "credential-expired",
            Self::HandleMisplaced => "handle-misplaced",
            Self::UpstreamUnreachable => "upstream-unreachable",
            Self::UpstreamTls => "upstream-tls",
            Self::UpstreamMalformed => "upstream-malformed",
            Self::UpstreamTimeout => "upstream-timeout",
            Self::HeldDenied => "held-denied",
            Self::HeldTimeout => "held-timeout",
            Self::HeldFlood => "held-flood",
            Self::ModelCallUnknown => "model-call-unknown",
            Self::ModelServerTool => "model-server-tool",
            Self::ModelRemoteServer => "model-remote-server",
            Self::ModelStoredReference => "model-stored-reference",
            Self::ModelUrlSource => "model-url-source",
            Self::ModelBetaFeature => "model-beta-feature",
            Self::ModelFeatureUnknown => "model-feature-unknown",
            Self::ModelBodyAmbiguous => "model-body-ambiguous",
            Self::ModelBodyMalformed => "model-body-malformed",
            Self::ModelBodyNotJson => "model-body-not-json",
            Self::ModelBodyEncoded => "model-body-encoded",
            Self::ModelBodyTooLong => "model-body-too-long",
            Self::ModelBodyTooManyValues => "model-body-too-many-values",
        }
    }

    /// Whether one more grant could change it, so that one is offered and the owner can be asked.
    #[must_use]
    pub fn is_of_grants(self) -> bool {
        matches!(
            self,
            Self::HostNotGranted
                | Self::PortNotGranted
                | Self::ProtocolNotGranted
                | Self::MethodNotGranted
                | Self::PathNotGranted
                | Self::QueryNotGranted
        )
    }
}

/// A code that is not known.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no reason of a refusal")]
pub struct UnknownReason(String);

impl TryFrom<String> for RefusalReason {
    type Error = UnknownReason;

    fn try_from(code: String) -> Result<Self, UnknownReason> {
        Self::ALL.into_iter().find(|reason| reason.code() == code).ok_or(UnknownReason(code))
    }
}

impl From<RefusalReason> for String {
    fn from(reason: RefusalReason) -> Self {
        reason.code().to_owned()
    }
}

impl std::fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

/// A refusal. Written as JSON, for the agent, it is `{reason, host, port, method, path, grant_that_would_allow, detail}`,
/// without the addresses that the owner's grants name; the owner is told of those, too.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Refusal {
    /// Why.
    pub reason: RefusalReason,
    /// Where to; `None` if that could not be read.
    pub destination: Option<Destination>,
    /// By which method, if it came to a request.
    pub method: Option<String>,
    /// At which path, without a query; cut after [`PATH_TOLD_BYTES_MAX`].
    pub path: Option<String>,
    /// The narrowest grant that would allow it, in one line, if one could.
    pub allow: Option<String>,
    /// What exactly, where the reason is about a part of a body.
    pub detail: Option<String>,
}

impl Refusal {
    /// A refusal of a connection.
    #[must_use]
    pub fn of_connection(reason: RefusalReason, destination: &Destination) -> Self {
        Self {
            reason,
            destination: Some(destination.clone()),
            method: None,
            path: None,
            allow: None,
            detail: None,
        }
    }

    /// A refusal of something that names no place.
    #[must_use]
    pub fn of_nowhere(reason: RefusalReason) -> Self {
        Self { reason, destination: None, method: None, path: None, allow: None, detail: None }
    }

    /// A refusal of a request.
    #[must_use]
    pub fn of_request(reason: RefusalReason, destination: &Destination, method: &str, path: &str) -> Self {
        let told = path.get(..path.floor_char_boundary(PATH_TOLD_BYTES_MAX)).unwrap_or(path);
        let method = method.get(..method.floor_char_boundary(METHOD_TOLD_BYTES_MAX)).unwrap_or(method);
        Self {
            reason,
            destination: Some(destination.clone()),
            method: Some(method.to_owned()),
            path: Some(told.to_owned()),
            allow: None,
            detail: None,
        }
    }

    /// This refusal with words on what exactly is refused.
    #[must_use]
    pub fn about(mut self, detail: String) -> Self {
        self.detail = Some(detail);
        self
    }

    /// This refusal with the grant that would allow what it refuses.
    #[must_use]
    pub fn allowed_by(mut self, line: Option<String>) -> Self {
        self.allow = line;
        self
    }
}

impl Serialize for Refusal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let destination = self.destination.as_ref();
        let mut object = serializer.serialize_struct("Refusal", 7)?;
        object.serialize_field("reason", &self.reason)?;
        object.serialize_field("host", &destination.map(|destination| &destination.host))?;
        object.serialize_field("port", &destination.map(|destination| destination.port))?;
        object.serialize_field("method", &self.method)?;
        object.serialize_field("path", &self.path)?;
        object.serialize_field("grant_that_would_allow", &self.allow.as_deref().map(without_addresses))?;
        object.serialize_field("detail", &self.detail)?;
        object.end()
    }
}

/// A grant's line without the addresses that it names. Those are of the owner's own grants: an agent would learn internal
/// addresses from a refusal.
fn without_addresses(line: &str) -> String {
    let words = line.split(' ').filter(|word| !word.starts_with("address="));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::host::{Host, Port};
    use std::collections::BTreeSet;

    const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/refusals.md"));

    #[test]
    fn every_reason_has_one_code_and_a_row_in_the_document_and_no_row_is_of_none() {
        let codes: Vec<&str> = RefusalReason::ALL.iter().map(|reason| reason.code()).collect();
        let rows = DOCUMENT.lines().filter_map(|line| {
            let cells: Vec<&str> = line.strip_prefix("| `")?.split('|').map(str::trim).collect();
            assert!(cells.len() == 4 && cells[1].len() > 10 && cells[2].len() > 5, "{line}");
            Some(cells[0].trim_end_matches('`'))
        });
        assert_eq!(
            rows.collect::<Vec<_>>(),
            codes,
            "docs/refusals.md has a row for each code, in their order"
        );
        assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len());
        // `code` has an arm for every variant; the list can't be seen to be whole by the compiler.
        let arms = include_str!("refusal.rs").lines().filter(|line| line.contains("=> \"")).count();
        assert_eq!(arms, codes.len());
        for reason in RefusalReason::ALL {
            assert_eq!(RefusalReason::try_from(reason.code().to_owned()).unwrap(), reason);
        }
    }

    #[test]
    fn the_agent_is_told_the_request_and_what_would_allow_it_and_no_more() {
        let destination = Destination { host: Host::parse("a.example").unwrap(), port: Port::HTTPS };
        let path = format!("/\"{}é", "x".repeat(2 * PATH_TOLD_BYTES_MAX));
        let refusal = Refusal::of_request(RefusalReason::PathNotGranted, &destination, "GET", &path);
        let refusal = refusal.allowed_by(Some("GET a.example:443/x".to_owned()));
        let told: serde_json::Value = serde_json::to_value(&refusal).unwrap();
        assert_eq!(told["path"].as_str().unwrap().len(), PATH_TOLD_BYTES_MAX);
        assert_eq!(told["reason"], "path-not-granted");
        let keys: Vec<&str> = told.as_object().unwrap().keys().map(String::as_str).collect();
        let documented = ["reason", "host", "port", "method", "path", "grant_that_would_allow", "detail"];
        assert_eq!(keys.iter().collect::<BTreeSet<_>>(), documented.iter().collect());
        assert!(documented.iter().all(|key| DOCUMENT.contains(&format!("\"{key}\""))));
        let nowhere = serde_json::to_value(Refusal::of_nowhere(RefusalReason::HostMalformed)).unwrap();
        assert!(nowhere["host"].is_null() && nowhere["port"].is_null());
    }
}
