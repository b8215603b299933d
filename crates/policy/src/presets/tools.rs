//! `--tools NAME`: named sets of the owner's tools, shown read-only.
//!
//! Each set lists programs and libraries, never a whole home, and never a file in which its tool keeps a login:
//! `~/.cargo/credentials.toml`, `~/.npmrc`, `~/.config/go/env`, `~/.config/mise`, `~/.gem/credentials`,
//! `~/.local/share/uv/credentials` and their like are no part of any set. `~/.cargo/config.toml` isn't either: it
//! may hold registry tokens.

use super::piece::{Environment, Piece, PieceError, Root};
use crate::path::AbsPath;

/// A named set of tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tool {
    /// What it is called.
    pub name: &'static str,
    /// What it brings, for people.
    pub summary: &'static str,
    /// What is shown, read-only, at its own path. What does not exist is left out.
    pub pieces: &'static [Piece],
    /// Directories of programs, for `PATH`, most important first.
    pub path: &'static [Piece],
    /// Variables that are handed on if the owner's value is a path in one of the pieces or in `/usr` or `/opt`.
    /// Those that a piece's root depends on are handed on by themselves.
    pub variables: &'static [&'static str],
    /// Where the tool keeps things of its own beside its pieces, and fails if it can't. In the home it can; elsewhere the
    /// place is given to it, empty.
    pub scratch: &'static [Root],
    /// The download caches that come with it, by their names in [`caches`](super::caches).
    pub caches: &'static [&'static str],
}

const CARGO_HOME: Root = Root::Variable { name: "CARGO_HOME", default: ".cargo" };
const RUSTUP_HOME: Root = Root::Variable { name: "RUSTUP_HOME", default: ".rustup" };
const NVM_DIR: Root = Root::Variable { name: "NVM_DIR", default: ".nvm" };
const FNM_DIR: Root = Root::Variable { name: "FNM_DIR", default: ".local/share/fnm" };
const VOLTA_HOME: Root = Root::Variable { name: "VOLTA_HOME", default: ".volta" };
const N_PREFIX: Root = Root::Variable { name: "N_PREFIX", default: "n" };
const PNPM_HOME: Root = Root::Variable { name: "PNPM_HOME", default: ".local/share/pnpm" };
const PYENV_ROOT: Root = Root::Variable { name: "PYENV_ROOT", default: ".pyenv" };
const UV_PYTHON: Root = Root::Variable { name: "UV_PYTHON_INSTALL_DIR", default: ".local/share/uv/python" };
const UV_TOOLS: Root = Root::Variable { name: "UV_TOOL_DIR", default: ".local/share/uv/tools" };
const GOPATH: Root = Root::FirstOf { name: "GOPATH", default: "go" };
const SDKMAN_DIR: Root = Root::Variable { name: "SDKMAN_DIR", default: ".sdkman" };
const GRADLE_USER_HOME: Root = Root::Variable { name: "GRADLE_USER_HOME", default: ".gradle" };
const RBENV_ROOT: Root = Root::Variable { name: "RBENV_ROOT", default: ".rbenv" };
const BUN_INSTALL: Root = Root::Variable { name: "BUN_INSTALL", default: ".bun" };
const DENO_INSTALL: Root = Root::Variable { name: "DENO_INSTALL", default: ".deno" };
const MISE_DATA_DIR: Root = Root::Variable { name: "MISE_DATA_DIR", default: ".local/share/mise" };
const ASDF_DATA_DIR: Root = Root::Variable { name: "ASDF_DATA_DIR", default: ".asdf" };

/// Every set there is, in order of name.
pub const TOOLS: &[Tool] = &[
    Tool {
        name: "asdf",
        summary: "runtimes installed by asdf",
        pieces: &[
            Piece::directory_in(ASDF_DATA_DIR, "bin"),
            Piece::directory_in(ASDF_DATA_DIR, "lib"),
            Piece::directory_in(ASDF_DATA_DIR, "installs"),
            Piece::directory_in(ASDF_DATA_DIR, "plugins"),
            Piece::directory_in(ASDF_DATA_DIR, "shims"),
            Piece::file_in(ASDF_DATA_DIR, "asdf.sh"),
            Piece::file(".tool-versions"),
        ],
        path: &[Piece::directory_in(ASDF_DATA_DIR, "shims"), Piece::directory_in(ASDF_DATA_DIR, "bin")],
        variables: &[],
        scratch: &[],
        caches: &[],
    },
    Tool {
        name: "bun",
        summary: "bun and packages installed with it globally",
        pieces: &[
            Piece::directory_in(BUN_INSTALL, "bin"),
            Piece::directory_in(BUN_INSTALL, "install/global"),
        ],
        path: &[Piece::directory_in(BUN_INSTALL, "bin")],
        variables: &[],
        scratch: &[],
        caches: &["bun"],
    },
    Tool {
        name: "cargo",
        summary: "Rust toolchains of rustup and programs installed with cargo",
        pieces: &[
            Piece::directory_in(CARGO_HOME, "bin"),
            Piece::file_in(CARGO_HOME, "env"),
            Piece::directory_in(RUSTUP_HOME, "toolchains"),
            Piece::file_in(RUSTUP_HOME, "settings.toml"),
        ],
        path: &[Piece::directory_in(CARGO_HOME, "bin")],
        variables: &[],
        scratch: &[CARGO_HOME, RUSTUP_HOME],
        caches: &["cargo-registry", "cargo-git"],
    },
    Tool {
        name: "deno",
        summary: "deno and scripts installed with it",
        pieces: &[Piece::directory_in(DENO_INSTALL, "bin")],
        path: &[Piece::directory_in(DENO_INSTALL, "bin")],
        variables: &[],
        scratch: &[],
        caches: &["deno"],
    },
    Tool {
        name: "go",
        summary: "programs installed with go (Go itself in /usr/local is always there)",
        pieces: &[Piece::directory_in(GOPATH, "bin")],
        path: &[Piece::directory_in(GOPATH, "bin")],
        variables: &["GOROOT"],
        scratch: &[],
        caches: &["go-mod", "go-build"],
    },
    Tool {
        name: "java",
        summary: "JDKs and build tools installed by SDKMAN or an IDE",
        pieces: &[Piece::directory_in(SDKMAN_DIR, "candidates"), Piece::directory(".jdks")],
        path: &[
            Piece::directory_in(SDKMAN_DIR, "candidates/java/current/bin"),
            Piece::directory_in(SDKMAN_DIR, "candidates/maven/current/bin"),
            Piece::directory_in(SDKMAN_DIR, "candidates/gradle/current/bin"),
            Piece::directory_in(SDKMAN_DIR, "candidates/kotlin/current/bin"),
        ],
        variables: &["JAVA_HOME", "MAVEN_HOME", "GRADLE_HOME"],
        scratch: &[GRADLE_USER_HOME],
        caches: &["gradle", "maven"],
    },
    Tool {
        name: "local-bin",
        summary: "programs in ~/.local/bin",
        pieces: &[Piece::directory(".local/bin")],
        path: &[Piece::directory(".local/bin")],
        variables: &[],
        scratch: &[],
        caches: &[],
    },
    Tool {
        name: "mise",
        summary: "runtimes installed by mise",
        pieces: &[
            Piece::directory_in(MISE_DATA_DIR, "installs"),
            Piece::directory_in(MISE_DATA_DIR, "plugins"),
            Piece::directory_in(MISE_DATA_DIR, "shims"),
            Piece::file(".local/bin/mise"),
            Piece::file(".tool-versions"),
        ],
        path: &[Piece::directory_in(MISE_DATA_DIR, "shims"), Piece::directory(".local/bin")],
        variables: &[],
        scratch: &[],
        caches: &[],
    },
    Tool {
        name: "node",
        summary: "Node.js installed by nvm, fnm, volta, n or pnpm, and global packages (npm's, where its prefix is ~/.npm-global or ~/.local)",
        pieces: &[
            Piece::directory_in(NVM_DIR, "versions"),
            Piece::directory_in(NVM_DIR, "alias"),
            Piece::file_in(NVM_DIR, "nvm.sh"),
            Piece::directory_in(FNM_DIR, "node-versions"),
            Piece::directory_in(FNM_DIR, "aliases"),
            Piece::directory_in(VOLTA_HOME, "bin"),
            Piece::directory_in(VOLTA_HOME, "tools"),
            Piece::directory_in(N_PREFIX, "bin"),
            Piece::directory_in(N_PREFIX, "lib"),
            Piece::directory(".npm-global"),
            // Of npm with the prefix ~/.local; the programs are links in ~/.local/bin, the set `local-bin`.
            Piece::directory(".local/lib/node_modules"),
            Piece::directory_in(PNPM_HOME, "bin"),
            Piece::directory_in(PNPM_HOME, "global"),
            Piece::directory_in(PNPM_HOME, "nodejs"),
            Piece::directory_in(PNPM_HOME, ".tools"),
            Piece::file_in(PNPM_HOME, "pnpm"),
        ],
        path: &[
            Piece::directory_in(FNM_DIR, "aliases/default/bin"),
            Piece::directory_in(VOLTA_HOME, "bin"),
            Piece::directory_in(N_PREFIX, "bin"),
            Piece::directory(".npm-global/bin"),
            Piece::directory_in(PNPM_HOME, "bin"),
            Piece::directory_in(PNPM_HOME, ""),
        ],
        variables: &[],
        scratch: &[],
        caches: &["npm", "pnpm", "yarn", "yarn-berry", "corepack"],
    },
    Tool {
        name: "pyenv",
        summary: "Python versions installed by pyenv",
        pieces: &[Piece::directory_in(PYENV_ROOT, "")],
        path: &[Piece::directory_in(PYENV_ROOT, "shims"), Piece::directory_in(PYENV_ROOT, "bin")],
        variables: &[],
        scratch: &[],
        caches: &["pip"],
    },
    Tool {
        name: "ruby",
        summary: "Ruby versions installed by rbenv or ruby-install, and the owner's gems",
        pieces: &[
            Piece::directory_in(RBENV_ROOT, ""),
            Piece::directory(".rubies"),
            Piece::directory(".gem/ruby"),
            Piece::directory(".local/share/gem/ruby"),
        ],
        path: &[Piece::directory_in(RBENV_ROOT, "shims"), Piece::directory_in(RBENV_ROOT, "bin")],
        variables: &[],
        scratch: &[],
        caches: &[],
    },
    Tool {
        name: "uv",
        summary: "uv, the Pythons and the programs that it installed",
        pieces: &[
            Piece::directory_in(UV_PYTHON, ""),
            Piece::directory_in(UV_TOOLS, ""),
            Piece::file(".local/bin/uv"),
            Piece::file(".local/bin/uvx"),
        ],
        path: &[Piece::directory(".local/bin")],
        variables: &[],
        scratch: &[],
        caches: &["uv", "pip"],
    },
];

/// Directories of the host that every cell shows, so that paths in them may be named in variables.
const ALWAYS_SHOWN: [&str; 2] = ["/usr", "/opt"];

/// Directories of the system's that hold more than one tool.
const NEVER_EMPTY: [&str; 8] =
    ["/", "/usr", "/usr/local", "/opt", "/usr/lib", "/usr/share", "/usr/local/lib", "/usr/local/share"];

/// Directories that the cell makes for itself.
const NEVER_WITHIN: [&str; 9] = ["/bin", "/sbin", "/lib", "/lib64", "/etc", "/proc", "/dev", "/sys", "/run"];

/// The set called `name`.
#[must_use]
pub fn tool(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|tool| tool.name == name)
}

impl Tool {
    /// The paths of its pieces.
    ///
    /// # Errors
    /// [`PieceError`], where a variable of the owner's leads nowhere sensible.
    pub fn resolve(
        &self,
        home: &AbsPath,
        environment: Environment<'_>,
    ) -> Result<Vec<(AbsPath, Piece)>, PieceError> {
        self.pieces.iter().map(|piece| Ok((piece.resolve(home, environment)?, *piece))).collect()
    }

    /// The places outside the home that are to be given to it, empty.
    ///
    /// # Errors
    /// [`PieceError`], where a variable of the owner's leads nowhere sensible: an empty directory must not take the place
    /// of the home or of the system.
    pub fn scratch_places(
        &self,
        home: &AbsPath,
        environment: Environment<'_>,
    ) -> Result<Vec<AbsPath>, PieceError> {
        let mut places = Vec::new();
        for root in self.scratch {
            let path = root.resolve(home, environment)?;
            let Some(variable) = root.variable().filter(|_| !path.is_within(home)) else { continue };
            if home.is_within(&path) {
                return Err(PieceError::WholeHome { variable, path });
            }
            let system = |top: &&str| path.as_path().starts_with(top);
            if NEVER_EMPTY.contains(&path.as_str()) || NEVER_WITHIN.iter().any(system) {
                return Err(PieceError::System { variable, path });
            }
            places.push(path);
        }
        Ok(places)
    }

    /// What it adds to `PATH`, in front: first those of the owner's own entries that lie in its pieces (so the
    /// chosen version of a runtime stays the chosen one), then its own directories.
    ///
    /// # Errors
    /// As [`Tool::resolve`].
    pub fn path_entries(
        &self,
        home: &AbsPath,
        environment: Environment<'_>,
    ) -> Result<Vec<AbsPath>, PieceError> {
        let shown = self.resolve(home, environment)?;
        let owners = environment("PATH").unwrap_or_default();
        let chosen = owners.split(':').filter_map(|entry| AbsPath::new(entry).ok());
        let mut entries: Vec<AbsPath> = chosen.filter(|entry| lies_in(entry, &shown)).collect();
        for piece in self.path {
            // Not `Piece::resolve`: a directory in `PATH` brings nothing into the cell.
            entries.push(piece.root.resolve(home, environment)?.join(piece.below)?);
        }
        let mut seen = std::collections::BTreeSet::new();
        entries.retain(|entry| seen.insert(entry.clone()));
        Ok(entries)
    }

    /// The variables to set inside, with the owner's values: those that say where its pieces are, and those of
    /// [`Tool::variables`] that point to something shown.
    ///
    /// # Errors
    /// As [`Tool::resolve`].
    pub fn environment(
        &self,
        home: &AbsPath,
        environment: Environment<'_>,
    ) -> Result<Vec<(&'static str, String)>, PieceError> {
        let shown = self.resolve(home, environment)?;
        let mut variables: Vec<(&'static str, String)> = Vec::new();
        for (name, value) in self.pieces.iter().filter_map(|piece| piece.root.handed_on(environment)) {
            if variables.iter().all(|(own, _)| *own != name) {
                variables.push((name, value));
            }
        }
        for name in self.variables {
            let value = environment(name).and_then(|value| AbsPath::new(value).ok());
            let always = |path: &AbsPath| ALWAYS_SHOWN.iter().any(|top| path.as_path().starts_with(top));
            let useful = value.filter(|path| always(path) || lies_in(path, &shown));
            variables.extend(useful.map(|path| (*name, path.to_string())));
        }
        Ok(variables)
    }
}

fn lies_in(path: &AbsPath, shown: &[(AbsPath, Piece)]) -> bool {
    shown.iter().any(|(piece, _)| path.is_within(piece))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets::caches;

    const HOME: &str = "/home/me";

    fn home() -> AbsPath {
        AbsPath::new(HOME).unwrap()
    }

    fn nothing(_: &str) -> Option<String> {
        None
    }

    /// Where tools keep logins, histories and settings that may hold either.
    const NEVER: &[&str] = &[
        ".cargo/credentials",
        ".cargo/credentials.toml",
        ".cargo/config",
        ".cargo/config.toml",
        ".npmrc",
        ".yarnrc",
        ".yarnrc.yml",
        ".pypirc",
        ".netrc",
        ".config/pip/pip.conf",
        ".config/go/env",
        ".config/mise/config.toml",
        ".gem/credentials",
        ".local/share/gem/credentials",
        ".bundle/config",
        ".local/share/uv/credentials",
        ".m2/settings.xml",
        ".gradle/gradle.properties",
        ".sdkman/etc/config",
        ".volta/hooks.json",
        ".bunfig.toml",
        ".ssh/id_ed25519",
        ".gnupg",
        ".aws/credentials",
        ".docker/config.json",
        ".config/gh/hosts.yml",
        ".kube/config",
        ".git-credentials",
        ".bash_history",
        ".config/pnpm/rc",
        ".composer/auth.json",
    ];

    #[test]
    fn no_set_brings_the_home_or_a_file_with_logins() {
        for tool in TOOLS {
            for (path, _) in tool.resolve(&home(), &nothing).unwrap() {
                assert!(path.is_within(&home()) && path != home(), "{}: {path}", tool.name);
                for never in NEVER {
                    let never = home().join(never).unwrap();
                    assert!(!never.is_within(&path) && !path.is_within(&never), "{}: {path}", tool.name);
                }
            }
        }
    }

    #[test]
    fn no_piece_of_a_set_lies_in_another_of_it_or_in_its_caches() {
        for tool in TOOLS {
            let mut paths: Vec<AbsPath> =
                tool.resolve(&home(), &nothing).unwrap().into_iter().map(|(path, _)| path).collect();
            for name in tool.caches {
                paths.push(caches::cache(name).unwrap().piece.resolve(&home(), &nothing).unwrap());
            }
            for (at, path) in paths.iter().enumerate() {
                let others = paths.iter().enumerate().filter(|(other, _)| *other != at);
                assert!(others.into_iter().all(|(_, other)| !path.is_within(other)), "{}: {path}", tool.name);
            }
        }
    }

    #[test]
    fn what_a_tool_writes_beside_its_pieces_is_given_a_place_outside_the_home_only() {
        let places = |value: &str| {
            let environment = |name: &str| (name == "RUSTUP_HOME").then(|| value.to_owned());
            tool("cargo").unwrap().scratch_places(&home(), &environment)
        };
        assert_eq!(places("/usr/local/rustup").unwrap(), [AbsPath::new("/usr/local/rustup").unwrap()]);
        for inside in ["/home/me/rust", "/home/me/.rustup", ""] {
            assert!(places(inside).unwrap().is_empty(), "{inside}");
        }
        for above in ["/", "/home", "/home/me"] {
            assert!(
                matches!(places(above), Err(PieceError::WholeHome { .. })) || above == "/home/me",
                "{above}"
            );
        }
        for system in ["/usr", "/usr/local", "/opt", "/etc/rust", "/run"] {
            assert!(
                matches!(places(system), Err(PieceError::System { variable: "RUSTUP_HOME", .. })),
                "{system}"
            );
        }
    }

    #[test]
    fn sets_are_found_by_name_and_stand_in_its_order() {
        assert!(TOOLS.is_sorted_by_key(|tool| tool.name));
        assert!(TOOLS.iter().all(|own| tool(own.name) == Some(own)));
        assert_eq!(tool("Cargo"), None);
        assert_eq!(tool(""), None);
    }

    #[test]
    fn the_owners_choice_of_a_version_goes_first() {
        let environment = |name: &str| {
            (name == "PATH").then(|| {
                "/home/me/.nvm/versions/node/v22.1.0/bin:/usr/bin:relative:/home/me/bin:/home/me/.volta/bin".to_owned()
            })
        };
        let entries = tool("node").unwrap().path_entries(&home(), &environment).unwrap();
        let entries: Vec<&str> = entries.iter().map(AbsPath::as_str).collect();
        assert_eq!(entries[..2], ["/home/me/.nvm/versions/node/v22.1.0/bin", "/home/me/.volta/bin"]);
        assert!(!entries.contains(&"/usr/bin") && !entries.contains(&"/home/me/bin"));
        assert_eq!(entries.iter().filter(|entry| **entry == "/home/me/.volta/bin").count(), 1);
    }

    #[test]
    fn variables_are_handed_on_only_when_they_lead_to_something_shown() {
        let environment = |name: &str| match name {
            "SDKMAN_DIR" => Some("/data/sdkman".to_owned()),
            "JAVA_HOME" => Some("/usr/lib/jvm/java-17".to_owned()),
            "MAVEN_HOME" => Some("/data/sdkman/candidates/maven/3".to_owned()),
            "GRADLE_HOME" => Some("/home/me/private".to_owned()),
            _ => None,
        };
        let set = tool("java").unwrap().environment(&home(), &environment).unwrap();
        assert_eq!(
            set,
            [
                ("SDKMAN_DIR", "/data/sdkman".to_owned()),
                ("JAVA_HOME", "/usr/lib/jvm/java-17".to_owned()),
                ("MAVEN_HOME", "/data/sdkman/candidates/maven/3".to_owned()),
            ]
        );
        assert!(tool("java").unwrap().environment(&home(), &nothing).unwrap().is_empty());
    }

    #[test]
    fn a_tool_directory_that_is_the_home_is_refused() {
        for (name, variable) in [("pyenv", "PYENV_ROOT"), ("uv", "UV_TOOL_DIR"), ("ruby", "RBENV_ROOT")] {
            let environment = |asked: &str| (asked == variable).then(|| HOME.to_owned());
            let result = tool(name).unwrap().resolve(&home(), &environment);
            assert!(matches!(result, Err(PieceError::WholeHome { .. })), "{name}");
        }
    }
}
