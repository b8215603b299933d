//! How a measurement is shown: a table for a terminal, a picture, and a page that compares several.
//!
//! Everything here is a pure function from records to text; nothing is tried, read or written. What came from inside an
//! enclosure is the word of whatever ran there (attack 21), so every text is made visible before it is shown.

mod comparison;
#[cfg(test)]
pub(crate) mod made_up;
mod rings;
mod table;

pub use comparison::{NotMeasured, page, picture};
pub use rings::rings;
pub use table::table;

use std::fmt::Write as _;

use crate::measurement::{Measurement, Tally};

/// How a table is to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Whether there is colour.
    pub colour: bool,
    /// As many columns as the terminal has; without a terminal no line is wrapped.
    pub columns: Option<usize>,
}

/// The sums of all radii of a measurement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sums {
    held: usize,
    reached: usize,
    declared: usize,
    inconclusive: usize,
    inapplicable: usize,
}

impl Sums {
    fn of(measurement: &Measurement) -> Self {
        measurement.radii.iter().fold(Self::default(), |sums, tally| Self {
            held: sums.held + tally.held,
            reached: sums.reached + tally.reached,
            declared: sums.declared + tally.declared,
            inconclusive: sums.inconclusive + tally.inconclusive,
            inapplicable: sums.inapplicable + tally.inapplicable,
        })
    }

    const fn tried(self) -> usize {
        self.held + self.reached + self.declared
    }
}

/// What is said beside "held of tried": every other verdict that occurred, with its number.
fn others(tally: &Tally) -> Vec<(usize, &'static str)> {
    let all = [
        (tally.reached, "reached"),
        (tally.declared, "declared"),
        (tally.inconclusive, "inconclusive"),
        (tally.inapplicable, "inapplicable"),
    ];
    all.into_iter().filter(|(number, _)| *number > 0).collect()
}

/// The numbers of a kernel's release, less the words that whoever built it put behind them.
fn release(kernel: &str) -> String {
    let is_number =
        |part: &&str| part.chars().all(|character| character.is_ascii_digit() || character == '.');
    visible(&kernel.split('-').take_while(is_number).collect::<Vec<_>>().join("-"))
}

/// `text` with everything but plain ASCII spelled out, so that it can do nothing to a terminal and is as wide as it is
/// long.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            ' '..='~' => shown.push(character),
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            other => {
                let _infallible = write!(shown, "\\u{{{:x}}}", u32::from(other));
            }
        }
    }
    shown
}

/// As [`visible`], and not longer than `characters_max`.
fn shortened(text: &str, characters_max: usize) -> String {
    let shown = visible(text);
    match shown.char_indices().nth(characters_max) {
        None => shown,
        Some(_) => {
            let kept: String = shown.chars().take(characters_max.saturating_sub(1)).collect();
            format!("{}…", kept.trim_end())
        }
    }
}

/// `text` as the content of an element of XML.
fn xml(text: &str) -> String {
    visible(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_act_on_a_terminal_is_spelled_out() {
        assert_eq!(visible("a\u{1b}[31m\u{202e}b\r\n\té"), "a\\u{1b}[31m\\u{202e}b\\u{d}\\n\\t\\u{e9}");
        assert_eq!(visible("plain text, ~ and all"), "plain text, ~ and all");
    }

    #[test]
    fn of_a_kernel_only_its_numbers_are_shown() {
        assert_eq!(release("6.1.0-18-amd64"), "6.1.0-18");
        assert_eq!(release("6.18.44-somebody-built-it"), "6.18.44");
        assert_eq!(release("unknown"), "");
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        assert_eq!(shortened("four four", 9), "four four");
        assert_eq!(shortened("four four four", 9), "four fou…");
        assert_eq!(shortened("", 9), "");
    }

    #[test]
    fn what_could_act_on_a_picture_is_spelled_out() {
        assert_eq!(xml("<script>\"&\"</script>"), "&lt;script&gt;&quot;&amp;&quot;&lt;/script&gt;");
    }
}
