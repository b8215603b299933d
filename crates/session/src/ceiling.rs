//! How many namespaces the kernel lets its users make: the settings `user.max_*_namespaces` (namespaces(7)).
//!
//! The kernel answers `ENOSPC` for every one of them alike; this tells which is to be raised. It decides nothing.

use std::path::Path;

/// The kinds that a cell has of its own; first the one of which it takes two.
const KINDS: [&str; 7] = ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"];

/// What a remedy raises a setting to, at least.
const ENOUGH: u64 = 15_000;

/// The lowest of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ceiling {
    kind: &'static str,
    value: u64,
}

impl Ceiling {
    /// The lowest one below `root`, the first of equal ones; `None` where no setting can be read.
    pub(crate) fn lowest(root: &Path) -> Option<Self> {
        let read = |kind: &'static str| {
            let text = std::fs::read_to_string(root.join(format!("proc/sys/user/max_{kind}_namespaces")));
            let value = text.ok()?.trim().parse().ok()?;
            Some(Self { kind, value })
        };
        KINDS.into_iter().filter_map(read).min_by_key(|ceiling| ceiling.value)
    }

    /// Whether it permits none at all.
    pub(crate) fn forbids(self) -> bool {
        self.value == 0
    }

    /// `user.max_net_namespaces`
    pub(crate) fn setting(self) -> String {
        format!("user.max_{}_namespaces", self.kind)
    }

    /// A value that is enough, and more than there is.
    pub(crate) fn raised(self) -> u64 {
        self.value.saturating_mul(2).max(ENOUGH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_lowest_setting_is_named_and_never_lowered() {
        let scene = tempfile::tempdir().unwrap();
        assert_eq!(Ceiling::lowest(scene.path()), None);
        let settings = scene.path().join("proc/sys/user");
        fs::create_dir_all(&settings).unwrap();
        for kind in KINDS {
            fs::write(settings.join(format!("max_{kind}_namespaces")), "31000\n").unwrap();
        }
        let alike = Ceiling::lowest(scene.path()).unwrap();
        assert_eq!((alike.setting().as_str(), alike.raised()), ("user.max_user_namespaces", 62_000));
        assert!(!alike.forbids());
        for kind in KINDS {
            let file = settings.join(format!("max_{kind}_namespaces"));
            fs::write(&file, "0\n").unwrap();
            let none = Ceiling::lowest(scene.path()).unwrap();
            assert_eq!((none.setting(), none.raised()), (format!("user.max_{kind}_namespaces"), ENOUGH));
            assert!(none.forbids());
            fs::write(&file, "31000\n").unwrap();
        }
    }
}
