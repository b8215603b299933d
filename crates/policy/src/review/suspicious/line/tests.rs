//! Each finding in a text by an example and a near miss.

use super::*;
use proptest::prelude::*;

fn found(line: &str) -> Vec<Finding> {
    of_line(line.as_bytes()).into_iter().collect()
}

#[test]
fn each_thing_that_deceives_is_found_under_its_name() {
    for (finding, line) in [
        (Finding::Bidi, "access = \u{202e}nimda\u{2069}"),
        (Finding::Bidi, "a\u{61c}b"),
        (Finding::Tag, "hello\u{e0001}\u{e0069}"),
        (Finding::VariationSelector, "a\u{fe01}"),
        (Finding::VariationSelector, "a\u{e0155}"),
        (Finding::VariationSelector, "❤\u{fe0f}\u{fe0f}"),
        (Finding::Invisible, "a\u{200b}b"),
        (Finding::Invisible, "const \u{3164} = 1"),
        (Finding::Invisible, "👩\u{200d} alone"),
        (Finding::Invisible, "\u{feff}late"),
        (Finding::UnusualBlank, "a\u{a0}b"),
        (Finding::UnusualBlank, "a\u{2800}b"),
        (Finding::PrivateUse, "\u{e0b0}"),
        (Finding::PiledMarks, "a\u{301}\u{301}\u{301}\u{301}\u{301}"),
        (Finding::PiledMarks, "\u{301}"),
        (Finding::ControlSequence, "\u{1b}[31m"),
        (Finding::ControlSequence, "\u{9b}2J"),
        (Finding::Hyperlink, "\u{1b}]8;;http://evil.example\u{7}docs"),
        (Finding::CarriageReturn, "rm -rf /\r# harmless"),
        (Finding::Control, "a\u{8}b"),
        (Finding::LookAlike, "\u{441}\u{43e}\u{440}\u{443} = x"),
        (Finding::LookAlike, "\u{ff45}\u{ff56}\u{ff41}\u{ff4c}(x)"),
        (Finding::LookAlike, "a = 1\u{37e}"),
        (Finding::MixedScript, "\u{43f}\u{430}password = x"),
        (Finding::RightToLeft, "if user == \"\u{5d0}\u{5d1}\""),
    ] {
        assert!(of_line(line.as_bytes()).contains(&finding), "{finding}: {line:?} has {:?}", found(line));
    }
    assert_eq!(of_line(b"\xc3"), BTreeSet::from([Finding::NotUtf8]));
}

#[test]
fn what_is_only_written_otherwise_is_not_suspicious() {
    for line in [
        "let größe = æble + œuvre; // l’été — “ça”",
        "日本語、テスト（中文）：",
        "привет, а это с нами",
        "Ελληνικά",
        "❤️ 👩‍💻 ✓ → ─ █",
        "한국어 ไทย हिन्दी",
        "e\u{301}",
        "ends with\r\n",
        "\ttabs\tand  blanks",
        "x = 1;                                  // aligned",
        "m² ½ µs ±1",
    ] {
        assert_eq!(found(line), [], "{line:?}");
    }
}

#[test]
fn short_words_of_another_alphabet_are_let_be_only_in_its_prose() {
    assert_eq!(found("а он и она с нами"), []);
    assert_eq!(found("с = 1"), [Finding::LookAlike]);
    assert_eq!(found("return а + привет"), [Finding::LookAlike]);
}

#[test]
fn text_out_of_sight_is_found() {
    let far = |blanks: usize| format!("ok();{}evil()", " ".repeat(blanks));
    assert_eq!(found(&far(FAR_RIGHT_BLANKS_MIN - 1)), []);
    assert_eq!(found(&far(FAR_RIGHT_BLANKS_MIN)), [Finding::FarRight]);
    assert_eq!(found(&format!("ok();{}evil()", "\t".repeat(10))), [Finding::FarRight]);
    assert_eq!(found(&format!("{}deep", " ".repeat(INDENT_BLANKS_MIN - 1))), []);
    assert_eq!(found(&format!("{}deep", " ".repeat(INDENT_BLANKS_MIN))), [Finding::FarRight]);
    assert_eq!(found(&format!("blanks{}", " ".repeat(500))), []);
    assert_eq!(found(&"words and ".repeat(101)), [Finding::LongLine]);
    assert_eq!(found(&"a=b;".repeat(251)), [Finding::Minified]);
    assert_eq!(found(&"a".repeat(LONG_LINE_BYTES)), []);
}

/// What a widely used scanner of the categories Cf, Co and Cn lets through.
#[test]
fn what_scanners_by_category_miss_is_found() {
    let missed = [
        0xfe00..=0xfe0e,
        0xe0100..=0xe01ef,
        0x3164..=0x3164,
        0xffa0..=0xffa0,
        0x115f..=0x1160,
        0x2800..=0x2800,
        0x34f..=0x34f,
        0x180b..=0x180d,
        0x17b4..=0x17b5,
        0x2028..=0x2029,
        0xfffc..=0xfffc,
        0xa0..=0xa0,
    ];
    for code in missed.into_iter().flatten() {
        let c = char::from_u32(code).unwrap();
        assert_ne!(found(&format!("a{c}b")), [], "U+{code:04X}");
    }
}

#[test]
fn a_text_says_where_each_finding_is_first() {
    let findings = TextFindings::of("\u{feff}one\r\n\u{200b}\nthree\n\u{200b}\n\u{202e}".as_bytes());
    let found: Vec<_> = findings.iter().map(|(finding, at)| (finding, at.first_line, at.lines)).collect();
    assert_eq!(found, [(Finding::Bidi, 5, 1), (Finding::Invisible, 2, 2)]);
}

proptest! {
    #[test]
    fn a_line_with_a_hidden_character_is_never_without_a_finding(
        before in "[a-zA-Zа-я =;]{0,10}", after in "[a-zA-Zא-ת =;]{0,10}",
        hidden in prop::sample::select(vec!['\u{202e}', '\u{200b}', '\u{e0041}', '\u{1b}', '\u{3164}', '\u{fe01}', '\u{ad}']),
    ) {
        let line = format!("{before}{hidden}{after}");
        prop_assert!(!of_line(line.as_bytes()).is_empty());
    }

    #[test]
    fn more_text_takes_no_character_finding_away(line in "\\PC{0,20}", more in "[ -~]{0,20}") {
        let both = of_line(format!("{line} {more}").as_bytes());
        for finding in of_line(line.as_bytes()) {
            prop_assert!(both.contains(&finding), "{finding} of {line:?}");
        }
    }
}
