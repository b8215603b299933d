//! Names under which agent programs look for instructions, settings and tool definitions in a directory.
//!
//! In a workspace beside the first they are masked, unless `--instructions` names it: a file in a repository that
//! the agent merely reads must not tell it what to do, nor start programs for it. Settings in the owner's home are
//! the business of [`agents`](super::agents).

/// A name that is masked in second workspaces, as a mask pattern (gitignore style).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// The pattern: without a slash it holds at any depth, `**/` in front says so where there is one.
    pub pattern: &'static str,
    /// Why, for `explain`.
    pub reason: &'static str,
}

const fn row(pattern: &'static str, reason: &'static str) -> Instruction {
    Instruction { pattern, reason }
}

const READ: &str = "instructions that agents read by themselves";
const RUN: &str = "agent settings; may start programs";
const TOOLS: &str = "tool definitions; may start programs";

/// Every such name, in order of the program that looks for it.
pub const INSTRUCTIONS: &[Instruction] = &[
    // Read by many.
    row("AGENTS.md", READ),
    row("AGENTS.override.md", READ),
    row("AGENT.md", READ),
    row(".agents/", "skills and instructions shared by several agents"),
    row(".agent/", "skills and instructions shared by several agents"),
    row(".rules", READ),
    row(".mcp.json", TOOLS),
    // Claude Code.
    row("CLAUDE.md", READ),
    row("CLAUDE.local.md", READ),
    row(".claude/", RUN),
    row(".claude-plugin/", RUN),
    // Codex.
    row(".codex/", RUN),
    // opencode.
    row(".opencode/", RUN),
    row("opencode.json", RUN),
    row("opencode.jsonc", RUN),
    // Gemini CLI.
    row("GEMINI.md", READ),
    row(".gemini/", RUN),
    row(".geminiignore", "decides what an agent reads"),
    // GitHub Copilot.
    row("**/.github/copilot-instructions.md", READ),
    row("**/.github/instructions/", READ),
    row("**/.github/prompts/", READ),
    row("**/.github/chatmodes/", READ),
    row("**/.github/agents/", READ),
    row("**/.github/skills/", READ),
    row("**/.github/hooks/", RUN),
    row("**/.github/mcp.json", TOOLS),
    row("**/.vscode/mcp.json", TOOLS),
    row(".copilot/", RUN),
    // Cursor.
    row(".cursor/", RUN),
    row(".cursorrules", READ),
    row(".cursorignore", "decides what an agent reads"),
    // Windsurf, Cline, Roo, Kilo.
    row(".windsurf/", RUN),
    row(".windsurfrules", READ),
    row(".clinerules", READ),
    row(".cline/", RUN),
    row(".roo/", RUN),
    row(".roorules", READ),
    row(".roomodes", READ),
    row(".kilocode/", RUN),
    // aider: `lint-cmd` and `test-cmd` are commands.
    row(".aider.conf.yml", RUN),
    row(".aider.model.settings.yml", RUN),
    // goose.
    row(".goosehints", READ),
    row(".goose/", RUN),
    // pi, Amp, Hermes, Junie, Continue, Kiro, Amazon Q, Augment, Qwen, Factory, Crush, Zed, Warp.
    row(".pi/", RUN),
    row(".amp/", RUN),
    row(".hermes.md", READ),
    row("HERMES.md", READ),
    row(".hermes/", RUN),
    row(".junie/", RUN),
    row(".continue/", RUN),
    row(".continuerules", READ),
    row(".kiro/", RUN),
    row(".amazonq/", RUN),
    row(".augment/", RUN),
    row(".augment-guidelines", READ),
    row("QWEN.md", READ),
    row(".qwen/", RUN),
    row(".factory/", RUN),
    row("CRUSH.md", READ),
    row(".crush/", RUN),
    row("crush.json", RUN),
    row(".crush.json", RUN),
    row(".zed/", RUN),
    row("WARP.md", READ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::{MaskPattern, NameKind};

    fn hides(parent: &str, name: &str, kind: NameKind) -> bool {
        INSTRUCTIONS.iter().any(|row| {
            let pattern: MaskPattern = row.pattern.parse().unwrap();
            pattern.matches(parent.as_bytes(), name.as_bytes(), kind)
        })
    }

    #[test]
    fn every_row_is_a_pattern_and_stands_once() {
        let mut seen = std::collections::BTreeSet::new();
        for row in INSTRUCTIONS {
            assert!(row.pattern.parse::<MaskPattern>().is_ok(), "{}", row.pattern);
            assert!(seen.insert(row.pattern), "{}", row.pattern);
            assert!(!row.reason.is_empty());
        }
    }

    #[test]
    fn instructions_are_hidden_at_any_depth() {
        for parent in ["", "a", "a/b/c"] {
            for name in
                ["CLAUDE.md", "AGENTS.md", ".mcp.json", ".cursorrules", "opencode.jsonc", ".goosehints"]
            {
                assert!(hides(parent, name, NameKind::Other), "{parent}/{name}");
            }
            for name in [".claude", ".codex", ".cursor", ".gemini", ".pi", ".continue"] {
                assert!(hides(parent, name, NameKind::Directory), "{parent}/{name}");
            }
        }
        assert!(hides(".github", "copilot-instructions.md", NameKind::Other));
        assert!(hides("a/b/.github", "copilot-instructions.md", NameKind::Other));
    }

    #[test]
    fn ordinary_files_are_shown() {
        for (parent, name) in [
            ("", "README.md"),
            ("", "Cargo.toml"),
            (".github/workflows", "ci.yml"),
            (".vscode", "settings.json"),
            ("docs", "agents.md"),
            ("", "copilot-instructions.md"),
            ("src", "claude.rs"),
        ] {
            assert!(!hides(parent, name, NameKind::Other), "{parent}/{name}");
        }
    }
}
