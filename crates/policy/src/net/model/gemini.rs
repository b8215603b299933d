//! Gemini's `generateContent`: which fields, tools and parts stay between the agent and the model.
//!
//! Its tools have no type: each is a field of its own, and only declared functions are the agent's to run.

use super::MODEL;
use super::spot::{ANY, DATA_OR_BARE, Fields, NO_REMOTE, NO_SERVER_TOOL, NOTHING_KEPT, Rule, SWITCHED_ON};

pub(super) const REQUEST: Fields = &[
    ("model", MODEL),
    ("contents", CONTENTS),
    ("systemInstruction", CONTENT),
    ("tools", |spot| spot.each(|spot| spot.fields(TOOL))),
    ("toolConfig", ANY),
    ("safetySettings", ANY),
    ("generationConfig", ANY),
    ("labels", ANY),
    ("cachedContent", NOTHING_KEPT),
    // Of a token count: the whole request once more.
    ("generateContentRequest", |spot| spot.fields(REQUEST)),
];

const CONTENTS: Rule = |spot| if spot.field("parts").is_some() { CONTENT(spot) } else { spot.each(CONTENT) };

const CONTENT: Rule = |spot| spot.fields(&[("role", ANY), ("parts", PARTS)]);

const PARTS: Rule = |spot| if spot.field("text").is_some() { PART(spot) } else { spot.each(PART) };

const PART: Rule = |spot| {
    spot.fields(&[
        ("text", ANY),
        ("thought", ANY),
        ("thoughtSignature", ANY),
        ("inlineData", INLINE),
        ("videoMetadata", ANY),
        ("mediaResolution", ANY),
        ("functionCall", ANY),
        ("functionResponse", |spot| spot.fields(RESPONSE)),
        ("fileData", NOTHING_KEPT),
        ("executableCode", NO_SERVER_TOOL),
        ("codeExecutionResult", NO_SERVER_TOOL),
        ("toolCall", NO_SERVER_TOOL),
        ("toolResponse", NO_SERVER_TOOL),
    ])
};

const INLINE: Rule = |spot| spot.fields(&[("mimeType", ANY), ("data", DATA_OR_BARE), ("displayName", ANY)]);

const RESPONSE: Fields = &[
    ("id", ANY),
    ("name", ANY),
    ("response", ANY),
    ("willContinue", ANY),
    ("scheduling", ANY),
    ("parts", |spot| spot.each(|spot| spot.fields(&[("inlineData", INLINE), ("fileData", NOTHING_KEPT)]))),
];

const TOOL: Fields = &[
    ("functionDeclarations", ANY),
    ("computerUse", ANY),
    ("googleSearch", SERVER),
    ("googleSearchRetrieval", SERVER),
    ("enterpriseWebSearch", SERVER),
    ("googleMaps", SERVER),
    ("urlContext", SERVER),
    ("codeExecution", SERVER),
    ("fileSearch", SERVER),
    ("retrieval", SERVER),
    ("mcpServers", NO_REMOTE),
];

/// An empty object switches it on, too.
const SERVER: Rule = |spot| if spot.is_null() { Ok(()) } else { SWITCHED_ON(spot) };
