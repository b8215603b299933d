//! A mutant: its name, and what the mutated program is told.

use crate::cuts::Cut;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// What one mutant leaves out or opens.
#[derive(Debug, Clone)]
pub(crate) struct Mutant {
    /// Stable: what the documents explain is found by it.
    pub(crate) name: String,
    /// Read by `inserted.rs`.
    pub(crate) choice: Value,
}

impl Mutant {
    pub(crate) fn new(name: impl Into<String>, choice: Value) -> Self {
        Self { name: name.into(), choice }
    }

    pub(crate) fn of_cut(cut: &Cut) -> Self {
        Self::new(format!("act {}", cut.name), json!({"leave_out": cut.name}))
    }

    /// Whether it opens the system-call filter.
    pub(crate) fn is_of_the_filter(&self) -> bool {
        ["call", "condition", "filter"].contains(&self.kind())
    }

    /// Whether it changes the plan.
    pub(crate) fn is_of_the_plan(&self) -> bool {
        ["step", "remove", "set", "append"].iter().any(|member| self.choice.get(member).is_some())
    }

    /// The same, which also writes down what it came upon, to this file.
    pub(crate) fn telling(&self, file: &Path) -> Self {
        let mut choice = self.choice.clone();
        choice["tell"] = json!(file);
        Self { name: self.name.clone(), choice }
    }

    /// The first word of its name: what kind of thing it mutates.
    fn kind(&self) -> &str {
        self.name.split(' ').next().unwrap_or_default()
    }
}

/// A cell that shares one namespace with the host.
pub(crate) fn of_namespaces() -> impl Iterator<Item = Mutant> {
    // <linux/sched.h>. A cell without a pid namespace of its own ends with kill(-1): see the document.
    let bits = [
        ("user", 0x1000_0000),
        ("mount", 0x0002_0000),
        ("net", 0x4000_0000),
        ("ipc", 0x0800_0000),
        ("uts", 0x0400_0000),
        ("cgroup", 0x0200_0000),
    ];
    bits.into_iter()
        .map(|(name, bit)| Mutant::new(format!("namespace {name}"), json!({"without_namespace": bit})))
}

/// How many of each kind there are, and how many were noticed.
pub(crate) fn tally<'m>(mutants: impl Iterator<Item = &'m Mutant>, noticed: &BTreeMap<String, String>) {
    let mut kinds: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for mutant in mutants {
        let (all, seen) = kinds.entry(mutant.kind()).or_default();
        *all += 1;
        *seen += usize::from(noticed.contains_key(&mutant.name));
    }
    println!("\n| what | mutants | noticed | not noticed |\n|---|---:|---:|---:|");
    for (kind, (all, seen)) in kinds {
        println!("| {kind} | {all} | {seen} | {} |", all - seen);
    }
}
