//! What names tell: languages, agent programs, files that look like secrets.
//!
//! Tables and look-ups. Of the owner's home only the existence of what the presets name is asked.

use super::scan::Name;
use crate::context::Context;
use crate::terminal::visible;
use cofferdam_policy::mask::{MaskSet, NameKind, default_masks, looks_secret_name};
use cofferdam_policy::presets::agents::{AGENTS, AgentHome};
use cofferdam_policy::presets::piece::Piece;
use cofferdam_policy::presets::tools;
use serde::Serialize;

/// How many paths stand as reason for one finding.
const REASONS_MAX: usize = 3;
/// How many secrets are named.
const SECRETS_MAX: usize = 20;

/// Something that a policy can be made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is.
    pub kind: FindingKind,
    /// The name that a policy gives it.
    pub name: String,
    /// Why it was found, in words.
    pub reason: String,
    /// Whether the policy has it; otherwise it stands there commented out.
    pub suggested: bool,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// A set of tools that files here call for.
    Tools,
    /// An agent program.
    Agent,
    /// A name that looks like a secret and is not hidden by default.
    Secret,
    /// A name that is hidden by default.
    Hidden,
}

/// A file that calls for a set of tools.
const CALLS_FOR_TOOLS: &[(&str, &str)] = &[
    (".tool-versions", "asdf"),
    ("bun.lock", "bun"),
    ("bun.lockb", "bun"),
    ("bunfig.toml", "bun"),
    ("Cargo.toml", "cargo"),
    ("rust-toolchain.toml", "cargo"),
    ("rust-toolchain", "cargo"),
    ("deno.json", "deno"),
    ("deno.jsonc", "deno"),
    ("deno.lock", "deno"),
    ("go.mod", "go"),
    ("go.work", "go"),
    ("pom.xml", "java"),
    ("build.gradle", "java"),
    ("build.gradle.kts", "java"),
    ("settings.gradle", "java"),
    ("settings.gradle.kts", "java"),
    ("mise.toml", "mise"),
    (".mise.toml", "mise"),
    (".tool-versions", "mise"),
    ("package.json", "node"),
    ("package-lock.json", "node"),
    ("pnpm-lock.yaml", "node"),
    ("yarn.lock", "node"),
    (".nvmrc", "node"),
    (".node-version", "node"),
    (".python-version", "pyenv"),
    ("pyproject.toml", "pyenv"),
    ("requirements.txt", "pyenv"),
    ("setup.py", "pyenv"),
    ("Pipfile", "pyenv"),
    ("Gemfile", "ruby"),
    (".ruby-version", "ruby"),
    ("uv.lock", "uv"),
    ("pyproject.toml", "uv"),
    ("requirements.txt", "uv"),
];

/// A file or directory that speaks to one agent program, by its path from the top.
const SPEAKS_TO_AGENT: &[(&str, &str)] = &[
    (".aider.conf.yml", "aider"),
    (".amp", "amp"),
    ("CLAUDE.md", "claude"),
    ("CLAUDE.local.md", "claude"),
    (".claude", "claude"),
    (".codex", "codex"),
    (".github/copilot-instructions.md", "copilot"),
    (".copilot", "copilot"),
    (".cursor", "cursor"),
    (".cursorrules", "cursor"),
    ("GEMINI.md", "gemini"),
    (".gemini", "gemini"),
    (".goosehints", "goose"),
    (".goose", "goose"),
    ("HERMES.md", "hermes"),
    (".hermes.md", "hermes"),
    ("opencode.json", "opencode"),
    ("opencode.jsonc", "opencode"),
    (".opencode", "opencode"),
    (".pi", "pi"),
];

/// All that the names tell, in order of kind and name.
pub(super) fn findings(context: &Context, names: &[Name]) -> Vec<Finding> {
    let mut found = tool_sets(context, names);
    found.extend(agents(context, names));
    found.extend(secrets(names));
    found
}

fn tool_sets(context: &Context, names: &[Name]) -> Vec<Finding> {
    let mut found = Vec::new();
    for tool in tools::TOOLS {
        let calls = |name: &&Name| {
            let calling = CALLS_FOR_TOOLS.iter().filter(|(_, set)| *set == tool.name);
            !name.directory && calling.into_iter().any(|(file, _)| file.as_bytes() == name.name)
        };
        let calling: Vec<&Name> = names.iter().filter(calls).collect();
        if calling.is_empty() {
            continue;
        }
        let pieces = tool.pieces;
        let here = any_exists(context, pieces.iter());
        let why = if here { tool.summary.to_owned() } else { "nothing of it is in your home".to_owned() };
        found.push(finding(FindingKind::Tools, tool.name, format!("{}: {why}", listed(&calling)), here));
    }
    found
}

fn agents(context: &Context, names: &[Name]) -> Vec<Finding> {
    let mut found = Vec::new();
    for agent in AGENTS {
        let speaks = |name: &&Name| {
            SPEAKS_TO_AGENT.iter().any(|(path, to)| *to == agent.name && path.as_bytes() == name.path())
        };
        let speaking: Vec<&Name> = names.iter().filter(speaks).collect();
        let here = any_exists(context, own_pieces(agent));
        let reason = match (here, speaking.is_empty()) {
            (false, true) => continue,
            (true, true) => format!("{} is in your home", agent.title),
            (true, false) => {
                format!("{} is in your home, and {} speaks to it", agent.title, listed(&speaking))
            }
            (false, false) => {
                format!("{} speaks to {}, which is not in your home", listed(&speaking), agent.title)
            }
        };
        found.push(finding(FindingKind::Agent, agent.name, reason, here));
    }
    found
}

/// What belongs to this agent program alone: a directory that several share says nothing about any of them.
fn own_pieces(agent: &'static AgentHome) -> impl Iterator<Item = &'static Piece> {
    let homes = agent.pieces.iter().map(|home| &home.piece);
    homes.chain(agent.programs).filter(|piece| {
        let has = |other: &AgentHome| other.pieces.iter().any(|home| home.piece == **piece);
        AGENTS.iter().filter(|other| has(other)).count() <= 1
    })
}

fn any_exists<'p>(context: &Context, mut pieces: impl Iterator<Item = &'p Piece>) -> bool {
    let environment = |key: &str| context.variable(key).map(str::to_owned);
    pieces.any(|piece| {
        let path = piece.resolve(&context.home, &environment);
        path.is_ok_and(|path| std::fs::symlink_metadata(path.as_path()).is_ok())
    })
}

fn secrets(names: &[Name]) -> Vec<Finding> {
    // Without the table nothing can be called hidden.
    let masks = default_masks().and_then(MaskSet::new).ok();
    let mut found = Vec::new();
    for name in names {
        let kind = if name.directory { NameKind::Directory } else { NameKind::Other };
        let rule = masks.as_ref().and_then(|masks| masks.hides(&name.parent, &name.name, kind));
        match (rule, looks_secret_name(&name.name)) {
            (Some(rule), _) => {
                let shown = visible(&name.path());
                found.push(finding(FindingKind::Hidden, &shown, rule.reason.clone(), true));
            }
            (None, Some(why)) if !name.directory => {
                let pattern = pattern(&name.path());
                found.push(finding(FindingKind::Secret, &pattern, why.to_string(), false));
            }
            (None, _) => {}
        }
    }
    found.sort_by_key(|finding| finding.kind);
    let of = |kind| found.iter().filter(move |finding| finding.kind == kind).take(SECRETS_MAX).cloned();
    of(FindingKind::Secret).chain(of(FindingKind::Hidden)).collect()
}

/// A mask for exactly this path, or hardly more: bytes that mean something in a pattern, or can't be written in one,
/// are replaced by the sign for any one.
fn pattern(path: &[u8]) -> String {
    let plain =
        |c: &char| c.is_alphanumeric() || (c.is_ascii_graphic() && !"*?[]\\!#".contains(*c)) || *c == ' ';
    let mut pattern = String::new();
    for chunk in path.utf8_chunks() {
        for character in chunk.valid().chars() {
            match Some(character).filter(plain) {
                Some(plain) => pattern.push(plain),
                None => pattern.push_str(&"?".repeat(character.len_utf8())),
            }
        }
        pattern.push_str(&"?".repeat(chunk.invalid().len()));
    }
    pattern
}

fn finding(kind: FindingKind, name: &str, reason: String, suggested: bool) -> Finding {
    Finding { kind, name: name.to_owned(), reason, suggested }
}

/// Paths for people, the first few.
fn listed(names: &[&Name]) -> String {
    let mut shown: Vec<String> = names.iter().take(REASONS_MAX).map(|name| visible(&name.path())).collect();
    if names.len() > REASONS_MAX {
        shown.push(format!("{} more", names.len() - REASONS_MAX));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_in_the_tables_is_one_of_a_preset() {
        for (file, set) in CALLS_FOR_TOOLS {
            assert!(tools::tool(set).is_some(), "{file}: {set}");
        }
        for (path, name) in SPEAKS_TO_AGENT {
            assert!(cofferdam_policy::presets::agents::agent(name).is_some(), "{path}: {name}");
        }
    }
}
