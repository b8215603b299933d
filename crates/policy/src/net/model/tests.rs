//! What real agents send passes; each way out through a vendor is refused, by its place. Beside each refused body
//! stands the same without the one thing.

use super::*;
use serde_json::{Value, json};

const MESSAGES: ModelCall = ModelCall::Inference(BodyForm::Messages);
const RESPONSES: ModelCall = ModelCall::Inference(BodyForm::Responses);
const CHAT: ModelCall = ModelCall::Inference(BodyForm::ChatCompletions);
const GENERATE: ModelCall = ModelCall::Inference(BodyForm::GenerateContent);

fn look(call: ModelCall, body: &Value) -> Result<ModelNotes, ModelRefusal> {
    inspect(call, body.to_string().as_bytes(), &[])
}

fn code(call: ModelCall, body: &Value) -> &'static str {
    look(call, body).map_or_else(|refusal| refusal.code(), |_| "passes")
}

fn place(pointer: &str, name: &str) -> Place {
    Place { pointer: pointer.to_owned(), name: Some(name.to_owned()) }
}

fn recorded(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The body with one more value at the pointer, whose parent is there: a list gets it at its end.
fn with(body: &Value, pointer: &str, value: Value) -> Value {
    let mut body = body.clone();
    let (above, key) = pointer.rsplit_once('/').unwrap();
    let parent = body.pointer_mut(above).unwrap();
    match parent.as_array_mut() {
        Some(list) => list.push(value),
        None => parent[key] = value,
    }
    body
}

#[test]
fn what_the_agents_send_passes() {
    for (call, text) in [
        (MESSAGES, include_str!("cases/claude.json")),
        (MESSAGES, include_str!("cases/pi.json")),
        (CHAT, include_str!("cases/opencode.json")),
    ] {
        assert_eq!(look(call, &recorded(text)), Ok(ModelNotes::default()));
    }
}

/// It is on by itself; `web_search = "disabled"` in Codex's configuration leaves it out.
#[test]
fn codex_passes_once_its_web_search_is_off() {
    let mut body = recorded(include_str!("cases/codex.json"));
    let refused = look(RESPONSES, &body).unwrap_err();
    assert_eq!(
        refused,
        ModelRefusal::ServerTool { at: place("/tools/8", "tools:web_search"), what: "web_search".to_owned() }
    );
    body["tools"].as_array_mut().unwrap().pop();
    assert_eq!(look(RESPONSES, &body), Ok(ModelNotes::default()));
}

#[test]
fn anthropic_ways_out_are_refused_by_their_place() {
    let good = recorded(include_str!("cases/claude.json"));
    let image = |source: Value| json!({"type": "image", "source": source});
    let document = |source: Value| json!({"type": "document", "source": source});
    let addition = |tool: Value| json!({"type": "tool_addition", "tool": {"type": "tool_definition", "definition": tool}});
    let block = "/messages/0/content/3";
    let cases = [
        ("/tools/12", json!({"type": "web_search_20250305", "name": "web_search"}), "model-server-tool"),
        ("/tools/12", json!({"type": "web_fetch_20250910", "name": "web_fetch"}), "model-server-tool"),
        ("/tools/12", json!({"type": "code_execution_20250825", "name": "x"}), "model-server-tool"),
        ("/tools/12", json!({"type": "mcp_toolset", "mcp_server_name": "x"}), "model-remote-server"),
        ("/tools/12", json!({"type": "brand_new_20270101", "name": "x"}), "model-feature-unknown"),
        ("/mcp_servers", json!([{"type": "url", "url": "https://a.test"}]), "model-remote-server"),
        ("/mcpServers", json!([{"type": "url", "url": "https://a.test"}]), "model-remote-server"),
        ("/container", json!("container_1"), "model-stored-reference"),
        ("/brand_new", json!(true), "model-feature-unknown"),
        (block, image(json!({"type": "url", "url": "https://a.test/?secret"})), "model-url-source"),
        (block, image(json!({"type": "file", "file_id": "file_1"})), "model-stored-reference"),
        (block, document(json!({"type": "url", "url": "https://a.test"})), "model-url-source"),
        (
            block,
            document(
                json!({"type": "content", "content": [image(json!({"type": "url", "url": "http://a.test"}))]}),
            ),
            "model-url-source",
        ),
        (
            block,
            json!({"type": "tool_result", "tool_use_id": "1", "content": [image(json!({"type": "url", "url": "http://a.test"}))]}),
            "model-url-source",
        ),
        (block, json!({"type": "container_upload", "file_id": "file_1"}), "model-stored-reference"),
        (
            block,
            json!({"type": "server_tool_use", "id": "1", "name": "web_search", "input": {}}),
            "model-server-tool",
        ),
        (block, addition(json!({"type": "web_fetch_20250910", "name": "x"})), "model-server-tool"),
        ("/tools/1/allowed_callers", json!(["code_execution_20250825"]), "model-server-tool"),
    ];
    assert_eq!(code(MESSAGES, &good), "passes");
    for (at, value, expected) in cases {
        assert_eq!(code(MESSAGES, &with(&good, at, value.clone())), expected, "{at} {value}");
    }
    let allowed = [
        ("/tools/12", json!({"type": "bash_20250124", "name": "bash"})),
        ("/tools/12", json!({"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"})),
        ("/mcp_servers", json!([])),
        ("/container", Value::Null),
        (block, image(json!({"type": "base64", "media_type": "image/png", "data": "AAAA"}))),
        (block, addition(json!({"name": "x", "input_schema": {"type": "object"}}))),
        ("/tools/1/allowed_callers", json!(["direct"])),
        // What a tool of the agent's was called with is not for the vendor.
        (
            block,
            json!({"type": "tool_use", "id": "1", "name": "x", "input": {"type": "url", "url": "http://a.test"}}),
        ),
    ];
    for (at, value) in allowed {
        assert_eq!(code(MESSAGES, &with(&good, at, value.clone())), "passes", "{at} {value}");
    }
    let deep = with(&good, block, image(json!({"type": "url", "url": "https://a.test"})));
    let at = place("/messages/0/content/3/source/url", "messages.content:image.source:url.url");
    assert_eq!(look(MESSAGES, &deep), Err(ModelRefusal::Fetched { at }));
}

#[test]
fn responses_ways_out_are_refused() {
    let mut good = recorded(include_str!("cases/codex.json"));
    good["tools"].as_array_mut().unwrap().pop();
    let part = |part: Value| json!({"role": "user", "content": [part]});
    let (tool, item) = ("/tools/8", "/input/10");
    let cases = [
        (tool, json!({"type": "web_search", "external_web_access": false}), "model-server-tool"),
        (tool, json!({"type": "web_search_preview_2025_03_11"}), "model-server-tool"),
        (tool, json!({"type": "file_search", "vector_store_ids": ["vs_1"]}), "model-server-tool"),
        (tool, json!({"type": "code_interpreter", "container": {"type": "auto"}}), "model-server-tool"),
        (tool, json!({"type": "image_generation"}), "model-server-tool"),
        (tool, json!({"type": "mcp", "server_url": "https://a.test"}), "model-remote-server"),
        (tool, json!({"type": "shell", "environment": {"type": "container_auto"}}), "model-server-tool"),
        (tool, json!({"type": "namespace", "name": "n", "tools": [{"type": "mcp"}]}), "model-remote-server"),
        (tool, json!({"type": "brand_new"}), "model-feature-unknown"),
        ("/prompt", json!({"id": "pmpt_1"}), "model-stored-reference"),
        (item, json!({"type": "item_reference", "id": "msg_1"}), "model-stored-reference"),
        (
            item,
            part(json!({"type": "input_image", "image_url": "https://a.test/?secret"})),
            "model-url-source",
        ),
        (item, part(json!({"type": "input_image", "file_id": "file_1"})), "model-stored-reference"),
        (item, part(json!({"type": "input_file", "file_id": "file_1"})), "model-stored-reference"),
        (item, part(json!({"type": "input_file", "file_url": "https://a.test"})), "model-url-source"),
        (
            item,
            json!({"type": "function_call_output", "call_id": "1", "output": [{"type": "input_image", "image_url": "http://a.test"}]}),
            "model-url-source",
        ),
        (
            item,
            json!({"type": "tool_search_output", "call_id": "1", "tools": [{"type": "mcp"}]}),
            "model-remote-server",
        ),
        (
            item,
            json!({"type": "additional_tools", "role": "developer", "tools": [{"type": "web_search"}]}),
            "model-server-tool",
        ),
        (item, json!({"type": "mcp_approval_response", "approve": true}), "model-remote-server"),
    ];
    assert_eq!(code(RESPONSES, &good), "passes");
    for (at, value, expected) in cases {
        assert_eq!(code(RESPONSES, &with(&good, at, value.clone())), expected, "{at} {value}");
    }
    let allowed = [
        (
            tool,
            json!({"type": "custom", "name": "apply_patch", "format": {"type": "grammar", "syntax": "lark"}}),
        ),
        (tool, json!({"type": "local_shell"})),
        (
            item,
            json!({"type": "additional_tools", "tools": [{"type": "namespace", "name": "n", "tools": [{"type": "custom"}]}]}),
        ),
        (item, json!({"type": "configuration_update", "reasoning": {"effort": "low"}})),
        (tool, json!({"type": "shell", "environment": {"type": "local"}})),
        (item, part(json!({"type": "input_image", "image_url": "data:image/png;base64,AAAA"}))),
        (
            item,
            part(json!({"type": "input_file", "filename": "a", "file_data": "data:text/plain;base64,AAAA"})),
        ),
    ];
    for (at, value) in allowed {
        assert_eq!(code(RESPONSES, &with(&good, at, value.clone())), "passes", "{at} {value}");
    }
}

#[test]
fn what_rests_at_the_vendor_is_noted() {
    let body = json!({"model": "m", "input": "x", "store": true, "previous_response_id": "resp_1", "background": false});
    let notes = look(RESPONSES, &body).unwrap();
    assert_eq!(notes.rests_there, ["store", "previous_response_id"]);
}

#[test]
fn the_attack_of_a_tool_that_is_defined_where_one_is_chosen_is_refused() {
    let choosing = |choice: Value| json!({"model": "m", "input": "x", "tool_choice": choice});
    for choice in [
        json!("auto"),
        json!(null),
        json!({"type": "function", "name": "f"}),
        json!({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}),
    ] {
        assert_eq!(code(RESPONSES, &choosing(choice.clone())), "passes", "{choice}");
    }
    for (choice, expected) in [
        (json!({"type": "mcp", "server_label": "l"}), "model-remote-server"),
        (json!({"type": "web_search"}), "model-server-tool"),
        (json!([{"type": "mcp", "server_url": "https://a.test"}]), "model-body-malformed"),
        (json!({"type": "allowed_tools", "tools": [{"type": "mcp"}]}), "model-remote-server"),
        (json!({"server_label": "l"}), "model-body-malformed"),
        (json!({"type": "function", "server_url": "https://a.test"}), "model-feature-unknown"),
    ] {
        assert_eq!(code(RESPONSES, &choosing(choice.clone())), expected, "{choice}");
    }
}

/// Each name that is known was compared with all of it.
#[test]
fn the_attack_of_a_key_of_underscores_takes_no_time_of_others() {
    let body = format!("{{\"{}\":1}}", "_".repeat(4 << 20));
    let refused = inspect(MESSAGES, body.as_bytes(), &[]).unwrap_err();
    assert_eq!(refused.code(), "model-feature-unknown");
    assert!(!spot::is_same("model", &format!("{}model", "_".repeat(1_000))), "it is not gone through");
    // The control: spelled with some, it is the name that it is to some reader.
    assert_eq!(code(MESSAGES, &json!({"mcp__Servers": [{"url": "https://a.test"}]})), "model-remote-server");
}

#[test]
fn chat_ways_out_are_refused() {
    let good = recorded(include_str!("cases/opencode.json"));
    let user = |part: Value| json!({"role": "user", "content": [part]});
    let (tool, message) = ("/tools/10", "/messages/4");
    let cases = [
        ("/web_search_options", json!({"search_context_size": "low"}), "model-server-tool"),
        ("/plugins", json!([{"id": "web"}]), "model-server-tool"),
        ("/enable_search", json!(true), "model-feature-unknown"),
        ("/model", json!("vendor/model:online"), "model-server-tool"),
        ("/model", json!("gpt-4o-search-preview"), "model-server-tool"),
        (tool, json!({"type": "web_search"}), "model-server-tool"),
        (tool, json!({"type": "mcp"}), "model-remote-server"),
        (
            message,
            user(json!({"type": "image_url", "image_url": {"url": "https://a.test"}})),
            "model-url-source",
        ),
        (message, user(json!({"type": "image_url", "image_url": "https://a.test"})), "model-url-source"),
        (message, user(json!({"type": "file", "file": {"file_id": "file_1"}})), "model-stored-reference"),
        (message, user(json!({"type": "file", "file": {"file_data": "https://a.test"}})), "model-url-source"),
    ];
    assert_eq!(code(CHAT, &good), "passes");
    for (at, value, expected) in cases {
        assert_eq!(code(CHAT, &with(&good, at, value.clone())), expected, "{at} {value}");
    }
    let picture = user(json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}));
    assert_eq!(code(CHAT, &with(&good, message, picture)), "passes");
    assert_eq!(code(CHAT, &with(&good, "/model", json!("vendor/model:free"))), "passes");
}

#[test]
fn the_attack_of_an_address_where_content_belongs_is_refused() {
    let urls = ["https://a.test/?stolen", "//a.test/x", "file:///etc/passwd", "gs://b/o", "a.test"];
    let contents = ["", "AAAA", "AA\r\nAA\n", "data:audio/wav;base64,AAAA"];
    let responses = |part: Value| json!({"input": [{"role": "user", "content": [part]}]});
    let chat = |part: Value| json!({"messages": [{"role": "user", "content": [part]}]});
    let audio = |data: &str| json!({"type": "input_audio", "input_audio": {"data": data, "format": "wav"}});
    let file = |data: &str| json!({"type": "input_file", "filename": "a", "file_data": data});
    for (call, body) in [
        (RESPONSES, &(|data: &str| responses(file(data))) as &dyn Fn(&str) -> Value),
        (RESPONSES, &|data| responses(audio(data))),
        (CHAT, &|data| chat(audio(data))),
        (MESSAGES, &|data| chat(json!({"type": "image", "source": {"type": "base64", "data": data}}))),
        (MESSAGES, &|data| chat(json!({"type": "document", "source": {"type": "base64", "data": data}}))),
        (GENERATE, &|data| json!({"contents": [{"parts": [{"inlineData": {"data": data}}]}]})),
    ] {
        for data in contents {
            assert_eq!(code(call, &body(data)), "passes", "{data}");
        }
        for url in urls {
            assert_eq!(code(call, &body(url)), "model-url-source", "{}", body(url));
        }
    }
    let named = json!({"type": "input_audio", "input_audio": {"url": "https://a.test"}});
    assert_eq!(code(RESPONSES, &responses(named.clone())), "model-feature-unknown");
    assert_eq!(code(CHAT, &chat(named)), "model-feature-unknown");
}

#[test]
fn the_attack_of_a_model_that_is_a_request_kept_at_the_vendors_is_refused() {
    for call in [CHAT, RESPONSES, MESSAGES] {
        for name in ["@preset/x", "vendor/model@preset/x", "@Preset/x"] {
            let refused = look(call, &json!({"model": name})).unwrap_err();
            assert_eq!((refused.code(), refused.name_to_grant()), ("model-stored-reference", None), "{name}");
        }
        for name in ["vendor/model", "model@20250514", "preset"] {
            assert_eq!(code(call, &json!({"model": name})), "passes", "{name}");
        }
    }
}

#[test]
fn gemini_ways_out_are_refused() {
    let good = json!({
        "contents": [{"role": "user", "parts": [{"text": "x"}, {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]}],
        "system_instruction": {"parts": [{"text": "y"}]},
        "tools": [{"functionDeclarations": [{"name": "shell"}]}],
        "generationConfig": {"temperature": 0},
    });
    let cases = [
        ("/tools/1", json!({"googleSearch": {}}), "model-server-tool"),
        ("/tools/1", json!({"google_search": {}}), "model-server-tool"),
        ("/tools/1", json!({"urlContext": {}}), "model-server-tool"),
        ("/tools/1", json!({"code_execution": {}}), "model-server-tool"),
        ("/tools/1", json!({"brandNew": {}}), "model-feature-unknown"),
        ("/cachedContent", json!("cachedContents/1"), "model-stored-reference"),
        ("/contents/0/parts/2", json!({"fileData": {"fileUri": "https://a.test"}}), "model-stored-reference"),
        (
            "/contents/0/parts/2",
            json!({"file_data": {"file_uri": "https://a.test"}}),
            "model-stored-reference",
        ),
    ];
    assert_eq!(code(GENERATE, &good), "passes");
    for (at, value, expected) in cases {
        assert_eq!(code(GENERATE, &with(&good, at, value.clone())), expected, "{at} {value}");
    }
}

#[test]
fn a_body_that_two_readers_could_read_differently_is_refused() {
    let refused = |body: &str| inspect(MESSAGES, body.as_bytes(), &[]).map_err(|refusal| refusal.code());
    assert_eq!(refused(r#"{"model":"m","messages":[]}"#), Ok(ModelNotes::default()));
    for body in [
        r#"{"tools":[],"tools":[{"type":"web_search_20250305"}]}"#,
        r#"{"tools":[],"\u0074ools":[]}"#,
        r#"{"tools":[],"Tools":[]}"#,
        r#"{"messages":[{"role":"user","content":"","con_tent":""}]}"#,
        r#"{"metadata":{"a":1,"a":2}}"#,
    ] {
        assert_eq!(refused(body), Err("model-body-ambiguous"), "{body}");
    }
    for body in ["", "{", "{}{}", "\u{feff}{}", "{'a':1}", r#"{"system":"\ud800"}"#, "{\"a\":NaN}"] {
        assert_eq!(refused(body), Err("model-body-not-json"), "{body}");
    }
    assert_eq!(
        inspect(MESSAGES, b"{\"system\":\"\xff\"}", &[]).map_err(|r| r.code()),
        Err("model-body-not-json")
    );
    assert_eq!(refused("[]"), Err("model-body-malformed"));
}

#[test]
fn a_body_beyond_the_limits_is_refused() {
    let nested = |depth: usize| format!(r#"{{"metadata":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    assert!(inspect(MESSAGES, nested(DEPTH_MAX).as_bytes(), &[]).is_ok());
    let deep = inspect(MESSAGES, nested(DEPTH_MAX + 1).as_bytes(), &[]);
    assert_eq!(deep, Err(ModelRefusal::TooManyValues));
    let many = format!(r#"{{"metadata":[{}0]}}"#, "0,".repeat(VALUES_MAX));
    assert_eq!(inspect(MESSAGES, many.as_bytes(), &[]), Err(ModelRefusal::TooManyValues));
    let long = vec![b' '; BODY_BYTES_MAX + 1];
    assert_eq!(inspect(MESSAGES, &long, &[]), Err(ModelRefusal::TooLong { bytes: BODY_BYTES_MAX + 1 }));
    assert!(inspect(ModelCall::ModelList, b"", &[]).is_ok());
    assert!(inspect(ModelCall::ModelList, b"{}", &[]).is_err());
}

#[test]
fn only_inference_counting_and_the_list_of_models_are_calls() {
    use ModelApi::{Anthropic, Gemini, OpenAi};
    let call = |api: ModelApi, line: &str| {
        let (method, path) = line.split_once(' ').unwrap();
        api.call(api.usual_base(), method, path)
    };
    for (api, line, expected) in [
        (Anthropic, "POST /v1/messages", MESSAGES),
        (Anthropic, "POST /v1/messages/count_tokens", ModelCall::TokenCount(BodyForm::Messages)),
        (Anthropic, "GET /v1/models", ModelCall::ModelList),
        (Anthropic, "GET /v1/models/m-1", ModelCall::ModelList),
        (OpenAi, "GET /v1/models/author/m-1", ModelCall::ModelList),
        (OpenAi, "GET /v1/models/author/m-1/endpoints", ModelCall::ModelList),
        (OpenAi, "POST /v1/responses", RESPONSES),
        (OpenAi, "POST /v1/chat/completions", CHAT),
        (Gemini, "POST /v1beta/models/m-1:streamGenerateContent", GENERATE),
        (Gemini, "POST /v1beta/models/m-1:countTokens", ModelCall::TokenCount(BodyForm::GenerateContent)),
    ] {
        assert_eq!(call(api, line), Some(expected), "{line}");
    }
    for (api, line) in [
        (Anthropic, "POST /v1/files"),
        (Anthropic, "GET /v1/files/file_1/content"),
        (Anthropic, "POST /v1/messages/batches"),
        (Anthropic, "POST /v1/messages/"),
        (Anthropic, "GET /v1/messages"),
        (Anthropic, "POST /v1/complete"),
        (Anthropic, "POST /v1/models"),
        (Anthropic, "POST /v2/messages"),
        (Anthropic, "POST /v1messages"),
        (OpenAi, "GET /v1/responses/resp_1"),
        (OpenAi, "GET /v1/responses"),
        (OpenAi, "POST /v1/files"),
        (OpenAi, "POST /v1/embeddings"),
        (OpenAi, "POST /v1/images/generations"),
        (Gemini, "POST /v1beta/files"),
        (Gemini, "POST /v1beta/models/m-1:batchGenerateContent"),
        (Gemini, "POST /v1beta/tunedModels/m:generateContent"),
        (Gemini, "GET /v1beta/models/m-1:generateContent"),
        (Gemini, "GET /v1beta/models/m-1/operations/123"),
        (Anthropic, "GET /v1/models/m-1/files"),
        (OpenAi, "GET /v1/models/author/m-1/files"),
        (OpenAi, "GET /v1/models/author/"),
    ] {
        assert_eq!(call(api, line), None, "{line}");
    }
    assert_eq!(OpenAi.call("/api/v1", "POST", "/api/v1/chat/completions"), Some(CHAT));
    assert_eq!(OpenAi.call("/api/v1", "POST", "/v1/chat/completions"), None);
}

#[test]
fn beta_features_of_what_is_refused_are_refused_at_once() {
    // What Claude Code sends.
    let usual = "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,\
        per-turn-control-2026-07-01,mid-conversation-tool-changes-2026-07-01,thinking-token-count-2026-05-13,\
        advanced-tool-use-2025-11-20,effort-2025-11-24";
    assert_eq!(check_beta(usual, &[]), Ok(()));
    for name in [
        "files-api-2025-04-14",
        "mcp-client-2025-11-20",
        "code-execution-2025-08-25",
        "Web-Fetch-2025-09-10",
        "x web-search-2025-03-05",
        "x;web-search-2025-03-05",
        "\"web-search-2025-03-05\"",
        "[\"files-api-2025-04-14\"]",
    ] {
        let refused = check_beta(&format!("effort-2025-11-24, {name}"), &[]);
        assert_eq!(refused, Err(ModelRefusal::Beta { feature: name.replace(' ', "?") }));
    }
}

#[test]
fn what_is_told_of_a_body_is_short_and_harmless_on_a_terminal() {
    let body = json!({"\u{1b}[2J": 1});
    let told = look(MESSAGES, &body).unwrap_err().to_string();
    assert_eq!(told, "/?[2J is ?[2J, which is not known");
    let long = look(MESSAGES, &json!({"x".repeat(5_000): 1})).unwrap_err().to_string();
    assert!(long.len() < 300, "{long}");
}

#[test]
fn what_the_owner_lets_through_by_name_passes_and_nothing_beside_it() {
    let search = json!({"type": "web_search_20250305", "name": "web_search"});
    let picture = json!({"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "http://a.test"}}]});
    let cases = [
        (json!({"tools": [search]}), "tools:web_search"),
        (json!({"tools": [search]}), "tools:web_search_20250305"),
        (json!({"brand_new": {"deep": 1}}), "brand_new"),
        (json!({"mcp_servers": [{"url": "https://a.test"}]}), "mcp_servers"),
        (json!({"mcpServers": [{"url": "https://a.test"}]}), "mcp_servers"),
        (json!({"tools": [{"type": "mcp_toolset"}]}), "tools:mcp_toolset"),
        (json!({"container": "c"}), "container"),
        (json!({"messages": [picture]}), "messages.content:image.source:url.url"),
        (json!({"tools": [{"name": "x", "allowed_callers": ["code"]}]}), "tools:custom.allowed_callers:code"),
        (json!({"model": "sonar"}), "model:sonar"),
    ];
    for (body, name) in cases {
        let look = |granted: &[String]| inspect(MESSAGES, body.to_string().as_bytes(), granted).is_ok();
        assert!(look(&[name.to_owned()]), "{body} {name}");
        let others =
            ["tools:web", "", "tools:web_search_x", "tools", "web_search", "sonar", "model", "messages"];
        assert!(!look(&others.map(str::to_owned)), "{body}");
        let refusal = inspect(MESSAGES, body.to_string().as_bytes(), &[]).unwrap_err();
        let granted = [refusal.name_to_grant().unwrap()];
        assert!(look(&granted), "{body} {granted:?}");
        assert!(granted[0].starts_with(name), "{granted:?}");
    }
    assert!(check_beta("files-api-2025-04-14", &["beta:files-api".to_owned()]).is_ok());
    assert!(check_beta("files-api-2025-04-14", &["beta:files".to_owned(), "files-api".to_owned()]).is_err());
    let malformed = inspect(MESSAGES, b"[]", &[]).unwrap_err();
    assert_eq!(malformed.name_to_grant(), None);
}

/// What the agent calls its tool is chosen so that the name, once granted, would stand for something else.
#[test]
fn the_attack_of_a_kind_named_like_a_field_opens_that_kind_and_nothing_else() {
    let out = json!([{"type": "mcp", "server_url": "https://a.test"}, {"type": "web_search"}]);
    for kind in ["tools", "messages", "input", "url", "plugins", "web_search_options", "mcp"] {
        let asked = json!({"tools": [{"type": kind}]});
        let offered = look(CHAT, &asked).unwrap_err().name_to_grant().unwrap();
        assert_eq!(offered, format!("tools:{kind}"));
        let granted = [offered];
        let look = |call, body: &Value| {
            inspect(call, body.to_string().as_bytes(), &granted)
                .map_or_else(|refused| refused.code(), |_| "passes")
        };
        assert_eq!(look(CHAT, &asked), "passes");
        if kind != "mcp" {
            assert_eq!(look(CHAT, &json!({"tools": out})), "model-remote-server", "{kind}");
        }
        let block = json!({"messages": [{"role": "user", "content": [{"type": kind}]}]});
        assert_ne!(look(CHAT, &block), "passes", "{kind}");
        for field in ["plugins", "web_search_options", "brand_new"] {
            assert_ne!(look(CHAT, &json!({field: {"a": 1}})), "passes", "{kind}");
        }
        let picture = json!({"type": "input_image", "image_url": "https://a.test"});
        let message = json!({"input": [{"role": "user", "content": [picture]}]});
        assert_eq!(look(RESPONSES, &message), "model-url-source", "{kind}");
    }
}

/// Nor can it by a key or kind that reads as the way to another place, nor by a field of another protocol's.
#[test]
fn the_attack_of_a_name_that_reads_as_another_place_is_offered_nothing() {
    for body in [
        json!({"tools:web_search": 1}),
        json!({"tools": [{"type": "function.function"}]}),
        json!({"tools": [{"type": "a:b"}]}),
        json!({"prompt": {"id": "pmpt_1"}}),
        json!({"mcpServers": []}),
        json!({"input": []}),
    ] {
        let refused = look(CHAT, &body).unwrap_err();
        assert_eq!((refused.code(), refused.name_to_grant()), ("model-feature-unknown", None), "{body}");
    }
    let plain = look(CHAT, &json!({"brand_new": 1})).unwrap_err();
    assert_eq!(plain.name_to_grant().as_deref(), Some("brand_new"));
    // It is not the name of a field further down.
    let granted = ["brand_new".to_owned()];
    let deep = json!({"messages": [{"role": "user", "brand_new": 1}]}).to_string();
    assert!(inspect(CHAT, br#"{"brand_new":1}"#, &granted).is_ok());
    assert!(inspect(CHAT, deep.as_bytes(), &granted).is_err());
}
