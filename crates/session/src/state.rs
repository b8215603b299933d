//! The state directory: where the ledger and each session's layers lie, all for the owner alone.

use crate::context::Context;
use crate::error::{Error, ErrorKind};
use cofferdam_ledger::Ledger;
use cofferdam_policy::path::AbsPath;
use cofferdam_policy::session_id::SessionId;
use cofferdam_syscall::process::{Fork, Namespaces, clone_into_namespaces, exit_now};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::cell::RefCell;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The layout of the state directory.
#[derive(Debug)]
pub struct State {
    root: AbsPath,
    /// Kept open between records: opening reads the whole log.
    ledger: RefCell<Option<Rc<Ledger>>>,
}

/// The layout of one session's directory.
#[derive(Debug, Clone)]
pub struct SessionPlace {
    root: PathBuf,
}

const PRIVATE: Mode = Mode::from_raw_mode(0o700);

impl State {
    /// The state directory of this owner; made, for the owner alone, if it is missing.
    ///
    /// # Errors
    /// [`ErrorKind::State`] if it can't be made, belongs to somebody else or can be entered by others.
    pub fn open(context: &Context) -> Result<Self, Error> {
        let state = Self { root: context.state.clone(), ledger: RefCell::new(None) };
        for directory in [
            PathBuf::new(),
            "ledger".into(),
            "sessions".into(),
            "census".into(),
            "veils".into(),
            "etc".into(),
            "applies".into(),
            "authority".into(),
            "secrets".into(),
        ] {
            make_private(&state.root.as_path().join(directory), context.uid)?;
        }
        Ok(state)
    }

    /// The ledger, opened at the first call.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn ledger(&self) -> Result<Rc<Ledger>, Error> {
        let mut kept = self.ledger.borrow_mut();
        if let Some(ledger) = &*kept {
            return Ok(Rc::clone(ledger));
        }
        let ledger = Rc::new(Ledger::open(&self.root.as_path().join("ledger"))?);
        *kept = Some(Rc::clone(&ledger));
        Ok(ledger)
    }

    /// Closes the ledger: before a fork, whose child must not go on with it, and for a long rest.
    pub fn close_ledger(&self) {
        *self.ledger.borrow_mut() = None;
    }

    /// Moves the ledger's log into its file when it has grown long, so that starts stay quick. That waits for the
    /// disk, so a child does it, and nobody waits for the child.
    pub fn tidy_ledger(&self) {
        const LOG_BYTES_MAX: u64 = 256 << 10;
        let directory = self.root.as_path().join("ledger");
        let length = std::fs::metadata(directory.join("ledger.db-wal")).map_or(0, |found| found.len());
        if length <= LOG_BYTES_MAX {
            return;
        }
        self.close_ledger();
        // Without the child the log stays long, and SQLite shortens it in its own time.
        if let Ok(Fork::Child) = clone_into_namespaces(Namespaces::NONE) {
            let tidied =
                background().is_ok() && Ledger::open(&directory).and_then(|ledger| ledger.tidy()).is_ok();
            exit_now(i32::from(!tidied))
        }
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.as_path()
    }

    /// Where the censuses of workspaces are kept.
    #[must_use]
    pub fn census(&self) -> PathBuf {
        self.root.as_path().join("census")
    }

    /// Where veils lie that several sessions share.
    #[must_use]
    pub fn veils(&self) -> PathBuf {
        self.root.as_path().join("veils")
    }

    /// Where the parts of `/etc` lie that sessions share.
    pub(crate) fn etc(&self) -> PathBuf {
        self.root.as_path().join("etc")
    }

    /// Where the authority lies that the cells of this owner trust, if it was made.
    pub(crate) fn authority(&self) -> PathBuf {
        self.root.as_path().join("authority")
    }

    /// Where applies are kept, with what they replaced.
    pub(crate) fn applies(&self) -> PathBuf {
        self.root.as_path().join("applies")
    }

    /// Where all sessions lie.
    #[must_use]
    pub fn sessions(&self) -> PathBuf {
        self.root.as_path().join("sessions")
    }

    /// Where a session lies.
    #[must_use]
    pub fn session(&self, id: &SessionId) -> SessionPlace {
        SessionPlace { root: self.sessions().join(id.as_str()) }
    }
}

impl SessionPlace {
    /// The session's directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The agent's home.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// What the agent changed in mount `number`: holds `upper` and `work`.
    #[must_use]
    pub fn layer(&self, number: usize) -> PathBuf {
        self.root.join(format!("layer-{number}"))
    }

    /// What hides things in mount `number`.
    #[must_use]
    pub fn veil(&self, number: usize) -> PathBuf {
        self.root.join(format!("veil-{number}"))
    }

    /// The copy that stands for workspace `number`.
    #[must_use]
    pub fn copy(&self, number: usize) -> PathBuf {
        self.root.join(format!("copy-{number}"))
    }

    /// When it started, as files are measured by it.
    pub(crate) fn base(&self) -> PathBuf {
        self.root.join("base.json")
    }

    /// Which directories it started from.
    pub(crate) fn roots(&self) -> PathBuf {
        self.root.join("roots.json")
    }

    /// What applies left in the original of layer `number`.
    pub(crate) fn put(&self, number: usize) -> PathBuf {
        self.root.join(format!("put-{number}.json"))
    }

    /// What completed reviews took, each under the digest of that.
    pub(crate) fn reviews(&self) -> PathBuf {
        self.root.join("reviews")
    }

    /// Staged change sets, each under its digest.
    pub(crate) fn stages(&self) -> PathBuf {
        self.root.join("stage")
    }

    /// What its gateway noted of requests under way with a secret.
    pub(crate) fn trail(&self) -> PathBuf {
        self.root.join("trail")
    }

    /// What the program printed.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// Where the supervisor listens.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.root.join("socket")
    }
}

/// Makes a directory that only the owner may enter, or checks that an existing one is so.
pub(crate) fn make_private(path: &Path, uid: u32) -> Result<(), Error> {
    let cannot = |errno: Errno| {
        Error::new(ErrorKind::State, format!("cannot make the state directory {}", path.display()))
            .because(errno)
            .hint("set XDG_STATE_HOME to a directory that you can write")
    };
    let mut made = rustix::fs::mkdir(path, PRIVATE);
    if made == Err(Errno::NOENT) {
        let parent = path.parent().ok_or_else(|| cannot(Errno::NOENT))?;
        std::fs::create_dir_all(parent)
            .map_err(|error| cannot(error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error)))?;
        made = rustix::fs::mkdir(path, PRIVATE);
    }
    match made {
        Ok(()) => return Ok(()),
        // Also when another start was quicker.
        Err(Errno::EXIST) => {}
        Err(errno) => return Err(cannot(errno)),
    }
    let found = rustix::fs::lstat(path).map_err(cannot)?;
    if found.st_uid != uid || found.st_mode & 0o170_077 != 0o040_000 {
        return Err(Error::new(
            ErrorKind::State,
            format!("cannot use the state directory {}", path.display()),
        )
        .since("it must be a directory of your own that nobody else may enter")
        .hint(format!("chmod 700 {0}, or move it away", path.display())));
    }
    Ok(())
}

/// Puts a file of our own, for the owner alone, in place of what was there: whole or not at all, also after a loss of power.
///
/// # Errors
/// What the file system says.
pub(crate) fn put_file(directory: &Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let partial = directory.join(format!("{name}.partial"));
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = std::fs::File::from(rustix::fs::open(&partial, flags, Mode::RUSR | Mode::WUSR)?);
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&partial, directory.join(name))?;
    std::fs::File::open(directory)?.sync_all()
}

/// A session of its own, and nothing of the owner's terminal or pipes kept open.
pub(crate) fn background() -> Result<(), Errno> {
    rustix::process::setsid()?;
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    rustix::process::chdir("/")
}

/// Opens a directory of our own state.
///
/// # Errors
/// [`ErrorKind::State`].
pub fn open_directory(path: &Path) -> Result<OwnedFd, Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| {
        Error::new(ErrorKind::State, format!("cannot open {}", path.display()))
            .because(errno)
            .hint("cofferdam doctor --fix")
    })
}

/// Gives the owner back the way into a directory of the session's, whose permissions the agent may have taken away.
///
/// # Errors
/// [`ErrorKind::State`].
pub(crate) fn make_enterable(path: &Path) -> Result<(), Error> {
    let cannot = |errno: Errno| {
        Error::new(ErrorKind::State, format!("cannot open {}", path.display()))
            .because(errno)
            .hint("cofferdam doctor")
    };
    let found = rustix::fs::lstat(path).map_err(cannot)?;
    if found.st_mode & 0o170_700 == 0o040_700 {
        return Ok(());
    }
    rustix::fs::chmod(path, Mode::from_raw_mode(found.st_mode & 0o1777 | 0o700)).map_err(cannot)
}

/// Makes one directory of a session's, owned by `owner` (a host id) when given.
///
/// # Errors
/// [`ErrorKind::State`].
pub fn make_directory(path: &Path, owner: Option<u32>) -> Result<(), Error> {
    let cannot = |errno: Errno| {
        Error::new(ErrorKind::State, format!("cannot make {}", path.display()))
            .because(errno)
            .hint("is the disk full? cofferdam doctor")
    };
    match rustix::fs::mkdir(path, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(cannot(errno)),
    }
    if let Some(owner) = owner {
        let (uid, gid) = (rustix::fs::Uid::from_raw(owner), rustix::fs::Gid::from_raw(owner));
        rustix::fs::chown(path, Some(uid), Some(gid)).map_err(cannot)?;
    }
    Ok(())
}
