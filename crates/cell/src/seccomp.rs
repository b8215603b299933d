//! The system-call filter of a cell: what is allowed stands in [`table`], as data.

#[rustfmt::skip]
mod table;

use cofferdam_policy::authority::Profile;
use cofferdam_syscall::confine::Instruction;
use cofferdam_syscall::filter::{ALWAYS, Alternative, Check, Rule, compile};
use std::collections::BTreeMap;

/// The filter for processes of a cell with these profiles.
///
/// Foreign architectures (32-bit calls) kill the process; x32 numbers, and those that are newer than this table, do
/// not exist, so that a C library takes its older way; anything else that is unnamed gets `EPERM`. See seccomp(2).
#[must_use]
pub(crate) fn filter(profiles: &[Profile]) -> Vec<Instruction> {
    compile(&rules(profiles), table::FIRST_UNKNOWN)
}

/// One rule for each number: profiles replace, arguments decide over groups.
fn rules(profiles: &[Profile]) -> BTreeMap<u32, Rule> {
    let mut rules = BTreeMap::new();
    let mut add = |rule: Rule| {
        if let Ok(number) = u32::try_from(rule.number) {
            rules.insert(number, rule);
        }
    };
    for &number in table::ALLOWED.iter().copied().flatten() {
        add(Rule::when(number, ALWAYS, libc::EPERM));
    }
    table::RULED.iter().copied().for_each(&mut add);
    for profile in profiles {
        match profile {
            Profile::Chromium => table::CHROMIUM.iter().copied().for_each(&mut add),
        }
    }
    rules
}

#[cfg(test)]
mod tests;
