//! Which header fields and parameters a request to a model has.
//!
//! Named is what the vendors document, and what their libraries and the agents are seen to send. All else has no part in
//! inference, and some of it steers: proxies of models take another host, key or request from headers, and Google's
//! front takes the whole request from parameters. What of this authenticates is not known here, nor what a field says.

/// Names in small letters.
const FIELDS: [&str; 66] = [
    // Of HTTP.
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "content-language",
    "content-length",
    "content-type",
    "host",
    "origin",
    "pragma",
    "priority",
    "referer",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "user-agent",
    // To find requests again.
    "b3",
    "baggage",
    "idempotency-key",
    "traceparent",
    "tracestate",
    "x-client-request-id",
    "x-correlation-id",
    "x-request-id",
    "x-session-affinity",
    "x-session-id",
    // Anthropic's, and Claude Code's. What a beta feature may be is looked at.
    "anthropic-beta",
    "anthropic-client-platform",
    "anthropic-client-version",
    "anthropic-dangerous-direct-browser-access",
    "anthropic-version",
    "anthropic-workspace-id",
    "x-anthropic-additional-protection",
    "x-app",
    "x-claude-code-agent-id",
    "x-claude-code-parent-agent-id",
    "x-claude-code-session-id",
    "x-client-app",
    // OpenAI's, and Codex's.
    "chatgpt-account-id",
    "conversation-id",
    "conversation_id",
    "openai-beta",
    "openai-organization",
    "openai-project",
    "originator",
    "session-id",
    "session_id",
    "thread-id",
    "thread_id",
    "version",
    "x-oai-attestation",
    "x-openai-fedramp",
    "x-openai-internal-codex-residency",
    "x-openai-memgen-request",
    "x-openai-subagent",
    "x-responsesapi-include-timing-metrics",
    // Google's.
    "x-gemini-service-tier",
    "x-goog-api-client",
    "x-server-timeout",
    // OpenRouter's, opencode's.
    "http-referer",
    "x-initiator",
    "x-openrouter-title",
    "x-opencode-client",
    "x-opencode-request",
    "x-opencode-session",
    "x-title",
];

/// What begins so comes from the libraries of OpenAI and Anthropic, and from Codex, and says what they are.
const FIELD_BEGINNINGS: [&str; 2] = ["x-stainless-", "x-codex-"];

/// As they are spelled: the vendors tell them apart by case.
const PARAMETERS: [&str; 13] = [
    "after",
    "after_id",
    "alt",
    "api-version",
    "before_id",
    "beta",
    "client_version",
    "limit",
    "order",
    "pageSize",
    "pageToken",
    "page_size",
    "page_token",
];

/// Whether a request to a model may have this header field, whose name is in small letters.
#[must_use]
pub fn is_field(name: &str) -> bool {
    FIELDS.contains(&name) || FIELD_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
}

/// Whether a request to a model may have the parameter of this key.
#[must_use]
pub fn is_parameter(key: &str) -> bool {
    PARAMETERS.contains(&key)
}
