//! Vendors of models, places that speak their interfaces, and models on the owner's machine.
//!
//! Inference, counting of tokens and the list of models, with one credential of a usual name; bodies are understood, so
//! that nothing is searched, fetched or run by the vendor's hands. Everything else of those hosts is refused.

use super::base::Base;
use super::{Comes, SetError, credential};
use crate::net::credential::{Credential, CredentialName};
use crate::net::grant::{Grant, QueryRule, Scheme};
use crate::net::host::{DnsName, Host};
use crate::net::model::{ModelApi, ModelRule};
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

/// A model on the owner's machine.
pub const LOCAL: &str = "local-model";
const OPENAI_COMPATIBLE: &str = "openai-compatible";
const ANTHROPIC_COMPATIBLE: &str = "anthropic-compatible";

const OPENAI_FORM: &str = "openai-compatible(URL)";
const ANTHROPIC_FORM: &str = "anthropic-compatible(URL)";
const LOCAL_FORM: &str = "local-model(NAME=http://127.0.0.1:PORT)";

/// How the sets with a place of their own are written.
pub(super) const FORMS: [&str; 3] = [OPENAI_FORM, ANTHROPIC_FORM, LOCAL_FORM];

/// What follows the name of a service of the host's.
const HOST_SUFFIX: &str = "host.cofferdam";

/// A vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provider {
    /// Messages.
    Anthropic,
    /// Responses and Chat Completions.
    OpenAi,
    /// `generateContent`.
    Gemini,
    /// Chat Completions and Responses of many vendors.
    OpenRouter,
    /// Responses, as Codex asks for them with a login in place of a key.
    Codex,
}

/// What is known of a vendor.
struct Vendor {
    name: &'static str,
    /// With the path before all calls.
    base: &'static str,
    api: ModelApi,
    /// Credentials by which it is used, the usual one first: name and secret, place, variables.
    credentials: &'static [(&'static str, &'static str, &'static [&'static str])],
}

/// Another place that speaks a vendor's interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compatible {
    api: ModelApi,
    base: Base,
}

/// A model on the owner's machine, which has a name in the cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    name: String,
    address: IpAddr,
    base: Base,
}

impl Provider {
    /// All vendors.
    pub const ALL: [Self; 5] = [Self::Anthropic, Self::OpenAi, Self::Gemini, Self::OpenRouter, Self::Codex];

    /// The set's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.vendor().name
    }

    /// The vendor of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.name() == name)
    }

    fn vendor(self) -> Vendor {
        match self {
            Self::Anthropic => Vendor {
                name: "anthropic",
                base: "https://api.anthropic.com/v1",
                api: ModelApi::Anthropic,
                credentials: &[
                    ("anthropic", "header:x-api-key: {}", &["ANTHROPIC_API_KEY"]),
                    ("claude", "header:Authorization: Bearer {}", &["CLAUDE_CODE_OAUTH_TOKEN"]),
                ],
            },
            Self::OpenAi => Vendor {
                name: "openai",
                base: "https://api.openai.com/v1",
                api: ModelApi::OpenAi,
                credentials: &[(
                    "openai",
                    "header:Authorization: Bearer {}",
                    &["OPENAI_API_KEY", "CODEX_API_KEY"],
                )],
            },
            Self::Gemini => Vendor {
                name: "gemini",
                base: "https://generativelanguage.googleapis.com/v1beta",
                api: ModelApi::Gemini,
                credentials: &[("gemini", "header:x-goog-api-key: {}", &["GEMINI_API_KEY"])],
            },
            Self::OpenRouter => Vendor {
                name: "openrouter",
                base: "https://openrouter.ai/api/v1",
                api: ModelApi::OpenAi,
                credentials: &[("openrouter", "header:Authorization: Bearer {}", &["OPENROUTER_API_KEY"])],
            },
            Self::Codex => Vendor {
                name: "codex",
                base: "https://chatgpt.com/backend-api/codex",
                api: ModelApi::OpenAi,
                // The agent finds its handle in the file of its login.
                credentials: &[("codex", "header:Authorization: Bearer {}", &[])],
            },
        }
    }

    /// Its grants, with the first of its credentials that can be had, else with the usual one: a missing secret is then
    /// said by its name before the agent starts.
    pub(super) fn comes(self, known: &dyn Fn(&CredentialName) -> bool) -> Comes {
        let vendor = self.vendor();
        let definitions: Vec<Credential> = vendor
            .credentials
            .iter()
            .filter_map(|(name, place, variables)| credential(name, name, place, variables))
            .collect();
        let held = definitions.iter().find(|credential| known(&credential.name)).or(definitions.first());
        let Ok(mut base) = Base::parse(vendor.base) else { return Comes::default() };
        base.credential = held.map(|credential| credential.name.clone());
        let grants = calls(vendor.name, &base, vendor.api);
        Comes { grants, credentials: held.cloned().into_iter().collect(), ..Comes::default() }
    }
}

impl Compatible {
    /// Reads the address of such a place; `None` if `name` is none of these sets.
    pub(super) fn parse(name: &str, url: &str) -> Option<Result<Self, SetError>> {
        let (name, form, api) = match name {
            OPENAI_COMPATIBLE => (OPENAI_COMPATIBLE, OPENAI_FORM, ModelApi::OpenAi),
            ANTHROPIC_COMPATIBLE => (ANTHROPIC_COMPATIBLE, ANTHROPIC_FORM, ModelApi::Anthropic),
            _ => return None,
        };
        if url.is_empty() {
            return Some(Err(SetError::Argument { name, form }));
        }
        let base = Base::parse(url).map(|base| with_version(base, api));
        Some(base.map(|base| Self { api, base }).map_err(|cause| SetError::Place { name, cause }))
    }

    fn name(&self) -> &'static str {
        if self.api == ModelApi::Anthropic { ANTHROPIC_COMPATIBLE } else { OPENAI_COMPATIBLE }
    }

    /// Its grants, with the credential named like the set if there is one.
    pub(super) fn comes(&self, known: &dyn Fn(&CredentialName) -> bool) -> Comes {
        let (place, variables): (&str, &[&str]) = match self.api {
            ModelApi::Anthropic => ("header:x-api-key: {}", &["ANTHROPIC_API_KEY"]),
            ModelApi::OpenAi | ModelApi::Gemini => ("header:Authorization: Bearer {}", &["OPENAI_API_KEY"]),
        };
        let definition = credential(self.name(), self.name(), place, variables);
        let definition = definition.filter(|credential| known(&credential.name));
        let mut base = self.base.clone();
        base.credential = definition.as_ref().map(|credential| credential.name.clone());
        Comes {
            grants: calls(self.name(), &base, self.api),
            credentials: definition.into_iter().collect(),
            environment: variables_of(self.api, &base),
        }
    }
}

impl Local {
    /// Reads `NAME=http://127.0.0.1:PORT`; without a name it is `model`.
    pub(super) fn parse(text: &str) -> Result<Self, SetError> {
        let wrong = || SetError::Argument { name: LOCAL, form: LOCAL_FORM };
        let (name, url) = match text.split_once('=') {
            Some((name, url)) => (name, url),
            None => ("model", text),
        };
        let is_label = !name.contains('.') && DnsName::parse(name).is_ok();
        let mut base = Base::parse(url).map_err(|cause| SetError::Place { name: LOCAL, cause })?;
        let address = match &base.host {
            Host::Address(address) if address.is_loopback() => *address,
            Host::Name(name) if name.as_str() == "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
            Host::Name(_) | Host::Address(_) => return Err(wrong()),
        };
        if !is_label || name.starts_with("0x") || base.scheme != Scheme::Http {
            return Err(wrong());
        }
        let host = DnsName::parse(format!("{name}.{HOST_SUFFIX}"));
        base.host = Host::Name(host.map_err(|cause| SetError::Place { name: LOCAL, cause: cause.into() })?);
        base.addresses = vec![address];
        Ok(Self { name: name.to_ascii_lowercase(), address, base: with_version(base, ModelApi::OpenAi) })
    }

    /// Its grants, by the name that it has in the cell.
    pub(super) fn comes(&self) -> Comes {
        Comes {
            grants: calls(LOCAL, &self.base, ModelApi::OpenAi),
            credentials: Vec::new(),
            environment: variables_of(ModelApi::OpenAi, &self.base),
        }
    }
}

/// Clients of the one name the address with the version, of the other without it; without any path both mean `/v1`.
fn with_version(mut base: Base, api: ModelApi) -> Base {
    let is_bare = match api {
        ModelApi::OpenAi | ModelApi::Gemini => base.prefix.is_empty(),
        ModelApi::Anthropic => !base.prefix.ends_with(api_version(api)),
    };
    if is_bare {
        base.prefix.push_str(api_version(api));
    }
    base
}

fn api_version(api: ModelApi) -> &'static str {
    match api {
        ModelApi::Anthropic | ModelApi::OpenAi => "/v1",
        ModelApi::Gemini => "/v1beta",
    }
}

/// Where agents look for the address.
fn variables_of(api: ModelApi, base: &Base) -> BTreeMap<String, String> {
    let address = base.address();
    let (variable, value) = match api {
        ModelApi::Anthropic => {
            ("ANTHROPIC_BASE_URL", address.strip_suffix(api_version(api)).unwrap_or(&address).to_owned())
        }
        ModelApi::OpenAi => ("OPENAI_BASE_URL", address),
        ModelApi::Gemini => ("GOOGLE_GEMINI_BASE_URL", address),
    };
    BTreeMap::from([(variable.to_owned(), value)])
}

/// Inference, counting and the list of models; programs send queries with some of them (`?beta=true`, `?alt=sse`).
fn calls(set: &str, base: &Base, api: ModelApi) -> Vec<Grant> {
    let asked: &[&str] = match api {
        ModelApi::Anthropic => &["/messages", "/messages/count_tokens"],
        ModelApi::OpenAi => {
            &["/chat/completions", "/responses", "/responses/compact", "/responses/input_tokens"]
        }
        ModelApi::Gemini => {
            &["/models/*:generateContent", "/models/*:streamGenerateContent", "/models/*:countTokens"]
        }
    };
    // Names of models at some vendors have slashes.
    let listed: &[&str] = &["/models", "/models/**"];
    let Ok(rule) = ModelRule::at(api, &base.prefix) else { return Vec::new() };
    let mut base = base.clone();
    base.query = QueryRule::Allow;
    let of = |methods: &[&str], patterns| super::grant(set, &base, methods, patterns);
    let grants = of(&["POST"], asked).into_iter().chain(of(&["GET"], listed));
    grants.map(|grant| Grant { model: Some(rule.clone()), ..grant }).collect()
}

impl fmt::Display for Compatible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name(), self.base.address())
    }
}

impl fmt::Display for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, address, base } = self;
        let address = Base { host: Host::Address(*address), ..base.clone() }.address();
        write!(f, "{LOCAL}({name}={address})")
    }
}
