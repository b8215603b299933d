//! The plain part of INI files, as npm and pip write them: sections, `key = value`, comments, values over several lines.

/// One setting: its section (empty at the top), its key, its value.
pub(super) type Entry = (String, String, String);

/// All settings of a text, in order. What is no setting is passed over, as the tools do.
pub(super) fn entries(text: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut section = String::new();
    for line in text.lines() {
        let is_continued = line.starts_with([' ', '\t']);
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.trim().to_owned();
            continue;
        }
        match (line.split_once('='), entries.last_mut()) {
            // A further line of a list; an address in it may hold `=`, a key is never indented.
            (_, Some((of, _, value))) if is_continued && *of == section => {
                value.push(' ');
                value.push_str(line);
            }
            (Some((key, value)), _) => {
                entries.push((section.clone(), key.trim().to_owned(), unquoted(value.trim()).to_owned()));
            }
            (None, _) => {}
        }
    }
    entries
}

fn unquoted(value: &str) -> &str {
    let inner = |quote| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    inner('"').or_else(|| inner('\'')).unwrap_or(value)
}
