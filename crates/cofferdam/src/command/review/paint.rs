//! From one frame to the next: the bytes that a terminal gets.
//!
//! The last wall (ATTACKS 21): a cell that holds anything but one visible character and its marks is drawn as `?`,
//! whoever put it there; after every character that is not ASCII the cursor is put where it belongs, so that no
//! terminal's own idea of widths moves what follows.

use cofferdam_policy::glyph::{self, Glyph};
use ratatui_core::buffer::{Buffer, Cell};
use ratatui_core::style::{Color, Modifier};
use std::fmt::Write as _;

/// What leads from `before` to `after`; all of it, if they differ in size.
pub(super) fn paint(before: &Buffer, after: &Buffer) -> Vec<u8> {
    let all = before.area() != after.area();
    // A synchronised frame, where the terminal knows of them.
    let mut out = String::from("\u{1b}[?2026h\u{1b}[0m");
    if all {
        out.push_str("\u{1b}[2J");
    }
    let area = after.area();
    let mut style = Some((Color::Reset, Color::Reset, Modifier::empty()));
    for y in area.top()..area.bottom() {
        let mut expected = None;
        let mut x = area.left();
        while x < area.right() {
            let Some(cell) = after.cell((x, y)) else { break };
            let (symbol, columns) = harmless(cell);
            let changed = all
                || before.cell((x, y)) != Some(cell)
                || (columns == 2 && before.cell((x + 1, y)) != after.cell((x + 1, y)));
            if changed {
                if expected != Some(x) {
                    let _infallible = write!(out, "\u{1b}[{};{}H", y.saturating_add(1), x.saturating_add(1));
                }
                let wanted = (cell.fg, cell.bg, cell.modifier);
                if style != Some(wanted) {
                    out.push_str(&rendition(wanted));
                    style = Some(wanted);
                }
                out.push_str(&symbol);
                expected = symbol.is_ascii().then(|| x.saturating_add(1));
            }
            x = x.saturating_add(columns);
        }
    }
    out.push_str("\u{1b}[0m\u{1b}[?2026l");
    out.into_bytes()
}

/// One visible character with its marks, and its columns.
fn harmless(cell: &Cell) -> (String, u16) {
    let mut characters = cell.symbol().chars();
    match characters.next() {
        Some(first) if Glyph::of(first) == Glyph::Base && characters.all(|c| Glyph::of(c) == Glyph::Mark) => {
            (cell.symbol().to_owned(), if glyph::columns(first) == 2 { 2 } else { 1 })
        }
        Some(_) => ("?".to_owned(), 1),
        None => (" ".to_owned(), 1),
    }
}

fn rendition((fg, bg, modifier): (Color, Color, Modifier)) -> String {
    let mut codes = String::from("\u{1b}[0");
    for (bit, code) in [
        (Modifier::BOLD, 1),
        (Modifier::DIM, 2),
        (Modifier::ITALIC, 3),
        (Modifier::UNDERLINED, 4),
        (Modifier::REVERSED, 7),
    ] {
        if modifier.contains(bit) {
            let _infallible = write!(codes, ";{code}");
        }
    }
    colour(fg, 30, &mut codes);
    colour(bg, 40, &mut codes);
    codes.push('m');
    codes
}

fn colour(colour: Color, base: u8, codes: &mut String) {
    let offset = match colour {
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Rgb(red, green, blue) => {
            let _infallible = write!(codes, ";{};2;{red};{green};{blue}", base + 8);
            return;
        }
        // The palette has no others.
        Color::Reset
        | Color::Black
        | Color::Gray
        | Color::DarkGray
        | Color::LightRed
        | Color::LightGreen
        | Color::LightYellow
        | Color::LightBlue
        | Color::LightMagenta
        | Color::LightCyan
        | Color::White
        | Color::Indexed(_) => return,
    };
    let _infallible = write!(codes, ";{}", base + offset);
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui_core::layout::Rect;

    #[test]
    fn nothing_but_visible_characters_and_our_own_sequences_is_drawn_whatever_a_cell_holds() {
        let area = Rect::new(0, 0, 20, 2);
        let (before, mut after) = (Buffer::empty(area), Buffer::empty(area));
        let hostile =
            ["\u{1b}[2J", "\u{9b}6n", "\u{202e}", "a\u{200d}b", "\r", "\u{7}", "e\u{301}", "中", "x"];
        for (x, symbol) in (0..).zip(hostile) {
            after.cell_mut((x * 2, 0)).unwrap().set_symbol(symbol);
        }
        let out = String::from_utf8(paint(&before, &after)).unwrap();
        for forbidden in ["2J", "6n", "\u{9b}", "\u{202e}", "\u{200d}", "\r", "\u{7}"] {
            assert!(!out.contains(forbidden), "{forbidden:?} in {out:?}");
        }
        assert!(out.contains("e\u{301}") && out.contains('中') && out.contains('x'));
        let mut parser = vt100::Parser::new(2.try_into().unwrap(), 20.try_into().unwrap(), 0);
        parser.process(&out.into_bytes());
        assert_eq!(parser.screen().contents(), "? ? ? ? ? ? e\u{301} 中x");
    }

    #[test]
    fn only_what_changed_is_drawn() {
        let area = Rect::new(0, 0, 200, 50);
        let (before, mut after) = (Buffer::empty(area), Buffer::empty(area));
        after.cell_mut((100, 20)).unwrap().set_symbol("x");
        assert!(paint(&before, &after).len() < 60);
        assert!(paint(&Buffer::empty(Rect::new(0, 0, 1, 1)), &after).len() > 10_000);
    }
}
