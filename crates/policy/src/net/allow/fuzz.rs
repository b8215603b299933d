//! Any line is refused, or a grant that prints as a line that gives it back.

use super::*;
use cofferdam_fuzz::fuzz;

#[test]
fn a_grant_in_one_line_is_understood_whole_or_refused() {
    fuzz("allow", target);
}

fn target(input: &[u8]) -> Result<String, String> {
    let Ok(text) = std::str::from_utf8(input) else { return Err("not UTF-8".to_owned()) };
    match AllowEntry::parse(text, GrantOrigin::Flag) {
        Ok(AllowEntry::Set(name)) => {
            assert_eq!(name, text);
            assert!(!name.contains(['.', '*']) || name.contains('('));
            Ok("set".to_owned())
        }
        Ok(AllowEntry::Grant(grant)) => {
            let line = grant.line();
            assert_eq!(Grant::from_line(&line, GrantOrigin::Flag).as_ref(), Ok(&*grant), "{line}");
            let bytes = serde_json::to_vec(&grant).unwrap();
            assert_eq!(serde_json::from_slice::<Grant>(&bytes).unwrap(), *grant);
            assert!(line.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '), "{line:?}");
            assert!(!grant.is_unread() || (grant.credential.is_none() && grant.paths.is_empty()));
            let keys = line.split(' ').filter_map(|word| word.split_once('=')).map(|(key, _)| key);
            Ok(keys.collect::<Vec<_>>().join(" "))
        }
        Err(error) => {
            let told = error.to_string();
            let letters = told.chars().rev().filter(char::is_ascii_alphabetic);
            Err(letters.take(20).collect())
        }
    }
}
