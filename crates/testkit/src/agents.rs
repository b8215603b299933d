//! How each agent program is driven without a person: its command, its variables, its files, for a model endpoint.
//!
//! It says how to reach the endpoint and nothing of cells. The programs are those that `scripts/agents` brings.

use std::path::Path;

use serde_json::json;

use crate::model::MODEL;
use crate::{Home, Invocation};

/// An agent program that the tests know to drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agent {
    /// Claude Code, over Anthropic Messages.
    Claude,
    /// Codex, over OpenAI Responses, without its web search.
    Codex,
    /// opencode, over OpenAI Chat Completions.
    Opencode,
    /// pi, over Anthropic Messages.
    Pi,
}

/// Where the model is, and what an agent has to show there: a key, or a handle that stands for one.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint<'a> {
    /// `https://NAME:PORT`, without a slash at its end.
    pub url: &'a str,
    /// The key or handle.
    pub key: &'a str,
    /// The root certificate to trust, for a program outside a cell.
    pub root_file: Option<&'a Path>,
}

/// An agent's command with all that it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Driven {
    /// Which program of `agents()/bin`.
    pub program: &'static str,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its variables, beside those of the home.
    pub environment: Vec<(&'static str, String)>,
    /// Its files, by their path below `$HOME`.
    pub files: Vec<(&'static str, String)>,
}

impl Agent {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Claude, Self::Codex, Self::Opencode, Self::Pi];

    /// How it is driven with this prompt.
    #[must_use]
    pub fn driven(self, endpoint: Endpoint<'_>, prompt: &str) -> Driven {
        let driven = match self {
            Self::Claude => claude(endpoint, prompt),
            Self::Codex => codex(endpoint, prompt),
            Self::Opencode => opencode(endpoint, prompt),
            Self::Pi => pi(endpoint, prompt),
        };
        driven.trusting(endpoint.root_file)
    }

    /// How it is driven as it comes, with a key and nothing said of an endpoint: it asks its vendor's hosts, and more of
    /// them than the one that infers. `None` for those that have no vendor.
    #[must_use]
    pub fn driven_at_vendor(self, key: &str, root_file: Option<&Path>, prompt: &str) -> Option<Driven> {
        let mut driven = self.driven(Endpoint { url: "", key, root_file }, prompt);
        match self {
            Self::Claude => driven.environment.retain(|(name, _)| *name != "ANTHROPIC_BASE_URL"),
            Self::Codex => {
                driven.environment.push(("CODEX_API_KEY", key.to_owned()));
                driven.files = vec![(".codex/config.toml", "web_search = \"disabled\"\n".to_owned())];
            }
            Self::Opencode | Self::Pi => return None,
        }
        Some(driven)
    }

    /// The host that infers, when it is driven at its vendor's.
    #[must_use]
    pub fn vendor_host(self) -> Option<&'static str> {
        match self {
            Self::Claude => Some("api.anthropic.com"),
            Self::Codex => Some("api.openai.com"),
            Self::Opencode | Self::Pi => None,
        }
    }
}

impl Driven {
    fn trusting(mut self, root_file: Option<&Path>) -> Self {
        if let Some(root) = root_file {
            let root = root.to_string_lossy().into_owned();
            self.environment.extend([("NODE_EXTRA_CA_CERTS", root.clone()), ("SSL_CERT_FILE", root)]);
        }
        self
    }

    /// Writes its files into a home, and gives its command there, outside any cell.
    #[track_caller]
    #[must_use]
    pub fn in_home(&self, home: &Home) -> Invocation {
        for (path, text) in &self.files {
            home.write(home.home().join(path), text);
        }
        let command = home.invoke(home.agents().join("bin").join(self.program)).args(&self.arguments);
        self.environment.iter().fold(command, |command, (name, value)| command.env(name, value))
    }
}

fn owned(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|argument| (*argument).to_owned()).collect()
}

fn claude(endpoint: Endpoint<'_>, prompt: &str) -> Driven {
    Driven {
        program: "claude",
        arguments: owned(&["-p", prompt, "--dangerously-skip-permissions"]),
        environment: vec![
            ("ANTHROPIC_BASE_URL", endpoint.url.to_owned()),
            ("ANTHROPIC_API_KEY", endpoint.key.to_owned()),
            // It refuses uid 0 without this word.
            ("IS_SANDBOX", "1".to_owned()),
            ("DISABLE_AUTOUPDATER", "1".to_owned()),
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1".to_owned()),
            ("CLAUDE_CODE_MAX_RETRIES", "2".to_owned()),
        ],
        files: Vec::new(),
    }
}

fn codex(endpoint: Endpoint<'_>, prompt: &str) -> Driven {
    let url = endpoint.url;
    let settings = format!(
        "model = \"{MODEL}\"\nmodel_provider = \"test\"\nweb_search = \"disabled\"\n\n[model_providers.test]\nname = \"test\"\n\
         base_url = \"{url}/v1\"\nenv_key = \"MODEL_KEY\"\nwire_api = \"responses\"\n\
         request_max_retries = 1\nstream_max_retries = 1\n"
    );
    Driven {
        program: "codex",
        arguments: owned(&[
            "exec",
            "--dangerously-bypass-approvals-and-sandbox",
            "--skip-git-repo-check",
            prompt,
        ]),
        environment: vec![("MODEL_KEY", endpoint.key.to_owned())],
        files: vec![(".codex/config.toml", settings)],
    }
}

fn opencode(endpoint: Endpoint<'_>, prompt: &str) -> Driven {
    let options = json!({"baseURL": format!("{}/v1", endpoint.url), "apiKey": "{env:MODEL_KEY}"});
    let provider = json!({
        "npm": "@ai-sdk/openai-compatible", "name": "test", "options": options, "models": {MODEL: {"name": MODEL}},
    });
    let settings = json!({
        "provider": {"test": provider}, "model": format!("test/{MODEL}"), "small_model": format!("test/{MODEL}"),
        "autoupdate": false, "share": "disabled", "permission": "allow",
    });
    Driven {
        program: "opencode",
        arguments: owned(&["run", prompt]),
        environment: vec![
            ("MODEL_KEY", endpoint.key.to_owned()),
            // For its own server, which it asks over the loopback.
            ("NO_PROXY", "localhost,127.0.0.1".to_owned()),
            ("OPENCODE_DISABLE_MODELS_FETCH", "1".to_owned()),
        ],
        files: vec![(".config/opencode/opencode.json", settings.to_string())],
    }
}

fn pi(endpoint: Endpoint<'_>, prompt: &str) -> Driven {
    let model = json!({
        "id": MODEL, "name": MODEL, "reasoning": false, "input": ["text"], "contextWindow": 100_000,
        "maxTokens": 4096, "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
    });
    let provider = json!({
        "baseUrl": endpoint.url, "apiKey": "$MODEL_KEY", "api": "anthropic-messages", "models": [model],
    });
    Driven {
        program: "pi",
        arguments: owned(&["--provider", "test", "--model", MODEL, "-p", prompt]),
        environment: vec![("MODEL_KEY", endpoint.key.to_owned()), ("PI_OFFLINE", "1".to_owned())],
        files: vec![(".pi/agent/models.json", json!({"providers": {"test": provider}}).to_string())],
    }
}
