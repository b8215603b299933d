//! Building the cell's view of the file system: applies a plan's steps, one by one, and remembers the stage.
//!
//! Works in a mount namespace of its own. The *stage* is a tmpfs that holds the attached sources and, at `root`,
//! the view being built. When all sources are open it becomes the only root; the last step copies the namespace and
//! makes `root` its root, so that the agent's namespace never contains the stage, and the stage never the host. Targets are resolved without
//! following links and beneath the view (ATTACKS 2): on a resumed home the agent chose what lies there.

use crate::launch::during;
use crate::network::{self, Listeners};
use crate::sources;
use crate::wire::{Failure, LaunchAct};
use cofferdam_policy::path::AbsPath;
use cofferdam_policy::plan::{Identities, Layer, Plan, SourceId, Step, Through};
use cofferdam_syscall::mount::{MountAttributes, set_attributes};
use cofferdam_syscall::process::{Namespaces, unshare};
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Uid};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, UnmountFlags,
    fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount_change, move_mount,
    unmount,
};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

/// The view while it is built.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) plan: Plan,
    /// Detached mounts, by number of source; attached to the stage at their first use.
    trees: Vec<OwnedFd>,
    attached: Vec<bool>,
    /// The stage's root, from [`Step::Stage`] on.
    stage: Option<OwnedFd>,
    /// The view's root on the stage, likewise.
    root: Option<OwnedFd>,
    /// Directories of the view that are open, by path: most steps go to a few of them.
    open: RefCell<BTreeMap<AbsPath, Rc<OpenDirectory>>>,
    /// Made while the host's `/proc` is still in sight, as the kernel wants it.
    proc: Option<OwnedFd>,
    /// The step to be applied next.
    next: usize,
    /// The mount namespace that holds the stage, from [`Step::View`] on.
    pub(crate) stage_namespace: Option<OwnedFd>,
    /// What catches connections, from [`Step::Capture`] on.
    pub(crate) listeners: Option<Listeners>,
}

/// A directory of the view.
#[derive(Debug)]
struct OpenDirectory {
    fd: OwnedFd,
    /// Whether it is the agent's; then what is made in it is too.
    owned: bool,
}

/// Where the view is built, as seen on the stage.
pub(crate) const STAGED_VIEW: &str = "/root";

const DIRECTORY_MODE: Mode = Mode::from_raw_mode(0o755);
/// Where the stage is attached before it becomes the root: file systems of the kernel's own, where no source lies.
const STAGE_PLACES: [&str; 2] = ["/sys", "/proc"];
/// The most terminals of one cell: the host has a number of them for all.
const TERMINALS_MAX: &str = "256";
const STAGE_BYTES: &str = "1048576";

impl View {
    /// Nothing yet.
    pub(crate) fn new(plan: Plan) -> Self {
        Self {
            attached: vec![false; plan.sources.len()],
            plan,
            trees: Vec::new(),
            stage: None,
            root: None,
            open: RefCell::default(),
            proc: None,
            next: 0,
            stage_namespace: None,
            listeners: None,
        }
    }

    /// Applies the steps that come first and are about the network.
    pub(crate) fn make_network(&mut self) -> Result<(), Failure> {
        let is_next = |view: &Self| {
            matches!(view.plan.steps.get(view.next), Some(Step::Loopback | Step::Capture { .. }))
        };
        while is_next(self) {
            self.step()?;
        }
        Ok(())
    }

    /// Applies what there is of the plan, as far as the host's mounts are still there. `trees` are the sources that the
    /// guardian opened; without them they are opened here, with this process's own rights.
    pub(crate) fn begin(&mut self, trees: Vec<OwnedFd>) -> Result<(), Failure> {
        self.trees = trees;
        let private = MountPropagationFlags::REC | MountPropagationFlags::PRIVATE;
        mount_change("/", private).map_err(during(LaunchAct::Namespaces))?;
        self.open_sources()?;
        self.steps_before_the_leave()
    }

    /// Takes a plan that continues the one so far, and the sources that it adds, and goes on in the same way.
    pub(crate) fn go_on_with(&mut self, plan: Plan, trees: Vec<OwnedFd>) -> Result<(), Failure> {
        if !plan.continues(&self.plan) {
            return Err(during(LaunchAct::Plan)(Errno::BADMSG));
        }
        self.attached.resize(plan.sources.len(), false);
        self.plan = plan;
        self.trees.extend(trees);
        self.open_sources()?;
        self.steps_before_the_leave()
    }

    /// Applies the rest.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        while self.step()? {}
        Ok(())
    }

    /// The cell's own `/proc`.
    pub(crate) fn proc(&self) -> Result<OwnedFd, Errno> {
        self.place(&AbsPath::new("/proc").ok().ok_or(Errno::INVAL)?, OFlags::DIRECTORY)
    }

    /// The plan that was followed.
    pub(crate) fn into_plan(self) -> Plan {
        self.plan
    }

    /// The ids were dealt with by the guardian where it had the privilege; here the mounts of this namespace,
    /// which no longer propagate anything, are opened with the owner's own rights.
    fn open_sources(&mut self) -> Result<(), Failure> {
        for (number, source) in self.plan.sources.iter().enumerate().skip(self.trees.len()) {
            self.trees.push(sources::open(number, source, None)?);
        }
        Ok(())
    }

    fn steps_before_the_leave(&mut self) -> Result<(), Failure> {
        while self.plan.steps.get(self.next).is_some_and(|step| *step != Step::Leave) {
            self.step()?;
        }
        Ok(())
    }

    /// Applies the next step; `false` if there is none.
    fn step(&mut self) -> Result<bool, Failure> {
        let number = self.next;
        let Some(step) = self.plan.steps.get(number).cloned() else { return Ok(false) };
        self.next += 1;
        self.apply(&step).map_err(|errno| Failure::Step { step: number, errno: errno.raw_os_error() })?;
        Ok(true)
    }

    /// The stage: until the host is left, it lies over a directory of the host's in this namespace, which no source
    /// comes from.
    fn make_stage(&mut self, bytes_max: u64) -> Result<(), Errno> {
        self.proc =
            Some(new_mount("proc", &[("hidepid", "invisible")], &[], MountAttrFlags::MOUNT_ATTR_NOEXEC)?);
        let stage = tmpfs(STAGE_BYTES, "256", 0o755, None)?;
        let place = STAGE_PLACES.iter().find(|place| Path::new(place).is_dir()).ok_or(Errno::NOENT)?;
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(&stage, "", rustix::fs::CWD, *place, flags)?;
        for name in ["old", "root", "src", "empty"] {
            rustix::fs::mkdirat(&stage, name, DIRECTORY_MODE)?;
        }
        rustix::process::fchdir(&stage)?;
        let root = tmpfs(&bytes_max.to_string(), "65536", 0o755, None)?;
        move_mount(&root, "", &stage, "root", flags)?;
        self.root = Some(open_beneath(stage.as_fd(), Path::new("root"), OFlags::DIRECTORY)?);
        self.stage = Some(stage);
        Ok(())
    }

    fn leave_the_host(&mut self) -> Result<(), Errno> {
        let stage = self.stage.as_ref().ok_or(Errno::INVAL)?;
        rustix::process::fchdir(stage)?;
        rustix::process::pivot_root(".", "old")?;
        unmount("/old", UnmountFlags::DETACH)?;
        rustix::fs::unlinkat(stage, "old", AtFlags::REMOVEDIR)?;
        rustix::process::chdir("/")
    }

    fn apply(&mut self, step: &Step) -> Result<(), Errno> {
        match step {
            Step::Stage { bytes_max } => self.make_stage(*bytes_max),
            Step::Leave => self.leave_the_host(),
            Step::Hostname { name } => rustix::system::sethostname(name.as_bytes()),
            Step::Loopback => cofferdam_syscall::network::loopback_up(),
            Step::Capture { capture } => {
                self.listeners = Some(network::capture(capture)?);
                Ok(())
            }
            Step::Tmpfs { target, mode, bytes_max, inodes_max, owned } => {
                let owner = owned.then_some(&self.plan.identities);
                let mount = tmpfs(&bytes_max.to_string(), &inodes_max.to_string(), *mode, owner)?;
                self.attach(&mount, target)
            }
            Step::Directory { target, mode, owned } => self.directory(target, *mode, *owned),
            Step::File { target, mode, content } => self.file(target, *mode, content.as_bytes()).map(|_| ()),
            Step::Symlink { target, to } => {
                let (parent, name) = self.parent_of(target)?;
                rustix::fs::symlinkat(to.as_str(), &parent.fd, name)
            }
            Step::Overlay { target, lower, upper } => {
                lower
                    .iter()
                    .copied()
                    .chain(upper.map(|layer| layer.source))
                    .try_for_each(|source| self.put_on_stage(source))?;
                self.attach(&mount_overlay(lower, *upper)?, target)
            }
            Step::Bind { source, target, through } => self.bind(*source, target, *through),
            Step::Proc { target } => {
                let mount = self.proc.take().ok_or(Errno::INVAL)?;
                self.attach(&mount, target)
            }
            Step::Devpts { target } => {
                let mount = new_mount(
                    "devpts",
                    &[("mode", "0600"), ("ptmxmode", "0666"), ("max", TERMINALS_MAX)],
                    &["newinstance"],
                    MountAttrFlags::MOUNT_ATTR_NOEXEC,
                )?;
                self.attach(&mount, target)
            }
            Step::Mqueue { target } => {
                let mount = new_mount("mqueue", &[], &[], MountAttrFlags::MOUNT_ATTR_NOEXEC)?;
                self.attach(&mount, target)
            }
            Step::Freeze { target } => {
                let place = self.place(target, OFlags::DIRECTORY)?;
                set_attributes(place.as_fd(), MountAttributes::READ_ONLY)
            }
            Step::View => self.enter(),
        }
    }

    /// Attaches a source to the stage, where no agent ever is; a layer of an overlay is named by a path there.
    fn put_on_stage(&mut self, source: SourceId) -> Result<(), Errno> {
        let tree = self.trees.get(source).ok_or(Errno::BADF)?;
        let attached = self.attached.get_mut(source).ok_or(Errno::BADF)?;
        if !*attached {
            let path = staged_path(source);
            rustix::fs::mkdir(&path, DIRECTORY_MODE)?;
            move_mount(tree, "", rustix::fs::CWD, &path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
            *attached = true;
        }
        Ok(())
    }

    fn bind(&mut self, source: SourceId, target: &AbsPath, through: Through) -> Result<(), Errno> {
        let directory = self.plan.sources.get(source).ok_or(Errno::BADF)?.directory;
        let tree = self.trees.get(source).ok_or(Errno::BADF)?;
        leads_nowhere_else(tree, directory, through)?;
        let safe = MountAttributes::NO_SETUID;
        set_attributes(
            tree.as_fd(),
            match through {
                Through::Reading => safe.and(MountAttributes::NO_DEVICES).and(MountAttributes::READ_ONLY),
                Through::Writing => safe.and(MountAttributes::NO_DEVICES),
                Through::Device => safe,
            },
        )?;
        let place = if directory {
            self.directory(target, 0o755, true)?;
            self.place(target, OFlags::DIRECTORY)?
        } else {
            match self.file(target, 0o666, b"") {
                Ok(place) => place,
                // In a resumed home the last run's is there still; a link is not opened.
                Err(Errno::EXIST) => self.place(target, OFlags::empty())?,
                Err(errno) => return Err(errno),
            }
        };
        self.cover(tree.as_fd(), place.as_fd(), target)
    }

    fn enter(&mut self) -> Result<(), Errno> {
        let root = self.root.take().ok_or(Errno::INVAL)?;
        let path = Path::new("proc/self/ns/mnt");
        let open_namespace =
            || rustix::fs::openat(&root, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        self.stage_namespace = Some(open_namespace()?);
        unshare(Namespaces::MOUNT)?;
        // The copy has copies of all mounts: enter its own root by path.
        rustix::process::chdir(STAGED_VIEW)?;
        rustix::process::pivot_root(".", ".")?;
        unmount(".", UnmountFlags::DETACH)?;
        rustix::process::chdir("/")
    }

    fn directory(&self, target: &AbsPath, mode: u32, owned: bool) -> Result<(), Errno> {
        let (parent, name) = self.parent_of(target)?;
        make_directory(&parent.fd, name, self.owner(owned || parent.owned), mode)
    }

    /// Makes a file; its mode is the one that is asked for, as there is no umask here.
    fn file(&self, target: &AbsPath, mode: u32, content: &[u8]) -> Result<OwnedFd, Errno> {
        let (parent, name) = self.parent_of(target)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&parent.fd, name, flags, Mode::from_raw_mode(mode))?;
        let mut rest = content;
        while !rest.is_empty() {
            let written = rustix::io::retry_on_intr(|| rustix::io::write(&file, rest))?;
            rest = rest.get(written..).unwrap_or_default();
        }
        Ok(file)
    }

    fn attach(&self, mount: &OwnedFd, target: &AbsPath) -> Result<(), Errno> {
        self.directory(target, 0o755, false)?;
        let place = self.place(target, OFlags::DIRECTORY)?;
        self.cover(mount.as_fd(), place.as_fd(), target)
    }

    /// Attaches a mount; what was open at its place and below is out of sight from then on.
    fn cover(&self, mount: BorrowedFd<'_>, place: BorrowedFd<'_>, target: &AbsPath) -> Result<(), Errno> {
        self.open.borrow_mut().retain(|path, _| !path.is_within(target));
        attach_at(mount, place)
    }

    /// The directory above a target, made where it is missing, and the target's name.
    fn parent_of<'t>(&self, target: &'t AbsPath) -> Result<(Rc<OpenDirectory>, &'t Path), Errno> {
        let name = target.as_path().file_name().ok_or(Errno::INVAL)?;
        let parent = target.as_path().parent().and_then(|parent| AbsPath::new(parent).ok());
        Ok((self.opened(&parent.ok_or(Errno::INVAL)?)?, Path::new(name)))
    }

    /// A directory of the view, made with those above it where it is missing.
    fn opened(&self, path: &AbsPath) -> Result<Rc<OpenDirectory>, Errno> {
        if let Some(known) = self.open.borrow().get(path) {
            return Ok(Rc::clone(known));
        }
        let fd = if *path == AbsPath::root() {
            open_beneath(self.root.as_ref().ok_or(Errno::INVAL)?.as_fd(), Path::new("."), OFlags::DIRECTORY)?
        } else {
            let (parent, name) = self.parent_of(path)?;
            make_directory(&parent.fd, name, self.owner(parent.owned), 0o755)?;
            open_beneath(parent.fd.as_fd(), name, OFlags::DIRECTORY)?
        };
        let owned = rustix::fs::fstat(&fd)?.st_uid == self.plan.identities.uid;
        let directory = Rc::new(OpenDirectory { fd, owned });
        self.open.borrow_mut().insert(path.clone(), Rc::clone(&directory));
        Ok(directory)
    }

    fn owner(&self, owned: bool) -> Option<&Identities> {
        owned.then_some(&self.plan.identities)
    }

    /// Opens what a step made or found at a target.
    fn place(&self, target: &AbsPath, kind: OFlags) -> Result<OwnedFd, Errno> {
        if *target == AbsPath::root() {
            return open_beneath(self.root.as_ref().ok_or(Errno::INVAL)?.as_fd(), Path::new("."), kind);
        }
        let (parent, name) = self.parent_of(target)?;
        open_beneath(parent.fd.as_fd(), name, kind)
    }
}

/// Attaches a detached mount at an open place.
pub(crate) fn attach_at(mount: BorrowedFd<'_>, place: BorrowedFd<'_>) -> Result<(), Errno> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(mount, "", place, "", flags)
}

/// Where a source lies, seen from the stage's root, which is the working directory of who mounts.
pub(crate) fn staged_path(source: SourceId) -> String {
    format!("src/{source}")
}

/// An overlay of staged sources as a detached mount.
///
/// What the host's module parameters would change is said outright: no renames by redirection, no copying of
/// metadata alone, no index (it would bind the session's layer to one lower inode for ever), plain inode numbers.
pub(crate) fn mount_overlay(lower: &[SourceId], upper: Option<Layer>) -> Result<OwnedFd, Errno> {
    let mut layers: Vec<String> = lower.iter().copied().map(staged_path).collect();
    let attributes = match upper {
        Some(_) => MountAttrFlags::empty(),
        None => MountAttrFlags::MOUNT_ATTR_RDONLY,
    };
    if layers.len() == 1 && upper.is_none() {
        // Without an upper layer the kernel wants two lower ones.
        layers.insert(0, "empty".into());
    }
    let lower = layers.join(":");
    let mut options = vec![("lowerdir", lower.as_str())];
    options.extend([("redirect_dir", "nofollow"), ("metacopy", "off"), ("index", "off"), ("xino", "off")]);
    let Some(layer) = upper else {
        return new_mount("overlay", &options, &["userxattr"], attributes);
    };
    let own = staged_path(layer.source);
    let (upper, work) = (format!("{own}/upper"), format!("{own}/work"));
    options.extend([("upperdir", upper.as_str()), ("workdir", work.as_str())]);
    // `volatile`: an unmount would otherwise sync the whole disk; the review syncs what it stages.
    new_mount("overlay", &options, &["userxattr", "volatile"], attributes)
}

/// A socket or FIFO that is bound as it is would still lead to the host (ATTACKS 3, 5).
fn leads_nowhere_else(tree: &OwnedFd, directory: bool, through: Through) -> Result<(), Errno> {
    let found = FileType::from_raw_mode(rustix::fs::fstat(tree)?.st_mode);
    let wanted = match (directory, through) {
        (true, _) => FileType::Directory,
        (false, Through::Reading | Through::Writing) => FileType::RegularFile,
        (false, Through::Device) => FileType::CharacterDevice,
    };
    if found == wanted { Ok(()) } else { Err(Errno::OPNOTSUPP) }
}

/// Opens a path without following any link, the last part included, and without leaving `root`.
pub(crate) fn open_beneath(root: BorrowedFd<'_>, path: &Path, kind: OFlags) -> Result<OwnedFd, Errno> {
    rustix::fs::openat2(
        root,
        path,
        OFlags::PATH | OFlags::CLOEXEC | kind,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS,
    )
}

fn make_directory(parent: &OwnedFd, name: &Path, owner: Option<&Identities>, mode: u32) -> Result<(), Errno> {
    match rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(mode)) {
        Ok(()) => {}
        Err(Errno::EXIST) => return Ok(()),
        // On a read-only mount the directory is there already, or it can't be.
        Err(Errno::ROFS) => {
            return rustix::fs::accessat(parent, name, rustix::fs::Access::EXISTS, AtFlags::empty());
        }
        Err(errno) => return Err(errno),
    }
    let Some(identities) = owner else { return Ok(()) };
    let (uid, gid) = (Uid::from_raw(identities.uid), Gid::from_raw(identities.gid));
    rustix::fs::chownat(parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
}

fn tmpfs(bytes: &str, inodes: &str, mode: u32, owner: Option<&Identities>) -> Result<OwnedFd, Errno> {
    let mode = format!("{mode:o}");
    let mut options = vec![("size", bytes), ("nr_inodes", inodes), ("mode", &mode)];
    let ids = owner.map(|identities| (identities.uid.to_string(), identities.gid.to_string()));
    if let Some((uid, gid)) = &ids {
        options.push(("uid", uid));
        options.push(("gid", gid));
    }
    new_mount("tmpfs", &options, &[], MountAttrFlags::empty())
}

/// A new file system as a detached mount on which set-user-id bits have no effect, nor device nodes but terminals.
fn new_mount(
    kind: &str,
    options: &[(&str, &str)],
    flags: &[&str],
    attributes: MountAttrFlags,
) -> Result<OwnedFd, Errno> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in options {
        fsconfig_set_string(context.as_fd(), *key, *value)?;
    }
    for flag in flags {
        fsconfig_set_flag(context.as_fd(), *flag)?;
    }
    fsconfig_create(context.as_fd())?;
    // Terminals are device nodes, and nobody can make others on their file system.
    let nodes = if kind == "devpts" { MountAttrFlags::empty() } else { MountAttrFlags::MOUNT_ATTR_NODEV };
    let safe = MountAttrFlags::MOUNT_ATTR_NOSUID | nodes;
    fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, safe | attributes)
}
