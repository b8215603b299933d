//! Mutants that nothing notices, and why: `docs/mutation.md` says the same in more words.

/// What a step gives to the agent, and nothing that holds it: without it there is less in the cell.
const GIVES: &str = "it gives something and holds nothing: without it there is less in the cell";
/// Two acts, each of which is enough.
const TWICE: &str = "another act of the same start does it again";
/// A wall behind one that is tried by the probe.
const BEHIND: &str = "a wall behind another: what it refuses does not come as far";

/// Mutants whose name begins so, and why nothing notices them.
const EXPLAINED: &[(&str, &str)] = &[
    ("step make the directory ", GIVES),
    ("step link ", GIVES),
    ("step write ", GIVES),
    ("act plan-continues", TWICE),
    ("act init-plan-continues", TWICE),
    ("act init-no-new-privs", TWICE),
    ("act entry-no-new-privs", TWICE),
    ("act init-drops-groups", TWICE),
    ("act entry-groups", TWICE),
    ("act founder-ended", TWICE),
    ("act founder-killed", TWICE),
    ("act namespace-limits", TWICE),
    ("act init-leaves-keyring", BEHIND),
    ("act init-not-dumpable", BEHIND),
    ("act landlock-device-nodes", BEHIND),
];

/// Why nothing notices this mutant.
pub(crate) fn why(name: &str) -> Option<&'static str> {
    EXPLAINED.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, why)| *why)
}
