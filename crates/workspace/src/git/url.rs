//! Remote addresses without what opens them: user and password, tokens in queries.
//!
//! What can't be understood is dropped, not passed. A token that is part of the path can't be told from a path.

/// How the user part of an address is treated.
enum UserPart {
    /// A login or token: it goes.
    Dropped,
    /// The name of an account (`git@`), needed to connect: it stays without a password.
    NameKept,
}

/// `value` as an address that holds no credentials, or `None` if it can't be made one.
///
/// Paths and `host:path` addresses stay as they are; helpers that run commands (`ext::`) don't pass.
pub(super) fn without_credentials(value: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(value).ok()?;
    if text.chars().any(char::is_control) {
        return None;
    }
    let Some((scheme, rest)) = text.split_once("://") else { return plain_address(text) };
    let user_part = match scheme.to_ascii_lowercase().as_str() {
        "http" | "https" | "ftp" | "ftps" => UserPart::Dropped,
        "ssh" | "git" | "git+ssh" | "ssh+git" => UserPart::NameKept,
        "file" => return Some(value.to_vec()),
        _ => return None,
    };
    // A backslash is a slash to some and not to others.
    if rest.contains('\\') || rest.contains(char::is_whitespace) {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end)?;
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (user, host),
        None => ("", authority),
    };
    // `https://me:pass/word@host/`: a slash in the password makes `me` the host and moves the password to the path.
    // With an `@` in it as well it even passes for a host.
    let second_user =
        !user.is_empty() && path.split('/').any(|segment| segment.find('@').is_some_and(|at| at > 0));
    if second_user || !is_host_and_port(host) {
        return None;
    }
    let path = path.split(['?', '#']).next().unwrap_or_default();
    Some(
        match user_part {
            UserPart::Dropped => format!("{scheme}://{host}{path}"),
            UserPart::NameKept => match user.split(':').next().filter(|name| !name.is_empty()) {
                Some(name) => format!("{scheme}://{name}@{host}{path}"),
                None => format!("{scheme}://{host}{path}"),
            },
        }
        .into_bytes(),
    )
}

/// A name or address, in brackets if it is IPv6, with or without a port.
fn is_host_and_port(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, ""),
        Some((host, port)) => (host, port.strip_prefix(':').unwrap_or("x")),
        None => text.split_once(':').unwrap_or((text, "")),
    };
    let in_host =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'~') || byte >= 0x80;
    let is_v6 = text.starts_with('[')
        && host.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.' | b'%'));
    !host.is_empty() && (is_v6 || host.bytes().all(in_host)) && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// `user@host:path`, or a path.
fn plain_address(text: &str) -> Option<Vec<u8>> {
    let before_path = text.split('/').next().unwrap_or_default();
    if before_path.contains("::") {
        return None;
    }
    let user = text.split_once('@').map_or("", |(user, _)| user);
    let is_path = text.starts_with(['/', '.', '~']);
    (is_path || !user.contains(':')).then(|| text.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cleaned(text: &str) -> Option<String> {
        without_credentials(text.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn users_passwords_and_queries_go_and_the_address_stays() {
        for (given, expected) in [
            ("https://user:pass@host/a/b.git", "https://host/a/b.git"),
            ("https://ghp_token@host:8443/a", "https://host:8443/a"),
            ("HTTPS://u@h@host/a", "HTTPS://host/a"),
            ("https://host/a?private_token=x#y", "https://host/a"),
            ("https://host/@scope/a", "https://host/@scope/a"),
            ("https://u:p@[::1]/a", "https://[::1]/a"),
            ("https://[::1]:80/a", "https://[::1]:80/a"),
            ("ssh://git:secret@host/a", "ssh://git@host/a"),
            ("ssh://git@host:22/a", "ssh://git@host:22/a"),
            ("git@host:a/b.git", "git@host:a/b.git"),
            ("../sibling", "../sibling"),
            ("/srv/git/a@b:c", "/srv/git/a@b:c"),
            ("file:///srv/git", "file:///srv/git"),
        ] {
            assert_eq!(cleaned(given).as_deref(), Some(expected), "{given}");
        }
    }

    #[test]
    fn what_runs_a_command_or_cannot_be_understood_is_dropped() {
        for given in [
            "ext::sh -c evil",
            "fd::7",
            "https://me:pass/word@host/",
            "https://",
            "https://user:pass@",
            "https://h\\@evil/",
            "foo://host/",
            "user:pass@host:path",
            "https://host/a b",
            "git@host:a\nb",
        ] {
            assert_eq!(cleaned(given), None, "{given}");
        }
    }

    proptest! {
        #[test]
        fn no_password_survives(user in "[a-z]{1,6}", password in "[a-zA-Z0-9@:#?/%]{1,12}", scheme in "https?|ssh|git|ftp") {
            let secret = format!("QQ{password}QQ");
            if let Some(clean) = cleaned(&format!("{scheme}://{user}:{secret}@host.example/path")) {
                prop_assert!(!clean.contains("QQ"), "{}", clean);
            }
        }
    }
}
