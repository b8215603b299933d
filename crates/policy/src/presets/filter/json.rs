//! JSON as agent programs read it: with comments and trailing commas. Strings are left as they are.

use super::FilterError;
use serde_json::Value;

/// Reads `text`; an empty one counts as an empty object, as the programs have it.
pub(super) fn parse(text: &str) -> Result<Value, FilterError> {
    if text.trim().is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    let plain = without_trailing_commas(&without_comments(text));
    serde_json::from_str(&plain)
        .map_err(|error| FilterError::Json { line: error.line(), column: error.column() })
}

/// Comments become as many spaces; newlines stay, so that an error is found where it is.
fn without_comments(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (kept, length) = if first == '"' {
            let length = string_length(rest);
            (rest.get(..length).unwrap_or_default().to_owned(), length)
        } else if rest.starts_with("//") {
            (String::new(), rest.find('\n').unwrap_or(rest.len()))
        } else if rest.starts_with("/*") {
            let length = rest
                .get(2..)
                .and_then(|after| after.find("*/"))
                .map_or(rest.len(), |end| end.saturating_add(4));
            let comment = rest.get(..length).unwrap_or_default();
            (comment.chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect(), length)
        } else {
            (first.to_string(), first.len_utf8())
        };
        plain.push_str(&kept);
        rest = rest.get(length..).unwrap_or_default();
    }
    plain
}

/// Leaves out each comma that is followed by nothing but space and a closing bracket.
fn without_trailing_commas(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if first == '"' { string_length(rest) } else { first.len_utf8() };
        let after = rest.get(length..).unwrap_or_default();
        let closes = first == ',' && after.trim_start().starts_with(['}', ']']);
        if !closes {
            plain.push_str(rest.get(..length).unwrap_or_default());
        }
        rest = after;
    }
    plain
}

/// The length in bytes of the string literal that `text` begins with, quotes included.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at.saturating_add(1),
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn comments_and_trailing_commas_are_passed_over_outside_strings() {
        let text = "// head\n{\"a\": \"x // y /* z */ ,}\", /* in\nside */ \"b\": [1, 2, ], \"c\\\"\": \"\\\\\", // end\n}";
        assert_eq!(parse(text).unwrap(), json!({"a": "x // y /* z */ ,}", "b": [1, 2], "c\"": "\\"}));
        assert_eq!(parse(" \n").unwrap(), json!({}));
    }

    #[test]
    fn broken_text_is_an_error_that_says_where() {
        assert_eq!(parse("{\n  \"a\": /* x */ ?\n}"), Err(FilterError::Json { line: 2, column: 16 }));
        for text in ["{", "{\"a\": \"b}", "{\"a\":1}}", "/*", "nul", "{,}x"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nesting_without_end_is_refused() {
        assert!(parse(&"[".repeat(100_000)).is_err());
    }

    proptest! {
        #[test]
        fn plain_json_is_read_as_it_is(text in "[ -~\n]{0,40}", number: i32) {
            let value = json!({ text.clone(): [text, number, null, {"a": true}] });
            prop_assert_eq!(parse(&value.to_string()), Ok(value));
        }

        #[test]
        fn no_text_stops_the_reader(text: String) {
            drop(parse(&text));
        }
    }
}
