//! From the owner's home: named sets of tools, their download caches, and the settings of agent programs.
//!
//! Never the home itself. What the tables name and this owner does not have is passed over.

use super::directories::Found;
use crate::context::Context;
use crate::elsewhere;
use crate::error::{Error, ErrorKind};
use cofferdam_policy::authority::{Access, EnvValue, HomeFile, Purpose};
use cofferdam_policy::path::AbsPath;
use cofferdam_policy::presets::agents::{self, AgentHome, Carry};
use cofferdam_policy::presets::caches;
use cofferdam_policy::presets::piece::{PieceError, PieceKind};
use cofferdam_policy::presets::tools::{self, TOOLS, Tool};
use cofferdam_policy::wish::Wish;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What came of the names.
pub(super) struct Homes {
    pub(super) files: Vec<HomeFile>,
    pub(super) environment: BTreeMap<String, EnvValue>,
    pub(super) path: Vec<AbsPath>,
    pub(super) scratch: Vec<AbsPath>,
}

impl Homes {
    pub(super) fn look(
        context: &Context,
        wish: &Wish,
        found: &mut Found<'_>,
        notes: &mut Vec<String>,
    ) -> Result<Self, Error> {
        let (files, environment, path, scratch) = (Vec::new(), BTreeMap::new(), Vec::new(), Vec::new());
        let mut homes = Self { files, environment, path, scratch };
        let environment = |key: &str| context.variable(key).map(str::to_owned);
        let names: BTreeSet<&String> = wish.tools.iter().collect();
        for name in names {
            let tool = tools::tool(name)
                .ok_or_else(|| unknown("set of tools", name, TOOLS.iter().map(|t| t.name)))?;
            homes.tool(context, tool, &environment, found, notes)?;
        }
        let names: BTreeSet<&String> = wish.agent_homes.iter().collect();
        for name in names {
            let agent = agents::agent(name)
                .ok_or_else(|| unknown("agent", name, agents::AGENTS.iter().map(|agent| agent.name)))?;
            homes.agent(context, agent, found, notes)?;
        }
        Ok(homes)
    }

    fn tool(
        &mut self,
        context: &Context,
        tool: &Tool,
        environment: &dyn Fn(&str) -> Option<String>,
        found: &mut Found<'_>,
        notes: &mut Vec<String>,
    ) -> Result<(), Error> {
        let odd = |error: PieceError| {
            Error::new(ErrorKind::Policy, format!("cannot bring the tools {}", tool.name))
                .because(error)
                .hint("unset the variable, or point it to a directory of its own")
        };
        let mut any = false;
        for (path, piece) in tool.resolve(&context.home, environment).map_err(odd)? {
            any |= bring(found, &path, piece.kind, Access::Ro, Purpose::Tool(tool.name.to_owned()))?;
        }
        for place in tool.scratch_places(&context.home, environment).map_err(odd)? {
            // In a workspace it lies where the tool may write, and what is not there needs no place.
            if place.as_path().is_dir() && !found.is_shown(&place) && !self.scratch.contains(&place) {
                self.scratch.push(place);
            }
        }
        if !any {
            notes.push(format!("--tools {}: there is none of it in your home", tool.name));
        }
        for cache in tool.caches.iter().filter_map(|name| caches::cache(name)) {
            let path = cache.piece.resolve(&context.home, environment).map_err(odd)?;
            bring(found, &path, cache.piece.kind, Access::Cow, Purpose::Cache(cache.name.to_owned()))?;
        }
        for (key, value) in tool.environment(&context.home, environment).map_err(odd)? {
            self.environment.insert(key.to_owned(), EnvValue::Literal(value));
        }
        self.path.extend(tool.path_entries(&context.home, environment).map_err(odd)?);
        Ok(())
    }

    fn agent(
        &mut self,
        context: &Context,
        agent: &AgentHome,
        found: &mut Found<'_>,
        notes: &mut Vec<String>,
    ) -> Result<(), Error> {
        let environment = |key: &str| context.variable(key).map(str::to_owned);
        let odd = |error: PieceError| {
            Error::new(ErrorKind::Policy, format!("cannot bring the settings of {}", agent.name))
                .because(error)
                .hint("unset the variable, or point it to a directory of its own")
        };
        let mut any = false;
        for item in agent.pieces {
            let path = item.piece.resolve(&context.home, &environment).map_err(odd)?;
            let below = path.as_path().strip_prefix(context.home.as_path()).ok().and_then(Path::to_str);
            if below.is_none_or(|below| agent.refuses(below)) {
                continue;
            }
            match item.carry {
                Carry::CopyOnWrite => {
                    let purpose = Purpose::AgentHome(agent.name.to_owned());
                    any |= bring(found, &path, PieceKind::Directory, Access::Cow, purpose)?;
                }
                Carry::Copy | Carry::Filtered(_) if is_file(path.as_path()) => {
                    // It may be a link; what is copied is what it leads to.
                    let real =
                        std::fs::canonicalize(path.as_path()).ok().and_then(|real| AbsPath::new(real).ok());
                    for place in real.iter().chain([&path]) {
                        found.check_shown(place)?;
                    }
                    let (of, filtered) = (agent.name.to_owned(), matches!(item.carry, Carry::Filtered(_)));
                    self.files.push(HomeFile { source: path.clone(), target: path, of, filtered });
                    any = true;
                }
                Carry::Copy | Carry::Filtered(_) => {}
            }
        }
        if !any {
            notes.push(format!("--agent-home {}: there are no settings of it in your home", agent.name));
        }
        for program in agent.programs {
            let path = program.resolve(&context.home, &environment).map_err(odd)?;
            if !found.is_shown(&path) && elsewhere::is_of_a_package(path.as_path()) {
                notes.push(format!(
                    "--agent-home {}: {path} leads into a package of npm's; \
                     to have it too: --tools node --tools local-bin",
                    agent.name
                ));
                continue;
            }
            bring(found, &path, program.kind, Access::Ro, Purpose::Tool(agent.name.to_owned()))?;
        }
        for piece in agent.path {
            let root = piece.root.resolve(&context.home, &environment).map_err(odd)?;
            self.path.extend(root.join(piece.below).ok());
        }
        for (key, value) in agent.environment {
            self.environment.insert((*key).to_owned(), EnvValue::Literal((*value).to_owned()));
        }
        Ok(())
    }
}

/// Mounts a piece at its own path, if it is there and not shown already.
fn bring(
    found: &mut Found<'_>,
    path: &AbsPath,
    kind: PieceKind,
    access: Access,
    purpose: Purpose,
) -> Result<bool, Error> {
    let Ok(real) = std::fs::canonicalize(path.as_path()) else { return Ok(false) };
    let Ok(real) = AbsPath::new(real) else { return Ok(false) };
    if found.is_shown(path) {
        return Ok(true);
    }
    let there = match kind {
        PieceKind::Directory => real.as_path().is_dir(),
        PieceKind::File => is_file(real.as_path()),
    };
    if !there {
        return Ok(false);
    }
    match kind {
        PieceKind::Directory => found.directory(&real, path, access, purpose)?,
        PieceKind::File => found.file(&real, path, purpose)?,
    }
    Ok(true)
}

fn is_file(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.is_file())
}

fn unknown<'n>(what: &str, name: &str, known: impl Iterator<Item = &'n str>) -> Error {
    let known: Vec<&str> = known.collect();
    Error::new(ErrorKind::Policy, format!("cannot bring the {what} {name:?}"))
        .since("there is none of that name")
        .hint(format!("choose from: {}", known.join(", ")))
}
