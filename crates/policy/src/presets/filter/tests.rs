//! Tests: what a filter keeps, and that no secret survives it.

use super::*;
use proptest::prelude::*;
use serde_json::json;

const ALL: &[&str] =
    &["mcpServers", "env", "hooks", "provider", "keybinds", "a", "theme", "permissions", "mcp", "security"];

fn filtered(value: &Value) -> Value {
    let text = Filter { drop: &["apiKeyHelper"], ..Filter::json(ALL) }.apply(&value.to_string()).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn only_named_keys_come_along() {
    let value = json!({"theme": "dark", "oauthAccount": {"emailAddress": "a@b"}, "projects": {"/x": {}}, "userID": "u"});
    assert_eq!(filtered(&value), json!({"theme": "dark"}));
    for text in ["[]", "\"a\"", "1", "null"] {
        assert_eq!(Filter::json(ALL).apply(text), Err(FilterError::NotAnObject));
    }
}

#[test]
fn a_servers_secrets_are_removed_and_the_server_stays() {
    let value = json!({"mcpServers": {"github": {
        "command": "npx",
        "args": ["-y", "server", "--api-key", "hunter2hunter2", "--token=abcdefgh", "sk-abcdefghijklmnopqrstuv", "--verbose"],
        "env": {"GITHUB_TOKEN": "ghp_abcdefghijklmnopqrstuvwxyz0123", "LOG_LEVEL": "debug", "TOKEN": "${GITHUB_TOKEN}"},
        "headers": {"Authorization": "Bearer abc", "X-Custom": "whatever", "Accept": "text/plain", "X-Key": "Bearer ${KEY}"},
    }}});
    let removed = "removed-by-cofferdam";
    assert_eq!(
        filtered(&value),
        json!({"mcpServers": {"github": {
            "command": "npx",
            "args": ["-y", "server", "--api-key", removed, removed, removed, "--verbose"],
            "env": {"LOG_LEVEL": "debug", "TOKEN": "${GITHUB_TOKEN}"},
            "headers": {"Accept": "text/plain", "X-Key": "Bearer ${KEY}"},
        }}})
    );
}

#[test]
fn a_server_whose_address_is_the_secret_goes_as_a_whole() {
    let value = json!({"mcpServers": {
        "a": {"url": "https://user:pass@host.example/mcp"},
        "b": {"url": "https://host.example/mcp?api_key=abcdefgh"},
        "c": {"url": "https://host.example/s/NzE4Y2JjAbCdEf0123456789QwErTyUiOp/mcp"},
        "d": {"url": "https://host.example/mcp"},
    }});
    assert_eq!(filtered(&value), json!({"mcpServers": {"d": {"url": "https://host.example/mcp"}}}));
}

#[test]
fn keys_of_providers_are_removed_however_they_are_written() {
    let value = json!({"provider": {"x": {"options": {
        "apiKey": "abcdefgh", "api_key": "abcdefgh", "APIKey": "abcdefgh", "accessKey": "abcdefgh", "clientSecret": "abcdefgh",
        "baseURL": "https://host.example/v1", "envKey": "OPENAI_API_KEY", "apiKeyEnv": "MY_KEY", "maxTokens": 4096,
        "token": {"value": "short"}, "password": ["one", "two"],
    }}}});
    assert_eq!(
        filtered(&value)["provider"]["x"]["options"],
        json!({
            "baseURL": "https://host.example/v1", "envKey": "OPENAI_API_KEY", "apiKeyEnv": "MY_KEY", "maxTokens": 4096,
            "token": {}, "password": ["removed-by-cofferdam", "removed-by-cofferdam"],
        })
    );
    let references =
        json!({"provider": {"apiKey": "{env:OPENAI_API_KEY}", "token": "{file:~/key}", "key": "$MY_KEY"}});
    assert_eq!(filtered(&references), references);
    let default = json!({"provider": {"apiKey": "${KEY:-hunter2hunter2}"}});
    assert_eq!(filtered(&default), json!({"provider": {}}));
}

#[test]
fn commands_that_fetch_a_secret_or_hold_one_are_removed() {
    let value = json!({"a": {"apiKeyHelper": "pass show key"}, "hooks": {
        "SessionStart": [{"hooks": [
            {"type": "command", "command": "curl -H 'Authorization: Bearer sk-abcdefghijklmnopqrstuv' x"},
            {"type": "command", "command": "echo started"},
        ]}],
    }});
    assert_eq!(
        filtered(&value),
        json!({"a": {}, "hooks": {"SessionStart": [{"hooks": [{"type": "command", "command": "echo started"}]}]}})
    );
}

#[test]
fn settings_that_only_sound_secret_stay() {
    let value = json!({
        "keybinds": {"session_new": "<leader>n", "session_share": "none"},
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "env": {"MAX_TOKENS": "4096", "PATH": "/usr/bin", "DEBUG": "1"},
        "permissions": {"allow": ["Bash(git status)", "Read(~/.zshrc)"], "deny": ["Read(./secrets/**)"]},
        "a": {"model": "claude-opus-4-5-20251101", "enabled": true, "n": 3, "none": null},
    });
    assert_eq!(filtered(&value), value);
}

#[test]
fn toml_is_filtered_alike() {
    let filter = Filter {
        format: Format::Toml,
        keep: &["model", "model_providers", "mcp_servers", "tui"],
        drop: &["experimental_bearer_token"],
    };
    let text = r#"
        model = "gpt-5"
        [projects."/home/me/private-client"]
        trust_level = "trusted"
        [model_providers.x]
        base_url = "https://host.example/v1"
        env_key = "X_API_KEY"
        experimental_bearer_token = "plain words"
        http_headers = { "X-Auth" = "abc", "User-Agent" = "me" }
        [mcp_servers.y]
        command = "npx"
        bearer_token_env_var = "Y_TOKEN"
        env = { Y_TOKEN = "abcdefghij", MODE = "fast" }
        [tui]
        notifications = true
    "#;
    let kept: toml::Table = filter.apply(text).unwrap().parse().unwrap();
    let expected: toml::Table = r#"
        model = "gpt-5"
        [model_providers.x]
        base_url = "https://host.example/v1"
        env_key = "X_API_KEY"
        http_headers = { "User-Agent" = "me" }
        [mcp_servers.y]
        command = "npx"
        bearer_token_env_var = "Y_TOKEN"
        env = { MODE = "fast" }
        [tui]
        notifications = true
    "#
    .parse()
    .unwrap();
    assert_eq!(kept, expected);
    let error = filter.apply("key = sk-abcdefghijklmnopqrstuv").unwrap_err().to_string();
    assert!(!error.contains("sk-abc"), "{error}");
}

#[test]
fn of_yaml_only_what_is_plain_comes_along() {
    let filter = Filter { format: Format::Yaml, keep: &["model", "read", "display"], drop: &["extra"] };
    let text = "\
# comment
model:
  default: \"some/model\"
  api_key: hunter2hunter2
  base_url: https://host.example/v1
  anchored: &x hunter2
    below: it
  text: |
    hunter2hunter2
    key: value
  extra: x
openai-api-key: abc
read:
- CONVENTIONS.md
- sk-abcdefghijklmnopqrstuv
providers:
  - name: x
    key: y
  nested: z
display: {a: b}
---
";
    let expected = "\
model:
  default: \"some/model\"
  base_url: https://host.example/v1
read:
- CONVENTIONS.md
";
    assert_eq!(filter.apply(text).unwrap(), expected);
}

#[test]
fn a_text_beyond_the_limit_is_refused() {
    let text = " ".repeat(FILTERED_BYTES_MAX + 1);
    assert!(matches!(Filter::json(ALL).apply(&text), Err(FilterError::TooLong { .. })));
}

proptest! {
    #[test]
    fn no_token_survives_wherever_it_stands(
        token in "(sk-|ghp_|xoxb-)[a-zA-Z0-9]{30}",
        key in "[a-zA-Z_]{1,12}",
        depth in 0_usize..6,
        shape in 0_u8..5,
    ) {
        let mut value = match shape {
            0 => json!(token),
            1 => json!([token]),
            2 => json!(["--x", format!("--flag={token}")]),
            3 => json!(format!("run --with '{token}'")),
            _ => json!({"headers": {"X-Any": token}}),
        };
        for _ in 0..depth {
            value = json!({ key.clone(): [value] });
        }
        let text = Filter::json(ALL).apply(&json!({"a": value, "env": {key: value}}).to_string()).unwrap();
        prop_assert!(!text.contains(&token), "{}", text);
    }

    #[test]
    fn filtering_twice_changes_nothing_more(text in "[a-zA-Z0-9:/=$\\{\\} _.-]{0,40}", key in "[a-zA-Z]{1,10}") {
        let value = json!({"a": { key: [text.clone(), {"command": text.clone()}], "b": text }});
        let once = filtered(&value);
        prop_assert_eq!(filtered(&once), once);
    }

    #[test]
    fn no_text_stops_a_filter(text: String) {
        for format in [Format::Json, Format::Toml, Format::Yaml] {
            drop(Filter { format, keep: ALL, drop: &[] }.apply(&text));
        }
    }
}
