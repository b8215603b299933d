//! Anthropic Messages: which fields, tools and content blocks stay between the agent and the model.
//!
//! A tool without a type, or of type `custom`, is the agent's to run; so are the dated `bash_`, `text_editor_`,
//! `memory_` and `computer_`. Tool search runs at the vendor's, over the tools of the request only.

use super::spot::{ANY, DATA_OR_BARE, Fields, Kinds, NO_REMOTE, NOT_FETCHED, NOTHING_KEPT, Rule, Spot};
use super::{MODEL, ModelRefusal};

pub(super) const REQUEST: Fields = &[
    ("model", MODEL),
    ("messages", |spot| spot.each(|spot| spot.fields(MESSAGE))),
    ("system", CONTENT),
    ("tools", |spot| spot.each(TOOL)),
    ("tool_choice", ANY),
    ("max_tokens", ANY),
    ("stream", ANY),
    ("temperature", ANY),
    ("top_p", ANY),
    ("top_k", ANY),
    ("stop_sequences", ANY),
    ("thinking", ANY),
    ("metadata", ANY),
    ("context_management", ANY),
    ("output_config", ANY),
    ("output_format", ANY),
    ("cache_control", ANY),
    ("service_tier", ANY),
    ("speed", ANY),
    ("inference_geo", ANY),
    ("diagnostics", ANY),
    ("mcp_servers", NO_REMOTE),
    ("container", NOTHING_KEPT),
];

const MESSAGE: Fields = &[("role", ANY), ("content", CONTENT), ("output_config", ANY)];

const CONTENT: Rule = |spot| spot.text_or_each(BLOCK);

const BLOCK: Rule = |spot| spot.kind(BLOCKS, None, refused_block);

const BLOCKS: Kinds = &[
    ("text", &[("text", ANY), ("cache_control", ANY), ("citations", ANY)]),
    ("thinking", &[("thinking", ANY), ("signature", ANY), ("cache_control", ANY)]),
    ("redacted_thinking", &[("data", ANY)]),
    ("compaction", &[("content", CONTENT), ("cache_control", ANY)]),
    (
        "tool_use",
        &[("id", ANY), ("name", ANY), ("input", ANY), ("caller", DIRECT_CALLER), ("cache_control", ANY)],
    ),
    ("tool_result", &[("tool_use_id", ANY), ("content", CONTENT), ("is_error", ANY), ("cache_control", ANY)]),
    ("tool_reference", &[("tool_name", ANY), ("cache_control", ANY)]),
    ("image", &[("source", SOURCE), ("cache_control", ANY)]),
    (
        "document",
        &[("source", SOURCE), ("title", ANY), ("context", ANY), ("citations", ANY), ("cache_control", ANY)],
    ),
    (
        "search_result",
        &[("source", ANY), ("title", ANY), ("content", CONTENT), ("citations", ANY), ("cache_control", ANY)],
    ),
    ("tool_addition", &[("tool", NAMED_TOOL), ("cache_control", ANY)]),
    ("tool_removal", &[("tool", NAMED_TOOL), ("cache_control", ANY)]),
];

/// A tool that comes or goes in the middle of a conversation: by its name, or with its definition.
const NAMED_TOOL: Rule = |spot| {
    let named: Kinds = &[
        ("tool_reference", &[("tool_name", ANY), ("name", ANY)]),
        ("tool_definition", &[("definition", TOOL)]),
    ];
    spot.kind(named, None, refused_block)
};

const SOURCE: Rule = |spot| {
    let sources: Kinds = &[
        ("base64", &[("media_type", ANY), ("data", DATA_OR_BARE)]),
        ("text", &[("media_type", ANY), ("data", ANY)]),
        ("content", &[("content", CONTENT)]),
        ("url", &[("url", NOT_FETCHED)]),
        ("file", &[("file_id", NOTHING_KEPT)]),
    ];
    spot.kind(sources, None, |spot, kind| spot.not_known(kind))
};

const TOOL: Rule = |spot| spot.kind(TOOLS, Some("custom"), refused_tool);

const TOOLS: Kinds = &[
    (
        "custom",
        &[
            ("name", ANY),
            ("description", ANY),
            ("input_schema", ANY),
            ("input_examples", ANY),
            ("strict", ANY),
            ("defer_loading", ANY),
            ("eager_input_streaming", ANY),
            ("allowed_callers", DIRECT_CALLERS),
            ("cache_control", ANY),
        ],
    ),
    ("bash_*", AT_THE_AGENT),
    ("text_editor_*", AT_THE_AGENT),
    ("memory_*", AT_THE_AGENT),
    ("computer_*", AT_THE_AGENT),
    ("tool_search_tool_regex", AT_THE_AGENT),
    ("tool_search_tool_regex_*", AT_THE_AGENT),
    ("tool_search_tool_bm25", AT_THE_AGENT),
    ("tool_search_tool_bm25_*", AT_THE_AGENT),
];

const AT_THE_AGENT: Fields = &[
    ("name", ANY),
    ("max_characters", ANY),
    ("display_width_px", ANY),
    ("display_height_px", ANY),
    ("display_number", ANY),
    ("enable_zoom", ANY),
    ("input_examples", ANY),
    ("strict", ANY),
    ("defer_loading", ANY),
    ("allowed_callers", DIRECT_CALLERS),
    ("cache_control", ANY),
];

/// Whoever calls a tool, if not the model, is code that runs at the vendor's.
const DIRECT_CALLERS: Rule = |spot| {
    spot.each(|spot| {
        let caller = spot.text()?;
        let spot = spot.of_kind(caller);
        if caller == "direct" { Ok(()) } else { spot.unless_let_through(spot.server_tool(caller)) }
    })
};

const DIRECT_CALLER: Rule = |spot| {
    let callers: Kinds = &[("direct", &[])];
    if spot.is_null() { Ok(()) } else { spot.kind(callers, None, |spot, kind| spot.server_tool(kind)) }
};

fn refused_tool(spot: &Spot<'_>, kind: &str) -> ModelRefusal {
    if kind.starts_with("mcp") {
        return spot.remote_server();
    }
    let known = ["web_search", "web_fetch", "code_execution", "advisor"];
    if known.iter().any(|known| kind.starts_with(known)) {
        spot.server_tool(kind)
    } else {
        spot.not_known(kind)
    }
}

/// Also what such tools brought earlier: it can't be there if they were refused.
fn refused_block(spot: &Spot<'_>, kind: &str) -> ModelRefusal {
    if kind.starts_with("mcp") {
        return spot.remote_server();
    }
    if kind == "container_upload" {
        return spot.kept_there();
    }
    let ran_there = kind == "server_tool_use" || kind.ends_with("_tool_result");
    if ran_there { spot.server_tool(kind) } else { spot.not_known(kind) }
}
