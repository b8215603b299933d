//! Which names the file systems of colleagues take for one and the same.
//!
//! A name is folded as far as any of HFS+, APFS and NTFS would: letter case, composed and decomposed letters, code points
//! that HFS+ ignores, blanks and dots at the end, streams after a colon. It is for comparing only, and never for opening.

use unicode_normalization::UnicodeNormalization as _;

/// `name` as the most forgiving file system reads it. Bytes that are not UTF-8 stay as they are.
pub(super) fn folded(name: &[u8]) -> Vec<u8> {
    let mut folded = Vec::with_capacity(name.len());
    if name.is_ascii() {
        folded.extend(name.iter().map(u8::to_ascii_lowercase));
    } else {
        for chunk in name.utf8_chunks() {
            let kept = chunk.valid().chars().filter(|c| !is_ignored_by_hfs(*c));
            // By way of upper case: only so do `ſ` and `K` (U+212A) become `s` and `k`.
            let cased = kept.flat_map(char::to_uppercase).flat_map(char::to_lowercase);
            folded.extend(cased.nfd().collect::<String>().into_bytes());
            folded.extend_from_slice(chunk.invalid());
        }
    }
    without_windows_end(&mut folded);
    folded
}

/// A path, name by name.
pub(super) fn folded_path(path: &[u8]) -> Vec<u8> {
    let names: Vec<Vec<u8>> = path.split(|byte| *byte == b'/').map(folded).collect();
    names.join(&b'/')
}

/// NTFS opens `name::$INDEX_ALLOCATION`, `name.` and `name ` as `name`.
fn without_windows_end(name: &mut Vec<u8>) {
    if let Some(colon) = name.iter().position(|byte| *byte == b':').filter(|at| *at > 0) {
        name.truncate(colon);
    }
    let kept = name.iter().rposition(|byte| !matches!(byte, b'.' | b' '));
    if let Some(last) = kept {
        name.truncate(last.saturating_add(1));
    }
}

/// The code points that git, too, passes over when it looks for `.git` on HFS+ (`utf8.c`, `next_hfs_char`).
const fn is_ignored_by_hfs(c: char) -> bool {
    matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spellings_that_some_file_system_takes_for_one_are_one() {
        let same: [(&str, &str); 8] = [
            ("Makefile", "makefile"),
            ("MAKEFILE.", "makefile"),
            ("makefile::$DATA", "makefile"),
            ("ma\u{212a}efile", "makefile"),
            ("\u{17f}etup.py", "setup.py"),
            ("ma\u{200c}kefile\u{feff}", "makefile"),
            ("e\u{301}", "\u{c9}"),
            ("stra\u{df}e", "STRASSE"),
        ];
        for (one, other) in same {
            assert_eq!(folded(one.as_bytes()), folded(other.as_bytes()), "{one:?}");
        }
        assert_ne!(folded(b"make-file"), folded(b"makefile"));
        assert_eq!(folded(b"..."), b"...");
        assert_eq!(folded_path(b"A/B./c"), b"a/b/c");
    }

    proptest! {
        #[test]
        fn case_never_matters(name in "[a-zA-Z._-]{1,12}") {
            prop_assert_eq!(folded(name.to_uppercase().as_bytes()), folded(name.to_lowercase().as_bytes()));
        }

        #[test]
        fn any_bytes_have_a_spelling(name in prop::collection::vec(any::<u8>(), 1..30)) {
            prop_assert!(!folded_path(&name).contains(&0) || name.contains(&0));
        }
    }
}
