//! Which format a lock file has, by its name.
//!
//! Formats that are not here are still found by `runs_later`; their dependencies are just not told apart.

/// A format that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LockFormat {
    /// `Cargo.lock`
    Cargo,
    /// `package-lock.json`, `npm-shrinkwrap.json`
    Npm,
    /// `yarn.lock`, of both generations.
    Yarn,
    /// `pnpm-lock.yaml`
    Pnpm,
    /// `poetry.lock`
    Poetry,
    /// `uv.lock`, `*.py.lock`
    Uv,
    /// `Gemfile.lock`, `*.gemfile.lock`, `gems.locked`
    Gemfile,
    /// `go.sum`, `go.work.sum`
    Go,
    /// `requirements*.txt`, `*requirements.txt`, `constraints*.txt`, `requirements/*.txt`
    Requirements,
}

impl LockFormat {
    /// Every format.
    pub const ALL: [Self; 9] = [
        Self::Cargo,
        Self::Npm,
        Self::Yarn,
        Self::Pnpm,
        Self::Poetry,
        Self::Uv,
        Self::Gemfile,
        Self::Go,
        Self::Requirements,
    ];

    /// The format of the file at `path`, if it is one of these. Letter case does not matter.
    #[must_use]
    pub fn of_path(path: &[u8]) -> Option<Self> {
        let path = path.to_ascii_lowercase();
        let path = std::str::from_utf8(&path).ok()?;
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parent = parent.rsplit('/').next().unwrap_or_default();
        match name {
            "cargo.lock" => Some(Self::Cargo),
            "package-lock.json" | "npm-shrinkwrap.json" => Some(Self::Npm),
            "yarn.lock" => Some(Self::Yarn),
            "pnpm-lock.yaml" => Some(Self::Pnpm),
            "poetry.lock" => Some(Self::Poetry),
            "gems.locked" => Some(Self::Gemfile),
            "go.sum" | "go.work.sum" => Some(Self::Go),
            _ if name == "uv.lock" || name.ends_with(".py.lock") => Some(Self::Uv),
            _ if name == "gemfile.lock" || name.ends_with(".gemfile.lock") => Some(Self::Gemfile),
            _ => {
                let stem = name.strip_suffix(".txt")?;
                let named = ["requirements", "constraints"].iter().any(|word| stem.starts_with(word));
                (named || stem.ends_with("requirements") || parent == "requirements")
                    .then_some(Self::Requirements)
            }
        }
    }

    /// What it is called.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cargo => "cargo",
            Self::Npm => "npm",
            Self::Yarn => "yarn",
            Self::Pnpm => "pnpm",
            Self::Poetry => "poetry",
            Self::Uv => "uv",
            Self::Gemfile => "gemfile",
            Self::Go => "go",
            Self::Requirements => "requirements",
        }
    }
}
