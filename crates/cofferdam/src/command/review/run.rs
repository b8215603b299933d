//! The loop: a frame, what happens, the next frame. It holds the terminal and is the only part of a review that does.
//!
//! A confirmation can't be typed ahead: what was typed before the last page is thrown away, and its keys count only
//! after a moment in which nothing came (ATTACKS 21).

use super::keys::{Key, Keyboard, act};
use super::model::{End, Mode, Model};
use super::paint::paint;
use super::palette::Palette;
use super::view;
use cofferdam_session::error::{Error, ErrorKind};
use cofferdam_session::screen::{Happening, Screen};
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use std::time::Duration;

/// How long an escape byte waits for what it may begin.
const ESCAPE_WAIT: Duration = Duration::from_millis(50);
/// How long the last page stands in silence before its keys count.
const SILENCE_MIN: Duration = Duration::from_millis(600);

/// Lets a person go through it; says how that ended.
pub(super) fn run(model: &mut Model<'_>, palette: Palette) -> Result<End, Error> {
    let screen = Screen::take()?;
    let mut keyboard = Keyboard::default();
    let mut shown = Buffer::empty(Rect::ZERO);
    loop {
        let (rows, columns) = screen.size();
        let frame = view::draw(model, palette, columns, rows);
        screen.draw(&paint(&shown, &frame))?;
        shown = frame;
        let is_waiting = keyboard.is_waiting();
        match screen.wait(patience(model, is_waiting)) {
            Happening::Input(bytes) if is_unarmed(model) => {
                // Whatever comes now was typed before the page was there to be read; it must be quiet first.
                if bytes == [0x03] {
                    return Ok(End::Quit);
                }
                drop(bytes);
                screen.forget_input();
            }
            Happening::Input(bytes) => {
                for key in keyboard.feed(&bytes) {
                    if key == Key::Control('z') {
                        screen.pause();
                        shown = Buffer::empty(Rect::ZERO);
                    } else if pressed(model, &key, bytes.len(), &screen) {
                        keyboard = Keyboard::default();
                        break;
                    }
                }
            }
            Happening::Silence if is_waiting => {
                if let Some(key) = keyboard.settle() {
                    pressed(model, &key, 1, &screen);
                }
            }
            Happening::Silence => model.arm(),
            Happening::Resized => shown = Buffer::empty(Rect::ZERO),
            Happening::Pause => {
                screen.pause();
                shown = Buffer::empty(Rect::ZERO);
            }
            Happening::End => return Err(interrupted()),
        }
        if let Some(end) = model.end {
            return Ok(end);
        }
    }
}

/// Whether the last page is there and its keys do not count yet.
fn is_unarmed(model: &Model<'_>) -> bool {
    matches!(model.mode, Mode::Closing { armed: false, .. })
}

fn patience(model: &Model<'_>, is_waiting: bool) -> Option<Duration> {
    if is_waiting { Some(ESCAPE_WAIT) } else { is_unarmed(model).then_some(SILENCE_MIN) }
}

/// Does what a key says; whether all that was typed after it is void.
fn pressed(model: &mut Model<'_>, key: &Key, read_bytes: usize, screen: &Screen) -> bool {
    let is_closing = matches!(model.mode, Mode::Closing { .. });
    // A person's Enter comes alone: one among others was pasted or sent by a program.
    if is_closing && *key == Key::Enter && read_bytes > 1 {
        return false;
    }
    if let Some(act) = act(&model.mode, key) {
        model.act(act);
    }
    let begins_closing = is_unarmed(model);
    if begins_closing {
        screen.forget_input();
    }
    begins_closing
}

fn interrupted() -> Error {
    Error::new(ErrorKind::Declined, "cannot finish the review")
        .since("it was interrupted: nothing is recorded")
        .hint("cofferdam review")
}
