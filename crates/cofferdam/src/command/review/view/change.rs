//! The open entry: its name, its remarks and its lines, wrapped and never cut silently.

use super::super::cells::{self, Cell, between_words, wrapped};
use super::super::choices::Standing;
use super::super::model::Model;
use super::super::page::{Kept, Page, Row, Shown, TextPage};
use super::super::palette::{Ground, Role};
use super::{Canvas, list, loudness};
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;
use std::ops::Range;

const NUMBER_COLUMNS_MIN: usize = 3;
/// Without at least so many columns nothing is drawn.
const COLUMNS_MIN: u16 = 20;

/// Draws the entry; those of its lines that stand on the screen to their ends count as seen.
pub(super) fn draw(canvas: &mut Canvas, model: &mut Model<'_>, area: Rect) {
    if area.width < COLUMNS_MIN || area.height < 3 {
        canvas.put(area.x, area.y, area.width, "the window is too small", Style::new());
        return;
    }
    let below = Rect::new(area.x, area.y + 2, area.width, area.height - 2);
    let sheet = Sheet::of(model, below);
    settle(model, &sheet);
    let seen = sheet.draw(canvas, model);
    model.saw(seen);
    // After the rest, since it shows whether all was seen.
    name(canvas, model, area);
}

fn name(canvas: &mut Canvas, model: &Model<'_>, area: Rect) {
    let role = |role| canvas.palette.role(role);
    let (strong, dim) = (role(Role::Strong), role(Role::Dim));
    let Some(item) = model.item() else {
        canvas.put(area.x + 1, area.y, area.width, "nothing changed", dim);
        return;
    };
    let (sign, sign_role) = list::sign(model, model.at);
    let sign_style = role(sign_role);
    let x = canvas.put(area.x + 1, area.y, 2, sign, sign_style) + 1;
    let place = format!("{}/{}", model.at + 1, model.items.len());
    let place_columns = u16::try_from(place.len()).unwrap_or(0) + 1;
    let room = area.right().saturating_sub(x + place_columns + 1);
    let change = u16::try_from(item.change.chars().count() + 2).unwrap_or(u16::MAX).min(room / 2);
    let x = canvas.put_end(x, area.y, room.saturating_sub(change), &item.name, strong);
    canvas.put(x + 2, area.y, change.saturating_sub(2), &item.change, dim);
    canvas.put(area.right().saturating_sub(place_columns), area.y, place_columns, &place, dim);
}

/// Moves the top of the screen so that the cursor is on it; looks at no more lines than fit.
fn settle(model: &mut Model<'_>, sheet: &Sheet) {
    let height = sheet.height();
    model.height = height;
    let rows = sheet.rows(model, model.cursor).len();
    model.cursor_rows = rows;
    if model.cursor < model.top.line {
        model.top.line = model.cursor;
        model.top.within = rows.saturating_sub(height);
    }
    if model.cursor > model.top.line {
        let (mut line, mut used) = (model.cursor, rows);
        while line > model.top.line {
            let above = sheet.rows(model, line - 1).len();
            if used + above > height {
                break;
            }
            (line, used) = (line - 1, used + above);
        }
        if line > model.top.line {
            (model.top.line, model.top.within) = (line, 0);
        }
    }
    if model.top.line == model.cursor {
        model.top.within = model.top.within.min(rows.saturating_sub(height));
    } else {
        model.top.within = 0;
    }
}

/// How lines are laid on the screen.
struct Sheet {
    area: Rect,
    number: u16,
}

/// Which numbers stand before a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Numbers {
    Both,
    Before,
    After,
}

/// One row of the screen.
struct Strip {
    parts: Vec<Part>,
}

/// A stretch of a row: numbers, a sign, text, on a ground that fills it.
struct Part {
    columns: u16,
    lead: String,
    ground: Ground,
    text: Vec<Cell>,
    role: Option<Role>,
}

impl Sheet {
    fn of(model: &Model<'_>, area: Rect) -> Self {
        let last = model.page.text().and_then(|page| page.rows.last());
        let digits = last.map_or(0, |row| row.before.max(row.after)).to_string().len();
        let number = u16::try_from(digits.max(NUMBER_COLUMNS_MIN)).unwrap_or(10);
        Self { area, number }
    }

    fn height(&self) -> usize {
        usize::from(self.area.height)
    }

    fn draw(&self, canvas: &mut Canvas, model: &Model<'_>) -> Range<usize> {
        let (mut y, mut line) = (self.area.y, model.top.line);
        let mut skipped = model.top.within;
        while y < self.area.bottom() && line < model.lines.len() {
            let strips = self.rows(model, line);
            let mut left = strips.len().saturating_sub(skipped);
            for strip in strips.iter().skip(skipped) {
                if y >= self.area.bottom() {
                    break;
                }
                self.bar(canvas, model, line, y);
                self.strip(canvas, strip, y);
                y += 1;
                left -= 1;
            }
            if left > 0 {
                return model.top.line..line;
            }
            skipped = 0;
            line += 1;
        }
        model.top.line..line
    }

    /// The cursor, and how the unit stands, at the left edge.
    fn bar(&self, canvas: &mut Canvas, model: &Model<'_>, line: usize, y: u16) {
        let palette = canvas.palette;
        let unit = model.unit_at(line);
        let (sign, role) = match unit.map(|unit| model.unit_standing(unit)) {
            _ if line == model.cursor => ("▌", Role::Key),
            Some(Standing::Taken) => ("│", Role::Taken),
            Some(Standing::Left | Standing::Partly) => ("│", Role::Left),
            Some(Standing::Open) | None => return,
        };
        canvas.put(self.area.x, y, 1, sign, palette.role(role));
    }

    fn strip(&self, canvas: &mut Canvas, strip: &Strip, y: u16) {
        let mut x = self.area.x + 1;
        for part in &strip.parts {
            let (ground, sign) = (canvas.palette.ground(part.ground), canvas.palette.sign(part.ground));
            canvas.fill(x, y, part.columns, ground);
            let end = x + part.columns;
            let mut at = canvas.put(x, y, part.columns, &part.lead, sign);
            for cell in &part.text {
                let style = part
                    .role
                    .map_or_else(|| canvas.palette.cell(part.ground, cell), |role| canvas.palette.role(role));
                at = canvas.cell(at, y, end, cell, style);
            }
            x = end;
        }
    }

    /// The rows that a line takes.
    fn rows(&self, model: &Model<'_>, line: usize) -> Vec<Strip> {
        let width = self.area.width - 1;
        match model.lines.get(line) {
            None => Vec::new(),
            Some(Shown::Remark(at)) => self.remark(model, *at),
            Some(Shown::Note(at)) => {
                let note = model.notes.get(*at).map_or("", |(_, note)| note.text.as_str());
                plain(&format!("✎ {note}"), width, Some(Role::Key))
            }
            Some(Shown::Head(unit)) => vec![self.head(model, *unit)],
            Some(Shown::Said(at)) => match &model.page {
                Page::Summary { said, .. } => plain(said.get(*at).map_or("", String::as_str), width, None),
                Page::Text(_) => Vec::new(),
            },
            Some(Shown::One(row)) => {
                let strips = self.row(model, Some(*row), width, Numbers::Both);
                strips.into_iter().map(|part| Strip { parts: vec![part] }).collect()
            }
            Some(Shown::Two(left, right)) => self.two(model, *left, *right),
        }
    }

    fn remark(&self, model: &Model<'_>, at: usize) -> Vec<Strip> {
        let Some((loud, text)) = model.item().and_then(|item| item.remarks.get(at)) else {
            return Vec::new();
        };
        let (sign, role) = loudness(*loud);
        let mut strips = plain(&format!("{sign}{text}"), self.area.width - 1, Some(role));
        if model.item().is_some_and(|item| item.remarks.len() == at + 1) {
            strips.push(Strip { parts: Vec::new() });
        }
        strips
    }

    fn head(&self, model: &Model<'_>, unit: usize) -> Strip {
        let width = self.area.width - 1;
        let Some((page, found)) = model.page.text().and_then(|page| Some((page, page.units.get(unit)?)))
        else {
            return Strip { parts: Vec::new() };
        };
        let first = page.rows.get(found.rows.start).map_or(1, |row| row.after.max(1));
        let standing = match model.unit_standing(unit) {
            Standing::Open => "",
            Standing::Taken => "  ✓ taken",
            Standing::Left => "  ✗ left out",
            Standing::Partly => "  ± partly taken",
        };
        let changes = match found.changes.len() {
            1 => String::new(),
            several => format!(", {several} changes"),
        };
        let text = format!("── hunk {} of {}, line {first}{changes}{standing} ", unit + 1, page.units.len());
        let rest = usize::from(width).saturating_sub(text.chars().count());
        let role = match model.unit_standing(unit) {
            Standing::Open => Role::Heading,
            Standing::Taken | Standing::Partly => Role::Taken,
            Standing::Left => Role::Left,
        };
        let text = cells::said(&format!("{text}{}", "─".repeat(rest)));
        Strip {
            parts: vec![Part {
                columns: width,
                lead: String::new(),
                ground: Ground::None,
                text,
                role: Some(role),
            }],
        }
    }

    /// A row of the text in so many columns, with the numbers of both sides or of its own.
    fn row(&self, model: &Model<'_>, row: Option<usize>, columns: u16, numbers: Numbers) -> Vec<Part> {
        let found = model.page.text().and_then(|page| Some((page, page.rows.get(row?)?)));
        let Some((page, row)) = found else { return Vec::new() };
        let (sign, ground) = match row.kept {
            Kept::Both => (' ', Ground::None),
            Kept::Before => ('-', Ground::Removed),
            Kept::After => ('+', Ground::Added),
        };
        let lead = self.lead(row, sign, numbers);
        let text = text(page, row);
        let lead_columns = lead.chars().count();
        let room = usize::from(columns).saturating_sub(lead_columns).max(1);
        let strips = wrapped(&text, room).into_iter().enumerate().map(|(number, cells)| Part {
            columns,
            lead: if number == 0 { lead.clone() } else { " ".repeat(lead_columns) },
            ground,
            text: cells.to_vec(),
            role: None,
        });
        strips.collect()
    }

    fn lead(&self, row: &Row, sign: char, numbers: Numbers) -> String {
        let width = usize::from(self.number);
        let (before, after) = (row.before.to_string(), row.after.to_string());
        let (before, after) = match row.kept {
            Kept::Both => (before, after),
            Kept::Before => (before, String::new()),
            Kept::After => (String::new(), after),
        };
        match numbers {
            Numbers::Both => format!("{before:>width$} {after:>width$} {sign} "),
            Numbers::Before => format!("{before:>width$} {sign} "),
            Numbers::After => format!("{after:>width$} {sign} "),
        }
    }

    /// Both sides beside one another, as high as the higher of them.
    fn two(&self, model: &Model<'_>, left: Option<usize>, right: Option<usize>) -> Vec<Strip> {
        let half = (self.area.width - 2) / 2;
        let left = self.row(model, left, half, Numbers::Before);
        let mut right = self.row(model, right, self.area.width - 2 - half, Numbers::After).into_iter();
        let mut left = left.into_iter();
        let mut strips = Vec::new();
        loop {
            let (before, after) = (left.next(), right.next());
            if before.is_none() && after.is_none() {
                return strips;
            }
            let empty = |columns| Part::empty(columns);
            let between = Part { lead: "│".to_owned(), ..Part::empty(1) };
            let rest = self.area.width - 2 - half;
            let parts =
                vec![before.unwrap_or_else(|| empty(half)), between, after.unwrap_or_else(|| empty(rest))];
            strips.push(Strip { parts });
        }
    }
}

impl Part {
    fn empty(columns: u16) -> Self {
        Self { columns, lead: String::new(), ground: Ground::None, text: Vec::new(), role: None }
    }
}

/// Words of our own, wrapped.
fn plain(text: &str, columns: u16, role: Option<Role>) -> Vec<Strip> {
    let cells = cells::said(text);
    let strips = between_words(&cells, usize::from(columns).saturating_sub(2)).into_iter().map(|cells| {
        let text = cells.to_vec();
        let role = role.or(Some(Role::Plain));
        Strip { parts: vec![Part { columns, lead: " ".to_owned(), ground: Ground::None, text, role }] }
    });
    strips.collect()
}

/// The text of a row, in cells.
fn text(page: &TextPage, row: &Row) -> Vec<Cell> {
    let mut text = cells::cells(page.line(row), &page.tokens(row), &page.stressed(row));
    if page.ends_openly(row) {
        text.extend(cells::said(" (no newline at the end)"));
    }
    text
}
