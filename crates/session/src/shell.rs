//! Words of a shell's command line that the owner may paste.
//!
//! What an agent chose may stand in such a word, and nothing in it may end the word or run. A text that can't be shown
//! whole and as it is makes no word at all: what is pasted is what was read.

/// `text` as a shell takes it for one word; as it is, where that is one.
#[must_use]
pub fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-@%+=:,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) { text.to_owned() } else { quoted(text) }
}

/// `--allow '…'` of a grant that is offered; `None` if it has more than `columns_max` columns, or anything in it that
/// is not seen.
#[must_use]
pub fn allow(grant: &str, columns_max: usize) -> Option<String> {
    let is_seen = !grant.is_empty() && grant.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    let offered = format!("--allow {}", quoted(grant));
    (is_seen && offered.len() <= columns_max).then_some(offered)
}

/// Within single quotes a shell reads nothing but their end.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// What `sh` makes of a line of words.
    fn read_by_a_shell(words: &str) -> String {
        let script = format!("printf '%s\\n' {words}");
        let run = Command::new("/bin/sh").args(["-c", &script]).output().unwrap();
        String::from_utf8(run.stdout).unwrap()
    }

    #[test]
    fn nothing_that_an_agent_asks_for_ends_the_word_it_is_offered_in() {
        for grant in [
            "GET a.test:443/x';touch$IFS/tmp/gone;'",
            "GET a.test:443/$(id)&b`id`",
            "GET a.test:443/'\\''&id&'",
            "GET a.test:443/plain query=deny",
        ] {
            let offered = allow(grant, 200).unwrap();
            assert_eq!(read_by_a_shell(&offered), format!("--allow\n{grant}\n"));
            assert_eq!(read_by_a_shell(&word(grant)), format!("{grant}\n"));
        }
        assert_eq!(allow("a.test:443", 200).unwrap(), "--allow 'a.test:443'");
    }

    #[test]
    fn what_is_typed_again_is_one_word() {
        assert_eq!(word("env:GH_TOKEN"), "env:GH_TOKEN");
        assert_eq!(word("command:pass show 'x'"), r"'command:pass show '\''x'\'''");
        assert_eq!(word(""), "''");
    }

    #[test]
    fn what_can_not_be_shown_whole_and_as_it_is_is_not_offered() {
        let long = format!("GET a.test:443/{}", "x".repeat(200));
        for grant in [long.as_str(), "", "GET a.test:443/\u{200b}", "GET a.test:443/\u{1b}[2K", "a\nb"] {
            assert_eq!(allow(grant, 200), None, "{grant:?}");
        }
    }
}
