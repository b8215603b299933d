//! The list of entries, what is most notable first.

use super::super::choices::Standing;
use super::super::model::{Listed, Model};
use super::super::palette::Role;
use super::Canvas;
use ratatui_core::layout::Rect;

pub(super) fn draw(canvas: &mut Canvas, model: &Model<'_>, area: Rect) {
    let height = usize::from(area.height);
    let here = model.listing.iter().position(|row| *row == Listed::Item(model.at)).unwrap_or(0);
    // The open entry stays in the middle where there is more than fits.
    let last = model.listing.len().saturating_sub(height);
    let top = here.saturating_sub(height / 2).min(last);
    for (y, row) in (area.y..area.bottom()).zip(model.listing.iter().skip(top)) {
        match row {
            Listed::Heading(rank) => {
                let heading = canvas.palette.role(Role::Heading);
                canvas.put(1, y, area.width.saturating_sub(1), &rank.heading().to_uppercase(), heading);
            }
            Listed::Item(item) => entry(canvas, model, *item, y, area.width),
        }
    }
}

fn entry(canvas: &mut Canvas, model: &Model<'_>, number: usize, y: u16, width: u16) {
    let Some(item) = model.items.get(number) else { return };
    let (sign, role) = sign(model, number);
    let is_here = number == model.at;
    let own = |role| {
        let style = canvas.palette.role(role);
        if is_here { style.patch(canvas.palette.role(Role::Here)) } else { style }
    };
    let mark_role = if is_here { Role::Plain } else { Role::Notice };
    let (sign_style, name_style, mark_style) =
        (own(if is_here { Role::Plain } else { role }), own(Role::Plain), own(mark_role));
    if is_here {
        canvas.fill(0, y, width, name_style);
    }
    canvas.put(1, y, 2, sign, sign_style);
    let mark = item.mark.as_deref().unwrap_or_default();
    let mark_columns = u16::try_from(mark.chars().count()).unwrap_or(0).min(width / 3);
    let room = width.saturating_sub(4 + mark_columns + u16::from(mark_columns > 0));
    canvas.put_end(3, y, room, &item.name, name_style);
    if mark_columns > 0 {
        canvas.put(width.saturating_sub(mark_columns + 1), y, mark_columns, mark, mark_style);
    }
}

/// How an entry stands, in a sign.
pub(super) fn sign(model: &Model<'_>, item: usize) -> (&'static str, Role) {
    if model.is_barred(item) {
        return ("⊘", Role::Dim);
    }
    match model.choices.of(item).standing() {
        Standing::Taken => ("✓", Role::Taken),
        Standing::Partly => ("±", Role::Taken),
        Standing::Left => ("✗", Role::Left),
        Standing::Open if model.was_seen(item) => ("○", Role::Plain),
        Standing::Open => ("·", Role::Dim),
    }
}
