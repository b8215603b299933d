//! `--agent-home NAME`: what of an agent program's home comes into a cell.
//!
//! An allow-list for each program: settings through a [`Filter`], instructions as they are, skills and their like
//! copy-on-write. Logins, histories and caches are on no list; [`AgentHome::refuses`] names them a second time,
//! to be asked about each path before it is used. Nothing here writes to the owner's home, or looks at it.

mod table;

use super::filter::Filter;
use super::piece::Piece;
use crate::mask::{MaskPattern, NameKind};
pub use table::AGENTS;

/// How a piece of an agent's home comes into the cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carry {
    /// A file, copied as it is.
    Copy,
    /// A file, of which the filter's result is copied. Where it fails, the file is left out and named.
    Filtered(Filter),
    /// A directory, shown with the session's own layer over it.
    CopyOnWrite,
}

/// A file or directory of an agent's home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HomePiece {
    /// Where it is; what does not exist is left out.
    pub piece: Piece,
    /// How it comes into the cell.
    pub carry: Carry,
}

/// The home of one agent program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentHome {
    /// What the program is called on the command line.
    pub name: &'static str,
    /// Its full name, for people.
    pub title: &'static str,
    /// What comes along.
    pub pieces: &'static [HomePiece],
    /// Where its own installer puts the program: shown read-only. Not needed for one installed under `/usr`.
    pub programs: &'static [Piece],
    /// Directories of programs, for `PATH`.
    pub path: &'static [Piece],
    /// Variables to set inside: no self-updates, no telemetry, no questions that nobody can answer.
    pub environment: &'static [(&'static str, &'static str)],
    /// Names that must never come, beside [`NEVER`]: files and directories, as mask patterns.
    pub never: &'static [&'static str],
}

/// Names that must never come from any agent's home.
pub const NEVER: &[&str] = &[
    // Logins.
    ".credentials*",
    "credentials*",
    "auth.json",
    "mcp-auth*",
    "oauth*",
    "*_creds*",
    "*-oauth-tokens*",
    "*_accounts.json",
    "secrets.*",
    "token",
    "token.json",
    "tokens*",
    ".env",
    ".env.*",
    ".netrc",
    "*.pem",
    "*.key",
    "id_rsa*",
    "id_ed25519*",
    // Histories and what was said.
    "history*",
    "*history*",
    "*.jsonl",
    "sessions",
    "session",
    "session-*",
    "session_*",
    "archived_sessions",
    "threads",
    "chats",
    "projects",
    "todos",
    "tasks",
    "transcripts",
    "conversations",
    "logs",
    "log",
    "*.log",
    "*.sqlite*",
    "*.db",
    "*.db-*",
    // Who and where the owner is.
    "installation_id",
    "device-id*",
    "user_id",
    "machineid",
    "statsig*",
    "telemetry",
    "analytics*",
];

/// The home called `name`.
#[must_use]
pub fn agent(name: &str) -> Option<&'static AgentHome> {
    AGENTS.iter().find(|agent| agent.name == name)
}

impl AgentHome {
    /// Whether a path in an agent's home is one that must never come: it, or a directory that it lies in, has
    /// one of the names. `below` is relative to the owner's home.
    #[must_use]
    pub fn refuses(&self, below: &str) -> bool {
        let never = || NEVER.iter().chain(self.never);
        below.split('/').any(|segment| never().any(|pattern| is_named(pattern, segment)))
    }
}

/// A pattern that can't be read names everything.
fn is_named(pattern: &str, segment: &str) -> bool {
    let parsed: Result<MaskPattern, _> = pattern.parse();
    parsed.map_or(true, |pattern| pattern.matches(b"", segment.as_bytes(), NameKind::Other))
}

#[cfg(test)]
mod tests;
