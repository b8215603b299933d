//! What each attempt at destruction has to itself: planted on the host's side, and compared there afterwards.
//!
//! The comparison goes by the host's own look at it: content, type, mode, time, attributes. It repairs nothing.

use std::fs::{self, File, FileTimes};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{IFlags, ioctl_getflags, llistxattr};

use crate::plants::{Plant, PlantError, Plants};

/// Two blocks, so that one of them can be taken out.
pub(super) const FILE_BYTES: usize = 8192;
/// When everything was last changed, as far as its time stamps say: seconds of the epoch, long ago.
const PLANTED_SECONDS: u64 = 1_600_000_000;

/// A blob as git keeps it, which nothing refers to.
const LOOSE_BLOB: &[u8] =
    b"\x78\x9c\x4b\xca\xc9\x4f\x52\x30\x36\x64\x70\x54\x48\x02\xb1\x4a\x32\x12\x4b\x14\xf2\xf2\x4b\
\x32\x32\xf3\xd2\x15\x8a\x52\xd3\x52\x8b\x8a\x15\x4a\xf2\xf5\xb8\x00\xfc\xe6\x0c\xee";
/// A blob that the planted names refer to.
const NAMED_BLOB: &[u8] =
    b"\x78\x9c\x4b\xca\xc9\x4f\x52\x30\xb2\x60\x70\x54\x48\x02\xb1\x4a\x32\x12\x4b\x14\xf2\x12\x73\
\x53\x8b\x15\x8a\x52\xd3\x52\x8b\x14\x4a\xf2\xf5\xb8\x00\xd3\xec\x0b\x9e";
const NAMED_BLOB_NAME: &str = "4a/d57e7ab9f502943e37f9fa5040e819f7179be7";
const NAMED_BLOB_ID: &str = "4ad57e7ab9f502943e37f9fa5040e819f7179be7";

/// What one attempt may destroy.
#[derive(Debug)]
pub(super) struct Victim {
    form: Form,
    /// The directory of this attempt alone.
    pub(super) directory: PathBuf,
    /// The repository of the workspace.
    pub(super) repository: PathBuf,
}

/// What a victim consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Two files, and a directory with a third.
    Files,
    /// What a build made, in a directory that git ignores.
    Ignored,
    /// A file that may not be written, in a directory that may not be written either.
    Sealed,
    /// A repository of its own.
    Repository,
    /// An object of the workspace's repository.
    Object,
    /// A reference of it.
    Reference,
    /// Its file of packed references.
    PackedReferences,
    /// The log of a reference.
    Log,
    /// The stash, with its log.
    Stash,
}

/// One file or directory, as planted.
#[derive(Debug)]
struct Entry {
    path: PathBuf,
    mode: u32,
    /// Of a directory, none.
    content: Option<Vec<u8>>,
}

impl Form {
    fn of(id: &str) -> Self {
        match id {
            "destroy-remove-ignored" => Self::Ignored,
            "destroy-remove-sealed" => Self::Sealed,
            "destroy-git-repository" => Self::Repository,
            "destroy-git-object" => Self::Object,
            "destroy-git-ref" => Self::Reference,
            "destroy-git-packed-refs" => Self::PackedReferences,
            "destroy-git-reflog" => Self::Log,
            "destroy-git-stash" => Self::Stash,
            _ => Self::Files,
        }
    }
}

impl Victim {
    /// The attempt's victim.
    pub(super) fn of(plants: &Plants) -> Result<Self, PlantError> {
        let workspace = Path::new(plants.text(Plant::Workspace)?);
        let directory = workspace.join("victims").join(plants.attempt());
        Ok(Self { form: Form::of(plants.attempt()), directory, repository: workspace.join(".git") })
    }

    /// Of the files, the first.
    pub(super) fn file(&self) -> PathBuf {
        self.directory.join("file")
    }

    /// Of the files, the second.
    pub(super) fn other(&self) -> PathBuf {
        self.directory.join("other")
    }

    /// The directory beside them.
    pub(super) fn tree(&self) -> PathBuf {
        self.directory.join("tree")
    }

    /// What the attempt goes for, in the repository.
    pub(super) fn in_repository(&self) -> Vec<PathBuf> {
        let names: &[&str] = match self.form {
            Form::Files | Form::Ignored | Form::Sealed | Form::Repository => &[],
            Form::Object => &["objects/ae/c482aff824ecb70caea64a08e43608485ef0cb"],
            Form::Reference => &["refs/tags/probe-victim"],
            Form::PackedReferences => &["packed-refs"],
            Form::Log => &["logs/refs/heads/probe-victim"],
            Form::Stash => &["logs/refs/stash", "refs/stash"],
        };
        names.iter().map(|name| self.repository.join(name)).collect()
    }

    /// Puts it there. What is there already is an error, and stays.
    pub(super) fn plant(&self) -> io::Result<()> {
        let entries = self.entries();
        for entry in &entries {
            entry.make()?;
        }
        entries.iter().rev().try_for_each(Entry::finish)
    }

    /// The first thing about it that isn't as it was planted.
    pub(super) fn what_was_lost(&self) -> Option<String> {
        let workspace = self.repository.parent()?;
        self.entries().iter().find_map(|entry| {
            let shown = entry.path.strip_prefix(workspace).unwrap_or(&entry.path).display().to_string();
            entry.difference().map(|difference| format!("{shown} {difference}"))
        })
    }

    fn entries(&self) -> Vec<Entry> {
        let own = |name: &str| self.directory.join(name);
        let lines = |name: &str| lines(&own(name));
        match self.form {
            Form::Files => vec![
                Entry::directory(&self.directory, 0o755),
                Entry::file(own("file"), 0o644, lines("file")),
                Entry::file(own("other"), 0o644, lines("other")),
                Entry::directory(&own("tree"), 0o755),
                Entry::file(own("tree/leaf"), 0o644, lines("tree/leaf")),
            ],
            Form::Ignored => vec![
                Entry::directory(&self.directory, 0o755),
                Entry::file(own(".gitignore"), 0o644, b"target/\n".to_vec()),
                Entry::directory(&own("target"), 0o755),
                Entry::file(own("target/output"), 0o644, lines("target/output")),
            ],
            Form::Sealed => vec![
                Entry::directory(&self.directory, 0o755),
                Entry::directory(&own("sealed"), 0o555),
                Entry::file(own("sealed/leaf"), 0o444, lines("sealed/leaf")),
            ],
            Form::Repository => vec![
                Entry::directory(&self.directory, 0o755),
                Entry::directory(&own(".git"), 0o755),
                Entry::file(own(".git/HEAD"), 0o644, b"ref: refs/heads/main\n".to_vec()),
                Entry::directory(&own(".git/objects"), 0o755),
                Entry::directory(&own(".git/refs"), 0o755),
            ],
            Form::Object | Form::Reference | Form::PackedReferences | Form::Log | Form::Stash => {
                self.in_repository().into_iter().map(|path| self.git_file(path)).collect()
            }
        }
    }

    fn git_file(&self, path: PathBuf) -> Entry {
        let id = NAMED_BLOB_ID;
        if self.form == Form::Object {
            return Entry::file(path, 0o444, LOOSE_BLOB.to_vec());
        }
        let is_log = path.strip_prefix(&self.repository).is_ok_and(|path| path.starts_with("logs"));
        let text = if is_log {
            let nothing = "0".repeat(id.len());
            format!("{nothing} {id} Probe <probe@probe.invalid> {PLANTED_SECONDS} +0000\tplanted\n")
        } else if self.form == Form::PackedReferences {
            format!("# pack-refs with: peeled fully-peeled sorted \n{id} refs/tags/probe-packed\n")
        } else {
            format!("{id}\n")
        };
        Entry::file(path, 0o644, text.into_bytes())
    }
}

/// Puts the blob there that planted names refer to, so that the repository stays whole.
pub(super) fn plant_named_blob(plants: &Plants) -> io::Result<()> {
    let victim = Victim::of(&plants.of("destroy-git-ref")).map_err(io::Error::other)?;
    let path = victim.repository.join("objects").join(NAMED_BLOB_NAME);
    let entry = Entry::file(path, 0o444, NAMED_BLOB.to_vec());
    entry.make()?;
    entry.finish()
}

/// Lets everything below `directory` be removed again, whatever modes and attributes it has got.
pub(super) fn unseal(directory: &Path) -> io::Result<()> {
    let kind = match fs::symlink_metadata(directory) {
        Ok(found) => found.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if kind.is_symlink() {
        return Ok(());
    }
    if !kind.is_dir() {
        return if kind.is_file() { clear_attributes(directory) } else { Ok(()) };
    }
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
    fs::read_dir(directory)?.try_for_each(|entry| unseal(&entry?.path()))
}

fn clear_attributes(path: &Path) -> io::Result<()> {
    let Some(attributes) = attributes(path).filter(|attributes| attributes.intersects(SEALS)) else {
        return Ok(());
    };
    let file = File::open(path)?;
    Ok(rustix::fs::ioctl_setflags(&file, attributes.difference(SEALS))?)
}

/// The attributes that forbid to change or remove a file.
const SEALS: IFlags = IFlags::IMMUTABLE.union(IFlags::APPEND);

fn attributes(path: &Path) -> Option<IFlags> {
    let file = File::options().read(true).custom_flags(NOT_WAITING).open(path).ok()?;
    ioctl_getflags(&file).ok()
}

/// `O_NONBLOCK | O_NOFOLLOW`: what lies there may be a FIFO or a link by now.
const NOT_WAITING: i32 =
    rustix::fs::OFlags::NONBLOCK.union(rustix::fs::OFlags::NOFOLLOW).bits().cast_signed();

fn lines(path: &Path) -> Vec<u8> {
    let line = format!("A line of the owner's in {}.\n", path.display());
    let mut bytes = line.repeat(FILE_BYTES / line.len() + 1).into_bytes();
    bytes.truncate(FILE_BYTES);
    bytes
}

impl Entry {
    fn directory(path: &Path, mode: u32) -> Self {
        Self { path: path.to_owned(), mode, content: None }
    }

    fn file(path: PathBuf, mode: u32, content: Vec<u8>) -> Self {
        Self { path, mode, content: Some(content) }
    }

    fn make(&self) -> io::Result<()> {
        let above = self.path.parent().map_or(Ok(()), fs::create_dir_all);
        above?;
        match &self.content {
            None => fs::DirBuilder::new().mode(0o700).create(&self.path),
            Some(content) => {
                let mut file = File::create_new(&self.path)?;
                io::Write::write_all(&mut file, content)
            }
        }
    }

    /// The mode and the time, which making what is inside would change.
    fn finish(&self) -> io::Result<()> {
        let time = planted_time();
        let times = FileTimes::new().set_accessed(time).set_modified(time);
        File::open(&self.path)?.set_times(times)?;
        fs::set_permissions(&self.path, fs::Permissions::from_mode(self.mode))
    }

    fn difference(&self) -> Option<String> {
        let Ok(found) = fs::symlink_metadata(&self.path) else {
            return Some("is gone".to_owned());
        };
        let (wanted, kind) = (self.content.is_none(), found.file_type());
        if kind.is_dir() != wanted || kind.is_file() == wanted {
            return Some(
                if kind.is_symlink() { "is a symbolic link now" } else { "has another type" }.to_owned(),
            );
        }
        let mode = found.mode() & 0o7777;
        if mode != self.mode {
            return Some(format!("has mode {mode:04o} in place of {:04o}", self.mode));
        }
        self.content
            .as_deref()
            .and_then(|content| self.content_difference(content, found.len()))
            .or_else(|| {
                let has_attributes = attributes(&self.path).is_some_and(|held| held.intersects(SEALS));
                has_attributes.then(|| "can't be changed any more".to_owned())
            })
            .or_else(|| has_own_attribute(&self.path).then(|| "has an extended attribute".to_owned()))
            .or_else(|| {
                let is_as_planted = u64::try_from(found.mtime()) == Ok(PLANTED_SECONDS);
                (!is_as_planted).then(|| "has another time of change".to_owned())
            })
    }

    fn content_difference(&self, content: &[u8], length: u64) -> Option<String> {
        if length != content.len() as u64 {
            return Some(format!("has {length} bytes in place of {}", content.len()));
        }
        match fs::read(&self.path) {
            Ok(bytes) if bytes == content => None,
            Ok(_) => Some("has other content".to_owned()),
            Err(error) => Some(format!("cannot be read: {error}")),
        }
    }
}

fn planted_time() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(PLANTED_SECONDS)
}

/// Any in the owner's own space of names: those of security modules may have been there.
fn has_own_attribute(path: &Path) -> bool {
    let mut names = [0_u8; 4096];
    let length = llistxattr(path, names.as_mut_slice()).unwrap_or(0);
    let names = names.get(..length).unwrap_or_default();
    names.split(|byte| *byte == 0).any(|name| name.starts_with(b"user."))
}
