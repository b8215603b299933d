//! From a file of the sources to the same file in the mutated copy: each act asks whether it is left out.
//!
//! Pure: texts in, texts out.

use crate::cuts::{CUTS, Instead, LEFT_OUT};
use std::collections::BTreeSet;

/// A text that is put in the place of another one, found exactly once.
struct Edit {
    file: &'static str,
    old: &'static str,
    new: &'static str,
}

/// By which the inserted module is heard.
const EDITS: &[Edit] = &[
    Edit { file: "cell/src/lib.rs", old: "mod inner;", new: "mod inner;\nmod mutation;" },
    Edit {
        file: "cell/src/launch.rs",
        old: "Plan::parse(&text).map_err(",
        new: "Plan::parse(&crate::mutation::plan(text)).inspect(crate::mutation::tell).map_err(",
    },
    Edit {
        file: "cell/src/launch.rs",
        old: "clone_into_namespaces(Namespaces::CELL)",
        new: "clone_into_namespaces(crate::mutation::namespaces())",
    },
    Edit {
        file: "cell/src/seccomp.rs",
        old: "    compile(&rules(profiles), table::FIRST_UNKNOWN)",
        new: "    crate::mutation::filter(rules(profiles), table::FIRST_UNKNOWN)",
    },
    Edit { file: "cell/src/seccomp.rs", old: "\nfn rules(", new: "\npub(crate) fn rules(" },
    Edit {
        file: "syscall/src/process.rs",
        old: "impl Namespaces {",
        new: "impl Namespaces {\n    /// But these.\n    #[must_use]\n    pub const fn without(self, bits: libc::c_int) -> Self {\n        Self(self.0 & !bits)\n    }\n",
    },
];

/// The text of a file of the copy.
///
/// # Panics
/// If a text that is to be replaced is not there exactly once: the list has to follow the sources.
pub(crate) fn mutated(file: &str, text: &str) -> String {
    let mut text = text.to_owned();
    let edits = EDITS.iter().filter(|edit| edit.file == file);
    for edit in edits {
        replace(file, &mut text, edit.old, edit.new);
    }
    for cut in CUTS.iter().filter(|cut| cut.file == file) {
        let left_out = format!("crate::mutation::leaves_out({:?})", cut.name);
        let new = match cut.instead {
            Instead::Expression(instead) => format!("(if {left_out} {{ {instead} }} else {{ {} }})", cut.act),
            Instead::Text(text) => text.replace(LEFT_OUT, &left_out),
        };
        replace(file, &mut text, cut.act, &new);
    }
    text
}

fn replace(file: &str, text: &mut String, old: &str, new: &str) {
    let found = text.matches(old).count();
    assert!(found == 1, "{file} holds {found} times, and not once:\n{old}");
    *text = text.replacen(old, new, 1);
}

/// Every file that is mutated, below `crates/`.
pub(crate) fn files() -> BTreeSet<&'static str> {
    EDITS.iter().map(|edit| edit.file).chain(CUTS.iter().map(|cut| cut.file)).collect()
}
