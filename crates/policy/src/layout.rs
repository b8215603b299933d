//! From a permit to a plan: where everything lies in the cell, and in which order it is put there.
//!
//! Pure: what had to be looked up on the host comes as [`Host`]. A test compares whole plans with snapshots.

use crate::admission::{Mechanism, Permit};
use crate::authority::{Access, Authority, View};
use crate::path::{AbsPath, PathError};
use crate::plan::{
    Capture, ControlGroup, Entry, IdExtent, IdView, Identities, Layer, LimitedResource, PLAN_VERSION, Plan,
    ResourceLimit, Source, SourceId, Step, Through,
};
use crate::presets::limits::LimitName;
use std::collections::BTreeMap;

/// How many ids a cell has when the owner is uid 0.
pub const ID_RANGE: u32 = 65_536;

const ROOT_BYTES_MAX: u64 = 32 << 20;
const SMALL_BYTES_MAX: u64 = 64 << 20;
const INODES_MAX: u64 = 1 << 20;
const SHM_BYTES_MAX: u64 = 1 << 30;
const MESSAGE_QUEUE_BYTES_MAX: u64 = 819_200;
const PENDING_SIGNALS_MAX: u64 = 4_096;
const LOCKED_BYTES_MAX: u64 = 64 << 20;
/// At one byte the kernel writes no core dump and starts no dump program, which would run outside, as root, on what
/// the agent gave it; at zero it would start one (fs/coredump.c).
const CORE_BYTES_MAX: u64 = 1;
/// What tells of the owner's keys, to whoever has the owner's user id.
const KEY_LISTS: [&str; 2] = ["/proc/keys", "/proc/key-users"];
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// A directory of the host's as it was when it was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inode {
    /// Device number.
    pub device: u64,
    /// Inode number.
    pub number: u64,
}

/// The host's programs and libraries, as found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct System {
    /// Directories shown read-only.
    pub directories: Vec<AbsPath>,
    /// Regular files shown read-only, as they are.
    pub files: Vec<AbsPath>,
    /// Links, such as `/bin` to `usr/bin`.
    pub links: Vec<(AbsPath, String)>,
    /// Small files that are made for the cell.
    pub made: Vec<(AbsPath, String)>,
}

/// Where one mount of the session keeps what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The veil: a directory of whiteouts and replacements that lies over the owner's.
    pub veil: Option<AbsPath>,
    /// The directory that holds `upper` and `work`, for copy-on-write.
    pub layer: Option<AbsPath>,
    /// The copy that stands for the owner's directory, where the view is a copy.
    pub copy: Option<AbsPath>,
    /// The owner's directory as it was looked at.
    pub inode: Inode,
}

/// What a cell stands on, whatever it is to show of the owner's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ground {
    /// First id of the cell's own range of host ids, when the owner is uid 0.
    pub id_base: Option<u32>,
    /// Programs and libraries.
    pub system: System,
    /// Control groups for the limits that are kept by one.
    pub groups: Vec<ControlGroup>,
    /// How connections are caught: what the kernel can.
    pub capture: Capture,
}

/// All that the layout depends on beside the authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// What is known first.
    pub ground: Ground,
    /// A directory of our own that the cell has as `/etc`.
    pub etc: Option<AbsPath>,
    /// By target: what belongs to each workspace and mount.
    pub places: BTreeMap<AbsPath, Place>,
    /// The session's home directory on the host.
    pub home: AbsPath,
    /// What the machine is called inside.
    pub hostname: String,
    /// Small files that tell the cell its name.
    pub names: Vec<(AbsPath, String)>,
}

/// Why no plan can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// A mount of the authority was not looked at on the host.
    #[error("nothing is known of {0} on the host")]
    Unknown(AbsPath),
    /// A path can't be formed.
    #[error("cannot lay out the cell")]
    Path(#[from] PathError),
}

/// Computes the plan of a cell.
///
/// # Errors
/// [`LayoutError`] if `host` does not fit the permit.
pub fn compute(permit: &Permit, host: &Host) -> Result<Plan, LayoutError> {
    let authority = permit.authority();
    let mut draft = Draft::on(permit, &host.ground)?;
    if let Some(etc) = &host.etc {
        draft.read_only(etc, path("/etc")?);
    }
    draft.steps.push(Step::Hostname { name: host.hostname.clone() });
    draft.files(&host.names);
    draft.steps.push(Step::Leave);
    draft.home(&authority.identity.home, &host.home);
    draft.scratch_of_tools(permit)?;
    draft.mounts(authority, host)?;
    draft.steps.push(Step::Freeze { target: path("/dev")? });
    draft.steps.push(Step::Freeze { target: AbsPath::root() });
    draft.steps.push(Step::View);
    Ok(draft.plan(permit, &host.ground)?)
}

/// The beginning of that plan: what can be built before the owner's directories were looked at.
///
/// # Errors
/// [`LayoutError`] for a path that can't be formed.
pub fn beginning(permit: &Permit, ground: &Ground) -> Result<Plan, LayoutError> {
    Ok(Draft::on(permit, ground)?.plan(permit, ground)?)
}

struct Draft {
    sources: Vec<Source>,
    steps: Vec<Step>,
    writable: Vec<AbsPath>,
}

/// One workspace or mount on its way into the plan.
struct Shown<'a> {
    target: &'a AbsPath,
    source: &'a AbsPath,
    access: Access,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Overlay,
    Copy,
    File,
}

fn path(text: &str) -> Result<AbsPath, PathError> {
    AbsPath::new(text)
}

impl Draft {
    fn on(permit: &Permit, ground: &Ground) -> Result<Self, PathError> {
        let mut draft = Self { sources: Vec::new(), steps: Vec::new(), writable: Vec::new() };
        draft.steps.push(Step::Loopback);
        draft.steps.push(Step::Capture { capture: ground.capture.clone() });
        draft.steps.push(Step::Stage { bytes_max: ROOT_BYTES_MAX });
        draft.system(&ground.system)?;
        draft.kernel_files()?;
        draft.scratch(permit)?;
        Ok(draft)
    }

    fn plan(self, permit: &Permit, ground: &Ground) -> Result<Plan, PathError> {
        Ok(Plan {
            version: PLAN_VERSION,
            identities: identities(permit.authority(), ground.id_base),
            sources: self.sources,
            steps: self.steps,
            entry: entry(permit, self.writable)?,
            groups: ground.groups.clone(),
        })
    }

    fn source(&mut self, path: &AbsPath, ids: IdView, directory: bool, inode: Option<Inode>) -> SourceId {
        let identity = inode.map(|inode| (inode.device, inode.number));
        self.sources.push(Source { path: path.clone(), identity, ids, directory });
        self.sources.len() - 1
    }

    /// A directory of the system's as a read-only overlay, so that a socket lying there leads nowhere.
    fn read_only(&mut self, directory: &AbsPath, target: AbsPath) {
        let lower = vec![self.source(directory, IdView::System, true, None)];
        self.steps.push(Step::Overlay { target, lower, upper: None });
    }

    /// Programs and libraries.
    fn system(&mut self, system: &System) -> Result<(), PathError> {
        for directory in &system.directories {
            self.read_only(directory, directory.clone());
        }
        for file in &system.files {
            let source = self.source(file, IdView::System, false, None);
            self.steps.push(Step::Bind { source, target: file.clone(), through: Through::Reading });
        }
        for (target, to) in &system.links {
            self.steps.push(Step::Symlink { target: target.clone(), to: to.clone() });
        }
        self.files(&system.made);
        Ok(())
    }

    fn files(&mut self, files: &[(AbsPath, String)]) {
        for (target, content) in files {
            self.steps.push(Step::File { target: target.clone(), mode: 0o644, content: content.clone() });
        }
    }

    /// `/proc` and `/dev`: the cell's own processes and terminals, and six harmless devices.
    fn kernel_files(&mut self) -> Result<(), PathError> {
        self.steps.push(Step::Proc { target: path("/proc")? });
        self.tmpfs("/dev", 0o755, SMALL_BYTES_MAX, false)?;
        for device in DEVICES {
            let target = path("/dev")?.join(device)?;
            let source = self.source(&target, IdView::Plain, false, None);
            self.steps.push(Step::Bind { source, target, through: Through::Device });
        }
        for list in KEY_LISTS {
            let source = self.source(&path("/dev/null")?, IdView::Plain, false, None);
            self.steps.push(Step::Bind { source, target: path(list)?, through: Through::Device });
        }
        self.steps.push(Step::Devpts { target: path("/dev/pts")? });
        let links = [
            ("/dev/ptmx", "pts/ptmx"),
            ("/dev/fd", "/proc/self/fd"),
            ("/dev/stdin", "/proc/self/fd/0"),
            ("/dev/stdout", "/proc/self/fd/1"),
            ("/dev/stderr", "/proc/self/fd/2"),
        ];
        for (target, to) in links {
            self.steps.push(Step::Symlink { target: path(target)?, to: to.into() });
        }
        self.tmpfs("/dev/shm", 0o1777, SHM_BYTES_MAX, false)?;
        self.steps.push(Step::Mqueue { target: path("/dev/mqueue")? });
        self.writable.extend([path("/dev/shm")?, path("/dev/mqueue")?, path("/proc")?]);
        Ok(())
    }

    /// What goes when the cell goes: `/tmp`, `/run`, and directories that programs expect to be there.
    fn scratch(&mut self, permit: &Permit) -> Result<(), PathError> {
        let authority = permit.authority();
        let bytes = temporary_bytes(permit);
        self.tmpfs("/tmp", 0o1777, bytes, false)?;
        self.tmpfs("/var/tmp", 0o1777, bytes, false)?;
        self.tmpfs("/run", 0o755, SMALL_BYTES_MAX, false)?;
        let runtime = path(&format!("/run/user/{}", authority.identity.uid))?;
        self.steps.push(Step::Directory { target: path("/run/lock")?, mode: 0o1777, owned: false });
        self.steps.push(Step::Directory { target: runtime.clone(), mode: 0o700, owned: true });
        for directory in ["/var/cache", "/var/lib", "/var/log", "/mnt", "/srv", "/media", "/sys"] {
            self.steps.push(Step::Directory { target: path(directory)?, mode: 0o755, owned: false });
        }
        self.steps.push(Step::Symlink { target: path("/var/run")?, to: "/run".into() });
        self.steps.push(Step::Symlink { target: path("/var/lock")?, to: "/run/lock".into() });
        self.writable.extend([path("/tmp")?, path("/var/tmp")?, path("/run/lock")?, runtime]);
        Ok(())
    }

    fn tmpfs(&mut self, target: &str, mode: u32, bytes_max: u64, owned: bool) -> Result<(), PathError> {
        let target = path(target)?;
        self.steps.push(Step::Tmpfs { target, mode, bytes_max, inodes_max: INODES_MAX, owned });
        Ok(())
    }

    fn home(&mut self, inside: &AbsPath, on_host: &AbsPath) {
        let source = self.source(on_host, IdView::Plain, true, None);
        self.steps.push(Step::Bind { source, target: inside.clone(), through: Through::Writing });
        self.writable.push(inside.clone());
    }

    /// Before the mounts: what a set of tools brings may lie in such a directory, and never around one.
    fn scratch_of_tools(&mut self, permit: &Permit) -> Result<(), PathError> {
        for target in &permit.authority().scratch {
            self.tmpfs(target.as_str(), 0o755, temporary_bytes(permit), true)?;
            self.writable.push(target.clone());
        }
        Ok(())
    }

    /// Workspaces and mounts, outer ones before those that lie in them.
    fn mounts(&mut self, authority: &Authority, host: &Host) -> Result<(), LayoutError> {
        let workspaces = authority.workspaces.iter().map(|w| Shown {
            target: &w.path,
            source: &w.path,
            access: Access::Cow,
            kind: match w.view {
                View::Overlay => Kind::Overlay,
                View::Copy => Kind::Copy,
            },
        });
        let mounts = authority.mounts.iter().map(|m| Shown {
            target: &m.target,
            source: &m.source,
            access: m.access,
            kind: if m.file { Kind::File } else { Kind::Overlay },
        });
        let mut all: Vec<Shown<'_>> = workspaces.chain(mounts).collect();
        all.sort_by(|a, b| a.target.cmp(b.target));
        for shown in all {
            let target = shown.target;
            let place = host.places.get(target).ok_or_else(|| LayoutError::Unknown(target.clone()))?;
            match shown.kind {
                Kind::Overlay => self.overlay(&shown, place),
                Kind::File => {
                    let source = self.source(shown.source, IdView::Owner, false, Some(place.inode));
                    self.steps.push(Step::Bind { source, target: target.clone(), through: Through::Reading });
                }
                Kind::Copy => {
                    let copy = place.copy.as_ref().ok_or_else(|| LayoutError::Unknown(target.clone()))?;
                    let source = self.source(copy, IdView::Plain, true, None);
                    self.steps.push(Step::Bind { source, target: target.clone(), through: Through::Writing });
                }
            }
            if shown.access == Access::Cow && shown.kind != Kind::File {
                self.write_to(target);
            }
        }
        Ok(())
    }

    fn overlay(&mut self, shown: &Shown<'_>, place: &Place) {
        let Shown { target, source, access, .. } = *shown;
        let mut lower = Vec::new();
        if let Some(veil) = &place.veil {
            lower.push(self.source(veil, IdView::Plain, true, None));
        }
        lower.push(self.source(source, IdView::Owner, true, Some(place.inode)));
        let upper = match (access, &place.layer) {
            (Access::Cow, Some(layer)) => {
                Some(Layer { source: self.source(layer, IdView::Plain, true, None) })
            }
            (Access::Cow, None) | (Access::Ro, _) => None,
        };
        self.steps.push(Step::Overlay { target: target.clone(), lower, upper });
    }

    /// The mount point's own directory too, which lies on the read-only root: the rule then outlives a remount.
    fn write_to(&mut self, target: &AbsPath) {
        self.writable.push(target.clone());
        if let Some(parent) = target.parents().next().and_then(|parent| AbsPath::new(parent).ok()) {
            self.writable.push(parent);
        }
    }
}

fn temporary_bytes(permit: &Permit) -> u64 {
    permit.authority().limits.get(LimitName::Tmp).map_or(SHM_BYTES_MAX, |bound| bound.limit.value())
}

fn identities(authority: &Authority, id_base: Option<u32>) -> Identities {
    let identity = &authority.identity;
    let one = |id: u32| vec![IdExtent { inside: id, outside: id, count: 1 }];
    let whole = |outside: u32| vec![IdExtent { inside: 0, outside, count: ID_RANGE }];
    Identities {
        uid: identity.uid,
        gid: identity.gid,
        outer_uids: id_base.map_or_else(|| one(identity.uid), whole),
        outer_gids: id_base.map_or_else(|| one(identity.gid), whole),
        inner_uids: id_base.map_or_else(|| one(identity.uid), |_| whole(0)),
        inner_gids: id_base.map_or_else(|| one(identity.gid), |_| whole(0)),
        privileged: id_base.is_some(),
    }
}

fn entry(permit: &Permit, mut writable: Vec<AbsPath>) -> Result<Entry, PathError> {
    let authority = permit.authority();
    let by_rlimit = |name: LimitName, resource: LimitedResource| {
        let bound = authority.limits.get(name)?;
        (permit.mechanism(name) == Some(Mechanism::Rlimit))
            .then(|| ResourceLimit { resource, most: bound.limit.value() })
    };
    let mut limits = vec![
        ResourceLimit { resource: LimitedResource::Core, most: CORE_BYTES_MAX },
        ResourceLimit { resource: LimitedResource::PendingSignals, most: PENDING_SIGNALS_MAX },
        ResourceLimit { resource: LimitedResource::LockedMemory, most: LOCKED_BYTES_MAX },
        ResourceLimit { resource: LimitedResource::MessageQueues, most: MESSAGE_QUEUE_BYTES_MAX },
    ];
    limits.extend(by_rlimit(LimitName::Processes, LimitedResource::Processes));
    limits.extend(by_rlimit(LimitName::Files, LimitedResource::OpenFiles));
    writable.sort();
    writable.dedup();
    Ok(Entry {
        limits,
        writable,
        devices: vec![path("/dev")?],
        profiles: authority.profiles.iter().copied().collect(),
    })
}
