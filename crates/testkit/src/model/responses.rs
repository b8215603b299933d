//! OpenAI Responses (`/v1/responses`).

use serde_json::{Value, json};

use super::tools::{Call, Input};
use super::{Answer, Reply, event};

pub(super) fn answer(asked: &Value, reply: &Reply<'_>) -> Answer {
    let mut output = Vec::new();
    if !reply.says.is_empty() {
        let content = json!([{"type": "output_text", "text": reply.says, "annotations": []}]);
        output.push(json!({
            "type": "message", "id": "msg_scripted", "role": "assistant", "status": "completed", "content": content
        }));
    }
    output.extend(reply.calls.iter().map(item));
    let usage = json!({
        "input_tokens": 10, "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 10, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 20,
    });
    let response = |status: &str, output: &[Value]| {
        json!({
            "id": "resp_scripted", "object": "response", "created_at": 1, "status": status,
            "model": asked.get("model"), "output": output, "usage": usage,
        })
    };
    if !reply.streamed {
        return Answer::json(&response("completed", &output));
    }
    let mut events = vec![json!({"type": "response.created", "response": response("in_progress", &[])})];
    for (index, item) in output.iter().enumerate() {
        events.extend(streamed(index, item));
    }
    events.push(json!({"type": "response.completed", "response": response("completed", &output)}));
    for (number, data) in events.iter_mut().enumerate() {
        if let Some(data) = data.as_object_mut() {
            data.insert("sequence_number".to_owned(), json!(number));
        }
    }
    let named = |data: &Value| event(data.get("type").and_then(Value::as_str), data);
    Answer::events(events.iter().map(named).collect())
}

fn item(call: &Call) -> Value {
    let id = format!("fc_{}", call.id);
    let mut item = match &call.input {
        Input::Object(input) => json!({
            "type": "function_call", "id": id, "call_id": call.id, "name": call.tool,
            "arguments": input.to_string(), "status": "completed",
        }),
        Input::Free(input) => json!({
            "type": "custom_tool_call", "id": id, "call_id": call.id, "name": call.tool, "input": input,
            "status": "completed",
        }),
    };
    if let (Some(namespace), Some(item)) = (&call.namespace, item.as_object_mut()) {
        item.insert("namespace".to_owned(), json!(namespace));
    }
    item
}

fn streamed(index: usize, item: &Value) -> Vec<Value> {
    let id = item.get("id");
    let mut begun = item.clone();
    for (key, empty) in [("content", json!([])), ("arguments", json!("")), ("input", json!(""))] {
        if let Some(value) = begun.get_mut(key) {
            *value = empty;
        }
    }
    let mut events =
        vec![json!({"type": "response.output_item.added", "output_index": index, "item": begun})];
    if let Some(text) = item.pointer("/content/0/text") {
        let place = |kind: &str, key: &str, value: Value| json!({"type": kind, "item_id": id, "output_index": index, "content_index": 0, key: value});
        let empty = json!({"type": "output_text", "text": "", "annotations": []});
        events.push(place("response.content_part.added", "part", empty));
        events.push(place("response.output_text.delta", "delta", text.clone()));
        events.push(place("response.output_text.done", "text", text.clone()));
        events.push(place("response.content_part.done", "part", json!(item.pointer("/content/0"))));
    }
    for (key, kind) in [("arguments", "function_call_arguments"), ("input", "custom_tool_call_input")] {
        if let Some(text) = item.get(key) {
            let delta = format!("response.{kind}.delta");
            let done = format!("response.{kind}.done");
            events.push(json!({"type": delta, "item_id": id, "output_index": index, "delta": text}));
            events.push(json!({"type": done, "item_id": id, "output_index": index, key: text}));
        }
    }
    events.push(json!({"type": "response.output_item.done", "output_index": index, "item": item}));
    events
}
