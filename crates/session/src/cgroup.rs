//! Control groups: where this machine lets a limit be kept by one, and with which files.
//!
//! The unified hierarchy is used where a group above us was delegated to the owner, the old ones where they can be
//! written. Nothing is made here: the guardian makes the groups that the plan names.

use cofferdam_policy::admission::Mechanism;
use cofferdam_policy::path::AbsPath;
use cofferdam_policy::plan::ControlGroup;
use cofferdam_policy::presets::limits::{LimitName, Limits};
use rustix::fs::Access;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The period over which processor time is counted, in microseconds (the kernel's own default).
const CPU_PERIOD_US: u64 = 100_000;

/// What may be written, as found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hierarchies {
    /// A group of the unified hierarchy below which groups can be made, and its controllers.
    unified: Option<(PathBuf, Vec<String>)>,
    /// Of the old hierarchies, by controller: our own group, if groups can be made in it.
    old: BTreeMap<String, PathBuf>,
}

impl Hierarchies {
    /// Looks at the mounted hierarchies and at the groups that this process is in.
    #[must_use]
    pub fn look() -> Self {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self::read(
            &mounts,
            &groups,
            &|path| rustix::fs::access(path, Access::WRITE_OK | Access::EXISTS).is_ok(),
            &|path| std::fs::read_to_string(path).unwrap_or_default(),
        )
    }

    fn read(
        mounts: &str,
        groups: &str,
        writable: &dyn Fn(&Path) -> bool,
        text: &dyn Fn(&Path) -> String,
    ) -> Self {
        let mut found = Self::default();
        for line in mounts.lines() {
            let Some((head, tail)) = line.split_once(" - ") else { continue };
            let point = head.split(' ').nth(4).unwrap_or_default();
            let mut tail = tail.split(' ');
            match (tail.next(), tail.nth(1)) {
                (Some("cgroup2"), _) => {
                    let own = own_group(groups, "");
                    found.unified =
                        found.unified.or_else(|| delegated(Path::new(point), &own, writable, text));
                }
                (Some("cgroup"), Some(options)) => {
                    for controller in
                        options.split(',').filter(|name| ["memory", "cpu", "pids"].contains(name))
                    {
                        let own = own_group(groups, controller);
                        let group = Path::new(point).join(own.trim_start_matches('/'));
                        // A group that is not to be seen from here (another namespace's) is replaced by the root.
                        let candidates = [group, PathBuf::from(point)];
                        if let Some(group) =
                            candidates.into_iter().find(|group| writable(&group.join("cgroup.procs")))
                        {
                            found.old.insert(controller.to_owned(), group);
                        }
                    }
                }
                (_, _) => {}
            }
        }
        found
    }

    /// How each limit that needs a group can be kept.
    #[must_use]
    pub fn mechanisms(&self) -> BTreeMap<LimitName, Mechanism> {
        let controllers = [(LimitName::Memory, "memory"), (LimitName::Cpu, "cpu")];
        let mechanism = |controller: &str| {
            if self.unified.as_ref().is_some_and(|(_, has)| has.iter().any(|name| name == controller)) {
                return Some(Mechanism::CgroupV2);
            }
            self.old.contains_key(controller).then_some(Mechanism::CgroupV1)
        };
        controllers.into_iter().filter_map(|(limit, name)| Some((limit, mechanism(name)?))).collect()
    }

    /// The groups that keep `limits`, named after the session.
    #[must_use]
    pub fn groups(&self, limits: &Limits, session: &str) -> Vec<ControlGroup> {
        let name = format!("cofferdam-{session}");
        let mechanisms = self.mechanisms();
        let mut unified = Vec::new();
        let mut groups = Vec::new();
        for (limit, controller) in [(LimitName::Memory, "memory"), (LimitName::Cpu, "cpu")] {
            let Some(bound) = limits.get(limit) else { continue };
            let value = bound.limit.value();
            match mechanisms.get(&limit) {
                Some(Mechanism::CgroupV2) => unified.extend(settings_v2(limit, value)),
                Some(Mechanism::CgroupV1) => {
                    let path = self.old.get(controller).and_then(|own| AbsPath::new(own.join(&name)).ok());
                    groups
                        .extend(path.map(|path| ControlGroup { path, settings: settings_v1(limit, value) }));
                }
                Some(Mechanism::Rlimit | Mechanism::SizedTmpfs | Mechanism::Timer) | None => {}
            }
        }
        if let Some((above, _)) = self.unified.as_ref().filter(|_| !unified.is_empty()) {
            let path = AbsPath::new(above.join(&name)).ok();
            groups.extend(path.map(|path| ControlGroup { path, settings: unified }));
        }
        groups
    }

    /// Removes what is left of a session's groups: whoever should have done it was killed before it could.
    pub fn clear(&self, session: &str) {
        let name = format!("cofferdam-{session}");
        let left = self.ours().into_iter().filter(|path| path.ends_with(&name));
        left.for_each(|path| remove(&path));
    }

    /// Groups of sessions that are left over: every directory of ours below the places where we make them.
    #[must_use]
    pub fn ours(&self) -> Vec<PathBuf> {
        let places = self.unified.iter().map(|(path, _)| path).chain(self.old.values());
        let entries = places.filter_map(|place| std::fs::read_dir(place).ok()).flatten().flatten();
        let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("cofferdam-"));
        ours.map(|entry| entry.path()).collect()
    }
}

/// Removes a group, if it is there. Its last process may still be on its way out, which is waited for within bounds;
/// what is left then is found by `doctor`.
pub(crate) fn remove(group: &Path) {
    const TRIES_MAX: u32 = 100;
    const PAUSE: std::time::Duration = std::time::Duration::from_millis(5);
    for _ in 0..TRIES_MAX {
        if rustix::fs::rmdir(group) != Err(rustix::io::Errno::BUSY) {
            return;
        }
        std::thread::sleep(PAUSE);
    }
}

/// The group that this process is in, for a controller of the old hierarchies or, unnamed, in the unified one.
fn own_group(groups: &str, controller: &str) -> String {
    groups
        .lines()
        .filter_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            controllers.split(',').any(|name| name == controller).then(|| path.to_owned())
        })
        .next()
        .unwrap_or_else(|| "/".into())
}

/// The nearest group above our own in which groups with controllers can be made, and processes of ours moved to:
/// that takes write access to its `cgroup.procs`, being the common ancestor (cgroups(7), delegation).
fn delegated(
    point: &Path,
    own: &str,
    writable: &dyn Fn(&Path) -> bool,
    text: &dyn Fn(&Path) -> String,
) -> Option<(PathBuf, Vec<String>)> {
    let own = point.join(own.trim_start_matches('/'));
    own.ancestors().take_while(|group| group.starts_with(point)).find_map(|group| {
        let controllers: Vec<String> =
            text(&group.join("cgroup.subtree_control")).split_whitespace().map(str::to_owned).collect();
        let usable = !controllers.is_empty() && writable(&group.join("cgroup.procs")) && writable(group);
        usable.then(|| (group.to_owned(), controllers))
    })
}

fn settings_v2(limit: LimitName, value: u64) -> Vec<(String, String)> {
    match limit {
        LimitName::Memory => vec![
            ("memory.max".into(), value.to_string()),
            ("memory.swap.max".into(), "0".into()),
            ("memory.oom.group".into(), "0".into()),
        ],
        LimitName::Cpu => vec![("cpu.max".into(), format!("{} {CPU_PERIOD_US}", quota(value)))],
        LimitName::Processes | LimitName::Files | LimitName::Disk | LimitName::Tmp | LimitName::Time => {
            Vec::new()
        }
    }
}

fn settings_v1(limit: LimitName, value: u64) -> Vec<(String, String)> {
    match limit {
        LimitName::Memory => vec![("memory.limit_in_bytes".into(), value.to_string())],
        LimitName::Cpu => vec![
            ("cpu.cfs_period_us".into(), CPU_PERIOD_US.to_string()),
            ("cpu.cfs_quota_us".into(), quota(value).to_string()),
        ],
        LimitName::Processes | LimitName::Files | LimitName::Disk | LimitName::Tmp | LimitName::Time => {
            Vec::new()
        }
    }
}

/// Microseconds in each period, from thousandths of a core.
fn quota(millicores: u64) -> u64 {
    millicores * CPU_PERIOD_US / 1000
}

#[cfg(test)]
mod tests {
    use super::*;
    use cofferdam_policy::presets::limits::Machine;

    const UNIFIED: &str = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
    const OLD: &str = "31 23 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                       32 23 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n";

    fn limits() -> Limits {
        let mut limits = Limits::defaults(Machine { memory_bytes: 8 << 30 });
        limits.ask("memory=1G".parse().unwrap());
        limits.ask("cpu=1.5".parse().unwrap());
        limits
    }

    #[test]
    fn a_delegated_slice_of_the_unified_hierarchy_is_used() {
        let own = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/term.scope\n";
        let writable =
            |path: &Path| path.starts_with("/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service");
        let text = |path: &Path| {
            if path.to_string_lossy().contains("term.scope") {
                String::new()
            } else {
                "memory cpu pids".into()
            }
        };
        let found = Hierarchies::read(UNIFIED, own, &writable, &text);
        let groups = found.groups(&limits(), "abc");
        assert_eq!(groups.len(), 1);
        let path = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/cofferdam-abc";
        assert_eq!(groups[0].path.as_str(), path);
        assert!(groups[0].settings.contains(&("memory.max".into(), (1_u64 << 30).to_string())));
        assert!(groups[0].settings.contains(&("cpu.max".into(), "150000 100000".into())));
    }

    #[test]
    fn without_delegation_nothing_is_promised() {
        let found = Hierarchies::read(UNIFIED, "0::/user.slice\n", &|_| false, &|_| "memory".into());
        assert!(found.mechanisms().is_empty());
        assert!(found.groups(&limits(), "abc").is_empty());
    }

    #[test]
    fn the_old_hierarchies_serve_where_they_can_be_written() {
        let own = "4:memory:/a\n1:cpu:/\n0::/\n";
        let found = Hierarchies::read(OLD, own, &|_| true, &|_| String::new());
        let groups = found.groups(&limits(), "abc");
        let paths: Vec<&str> = groups.iter().map(|group| group.path.as_str()).collect();
        assert_eq!(paths, ["/sys/fs/cgroup/memory/a/cofferdam-abc", "/sys/fs/cgroup/cpu/cofferdam-abc"]);
    }
}
