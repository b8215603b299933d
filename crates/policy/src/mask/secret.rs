//! What looks like a secret: file names that `explain` points out though they are not hidden, and environment
//! variables that are not handed to a session without the owner's explicit word.
//!
//! Telemetry and a brake on mistakes, never a wall: a secret that looks like nothing passes. It reads names and
//! values that it is given, no files.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a file name looks as if the file held a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretName {
    /// A container for keys that holds public certificates as often (`*.pem`).
    MayHoldKey,
    /// A data file called secret, token, password, credential.
    NamedSo,
    /// The configuration of a tool that may hold a login (`pip.conf`, `gradle.properties`).
    MayHoldLogin,
    /// What somebody typed (`.bash_history`).
    History,
    /// Code that usually exports secrets (`.envrc`).
    Exports,
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MayHoldKey => "may hold a private key",
            Self::NamedSo => "is named like a secret",
            Self::MayHoldLogin => "may hold a login",
            Self::History => "is a history of commands",
            Self::Exports => "usually exports secrets",
        })
    }
}

/// Why an environment variable looks like a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretSign {
    /// Its name says so.
    Key,
    /// Its value has the shape of a known kind of token.
    Shape,
    /// Its value is a private key.
    PrivateKey,
    /// Its value is a signed token (JWT).
    SignedToken,
    /// Its value is a URL with a password or a token in it.
    UrlPassword,
    /// Its value is long and random.
    Random,
}

impl fmt::Display for SecretSign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "its name says that it is a secret",
            Self::Shape => "its value has the shape of an access token",
            Self::PrivateKey => "its value is a private key",
            Self::SignedToken => "its value is a signed token",
            Self::UrlPassword => "its value is a URL with a password or token",
            Self::Random => "its value is long and random",
        })
    }
}

/// Names judged whole.
const NAMES: &[(&[u8], SecretName)] = &[
    (b".envrc", SecretName::Exports),
    (b".bash_history", SecretName::History),
    (b".zsh_history", SecretName::History),
    (b".psql_history", SecretName::History),
    (b".mysql_history", SecretName::History),
    (b".python_history", SecretName::History),
    (b".node_repl_history", SecretName::History),
    (b".yarnrc", SecretName::MayHoldLogin),
    (b".yarnrc.yml", SecretName::MayHoldLogin),
    (b".condarc", SecretName::MayHoldLogin),
    (b".curlrc", SecretName::MayHoldLogin),
    (b".wgetrc", SecretName::MayHoldLogin),
    (b".gitconfig", SecretName::MayHoldLogin),
    (b"pip.conf", SecretName::MayHoldLogin),
    (b"nuget.config", SecretName::MayHoldLogin),
    (b"NuGet.Config", SecretName::MayHoldLogin),
    (b"gradle.properties", SecretName::MayHoldLogin),
    (b"local.properties", SecretName::MayHoldLogin),
    (b"keystore.properties", SecretName::MayHoldLogin),
    (b"database.yml", SecretName::MayHoldLogin),
    (b"local_settings.py", SecretName::MayHoldLogin),
    (b"secring.gpg", SecretName::MayHoldKey),
];

/// Extensions of key containers.
const KEY_EXTENSIONS: &[&[u8]] = &[b"pem", b"p8", b"pk8", b"der", b"ovpn", b"asc", b"age", b"jwk"];

/// Extensions of data: `secret.json` is worth a look, `secret.rs` is a program.
const DATA_EXTENSIONS: &[&[u8]] = &[
    b"txt",
    b"json",
    b"yml",
    b"yaml",
    b"toml",
    b"ini",
    b"cfg",
    b"conf",
    b"env",
    b"csv",
    b"xml",
    b"properties",
    b"enc",
    b"bak",
    b"old",
    b"dat",
    b"kv",
    b"plist",
];

const SECRET_WORDS: &[&[u8]] =
    &[b"secret", b"token", b"credential", b"passw", b"apikey", b"api_key", b"api-key", b"private_key"];

/// Whether a file called `name` may hold a secret, though no default mask hides it.
#[must_use]
pub fn looks_secret_name(name: &[u8]) -> Option<SecretName> {
    if let Some((_, why)) = NAMES.iter().find(|(own, _)| *own == name) {
        return Some(*why);
    }
    let dot = name.iter().rposition(|byte| *byte == b'.').filter(|dot| *dot > 0);
    let (stem, extension) = match dot {
        Some(dot) => (name.get(..dot)?, name.get(dot.saturating_add(1)..)?),
        None => (name, &b""[..]),
    };
    let is_one_of = |list: &[&[u8]]| list.iter().any(|own| own.eq_ignore_ascii_case(extension));
    if dot.is_some() && is_one_of(KEY_EXTENSIONS) {
        return Some(SecretName::MayHoldKey);
    }
    if dot.is_some() && !is_one_of(DATA_EXTENSIONS) {
        return None;
    }
    let holds = |word: &&[u8]| stem.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word));
    // `tokenizer.json` is a vocabulary, found in every checkout of a language model.
    let vocabulary = stem.windows(8).any(|window| window.eq_ignore_ascii_case(b"tokenize"));
    (!vocabulary && SECRET_WORDS.iter().any(holds)).then_some(SecretName::NamedSo)
}

/// Variables whose names sound secret and are not, or hold only the path of a socket.
const INNOCUOUS_KEYS: &[&str] = &[
    "PWD",
    "OLDPWD",
    "SSH_AUTH_SOCK",
    "XAUTHORITY",
    "SESSION_MANAGER",
    "DESKTOP_SESSION",
    "GDMSESSION",
    "DBUS_SESSION_BUS_ADDRESS",
    "ZELLIJ_SESSION_NAME",
    "TERM_SESSION_ID",
    "GIT_ASKPASS",
    "SSH_ASKPASS",
    "SUDO_ASKPASS",
    "TOKENIZERS_PARALLELISM",
    "PASSWORD_STORE_DIR",
];

/// Beginnings of such names.
const INNOCUOUS_PREFIXES: &[&str] = &["XDG_SESSION_", "XDG_RUNTIME_", "KEYBOARD_", "LESSKEY"];

/// Last words which say that the value is about a secret rather than one.
const ABOUT_WORDS: &[&str] = &[
    "FILE", "PATH", "DIR", "SOCK", "HOST", "PORT", "NAME", "TYPE", "TTL", "TIMEOUT", "ENABLED", "LIMIT",
    "MAX", "COUNT", "METHOD", "PROVIDER", "REGION", "BACKEND",
];

/// Words of a name that make it secret wherever they stand.
const KEY_WORDS: &[&str] = &[
    "TOKEN",
    "TOKENS",
    "SECRET",
    "SECRETS",
    "PASSWORD",
    "PASSWORDS",
    "PASSWD",
    "PASS",
    "PASSPHRASE",
    "PWD",
    "APIKEY",
    "APIKEYS",
    "CREDENTIAL",
    "CREDENTIALS",
    "CREDS",
    "AUTH",
    "AUTHORIZATION",
    "BEARER",
    "COOKIE",
    "SESSION",
    "DSN",
    "PAT",
    "SALT",
    "WEBHOOK",
    "OTP",
    "PIN",
];

/// Words that make `…_KEY` secret. `PRIMARY_KEY` and `SORT_KEY` are not.
const KEY_QUALIFIERS: &[&str] = &[
    "API",
    "PRIVATE",
    "ACCESS",
    "SECRET",
    "SIGNING",
    "ENCRYPTION",
    "MASTER",
    "ACCOUNT",
    "SSH",
    "DEPLOY",
    "AUTH",
    "SERVICE",
    "LICENSE",
    "STORAGE",
    "SHARED",
    "ADMIN",
    "APP",
    "SERVER",
    "CLIENT",
];

/// Ends of words written without a separator: `GITHUBTOKEN`, `DBPASSWORD`.
const KEY_ENDINGS: &[&str] = &["TOKEN", "SECRET", "PASSWORD", "PASSWD", "APIKEY", "CREDENTIALS"];

/// Known beginnings of tokens, with the least length of the whole.
const SHAPES: &[(&str, usize)] = &[
    ("sk-", 20),
    ("sk_live_", 16),
    ("sk_test_", 16),
    ("rk_live_", 16),
    ("pk_live_", 16),
    ("whsec_", 16),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("gldt-", 16),
    ("glrt-", 16),
    ("xoxb-", 16),
    ("xoxp-", 16),
    ("xoxa-", 16),
    ("xoxr-", 16),
    ("xoxs-", 16),
    ("xapp-", 16),
    ("AKIA", 20),
    ("ASIA", 20),
    ("AIza", 30),
    ("ya29.", 20),
    ("GOCSPX-", 20),
    ("npm_", 20),
    ("pypi-", 20),
    ("hf_", 20),
    ("gsk_", 20),
    ("r8_", 20),
    ("xai-", 20),
    ("SG.", 20),
    ("dop_v1_", 20),
    ("dckr_pat_", 20),
    ("shpat_", 20),
    ("sq0atp-", 16),
    ("lin_api_", 20),
    ("ntn_", 20),
    ("hvs.", 20),
    ("atlasv1.", 20),
    ("AGE-SECRET-KEY-", 20),
    ("rubygems_", 20),
    ("cio", 32),
    ("dapi", 32),
    ("figd_", 20),
    ("sntrys_", 20),
    ("tskey-", 16),
    ("Bearer ", 16),
    ("Basic ", 12),
];

/// URLs whose path is the secret.
const SECRET_URLS: &[&str] = &[
    "https://hooks.slack.com/services/",
    "https://discord.com/api/webhooks/",
    "https://discordapp.com/api/webhooks/",
];

/// From this length on a random-looking value is taken for a secret.
const RANDOM_CHARS_MIN: usize = 32;

/// A value of that length has at least this many different characters, if random.
const RANDOM_DISTINCT_MIN: usize = 12;

/// Whether the environment variable `key` with `value` looks like a secret, and by what sign.
///
/// A value that is not UTF-8 is to be given with replacement characters.
#[must_use]
pub fn looks_secret_value(key: &str, value: &str) -> Option<SecretSign> {
    let value = value.trim();
    if value.contains("PRIVATE KEY-----") {
        return Some(SecretSign::PrivateKey);
    }
    let has_shape = |(start, least): &(&str, usize)| value.starts_with(start) && value.len() >= *least;
    if SHAPES.iter().any(has_shape) {
        return Some(SecretSign::Shape);
    }
    if is_signed_token(value) {
        return Some(SecretSign::SignedToken);
    }
    if is_secret_url(value) {
        return Some(SecretSign::UrlPassword);
    }
    let key = key.to_ascii_uppercase();
    if INNOCUOUS_KEYS.contains(&key.as_str()) || INNOCUOUS_PREFIXES.iter().any(|start| key.starts_with(start))
    {
        return None;
    }
    if key_sounds_secret(&key) && !is_switch(value) {
        return Some(SecretSign::Key);
    }
    (is_random(value) && !names_a_revision(&key)).then_some(SecretSign::Random)
}

fn key_sounds_secret(key: &str) -> bool {
    let words: Vec<&str> =
        key.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    if words.last().is_some_and(|last| ABOUT_WORDS.contains(last)) {
        return false;
    }
    let plain = words.iter().any(|w| KEY_WORDS.contains(w) || KEY_ENDINGS.iter().any(|end| w.ends_with(end)));
    let qualified = words
        .iter()
        .zip(words.iter().skip(1))
        .any(|(qualifier, word)| matches!(*word, "KEY" | "KEYS") && KEY_QUALIFIERS.contains(qualifier));
    plain || qualified
}

/// `AUTH=true`, `MAX_TOKENS=4096`: a setting, whatever its name.
fn is_switch(value: &str) -> bool {
    const NUMBER_DIGITS_MAX: usize = 6;
    const WORDS: &[&str] =
        &["", "true", "false", "yes", "no", "on", "off", "none", "null", "auto", "always", "never"];
    let number = value.len() <= NUMBER_DIGITS_MAX && value.bytes().all(|byte| byte.is_ascii_digit());
    number || WORDS.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// Three dot-separated base64url parts, the first of which begins with an encoded `{"`.
fn is_signed_token(value: &str) -> bool {
    let in_alphabet =
        |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'='));
    let parts: Vec<&str> = value.split('.').collect();
    value.starts_with("eyJ") && parts.len() == 3 && parts.iter().all(|part| in_alphabet(part))
}

fn is_secret_url(value: &str) -> bool {
    if SECRET_URLS.iter().any(|start| value.starts_with(start)) {
        return true;
    }
    // Also within a longer value (a list of index URLs, `jdbc:postgresql://…`).
    value.match_indices("://").any(|(at, separator)| {
        let rest = value.get(at.saturating_add(separator.len())..).unwrap_or_default();
        let rest = rest.split(char::is_whitespace).next().unwrap_or_default();
        let (before_query, query) = rest.split_once('?').unwrap_or((rest, ""));
        let authority = before_query.split('/').next().unwrap_or_default();
        let password = authority
            .rsplit_once('@')
            .and_then(|(user, _)| user.split_once(':'))
            .is_some_and(|(_, p)| !p.is_empty());
        let named = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            !is_switch(value)
                && (key_sounds_secret(&name.to_ascii_uppercase()) || name.eq_ignore_ascii_case("sig"))
        };
        password || query.split(['&', ';']).any(named)
    })
}

fn is_random(value: &str) -> bool {
    let in_alphabet =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'-' | b'_' | b'.' | b'~');
    if value.len() < RANDOM_CHARS_MIN || value.starts_with(['/', '.', '~']) || !value.bytes().all(in_alphabet)
    {
        return false;
    }
    let mut seen = [false; 256];
    for byte in value.bytes() {
        if let Some(slot) = seen.get_mut(usize::from(byte)) {
            *slot = true;
        }
    }
    let distinct = seen.iter().filter(|slot| **slot).count();
    let has = |class: fn(&u8) -> bool| value.as_bytes().iter().any(class);
    let hexadecimal = value.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let mixed = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
    distinct >= RANDOM_DISTINCT_MIN
        && has(u8::is_ascii_digit)
        && (mixed || (hexadecimal && has(u8::is_ascii_alphabetic)))
}

/// `GIT_COMMIT`, `IMAGE_DIGEST`: long and random by nature, and public.
fn names_a_revision(key: &str) -> bool {
    const WORDS: &[&str] =
        &["COMMIT", "SHA", "SHA1", "SHA256", "REV", "REVISION", "HASH", "DIGEST", "CHECKSUM", "TREE"];
    key.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| WORDS.contains(&word))
}
