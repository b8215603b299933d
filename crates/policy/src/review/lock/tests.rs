//! Each format before and after, the ways in which lock files are tampered with, and texts that are none.

use super::*;
use proptest::prelude::*;

fn differences(format: LockFormat, before: &str, after: &str) -> Vec<(String, String)> {
    let comparison = compare(format, Some(before.as_bytes()), Some(after.as_bytes())).unwrap();
    assert_eq!((comparison.not_understood, comparison.more), ((0, 0), 0), "{comparison:?}");
    comparison.differences.into_iter().map(|difference| (difference.name, said(&difference.change))).collect()
}

fn said(change: &Change) -> String {
    match change {
        Change::Added { version, .. } => format!("+{version}"),
        Change::Removed { version, .. } => format!("-{version}"),
        Change::Changed { version, .. } => {
            let mut parts = Vec::new();
            if change.is_of_version() {
                parts.push(format!("{}→{}", version.0, version.1));
            }
            if change.is_of_source() {
                parts.push("source".to_owned());
            }
            if change.is_of_checksum() {
                parts.push("checksum".to_owned());
            }
            parts.join(" ")
        }
    }
}

/// Of each format: the texts before and after, in which `alpha` went from 1.0.0 to 1.1.0, `beta` got another content,
/// `gamma` another source, `delta` went and `new` came.
fn texts(format: LockFormat) -> (&'static str, &'static str) {
    match format {
        LockFormat::Cargo => (include_str!("cases/cargo.before"), include_str!("cases/cargo.after")),
        LockFormat::Npm => (include_str!("cases/npm.before"), include_str!("cases/npm.after")),
        LockFormat::Yarn => (include_str!("cases/yarn.before"), include_str!("cases/yarn.after")),
        LockFormat::Pnpm => (include_str!("cases/pnpm.before"), include_str!("cases/pnpm.after")),
        LockFormat::Poetry => (include_str!("cases/poetry.before"), include_str!("cases/poetry.after")),
        LockFormat::Uv => (include_str!("cases/uv.before"), include_str!("cases/uv.after")),
        LockFormat::Gemfile => (include_str!("cases/gemfile.before"), include_str!("cases/gemfile.after")),
        LockFormat::Go => (include_str!("cases/go.before"), include_str!("cases/go.after")),
        LockFormat::Requirements => {
            (include_str!("cases/requirements.before"), include_str!("cases/requirements.after"))
        }
    }
}

#[test]
fn each_format_tells_what_was_added_removed_and_changed() {
    for format in LockFormat::ALL {
        let (before, after) = texts(format);
        let mut expected = vec![("alpha", "1.0.0→1.1.0"), ("beta", "checksum"), ("delta", "-1.0.0")];
        // A module of Go is its source.
        if format != LockFormat::Go {
            expected.push(("gamma", "source"));
        }
        expected.push(("new", "+0.1.0"));
        let expected: Vec<_> =
            expected.into_iter().map(|(name, said)| (name.to_owned(), said.to_owned())).collect();
        let found = differences(format, before, after);
        let found: Vec<_> =
            found.into_iter().map(|(name, said)| (name.replace("mod.example/", ""), said)).collect();
        assert_eq!(found, expected, "{}", format.as_str());
        assert_eq!(differences(format, before, before), [], "{}", format.as_str());
    }
}

#[test]
fn a_new_file_has_added_everything_and_a_deleted_one_removed_it() {
    for format in LockFormat::ALL {
        let (before, _) = texts(format);
        let text = Some(before.as_bytes());
        let came = compare(format, None, text).unwrap().differences;
        let went = compare(format, text, None).unwrap().differences;
        assert_eq!((came.len(), went.len()), (if format == LockFormat::Go { 3 } else { 4 }, came.len()));
        assert!(came.iter().all(|difference| matches!(difference.change, Change::Added { .. })));
        assert!(went.iter().all(|difference| matches!(difference.change, Change::Removed { .. })));
    }
}

#[test]
fn the_format_is_told_by_the_name() {
    for (path, format) in [
        ("Cargo.lock", LockFormat::Cargo),
        ("web/package-lock.json", LockFormat::Npm),
        ("yarn.lock", LockFormat::Yarn),
        ("pnpm-lock.yaml", LockFormat::Pnpm),
        ("poetry.lock", LockFormat::Poetry),
        ("tool.py.lock", LockFormat::Uv),
        ("rails.gemfile.lock", LockFormat::Gemfile),
        ("GO.SUM", LockFormat::Go),
        ("requirements-dev.txt", LockFormat::Requirements),
        ("dev-requirements.txt", LockFormat::Requirements),
        ("requirements/base.txt", LockFormat::Requirements),
    ] {
        assert_eq!(LockFormat::of_path(path.as_bytes()), Some(format), "{path}");
    }
    for path in ["cargo.toml", "notes.txt", "base/requirements.md", "my-yarn.lock.md", "composer.lock"] {
        assert_eq!(LockFormat::of_path(path.as_bytes()), None, "{path}");
    }
}

#[test]
fn an_index_added_to_requirements_is_a_difference() {
    let found = differences(
        LockFormat::Requirements,
        "a==1\n",
        "--extra-index-url https://evil.example/simple\na==1\n",
    );
    assert_eq!(found, [("--extra-index-url".to_owned(), "+".to_owned())]);
}

#[test]
fn a_script_that_comes_with_the_same_version_is_a_difference() {
    let before = r#"{"packages": {"node_modules/a": {"version": "1.0.0"}}}"#;
    let after = r#"{"packages": {"node_modules/a": {"version": "1.0.0", "hasInstallScript": true}}}"#;
    let comparison = compare(LockFormat::Npm, Some(before.as_bytes()), Some(after.as_bytes())).unwrap();
    assert!(
        matches!(&comparison.differences[..], [Difference { change: Change::Changed { after, .. }, .. }] if after.runs_at_installation)
    );
}

#[test]
fn an_older_npm_format_is_followed_into_its_nested_dependencies() {
    let text = |version: &str| {
        format!(
            r#"{{"dependencies": {{"a": {{"version": "1", "dependencies": {{"b": {{"version": "{version}"}}}}}}}}}}"#
        )
    };
    assert_eq!(differences(LockFormat::Npm, &text("1"), &text("2")), [("b".to_owned(), "1→2".to_owned())]);
}

#[test]
fn several_versions_of_one_dependency_are_kept_apart() {
    let text = |versions: &[&str]| -> String {
        versions
            .iter()
            .map(|version| format!("[[package]]\nname = \"a\"\nversion = \"{version}\"\n"))
            .collect()
    };
    let found = differences(LockFormat::Cargo, &text(&["1", "2"]), &text(&["1", "3"]));
    assert_eq!(found, [("a".to_owned(), "2→3".to_owned())]);
    let found = differences(LockFormat::Cargo, &text(&["1", "2"]), &text(&["1", "3", "4"]));
    assert_eq!(found.iter().map(|(_, said)| said.as_str()).collect::<Vec<_>>(), ["-2", "+3", "+4"]);
}

#[test]
fn what_is_not_understood_is_said() {
    let broken = |format, text: &str| compare(format, Some(text.as_bytes()), None);
    assert_eq!(broken(LockFormat::Cargo, "<<<<<<< ours"), Err(Unreadable::Form("TOML")));
    assert_eq!(broken(LockFormat::Npm, "[]"), Err(Unreadable::Form("JSON object")));
    assert_eq!(compare(LockFormat::Go, Some(b"\xff"), None), Err(Unreadable::NotUtf8));
    let long = vec![b' '; LOCK_BYTES_MAX + 1];
    assert_eq!(compare(LockFormat::Yarn, None, Some(&long)), Err(Unreadable::TooLong));
    for (format, line) in [
        (LockFormat::Yarn, "<<<<<<< ours\n"),
        (LockFormat::Pnpm, "<<<<<<< ours\n"),
        (LockFormat::Gemfile, "<<<<<<< ours\n"),
        (LockFormat::Go, "<<<<<<< ours\n"),
        (LockFormat::Requirements, "<<<<<<< ours\n"),
        (LockFormat::Cargo, "[[package]]\nversion = \"1\"\n"),
    ] {
        let comparison = broken(format, line).unwrap();
        assert!(comparison.not_understood.0 > 0, "{}: {comparison:?}", format.as_str());
    }
    let moved =
        compare(LockFormat::Go, Some(b"a v1 h1:x\nb v1 h1:y\n"), Some(b"b v1 h1:y\na v1 h1:x\n")).unwrap();
    assert!(moved.differs_otherwise && moved.differences.is_empty());
}

#[test]
fn more_differences_than_are_listed_are_counted() {
    let text: String = (0..DIFFERENCES_MAX + 5).map(|number| format!("m{number} v1 h1:x\n")).collect();
    let comparison = compare(LockFormat::Go, None, Some(text.as_bytes())).unwrap();
    assert_eq!((comparison.differences.len(), comparison.more), (DIFFERENCES_MAX, 5));
}

proptest! {
    #[test]
    fn a_text_does_not_differ_from_itself_and_the_way_back_is_as_long(
        one in "((a|b|c) v[1-3] h1:[xy]\n){0,6}", other in "((a|b|c) v[1-3] h1:[xy]\n){0,6}",
    ) {
        let (one, other) = (Some(one.as_bytes()), Some(other.as_bytes()));
        prop_assert!(compare(LockFormat::Go, one, one).unwrap().differences.is_empty());
        let there = compare(LockFormat::Go, one, other).unwrap().differences.len();
        prop_assert_eq!(there, compare(LockFormat::Go, other, one).unwrap().differences.len());
    }
}
