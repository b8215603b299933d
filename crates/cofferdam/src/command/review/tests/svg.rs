//! A frame as SVG, for the document: what the terminal would show, in the colours of a dark one.

use super::scene::{harbour, typed};
use ratatui_core::buffer::{Buffer, Cell};
use ratatui_core::style::{Color, Modifier};
use std::fmt::Write as _;
use std::path::Path;

const CELL: (u32, u32) = (9, 19);
const MARGIN: u32 = 14;
const GROUND: &str = "#0d1117";
const TEXT: &str = "#c9d1d9";

/// The pictures of docs/review.md are what is drawn. After a change of looks: `UPDATE_DOCS=1`, and look at them.
#[test]
fn the_pictures_in_the_document_show_what_is_drawn() {
    let scene = harbour();
    let frame = |keys: &str, columns, rows| typed(&mut scene.model(), keys, columns, rows);
    let mut model = scene.model();
    typed(&mut model, "axaxaallsaxaCtides again\rF", 120, 30);
    model.arm();
    let finished = typed(&mut model, "", 120, 30);
    for (name, frame) in [
        ("review.svg", frame("", 120, 30)),
        ("review-deceptive.svg", frame("axlh\u{1b}[C", 120, 30)),
        ("review-beside.svg", frame("axaxhhlllljjjjjjjjjjjjjc0.5 of what?\r|", 160, 36)),
        ("review-finish.svg", finished),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
        let drawn = svg(&frame);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &drawn).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == drawn, "docs/{name} shows something else: UPDATE_DOCS=1 draws it anew");
    }
}

fn svg(frame: &Buffer) -> String {
    let area = frame.area();
    let (width, height) =
        (u32::from(area.width) * CELL.0 + 2 * MARGIN, u32::from(area.height) * CELL.1 + 2 * MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"15\" xml:space=\"preserve\">\n<rect width=\"100%\" height=\"100%\" rx=\"9\" fill=\"{GROUND}\"/>\n"
    );
    for y in 0..area.height {
        let mut x = 0;
        while x < area.width {
            let cell = frame.cell((x, y)).unwrap();
            let same =
                |other: &Cell| (other.fg, other.bg, other.modifier) == (cell.fg, cell.bg, cell.modifier);
            let run = (x..area.width).take_while(|x| frame.cell((*x, y)).is_some_and(same)).count();
            let run = u16::try_from(run).unwrap();
            let text: String = (x..x + run).map(|x| frame.cell((x, y)).unwrap().symbol()).collect();
            out.push_str(&stretch(cell, &text, (x, y), run));
            x += run;
        }
    }
    out.push_str("</svg>\n");
    out
}

/// Cells of one style.
fn stretch(cell: &Cell, text: &str, (x, y): (u16, u16), columns: u16) -> String {
    let (mut fg, mut bg) = (colour(cell.fg, TEXT), colour(cell.bg, GROUND));
    let has = |bit| cell.modifier.contains(bit);
    if has(Modifier::REVERSED) {
        std::mem::swap(&mut fg, &mut bg);
    }
    let (left, top) = (MARGIN + u32::from(x) * CELL.0, MARGIN + u32::from(y) * CELL.1);
    let width = u32::from(columns) * CELL.0;
    let mut out = String::new();
    if bg != GROUND {
        let _infallible = writeln!(
            out,
            "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{}\" fill=\"{bg}\"/>",
            CELL.1
        );
    }
    if text.trim().is_empty() {
        return out;
    }
    let mut style = String::new();
    for (bit, attribute) in [
        (Modifier::BOLD, " font-weight=\"bold\""),
        (Modifier::DIM, " opacity=\"0.6\""),
        (Modifier::ITALIC, " font-style=\"italic\""),
        (Modifier::UNDERLINED, " text-decoration=\"underline\""),
    ] {
        if has(bit) {
            style.push_str(attribute);
        }
    }
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace(' ', "\u{a0}");
    let base = top + 14;
    let _infallible = writeln!(
        out,
        "<text x=\"{left}\" y=\"{base}\" textLength=\"{width}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{fg}\"{style}>{text}</text>"
    );
    out
}

fn colour(colour: Color, default: &str) -> String {
    match colour {
        Color::Red => "#ff7b72".to_owned(),
        Color::Green => "#56d364".to_owned(),
        Color::Yellow => "#e3b341".to_owned(),
        Color::Blue => "#79c0ff".to_owned(),
        Color::Magenta => "#d2a8ff".to_owned(),
        Color::Cyan => "#76e3ea".to_owned(),
        Color::Rgb(red, green, blue) => format!("#{red:02x}{green:02x}{blue:02x}"),
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
        | Color::Indexed(_) => default.to_owned(),
    }
}
