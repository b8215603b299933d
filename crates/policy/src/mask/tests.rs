//! Masks and signs of secrets, judged by examples and by laws.

use super::*;
use proptest::prelude::*;

fn set(patterns: &[&str]) -> MaskSet {
    MaskSet::new(patterns.iter().map(|p| explicit_mask(p).unwrap()).collect()).unwrap()
}

fn defaults() -> MaskSet {
    MaskSet::new(default_masks().unwrap()).unwrap()
}

fn hidden(set: &MaskSet, path: &str) -> bool {
    set.hides_path(path.as_bytes(), NameKind::Other).is_some()
}

#[test]
fn a_pattern_without_a_slash_holds_at_any_depth_and_one_with_a_slash_at_the_root() {
    let masks = set(&[".env", "/only-here", "config/prod.yml", "a/**/z", "deep/**"]);
    for path in
        [".env", "a/b/.env", ".env/below", "only-here", "config/prod.yml", "a/z", "a/b/c/z", "deep/x/y"]
    {
        assert!(hidden(&masks, path), "{path}");
    }
    for path in ["x.env", ".env2", "sub/only-here", "sub/config/prod.yml", "b/a/z", "deep", "a/zz"] {
        assert!(!hidden(&masks, path), "{path}");
    }
}

#[test]
fn wildcards_and_classes_mean_what_they_mean_in_gitignore() {
    let masks = set(&["*.key", "id_?sa", "[a-c]x[!0-9]", "we\\*ird", "[]]q", "[a-]d", "pre*mid*post"]);
    for path in [
        ".key",
        "a.key",
        "id_rsa",
        "axz",
        "cx-",
        "we*ird",
        "]q",
        "-d",
        "ad",
        "premidpost",
        "pre1mid2mid3post",
    ] {
        assert!(hidden(&masks, path), "{path}");
    }
    for path in ["a.keys", "id_rrsa", "dxz", "ax1", "weXird", "bd", "premid"] {
        assert!(!hidden(&masks, path), "{path}");
    }
}

#[test]
fn a_trailing_slash_hides_directories_only() {
    let masks = set(&[".ssh/"]);
    assert!(masks.hides(b"", b".ssh", NameKind::Directory).is_some());
    assert!(masks.hides(b"", b".ssh", NameKind::Other).is_none());
    assert!(hidden(&masks, "home/.ssh/config"));
}

#[test]
fn what_could_unhide_or_match_nothing_is_refused() {
    for text in ["", "/", "!a", "a//b", "../x", "./x", "a\nb", "[abc", "[z-a]", "x\\", "a\0b"] {
        assert!(text.parse::<MaskPattern>().is_err(), "{text:?}");
    }
    assert_eq!("a".repeat(PATTERN_BYTES_MAX + 1).parse::<MaskPattern>(), Err(MaskError::TooLong));
}

#[test]
fn the_defaults_hide_what_tools_keep_secrets_in() {
    let masks = defaults();
    for path in [
        ".env",
        "packages/a/.env.local",
        ".env.production",
        ".npmrc",
        "sub/.pypirc",
        "id_ed25519",
        "tls/server.key",
        "tls/server-key.pem",
        "privkey1.pem",
        ".ssh/config",
        "a/.aws/credentials",
        "x/.docker/config.json",
        "infra/terraform.tfstate",
        "infra/terraform.tfstate.backup",
        "config/master.key",
        "secrets.yaml",
        ".cargo/credentials.toml",
        "my-service-account.json",
        ".config/gcloud/x",
    ] {
        assert!(hidden(&masks, path), "{path}");
    }
    for path in [
        ".env.example",
        "a/.env.sample",
        ".env.template",
        ".env.dist",
        ".env.defaults",
        "cert.pem",
        "src/key.rs",
        ".docker/Dockerfile",
        "environment",
        "package.json",
        "monkey",
        "keys",
        "credentials.rs",
        "src/secrets.rs",
    ] {
        assert!(!hidden(&masks, path), "{path}");
    }
}

#[test]
fn literal_paths_are_those_without_wildcards() {
    let paths: Vec<Vec<u8>> =
        set(&[".env", "*.key", "**/.docker/config.json", "/a", "x/**/y"]).literal_paths().collect();
    assert_eq!(paths, [b".env".to_vec(), b".docker/config.json".to_vec(), b"a".to_vec()]);
}

#[test]
fn the_digest_changes_with_every_pattern_and_exception() {
    let mut rules = default_masks().unwrap();
    let whole = MaskSet::new(rules.clone()).unwrap().digest();
    rules.pop();
    assert_ne!(whole, MaskSet::new(rules.clone()).unwrap().digest());
    let before = MaskSet::new(rules.clone()).unwrap().digest();
    rules[1].except.pop();
    assert_ne!(before, MaskSet::new(rules).unwrap().digest());
    assert_ne!(set(&["ab", "c"]).digest(), set(&["a", "bc"]).digest());
}

#[test]
fn names_that_resemble_secrets_are_pointed_out() {
    for name in [
        "server.pem",
        "credentials",
        "my_secret.json",
        "api-token.txt",
        ".envrc",
        "PASSWORDS.csv",
        "pip.conf",
    ] {
        assert!(looks_secret_name(name.as_bytes()).is_some(), "{name}");
    }
    for name in
        ["token.rs", "secret_santa.py", "README.md", "tokenizer.json", "package.json", "pem", "x.txt", ""]
    {
        assert!(looks_secret_name(name.as_bytes()).is_none(), "{name}");
    }
}

#[test]
fn variables_that_look_secret_are_told_from_settings() {
    let secret = [
        ("GITHUB_TOKEN", "x"),
        ("DB_PASSWORD", "hunter2"),
        ("MYSQL_PWD", "a"),
        ("OPENAI_API_KEY", "abc"),
        ("githubtoken", "abc"),
        ("FOO", "sk-ant-not-a-real-key-0"),
        ("FOO", "ghp_abcdefghijklmnopqrstuvwx"),
        ("FOO", "AKIAIOSFODNN7EXAMPLE"),
        ("FOO", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc_-123"),
        ("FOO", "-----BEGIN OPENSSH PRIVATE KEY-----\nabc"),
        ("DATABASE_URL", "postgres://u:p@h/db"),
        ("INDEX", "https://h/simple?token=abcdefgh"),
        ("FOO", "4f9c1d2e8b7a6053c1d2e8b7a60534f9"),
        ("FOO", "Zm9vYmFyQmF6MTIzNDU2Nzg5MGFiY2RlZgQQ"),
        ("SSH_AUTH_SOCK", "https://u:p@h/"),
    ];
    for (key, value) in secret {
        assert!(looks_secret_value(key, value).is_some(), "{key}={value}");
    }
    let plain = [
        ("PWD", "/home/me/project"),
        ("SSH_AUTH_SOCK", "/run/user/1000/keyring/ssh"),
        ("MAX_TOKENS", "4096"),
        ("AUTH", "true"),
        ("DB_PASSWORD_FILE", "/run/secrets/db"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin:/home/someone/.cargo/bin"),
        ("LS_COLORS", "rs=0:di=01;34:ln=01;36:mh=00:pi=40;33:so=01;35"),
        ("GIT_COMMIT", "4f9c1d2e8b7a6053c1d2e8b7a60534f94f9c1d2e"),
        ("PROXY", "http://proxy.example:3128/"),
        ("SORT_KEY", "name"),
        ("TOKENIZERS_PARALLELISM", "false"),
        ("COMPASS", "north"),
        ("LANG", "en_US.UTF-8"),
        ("EMPTY_TOKEN", ""),
    ];
    for (key, value) in plain {
        assert_eq!(looks_secret_value(key, value), None, "{key}={value}");
    }
}

fn pattern_text() -> impl Strategy<Value = String> {
    prop::collection::vec("[a-c*?.]{1,4}|\\*\\*", 1..4).prop_map(|segments| segments.join("/"))
}

fn path_text() -> impl Strategy<Value = String> {
    prop::collection::vec("[a-c.]{1,4}", 1..5).prop_map(|segments| segments.join("/"))
}

/// The slow and obvious definition that the compiled matcher is held against.
fn obvious(pattern: &str, path: &str) -> bool {
    fn name(p: &[u8], n: &[u8]) -> bool {
        match (p.first(), n.first()) {
            (None, None) => true,
            (Some(b'*'), _) => name(&p[1..], n) || (!n.is_empty() && name(p, &n[1..])),
            (Some(b'?'), Some(_)) => name(&p[1..], &n[1..]),
            (Some(a), Some(b)) if a == b => name(&p[1..], &n[1..]),
            _ => false,
        }
    }
    fn segments(p: &[&str], n: &[&str]) -> bool {
        match (p.first(), n.first()) {
            (None, None) => true,
            (Some(&"**"), _) => {
                let one_at_least = p.len() == 1 && n.is_empty();
                !one_at_least
                    && (segments(&p[1..], n) || (!n.is_empty() && (p.len() == 1 || segments(p, &n[1..]))))
            }
            (Some(a), Some(b)) => name(a.as_bytes(), b.as_bytes()) && segments(&p[1..], &n[1..]),
            _ => false,
        }
    }
    let parts: Vec<&str> = path.split('/').collect();
    if pattern.contains('/') {
        let wanted: Vec<&str> = pattern.split('/').collect();
        segments(&wanted, &parts)
    } else {
        pattern == "**" || name(pattern.as_bytes(), parts[parts.len() - 1].as_bytes())
    }
}

proptest! {
    #[test]
    fn the_compiled_matcher_agrees_with_the_obvious_one(pattern in pattern_text(), path in path_text()) {
        prop_assume!(pattern.split('/').all(|s| s != "." && s != ".."));
        let masks = set(&[&pattern]);
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let got = masks.hides(parent.as_bytes(), name.as_bytes(), NameKind::Other).is_some();
        prop_assert_eq!(got, obvious(&pattern, &path), "{} on {}", pattern, path);
    }

    #[test]
    fn adding_a_mask_never_shows_what_was_hidden(more in pattern_text(), path in path_text()) {
        let Ok(more) = explicit_mask(&more) else { return Ok(()) };
        let mut rules = default_masks().unwrap();
        let before = MaskSet::new(rules.clone()).unwrap().hides_path(path.as_bytes(), NameKind::Other).is_some();
        rules.insert(0, more);
        let after = MaskSet::new(rules).unwrap().hides_path(path.as_bytes(), NameKind::Other).is_some();
        prop_assert!(after || !before);
    }

    #[test]
    fn what_is_below_a_hidden_directory_is_hidden(pattern in pattern_text(), path in path_text(), below in path_text()) {
        let Ok(rule) = explicit_mask(&pattern) else { return Ok(()) };
        let masks = MaskSet::new(vec![rule]).unwrap();
        if masks.hides_path(path.as_bytes(), NameKind::Directory).is_some() {
            let longer = format!("{path}/{below}");
            prop_assert!(masks.hides_path(longer.as_bytes(), NameKind::Other).is_some());
        }
    }

    #[test]
    fn a_pattern_prints_as_it_was_written(text in ".{0,40}") {
        if let Ok(pattern) = text.parse::<MaskPattern>() {
            prop_assert_eq!(pattern.to_string(), text);
        }
    }

    #[test]
    fn any_bytes_are_matched_without_a_panic(parent in prop::collection::vec(any::<u8>(), 0..20), name in prop::collection::vec(any::<u8>(), 0..20)) {
        let masks = defaults();
        let rule = masks.hides(&parent, &name, NameKind::Other);
        prop_assert!(rule.is_none_or(|rule| !rule.reason.is_empty()));
        prop_assert!(looks_secret_name(&name).is_none_or(|why| !why.to_string().is_empty()));
        let sign = looks_secret_value(&String::from_utf8_lossy(&parent), &String::from_utf8_lossy(&name));
        prop_assert!(sign.is_none_or(|why| !why.to_string().is_empty()));
    }
}
