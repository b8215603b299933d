//! What each act does to the state.

use super::super::choices::Standing;
use super::super::keys::Act;
use super::super::page::Shown;
use super::{End, Mode, Model, NOTES_MAX, Purpose, TYPED_BYTES_MAX, Top};
use crate::output::whole;
use cofferdam_policy::event::ReviewNote;
use cofferdam_policy::glyph::Glyph;

impl Model<'_> {
    /// Does one act.
    pub(in super::super) fn act(&mut self, act: Act) {
        self.message.clear();
        match self.mode {
            Mode::Browsing => self.browse(act),
            Mode::Typing { .. } => self.typing(act),
            Mode::Help => self.mode = Mode::Browsing,
            Mode::Closing { armed, .. } => self.closing(act, armed),
        }
    }

    /// The last page has been there in silence: from now on its keys count.
    pub(in super::super) fn arm(&mut self) {
        if let Mode::Closing { armed, .. } = &mut self.mode {
            *armed = true;
        }
    }

    fn browse(&mut self, act: Act) {
        let page = self.height.saturating_sub(2).max(1);
        match act {
            Act::Down => self.scroll(1),
            Act::Up => self.scroll_back(1),
            Act::PageDown => self.page_down(),
            Act::PageUp => self.scroll_back(page),
            Act::HalfDown => self.scroll(page.div_ceil(2)),
            Act::HalfUp => self.scroll_back(page.div_ceil(2)),
            Act::Top => (self.cursor, self.top) = (0, Top::default()),
            Act::Bottom => self.cursor = self.lines.len().saturating_sub(1),
            Act::NextHunk => self.next_hunk(),
            Act::PreviousHunk => self.previous_hunk(),
            Act::NextItem => self.step(1),
            Act::PreviousItem => self.step(-1),
            Act::NextOpen => self.next_open(),
            Act::Take => self.decide_here(true),
            Act::Leave => self.decide_here(false),
            Act::TakeItem => self.decide_item(true),
            Act::LeaveItem => self.decide_item(false),
            Act::TakeRest => self.take_rest(),
            Act::LeaveRest => self.leave_rest(),
            Act::Split => self.split_here(),
            Act::Undo => self.undo(),
            Act::Note => self.note_line(),
            Act::NoteItem => self.begin_note(None),
            Act::Search => self.mode = Mode::Typing { purpose: Purpose::Search, text: String::new() },
            Act::NextMatch => self.find(false),
            Act::PreviousMatch => self.find(true),
            Act::ToggleBeside => {
                self.beside = Some(!self.is_beside());
                self.relay();
            }
            Act::ToggleList => {
                let before = self.is_beside();
                self.list = Some(!self.has_list());
                if self.is_beside() != before {
                    self.relay();
                }
            }
            Act::Help => self.mode = Mode::Help,
            Act::Finish => self.mode = Mode::Closing { armed: false, top: 0 },
            Act::Quit => self.end = Some(End::Quit),
            Act::Confirm => self.scroll(1),
            Act::Cancel | Act::Erase | Act::Character(_) => {}
        }
    }

    /// Down so many lines; within a line that is longer than the screen, by rows of it.
    fn scroll(&mut self, lines: usize) {
        if self.top.line == self.cursor && self.top.within + self.height < self.cursor_rows {
            self.top.within += lines.min(self.height);
            return;
        }
        self.cursor = (self.cursor + lines).min(self.lines.len().saturating_sub(1));
    }

    /// On to what was not on the screen yet; from the end of an entry, to the next.
    fn page_down(&mut self) {
        let last = self.lines.len().saturating_sub(1);
        if self.top.line == self.cursor && self.top.within + self.height < self.cursor_rows {
            self.top.within += self.height;
        } else if self.bottom > last {
            self.step(1);
        } else {
            self.cursor = self.bottom.max(self.cursor + 1).min(last);
            self.top = Top { line: self.cursor, within: 0 };
        }
    }

    fn scroll_back(&mut self, lines: usize) {
        if self.top.line == self.cursor && self.top.within > 0 {
            self.top.within = self.top.within.saturating_sub(lines);
            return;
        }
        self.cursor = self.cursor.saturating_sub(lines);
    }

    fn next_hunk(&mut self) {
        match self.next_line(self.cursor + 1, |line| matches!(line, Shown::Head(_))) {
            Some(line) => self.go_to_head(line),
            None => self.step(1),
        }
    }

    fn previous_hunk(&mut self) {
        let before = self.lines.get(..self.cursor).unwrap_or_default();
        match before.iter().rposition(|line| matches!(line, Shown::Head(_))) {
            Some(line) => self.go_to_head(line),
            None => self.step(-1),
        }
    }

    /// The cursor to a head, with as much of its hunk on the screen as there is room for; before the first hunk stand
    /// the remarks, which stay in sight.
    fn go_to_head(&mut self, line: usize) {
        let is_head = |line: &Shown| matches!(line, Shown::Head(_));
        let is_first = !self.lines.get(..line).unwrap_or_default().iter().any(is_head);
        let end = self.next_line(line + 1, is_head).unwrap_or(self.lines.len());
        self.cursor = line;
        if is_first {
            self.top = Top::default();
        } else if line < self.top.line || end > self.bottom {
            self.top = Top { line, within: 0 };
        }
    }

    fn step(&mut self, by: isize) {
        match self.at.checked_add_signed(by).filter(|item| *item < self.items.len()) {
            Some(item) => self.open(item),
            None if by > 0 => "the last entry: F finishes".clone_into(&mut self.message),
            None => "the first entry".clone_into(&mut self.message),
        }
    }

    /// To the next hunk or entry that is to be decided.
    fn next_open(&mut self) {
        let open = |line: usize, shown: &Shown| match shown {
            Shown::Head(unit) => line > self.cursor && self.unit_standing(*unit) == Standing::Open,
            Shown::One(_) | Shown::Two(..) | Shown::Said(_) | Shown::Remark(_) | Shown::Note(_) => false,
        };
        let here = self.lines.iter().enumerate().find(|(line, shown)| open(*line, shown));
        if let Some((line, _)) = here.filter(|_| self.is_open(self.at)) {
            self.go_to_head(line);
            return;
        }
        let count = self.items.len();
        let next = (1..=count).map(|step| (self.at + step) % count.max(1)).find(|item| self.is_open(*item));
        match next {
            Some(item) if item == self.at => self.first_open_here(),
            Some(item) => {
                self.open(item);
                self.first_open_here();
            }
            None => "everything is decided: F finishes".clone_into(&mut self.message),
        }
    }

    /// To the first entry that is to be decided.
    fn first_open(&mut self) {
        if let Some(item) = (0..self.items.len()).find(|item| self.is_open(*item)) {
            self.open(item);
            self.first_open_here();
        }
    }

    fn first_open_here(&mut self) {
        let is_open = |line: &Shown| match line {
            Shown::Head(unit) => self.unit_standing(*unit) == Standing::Open,
            Shown::One(_) | Shown::Two(..) | Shown::Said(_) | Shown::Remark(_) | Shown::Note(_) => false,
        };
        if let Some(line) = self.lines.iter().position(is_open) {
            self.go_to_head(line);
        }
    }

    /// The unit under the cursor, or the entry where it has none.
    fn decide_here(&mut self, taken: bool) {
        let unit = self.unit().and_then(|unit| self.page.text()?.units.get(unit).cloned());
        let total = self.page.text().map(|page| page.changes);
        match (unit, total) {
            _ if self.says_barred() => {}
            (Some(unit), Some(total)) => {
                self.choices.decide_part(self.at, unit.changes, total, taken);
                self.next_open();
            }
            (None, _) | (_, None) => self.decide_item(taken),
        }
    }

    fn decide_item(&mut self, taken: bool) {
        if self.items.is_empty() || self.says_barred() {
            return;
        }
        self.choices.decide([self.at], taken);
        // Nothing further of this entry is open, wherever the cursor is.
        self.next_open();
    }

    fn says_barred(&mut self) -> bool {
        let barred = self.item().and_then(|item| item.barred.clone());
        if let Some(why) = &barred {
            self.message = format!("stays out: {why}");
        }
        barred.is_some()
    }

    /// Takes what is open, was on the screen to its end, and is not to be decided for itself.
    fn take_rest(&mut self) {
        let ready: Vec<usize> = (0..self.items.len()).filter(|item| self.is_ready(*item)).collect();
        let taken = ready.len();
        self.choices.decide_rest(ready, true);
        let open = self.counts().open;
        self.message = format!("{taken} taken; {open} left to look at or to be decided one by one");
    }

    fn leave_rest(&mut self) {
        let open: Vec<usize> = (0..self.items.len()).filter(|item| self.is_open(*item)).collect();
        self.message = format!("{} left out", open.len());
        self.choices.decide_rest(open, false);
    }

    fn split_here(&mut self) {
        let unit = self.unit().and_then(|unit| self.page.text()?.units.get(unit).cloned());
        let Some(unit) = unit.filter(|unit| unit.changes.len() > 1) else {
            "there is one change here: nothing to split".clone_into(&mut self.message);
            return;
        };
        self.split.entry(self.at).or_default().insert(unit.hunk);
        self.load();
        let first = unit.changes.start;
        let begins = |line: &Shown| match line {
            Shown::Head(unit) => self
                .page
                .text()
                .and_then(|page| page.units.get(*unit))
                .is_some_and(|u| u.changes.start == first),
            Shown::One(_) | Shown::Two(..) | Shown::Said(_) | Shown::Remark(_) | Shown::Note(_) => false,
        };
        let line = self.lines.iter().position(begins).unwrap_or(0);
        self.go_to_head(line);
    }

    fn undo(&mut self) {
        match self.choices.undo() {
            Some(item) if item != self.at => self.open(item),
            Some(_) => "taken back".clone_into(&mut self.message),
            None => "nothing to take back".clone_into(&mut self.message),
        }
    }

    fn note_line(&mut self) {
        match self.lines.get(self.cursor).and_then(|line| self.line_after(*line)) {
            Some(line) => self.begin_note(Some(line)),
            None => "this line is not in the result: C notes on the entry".clone_into(&mut self.message),
        }
    }

    fn begin_note(&mut self, line: Option<u32>) {
        if self.notes.len() >= NOTES_MAX {
            self.message = format!("{NOTES_MAX} notes are the most");
        } else if !self.items.is_empty() {
            // One that is there is changed; emptied, it goes.
            let there = self.notes_on(line).next().and_then(|number| self.notes.get(number));
            let text = there.map(|(_, note)| note.text.clone()).unwrap_or_default();
            self.mode = Mode::Typing { purpose: Purpose::Note { line }, text };
        }
    }

    fn typing(&mut self, act: Act) {
        let Mode::Typing { purpose, text } = &mut self.mode else { return };
        if let Act::Character(c) = act {
            if text.len() < TYPED_BYTES_MAX && Glyph::of(c) == Glyph::Base {
                text.push(c);
            }
        } else if act == Act::Cancel || (act == Act::Erase && text.pop().is_none()) {
            self.mode = Mode::Browsing;
        } else if act == Act::Confirm {
            let (purpose, text) = (*purpose, std::mem::take(text));
            self.mode = Mode::Browsing;
            self.typed(purpose, text.trim());
        }
    }

    fn typed(&mut self, purpose: Purpose, text: &str) {
        match purpose {
            Purpose::Search => {
                text.clone_into(&mut self.search);
                self.find(false);
            }
            Purpose::Note { line } => self.note(line, text),
        }
    }

    fn note(&mut self, line: Option<u32>, text: &str) {
        let Some(item) = self.item() else { return };
        // Absolute, whatever the list shows.
        let path = [item.directory.as_str().as_bytes(), b"/", item.path.as_bytes()].concat();
        let at = self.at;
        self.notes.retain(|(item, note)| *item != at || note.line != line);
        if !text.is_empty() {
            self.notes.push((at, ReviewNote { path: whole(&path), line, text: text.to_owned() }));
        }
        let cursor = self.cursor;
        self.relay();
        if line.is_none() {
            self.cursor = cursor;
        }
    }

    fn closing(&mut self, act: Act, armed: bool) {
        let Mode::Closing { top, .. } = &mut self.mode else { return };
        if act == Act::Down {
            *top = top.saturating_add(1);
        } else if act == Act::Up {
            *top = top.saturating_sub(1);
        } else if act == Act::PageDown {
            *top = top.saturating_add(self.height);
        } else if act == Act::PageUp {
            *top = top.saturating_sub(self.height);
        } else if act == Act::Cancel || act == Act::PreviousItem {
            self.mode = Mode::Browsing;
        } else if act == Act::Quit {
            self.end = Some(End::Quit);
        } else if armed {
            self.concluding(act);
        }
    }

    /// The keys of the last page that count only when it has been there for a moment.
    fn concluding(&mut self, act: Act) {
        if act == Act::Confirm && self.counts().open == 0 {
            self.end = Some(End::Finished);
        } else if act == Act::Confirm {
            self.mode = Mode::Browsing;
            self.first_open();
        } else if act == Act::TakeRest || act == Act::LeaveRest {
            // What changes the choice must be read before it is confirmed.
            self.mode = Mode::Closing { armed: false, top: 0 };
            if act == Act::TakeRest { self.take_rest() } else { self.leave_rest() }
        }
    }
}
