//! The state of a review as a frame: the list at the left, the change at the right, what can be done below.
//!
//! Only what is on the screen is looked at. Nothing is decided here but where the screen begins.

mod change;
mod list;
mod pages;

use super::cells::{self, Cell};
use super::item::Loudness;
use super::model::{Counts, Mode, Model, Purpose};
use super::palette::{Palette, Role};
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;

/// Rows that are not the change's: the title, its rule, the name, its rule, the rule below, the keys.
const FRAME_ROWS: u16 = 6;

/// Draws a frame of this size; what of the change stood on it counts as seen.
pub(super) fn draw(model: &mut Model<'_>, palette: Palette, columns: u16, rows: u16) -> Buffer {
    let area = Rect::new(0, 0, columns, rows);
    let mut canvas = Canvas { buffer: Buffer::empty(area), palette };
    model.resize(columns, usize::from(rows.saturating_sub(FRAME_ROWS)));
    let counts = model.counts();
    title(&mut canvas, model, counts, area);
    let body = Rect::new(0, 2, columns, rows.saturating_sub(4));
    canvas.rule(0, 1, columns);
    canvas.rule(0, rows.saturating_sub(2), columns);
    match model.mode {
        Mode::Help => pages::help(&mut canvas, body),
        Mode::Closing { armed, top } => pages::closing(&mut canvas, model, counts, body, (armed, top)),
        Mode::Browsing | Mode::Typing { .. } => browsing(&mut canvas, model, body),
    }
    footer(&mut canvas, model, counts, area);
    canvas.buffer
}

fn browsing(canvas: &mut Canvas, model: &mut Model<'_>, body: Rect) {
    let list = model.list_columns();
    let left = if list > 0 { list + 1 } else { 0 };
    let area = Rect::new(left, body.y, body.width.saturating_sub(left), body.height);
    change::draw(canvas, model, area);
    // After the change, since it shows what has been seen.
    if list > 0 {
        let dim = canvas.palette.role(Role::Dim);
        list::draw(canvas, model, Rect::new(0, body.y, list, body.height));
        for y in body.y..body.bottom() {
            canvas.put(list, y, 1, "│", dim);
        }
        canvas.put(list, body.y.saturating_sub(1), 1, "┬", dim);
        canvas.put(list, body.bottom(), 1, "┴", dim);
    }
}

fn title(canvas: &mut Canvas, model: &Model<'_>, counts: Counts, area: Rect) {
    let role = |role| canvas.palette.role(role);
    let (strong, dim, taken, left) =
        (role(Role::Strong), role(Role::Dim), role(Role::Taken), role(Role::Left));
    let x = canvas.put(1, 0, area.width, "cofferdam review", strong);
    let x = canvas.put(x + 2, 0, area.width.saturating_sub(x + 2) / 2, &model.session, dim);
    let parts = [
        (counts.taken + counts.partly, "✓", "taken", taken),
        (counts.left, "✗", "left out", left),
        (counts.open, "·", "open", strong),
        (counts.barred, "⊘", "stay out", dim),
    ];
    let words: Vec<(String, Style)> = parts
        .into_iter()
        .filter(|(count, _, word, _)| *count > 0 || *word == "open")
        .map(|(count, sign, word, style)| (format!("{sign} {count} {word}"), style))
        .collect();
    let length: usize = words.iter().map(|(word, _)| word.chars().count() + 3).sum();
    let mut at = area.width.saturating_sub(u16::try_from(length).unwrap_or(u16::MAX)).max(x + 2);
    for (word, style) in &words {
        at = canvas.put(at, 0, area.width.saturating_sub(at), word, *style) + 3;
    }
}

fn footer(canvas: &mut Canvas, model: &Model<'_>, counts: Counts, area: Rect) {
    let y = area.bottom().saturating_sub(1);
    let role = |role| canvas.palette.role(role);
    if let Mode::Typing { purpose, text } = &model.mode {
        let prompt = match purpose {
            Purpose::Search => "search: ".to_owned(),
            Purpose::Note { line: Some(line) } => format!("note on line {line}: "),
            Purpose::Note { line: None } => "note on the entry: ".to_owned(),
        };
        let (key, here) = (role(Role::Key), role(Role::Here));
        let x = canvas.put(1, y, area.width, &prompt, key);
        let room = usize::from(area.width.saturating_sub(x + 2));
        let skipped = text.chars().count().saturating_sub(room);
        let tail: String = text.chars().skip(skipped).collect();
        let x = canvas.put(x, y, area.width.saturating_sub(x), &tail, Style::new());
        canvas.put(x, y, 1, " ", here);
        return;
    }
    if !model.message.is_empty() {
        let notice = role(Role::Notice);
        canvas.put(1, y, area.width.saturating_sub(1), &model.message, notice);
        return;
    }
    let keys: &[(&str, &str)] = match model.mode {
        Mode::Help => &[("any key", "back")],
        Mode::Closing { armed: false, .. } => &[("…", "a moment")],
        Mode::Closing { .. } if counts.open > 0 => &[
            ("enter", "to what is open"),
            ("R", "take what was read"),
            ("L", "leave out"),
            ("esc", "back"),
            ("q", "quit"),
        ],
        Mode::Closing { .. } => &[("enter", "confirm"), ("esc", "back"), ("q", "quit, record nothing")],
        Mode::Browsing | Mode::Typing { .. } => &[
            ("a", "take"),
            ("x", "leave"),
            ("s", "split"),
            ("u", "undo"),
            ("tab", "hunk"),
            ("l", "next"),
            ("?", "help"),
            ("F", "finish"),
            ("q", "quit"),
        ],
    };
    let (key_style, dim) = (role(Role::Key), role(Role::Dim));
    let mut x = 1;
    for (key, word) in keys {
        x = canvas.put(x, y, area.width.saturating_sub(x), key, key_style);
        x = canvas.put(x + 1, y, area.width.saturating_sub(x + 1), word, dim) + 2;
    }
}

/// How loud a remark is, as a role.
fn loudness(loudness: Loudness) -> (&'static str, Role) {
    match loudness {
        Loudness::Alarm => ("▲ ", Role::Alarm),
        Loudness::Notice => ("• ", Role::Notice),
    }
}

/// A frame that is being drawn.
#[derive(Debug)]
struct Canvas {
    buffer: Buffer,
    palette: Palette,
}

impl Canvas {
    /// Our own words, or what was made visible before; returns where they end.
    fn put(&mut self, x: u16, y: u16, columns: u16, text: &str, style: Style) -> u16 {
        let mut at = x;
        let end = x.saturating_add(columns);
        for cell in cells::said(text) {
            let next = self.cell(at, y, end, &cell, style);
            if next == at {
                break;
            }
            at = next;
        }
        at
    }

    /// As [`Canvas::put`]; what does not fit loses its beginning.
    fn put_end(&mut self, x: u16, y: u16, columns: u16, text: &str, style: Style) -> u16 {
        let length = cells::said(text).len();
        let room = usize::from(columns);
        if length <= room {
            return self.put(x, y, columns, text, style);
        }
        let tail: String = text.chars().skip(length.saturating_sub(room.saturating_sub(1))).collect();
        self.put(x, y, columns, &format!("…{tail}"), style)
    }

    fn cell(&mut self, x: u16, y: u16, end: u16, cell: &Cell, style: Style) -> u16 {
        let columns = u16::try_from(cell.columns).unwrap_or(1);
        if x.saturating_add(columns) > end {
            return x;
        }
        if let Some(place) = self.buffer.cell_mut((x, y)) {
            let mut symbol = String::from(cell.character);
            symbol.push_str(&cell.marks);
            place.set_symbol(&symbol).set_style(style);
        }
        if columns == 2
            && let Some(place) = self.buffer.cell_mut((x.saturating_add(1), y))
        {
            place.set_symbol("").set_style(style);
        }
        x.saturating_add(columns)
    }

    fn fill(&mut self, x: u16, y: u16, columns: u16, style: Style) {
        for at in x..x.saturating_add(columns) {
            if let Some(place) = self.buffer.cell_mut((at, y)) {
                place.set_symbol(" ").set_style(style);
            }
        }
    }

    fn rule(&mut self, x: u16, y: u16, columns: u16) {
        let dim = self.palette.role(Role::Dim);
        self.put(x, y, columns, &"─".repeat(usize::from(columns)), dim);
    }
}
