//! A file or directory of the owner's that a preset names, and how its path is found.
//!
//! Lexical: it may not exist. What is never possible is a piece that is the whole home, or a directory above it.

use crate::path::{AbsPath, PathError};

/// How the owner's environment is asked: the value of a variable, if it is set and UTF-8.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PieceKind {
    /// A directory with all that is in it.
    Directory,
    /// A single file, or a link to one.
    File,
}

/// Where the path of a piece begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// In the owner's home.
    Home,
    /// Where an environment variable says, else at a path in the home.
    Variable {
        /// The variable.
        name: &'static str,
        /// Relative to the home.
        default: &'static str,
    },
    /// As [`Root::Variable`], for a variable that lists several directories separated by `:`; the first counts.
    FirstOf {
        /// The variable.
        name: &'static str,
        /// Relative to the home.
        default: &'static str,
    },
}

/// A file or directory that a preset names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Where its path begins.
    pub root: Root,
    /// What follows; empty for the root itself.
    pub below: &'static str,
    /// What it is.
    pub kind: PieceKind,
}

/// Why a piece was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PieceError {
    /// The variable holds no absolute, plain path.
    #[error("cannot use {variable} as a directory")]
    Variable {
        /// Its name.
        variable: &'static str,
        /// What is wrong with it.
        source: PathError,
    },
    /// The variable would bring the whole home, or more, into the cell.
    #[error("cannot use {variable}={path} as a directory of tools: the owner's home lies in it")]
    WholeHome {
        /// Its name.
        variable: &'static str,
        /// Its value.
        path: AbsPath,
    },
    /// The variable names a directory that holds more than these tools, and could not be emptied inside.
    #[error("cannot use {variable}={path} as a directory of tools: it is one of the system's")]
    System {
        /// Its name.
        variable: &'static str,
        /// Its value.
        path: AbsPath,
    },
    /// The home itself can't be extended by the piece's path.
    #[error("cannot name a path in the owner's home")]
    Path(#[from] PathError),
}

impl Piece {
    /// A directory in the home.
    pub(super) const fn directory(below: &'static str) -> Self {
        Self { root: Root::Home, below, kind: PieceKind::Directory }
    }

    /// A file in the home.
    pub(super) const fn file(below: &'static str) -> Self {
        Self { root: Root::Home, below, kind: PieceKind::File }
    }

    /// A directory below `root`.
    pub(super) const fn directory_in(root: Root, below: &'static str) -> Self {
        Self { root, below, kind: PieceKind::Directory }
    }

    /// A file below `root`.
    pub(super) const fn file_in(root: Root, below: &'static str) -> Self {
        Self { root, below, kind: PieceKind::File }
    }

    /// Its path, for an owner with this home and environment.
    ///
    /// # Errors
    /// [`PieceError`], where a variable of the owner's leads nowhere sensible.
    pub fn resolve(&self, home: &AbsPath, environment: Environment<'_>) -> Result<AbsPath, PieceError> {
        let root = self.root.resolve(home, environment)?;
        let path = root.join(self.below)?;
        match (home.is_within(&path), self.root.variable()) {
            (true, Some(variable)) => Err(PieceError::WholeHome { variable, path }),
            _ => Ok(path),
        }
    }
}

impl Root {
    /// Its path, for an owner with this home and environment. An empty variable counts as unset.
    ///
    /// # Errors
    /// As [`Piece::resolve`].
    pub fn resolve(&self, home: &AbsPath, environment: Environment<'_>) -> Result<AbsPath, PieceError> {
        match self.set_by_owner(environment) {
            Some((variable, value)) => {
                AbsPath::new(value).map_err(|source| PieceError::Variable { variable, source })
            }
            None => Ok(home.join(self.default_below())?),
        }
    }

    /// The variable that it depends on.
    #[must_use]
    pub fn variable(&self) -> Option<&'static str> {
        match self {
            Self::Home => None,
            Self::Variable { name, .. } | Self::FirstOf { name, .. } => Some(name),
        }
    }

    /// The variable that it depends on with the owner's whole value, if set: to be set inside too, since pieces
    /// stand at their own paths.
    #[must_use]
    pub fn handed_on(&self, environment: Environment<'_>) -> Option<(&'static str, String)> {
        let variable = self.variable()?;
        environment(variable).filter(|value| !value.is_empty()).map(|value| (variable, value))
    }

    /// The variable and the path in it, if the owner has set it.
    fn set_by_owner(&self, environment: Environment<'_>) -> Option<(&'static str, String)> {
        let variable = self.variable()?;
        let value = environment(variable)?;
        let path = match self {
            Self::Home | Self::Variable { .. } => value,
            Self::FirstOf { .. } => value.split(':').next().unwrap_or_default().to_owned(),
        };
        (!path.is_empty()).then_some((variable, path))
    }

    fn default_below(&self) -> &'static str {
        match self {
            Self::Home => "",
            Self::Variable { default, .. } | Self::FirstOf { default, .. } => default,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARGO: Root = Root::Variable { name: "CARGO_HOME", default: ".cargo" };

    fn resolve(piece: Piece, value: Option<&str>) -> Result<String, PieceError> {
        let home = AbsPath::new("/home/me").unwrap();
        piece.resolve(&home, &|_| value.map(str::to_owned)).map(|path| path.to_string())
    }

    #[test]
    fn a_variable_of_the_owners_goes_before_the_default() {
        let bin = Piece::directory_in(CARGO, "bin");
        assert_eq!(resolve(bin, None).unwrap(), "/home/me/.cargo/bin");
        assert_eq!(resolve(bin, Some("")).unwrap(), "/home/me/.cargo/bin");
        assert_eq!(resolve(bin, Some("/opt/cargo")).unwrap(), "/opt/cargo/bin");
        assert_eq!(resolve(Piece::directory(".nvm"), Some("/opt")).unwrap(), "/home/me/.nvm");
        let list = Piece::directory_in(Root::FirstOf { name: "GOPATH", default: "go" }, "bin");
        assert_eq!(resolve(list, Some("/a:/b")).unwrap(), "/a/bin");
        assert_eq!(resolve(list, Some(":/b")).unwrap(), "/home/me/go/bin");
    }

    #[test]
    fn no_variable_brings_the_whole_home() {
        let whole = Piece::directory_in(CARGO, "");
        for value in ["/home/me", "/home", "/", "/home/me/"] {
            assert!(matches!(resolve(whole, Some(value)), Err(PieceError::WholeHome { .. })), "{value}");
        }
        assert!(resolve(whole, Some("/home/me/x")).is_ok());
        let me = Piece::directory_in(CARGO, "me");
        assert!(matches!(resolve(me, Some("/home")), Err(PieceError::WholeHome { .. })));
    }

    #[test]
    fn a_variable_that_is_no_plain_path_is_an_error_not_a_default() {
        for value in ["relative", "/a/../b", "/a\nb"] {
            let result = resolve(Piece::directory_in(CARGO, "bin"), Some(value));
            assert!(matches!(result, Err(PieceError::Variable { variable: "CARGO_HOME", .. })), "{value}");
        }
    }
}
