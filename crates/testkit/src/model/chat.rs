//! OpenAI Chat Completions (`/v1/chat/completions`), as many other vendors speak it too.

use serde_json::{Value, json};

use super::{Answer, Reply, event};

pub(super) fn answer(asked: &Value, reply: &Reply<'_>) -> Answer {
    let calls = reply.calls.iter().enumerate().map(|(index, call)| {
        let function = json!({"name": call.tool, "arguments": call.input.object().to_string()});
        json!({"index": index, "id": call.id, "type": "function", "function": function})
    });
    let calls: Vec<Value> = calls.collect();
    let finish = if calls.is_empty() { "stop" } else { "tool_calls" };
    let mut message = json!({"role": "assistant", "content": reply.says});
    if let Some(message) = message.as_object_mut().filter(|_| !calls.is_empty()) {
        message.insert("tool_calls".to_owned(), json!(calls));
    }
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20});
    let whole = |object: &str, choices: Value, usage: &Value| {
        json!({
            "id": "chatcmpl-scripted", "object": object, "created": 1, "model": asked.get("model"),
            "choices": choices, "usage": usage,
        })
    };
    if !reply.streamed {
        let choices = json!([{"index": 0, "message": message, "finish_reason": finish}]);
        return Answer::json(&whole("chat.completion", choices, &usage));
    }
    let chunk = |delta: &Value, finish: Option<&str>| {
        let choices = json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
        whole("chat.completion.chunk", choices, &Value::Null)
    };
    let chunks = [
        chunk(&message, None),
        chunk(&json!({}), Some(finish)),
        whole("chat.completion.chunk", json!([]), &usage),
    ];
    let mut events: Vec<String> = chunks.iter().map(|data| event(None, data)).collect();
    events.push("data: [DONE]\n\n".to_owned());
    Answer::events(events)
}
