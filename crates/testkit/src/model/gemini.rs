//! Gemini's `generateContent` and `streamGenerateContent`.

use serde_json::{Value, json};

use super::{Answer, Reply, event};

pub(super) fn answer(reply: &Reply<'_>) -> Answer {
    let mut parts: Vec<Value> = Vec::new();
    if !reply.says.is_empty() {
        parts.push(json!({"text": reply.says}));
    }
    parts.extend(reply.calls.iter().map(|call| {
        let called = json!({"id": call.id, "name": call.tool, "args": call.input.object()});
        json!({"functionCall": called})
    }));
    let content = json!({"role": "model", "parts": parts});
    let usage = json!({"promptTokenCount": 10, "candidatesTokenCount": 10, "totalTokenCount": 20});
    let whole = json!({
        "candidates": [{"index": 0, "content": content, "finishReason": "STOP"}],
        "usageMetadata": usage, "modelVersion": super::MODEL,
    });
    if reply.streamed { Answer::events(vec![event(None, &whole)]) } else { Answer::json(&whole) }
}
