//! Reading and printing git's configuration files, by git-config(1), "CONFIGURATION FILE".
//!
//! The reader knows the grammar and nothing of any key's meaning; includes are not followed.

use crate::path::visible;

/// The largest configuration file read, in bytes.
pub const CONFIG_BYTES_MAX: usize = 4 * 1024 * 1024;

/// One `key = value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// In lower case.
    pub section: String,
    /// As it is written; its case counts.
    pub subsection: Option<Vec<u8>>,
    /// In lower case.
    pub key: String,
    /// `None` for a key alone, which means `true`.
    pub value: Option<Vec<u8>>,
}

/// Why a file is no configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of a git configuration is not understood: {what}")]
pub struct ConfigError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: ConfigFault,
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConfigFault {
    /// A NUL byte.
    #[error("a NUL byte")]
    Nul,
    /// A section's header.
    #[error("a bad section header")]
    Section,
    /// A key before any section, or one with other characters than letters, digits and dashes.
    #[error("a bad key")]
    Key,
    /// An unknown escape, or a quote that does not end on its line.
    #[error("a bad value")]
    Value,
}

/// Reads a whole file.
///
/// # Errors
/// [`ConfigError`] for the first line that is not understood.
pub fn parse(bytes: &[u8]) -> Result<Vec<Entry>, ConfigError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = Reader { rest: bytes, line: 1 };
    if bytes.contains(&0) {
        return Err(reader.fault(ConfigFault::Nul));
    }
    let mut entries = Vec::new();
    let mut section: Option<(String, Option<Vec<u8>>)> = None;
    loop {
        reader.skip_space();
        match reader.peek() {
            None => return Ok(entries),
            Some(b'\n') => drop(reader.next()),
            Some(b'#' | b';') => reader.skip_line(),
            Some(b'[') => section = Some(reader.section()?),
            Some(byte) if byte.is_ascii_alphabetic() => {
                let Some((section, subsection)) = section.clone() else {
                    return Err(reader.fault(ConfigFault::Key));
                };
                let (key, value) = reader.entry()?;
                entries.push(Entry { section, subsection, key, value });
            }
            Some(_) => return Err(reader.fault(ConfigFault::Key)),
        }
    }
}

/// Prints entries so that git, and [`parse`], read the same again.
#[must_use]
pub fn print(entries: &[Entry]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut current: Option<(&str, Option<&[u8]>)> = None;
    for entry in entries {
        let section = (entry.section.as_str(), entry.subsection.as_deref());
        if current != Some(section) {
            text.push(b'[');
            text.extend_from_slice(entry.section.as_bytes());
            if let Some(subsection) = &entry.subsection {
                text.extend_from_slice(b" \"");
                for byte in subsection {
                    if matches!(byte, b'"' | b'\\') {
                        text.push(b'\\');
                    }
                    text.push(*byte);
                }
                text.push(b'"');
            }
            text.extend_from_slice(b"]\n");
            current = Some(section);
        }
        text.push(b'\t');
        text.extend_from_slice(entry.key.as_bytes());
        if let Some(value) = &entry.value {
            text.extend_from_slice(b" = \"");
            for byte in value {
                match byte {
                    b'"' | b'\\' => text.extend_from_slice(&[b'\\', *byte]),
                    b'\n' => text.extend_from_slice(b"\\n"),
                    b'\t' => text.extend_from_slice(b"\\t"),
                    0x08 => text.extend_from_slice(b"\\b"),
                    other => text.push(*other),
                }
            }
            text.push(b'"');
        }
        text.push(b'\n');
    }
    text
}

impl Entry {
    /// The name for people, without a subsection's text: that may hold a secret (`url.https://token@host/.insteadOf`).
    #[must_use]
    pub fn shown(&self) -> String {
        match &self.subsection {
            Some(subsection) if !subsection.contains(&b'@') && !subsection.contains(&b':') => {
                format!("{}.{}.{}", self.section, visible(subsection), self.key)
            }
            Some(_) => format!("{}.….{}", self.section, self.key),
            None => format!("{}.{}", self.section, self.key),
        }
    }

    /// Whether the value means true (git-config(1), "VALUES", boolean).
    #[must_use]
    pub fn is_true(&self) -> bool {
        match &self.value {
            None => true,
            Some(value) => {
                [&b"true"[..], b"yes", b"on", b"1"].iter().any(|word| value.eq_ignore_ascii_case(word))
            }
        }
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    line: usize,
}

impl Reader<'_> {
    fn fault(&self, what: ConfigFault) -> ConfigError {
        ConfigError { line: self.line, what }
    }

    /// A carriage return before a newline counts as part of it.
    fn peek(&self) -> Option<u8> {
        match self.rest {
            [b'\r', b'\n', ..] => Some(b'\n'),
            rest => rest.first().copied(),
        }
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        let width = if self.rest.starts_with(b"\r\n") { 2 } else { 1 };
        self.rest = self.rest.get(width..).unwrap_or_default();
        if byte == b'\n' {
            self.line = self.line.saturating_add(1);
        }
        Some(byte)
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | 0x0b | 0x0c | b'\r')) {
            self.next();
        }
    }

    fn skip_line(&mut self) {
        while !matches!(self.peek(), None | Some(b'\n')) {
            self.next();
        }
    }

    /// `[name]`, `[name "sub"]` or the old `[name.sub]`.
    fn section(&mut self) -> Result<(String, Option<Vec<u8>>), ConfigError> {
        let mut name = String::new();
        self.next();
        loop {
            match self.next() {
                Some(b']') => break,
                Some(b' ' | b'\t') => {
                    let subsection = self.subsection()?;
                    return if name.is_empty() {
                        Err(self.fault(ConfigFault::Section))
                    } else {
                        Ok((name, Some(subsection)))
                    };
                }
                Some(byte) if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.') => {
                    name.push(char::from(byte.to_ascii_lowercase()));
                }
                Some(_) | None => return Err(self.fault(ConfigFault::Section)),
            }
        }
        match name.split_once('.') {
            Some((section, subsection)) if !section.is_empty() => {
                Ok((section.to_owned(), Some(subsection.as_bytes().to_vec())))
            }
            None if !name.is_empty() => Ok((name, None)),
            Some(_) | None => Err(self.fault(ConfigFault::Section)),
        }
    }

    fn subsection(&mut self) -> Result<Vec<u8>, ConfigError> {
        let bad = ConfigFault::Section;
        self.skip_space();
        if self.next() != Some(b'"') {
            return Err(self.fault(bad));
        }
        let mut name = Vec::new();
        loop {
            match self.next() {
                Some(b'"') => break,
                Some(b'\n') | None => return Err(self.fault(bad)),
                Some(b'\\') => match self.next() {
                    Some(b'\n') | None => return Err(self.fault(bad)),
                    Some(byte) => name.push(byte),
                },
                Some(byte) => name.push(byte),
            }
        }
        if self.next() == Some(b']') { Ok(name) } else { Err(self.fault(bad)) }
    }

    fn entry(&mut self) -> Result<(String, Option<Vec<u8>>), ConfigError> {
        let mut key = String::new();
        while let Some(byte) = self.peek().filter(|byte| byte.is_ascii_alphanumeric() || *byte == b'-') {
            key.push(char::from(byte.to_ascii_lowercase()));
            self.next();
        }
        self.skip_space();
        match self.peek() {
            None | Some(b'\n' | b'#' | b';') => {
                self.skip_line();
                Ok((key, None))
            }
            Some(b'=') => {
                self.next();
                Ok((key, Some(self.value()?)))
            }
            Some(_) => Err(self.fault(ConfigFault::Key)),
        }
    }

    fn value(&mut self) -> Result<Vec<u8>, ConfigError> {
        let bad = ConfigFault::Value;
        let mut value = Vec::new();
        let mut quoted = false;
        // Space at the end counts only if something or a quote follows.
        let mut kept = 0;
        self.skip_space();
        loop {
            match self.peek() {
                None | Some(b'\n') if quoted => return Err(self.fault(bad)),
                None | Some(b'\n') => break,
                Some(b'#' | b';') if !quoted => {
                    self.skip_line();
                    break;
                }
                Some(_) => {}
            }
            match self.next() {
                Some(b'"') => {
                    quoted = !quoted;
                    kept = value.len();
                }
                Some(b'\\') => {
                    match self.next() {
                        Some(b'\n') => continue,
                        Some(b'n') => value.push(b'\n'),
                        Some(b't') => value.push(b'\t'),
                        Some(b'b') => value.push(0x08),
                        Some(byte @ (b'"' | b'\\')) => value.push(byte),
                        Some(_) | None => return Err(self.fault(bad)),
                    }
                    kept = value.len();
                }
                Some(byte @ (b' ' | b'\t' | 0x0b | 0x0c | b'\r')) => {
                    value.push(byte);
                    if quoted {
                        kept = value.len();
                    }
                }
                Some(byte) => {
                    value.push(byte);
                    kept = value.len();
                }
                None => break,
            }
        }
        value.truncate(kept);
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn flat(text: &str) -> Vec<(String, Option<String>)> {
        let entries = parse(text.as_bytes()).unwrap();
        entries
            .into_iter()
            .map(|entry| {
                let subsection = entry
                    .subsection
                    .map(|s| format!("{}.", String::from_utf8(s).unwrap()))
                    .unwrap_or_default();
                (
                    format!("{}.{subsection}{}", entry.section, entry.key),
                    entry.value.map(|v| String::from_utf8(v).unwrap()),
                )
            })
            .collect()
    }

    #[test]
    fn what_git_understands_is_understood() {
        let text = "\u{feff}# c\n[core] bare = false ; x\r\n\tFileMode\n[remote \"a\\\"b\\\\c\"]\n url = \"a;b\" # c\n  \
            fetch = +refs/heads/*:refs/x/* \\\n  more  \n[Old.Sub]\nk = a \"b  \" \n[x]\ny=\nz = \"a\\nb\\t\\\"\" c\n";
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            flat(text),
            [
                ("core.bare".to_owned(), some("false")),
                ("core.filemode".to_owned(), None),
                ("remote.a\"b\\c.url".to_owned(), some("a;b")),
                ("remote.a\"b\\c.fetch".to_owned(), some("+refs/heads/*:refs/x/*   more")),
                ("old.sub.k".to_owned(), some("a b  ")),
                ("x.y".to_owned(), some("")),
                ("x.z".to_owned(), some("a\nb\t\" c")),
            ]
        );
    }

    #[test]
    fn what_git_refuses_is_refused_with_its_line() {
        for (text, line) in [
            ("a = b\n", 1),
            ("[a]\n1b = c", 2),
            ("[a\nb=c", 2),
            ("[a \"b]\n", 2),
            ("[a \"b\"x]\n", 1),
            ("[]\n", 1),
            ("[a]\nb = \\x\n", 2),
            ("[a]\nb = \"c\n", 2),
            ("[a]\nb c\n", 2),
            ("[a]\n\0", 1),
            ("[a]\nb_c = d\n", 2),
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap_err().line, line, "{text:?}");
        }
    }

    #[test]
    fn a_name_for_people_holds_no_credentials() {
        let entries = parse(b"[url \"https://tok@h/\"]\ninsteadOf = x\n[remote \"o\"]\nurl=y\n").unwrap();
        assert_eq!([entries[0].shown(), entries[1].shown()], ["url.….insteadof", "remote.o.url"]);
    }

    fn entry() -> impl Strategy<Value = Entry> {
        let bytes = || prop::collection::vec(1u8.., 0..12);
        let subsection = bytes().prop_filter("no newline", |name| !name.contains(&b'\n'));
        (
            "[a-z][a-z0-9-]{0,5}",
            prop::option::of(subsection),
            "[a-z][a-z0-9-]{0,5}",
            prop::option::of(bytes()),
        )
            .prop_map(|(section, subsection, key, value)| Entry { section, subsection, key, value })
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(entries in prop::collection::vec(entry(), 0..6)) {
            // A carriage return before a newline can't be told from the newline, by git either.
            prop_assume!(entries.iter().all(|e| !e.subsection.iter().any(|s| s.contains(&b'\r'))));
            prop_assert_eq!(parse(&print(&entries)), Ok(entries));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[\\[\\]a\"\\\\ =\n#;\r]{0,60}") {
            for input in [bytes, text.into_bytes()] {
                if let Ok(entries) = parse(&input) {
                    prop_assert!(entries.iter().all(|entry| !entry.key.is_empty()));
                }
            }
        }
    }
}
