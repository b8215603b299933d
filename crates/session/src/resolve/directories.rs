//! Workspaces, mounts and git directories: opened, judged, and put into the authority.

use super::{Opened, workspace};
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::request::RunRequest;
use crate::system::OWN_PLACE;
use cofferdam_policy::authority::{Access, Authority, Mount, Purpose, Workspace};
use cofferdam_policy::layout::Inode;
use cofferdam_policy::path::AbsPath;
use cofferdam_policy::presets::system::{DIRECTORIES as SYSTEM_DIRECTORIES, MERGED};
use cofferdam_policy::wish::Wish;
use cofferdam_workspace::git::places;
use cofferdam_workspace::ground::{Ground, GroundError, Surroundings, inspect};
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The most mounts of one session.
const MOUNTS_MAX: usize = 256;

/// Where mounts may not be put: the cell's own directories.
const OWN_TARGETS: [&str; 13] = [
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/proc", "/dev", "/sys", "/run",
    OWN_PLACE,
];

/// What has been found so far.
pub(super) struct Found<'c> {
    context: &'c Context,
    copy: bool,
    pub(super) denied: Vec<AbsPath>,
    pub(super) workspaces: Vec<Workspace>,
    pub(super) mounts: Vec<Mount>,
    pub(super) inodes: BTreeMap<AbsPath, Inode>,
    pub(super) opened: BTreeMap<AbsPath, Opened>,
}

/// The first workspace: the first `-w`, else the git top level of the current directory, else that directory.
pub(super) fn first(context: &Context, request: &RunRequest) -> Result<PathBuf, Error> {
    let wanted = match request.workspaces.first() {
        Some(path) => context.current.join(path),
        None => top_level(context, &context.current),
    };
    match std::fs::canonicalize(&wanted) {
        Ok(real) => Ok(real),
        Err(_) => Err(unusable(&wanted, GroundError::Missing { path: wanted.clone() })),
    }
}

/// The nearest directory above that holds a `.git` of the owner's own, else `start` itself. Another user's, in a
/// directory that all may write to, must not widen what is shown.
fn top_level(context: &Context, start: &Path) -> PathBuf {
    use std::os::unix::fs::MetadataExt as _;
    let own = |directory: &&Path| {
        std::fs::symlink_metadata(directory.join(".git")).is_ok_and(|found| found.uid() == context.uid)
    };
    // The directory itself is the owner's choice, whoever made its `.git`.
    let chosen = std::fs::symlink_metadata(start.join(".git")).is_ok();
    if chosen { start.to_owned() } else { start.ancestors().find(own).unwrap_or(start).to_owned() }
}

/// The directories that no wish can show.
pub(super) fn denied(context: &Context, wish: &Wish, first: &Path) -> Result<Vec<AbsPath>, Error> {
    let resolve = |text: &String| {
        let cannot = || Error::new(ErrorKind::Policy, format!("cannot deny {text:?}"));
        let denied = AbsPath::new(settled(&context.expand(text, first))).map_err(|error| {
            cannot().because(error).hint("write an absolute path, or one that begins with ~/")
        })?;
        let shown = SYSTEM_DIRECTORIES.iter().chain(&MERGED).find(|tree| denied.as_path().starts_with(tree));
        match shown {
            Some(tree) => Err(cannot()
                .since(format!("every cell shows {tree}, where programs and libraries lie"))
                .hint("take it from `deny.paths`, and keep private files elsewhere")),
            None => Ok(denied),
        }
    };
    wish.deny.paths.iter().map(resolve).collect()
}

/// A path without links, as far as it exists; the rest as it is written. A denial so holds at the place where its path
/// leads to, also when the last part of it is made later.
fn settled(path: &Path) -> PathBuf {
    let mut rest = Vec::new();
    for above in path.ancestors() {
        if let Ok(real) = std::fs::canonicalize(above) {
            return rest.into_iter().rev().fold(real, |real: PathBuf, name| real.join(name));
        }
        rest.extend(above.file_name());
    }
    path.to_owned()
}

impl<'c> Found<'c> {
    pub(super) fn new(context: &'c Context, copy: bool, denied: Vec<AbsPath>) -> Self {
        Self {
            context,
            copy,
            denied,
            workspaces: Vec::new(),
            mounts: Vec::new(),
            inodes: BTreeMap::new(),
            opened: BTreeMap::new(),
        }
    }

    /// The first workspace and the others, of the flags and of the policy.
    pub(super) fn workspaces(
        &mut self,
        first: &Path,
        request: &RunRequest,
        wish: &Wish,
    ) -> Result<(), Error> {
        let instructions = self.based(&wish.instructions, request.wish.instructions.len(), first);
        let shown: Vec<PathBuf> = instructions
            .iter()
            .filter_map(|(text, base)| std::fs::canonicalize(self.context.expand(text, base)).ok())
            .collect();
        let flagged = request.workspaces.iter().skip(1).map(|path| self.context.current.join(path));
        let wished = wish.workspaces.iter().map(|text| self.context.expand(text, first));
        let others: Vec<PathBuf> = flagged.chain(wished).collect();
        self.workspace(first, true)?;
        for path in others {
            let real = std::fs::canonicalize(&path)
                .map_err(|_missing| unusable(&path, GroundError::Missing { path: path.clone() }))?;
            if self.workspaces.iter().any(|known| known.path.as_path() == real) {
                continue;
            }
            self.workspace(&real, shown.contains(&real))?;
        }
        self.check_instructions(&instructions)?;
        Ok(())
    }

    /// Each text with the directory that it is relative to: for the last ones, which are flags, the current one, for
    /// the others, which a policy or a request brought, the first workspace.
    fn based<'t>(&self, texts: &'t [String], flags: usize, first: &'t Path) -> Vec<(&'t String, &'t Path)>
    where
        'c: 't,
    {
        let brought = texts.len().saturating_sub(flags);
        let current = self.context.current.as_path();
        texts.iter().enumerate().map(|(n, text)| (text, if n < brought { first } else { current })).collect()
    }

    /// A misspelt directory would otherwise quietly hide what was to be shown.
    fn check_instructions(&self, instructions: &[(&String, &Path)]) -> Result<(), Error> {
        let is_workspace = |(text, base): &(&String, &Path)| {
            let real = std::fs::canonicalize(self.context.expand(text, base));
            real.is_ok_and(|real| self.workspaces.iter().any(|known| known.path.as_path() == real))
        };
        match instructions.iter().find(|named| !is_workspace(named)) {
            None => Ok(()),
            Some((text, _)) => {
                Err(Error::new(ErrorKind::Workspace, format!("cannot show the instructions of {text:?}"))
                    .since("it is not a workspace of this session")
                    .hint("name it as one too: -w DIR --instructions DIR"))
            }
        }
    }

    fn workspace(&mut self, path: &Path, instructions: bool) -> Result<(), Error> {
        let others: Vec<AbsPath> = self.workspaces.iter().map(|known| known.path.clone()).collect();
        let surroundings = Surroundings {
            home: &self.context.home,
            state: &self.context.state,
            others: &others,
            copied: self.copy,
        };
        let ground = inspect(path, &surroundings).map_err(|error| unusable(path, error))?;
        self.check_shown(&ground.path)?;
        if let (false, Some(mount)) = (self.copy, ground.mounts_below.first()) {
            return Err(Error::new(
                ErrorKind::Workspace,
                format!("cannot use {} as a workspace", ground.path),
            )
            .since(format!("another file system is mounted inside it, at {}", mount.point.display()))
            .hint("use --copy, or name the directory that you need as the workspace"));
        }
        self.workspaces.push(workspace(ground.path.clone(), self.copy, instructions));
        self.note(ground.path.clone(), ground);
        Ok(())
    }

    /// Whose files the agent will find that it can't change: inside it has the owner's rights, and no others.
    pub(super) fn foreign(&self, notes: &mut Vec<String>) {
        for known in &self.workspaces {
            let opened = self.opened.get(&known.path).and_then(|opened| rustix::fs::fstat(&opened.fd).ok());
            let Some(uid) = opened.map(|found| found.st_uid).filter(|uid| *uid != self.context.uid) else {
                continue;
            };
            notes.push(format!(
                "{} belongs to uid {uid}, not to you: the agent can read it, but change only what everybody may; start as that user to let it work there",
                known.path
            ));
        }
    }

    fn note(&mut self, target: AbsPath, ground: Ground) {
        let inode = Inode { device: ground.dev, number: ground.ino };
        self.keep(target, inode, Opened { path: ground.path, fd: ground.fd });
    }

    fn keep(&mut self, target: AbsPath, inode: Inode, opened: Opened) {
        self.inodes.insert(target.clone(), inode);
        self.opened.insert(target, opened);
    }

    /// The git directories that workspaces point to, each at its own path.
    pub(super) fn git(&mut self, notes: &mut Vec<String>) -> Result<(), Error> {
        let workspaces: Vec<AbsPath> = self.workspaces.iter().map(|known| known.path.clone()).collect();
        for path in workspaces {
            let found = places::find(&path, &path).map_err(|error| {
                Error::new(ErrorKind::Workspace, format!("cannot use {path} as a workspace"))
                    .because(error)
                    .hint("mend the repository; git itself shows more: git status")
            })?;
            let Some(found) = found else { continue };
            for refused in &found.refused {
                notes.push(format!(
                    "{}: a git pointer that is not followed ({})",
                    refused.path.display(),
                    refused.reason
                ));
            }
            for place in found.outside {
                if matches!(place.role, places::Role::Alternate | places::Role::LfsStorage) {
                    notes.push(format!(
                        "{path} borrows from {}, which is shown read-only or copy-on-write",
                        place.path
                    ));
                }
                let target = place.path;
                if self.is_shown(&target) {
                    continue;
                }
                let access = match place.access {
                    places::Access::CopyOnWrite => Access::Cow,
                    places::Access::ReadOnly => Access::Ro,
                };
                self.directory(&target, &target, access, Purpose::Git(path.clone()))?;
            }
        }
        Ok(())
    }

    /// `SRC[:DST][:ro|:cow]`, each.
    pub(super) fn mounts(
        &mut self,
        wish: &Wish,
        request: &RunRequest,
        first: &Path,
        notes: &mut Vec<String>,
    ) -> Result<(), Error> {
        let mounts = self.based(&wish.mounts, request.wish.mounts.len(), first);
        for (text, base) in mounts {
            let (source, target, access) = self.parse_mount(text, base)?;
            let source = std::fs::canonicalize(&source).map_err(|error| {
                Error::new(ErrorKind::Workspace, format!("cannot mount {}", source.display()))
                    .because(error)
                    .hint("name a directory or file that exists")
            })?;
            let real = absolute(&source)?;
            if self.denied.iter().any(|denied| real.is_within(denied)) {
                notes.push(format!("denied by policy: mount {real}"));
                continue;
            }
            let target = target.unwrap_or_else(|| real.clone());
            self.check_source(&real)?;
            self.check_target(&target)?;
            if source.is_dir() {
                self.directory(&real, &target, access, Purpose::Chosen)?;
            } else {
                self.file(&real, &target, Purpose::Chosen)?;
            }
        }
        Ok(())
    }

    fn parse_mount(&self, text: &str, first: &Path) -> Result<(PathBuf, Option<AbsPath>, Access), Error> {
        let (rest, access) = match text.rsplit_once(':') {
            Some((rest, "ro")) => (rest, Access::Ro),
            Some((rest, "cow")) => (rest, Access::Cow),
            Some(_) | None => (text, Access::Ro),
        };
        if rest.is_empty() || rest.starts_with(':') {
            return Err(Error::new(ErrorKind::Usage, format!("cannot mount {text:?}"))
                .since("it names no source")
                .hint("write --mount SRC[:DST][:ro|:cow]"));
        }
        // A name may hold a colon: the whole is tried first.
        let whole = self.context.expand(rest, first);
        if whole.exists() {
            return Ok((whole, None, access));
        }
        match rest.split_once(':') {
            Some((source, target))
                if (target.starts_with('/') || target.starts_with("~/")) && !target.contains(':') =>
            {
                let target = self.context.expand(target, first);
                Ok((self.context.expand(source, first), Some(absolute(&target)?), access))
            }
            Some((_, mode)) => Err(Error::new(ErrorKind::Usage, format!("cannot mount {text:?}"))
                .since(format!("{mode:?} is neither an absolute target nor one of ro, cow"))
                .hint("write --mount SRC[:DST][:ro|:cow]")),
            None => Ok((whole, None, access)),
        }
    }

    /// Adds a directory of the host's.
    pub(super) fn directory(
        &mut self,
        source: &AbsPath,
        target: &AbsPath,
        access: Access,
        purpose: Purpose,
    ) -> Result<(), Error> {
        self.check_shown(source)?;
        let (inode, opened) = open_directory(source)?;
        self.push(Mount { source: source.clone(), target: target.clone(), access, file: false, purpose })?;
        self.keep(target.clone(), inode, opened);
        Ok(())
    }

    /// Adds a regular file of the host's, read-only.
    pub(super) fn file(&mut self, source: &AbsPath, target: &AbsPath, purpose: Purpose) -> Result<(), Error> {
        self.check_shown(source)?;
        let inode = look_at_file(source)?;
        let (source, target) = (source.clone(), target.clone());
        self.push(Mount { source, target: target.clone(), access: Access::Ro, file: true, purpose })?;
        self.inodes.insert(target, inode);
        Ok(())
    }

    /// Whether the workspaces still point to each git directory that an authority names: it was mounted on their word.
    pub(super) fn check_git_again(&self, authority: &Authority) -> Result<(), Error> {
        let mut named = BTreeSet::new();
        for workspace in &authority.workspaces {
            let found = places::find(&workspace.path, &workspace.path).ok().flatten();
            named.extend(found.into_iter().flat_map(|found| found.outside).map(|place| place.path));
        }
        let stray = |mount: &&Mount| {
            matches!(mount.purpose, Purpose::Git(_))
                && !named.iter().any(|place| mount.source.is_within(place))
        };
        match authority.mounts.iter().find(stray) {
            None => Ok(()),
            Some(mount) => {
                Err(Error::new(ErrorKind::Workspace, format!("cannot show {} again", mount.source))
                    .since("the repository does not point to it any more")
                    .hint("mend the repository (git status), or start a new session"))
            }
        }
    }

    /// Looks again at something that an authority names; what is denied by now is not shown again.
    pub(super) fn reopen(
        &mut self,
        source: &AbsPath,
        target: &AbsPath,
        file: bool,
        workspace: bool,
    ) -> Result<(), Error> {
        self.check_shown(source)?;
        if file {
            let inode = look_at_file(source)?;
            self.inodes.insert(target.clone(), inode);
            return Ok(());
        }
        if workspace {
            let (home, state) = (&self.context.home, &self.context.state);
            // What it lies on was judged at the first start; a copy stays one.
            let surroundings = Surroundings { home, state, others: &[], copied: true };
            let ground = inspect(source.as_path(), &surroundings)
                .map_err(|error| unusable(source.as_path(), error))?;
            if ground.path != *source {
                return Err(unusable(source.as_path(), GroundError::Moved { path: source.clone() }));
            }
            self.note(target.clone(), ground);
        } else {
            let (inode, opened) = open_directory(source)?;
            self.keep(target.clone(), inode, opened);
        }
        Ok(())
    }

    fn push(&mut self, mount: Mount) -> Result<(), Error> {
        let taken = self.mounts.iter().any(|known| known.target == mount.target)
            || self.workspaces.iter().any(|known| known.path == mount.target);
        if taken {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("cannot mount {} at {}", mount.source, mount.target),
            )
            .since("something else is mounted there")
            .hint("name each target once"));
        }
        if self.mounts.len() >= MOUNTS_MAX {
            return Err(Error::new(ErrorKind::Usage, format!("cannot mount {}", mount.source))
                .since(format!("a session has at most {MOUNTS_MAX} mounts"))
                .hint("mount a directory above them instead"));
        }
        self.mounts.push(mount);
        Ok(())
    }

    pub(super) fn is_shown(&self, path: &AbsPath) -> bool {
        self.workspaces.iter().any(|known| path.is_within(&known.path))
            || self.mounts.iter().any(|known| path.is_within(&known.source) && known.source == known.target)
    }

    /// Neither denied nor our own.
    pub(super) fn check_shown(&self, path: &AbsPath) -> Result<(), Error> {
        self.check_denied(path)?;
        self.check_ours(path)
    }

    fn check_denied(&self, path: &AbsPath) -> Result<(), Error> {
        match self.denied.iter().find(|denied| path.is_within(denied)) {
            Some(denied) => Err(Error::new(ErrorKind::Policy, format!("cannot show {path}"))
                .since(format!("the policy denies {denied}"))
                .hint("take it from `deny.paths` of the policy first")),
            None => Ok(()),
        }
    }

    /// Whole homes are never shown.
    fn check_source(&self, source: &AbsPath) -> Result<(), Error> {
        if self.context.home.is_within(source) {
            return Err(Error::new(ErrorKind::Workspace, format!("cannot mount {source}"))
                .since("your home directory lies in it, with all that is in there")
                .hint("name the directory inside it that is needed"));
        }
        Ok(())
    }

    /// What Cofferdam itself goes by is nothing that an agent may work on.
    fn check_ours(&self, path: &AbsPath) -> Result<(), Error> {
        let ours = [&self.context.state, &self.context.config];
        match ours.into_iter().find(|ours| path.is_within(ours) || ours.is_within(path)) {
            Some(ours) => Err(Error::new(ErrorKind::Workspace, format!("cannot show {path}"))
                .since(format!("Cofferdam keeps its own files in {ours}"))
                .hint("name the directory inside it that is needed")),
            None => Ok(()),
        }
    }

    fn check_target(&self, target: &AbsPath) -> Result<(), Error> {
        let own = OWN_TARGETS.iter().find(|own| target.as_path().starts_with(own));
        // What `/etc` leads to would be hidden with what lies above it.
        let names = Path::new(OWN_PLACE).starts_with(target.as_path()).then_some(&OWN_PLACE);
        let own = own.or(names);
        let root = target.as_str() == "/" || *target == self.context.home;
        let hides = self.workspaces.iter().find(|known| known.path.is_within(target));
        let why = match (own, root, hides) {
            (Some(own), _, _) => format!("{own} is the cell's own"),
            (None, true, _) => "it would hide the cell's own directory".into(),
            (None, false, Some(workspace)) => format!("it would hide the workspace {}", workspace.path),
            (None, false, None) => return Ok(()),
        };
        Err(Error::new(ErrorKind::Usage, format!("cannot mount anything at {target}"))
            .since(why)
            .hint("choose another target: --mount SRC:DST"))
    }
}

fn open_directory(source: &AbsPath) -> Result<(Inode, Opened), Error> {
    let cannot = |errno| {
        Error::new(ErrorKind::Workspace, format!("cannot mount {source}"))
            .because(errno)
            .hint("check that it is a directory that you can read, and not a link by now")
    };
    let fd = open_without_links(source, OFlags::RDONLY | OFlags::DIRECTORY).map_err(cannot)?;
    let found = rustix::fs::fstat(&fd).map_err(cannot)?;
    Ok((Inode { device: found.st_dev, number: found.st_ino }, Opened { path: source.clone(), fd }))
}

/// What a path without links names; one that has become a link anywhere leads elsewhere now (ATTACKS 2).
fn open_without_links(path: &AbsPath, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::CLOEXEC;
    rustix::fs::openat2(CWD, path.as_path(), flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)
}

fn look_at_file(source: &AbsPath) -> Result<Inode, Error> {
    let cannot = |why: &str| {
        Error::new(ErrorKind::Workspace, format!("cannot mount {source}"))
            .since(why)
            .hint("name a directory or a regular file")
    };
    let found = open_without_links(source, OFlags::PATH).and_then(rustix::fs::fstat);
    let found = found.map_err(|errno| cannot(&errno.to_string()))?;
    // A socket or FIFO leads out of the cell, whatever the mount says (ATTACKS 3).
    if !rustix::fs::FileType::from_raw_mode(found.st_mode).is_file() {
        return Err(cannot("it is neither a directory nor a regular file"));
    }
    Ok(Inode { device: found.st_dev, number: found.st_ino })
}

fn absolute(path: &Path) -> Result<AbsPath, Error> {
    AbsPath::new(path).map_err(|error| {
        Error::new(ErrorKind::Workspace, "cannot use a path")
            .because(error)
            .hint("rename it, or mount it elsewhere")
    })
}

/// A directory that can't be a workspace, with what to do instead.
fn unusable(path: &Path, error: GroundError) -> Error {
    let hint = match &error {
        GroundError::Missing { .. } => "make it first, or check the path",
        GroundError::NotDirectory { .. } => "name the directory that the file lies in",
        GroundError::Root | GroundError::Home { .. } | GroundError::AboveHome { .. } => {
            "name the project's own directory: cofferdam run -w DIR -- COMMAND"
        }
        GroundError::NotOverlayable { .. } => "use --copy: the session then works on a copy",
        GroundError::Nested { .. } => "name only the outer one of the two",
        GroundError::State { .. } => "choose a directory outside Cofferdam's own state",
        GroundError::System { .. } => "copy it to a directory of your own first",
        GroundError::Path(_) => "rename the directory",
        GroundError::Open { .. } | GroundError::Moved { .. } | GroundError::Mounts(_) => {
            "check that you can read it, and try again"
        }
    };
    Error::new(ErrorKind::Workspace, format!("cannot use {path:?} as a workspace")).because(error).hint(hint)
}
