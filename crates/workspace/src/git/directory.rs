//! One git directory as a session sees it: every configuration file in it sanitised, credential files hidden.
//!
//! Submodules' git directories (`modules/`) and linked worktrees' (`worktrees/`) lie in it and are treated alike.

use super::config::{CONFIG_BYTES_MAX, ConfigError};
use super::sanitise::sanitise;
use super::traces;
use crate::beneath::{self, Listing};
use crate::path::{PathError, WorkspacePath, joined, visible};
use crate::veil::VeilPlan;
use cofferdam_policy::mask::git_directory_masks;
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::FileType;
use rustix::io::Errno;

/// The most configuration files that one git directory may have.
pub const CONFIG_FILES_MAX: usize = 10_000;

/// The most entries of `modules` and `worktrees` that are looked at.
const ENTRIES_MAX: usize = 100_000;

/// The mode of a configuration in the cell.
const CONFIG_MODE: u32 = 0o644;

/// What was done to one configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigReport {
    /// Where it lies, relative to the directory that the veil is for.
    pub path: WorkspacePath,
    /// Keys that are not shown.
    pub dropped: Vec<String>,
    /// Keys whose address lost its credentials.
    pub stripped: Vec<String>,
}

/// Why a git directory can't be shown.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Something in it can't be read.
    #[error("cannot read {path} of a git directory")]
    Read {
        /// Relative to the git directory, shown harmlessly.
        path: String,
        /// The kernel's answer.
        #[source]
        source: Errno,
    },
    /// A configuration is a link or no file at all.
    #[error("{path} of a git directory is not a plain file")]
    NotPlain {
        /// Relative to the git directory.
        path: String,
    },
    /// A configuration is not understood.
    #[error("cannot understand {path} of a git directory")]
    Config {
        /// Relative to the git directory.
        path: String,
        /// Where and why.
        #[source]
        source: ConfigError,
    },
    /// There are more than [`CONFIG_FILES_MAX`].
    #[error("a git directory has more than {CONFIG_FILES_MAX} configuration files")]
    TooMany,
    /// A name can't be used.
    #[error("a name in a git directory cannot be used")]
    Path(#[from] PathError),
}

/// Adds to `plan` what the git directory `directory` needs. `prefix` is its path below the directory that the veil is
/// for (empty if the veil is for the git directory itself).
///
/// # Errors
/// [`DirectoryError`]: the directory can't be shown then, or only hidden as a whole.
pub fn cover(
    directory: BorrowedFd<'_>,
    prefix: &[u8],
    plan: &mut VeilPlan,
) -> Result<Vec<ConfigReport>, DirectoryError> {
    let mut search = Search {
        directory,
        listing: Listing::new(),
        configs: Vec::new(),
        git_directories: Vec::new(),
        entries: 0,
    };
    search.git_directory(b"")?;
    let Search { configs, git_directories, .. } = search;
    let mut reports = Vec::new();
    for config in configs {
        let path = WorkspacePath::new(joined(prefix, &config))?;
        let bytes = read(directory, &config)?;
        let shown =
            sanitise(&bytes).map_err(|source| DirectoryError::Config { path: visible(&config), source })?;
        reports.push(ConfigReport { path: path.clone(), dropped: shown.dropped, stripped: shown.stripped });
        plan.replace(path, shown.text, CONFIG_MODE);
    }
    for path in git_directories {
        for (name, _reason) in git_directory_masks() {
            plan.hide_beforehand(WorkspacePath::new(joined(prefix, &joined(&path, name.as_bytes())))?);
        }
        traces::cover_git_directory(directory, &path, prefix, plan)?;
    }
    Ok(reports)
}

fn read(directory: BorrowedFd<'_>, path: &[u8]) -> Result<Vec<u8>, DirectoryError> {
    let bytes = beneath::read_small(directory, path, CONFIG_BYTES_MAX);
    let bytes = bytes.map_err(|source| DirectoryError::Read { path: visible(path), source })?;
    bytes.ok_or_else(|| DirectoryError::NotPlain { path: visible(path) })
}

struct Search<'a> {
    directory: BorrowedFd<'a>,
    listing: Listing,
    configs: Vec<Vec<u8>>,
    /// Itself, linked worktrees' and submodules'.
    git_directories: Vec<Vec<u8>>,
    entries: usize,
}

impl Search<'_> {
    /// `config`, `config.worktree`, those of the linked worktrees, and every submodule's.
    fn git_directory(&mut self, path: &[u8]) -> Result<(), DirectoryError> {
        // Submodules' names may hold slashes, so that `modules/a` can be a git directory or only lead to one.
        let mut pending = vec![path.to_vec()];
        while let Some(path) = pending.pop() {
            let is_git_directory = path.is_empty() || self.exists(&joined(&path, b"HEAD"))?;
            if !is_git_directory {
                pending.extend(self.directories(&path)?);
                continue;
            }
            for name in [&b"config"[..], b"config.worktree"] {
                self.add(joined(&path, name))?;
            }
            for worktree in self.directories(&joined(&path, b"worktrees"))? {
                self.add(joined(&worktree, b"config.worktree"))?;
                self.git_directories.push(worktree);
            }
            pending.extend(self.directories(&joined(&path, b"modules"))?);
            self.git_directories.push(path);
        }
        Ok(())
    }

    fn add(&mut self, path: Vec<u8>) -> Result<(), DirectoryError> {
        if self.exists(&path)? {
            if self.configs.len() >= CONFIG_FILES_MAX {
                return Err(DirectoryError::TooMany);
            }
            self.configs.push(path);
        }
        Ok(())
    }

    fn exists(&self, path: &[u8]) -> Result<bool, DirectoryError> {
        let (parent, name) = crate::path::split(path);
        let failed = |source| DirectoryError::Read { path: visible(path), source };
        match beneath::open(self.directory, parent, rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY)
        {
            Ok(parent) => beneath::stat_name(&parent, name).map(|stat| stat.is_some()).map_err(failed),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(false),
            Err(errno) => Err(failed(errno)),
        }
    }

    fn directories(&mut self, path: &[u8]) -> Result<Vec<Vec<u8>>, DirectoryError> {
        let failed = |source| DirectoryError::Read { path: visible(path), source };
        let fd = match beneath::open_directory(self.directory, path) {
            Ok(fd) => fd,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(Vec::new()),
            Err(errno) => return Err(failed(errno)),
        };
        let left = ENTRIES_MAX.saturating_sub(self.entries);
        let entries = self.listing.sorted(fd.as_fd(), left).map_err(|errno| match errno {
            Errno::OVERFLOW => DirectoryError::TooMany,
            errno => failed(errno),
        })?;
        self.entries = self.entries.saturating_add(entries.len());
        let directories = entries.iter().filter(|(_, kind)| *kind == FileType::Directory);
        Ok(directories.map(|(name, _)| joined(path, name.to_bytes())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ownership::Ownership;
    use crate::veil;
    use rustix::fd::OwnedFd;
    use rustix::fs::{CWD, Mode, OFlags};
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    const CREDENTIALS: &str = "[remote \"origin\"]\nurl = https://me:SECRET@host/a\n";

    /// What git, editors and people leave beside a configuration.
    const FORMER: [&str; 10] = [
        "credentials",
        "config~",
        "config.bak",
        "config.orig",
        "config.old",
        "config.save",
        "config.lock",
        ".config.swp",
        ".config.swo",
        "#config#",
    ];

    fn open(path: &Path) -> OwnedFd {
        rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap()
    }

    fn scene() -> tempfile::TempDir {
        let scene = tempfile::tempdir().unwrap();
        let git = scene.path().join("work/.git");
        for directory in ["", "worktrees/w", "modules/a", "modules/deep/name", "modules/a/modules/inner"] {
            fs::create_dir_all(git.join(directory)).unwrap();
            fs::write(git.join(directory).join("HEAD"), "ref: refs/heads/main\n").unwrap();
            fs::write(git.join(directory).join("config"), CREDENTIALS).unwrap();
        }
        fs::write(git.join("worktrees/w/config.worktree"), CREDENTIALS).unwrap();
        for directory in ["", "worktrees/w", "modules/a"] {
            for name in FORMER {
                fs::write(git.join(directory).join(name), "https://me:SECRET@host").unwrap();
            }
            fs::write(git.join(directory).join("FETCH_HEAD"), "of https://me:SECRET@host/a\n").unwrap();
            fs::create_dir_all(git.join(directory).join("logs/refs/heads")).unwrap();
            fs::write(git.join(directory).join("logs/refs/heads/main"), "pull https://me:SECRET@host/a\n")
                .unwrap();
            fs::write(git.join(directory).join("logs/HEAD"), "commit: plain\n").unwrap();
        }
        scene
    }

    #[test]
    fn every_configuration_below_a_git_directory_is_replaced_and_credentials_are_hidden() {
        let scene = scene();
        let mut plan = VeilPlan::default();
        let reports = cover(open(&scene.path().join("work/.git")).as_fd(), b".git", &mut plan).unwrap();
        let mut paths: Vec<String> = reports.iter().map(|report| report.path.to_string()).collect();
        paths.sort();
        let expected = [
            ".git/config",
            ".git/modules/a/config",
            ".git/modules/a/modules/inner/config",
            ".git/modules/deep/name/config",
            ".git/worktrees/w/config.worktree",
        ];
        assert_eq!(paths, expected);
        let real = open(&scene.path().join("work"));
        let built =
            veil::build(real.as_fd(), open(scene.path()).as_fd(), b"veil", &plan, Ownership::AsIs).unwrap();
        let mut replaced: Vec<String> = expected.map(str::to_owned).to_vec();
        for directory in [".git", ".git/worktrees/w", ".git/modules/a"] {
            for name in FORMER {
                let hidden = format!("{directory}/{name}");
                assert!(built.hidden.iter().any(|path| path.as_bytes() == hidden.as_bytes()), "{hidden}");
            }
            replaced.extend(["FETCH_HEAD", "logs/refs/heads/main"].map(|name| format!("{directory}/{name}")));
        }
        assert_eq!(built.replaced.len(), replaced.len(), "what holds no address is left alone");
        for path in replaced {
            let shown = fs::read_to_string(scene.path().join("veil").join(&path)).unwrap();
            assert!(shown.contains("https://host/a") && !shown.contains("SECRET"), "{path}: {shown}");
        }
    }

    #[test]
    fn a_configuration_that_is_a_link_or_not_understood_is_an_error() {
        let scene = scene();
        let git = scene.path().join("work/.git");
        let answer = |git: &Path| cover(open(git).as_fd(), b"", &mut VeilPlan::default());
        fs::write(git.join("config"), "[broken").unwrap();
        assert!(matches!(answer(&git), Err(DirectoryError::Config { .. })));
        fs::remove_file(git.join("config")).unwrap();
        symlink("HEAD", git.join("config")).unwrap();
        assert!(matches!(answer(&git), Err(DirectoryError::NotPlain { .. })));
    }
}
