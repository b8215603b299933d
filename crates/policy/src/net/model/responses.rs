//! OpenAI Responses: which fields, tools and items stay between the agent and the model.
//!
//! `store`, `background`, `previous_response_id` and `conversation` are let out and noted: what rests at the vendor's is
//! what was said to the model, and nothing else of that host can be asked for it. A stored prompt may bring tools
//! that are not in the request, and is refused.

use super::spot::{ANY, AUDIO, DATA_OR_BARE, DATA_URL, Fields, Kinds, NOT_FETCHED, NOTHING_KEPT, Rule, Spot};
use super::{MODEL, ModelRefusal};

pub(super) const RESTING: &[&str] = &["store", "background", "previous_response_id", "conversation"];

pub(super) const REQUEST: Fields = &[
    ("model", MODEL),
    ("input", |spot| spot.text_or_each(ITEM)),
    ("instructions", |spot| spot.text_or_each(ITEM)),
    ("tools", |spot| spot.each(TOOL)),
    ("tool_choice", TOOL_CHOICE),
    ("store", ANY),
    ("background", ANY),
    ("previous_response_id", ANY),
    ("conversation", ANY),
    ("prompt", NOTHING_KEPT),
    ("parallel_tool_calls", ANY),
    ("max_tool_calls", ANY),
    ("max_output_tokens", ANY),
    ("stream", ANY),
    ("stream_options", ANY),
    ("include", ANY),
    ("reasoning", ANY),
    ("text", ANY),
    ("temperature", ANY),
    ("top_p", ANY),
    ("top_logprobs", ANY),
    ("truncation", ANY),
    ("context_management", ANY),
    ("service_tier", ANY),
    ("prompt_cache_key", ANY),
    ("prompt_cache_retention", ANY),
    ("safety_identifier", ANY),
    ("user", ANY),
    ("metadata", ANY),
    ("client_metadata", ANY),
];

/// An item without a type is a message.
const ITEM: Rule = |spot| spot.kind(ITEMS, Some("message"), refused);

const ITEMS: Kinds = &[
    (
        "message",
        &[
            ("id", ANY),
            ("role", ANY),
            ("status", ANY),
            ("phase", ANY),
            ("internal_chat_message_metadata_passthrough", ANY),
            ("content", |spot| spot.text_or_each(PART)),
        ],
    ),
    (
        "reasoning",
        &[
            ("id", ANY),
            ("status", ANY),
            ("summary", |spot| spot.text_or_each(PART)),
            ("content", |spot| spot.text_or_each(PART)),
            ("encrypted_content", ANY),
            ("internal_chat_message_metadata_passthrough", ANY),
        ],
    ),
    ("compaction", &[("id", ANY), ("encrypted_content", ANY)]),
    ("compaction_summary", &[("id", ANY), ("encrypted_content", ANY)]),
    ("compaction_trigger", &[("id", ANY)]),
    // Some models are offered their tools in the middle of a conversation.
    ("additional_tools", &[("id", ANY), ("role", ANY), ("tools", |spot| spot.each(TOOL))]),
    ("configuration_update", &[("id", ANY), ("reasoning", ANY), ("text", ANY)]),
    ("function_call", CALL),
    ("custom_tool_call", CALL),
    ("local_shell_call", CALL),
    ("shell_call", CALL),
    ("apply_patch_call", CALL),
    ("computer_call", CALL),
    ("tool_search_call", CALL),
    ("function_call_output", OUTPUT),
    ("custom_tool_call_output", OUTPUT),
    ("local_shell_call_output", OUTPUT),
    ("shell_call_output", OUTPUT),
    ("apply_patch_call_output", OUTPUT),
    ("computer_call_output", OUTPUT),
    ("tool_search_output", OUTPUT),
];

const CALL: Fields = &[
    ("internal_chat_message_metadata_passthrough", ANY),
    ("id", ANY),
    ("call_id", ANY),
    ("status", ANY),
    ("name", ANY),
    ("namespace", ANY),
    ("arguments", ANY),
    ("input", ANY),
    ("action", ANY),
    ("actions", ANY),
    ("operation", ANY),
    ("max_output_length", ANY),
    ("environment", ENVIRONMENT),
    ("execution", ANY),
    ("pending_safety_checks", ANY),
];

const OUTPUT: Fields = &[
    ("internal_chat_message_metadata_passthrough", ANY),
    ("id", ANY),
    ("call_id", ANY),
    ("status", ANY),
    ("name", ANY),
    ("output", OUTPUT_CONTENT),
    ("max_output_length", ANY),
    ("execution", ANY),
    ("tools", |spot| spot.each(TOOL)),
    ("acknowledged_safety_checks", ANY),
];

/// Text, parts, or one screenshot.
const OUTPUT_CONTENT: Rule = |spot| if spot.is_object() { PART(spot) } else { spot.text_or_each(PART) };

const PART: Rule = |spot| spot.kind(PARTS, None, refused);

const PARTS: Kinds = &[
    ("input_text", &[("text", ANY)]),
    ("output_text", &[("text", ANY), ("annotations", ANY), ("logprobs", ANY)]),
    ("text", &[("text", ANY)]),
    ("summary_text", &[("text", ANY)]),
    ("reasoning_text", &[("text", ANY)]),
    ("refusal", &[("refusal", ANY)]),
    ("encrypted_content", &[("encrypted_content", ANY)]),
    ("input_image", &[("image_url", DATA_URL), ("detail", ANY), ("file_id", NOTHING_KEPT)]),
    ("computer_screenshot", &[("image_url", DATA_URL), ("file_id", NOTHING_KEPT)]),
    ("input_audio", &[("input_audio", |spot| spot.fields(AUDIO))]),
    (
        "input_file",
        &[
            ("filename", ANY),
            ("file_data", DATA_OR_BARE),
            ("detail", ANY),
            ("file_id", NOTHING_KEPT),
            ("file_url", NOT_FETCHED),
        ],
    ),
    // What a shell of the agent's printed.
    ("shell_output", &[("stdout", ANY), ("stderr", ANY), ("outcome", ANY)]),
];

const TOOL: Rule = |spot| spot.kind(TOOLS, None, refused);

const TOOLS: Kinds = &[
    ("function", DECLARED),
    ("custom", DECLARED),
    ("namespace", &[("name", ANY), ("description", ANY), ("tools", |spot| spot.each(TOOL))]),
    ("tool_search", DECLARED),
    ("local_shell", &[]),
    ("apply_patch", &[]),
    ("shell", &[("environment", ENVIRONMENT)]),
    ("computer", &[]),
    ("computer_use_preview", &[("display_width", ANY), ("display_height", ANY), ("environment", ANY)]),
];

const DECLARED: Fields = &[
    ("name", ANY),
    ("description", ANY),
    ("parameters", ANY),
    ("strict", ANY),
    ("format", ANY),
    ("defer_loading", ANY),
    ("execution", ANY),
    ("output_schema", ANY),
];

/// A shell runs at the agent's, or in a container of the vendor's.
const ENVIRONMENT: Rule = |spot| {
    let local: Kinds = &[("local", &[("skills", ANY)])];
    if spot.is_null() { Ok(()) } else { spot.kind(local, None, |spot, kind| spot.server_tool(kind)) }
};

/// It only chooses among the tools that were looked at; a list of it may hold their definitions again.
const TOOL_CHOICE: Rule = |spot| {
    if spot.is_null() || spot.text().is_ok() {
        return Ok(());
    }
    spot.kind(CHOICE, None, refused)
};

const CHOICE: Kinds = &[
    (
        "allowed_tools",
        &[("mode", ANY), ("tools", |spot| spot.each(|spot| spot.kind(CHOICES, None, refused)))],
    ),
    ("function", DECLARED),
    ("custom", DECLARED),
    ("local_shell", &[]),
    ("apply_patch", &[]),
    ("shell", &[]),
    ("computer", &[]),
    ("computer_use", &[]),
    ("computer_use_preview", &[]),
];

const CHOICES: Kinds = &[
    ("function", DECLARED),
    ("custom", DECLARED),
    ("local_shell", &[]),
    ("apply_patch", &[]),
    ("shell", &[]),
    ("computer_use_preview", &[]),
];

/// Items, parts and tools that are none of the agent's.
fn refused(spot: &Spot<'_>, kind: &str) -> ModelRefusal {
    if kind.starts_with("mcp") {
        return spot.remote_server();
    }
    if kind == "item_reference" {
        return spot.kept_there();
    }
    let known = ["web_search", "file_search", "code_interpreter", "image_generation"];
    if known.iter().any(|known| kind.starts_with(known)) {
        spot.server_tool(kind)
    } else {
        spot.not_known(kind)
    }
}
