//! A command that the cell lacks and the owner has: where it is, and which flags would bring it.
//!
//! For error messages only. Nothing is decided here, and nothing of what is found is brought.

use crate::context::Context;
use cofferdam_policy::presets::agents;
use cofferdam_policy::presets::piece::Piece;
use cofferdam_policy::presets::tools::TOOLS;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Directories of the host's that every cell shows: what lies there is not missing.
const ALWAYS_SHOWN: [&str; 6] = ["/usr", "/opt", "/bin", "/sbin", "/lib", "/lib64"];

/// Where the owner has `command`, and what to type to have it in a session.
pub(crate) fn remedy(context: &Context, command: &[u8]) -> Option<(PathBuf, String)> {
    let name = std::str::from_utf8(command).ok().filter(|name| !name.is_empty() && !name.contains('/'))?;
    let path = in_path(context, name)?;
    let flags = flags(context, name, &path);
    let remedy = if flags.is_empty() {
        let above = path.parent()?;
        format!("cofferdam run --mount {} -- {}", above.display(), path.display())
    } else {
        format!("cofferdam run {} -- {name}", flags.join(" "))
    };
    Some((path, remedy))
}

/// The first program of that name in the owner's `PATH`, if it is none that every cell shows.
fn in_path(context: &Context, name: &str) -> Option<PathBuf> {
    let directories = context.variable("PATH")?.split(':').filter(|entry| entry.starts_with('/'));
    let found = directories.map(|entry| Path::new(entry).join(name)).find(|path| is_program(path))?;
    let shown = ALWAYS_SHOWN.iter().any(|shown| found.starts_with(shown));
    (!shown).then_some(found)
}

fn is_program(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

fn flags(context: &Context, name: &str, path: &Path) -> Vec<String> {
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let agent = agents::agent(name);
    let with_agent =
        agent.is_some_and(|agent| covers(context, agent.programs, path).is_some()) && !is_of_a_package(path);
    let mut sets: Vec<&str> = Vec::new();
    if !with_agent {
        sets.extend([&real, path].into_iter().filter_map(|path| set_with(context, path)));
        sets.dedup();
    }
    let tools = sets.into_iter().map(|set| format!("--tools {set}"));
    tools.chain(agent.map(|agent| format!("--agent-home {}", agent.name))).collect()
}

/// The set of tools with the narrowest piece around `path`.
fn set_with(context: &Context, path: &Path) -> Option<&'static str> {
    let found = TOOLS.iter().filter_map(|tool| Some((covers(context, tool.pieces, path)?, tool.name)));
    found.max_by_key(|&(depth, _)| depth).map(|(_, name)| name)
}

/// How deep the narrowest of `pieces` around `path` lies.
fn covers(context: &Context, pieces: &[Piece], path: &Path) -> Option<usize> {
    let environment = |key: &str| context.variable(key).map(str::to_owned);
    let places = pieces.iter().filter_map(|piece| piece.resolve(&context.home, &environment).ok());
    let around = places.filter(|place| path.starts_with(place.as_path()));
    around.map(|place| place.as_path().components().count()).max()
}

/// Whether it is a link to a script that finds the rest of its package by where it lies itself: alone it can't start.
pub(crate) fn is_of_a_package(path: &Path) -> bool {
    let Ok(real) = std::fs::canonicalize(path) else { return false };
    let mut first = [0; 2];
    let script = std::fs::File::open(&real).and_then(|mut file| file.read_exact(&mut first)).is_ok()
        && first == *b"#!";
    script && real.parent().is_some_and(|above| above.iter().any(|part| part == "node_modules"))
}
