//! Tests: no list names a login or a history, and the filters of real settings hold.

use super::*;
use crate::path::AbsPath;
use crate::presets::piece::PieceKind;

fn below(agent: &AgentHome) -> Vec<(String, HomePiece)> {
    let home = AbsPath::new("/home/me").unwrap();
    let path = |piece: &Piece| piece.resolve(&home, &|_| None).unwrap().to_string();
    agent
        .pieces
        .iter()
        .map(|own| (path(&own.piece).strip_prefix("/home/me/").unwrap().to_owned(), *own))
        .collect()
}

#[test]
fn agents_are_found_by_name_and_stand_in_its_order() {
    assert!(AGENTS.is_sorted_by_key(|agent| agent.name));
    assert!(AGENTS.iter().all(|own| agent(own.name) == Some(own)));
    assert_eq!(agent("nobody"), None);
}

#[test]
fn no_list_names_what_must_never_come_and_no_directory_holds_it() {
    for agent in AGENTS {
        for (path, _) in below(agent) {
            assert!(!agent.refuses(&path), "{}: {path}", agent.name);
        }
    }
    // The homes themselves, where logins and histories lie, are never shown whole.
    let whole = [
        ".claude",
        ".codex",
        ".gemini",
        ".pi",
        ".pi/agent",
        ".cursor",
        ".copilot",
        ".hermes",
        ".config",
        ".config/goose",
        ".config/amp",
        ".local",
        ".local/share",
        ".local/share/opencode",
        ".local/share/amp",
        ".claude/plugins",
        "",
    ];
    for agent in AGENTS {
        for (path, _) in below(agent) {
            assert!(!whole.contains(&path.as_str()), "{}: {path}", agent.name);
        }
    }
}

/// Logins and histories, by agent.
const REFUSED: &[(&str, &[&str])] = &[
    (
        "claude",
        &[
            ".claude/.credentials.json",
            ".claude/history.jsonl",
            ".claude/projects/x/y.jsonl",
            ".claude/todos/a.json",
            ".claude/statsig/x",
            ".claude/shell-snapshots/x",
            ".claude/file-history/x",
            ".claude/skills/x/.env",
            ".claude/paste-cache",
            ".claude/session-env",
            ".claude/debug/x",
        ],
    ),
    (
        "codex",
        &[
            ".codex/auth.json",
            ".codex/.credentials.json",
            ".codex/history.jsonl",
            ".codex/sessions/2026",
            ".codex/log/x",
            ".codex/state_5.sqlite",
            ".codex/.env",
            ".codex/shell_snapshots",
            ".codex/memories/x",
        ],
    ),
    (
        "opencode",
        &[
            ".local/share/opencode/auth.json",
            ".local/share/opencode/mcp-auth.json",
            ".local/share/opencode/storage/x",
            ".local/share/opencode/opencode.db",
            ".config/opencode/.env",
        ],
    ),
    (
        "gemini",
        &[
            ".gemini/oauth_creds.json",
            ".gemini/google_accounts.json",
            ".gemini/mcp-oauth-tokens-v2.json",
            ".gemini/tmp/x",
            ".gemini/history/x",
            ".gemini/.env",
            ".gemini/extensions/x/.env",
        ],
    ),
    ("pi", &[".pi/agent/auth.json", ".pi/agent/sessions/x"]),
    ("goose", &[".config/goose/secrets.yaml", ".local/share/goose/sessions/x"]),
    (
        "hermes",
        &[
            ".hermes/.env",
            ".hermes/auth.json",
            ".hermes/state.db",
            ".hermes/sessions/x",
            ".hermes/memories/x",
        ],
    ),
    (
        "amp",
        &[".local/share/amp/secrets.json", ".local/share/amp/history.jsonl", ".local/share/amp/threads/x"],
    ),
    ("cursor", &[".config/cursor/auth.json", ".cursor/chats/x", ".cursor/projects/x"]),
    (
        "copilot",
        &[
            ".copilot/config.json",
            ".copilot/session-state/x",
            ".copilot/session-store.db",
            ".copilot/command-history-state.json",
            ".copilot/permissions-config.json",
        ],
    ),
    ("aider", &[".aider/oauth-keys.env", ".aider.input.history", ".aider.chat.history.md", ".env"]),
];

#[test]
fn logins_and_histories_are_refused_for_every_agent() {
    for (name, paths) in REFUSED {
        for path in *paths {
            assert!(agent(name).unwrap().refuses(path), "{name}: {path}");
        }
    }
}

#[test]
fn files_of_settings_are_filtered_and_directories_never_copied() {
    for agent in AGENTS {
        for (path, own) in below(agent) {
            match own.carry {
                Carry::CopyOnWrite => assert_eq!(own.piece.kind, PieceKind::Directory, "{path}"),
                Carry::Copy => {
                    assert_eq!(own.piece.kind, PieceKind::File, "{path}");
                    let settings = [".json", ".jsonc", ".toml", ".yaml", ".yml"];
                    assert!(!settings.iter().any(|end| path.ends_with(end)), "{path} may hold a login");
                }
                Carry::Filtered(filter) => {
                    assert_eq!(own.piece.kind, PieceKind::File, "{path}");
                    assert!(!filter.keep.is_empty(), "{path}");
                }
            }
        }
    }
}

fn filter(name: &str, path: &str) -> Filter {
    let own = below(agent(name).unwrap()).into_iter().find(|(below, _)| below == path);
    match own.unwrap().1.carry {
        Carry::Filtered(filter) => filter,
        Carry::Copy | Carry::CopyOnWrite => panic!("{path} is not filtered"),
    }
}

#[test]
fn of_claudes_state_only_its_servers_and_a_few_preferences_come() {
    let text = r#"{"oauthAccount": {"accountUuid": "u"}, "userID": "0123", "primaryApiKey": "sk-ant-api03-abcdefghijklmnop",
        "customApiKeyResponses": {"approved": ["abc"]}, "projects": {"/home/me/secret-client": {"history": ["hi"]}},
        "hasCompletedOnboarding": true, "theme": "dark",
        "mcpServers": {"x": {"type": "http", "url": "https://x.example/mcp", "headers": {"Authorization": "Bearer abc"}}}}"#;
    let kept: serde_json::Value =
        serde_json::from_str(&filter("claude", ".claude.json").apply(text).unwrap()).unwrap();
    assert_eq!(
        kept,
        serde_json::json!({"hasCompletedOnboarding": true, "theme": "dark",
            "mcpServers": {"x": {"type": "http", "url": "https://x.example/mcp", "headers": {}}}})
    );
}

#[test]
fn the_owners_settings_survive_without_their_secrets() {
    let settings = r#"{"env": {"ANTHROPIC_API_KEY": "abc-def-ghi", "FOO": "bar"}, "apiKeyHelper": "x", "model": "opus",
        "permissions": {"allow": ["Bash(ls)"]}}"#;
    let kept = filter("claude", ".claude/settings.json").apply(settings).unwrap();
    assert!(!kept.contains("abc-def") && !kept.contains("apiKeyHelper"));
    assert!(kept.contains("FOO") && kept.contains("Bash(ls)"));

    let config = "model = \"m\"\n[mcp_servers.a]\ncommand = \"c\"\nbearer_token = \"abcdefgh\"\n[projects.\"/x\"]\ntrust_level = \"trusted\"\n";
    let kept = filter("codex", ".codex/config.toml").apply(config).unwrap();
    assert!(!kept.contains("abcdefgh") && !kept.contains("/x") && kept.contains("command = \"c\""));

    let config = "{ // mine\n \"provider\": {\"x\": {\"npm\": \"p\", \"options\": {\"apiKey\": \"abcdefgh\", \"baseURL\": \"https://h.example\"}}},}";
    let kept = filter("opencode", ".config/opencode/opencode.json").apply(config).unwrap();
    assert!(!kept.contains("abcdefgh") && kept.contains("https://h.example"));

    let config =
        "GOOSE_PROVIDER: openai\nOPENAI_API_KEY: abcdefgh\nextensions:\n  x:\n    envs:\n      TOKEN: abc\n";
    assert_eq!(
        filter("goose", ".config/goose/config.yaml").apply(config).unwrap(),
        "GOOSE_PROVIDER: openai\n"
    );
}
