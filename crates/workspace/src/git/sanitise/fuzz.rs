//! Any configuration of a repository is refused, or comes out without logins and without keys that run something,
//! and the same when it is treated again.

use super::*;
use cofferdam_fuzz::fuzz;

/// Sections of which nothing may be left, as this test knows them.
const COMMANDS: [&str; 12] = [
    "alias",
    "credential",
    "include",
    "includeif",
    "http",
    "gpg",
    "pager",
    "url",
    "uploadpack",
    "difftool",
    "mergetool",
    "sendemail",
];

#[test]
fn a_configuration_is_refused_or_loses_logins_and_commands() {
    fuzz("git_config", target);
}

fn target(input: &[u8]) -> Result<(usize, usize, usize), config::ConfigFault> {
    let entries = config::parse(input).map_err(|error| error.what)?;
    assert_eq!(config::parse(&config::print(&entries)).as_ref(), Ok(&entries));
    let once = sanitise(input).unwrap();
    let again = sanitise(&once.text).unwrap();
    assert_eq!(again.text, once.text);
    assert!(again.dropped.is_empty() && again.stripped.is_empty(), "{again:?}");
    let kept = config::parse(&once.text).unwrap();
    for entry in &kept {
        assert!(!COMMANDS.contains(&entry.section.as_str()), "{entry:?}");
        let is_filter = entry.section == "filter";
        assert!(
            !is_filter || entry.value.as_ref().unwrap().starts_with(b"git-lfs") || entry.key == "required"
        );
        for text in entry.subsection.iter().chain(&entry.value) {
            assert!(!holds_login(text), "{entry:?}");
        }
    }
    let names = once.dropped.iter().chain(&once.stripped);
    assert!(names.clone().all(|name| !name.chars().any(char::is_control) && !name.contains('@')));
    Ok((kept.len(), once.dropped.len(), once.stripped.len()))
}

/// `scheme://user:password@host`, and for schemes without accounts `scheme://user@host`.
fn holds_login(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap();
    let Some((user, _)) = authority.rsplit_once('@') else { return false };
    scheme != "file" && (user.contains(':') || scheme.to_ascii_lowercase().starts_with("http"))
}
