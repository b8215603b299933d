//! Which paths the *owner's* rules ignore: build output, as far as the owner said so.
//!
//! gitignore(5), read from the owner's directory and the owner's files only: a `.gitignore` that the agent wrote says
//! nothing here (ATTACKS 17). A line that is not understood ignores nothing; one that is not understood and would have
//! shown something again takes back all lines before it in its file. What git tracks is not known here.

use crate::beneath;
use crate::path::joined;
use cofferdam_policy::mask::{MaskPattern, NameKind};
use rustix::fd::BorrowedFd;
use rustix::io::Errno;
use std::collections::HashMap;
use std::rc::Rc;

/// The longest file of rules, in bytes; a longer one ignores nothing.
pub const RULES_BYTES_MAX: usize = 1 << 20;

/// The most rules of one file; those beyond are not looked at, and neither are the first.
const RULES_MAX: usize = 10_000;

/// The owner's rules that hold for all directories below the root: `core.excludesFile`, then `.git/info/exclude`.
#[derive(Debug, Clone, Default)]
pub struct OwnersRules {
    files: Vec<Rules>,
}

impl OwnersRules {
    /// From the texts of such files, the weakest first.
    #[must_use]
    pub fn from_texts<'a>(texts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self { files: texts.into_iter().map(Rules::parse).collect() }
    }
}

#[derive(Debug, Clone, Default)]
struct Rules(Vec<Rule>);

#[derive(Debug, Clone)]
struct Rule {
    shows: bool,
    pattern: MaskPattern,
}

impl Rules {
    fn parse(text: &[u8]) -> Self {
        let mut rules = Vec::new();
        if text.len() > RULES_BYTES_MAX {
            return Self(rules);
        }
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        for line in text.split(|byte| *byte == b'\n') {
            let line = trimmed(line.strip_suffix(b"\r").unwrap_or(line));
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let (shows, line) = line.strip_prefix(b"!").map_or((false, line), |rest| (true, rest));
            let pattern = std::str::from_utf8(line).ok().and_then(|line| line.parse::<MaskPattern>().ok());
            match pattern {
                Some(pattern) => rules.push(Rule { shows, pattern }),
                None if shows => rules.clear(),
                None => {}
            }
            if rules.len() > RULES_MAX {
                return Self(Vec::new());
            }
        }
        Self(rules)
    }

    /// What the last rule that matches says.
    fn verdict(&self, parent: &[u8], name: &[u8], kind: NameKind) -> Option<bool> {
        let matching = self.0.iter().rev().find(|rule| rule.pattern.matches(parent, name, kind));
        matching.map(|rule| !rule.shows)
    }
}

/// Trailing blanks go, unless a backslash stands before them.
fn trimmed(line: &[u8]) -> &[u8] {
    let mut kept = line;
    while let Some(shorter) = kept.strip_suffix(b" ").filter(|shorter| !shorter.ends_with(b"\\")) {
        kept = shorter;
    }
    kept
}

/// The rules of one directory tree, each `.gitignore` read once.
pub(super) struct Ignoring<'a> {
    root: BorrowedFd<'a>,
    outside: &'a OwnersRules,
    files: HashMap<Vec<u8>, Rc<Rules>>,
    directories: HashMap<Vec<u8>, bool>,
}

impl<'a> Ignoring<'a> {
    pub(super) fn new(root: BorrowedFd<'a>, outside: &'a OwnersRules) -> Self {
        Self { root, outside, files: HashMap::new(), directories: HashMap::new() }
    }

    /// Whether the entry `name` of the directory `parent` is ignored, by itself or with a directory above it.
    pub(super) fn ignores(&mut self, parent: &[u8], name: &[u8], kind: NameKind) -> Result<bool, Errno> {
        if self.ignores_directory(parent)? {
            return Ok(true);
        }
        let mut end = parent.len();
        loop {
            let above = parent.get(..end).unwrap_or_default();
            let below = parent.get(end..).unwrap_or_default();
            let below = below.strip_prefix(b"/").unwrap_or(below);
            if let Some(verdict) = self.file(above)?.verdict(below, name, kind) {
                return Ok(verdict);
            }
            if end == 0 {
                break;
            }
            end = above.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        }
        let outside = self.outside.files.iter().rev().find_map(|rules| rules.verdict(parent, name, kind));
        Ok(outside.unwrap_or(false))
    }

    fn ignores_directory(&mut self, path: &[u8]) -> Result<bool, Errno> {
        if path.is_empty() {
            return Ok(false);
        }
        if let Some(known) = self.directories.get(path) {
            return Ok(*known);
        }
        let (parent, name) = crate::path::split(path);
        let ignored = self.ignores(parent, name, NameKind::Directory)?;
        self.directories.insert(path.to_vec(), ignored);
        Ok(ignored)
    }

    fn file(&mut self, directory: &[u8]) -> Result<Rc<Rules>, Errno> {
        if let Some(known) = self.files.get(directory) {
            return Ok(Rc::clone(known));
        }
        let path = joined(directory, b".gitignore");
        let text = match beneath::read_small(self.root, &path, RULES_BYTES_MAX) {
            Ok(text) => text,
            // What can't be read ignores nothing.
            Err(Errno::FBIG | Errno::ACCESS | Errno::PERM) => None,
            Err(errno) => return Err(errno),
        };
        let rules = Rc::new(text.as_deref().map(Rules::parse).unwrap_or_default());
        self.files.insert(directory.to_vec(), Rc::clone(&rules));
        Ok(rules)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fd::AsFd as _;
    use rustix::fs::{CWD, Mode, OFlags};

    fn ignored(files: &[(&str, &str)], outside: &[&[u8]], path: &str) -> bool {
        let scene = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let place = scene.path().join(name);
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            std::fs::write(place, text).unwrap();
        }
        let root =
            rustix::fs::openat(CWD, scene.path(), OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
        let rules = OwnersRules::from_texts(outside.iter().copied());
        let (parent, name) = crate::path::split(path.as_bytes());
        Ignoring::new(root.as_fd(), &rules).ignores(parent, name, NameKind::Other).unwrap()
    }

    #[test]
    fn rules_hold_as_git_reads_them() {
        let top = &[(".gitignore", "target/\n*.log\n!keep.log\n/only-here\n# comment\n\\#odd\na/**/z\n")];
        for path in ["target/x", "a/target/b/c", "x.log", "d/x.log", "only-here", "#odd", "a/b/c/z"] {
            assert!(ignored(top, &[], path), "{path}");
        }
        for path in ["target", "keep.log", "d/only-here", "# comment", "z", "src/main.rs"] {
            assert!(!ignored(top, &[], path), "{path}");
        }
        // What lies in an ignored directory can't be shown again; a deeper file is stronger than one above.
        assert!(ignored(&[(".gitignore", "out/\n!out/kept\n")], &[], "out/kept"));
        assert!(!ignored(&[(".gitignore", "*.o\n"), ("lib/.gitignore", "!*.o\n")], &[], "lib/x.o"));
        assert!(ignored(&[], &[b"*.tmp\n", b"info\n"], "deep/x.tmp"));
        assert!(!ignored(&[(".gitignore", "!x.tmp\n")], &[b"*.tmp\n"], "x.tmp"));
    }

    #[test]
    fn a_line_that_is_not_understood_hides_nothing_more() {
        assert!(!ignored(&[(".gitignore", "*.log\n![\n")], &[], "x.log"));
        assert!(ignored(&[(".gitignore", "[\n*.log\n")], &[], "x.log"));
        assert!(!ignored(&[(".gitignore", &"*\n".repeat(RULES_MAX + 1))], &[], "x"));
        assert!(!ignored(&[(".gitignore", &format!("*\n{}", "#".repeat(RULES_BYTES_MAX)))], &[], "x"));
    }
}
