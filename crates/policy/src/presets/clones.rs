//! Where tools and caches keep clones of repositories, whose addresses may hold credentials.
//!
//! Plugins and dependencies come from private places too, and git notes the address that they came by.

/// The name of a set of tools or a cache, the end of the directory that is mounted of it, and where the clones lie in
/// it; a star stands for one name.
const CLONES: &[(&str, &str, &str)] = &[
    ("asdf", "plugins", "*"),
    ("cargo-git", "git", "db/*"),
    ("cargo-git", "git", "checkouts/*/*"),
    ("go-mod", "pkg/mod", "cache/vcs/*"),
    ("mise", "plugins", "*"),
    ("uv", "", "git-v0/db/*"),
    ("uv", "", "git-v0/checkouts/*/*"),
];

/// The patterns of the clones in the directory `path`, mounted for the set or cache called `name`.
pub fn clones(name: &str, path: &crate::path::AbsPath) -> impl Iterator<Item = &'static str> {
    let of_it = move |(of, end, _): &&(&str, &str, &str)| {
        *of == name && (end.is_empty() || path.as_path().ends_with(end))
    };
    CLONES.iter().filter(of_it).map(|(_, _, pattern)| *pattern)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::AbsPath;
    use crate::presets::{caches, tools};

    #[test]
    fn every_row_is_of_something_that_is_mounted() {
        let home = AbsPath::new("/home/me").unwrap();
        for (name, _, pattern) in CLONES {
            let pieces: Vec<_> =
                match (tools::tool(name).filter(|tool| !tool.pieces.is_empty()), caches::cache(name)) {
                    (_, Some(cache)) => vec![cache.piece],
                    (Some(tool), None) => tool.pieces.to_vec(),
                    (None, None) => Vec::new(),
                };
            let mut paths = pieces.iter().map(|piece| piece.resolve(&home, &|_| None).unwrap());
            assert!(paths.any(|path| clones(name, &path).any(|known| known == *pattern)), "{name} {pattern}");
        }
    }
}
