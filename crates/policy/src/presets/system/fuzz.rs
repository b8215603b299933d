//! Whatever an owner is called, the cell's `/etc` gets whole lines with the fields that they must have, and nothing
//! that must never be taken is found by a pattern.

use super::*;
use cofferdam_fuzz::{fuzz, parts};

#[test]
fn no_name_forges_an_account_or_a_host() {
    fuzz("etc", target);
}

/// Name, home, shell, and a path below `/etc`.
fn target(input: &[u8]) -> [bool; 4] {
    let [name, home, shell, path] = parts::<4>(input).map(String::from_utf8_lossy);
    let account = Account { name: &name, uid: 1000, gid: 1000, home: &home, shell: &shell };
    let users = passwd(&account);
    if let Ok(text) = &users {
        assert!(text.lines().all(|line| line.split(':').count() == 7), "{text:?}");
        assert!(text.lines().count() <= 3 && text.ends_with('\n'), "{text:?}");
        assert_eq!(
            text.lines().filter(|line| line.split(':').nth(2) == Some("0")).count(),
            usize::from(*name != *"root")
        );
    }
    let groups = group(&account);
    if let Ok(text) = &groups {
        assert!(
            text.lines().all(|line| line.split(':').count() == 4) && text.lines().count() <= 4,
            "{text:?}"
        );
    }
    let addresses = hosts(&name);
    if let Ok(text) = &addresses {
        let own = text.lines().filter(|line| line.split_whitespace().any(|word| word == name));
        assert!(name.is_empty() || own.count() > 0, "{text:?}");
        assert!(
            text.lines().all(|line| line.starts_with("127.") || line.starts_with("::1") || line.is_empty())
        );
    }
    let never = is_never_taken(&path);
    for file in ["shadow", "sudoers", "ssh/ssh_host_rsa_key"] {
        assert!(*path != *file || never, "{file}");
    }
    [users.is_ok(), groups.is_ok(), addresses.is_ok(), never]
}
