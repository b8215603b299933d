//! Any settings of an agent are refused, or come out with only the keys that are kept, without a token in them, and
//! the same when they are filtered again.

use super::*;
use cofferdam_fuzz::fuzz;

const KEEP: &[&str] = &["theme", "mcpServers", "env", "hooks", "model", "provider"];

/// Stands in the seeds, and in no output as a word of its own.
const TOKEN: &str = "ghp_abcdefghijklmnopqrstuvwxyz0123456789";

#[test]
fn settings_are_refused_or_lose_their_tokens() {
    fuzz("agent_settings", target);
}

fn target(input: &[u8]) -> Vec<Option<usize>> {
    let text = String::from_utf8_lossy(input);
    let formats = [Format::Json, Format::Toml, Format::Yaml];
    formats
        .into_iter()
        .map(|format| filtered(&Filter { format, keep: KEEP, drop: &["helper"] }, &text))
        .collect()
}

fn filtered(filter: &Filter, text: &str) -> Option<usize> {
    let kept = filter.apply(text).ok()?;
    assert_eq!(filter.apply(&kept).as_ref(), Ok(&kept), "{:?}", filter.format);
    let value = match filter.format {
        Format::Json => serde_json::from_str(&kept).unwrap(),
        Format::Toml => serde_json::to_value(kept.parse::<toml::Table>().unwrap()).unwrap(),
        // Its lines are the text's own.
        Format::Yaml => Value::Array(kept.lines().map(|line| Value::String(line.to_owned())).collect()),
    };
    if let Value::Object(object) = &value {
        assert!(object.keys().all(|key| KEEP.contains(&key.as_str())));
    }
    let mut strings = Vec::new();
    collect(&value, &mut strings);
    let words = strings.iter().flat_map(|text| text.split(char::is_whitespace));
    for word in words.map(|word| word.trim_matches(['"', '\''])) {
        assert!(word != TOKEN, "a token came through in {kept:?}");
    }
    Some(strings.len())
}

fn collect<'a>(value: &'a Value, strings: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => strings.push(text),
        Value::Array(items) => items.iter().for_each(|item| collect(item, strings)),
        Value::Object(object) => object.values().for_each(|item| collect(item, strings)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
