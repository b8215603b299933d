//! Lock files that are read line by line: yarn, pnpm, Bundler, Go and pip.
//!
//! Of YAML only the layout is known that yarn and pnpm themselves write. Any other line is counted as not understood.

use super::reading::Reading;

/// An entry that is being read: its name, and what of it is known so far.
#[derive(Default)]
struct Entry<'a> {
    name: &'a str,
    version: &'a str,
    sources: Vec<&'a str>,
    checksums: Vec<&'a str>,
    builds: bool,
}

impl Entry<'_> {
    fn end(self, reading: &mut Reading) {
        let Some(pin) = reading.pin(self.name, self.version) else { return };
        self.sources.iter().for_each(|source| pin.has_address(source, self.version));
        self.checksums.iter().for_each(|checksum| pin.has_checksum(checksum));
        pin.runs_at_installation |= self.builds;
    }
}

fn indent(line: &str) -> usize {
    line.len().saturating_sub(line.trim_start_matches(' ').len())
}

fn unquoted(text: &str) -> &str {
    text.trim().trim_matches(['"', '\''])
}

/// `NAME@RANGE` with a name that may begin with `@`.
fn name_and_rest(text: &str) -> (&str, &str) {
    let skipped = usize::from(text.starts_with('@'));
    let at = text.get(skipped..).and_then(|rest| rest.find('@'));
    let cut = at.map_or(text.len(), |at| at.saturating_add(skipped));
    (text.get(..cut).unwrap_or_default(), text.get(cut.saturating_add(1)..).unwrap_or_default())
}

/// Both generations: a line without indent names ranges, the indented ones are fields; deeper ones are edges.
pub(super) fn yarn(text: &str, reading: &mut Reading) {
    let mut entry: Option<Entry<'_>> = None;
    let mut in_metadata = false;
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        match indent(line) {
            0 => {
                if let Some(entry) = entry.take() {
                    entry.end(reading);
                }
                in_metadata = line.starts_with("__metadata:");
                match line.strip_suffix(':') {
                    Some(_) if in_metadata => {}
                    Some(ranges) => {
                        let first = unquoted(ranges.split(", ").next().unwrap_or_default());
                        entry = Some(Entry { name: name_and_rest(first).0, ..Entry::default() });
                    }
                    None => reading.not_understood(),
                }
            }
            2 => match &mut entry {
                Some(entry) => yarn_field(line.trim(), entry),
                None if in_metadata => {}
                None => reading.not_understood(),
            },
            _ if entry.is_some() => {}
            _ => reading.not_understood(),
        }
    }
    if let Some(entry) = entry {
        entry.end(reading);
    }
}

fn yarn_field<'a>(line: &'a str, entry: &mut Entry<'a>) {
    let Some((key, value)) = line.split_once(' ') else { return };
    let value = unquoted(value);
    match key.trim_end_matches(':') {
        "version" => entry.version = value,
        "resolved" | "resolution" => entry.sources.push(value),
        "integrity" | "checksum" => entry.checksums.extend(value.split_whitespace()),
        // Languages, links and edges.
        _ => {}
    }
}

/// The entries of `packages:`, two blanks deep, with a `resolution` in one line or below it.
pub(super) fn pnpm(text: &str, reading: &mut Reading) {
    let mut section = "";
    let mut entry: Option<Entry<'_>> = None;
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')) {
        match (indent(line), section) {
            (0, _) => {
                if let Some(entry) = entry.take() {
                    entry.end(reading);
                }
                section = line.split(':').next().unwrap_or_default();
                if !line.contains(':') && line != "---" {
                    reading.not_understood();
                }
            }
            (2, "packages") => {
                if let Some(entry) = entry.take() {
                    entry.end(reading);
                }
                match line.trim().strip_suffix(':') {
                    Some(key) => entry = Some(pnpm_key(unquoted(key))),
                    None => reading.not_understood(),
                }
            }
            (_, "packages") => match &mut entry {
                Some(entry) => pnpm_field(line.trim(), entry),
                None => reading.not_understood(),
            },
            _ => {}
        }
    }
    if let Some(entry) = entry {
        entry.end(reading);
    }
}

/// `NAME@VERSION(PEERS)`, `/NAME@VERSION` or `/NAME/VERSION`.
fn pnpm_key(key: &str) -> Entry<'_> {
    let key = key.split('(').next().unwrap_or(key);
    let plain = key.strip_prefix('/').unwrap_or(key);
    let (name, version) = match name_and_rest(plain) {
        (_, "") => plain.rsplit_once('/').unwrap_or((plain, "")),
        parts => parts,
    };
    Entry { name, version, ..Entry::default() }
}

fn pnpm_field<'a>(line: &'a str, entry: &mut Entry<'a>) {
    let inner = line.strip_prefix("resolution:").map_or(line, str::trim);
    let inner = inner.trim_start_matches('{').trim_end_matches('}');
    for field in inner.split(", ") {
        let Some((key, value)) = field.split_once(": ") else { continue };
        match key.trim() {
            "integrity" => entry.checksums.extend(unquoted(value).split_whitespace()),
            "tarball" | "repo" | "directory" | "path" | "commit" => entry.sources.push(unquoted(value)),
            "requiresBuild" => entry.builds |= unquoted(value) == "true",
            _ => {}
        }
    }
}

/// Sections by capital words; within a source `remote:` and `revision:`, then `specs:` with `NAME (VERSION)`.
pub(super) fn gemfile(text: &str, reading: &mut Reading) {
    let mut section = "";
    let mut sources: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let words = line.trim();
        match (indent(line), section) {
            (0, _) => {
                section = words;
                sources.clear();
                if !words.chars().all(|c| c.is_ascii_uppercase() || c == ' ') {
                    reading.not_understood();
                }
            }
            (2, "CHECKSUMS") => {
                let (gem, hash) = words.rsplit_once(' ').unwrap_or((words, ""));
                gem_of(if hash.contains('=') { gem } else { words }, reading, |pin| {
                    hash.split(',').filter(|hash| hash.contains('=')).for_each(|hash| pin.has_checksum(hash));
                });
            }
            (2, "GEM" | "GIT" | "PATH" | "PLUGIN SOURCE") => match words.split_once(": ") {
                Some(("remote" | "revision" | "ref" | "branch" | "tag" | "glob" | "submodules", _)) => {
                    sources.push(words.to_owned());
                }
                _ if words == "specs:" => {}
                Some(_) | None => reading.not_understood(),
            },
            (4, "GEM" | "GIT" | "PATH" | "PLUGIN SOURCE") => gem_of(words, reading, |pin| {
                sources.iter().for_each(|source| pin.has_source(source, ""));
            }),
            // Edges, platforms, what the Gemfile itself names, and Bundler's own version.
            (1.., "DEPENDENCIES" | "PLATFORMS" | "RUBY VERSION" | "BUNDLED WITH") => {}
            (5.., "GEM" | "GIT" | "PATH" | "PLUGIN SOURCE") => {}
            _ => reading.not_understood(),
        }
    }
}

/// `NAME (VERSION)`
fn gem_of(words: &str, reading: &mut Reading, add: impl FnOnce(&mut super::Pin)) {
    let parts = words.split_once(" (").and_then(|(name, rest)| Some((name, rest.strip_suffix(')')?)));
    let Some((name, version)) = parts else { return reading.not_understood() };
    if let Some(pin) = reading.pin(name, version) {
        add(pin);
    }
}

/// `MODULE VERSION HASH`, and `MODULE VERSION/go.mod HASH` for its description alone.
pub(super) fn go(text: &str, reading: &mut Reading) {
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let mut words = line.split_whitespace();
        let (Some(module), Some(version), Some(hash), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            reading.not_understood();
            continue;
        };
        let (version, of) =
            version.strip_suffix("/go.mod").map_or((version, ""), |version| (version, "go.mod "));
        if let Some(pin) = reading.pin(module, version) {
            pin.has_checksum(&format!("{of}{hash}"));
        }
    }
}

/// `NAME==VERSION --hash=…`, `NAME @ ADDRESS`, and options such as `--index-url`, which count as entries by their name.
pub(super) fn requirements(text: &str, reading: &mut Reading) {
    let mut logical = String::new();
    for line in text.lines() {
        let line = line.split_once(" #").map_or(line, |(before, _)| before).trim();
        if line.starts_with('#') {
            continue;
        }
        match line.strip_suffix('\\') {
            Some(part) => {
                logical.push_str(part);
                logical.push(' ');
            }
            None => {
                logical.push_str(line);
                requirement(logical.trim(), reading);
                logical.clear();
            }
        }
    }
    requirement(logical.trim(), reading);
}

fn requirement(line: &str, reading: &mut Reading) {
    if line.is_empty() {
        return;
    }
    if line.starts_with('-') {
        let (option, value) = line.split_once([' ', '=']).unwrap_or((line, ""));
        if let Some(pin) = reading.pin(option, "") {
            pin.has_source(value.trim(), "");
        }
        return;
    }
    let (wanted, hashes) = line.split_once("--hash").map_or((line, ""), |(wanted, hashes)| (wanted, hashes));
    let wanted = wanted.split(';').next().unwrap_or_default().trim();
    let end = wanted.find(|c: char| !(c.is_alphanumeric() || "-_.".contains(c))).unwrap_or(wanted.len());
    let (name, rest) = wanted.split_at(end);
    let name = name.to_lowercase().replace(['_', '.'], "-");
    let rest = rest.split_once(']').map_or(rest, |(_, after)| after).trim();
    let is_path = wanted.contains('/') && !rest.starts_with('@');
    let (name, version, source) = match rest.strip_prefix('@') {
        _ if is_path => (wanted, "", wanted),
        Some(address) => (name.as_str(), "", address.trim()),
        None => (name.as_str(), rest.strip_prefix("==").unwrap_or(rest).trim(), ""),
    };
    if !is_path && rest.chars().next().is_some_and(|c| !"=<>!~@,".contains(c)) {
        reading.not_understood();
    }
    let Some(pin) = reading.pin(name, version) else { return };
    pin.has_source(source, "");
    for hash in hashes.split("--hash") {
        pin.has_checksum(
            hash.trim().trim_start_matches(['=', ' ']).split_whitespace().next().unwrap_or_default(),
        );
    }
}
