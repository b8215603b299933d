//! The question on the owner's terminal: a held request, shown on a screen of ours, and one key as the answer.
//!
//! While it is shown nothing is read from the program, so its own screen stands still and nothing that it prints can
//! be mistaken for the question; what it may paint to look like one takes no answer, since the keys go to it then.

use super::{OwnerSide, Supervisor, Turn};
use crate::error::Error;
use crate::network::Waiting;
use crate::shell;
use crate::supervise::program::ProgramSide;
use crate::terminal::{DETACH_KEY_NAME, Departure, Stroke, visible_within};
use cofferdam_policy::event::Decision;
use std::time::{Duration, Instant};

/// What was typed before the question could be read, or within a sentence, is no answer to it: none of its letters stands
/// alone, with such a silence before it and after it. The agent sees when the owner pauses, and can ask just then.
const SILENCE: Duration = Duration::from_millis(800);
/// What the agent chose is cut off here.
const TEXT_COLUMNS_MAX: usize = 400;
/// An empty alternate screen in plain colours, without a cursor.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[0m\x1b[?25l\x1b[2J\x1b[H";
const LEAVE: &[u8] = b"\x1b[?25h\x1b[?1049l";

/// The question that is shown.
#[derive(Debug)]
pub(super) struct Question {
    id: u64,
    armed_at: Instant,
    /// The key that was pressed, and when it holds if no other follows.
    chosen: Option<(Decision, Instant)>,
}

impl Supervisor<'_> {
    /// Whether the owner's terminal shows a question; the program waits then.
    pub(super) fn is_asking(&self) -> bool {
        self.question.is_some()
    }

    /// Shows the oldest request that waits, if there is a terminal to show it on and nothing is shown yet; takes the
    /// question away when what it was about waits no longer.
    pub(super) fn keep_asking(&mut self) {
        let waiting = self.network.waiting();
        let oldest = waiting.first().cloned();
        match (&self.question, oldest) {
            (Some(question), _) if !waiting.iter().any(|known| known.id == question.id) => {
                self.take_question_away();
                self.keep_asking();
            }
            (None, Some(oldest)) => self.ask(&oldest),
            (Some(_), _) | (None, None) => {}
        }
    }

    fn ask(&mut self, waiting: &Waiting) {
        let (OwnerSide::Terminal(_), ProgramSide::Terminal { screen, .. }) = (&self.owner, &self.program)
        else {
            return;
        };
        if screen.on_alternate_screen() {
            screen.leave(Departure::Detach, &mut self.to_owner);
        }
        self.to_owner.extend_from_slice(ENTER);
        let now = Instant::now();
        self.to_owner.extend_from_slice(painted(waiting, self.patience.is_short(now)).as_bytes());
        self.question = Some(Question { id: waiting.id, armed_at: now + SILENCE, chosen: None });
    }

    /// What was typed while the question is shown: an answer, the keystroke that detaches, or nothing.
    pub(super) fn read_answer(&mut self, typed: &[u8]) -> Result<Turn, Error> {
        let now = Instant::now();
        if let Some(question) = &mut self.question {
            question.chosen = match decision(typed) {
                Some(decision) if question.armed_at <= now => Some((decision, now + SILENCE)),
                // Somebody is typing for the program.
                Some(_) | None => None,
            };
            question.armed_at = now + SILENCE;
        }
        if let OwnerSide::Terminal(raw) = &mut self.owner
            && raw.key.feed(typed, &mut Vec::new()) == Stroke::Detach
        {
            return self.detach();
        }
        Ok(Turn::Stay)
    }

    /// When an answer holds.
    pub(super) fn answer_due(&self) -> Option<Instant> {
        self.question.as_ref()?.chosen.map(|(_, at)| at)
    }

    /// Takes the answer after which nothing was typed for long enough.
    pub(super) fn keep_answer(&mut self) {
        let Some(Question { id, chosen: Some((decision, at)), .. }) = self.question else { return };
        if at <= Instant::now() {
            // If it waits no longer, the question goes away all the same.
            let _waited = self.decide(id, decision);
            self.keep_asking();
        }
    }

    /// Off a terminal a line says that something waits.
    pub(super) fn say_held(&mut self, id: u64, text: &str) {
        if let OwnerSide::Pipes(_) = self.owner {
            let text = visible_within(text.as_bytes(), TEXT_COLUMNS_MAX);
            let name = self.session.name.as_str();
            let line = format!("cofferdam: held {text}: cofferdam pending approve {id} -s {name}\n");
            self.to_owner_error.extend_from_slice(line.as_bytes());
        }
    }

    /// The same of that nobody is asked any more.
    pub(super) fn say_unasked(&mut self) {
        if let OwnerSide::Pipes(_) = self.owner {
            let line = "cofferdam: for a minute all that nothing grants is refused unasked\n";
            self.to_owner_error.extend_from_slice(line.as_bytes());
        }
    }

    /// Gives the terminal back to the program, as it was.
    pub(super) fn take_question_away(&mut self) {
        if self.question.take().is_none() {
            return;
        }
        self.to_owner.extend_from_slice(LEAVE);
        if let ProgramSide::Terminal { screen, .. } = &self.program
            && screen.on_alternate_screen()
        {
            screen.repaint(&mut self.to_owner);
        }
    }
}

/// What a key says to the question: nothing, unless it is one of the three, alone.
fn decision(typed: &[u8]) -> Option<Decision> {
    match typed {
        b"o" => Some(Decision::AllowedOnce),
        b"s" => Some(Decision::AllowedForSession),
        b"n" => Some(Decision::Denied),
        _ => None,
    }
}

fn painted(waiting: &Waiting, patience_is_short: bool) -> String {
    let refused = &waiting.refused;
    let shown = |text: &str| visible_within(text.as_bytes(), TEXT_COLUMNS_MAX);
    let method = refused.method.as_deref().unwrap_or("connect to");
    let path = refused.path.as_deref().unwrap_or_default();
    let what = shown(&format!("{method} {}:{}{path}", refused.host, refused.port));
    let allow = refused.allow.as_deref().and_then(|grant| shell::allow(grant, TEXT_COLUMNS_MAX));
    let allow = allow.map_or_else(String::new, |allow| format!("  A grant for good:  {allow}\r\n"));
    let more = if patience_is_short { "; for a minute, all else that nothing grants too" } else { "" };
    format!(
        "\x1b[7m cofferdam \x1b[0m the session wants what nothing grants\r\n\r\n\
         \x20 \x1b[1m{what}\x1b[0m\r\n\r\n\
         \x20 Refused so far because of {}; refused by itself in {} s.\r\n{allow}\r\n\
         \x20 \x1b[1mo\x1b[0m  let this one through\r\n\
         \x20 \x1b[1ms\x1b[0m  let it and its like through until the session ends\r\n\
         \x20 \x1b[1mn\x1b[0m  refuse{more}\r\n\r\n\
         \x20 One key counts, if no other follows within a second.\r\n\
         \x20 {DETACH_KEY_NAME} leaves it waiting: cofferdam pending\r\n",
        shown(&refused.reason),
        waiting.seconds_left,
    )
}
