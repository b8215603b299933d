//! The features that an `anthropic-beta` header switches on.
//!
//! Most of them change how a model thinks or what a field may hold; the fields are looked at in the body. Refused is
//! what exists only for things that the body may not name either, so that the agent learns of it at once, and what is no
//! name.

use super::ModelRefusal;
use super::pass::{BETA, is_dated};
use super::spot::shown;

/// Names without their dates.
const REFUSED: [&str; 9] = [
    "files-api",
    "mcp-client",
    "mcp-servers",
    "code-execution",
    "code-execution-web-tools",
    "web-fetch",
    "web-search",
    "skills",
    "managed-agents",
];

/// Looks at the value of one `anthropic-beta` header: names with a comma between them. What is `granted` by name,
/// `beta:…`, passes.
///
/// # Errors
/// The first name that is refused.
pub fn check_beta(value: &str, granted: &[String]) -> Result<(), ModelRefusal> {
    let names = value.split(',').map(str::trim);
    let mut refused = names.filter(|name| {
        let name = name.to_ascii_lowercase();
        let is_let_through =
            |granted: &String| granted.strip_prefix(BETA).is_some_and(|own| is_dated(&name, own));
        let is_refused = REFUSED.iter().any(|known| name.strip_prefix(known).is_some_and(is_date));
        !granted.iter().any(is_let_through) && (is_refused || !is_plain(&name))
    });
    refused.next().map_or(Ok(()), |name| Err(ModelRefusal::Beta { feature: shown(name) }))
}

/// Where another sign than a comma stands, some reader could see two names.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// `-2025-04-14`, or nothing.
fn is_date(rest: &str) -> bool {
    rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}
