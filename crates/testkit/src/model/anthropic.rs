//! Anthropic Messages (`/v1/messages`).

use serde_json::{Value, json};

use super::{Answer, Reply, event};

pub(super) fn answer(asked: &Value, reply: &Reply<'_>) -> Answer {
    let mut blocks = Vec::new();
    if !reply.says.is_empty() {
        blocks.push(json!({"type": "text", "text": reply.says}));
    }
    let calls = reply.calls.iter();
    blocks.extend(calls.map(
        |call| json!({"type": "tool_use", "id": call.id, "name": call.tool, "input": call.input.object()}),
    ));
    let stop = if reply.calls.is_empty() { "end_turn" } else { "tool_use" };
    let usage = json!({"input_tokens": 10, "output_tokens": 10});
    let mut message = json!({
        "id": "msg_scripted", "type": "message", "role": "assistant", "model": asked.get("model"),
        "content": blocks, "stop_reason": stop, "stop_sequence": null, "usage": usage,
    });
    if !reply.streamed {
        return Answer::json(&message);
    }
    if let Some(message) = message.as_object_mut() {
        message.insert("content".to_owned(), json!([]));
        message.insert("stop_reason".to_owned(), Value::Null);
    }
    let mut events = vec![json!({"type": "message_start", "message": message})];
    for (index, block) in blocks.iter().enumerate() {
        events.extend(streamed(index, block));
    }
    let delta = json!({"stop_reason": stop, "stop_sequence": null});
    events.push(json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 10}}));
    events.push(json!({"type": "message_stop"}));
    let named = |data: &Value| event(data.get("type").and_then(Value::as_str), data);
    Answer::events(events.iter().map(named).collect())
}

/// A block begins empty, grows, and ends.
fn streamed(index: usize, block: &Value) -> Vec<Value> {
    let (start, delta) = match block.get("text") {
        Some(text) => (json!({"type": "text", "text": ""}), json!({"type": "text_delta", "text": text})),
        None => {
            let mut start = block.clone();
            if let Some(input) = start.get_mut("input") {
                *input = json!({});
            }
            let input = block.get("input").map(Value::to_string);
            (start, json!({"type": "input_json_delta", "partial_json": input}))
        }
    };
    vec![
        json!({"type": "content_block_start", "index": index, "content_block": start}),
        json!({"type": "content_block_delta", "index": index, "delta": delta}),
        json!({"type": "content_block_stop", "index": index}),
    ]
}
