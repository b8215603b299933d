//! Mutants that nothing notices, and why: `docs/mutation.md` says the same in more words.

/// Mutants whose name begins so, and why nothing notices them.
const EXPLAINED: &[(&str, &str)] = &[];

/// Why nothing notices this mutant.
pub(crate) fn why(name: &str) -> Option<&'static str> {
    EXPLAINED.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, why)| *why)
}
