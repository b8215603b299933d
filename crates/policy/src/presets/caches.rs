//! Download caches that come with a set of tools, copy-on-write: warm reads, private writes.
//!
//! Only what was fetched from a registry or built from it. Never the settings beside it: `~/.m2/settings.xml` and
//! `~/.gradle/gradle.properties` hold logins, `~/.npm/_logs` holds what was typed.

use super::piece::{Piece, Root};

/// A download cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cache {
    /// What it is called.
    pub name: &'static str,
    /// Where it is; a variable that its root depends on is to be [handed on](Root::handed_on).
    pub piece: Piece,
}

const CARGO_HOME: Root = Root::Variable { name: "CARGO_HOME", default: ".cargo" };
const GOPATH: Root = Root::FirstOf { name: "GOPATH", default: "go" };
const GOCACHE: Root = Root::Variable { name: "GOCACHE", default: ".cache/go-build" };
const NPM_CACHE: Root = Root::Variable { name: "npm_config_cache", default: ".npm" };
const PIP_CACHE: Root = Root::Variable { name: "PIP_CACHE_DIR", default: ".cache/pip" };
const UV_CACHE: Root = Root::Variable { name: "UV_CACHE_DIR", default: ".cache/uv" };
const YARN_CACHE: Root = Root::Variable { name: "YARN_CACHE_FOLDER", default: ".cache/yarn" };
const PNPM_HOME: Root = Root::Variable { name: "PNPM_HOME", default: ".local/share/pnpm" };
const DENO_DIR: Root = Root::Variable { name: "DENO_DIR", default: ".cache/deno" };
const GRADLE_HOME: Root = Root::Variable { name: "GRADLE_USER_HOME", default: ".gradle" };
const BUN_INSTALL: Root = Root::Variable { name: "BUN_INSTALL", default: ".bun" };

/// Every cache there is, in order of name.
pub const CACHES: &[Cache] = &[
    Cache { name: "bun", piece: Piece::directory_in(BUN_INSTALL, "install/cache") },
    Cache { name: "cargo-git", piece: Piece::directory_in(CARGO_HOME, "git") },
    Cache { name: "cargo-registry", piece: Piece::directory_in(CARGO_HOME, "registry") },
    Cache { name: "corepack", piece: Piece::directory(".cache/node/corepack") },
    // Not all of DENO_DIR: `location_data` holds what scripts stored, `*_history.txt` what was typed.
    Cache { name: "deno", piece: Piece::directory_in(DENO_DIR, "npm") },
    Cache { name: "go-build", piece: Piece::directory_in(GOCACHE, "") },
    Cache { name: "go-mod", piece: Piece::directory_in(GOPATH, "pkg/mod") },
    Cache { name: "gradle", piece: Piece::directory_in(GRADLE_HOME, "caches") },
    Cache { name: "maven", piece: Piece::directory(".m2/repository") },
    Cache { name: "npm", piece: Piece::directory_in(NPM_CACHE, "_cacache") },
    Cache { name: "pip", piece: Piece::directory_in(PIP_CACHE, "") },
    Cache { name: "pnpm", piece: Piece::directory_in(PNPM_HOME, "store") },
    Cache { name: "uv", piece: Piece::directory_in(UV_CACHE, "") },
    Cache { name: "yarn", piece: Piece::directory_in(YARN_CACHE, "") },
    Cache { name: "yarn-berry", piece: Piece::directory(".yarn/berry/cache") },
];

/// The cache called `name`.
#[must_use]
pub fn cache(name: &str) -> Option<&'static Cache> {
    CACHES.iter().find(|cache| cache.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::AbsPath;
    use crate::presets::piece::{PieceError, PieceKind};
    use crate::presets::tools::TOOLS;

    #[test]
    fn every_cache_belongs_to_a_set_and_is_a_directory() {
        assert!(CACHES.is_sorted_by_key(|cache| cache.name));
        for cache in CACHES {
            assert_eq!(cache.piece.kind, PieceKind::Directory);
            assert!(TOOLS.iter().any(|tool| tool.caches.contains(&cache.name)), "{}", cache.name);
        }
    }

    #[test]
    fn no_cache_holds_a_login() {
        let home = AbsPath::new("/home/me").unwrap();
        let never = [
            ".m2/settings.xml",
            ".m2/settings-security.xml",
            ".gradle/gradle.properties",
            ".gradle/init.d",
            ".npmrc",
            ".npm/_logs",
            ".cargo/credentials.toml",
            ".cargo/config.toml",
            ".yarnrc.yml",
            ".yarn/berry/metadata",
            "go/bin",
            ".cache/deno/location_data",
            ".cache/google-chrome",
            ".local/share/pnpm/global",
        ];
        for cache in CACHES {
            let path = cache.piece.resolve(&home, &|_| None).unwrap();
            for never in never {
                assert!(!home.join(never).unwrap().is_within(&path), "{path} holds {never}");
            }
        }
    }

    #[test]
    fn a_cache_that_is_the_home_is_refused() {
        let home = AbsPath::new("/home/me").unwrap();
        let resolve = |name| cache(name).unwrap().piece.resolve(&home, &|_| Some("/home/me".into()));
        assert!(matches!(resolve("pip"), Err(PieceError::WholeHome { .. })));
        assert!(matches!(resolve("uv"), Err(PieceError::WholeHome { .. })));
    }
}
