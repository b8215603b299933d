//! The protocols by themselves; that real agents understand them is tested in `slow_agents`.

use super::*;
use std::process::Command;

fn ask(server: &ModelServer, path: &str, body: &Value) -> String {
    let key = format!("x-api-key: {}", server.key());
    let url = server.url("127.0.0.1") + path;
    let output =
        Command::new("curl").args(["-sS", "-m", "20", "-H", &key, "-d", &body.to_string(), &url]).output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

fn script() -> Script {
    Script::new().then(Act::shell("true")).finish("all is well")
}

#[test]
fn each_protocol_calls_the_tool_that_was_offered_and_ends_when_its_result_is_there() {
    let server = ModelServer::plain("key-1", script());
    let schema =
        json!({"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]});
    let offers = [
        ("/v1/messages", json!([{"name": "Bash", "input_schema": schema}])),
        ("/v1/responses", json!([{"type": "function", "name": "Bash", "parameters": schema}])),
        (
            "/v1/chat/completions",
            json!([{"type": "function", "function": {"name": "Bash", "parameters": schema}}]),
        ),
        (
            "/v1beta/models/m:generateContent",
            json!([{"functionDeclarations": [{"name": "Bash", "parameters": schema}]}]),
        ),
        (
            "/v1beta/models/m:streamGenerateContent",
            json!([{"functionDeclarations": [{"name": "Bash", "parameters": schema}]}]),
        ),
    ];
    for (path, tools) in offers {
        for stream in [false, true] {
            let first = ask(&server, path, &json!({"model": "m", "stream": stream, "tools": tools}));
            assert!(first.contains("call_turn000n00") && first.contains("Bash"), "{path}: {first}");
            let conversation = json!({"id": "call_turn000n00"});
            let next = json!({"model": "m", "stream": stream, "tools": tools, "messages": [conversation]});
            let last = ask(&server, path, &next);
            assert!(last.contains("all is well") && !last.contains("call_turn"), "{path}: {last}");
        }
    }
}

#[test]
fn who_offers_no_shell_gets_a_word_and_who_has_no_key_gets_nothing() {
    let server = ModelServer::plain("key-1", script());
    assert!(ask(&server, "/v1/messages", &json!({"model": "m"})).contains("\"work\""));
    let other = ModelServer { server: Server::plain(|_| Answer::status(204)), key: "key-2".to_owned() };
    let url = server.url("127.0.0.1") + "/v1/messages";
    let key = format!("x-api-key: {}", other.key());
    let output =
        Command::new("curl").args(["-sS", "-m", "20", "-H", &key, "-d", "{}", &url]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("authentication_error"));
}
