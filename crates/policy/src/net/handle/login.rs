//! What an agent program finds in place of its login: the file that it expects, with a handle and without a refresh token.
//!
//! Written from facts that are no secrets (plan, scopes, account); it never reads the real file.

use super::{Chance, FAR_EXPIRY_SECONDS, HANDLE_SEED_BYTES, Handle};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Whose login it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoginKind {
    /// Claude Code: `~/.claude/.credentials.json`
    Claude,
    /// Codex: `~/.codex/auth.json`
    Codex,
}

/// What an agent program reads of a login beside its tokens. None of it lets anybody in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginFacts {
    /// The plan, as the provider calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// What the login is for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// The account, which the program names in its requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// The longest fact, in bytes.
const FACT_BYTES_MAX: usize = 128;
/// The most scopes.
const SCOPES_MAX: usize = 16;
/// Codex refreshes by itself what it believes to be older than some days; so it is told a day that never comes.
const NEVER_STALE: &str = "2099-01-01T00:00:00Z";
/// How long the signature of a made-up token is, in bytes: that of a 2048-bit RSA key, in base64url.
const SIGNATURE_BYTES: usize = 342;

impl LoginKind {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Claude, Self::Codex];

    /// As it is typed: `login:claude`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
        }
    }

    /// Where the program keeps it, below the home directory.
    #[must_use]
    pub fn file(self) -> &'static str {
        match self {
            Self::Claude => ".claude/.credentials.json",
            Self::Codex => ".codex/auth.json",
        }
    }
}

impl LoginFacts {
    /// The same without what is no plain word: the file that they come from is not ours.
    #[must_use]
    pub fn plain(self) -> Self {
        let plain = |text: &String| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':' | b'/');
            (1..=FACT_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain)
        };
        Self {
            plan: self.plan.filter(plain),
            scopes: self.scopes.into_iter().filter(plain).take(SCOPES_MAX).collect(),
            account: self.account.filter(plain),
        }
    }
}

/// The text of the file that the program finds in its home. Its tokens are `handle` and texts made of `seed` that are
/// good for nothing.
#[must_use]
pub fn login_file(
    kind: LoginKind,
    handle: &Handle,
    facts: &LoginFacts,
    seed: &[u8; HANDLE_SEED_BYTES],
) -> String {
    let file = match kind {
        LoginKind::Claude => json!({ "claudeAiOauth": {
            "accessToken": handle,
            "refreshToken": null,
            "expiresAt": FAR_EXPIRY_SECONDS * 1000,
            "scopes": facts.scopes,
            "subscriptionType": facts.plan,
        }}),
        LoginKind::Codex => json!({
            "OPENAI_API_KEY": null,
            "tokens": {
                "id_token": identity_token(facts, seed),
                "access_token": handle,
                "refresh_token": "",
                "account_id": facts.account,
            },
            "last_refresh": NEVER_STALE,
        }),
    };
    file.to_string()
}

/// A token that says which account and plan it is, as Codex reads it, and that nobody has signed.
fn identity_token(facts: &LoginFacts, seed: &[u8; HANDLE_SEED_BYTES]) -> String {
    let part = |value: &serde_json::Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let header = json!({ "alg": "RS256", "typ": "JWT" });
    let payload = json!({
        "exp": FAR_EXPIRY_SECONDS,
        "https://api.openai.com/auth": {
            "chatgpt_plan_type": facts.plan,
            "chatgpt_account_id": facts.account,
        },
    });
    // One character of the last four carries bits that must be zero: so it is `A`.
    let signature = Chance::new(seed).text(super::ALPHANUMERIC, SIGNATURE_BYTES - 1);
    format!("{}.{}.{signature}A", part(&header), part(&payload))
}

#[cfg(test)]
mod tests {
    use super::super::Shape;
    use super::*;

    fn facts() -> LoginFacts {
        LoginFacts {
            plan: Some("pro".into()),
            scopes: vec!["user:inference".into(), "odd\nscope".into()],
            account: Some("8f14e45f-ceea-4a7b-9c3b-1d2e3f405162".into()),
        }
        .plain()
    }

    fn written(kind: LoginKind) -> (Handle, serde_json::Value) {
        let handle = Handle::new(&Shape::of(&[b'x'; 100]).unwrap(), &[3; HANDLE_SEED_BYTES]);
        let text = login_file(kind, &handle, &facts(), &[4; HANDLE_SEED_BYTES]);
        (handle, serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn claude_finds_a_handle_that_never_ends_and_no_refresh_token() {
        let (handle, file) = written(LoginKind::Claude);
        let login = &file["claudeAiOauth"];
        assert_eq!(login["accessToken"], handle.as_str());
        assert!(login["refreshToken"].is_null());
        assert_eq!(login["expiresAt"], 4_102_444_800_000_u64);
        assert_eq!(login["scopes"], json!(["user:inference"]));
    }

    #[test]
    fn codex_finds_an_identity_that_parses_and_no_refresh_token() {
        let (handle, file) = written(LoginKind::Codex);
        let tokens = &file["tokens"];
        assert_eq!(tokens["access_token"], handle.as_str());
        assert_eq!(tokens["refresh_token"], "");
        let parts: Vec<&str> = tokens["id_token"].as_str().unwrap().split('.').collect();
        assert_eq!(parts.len(), 3);
        let payload = BASE64URL_NOPAD.decode(parts[1].as_bytes()).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(claims["https://api.openai.com/auth"]["chatgpt_plan_type"], "pro");
        assert_eq!(BASE64URL_NOPAD.decode(parts[2].as_bytes()).unwrap().len(), 256);
    }
}
