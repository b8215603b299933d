//! Frames as they are, at two sizes.

use super::super::palette::Palette;
use super::super::view;
use super::scene::{harbour, rows, typed};

#[test]
fn a_review_at_80_by_24() {
    let scene = harbour();
    insta::assert_snapshot!("small_first", rows(&typed(&mut scene.model(), "", 80, 24)));
    insta::assert_snapshot!("small_bidi", rows(&typed(&mut scene.model(), "lll", 80, 24)));
    insta::assert_snapshot!("small_list", rows(&typed(&mut scene.model(), "axf", 80, 24)));
    insta::assert_snapshot!("small_help", rows(&typed(&mut scene.model(), "?", 80, 24)));
    insta::assert_snapshot!("small_closing", rows(&typed(&mut scene.model(), "axaF", 80, 24)));
}

#[test]
fn a_review_at_140_by_40() {
    let scene = harbour();
    insta::assert_snapshot!("large_first", rows(&typed(&mut scene.model(), "", 140, 40)));
    insta::assert_snapshot!("large_binary", rows(&typed(&mut scene.model(), "llllll", 140, 40)));
    insta::assert_snapshot!("large_beside", rows(&typed(&mut scene.model(), "lllllll|", 140, 40)));
    insta::assert_snapshot!("large_split", rows(&typed(&mut scene.model(), "lllllllsax", 140, 40)));
    insta::assert_snapshot!("large_note", rows(&typed(&mut scene.model(), "lllllllcjjjjjcwhy?\r", 140, 40)));
    insta::assert_snapshot!("large_closing", rows(&typed(&mut scene.model(), "axaaaaaaxF", 140, 40)));
}

/// Nothing is told by colour alone.
#[test]
fn without_colours_the_same_stands_on_the_screen() {
    let scene = harbour();
    for keys in ["", "lll", "llllllla", "F"] {
        let mut model = scene.model();
        let coloured = rows(&typed(&mut model, keys, 100, 30));
        for palette in [Palette::Sixteen, Palette::None, Palette::Light] {
            let frame = view::draw(&mut model, palette, 100, 30);
            assert_eq!(rows(&frame), coloured);
            if palette == Palette::None {
                use ratatui_core::style::Color::Reset;
                assert!(frame.content().iter().all(|cell| cell.fg == Reset && cell.bg == Reset));
            }
        }
    }
}

#[test]
fn no_size_of_the_window_is_too_odd_to_draw() {
    let scene = harbour();
    for (columns, height) in [(0, 0), (1, 1), (5, 3), (19, 7), (21, 8), (22, 200), (400, 5), (300, 100)] {
        for keys in ["", "f", "|", "f|", "?", "F", "/x"] {
            let mut model = scene.model();
            typed(&mut model, keys, columns, height);
            typed(&mut model, "jj\tl ", columns, height);
        }
    }
}
