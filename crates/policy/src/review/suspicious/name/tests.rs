//! Each finding in a name by an example and a near miss.

use super::*;
use proptest::prelude::*;

fn found(name: &str) -> Vec<Finding> {
    of_name(name.as_bytes()).into_iter().collect()
}

#[test]
fn each_name_that_deceives_is_found_under_its_name() {
    for (finding, name) in [
        (Finding::Control, "a\tb"),
        (Finding::ControlSequence, "a\u{1b}[2J"),
        (Finding::NameNewline, "a\nb"),
        (Finding::NameNewline, "a\rb"),
        (Finding::Bidi, "invoice\u{202e}fdp.exe"),
        (Finding::Invisible, "a\u{200b}.rs"),
        (Finding::UnusualBlank, "a\u{a0}b"),
        (Finding::LookAlike, "\u{430}pp.rs"),
        (Finding::MixedScript, "\u{43f}\u{430}ypal.rs"),
        (Finding::RightToLeft, "\u{5d0}.exe"),
        (Finding::NameBlankEnd, "a "),
        (Finding::NameBlankEnd, " a"),
        (Finding::NameBlankEnd, "a."),
        (Finding::NameDash, "-rf"),
        (Finding::NameWindows, "aux.h"),
        (Finding::NameWindows, "COM1"),
        (Finding::NameWindows, "lpt\u{b9}.txt"),
        (Finding::NameWindows, "NUL .txt"),
        (Finding::NameWindows, "a:b"),
        (Finding::NameWindows, "a\\b"),
        (Finding::NameGit, ".GIT"),
        (Finding::NameGit, ".g\u{200c}it"),
        (Finding::NameGit, "\u{feff}.git"),
        (Finding::NameGit, ".git "),
        (Finding::NameGit, ".git..."),
        (Finding::NameGit, ".git::$INDEX_ALLOCATION"),
        (Finding::NameGit, "GIT~1"),
        (Finding::NameGit, "gi7eba~1"),
        (Finding::NameGit, ".GitModules"),
        (Finding::NameGit, "x\\.git\\hooks"),
    ] {
        assert!(of_name(name.as_bytes()).contains(&finding), "{finding}: {name:?} has {:?}", found(name));
    }
    assert_eq!(of_name(b"\xff"), BTreeSet::from([Finding::NotUtf8]));
    assert_eq!(of_path("a/.Git/-x".as_bytes()), BTreeSet::from([Finding::NameDash, Finding::NameGit]));
}

#[test]
fn ordinary_names_have_no_finding() {
    for name in [
        ".git",
        ".gitignore",
        ".github",
        "console.rs",
        "com.rs",
        "a-b c_d.txt",
        "größe.md",
        "日本語.md",
        "auxiliary",
        "git~",
        "gitlab~x",
        "...",
        "отчёт_final.pdf",
        "e\u{301}t\u{e9}",
        "com10",
        "[id].tsx",
        "a+b@2x.png",
    ] {
        let expected: &[Finding] = if name == "..." { &[Finding::NameBlankEnd] } else { &[] };
        assert_eq!(found(name), expected, "{name:?}");
    }
}

#[test]
fn names_that_would_be_one_file_elsewhere_are_told() {
    let names = ["Makefile", "makefile", "README", "\u{e9}", "e\u{301}", "a", "a.", "b"].map(str::as_bytes);
    let groups = collisions(names);
    assert_eq!(
        groups,
        [
            vec![&b"a"[..], b"a."],
            vec!["e\u{301}".as_bytes(), "\u{e9}".as_bytes()],
            vec![b"Makefile", b"makefile"],
        ]
    );
    assert!(collisions([&b"a"[..], b"b", b"a"]).is_empty(), "the same name twice is one name");
}

proptest! {
    #[test]
    fn a_spelling_of_gits_name_is_found_however_it_is_hidden(
        name in prop::sample::select(vec![".git", ".gitmodules", ".gitattributes"]),
        ignored in prop::sample::select(vec!["", "\u{200c}", "\u{feff}", "\u{202d}"]),
        at in 0_usize..5, upper in any::<bool>(), end in prop::sample::select(vec!["", ".", " ", " . ", "::$DATA"]),
    ) {
        let mut spelt = if upper { name.to_uppercase() } else { name.to_owned() };
        spelt.insert_str(at.min(4), ignored);
        spelt.push_str(end);
        prop_assert_eq!(of_name(spelt.as_bytes()).contains(&Finding::NameGit), spelt != name);
    }

    #[test]
    fn names_differing_in_case_collide(name in "[a-z]{1,8}") {
        let upper = name.to_uppercase();
        prop_assert_eq!(collisions([name.as_bytes(), upper.as_bytes()]).len(), 1);
    }
}
