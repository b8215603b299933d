//! Any body is refused or passes, and what passes says the same to a reader that is less strict: it holds no tool
//! but the agent's, and no address or id where one would be followed.

use super::*;
use cofferdam_fuzz::{fuzz, parts};
use serde_json::Value;

#[test]
fn no_body_that_passes_has_a_way_out() {
    fuzz("model_body", target);
}

/// The form; the body.
fn target(input: &[u8]) -> Result<usize, &'static str> {
    let [form, body] = parts::<2>(input);
    let form = match form {
        b"messages" => BodyForm::Messages,
        b"responses" => BodyForm::Responses,
        b"chat" => BodyForm::ChatCompletions,
        b"gemini" => BodyForm::GenerateContent,
        _ => return Err("no form"),
    };
    let notes = inspect(ModelCall::Inference(form), body, &[]).map_err(|refusal| {
        assert!(refusal.to_string().is_ascii());
        refusal.code()
    })?;
    let read: Value = serde_json::from_slice(body).unwrap();
    assert!(read.is_object());
    for tool in read["tools"].as_array().into_iter().flatten() {
        let kind = tool["type"].as_str().unwrap_or("custom");
        for bad in ["web_search", "web_fetch", "code_", "file_search", "mcp", "image_generation"] {
            assert!(!kind.starts_with(bad), "{kind}");
        }
    }
    for list in ["messages", "input"] {
        for message in read[list].as_array().into_iter().flatten() {
            for part in message["content"].as_array().into_iter().flatten() {
                assert!(!remote(&part["source"]["url"]) && !remote(&part["image_url"]), "{part}");
                assert!(part["file_id"].as_str().is_none_or(str::is_empty), "{part}");
            }
        }
    }
    Ok(notes.rests_there.len())
}

fn remote(url: &Value) -> bool {
    url.as_str().is_some_and(|url| url.starts_with("http"))
}
