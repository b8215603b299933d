//! The pages that stand in place of the change: the keys, and the last one.

use super::super::item::Rank;
use super::super::keys::HELP;
use super::super::model::{Counts, Model};
use super::super::palette::Role;
use super::{Canvas, list};
use ratatui_core::layout::Rect;

const KEY_COLUMNS: u16 = 12;

pub(super) fn help(canvas: &mut Canvas, body: Rect) {
    let (key, plain) = (canvas.palette.role(Role::Key), canvas.palette.role(Role::Plain));
    // On a low screen the groups move together, so that no key is missing.
    let is_low = usize::from(body.height) < HELP.len();
    let rows = HELP.iter().filter(|(keys, _)| !(is_low && keys.is_empty()));
    for (y, (keys, what)) in (body.y..body.bottom()).zip(rows) {
        canvas.put(2, y, KEY_COLUMNS, keys, key);
        canvas.put(2 + KEY_COLUMNS, y, body.width.saturating_sub(KEY_COLUMNS + 3), what, plain);
    }
}

/// What is chosen, before it is confirmed.
pub(super) fn closing(
    canvas: &mut Canvas,
    model: &Model<'_>,
    counts: Counts,
    body: Rect,
    (armed, top): (bool, usize),
) {
    let mut rows = verdict(model, counts, armed);
    let order = |item: &usize| model.items.get(*item).map(|entry| (group(model, *item), entry.rank, *item));
    let mut all: Vec<usize> = (0..model.items.len()).collect();
    all.sort_by_key(order);
    let mut last = None;
    // Only what can be on the screen is made into rows.
    for item in all {
        if rows.len() > top + usize::from(body.height) + 1 {
            break;
        }
        let group = group(model, item);
        if last.replace(group) != Some(group) {
            rows.push(Vec::new());
            rows.push(vec![(group.words().to_uppercase(), Role::Heading)]);
        }
        rows.push(line(model, item));
    }
    if !model.asides.is_empty() {
        rows.push(Vec::new());
        rows.push(vec![("not part of it".to_uppercase(), Role::Heading)]);
        rows.extend(model.asides.iter().map(|aside| vec![(aside.clone(), Role::Dim)]));
    }
    let top = top.min(rows.len().saturating_sub(1));
    for (y, row) in (body.y..body.bottom()).zip(rows.iter().skip(top)) {
        let mut x = 2;
        for (text, role) in row {
            let style = canvas.palette.role(*role);
            x = canvas.put(x, y, body.width.saturating_sub(x + 1), text, style);
        }
    }
}

/// A row of words, each in its role.
type Words = Vec<(String, Role)>;

fn verdict(model: &Model<'_>, counts: Counts, armed: bool) -> Vec<Words> {
    let one = |text: String, role| vec![(text, role)];
    if counts.open > 0 {
        let what = match counts.open {
            1 => "1 entry is still to be decided.".to_owned(),
            open => format!("{open} entries are still to be decided."),
        };
        let ready = format!(" takes what was read and is not notable ({})   ", counts.ready);
        let keys = vec![
            ("R".to_owned(), Role::Key),
            (ready, Role::Dim),
            ("L".to_owned(), Role::Key),
            (" leaves all of them out".to_owned(), Role::Dim),
        ];
        return vec![one(what, Role::Notice), keys];
    }
    let what = match counts.taken + counts.partly {
        0 => "Nothing is taken.".to_owned(),
        1 => "1 entry is taken.".to_owned(),
        taken => format!("{taken} entries are taken."),
    };
    let mut rows = vec![one(what, Role::Strong)];
    if counts.taken + counts.partly > 0 {
        let digest = model.digest().unwrap_or_else(|| "told when it is finished".to_owned());
        rows.push(vec![("digest ".to_owned(), Role::Dim), (digest, Role::Plain)]);
    }
    match model.notes.len() {
        0 => {}
        1 => rows.push(one("1 note is kept with it.".to_owned(), Role::Plain)),
        notes => rows.push(one(format!("{notes} notes are kept with it."), Role::Plain)),
    }
    rows.push(if armed {
        one("Enter confirms exactly this.".to_owned(), Role::Taken)
    } else {
        one("Read it; in a moment Enter confirms.".to_owned(), Role::Dim)
    });
    rows
}

/// The order of the last page: what acts first, then what is open, then the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Open,
    TakenNotable,
    Taken,
    Left,
    Barred,
}

impl Group {
    fn words(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::TakenNotable => "taken, and notable",
            Self::Taken => "taken",
            Self::Left => "left out",
            Self::Barred => "stays out",
        }
    }
}

fn group(model: &Model<'_>, item: usize) -> Group {
    let notable =
        model.items.get(item).is_some_and(|item| matches!(item.rank, Rank::RunsLater | Rank::Suspicious));
    let takes = model.choices.of(item).take().is_some();
    match (model.is_barred(item), model.is_open(item), takes) {
        (true, _, _) => Group::Barred,
        (false, true, _) => Group::Open,
        (false, false, true) if notable => Group::TakenNotable,
        (false, false, true) => Group::Taken,
        (false, false, false) => Group::Left,
    }
}

fn line(model: &Model<'_>, number: usize) -> Words {
    let Some(item) = model.items.get(number) else { return Vec::new() };
    let (sign, role) = list::sign(model, number);
    let mut words = vec![
        (format!("{sign} "), role),
        (item.name.clone(), Role::Plain),
        (format!("  {}", item.change), Role::Dim),
    ];
    if let Some(take) = model.choices.of(number).parts_taken() {
        words.push((format!("  {take}"), Role::Taken));
    }
    match (&item.barred, &item.mark) {
        (Some(why), _) => words.push((format!("  {why}"), Role::Dim)),
        (None, Some(mark)) => words.push((format!("  {mark}"), Role::Notice)),
        (None, None) => {}
    }
    words
}
