//! One owner's world for one test: directories, environment, programs, and the census of what is left.
//!
//! It touches nothing outside its own directory, which lies where a disk is (`TMPDIR`, else `/var/tmp`): a tmpfs has no
//! user extended attributes before Linux 6.6.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::mount::{UnmountFlags, unmount};

use crate::census::{self, Marks, Mount, Process};
use crate::owner::Lease;
use crate::{Invocation, Owner, Plants, Repo, binary, must};

const NAME_PREFIX: &str = "cdt-";
/// How old a directory without a living test must be before another test sweeps it away.
const ABANDONED_SECONDS_MIN: i64 = 120;
/// How long processes have to be gone after they were killed, or after they should have ended.
const QUIET_SECONDS_MAX: u64 = 20;
/// What a login shell would have; none of it lies in anybody's home.
const PLAIN_PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";

/// A home directory, a work directory, an environment and a uid, for one test and gone with it.
#[derive(Debug)]
pub struct Home {
    root: PathBuf,
    owner: Owner,
    lease: Lease,
    /// Held until the process ends, however it ends: an unheld directory is an abandoned one.
    _held: File,
}

impl Home {
    /// A home of whoever runs the tests.
    #[track_caller]
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a default that makes directories would surprise")]
    pub fn new() -> Self {
        Self::of(Owner::current())
    }

    /// A home of `owner`; each ordinary owner has a uid that no other home has.
    #[track_caller]
    #[must_use]
    pub fn of(owner: Owner) -> Self {
        let lease = Lease::of(owner);
        let base = env::var_os("TMPDIR").map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from);
        let root = must(
            tempfile::Builder::new().prefix(NAME_PREFIX).rand_bytes(8).tempdir_in(&base),
            format_args!("make a directory in {}", base.display()),
        )
        .keep();
        let held = must(File::open(&root), "open the home");
        must(flock(&held, FlockOperation::LockExclusive), "hold the home");
        let home = Self { root, owner, lease, _held: held };
        home.lay_out(&base);
        sweep(&base, &home.root);
        home
    }

    #[track_caller]
    fn lay_out(&self, base: &Path) {
        must(
            fs::set_permissions(&self.root, fs::Permissions::from_mode(0o755)),
            "open the home to its owner",
        );
        if self.owner == Owner::Ordinary {
            for above in base.ancestors() {
                let mode = must(fs::metadata(above), format_args!("read {}", above.display())).mode();
                assert!(
                    mode & 0o001 != 0,
                    "an ordinary user cannot enter {}: set TMPDIR to a directory that everybody can enter",
                    above.display()
                );
            }
        }
        must(fs::create_dir(self.root.join("bin")), "make the home's bin");
        for directory in [self.home(), self.work(), self.runtime()] {
            must(fs::create_dir(&directory), format_args!("make {}", directory.display()));
            must(
                fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)),
                "close the home to others",
            );
            self.give(&directory);
        }
    }

    /// The directory that everything of this home lies in; its path is unique.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `$HOME`.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// Where projects go, and where programs start unless told otherwise. Outside `$HOME`.
    #[must_use]
    pub fn work(&self) -> PathBuf {
        self.root.join("work")
    }

    /// `$XDG_RUNTIME_DIR`.
    #[must_use]
    pub fn runtime(&self) -> PathBuf {
        self.root.join("run")
    }

    /// `$XDG_CONFIG_HOME/cofferdam`.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.home().join(".config/cofferdam")
    }

    /// `$XDG_STATE_HOME/cofferdam`.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.home().join(".local/state/cofferdam")
    }

    /// Whose it is.
    #[must_use]
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// The owner's uid.
    #[must_use]
    pub fn uid(&self) -> u32 {
        self.lease.uid
    }

    /// The owner's gid.
    #[must_use]
    pub fn gid(&self) -> u32 {
        self.lease.gid
    }

    /// A word that no other home has.
    #[must_use]
    pub fn tag(&self) -> String {
        self.root.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// A name for an abstract socket that no other home has.
    #[must_use]
    pub fn abstract_name(&self, name: &str) -> String {
        format!("{}-{name}", self.tag())
    }

    /// The product, as the owner would type it.
    #[track_caller]
    #[must_use]
    pub fn cofferdam(&self) -> Invocation {
        let directory = self.root.join("bin");
        // It looks for the others beside itself.
        for other in ["cofferdam-cell", "cofferdam-gateway"] {
            binary::share(other, &directory);
        }
        self.invoke(binary::share("cofferdam", &directory))
    }

    /// The path of the probe, readable and startable for every owner, outside home and work.
    #[track_caller]
    #[must_use]
    pub fn probe(&self) -> PathBuf {
        binary::share("cofferdam-probe", &self.root.join("bin"))
    }

    /// Any program, as the owner would start it from a plain `PATH`.
    #[must_use]
    pub fn invoke(&self, program: impl Into<OsString>) -> Invocation {
        Invocation::new(program, self.environment(), self.work(), self.identity())
    }

    /// A directory whose `bin` holds `claude`, `codex`, `opencode` and `pi`, readable for every owner.
    #[track_caller]
    #[must_use]
    pub fn agents(&self) -> PathBuf {
        let mine = self.root.join("agents");
        if !mine.exists() {
            let Some(kept) = env::var_os("COFFERDAM_TEST_AGENTS") else {
                panic!(
                    "the agent programs are not there: run `COFFERDAM_TEST_AGENTS=$(scripts/agents) cargo nextest run …`"
                )
            };
            // They are kept under a home that others cannot enter.
            binary::share_tree(Path::new(&kept), &mine);
        }
        mine
    }

    /// Makes a file (and the directories above it), the owner's, mode 0644. A relative path is below `work`.
    #[track_caller]
    pub fn write(&self, path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.work().join(path);
        if let Some(above) = path.parent() {
            self.directory(above);
        }
        must(fs::write(&path, bytes), format_args!("write {}", path.display()));
        self.give(&path);
        path
    }

    /// As [`Home::write`], but a file that holds these bytes already is left alone: somebody may be reading it.
    #[track_caller]
    pub fn keep(&self, path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> PathBuf {
        let known = self.work().join(&path);
        if fs::read(&known).is_ok_and(|found| found == bytes.as_ref()) {
            known
        } else {
            self.write(path, bytes)
        }
    }

    /// Makes a directory and those above it, the owner's. A relative path is below `work`.
    #[track_caller]
    pub fn directory(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = self.work().join(path);
        let missing: Vec<&Path> = path.ancestors().take_while(|above| !above.exists()).collect();
        must(fs::create_dir_all(&path), format_args!("make {}", path.display()));
        for made in missing {
            self.give(made);
        }
        path
    }

    /// Makes `count` small files below `work/name`, a hundred a directory.
    #[track_caller]
    pub fn many_files(&self, name: &str, count: usize) -> PathBuf {
        const FILES_PER_DIRECTORY: usize = 100;
        let top = self.directory(name);
        for number in 0..count {
            let directory = top.join(format!("d{:04}", number / FILES_PER_DIRECTORY));
            if number % FILES_PER_DIRECTORY == 0 {
                self.directory(&directory);
            }
            let path = directory.join(format!("f{number:06}.txt"));
            must(fs::write(&path, format!("file {number}\n")), format_args!("write {}", path.display()));
            self.give(&path);
        }
        top
    }

    /// A new git repository at `work/name`.
    #[track_caller]
    #[must_use]
    pub fn repo(&self, name: &str) -> Repo<'_> {
        Repo::init(self, self.work().join(name))
    }

    /// Things outside every cell that an attack goes for, which tell whether they were reached.
    #[track_caller]
    #[must_use]
    pub fn plants(&self) -> Plants {
        Plants::set(self)
    }

    /// Every process that belongs to this home, wherever it is in the tree of processes.
    #[must_use]
    pub fn processes(&self) -> Vec<Process> {
        census::processes(self.marks())
    }

    /// The mounts of the test's own mount namespace that have to do with this home: there must be none.
    #[track_caller]
    #[must_use]
    pub fn mounts(&self) -> Vec<Mount> {
        census::mounts(self.marks())
    }

    /// Waits until no process and no mount of this home is left; fails the test naming what is.
    #[track_caller]
    pub fn wait_until_quiet(&self) {
        let end = Instant::now() + Duration::from_secs(QUIET_SECONDS_MAX);
        loop {
            let (processes, mounts) = (self.processes(), self.mounts());
            if processes.is_empty() && mounts.is_empty() {
                return;
            }
            assert!(Instant::now() < end, "left behind: {processes:#?} {mounts:#?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn environment(&self) -> BTreeMap<OsString, OsString> {
        let home = self.home();
        let paths = [
            ("HOME", home.clone()),
            ("XDG_CONFIG_HOME", home.join(".config")),
            ("XDG_STATE_HOME", home.join(".local/state")),
            ("XDG_CACHE_HOME", home.join(".cache")),
            ("XDG_DATA_HOME", home.join(".local/share")),
            ("XDG_RUNTIME_DIR", self.runtime()),
        ];
        let words = [("LANG", "C.UTF-8"), ("PATH", PLAIN_PATH)];
        let paths = paths.into_iter().map(|(key, path)| (key.into(), path.into_os_string()));
        paths.chain(words.into_iter().map(|(key, word)| (key.into(), word.into()))).collect()
    }

    /// What a process has to become, or `None` when the test is that already.
    fn identity(&self) -> Option<(u32, u32)> {
        (self.owner != Owner::current()).then_some((self.lease.uid, self.lease.gid))
    }

    /// Makes `path` the owner's.
    #[track_caller]
    pub(crate) fn give(&self, path: &Path) {
        if let Some((uid, gid)) = self.identity() {
            must(lchown(path, Some(uid), Some(gid)), format_args!("give away {}", path.display()));
        }
    }

    fn marks(&self) -> Marks<'_> {
        Marks { root: &self.root, uid: self.identity().map(|(uid, _)| uid) }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let left = end_processes(self.marks());
        clear(&self.root);
        // During a panic a second one would abort the report of the first.
        if !std::thread::panicking() {
            assert!(left.is_empty(), "these did not die of SIGKILL: {left:#?}");
            assert!(!self.root.exists(), "cannot remove {}", self.root.display());
        }
    }
}

/// Kills until nothing is left, for what is killed may have forked; returns what does not die.
fn end_processes(marks: Marks<'_>) -> Vec<Process> {
    let end = Instant::now() + Duration::from_secs(QUIET_SECONDS_MAX);
    loop {
        let left = census::processes(marks);
        if left.is_empty() || Instant::now() > end {
            return left;
        }
        for process in &left {
            census::kill(process, marks);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Removes a home's directory, unmounting what is still mounted in it.
fn clear(root: &Path) {
    let mounted = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mut targets: Vec<&str> = mounted.lines().filter_map(|line| line.split(' ').nth(4)).collect();
    targets.retain(|target| Path::new(target).starts_with(root));
    for target in targets.into_iter().rev() {
        // Detached, so that a busy mount goes too; an ordinary user can have none here.
        let _kept = unmount(target, UnmountFlags::DETACH).is_err();
    }
    if fs::remove_dir_all(root).is_err() {
        // An overlay's work directory has mode 000, and tests take permissions away: give them back first.
        // Of directories only: a file may be a link to one that is somebody else's.
        let open = ["-type", "d", "-exec", "chmod", "u+rwx", "{}", ";"];
        let _unchanged = Command::new("find").arg(root).args(open).output().is_err();
        let _kept = fs::remove_dir_all(root).is_err();
    }
}

/// Clears what tests left that were killed before they could.
fn sweep(base: &Path, mine: &Path) {
    let Ok(now) = fs::metadata(mine).map(|metadata| metadata.ctime()) else { return };
    let Ok(entries) = fs::read_dir(base) else { return };
    for entry in entries.flatten() {
        let named = entry.file_name().to_string_lossy().starts_with(NAME_PREFIX);
        let old = entry.metadata().is_ok_and(|metadata| metadata.ctime() < now - ABANDONED_SECONDS_MIN);
        let root = entry.path();
        if !named || !old || root == mine {
            continue;
        }
        let Ok(directory) = File::open(&root) else { continue };
        if flock(&directory, FlockOperation::NonBlockingLockExclusive).is_ok() {
            end_processes(Marks { root: &root, uid: None });
            clear(&root);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::until_within;

    #[test]
    fn programs_see_the_homes_environment_and_nothing_of_the_tests() {
        let home = Home::new();
        let seen = home.invoke("env").run();
        seen.assert_success();
        let seen = seen.stdout();
        let keys: Vec<&str> = seen.lines().filter_map(|line| line.split('=').next()).collect();
        assert_eq!(keys.len(), 8, "{seen}");
        assert!(seen.contains(&format!("HOME={}", home.home().display())), "{seen}");
    }

    #[test]
    fn an_ordinary_owner_is_somebody_else_without_groups_and_can_write_only_its_own() {
        let home = Home::of(Owner::Ordinary);
        let id = home.invoke("id").run();
        assert!(id.stdout().contains(&format!("uid={}", home.uid())), "{id}");
        assert!(!id.stdout().contains("(root)"), "{id}");
        home.invoke("touch").arg(home.home().join("mine")).run().assert_success();
        home.invoke("touch").arg(home.root().join("bin/not-mine")).run().assert_exit(1);
    }

    #[test]
    fn two_ordinary_homes_have_two_uids_and_cannot_read_each_other() {
        let (one, other) = (Home::of(Owner::Ordinary), Home::of(Owner::Ordinary));
        if Owner::current() == Owner::Root {
            assert_ne!(one.uid(), other.uid());
            one.invoke("ls").arg(other.home()).run().assert_exit(2);
        }
    }

    #[test]
    fn a_daemon_that_left_its_session_and_environment_is_found_and_ends_with_the_home() {
        let home = Home::of(Owner::Ordinary);
        let daemon = "cd / && exec env -i setsid --fork sleep 1000 </dev/null >/dev/null 2>&1";
        if Owner::current() == Owner::Root {
            home.invoke("sh").args(["-c", daemon]).run().assert_success();
            let found = home.processes();
            assert_eq!(found.len(), 1, "{found:?}");
            let uid = home.uid();
            drop(home);
            assert!(!census::has_processes(uid));
        }
    }

    #[test]
    fn a_dropped_home_leaves_nothing_even_where_permissions_were_taken_away() {
        let home = Home::new();
        let directory = home.directory("closed/inner");
        home.write("closed/inner/file", "x");
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o000)).unwrap();
        let root = home.root().to_path_buf();
        drop(home);
        assert!(!root.exists());
    }

    #[test]
    fn a_process_in_a_mount_namespace_of_its_own_is_found_by_its_mounts() {
        let home = Home::of(Owner::current());
        let script = format!("mount -t tmpfs none {} && cd / && exec sleep 1000", home.work().display());
        let inner = home
            .invoke("env")
            .args(["-i", "unshare", "-Urm", "sh", "-c", script.as_str()])
            .in_directory("/")
            .start();
        until_within(Duration::from_secs(20), "the inner process to have only its mounts", || {
            let found = home.processes();
            found
                .iter()
                .any(|process| process.because == "its mounts" && process.command == "sleep 1000")
                .then_some(())
        });
        drop(inner);
        home.wait_until_quiet();
    }
}
