//! Logins of agent programs: read from the file that the program keeps, and refreshed as the program itself would.
//!
//! Providers change a refresh token at each use, so there is one refresh at a time over all sessions of an owner, and
//! whoever waited for it takes what it brought. It opens no connection: it is handed something that does. It never
//! writes the program's own file.

use super::store::{Store, StoreError, Value};
use super::value::Secret;
use cofferdam_policy::event::UnixNanos;
use cofferdam_policy::net::credential::SecretName;
use cofferdam_policy::net::handle::{LoginFacts, LoginKind};
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;
use zeroize::Zeroizing;

/// What is public knowledge of a provider's logins.
#[derive(Debug)]
pub struct Provider {
    /// Whose.
    pub kind: LoginKind,
    /// Where tokens are refreshed: the address that the provider's own program asks.
    pub token_endpoint: &'static str,
    /// What the provider's own program calls itself; no secret (RFC 8252, 8.4).
    pub client_id: &'static str,
    /// What it asks for, if it says so again.
    pub scope: Option<&'static str>,
}

/// All there are.
pub const PROVIDERS: [Provider; 2] = [
    Provider {
        kind: LoginKind::Claude,
        token_endpoint: "https://console.anthropic.com/v1/oauth/token",
        client_id: "9d1c250a-e61b-44d9-88ed-5944d1962f5e",
        scope: None,
    },
    Provider {
        kind: LoginKind::Codex,
        token_endpoint: "https://auth.openai.com/oauth/token",
        client_id: "app_EMoamEEZ73f0CkXaXp7hrann",
        scope: Some("openid profile email"),
    },
];

/// How long before its end a token is refreshed, in seconds: longer than a request takes to be sent.
pub const REFRESH_EARLY_SECONDS: i64 = 300;
/// How long another session's refresh is waited for, in seconds.
const REFRESH_WAIT_SECONDS_MAX: u64 = 60;
const REFRESH_TRY_EVERY: Duration = Duration::from_millis(50);
/// The longest answer of a token endpoint that is read, in bytes.
pub const TOKEN_ANSWER_BYTES_MAX: usize = 64 << 10;
const LIFETIME_SECONDS_MAX: i64 = 366 * 24 * 3600;
const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// Why a login can't be read or refreshed. Nothing of its tokens is ever in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// The program's file has no login of the kind that it keeps after signing in.
    #[error("its file holds no login")]
    NoLogin,
    /// A token of it is none.
    #[error("its token is not of visible ASCII")]
    Token,
    /// What the token endpoint answered is not understood.
    #[error("the token endpoint's answer is not understood")]
    Answer,
    /// The token endpoint refuses: the login is over.
    #[error("the provider refuses to refresh it (status {0}): it is over, or was refreshed elsewhere")]
    Refused(u16),
    /// The token endpoint fails.
    #[error("the token endpoint failed (status {0})")]
    Failed(u16),
}

/// A login as read from a file.
#[derive(Debug)]
pub struct Login {
    /// What requests carry.
    pub access: Secret,
    /// What gets the next one.
    pub refresh: Option<Secret>,
    /// When the access token ends.
    pub expires: Option<UnixNanos>,
    /// The rest that a program reads.
    pub facts: LoginFacts,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClaudeFile {
    claude_ai_oauth: ClaudeTokens,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClaudeTokens {
    access_token: String,
    refresh_token: Option<String>,
    expires_at: Option<i64>,
    #[serde(default)]
    scopes: Vec<String>,
    subscription_type: Option<String>,
}

#[derive(Deserialize)]
struct CodexFile {
    tokens: CodexTokens,
}

#[derive(Deserialize)]
struct CodexTokens {
    id_token: Option<String>,
    access_token: String,
    refresh_token: Option<String>,
    account_id: Option<String>,
}

/// Reads the file that a program keeps its login in.
///
/// # Errors
/// [`LoginError::NoLogin`], [`LoginError::Token`].
pub fn parse_file(kind: LoginKind, bytes: &[u8]) -> Result<Login, LoginError> {
    match kind {
        LoginKind::Claude => {
            let file: ClaudeFile = serde_json::from_slice(bytes).map_err(|_untold| LoginError::NoLogin)?;
            let tokens = file.claude_ai_oauth;
            let facts =
                LoginFacts { plan: tokens.subscription_type, scopes: tokens.scopes, account: None }.plain();
            let expires = tokens.expires_at.map(|at| UnixNanos(at.saturating_mul(1_000_000)));
            Ok(Login {
                access: token(tokens.access_token)?,
                refresh: optional(tokens.refresh_token)?,
                expires,
                facts,
            })
        }
        LoginKind::Codex => {
            let file: CodexFile = serde_json::from_slice(bytes).map_err(|_untold| LoginError::NoLogin)?;
            let tokens = file.tokens;
            let identity = tokens.id_token.map(Zeroizing::new);
            let claims = identity.as_ref().and_then(|text| claims(text.as_bytes()));
            let about = claims.as_ref().and_then(|claims| claims.get("https://api.openai.com/auth"));
            let said = |key: &str| Some(about?.get(key)?.as_str()?.to_owned());
            let account = tokens.account_id.or_else(|| said("chatgpt_account_id"));
            let facts = LoginFacts { plan: said("chatgpt_plan_type"), scopes: Vec::new(), account }.plain();
            let access = token(tokens.access_token)?;
            let expires = token_expiry(access.expose());
            Ok(Login { access, refresh: optional(tokens.refresh_token)?, expires, facts })
        }
    }
}

fn token(text: String) -> Result<Secret, LoginError> {
    Secret::new(text.into_bytes()).map_err(|_untold| LoginError::Token)
}

fn optional(text: Option<String>) -> Result<Option<Secret>, LoginError> {
    text.filter(|text| !text.is_empty()).map(token).transpose()
}

/// When a JSON web token ends, by its own word; nothing of any other text.
#[must_use]
pub fn token_expiry(token: &[u8]) -> Option<UnixNanos> {
    let seconds = claims(token)?.get("exp")?.as_i64()?;
    Some(UnixNanos(seconds.checked_mul(NANOS_PER_SECOND)?))
}

fn claims(token: &[u8]) -> Option<serde_json::Value> {
    let mut parts = token.split(|byte| *byte == b'.');
    let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes = Zeroizing::new(BASE64URL_NOPAD.decode(payload).ok()?);
    serde_json::from_slice(&bytes).ok()
}

/// What is to be sent to a token endpoint.
#[derive(Debug)]
pub struct TokenRequest {
    /// Where, by POST; it must be HTTPS unless the owner named it.
    pub endpoint: String,
    /// With the content type `application/json`. It holds the refresh token, and is overwritten when it goes.
    pub body: TokenBody,
}

/// The body of a [`TokenRequest`].
pub struct TokenBody(pub Zeroizing<Vec<u8>>);

impl std::fmt::Debug for TokenBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenBody(…)")
    }
}

/// What a token endpoint answered; the body at most [`TOKEN_ANSWER_BYTES_MAX`].
pub struct TokenAnswer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for TokenAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TokenAnswer({}, …)", self.status)
    }
}

/// The request that refreshes a login (RFC 6749, 6).
///
/// # Errors
/// [`LoginError::Token`], which can't be.
pub fn token_request(
    kind: LoginKind,
    endpoint: Option<&str>,
    refresh: &Secret,
) -> Result<TokenRequest, LoginError> {
    let provider = PROVIDERS.iter().find(|provider| provider.kind == kind).ok_or(LoginError::NoLogin)?;
    let text = std::str::from_utf8(refresh.expose()).map_err(|_untold| LoginError::Token)?;
    let mut members = BTreeMap::from([
        ("grant_type", "refresh_token"),
        ("client_id", provider.client_id),
        ("refresh_token", text),
    ]);
    members.extend(provider.scope.map(|scope| ("scope", scope)));
    // Room for every character to be escaped: a buffer that grows leaves copies behind.
    let mut body = Zeroizing::new(Vec::with_capacity(text.len() * 6 + 512));
    serde_json::to_writer(&mut *body, &members).map_err(|_untold| LoginError::Token)?;
    let endpoint = endpoint.unwrap_or(provider.token_endpoint).to_owned();
    Ok(TokenRequest { endpoint, body: TokenBody(body) })
}

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    refresh_token: Option<String>,
    expires_in: Option<i64>,
}

/// What the answer brings: the new value, and when it ends. A refresh token that is not replaced stays.
///
/// # Errors
/// [`LoginError`].
pub fn token_answer(
    answer: &TokenAnswer,
    old: &Secret,
    now: UnixNanos,
) -> Result<(Value, Option<UnixNanos>), LoginError> {
    match answer.status {
        200 => {}
        400 | 401 | 403 => return Err(LoginError::Refused(answer.status)),
        status => return Err(LoginError::Failed(status)),
    }
    let tokens: Tokens = serde_json::from_slice(&answer.body).map_err(|_untold| LoginError::Answer)?;
    let secret = token(tokens.access_token)?;
    let said = tokens.expires_in.filter(|seconds| (1..=LIFETIME_SECONDS_MAX).contains(seconds));
    let from_now = |seconds: i64| UnixNanos(now.0.saturating_add(seconds * NANOS_PER_SECOND));
    let expires = said.map(from_now).or_else(|| token_expiry(secret.expose()));
    let refresh = optional(tokens.refresh_token)?.unwrap_or_else(|| old.clone());
    Ok((Value { secret, refresh: Some(refresh) }, expires))
}

/// A login with enough time left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewed {
    /// What requests carry from now on.
    pub secret: Secret,
    /// When it ends.
    pub expires: Option<UnixNanos>,
}

/// Why a login was not refreshed.
#[derive(Debug, thiserror::Error)]
pub enum RenewError<E: std::error::Error + 'static> {
    /// The store.
    #[error("cannot use the store of secrets")]
    Store(#[from] StoreError),
    /// The login, or the endpoint's answer.
    #[error("cannot refresh the login")]
    Login(#[from] LoginError),
    /// It was not reached.
    #[error("cannot reach the token endpoint")]
    Send(#[source] E),
    /// It counts for nothing any more.
    #[error("it was revoked")]
    Revoked,
    /// Another session is at it for too long.
    #[error("another session is refreshing it for {REFRESH_WAIT_SECONDS_MAX} s")]
    Busy,
}

/// The value of a login with enough time left, refreshed if need be. `send` posts a [`TokenRequest`]. One at a time
/// over all sessions; who waited finds the new one in the store and asks nobody. What comes of it is for
/// `Exchange::refreshed`. It writes into the store's directory: who confines itself leaves that open.
///
/// # Errors
/// [`RenewError`].
pub async fn renew<E>(
    store: &Store,
    name: &SecretName,
    now: UnixNanos,
    send: impl AsyncFnOnce(TokenRequest) -> Result<TokenAnswer, E>,
) -> Result<Renewed, RenewError<E>>
where
    E: std::error::Error + 'static,
{
    // 1. Alone; waiting without holding up the connections of this session.
    let mut waited = Duration::ZERO;
    let _alone = loop {
        if let Some(lock) = store.try_lock(&format!("refresh-{name}"))? {
            break lock;
        }
        if waited.as_secs() >= REFRESH_WAIT_SECONDS_MAX {
            return Err(RenewError::Busy);
        }
        tokio::time::sleep(REFRESH_TRY_EVERY).await;
        waited += REFRESH_TRY_EVERY;
    };
    // 2. What another session may have brought meanwhile.
    let contents = store.contents()?;
    let (Some(entry), Some(value)) = (contents.entries.get(name), contents.values.get(name)) else {
        return Err(LoginError::NoLogin.into());
    };
    if entry.revoked.is_some() {
        return Err(RenewError::Revoked);
    }
    let Some(login) = &entry.login else { return Err(LoginError::NoLogin.into()) };
    let soon = now.0.saturating_add(REFRESH_EARLY_SECONDS * NANOS_PER_SECOND);
    if entry.expires.is_none_or(|end| end.0 > soon) {
        return Ok(Renewed { secret: value.secret.clone(), expires: entry.expires });
    }
    let refresh = value.refresh.clone().ok_or(LoginError::NoLogin)?;
    // 3. Ask; the store's own lock is free meanwhile.
    let request = token_request(login.kind, login.token_endpoint.as_deref(), &refresh)?;
    let answer = send(request).await.map_err(RenewError::Send)?;
    let (renewed, expires) = token_answer(&answer, &refresh, now)?;
    // 4. Keep it before it is used: the old refresh token is worth nothing now.
    let secret = renewed.secret.clone();
    store.change(|contents| -> Result<(), StoreError> {
        if let Some(entry) = contents.entries.get_mut(name) {
            entry.expires = expires;
            entry.refreshed = now;
            contents.values.insert(name.clone(), renewed);
        }
        Ok(())
    })?;
    Ok(Renewed { secret, expires })
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
