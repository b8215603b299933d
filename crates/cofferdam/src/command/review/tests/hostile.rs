//! ATTACKS 17 and 21: whatever names and contents hold, the screen gets visible characters; and large is not slow.

use super::super::item::Rank;
use super::scene::{Scene, rows, typed};
use cofferdam_policy::glyph::Glyph;

const HOSTILE: &[&[u8]] = &[
    b"\x1b]52;c;cHduZWQ=\x07",
    b"\x1b]8;;https://evil.example/\x1b\\click\x1b]8;;\x1b\\",
    b"\x1b[2J\x1b[H\x1b[?1049l",
    b"\x1bPq#0;2;0;0;0#0~~@@vv@@~~$\x1b\\",
    b"\x9b6n\xc2\x9b6n\xc2\x85",
    b"safe\rEVIL",
    "a\u{202e}b\u{2066}c\u{2069}\u{200b}\u{200d}\u{feff}\u{ad}\u{3164}\u{e0041}".as_bytes(),
    "e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}".as_bytes(),
    "\u{1f469}\u{200d}\u{1f4bb} \u{2764}\u{fe0f} 日本".as_bytes(),
    b"\x00\x01\x07\x08\x7f",
    b"\xff\xfe\xf0\x9f\x98",
    b"<U+202E> <0x1B>",
];

fn assert_harmless(frame: &ratatui_core::buffer::Buffer, what: &str) {
    for cell in frame.content() {
        for c in cell.symbol().chars() {
            assert!(matches!(Glyph::of(c), Glyph::Base | Glyph::Mark), "{c:?} of {what} is on the screen");
        }
    }
}

#[test]
fn no_name_and_no_content_puts_anything_invisible_on_the_screen() {
    for bytes in HOSTILE {
        let mut scene = Scene::default();
        let name: Vec<u8> = bytes.iter().copied().filter(|byte| !matches!(byte, 0 | b'/')).collect();
        let content = [bytes, &b"\n"[..], &bytes.repeat(3_000), b"\nend"].concat();
        scene.named(&name, Rank::Suspicious, &content);
        scene.text("b.rs", Rank::Text, &content, &[b"x", content.as_slice()].concat());
        let shown = whole_of(bytes);
        for keys in ["", "jjj", "G", "|G", "fl", "ljjj|", "F", "a", "cnote\r"] {
            for (columns, height) in [(80, 24), (140, 40)] {
                assert_harmless(&typed(&mut scene.model(), keys, columns, height), &shown);
            }
        }
    }
}

fn whole_of(bytes: &[u8]) -> String {
    crate::output::whole(bytes)
}

#[test]
fn what_is_pasted_into_a_note_is_made_of_visible_characters() {
    let mut scene = Scene::default();
    scene.text("a", Rank::Text, b"", b"x\n");
    let mut model = scene.model();
    let frame = typed(&mut model, "C\u{1b}[200~a\u{202e}\u{7}b\r\u{1b}[201~c\r", 80, 24);
    assert_harmless(&frame, "a note");
    assert_eq!(model.notes[0].1.text, "abc");
}

#[test]
fn of_ten_thousand_entries_only_the_open_one_is_read() {
    let mut scene = Scene::default();
    for number in 0..10_000 {
        scene.text(&format!("src/{number:05}.rs"), Rank::Text, b"a\n", b"b\n");
    }
    let mut model = scene.model();
    typed(&mut model, "f j\t\tlll", 140, 40);
    let opened = scene.opened.get();
    assert!(opened <= 7, "{opened} entries were read for seven keys");
    typed(&mut model, "/nowhere\r", 140, 40);
    let searched = scene.opened.get() - opened;
    assert!(searched < 600, "a search read {searched} entries");
}

/// Rows are laid out for the screen alone: a frame of a long text costs what one of a short text costs.
#[test]
fn a_long_text_is_laid_out_no_further_than_the_screen() {
    let mut scene = Scene::default();
    let long: String = (0..60_000).map(|number| format!("let x = {number};\n")).collect();
    scene.text("long.rs", Rank::Text, b"", long.as_bytes());
    let mut model = scene.model();
    let frame = typed(&mut model, "G", 80, 24);
    assert!(rows(&frame).contains("59999"));
    assert_eq!(model.lines.len(), 60_001);
    assert!(model.top.line > 59_900);
    assert!(!model.was_seen(0), "the middle was never on the screen");
    assert_eq!(scene.opened.get(), 1);
}

#[test]
fn a_line_that_is_cut_says_so_and_its_entry_is_taken_by_itself_only() {
    let mut scene = Scene::default();
    scene.text("a.txt", Rank::Text, b"", &[b"x".repeat(100_000), b"\n".to_vec()].concat());
    let mut model = scene.model();
    let frame = typed(&mut model, "jjjjjjjjjjjjjjjjjjjjjjjjjjj", 80, 24);
    assert!(rows(&frame).contains("98000 more bytes on this line"), "{}", rows(&frame));
    typed(&mut model, "R", 80, 24);
    assert!(model.selection().is_empty());
    typed(&mut model, "A", 80, 24);
    assert!(!model.selection().is_empty());
}
