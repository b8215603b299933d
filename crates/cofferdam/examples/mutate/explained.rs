//! Mutants that nothing notices, and why: `docs/mutation.md` says the same in more words.

const GIVES: &str = "it gives something and holds nothing: without it there is less in the cell";
const TWICE: &str = "another act of the same start does the same again";
const BEHIND: &str = "a wall behind another: what it would refuse does not come as far";
const KERNEL: &str = "the kernel does it by itself";
const AS_LOW: &str = "the owner's own limit may be as low";

/// Mutants whose name begins so, and why nothing notices them.
const EXPLAINED: &[(&str, &str)] = &[
    ("step make the directory ", GIVES),
    ("step link ", GIVES),
    ("step write ", GIVES),
    ("step mount /etc/", GIVES),
    ("step bind /dev/", GIVES),
    ("step mount a tmpfs at /run", GIVES),
    ("value mount /etc/ssl/certs", GIVES),
    ("value mount a tmpfs at /run: open to all", BEHIND),
    ("value mount a tmpfs at /run: the agent's", BEHIND),
    ("step make / read-only", TWICE),
    ("step make /dev read-only", TWICE),
    ("value make the directory ", BEHIND),
    ("value mount a tmpfs at /dev: open to all", BEHIND),
    ("value mount a tmpfs at /dev: the agent's", BEHIND),
    ("limit LockedMemory", AS_LOW),
    ("limit MessageQueues", AS_LOW),
    ("act plan-continues", TWICE),
    ("act init-plan-continues", TWICE),
    ("act init-drops-groups", TWICE),
    ("act entry-groups", TWICE),
    ("act init-takes-group", TWICE),
    ("act init-takes-user", TWICE),
    ("act init-own-session", TWICE),
    ("act init-leaves-keyring", BEHIND),
    ("act init-not-dumpable", BEHIND),
    ("act entry-not-dumpable", TWICE),
    ("act init-no-new-privs", TWICE),
    ("act entry-no-new-privs", TWICE),
    ("act founder-ended", TWICE),
    ("act founder-killed", TWICE),
    ("act namespace-limits", TWICE),
    ("act empties-the-cell", TWICE),
    ("act entry-closes-descriptors", TWICE),
    ("act entry-ambient-set", KERNEL),
    ("act entry-capabilities", KERNEL),
    ("act mounts-private", KERNEL),
    ("act landlock-version", TWICE),
    ("act mounter-dies-with-guardian", TWICE),
];

/// Why nothing notices this mutant.
pub(crate) fn why(name: &str) -> Option<&'static str> {
    EXPLAINED.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, why)| *why)
}
