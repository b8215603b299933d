//! What is pointed out of an entry, for people: what runs later, what deceives, which dependencies move.

use super::Shown;
use crate::output::whole;
use cofferdam_session::diff::{Comparison, Diff, Difference, PinChange, Remarks, Unreadable};

/// The most dependencies of one lock file that are named; how many are missing is said.
const DEPENDENCIES_MAX: usize = 20;

/// A line for each remark.
pub(super) fn lines(diff: &Diff, shown: &Shown<'_>) -> Vec<String> {
    said(diff.remarks(shown.directory, shown.entry))
}

/// The same of remarks that are known: what runs later, what deceives, then dependencies.
pub(in super::super) fn said(remarks: Remarks) -> Vec<String> {
    let Remarks { runs_later, suspicious, dependencies } = remarks;
    let runs_later = runs_later.map(|found| format!("runs later ({}): {}", found.reason, found.why));
    let suspicious = suspicious.iter().map(|found| format!("suspicious ({found}): {}", found.sentence()));
    let dependencies = dependencies.map(moved).unwrap_or_default();
    runs_later.into_iter().chain(suspicious).chain(dependencies).collect()
}

fn moved(compared: Result<Comparison, Unreadable>) -> Vec<String> {
    let compared = match compared {
        Ok(compared) => compared,
        Err(error) => return vec![format!("dependencies not understood: {error}")],
    };
    let mut lines: Vec<String> = compared.differences.iter().take(DEPENDENCIES_MAX).map(dependency).collect();
    let unnamed = compared.differences.len().saturating_sub(DEPENDENCIES_MAX).saturating_add(compared.more);
    if unnamed > 0 {
        lines.push(format!("… and {unnamed} more dependencies"));
    }
    let (before, after) = compared.not_understood;
    if before > 0 || after > 0 {
        lines.push(format!("not understood of the lock file: {before} entries before, {after} after"));
    }
    if compared.differs_otherwise {
        lines.push("no dependency changes, but the lock file does".to_owned());
    }
    lines
}

fn dependency(Difference { name, change }: &Difference) -> String {
    let version = |text: &str| if text.is_empty() { "?".to_owned() } else { whole(text.as_bytes()) };
    let (what, pin) = match change {
        PinChange::Added { version: added, pin } => (format!("{} added", version(added)), Some(pin)),
        PinChange::Removed { version: removed, .. } => (format!("{} removed", version(removed)), None),
        PinChange::Changed { version: (before, after), after: pin, .. } if before == after => {
            (version(after), Some(pin))
        }
        PinChange::Changed { version: (before, after), after: pin, .. } => {
            (format!("{} → {}", version(before), version(after)), Some(pin))
        }
    };
    let mut line = format!("dependency {} {what}", whole(name.as_bytes()));
    if change.is_of_source() {
        line.push_str(", from another source");
    }
    if change.is_of_checksum() {
        line.push_str(", with other content");
    }
    if pin.is_some_and(|pin| pin.runs_at_installation) {
        line.push_str(", runs a script when it is installed");
    }
    line
}
