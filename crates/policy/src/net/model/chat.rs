//! OpenAI Chat Completions, and what other vendors who speak it have added that stays harmless.
//!
//! Fields that choose among other vendors, or switch on plug-ins, are not known here.

use super::spot::{
    ANY, AUDIO, DATA_OR_BARE, DATA_URL, Fields, Kinds, NO_SERVER_TOOL, NOTHING_KEPT, Rule, Spot,
};
use super::{MODEL, ModelRefusal};

pub(super) const RESTING: &[&str] = &["store"];

pub(super) const REQUEST: Fields = &[
    ("model", MODEL),
    ("messages", |spot| spot.each(|spot| spot.fields(MESSAGE))),
    ("tools", |spot| spot.each(TOOL)),
    ("tool_choice", ANY),
    ("functions", |spot| spot.each(|spot| spot.fields(FUNCTION))),
    ("function_call", ANY),
    ("web_search_options", NO_SERVER_TOOL),
    ("plugins", NO_SERVER_TOOL),
    ("parallel_tool_calls", ANY),
    ("stream", ANY),
    ("stream_options", ANY),
    ("store", ANY),
    ("temperature", ANY),
    ("top_p", ANY),
    ("top_k", ANY),
    ("min_p", ANY),
    ("n", ANY),
    ("max_tokens", ANY),
    ("max_completion_tokens", ANY),
    ("stop", ANY),
    ("seed", ANY),
    ("presence_penalty", ANY),
    ("frequency_penalty", ANY),
    ("repetition_penalty", ANY),
    ("logit_bias", ANY),
    ("logprobs", ANY),
    ("top_logprobs", ANY),
    ("response_format", ANY),
    ("reasoning_effort", ANY),
    ("reasoning", ANY),
    ("thinking", ANY),
    ("enable_thinking", ANY),
    ("chat_template_kwargs", ANY),
    ("verbosity", ANY),
    ("prediction", ANY),
    ("modalities", ANY),
    ("audio", ANY),
    ("usage", ANY),
    ("user", ANY),
    ("metadata", ANY),
    ("service_tier", ANY),
    ("safety_identifier", ANY),
    ("prompt_cache_key", ANY),
    ("prompt_cache_retention", ANY),
];

const MESSAGE: Fields = &[
    ("role", ANY),
    ("name", ANY),
    ("content", |spot| spot.text_or_each(PART)),
    ("refusal", ANY),
    ("tool_calls", |spot| if spot.is_null() { Ok(()) } else { spot.each(CALL) }),
    ("tool_call_id", ANY),
    ("function_call", ANY),
    ("audio", NOTHING_KEPT),
    ("annotations", ANY),
    ("reasoning", ANY),
    ("reasoning_content", ANY),
    ("reasoning_details", ANY),
    ("reasoning_text", ANY),
    ("cache_control", ANY),
];

const CALL: Rule = |spot| {
    let calls: Kinds = &[
        ("function", &[("id", ANY), ("index", ANY), ("function", ANY), ("extra_content", ANY)]),
        ("custom", &[("id", ANY), ("index", ANY), ("custom", ANY)]),
    ];
    spot.kind(calls, Some("function"), refused)
};

const PART: Rule = |spot| spot.kind(PARTS, None, refused);

const PARTS: Kinds = &[
    ("text", &[("text", ANY), ("cache_control", ANY)]),
    ("thinking", &[("thinking", ANY), ("signature", ANY)]),
    ("refusal", &[("refusal", ANY)]),
    ("image_url", &[("image_url", LINK), ("cache_control", ANY)]),
    ("video_url", &[("video_url", LINK), ("cache_control", ANY)]),
    ("input_audio", &[("input_audio", |spot| spot.fields(AUDIO))]),
    (
        "file",
        &[("file", |spot| {
            spot.fields(&[("filename", ANY), ("file_data", DATA_OR_BARE), ("file_id", NOTHING_KEPT)])
        })],
    ),
];

/// An object with the address; some vendors take the address alone.
const LINK: Rule = |spot| match spot.text() {
    Ok(_) => DATA_URL(spot),
    Err(_) => spot.fields(&[("url", DATA_URL), ("detail", ANY)]),
};

const TOOL: Rule = |spot| {
    let tools: Kinds = &[
        ("function", &[("function", |spot| spot.fields(FUNCTION)), ("cache_control", ANY)]),
        ("custom", &[("custom", |spot| spot.fields(FUNCTION))]),
    ];
    spot.kind(tools, None, refused)
};

const FUNCTION: Fields = &[
    ("name", ANY),
    ("description", ANY),
    ("parameters", ANY),
    ("strict", ANY),
    ("format", ANY),
    ("cache_control", ANY),
];

fn refused(spot: &Spot<'_>, kind: &str) -> ModelRefusal {
    if kind.starts_with("mcp") {
        return spot.remote_server();
    }
    let known = ["web_", "browser_search", "code_", "file_search", "retrieval"];
    if known.iter().any(|known| kind.starts_with(known)) {
        spot.server_tool(kind)
    } else {
        spot.not_known(kind)
    }
}
