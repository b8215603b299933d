//! The table of one measurement: five radii, a line for each attempt that was reached, and what it comes to.
//!
//! What was held or could not be tried is only counted: the record has each of them.

use super::{Look, Sums, others, release, shortened, visible};
use crate::attempt::Radius;
use crate::measurement::{Measured, Measurement, Tally, Verdict};

const BAR_CELLS: usize = 20;
const RADIUS_COLUMNS: usize = 12;
const ID_COLUMNS_MAX: usize = 28;
const EVIDENCE_CHARACTERS_MAX: usize = 120;
/// The least room for a text to go on in; with less it goes on where the terminal breaks it.
const TEXT_COLUMNS_MIN: usize = 24;

/// The colours, as everywhere in the program's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tone {
    Strong,
    Good,
    Bad,
    Dim,
}

/// The table of `measurement`, without a line end after the last line.
#[must_use]
pub fn table(measurement: &Measurement, look: Look) -> String {
    let mut lines = heading(measurement, look);
    lines.push(String::new());
    lines.extend(measurement.radii.iter().flat_map(|tally| radius(tally, look)));
    lines.extend(section(measurement, Verdict::Reached, "reached, and nothing grants it", Tone::Bad, look));
    lines.extend(section(measurement, Verdict::Inconclusive, "inconclusive", Tone::Strong, look));
    lines.extend(section(
        measurement,
        Verdict::Declared,
        "declared: reached, and granted",
        Tone::Strong,
        look,
    ));
    lines.push(String::new());
    lines.extend(closing(measurement, look));
    lines.join("\n")
}

/// What was measured, by whom, and how long it took.
fn heading(measurement: &Measurement, look: Look) -> Vec<String> {
    let enclosure = &measurement.enclosure;
    let name = visible(&enclosure.name);
    let version = enclosure.version.as_deref().map(visible).filter(|version| !version.is_empty());
    let seconds = measurement.took_millis / 1000;
    let tenths = measurement.took_millis % 1000 / 100;
    // Most programs begin their version with their name.
    let version = version.map(|version| match version.strip_prefix(&format!("{name} ")) {
        Some(number) => number.to_owned(),
        None => version,
    });
    let rest = format!(
        "{}as uid {} on Linux {}, in {seconds}.{tenths} s",
        version.map(|version| format!("{version}, ")).unwrap_or_default(),
        measurement.runner.uid,
        release(&measurement.runner.kernel)
    );
    let mut lines = wrapped(&format!("{name}  "), 2, &rest, look);
    if let Some(first) = lines.first_mut()
        && let Some(after) = first.strip_prefix(&name)
    {
        *first = format!("{}{after}", toned(Tone::Strong, &name, look));
    }
    let command = wrapped("  ", 2, &visible(&enclosure.command), look);
    lines.extend(command.iter().map(|line| toned(Tone::Dim, line, look)));
    if let Some(why) = &measurement.cut_short {
        let said = format!("{}; what follows is what was tried until then", visible(why));
        let cut = wrapped("  cut short: ", 2, &said, look);
        lines.extend(cut.iter().map(|line| toned(Tone::Bad, line, look)));
    }
    lines
}

/// One radius: a bar, held of tried, and what else there was.
fn radius(tally: &Tally, look: Look) -> Vec<String> {
    let name = format!("  {:<RADIUS_COLUMNS$}  ", tally.radius.name());
    let bar = bar(tally, look);
    let indent = name.chars().count() + BAR_CELLS + 2;
    let said = match tally.tried() {
        0 => "nothing tried".to_owned(),
        tried => format!("{} of {tried} held", tally.held),
    };
    // Each number stays with its word: blanks that break no line, until the lines are made.
    let parts = others(tally).into_iter().map(|(number, word)| format!("{number}\u{a0}{word}"));
    let text: Vec<String> = std::iter::once(said.replace(' ', "\u{a0}")).chain(parts).collect();
    let lines = wrapped(&" ".repeat(indent), indent, &text.join(", "), look);
    let mut lines: Vec<String> = lines.into_iter().map(|line| line.replace('\u{a0}', " ")).collect();
    if let Some(first) = lines.first_mut() {
        *first = format!("{name}{bar}  {}", first.trim_start());
    }
    lines
}

/// What was held, then what was declared, then what was reached; nothing that occurred is rounded away.
fn bar(tally: &Tally, look: Look) -> String {
    let tried = tally.tried();
    if tried == 0 {
        return toned(Tone::Dim, &"·".repeat(BAR_CELLS), look);
    }
    let cells = |number: usize| match number {
        0 => 0,
        _ => (number * BAR_CELLS / tried).max(1),
    };
    let (reached, declared) = (cells(tally.reached), cells(tally.declared));
    let held = BAR_CELLS.saturating_sub(reached + declared);
    let parts = [(Tone::Good, "█", held), (Tone::Dim, "▒", declared), (Tone::Bad, "░", reached)];
    parts
        .into_iter()
        .filter(|(_, _, number)| *number > 0)
        .map(|(tone, cell, number)| toned(tone, &cell.repeat(number), look))
        .collect()
}

/// Every attempt with `verdict`, in the order of the radii.
fn section(measurement: &Measurement, verdict: Verdict, title: &str, tone: Tone, look: Look) -> Vec<String> {
    let mut wanted: Vec<&Measured> =
        measurement.attempts.iter().filter(|measured| measured.verdict == verdict).collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    wanted.sort_by_key(|measured| measured.radius);
    let counted = wanted.iter().filter(|measured| measured.is_counted).count();
    let beyond = match counted == wanted.len() {
        true => String::new(),
        false => format!(", {counted} of them counted above"),
    };
    let title = format!("{title} ({}{beyond})", wanted.len());
    let columns = wanted.iter().map(|measured| measured.id.chars().count()).max().unwrap_or(0);
    let columns = columns.min(ID_COLUMNS_MAX);
    let mut lines = vec![String::new(), toned(tone, &title, look)];
    let mut last: Option<Radius> = None;
    for measured in wanted {
        if last.replace(measured.radius) != Some(measured.radius) {
            lines.push(toned(Tone::Dim, &format!("  {}", measured.radius.name()), look));
        }
        lines.extend(entry(measured, columns, look));
    }
    lines
}

/// One attempt: its name, what it tries, and what was seen.
fn entry(measured: &Measured, id_columns: usize, look: Look) -> Vec<String> {
    let id = format!("    {:<id_columns$}  ", visible(&measured.id));
    let indent = id_columns + 6;
    let mut lines = wrapped(&id, indent, &visible(&measured.act), look);
    let errno = measured.errno.as_deref().map(|errno| format!("{errno}: ")).unwrap_or_default();
    let evidence = shortened(&format!("{errno}{}", measured.evidence), EVIDENCE_CHARACTERS_MAX);
    if evidence.is_empty() {
        return lines;
    }
    if look.columns.is_none() {
        return lines.into_iter().map(|line| format!("{line}  {evidence}")).collect();
    }
    let seen = wrapped(&" ".repeat(indent), indent, &evidence, look);
    lines.extend(seen.iter().map(|line| toned(Tone::Dim, line, look)));
    lines
}

/// Whether what was measured is what was declared, and what to type next.
fn closing(measurement: &Measurement, look: Look) -> Vec<String> {
    let sums = Sums::of(measurement);
    let count = |verdict| measurement.attempts.iter().filter(|measured| measured.verdict == verdict).count();
    let (tone, said) = if measurement.agrees() {
        let said = match sums.declared {
            0 => "measured is what was declared: nothing was reached".to_owned(),
            declared => format!("measured is what was declared: {declared} reached, and granted"),
        };
        (Tone::Good, said)
    } else {
        let doubts = [
            (count(Verdict::Reached), " reached that nothing grants"),
            (count(Verdict::Inconclusive), " inconclusive"),
            (usize::from(measurement.cut_short.is_some()), ""),
        ];
        let doubts: Vec<String> = doubts
            .into_iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, words)| match words {
                "" => "cut short".to_owned(),
                words => format!("{number}{words}"),
            })
            .collect();
        (Tone::Bad, format!("measured is not what was declared: {}", doubts.join(", ")))
    };
    let total = format!("{} of {} held in all", sums.held, sums.tried());
    let mut lines: Vec<String> =
        wrapped("", 0, &said, look).iter().map(|line| toned(tone, line, look)).collect();
    lines.extend(wrapped(
        "",
        0,
        &format!("{total}; each attempt with its evidence: --json; a picture: --svg"),
        look,
    ));
    lines
}

/// `text` in lines of at most as many columns as there are: the first begins with `first`, the others are indented by
/// `indent`. A word that is longer than a line is broken, as nothing here is meant to be copied.
fn wrapped(first: &str, indent: usize, text: &str, look: Look) -> Vec<String> {
    let Some(columns) = look.columns.filter(|columns| indent + TEXT_COLUMNS_MIN <= *columns) else {
        return vec![format!("{first}{text}")];
    };
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut is_begun = false;
    for word in text.split(' ') {
        let room = columns.saturating_sub(line.chars().count() + usize::from(is_begun));
        if is_begun && word.chars().count() > room {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
            is_begun = false;
        }
        if is_begun {
            line.push(' ');
        }
        for character in word.chars() {
            if line.chars().count() >= columns {
                lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
            }
            line.push(character);
        }
        is_begun = true;
    }
    lines.push(line);
    lines
}

fn toned(tone: Tone, text: &str, look: Look) -> String {
    if !look.colour {
        return text.to_owned();
    }
    let code = match tone {
        Tone::Strong => "1",
        Tone::Good => "32",
        Tone::Bad => "31",
        Tone::Dim => "2",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::made_up;

    const TERMINAL: Look = Look { colour: false, columns: Some(80) };

    fn mixed() -> Measurement {
        let mut measurement = made_up::measurement(
            "bwrap",
            [[18, 0, 0, 0, 0], [120, 1, 2, 1, 30], [4, 3, 0, 0, 0], [0, 0, 0, 2, 17], [0, 1, 0, 0, 0]],
        );
        if let Some(measured) = measurement.attempts.iter_mut().find(|it| it.verdict == Verdict::Reached) {
            measured.evidence = format!("\u{1b}]0;gone\u{7} {}", "very long ".repeat(40));
            measured.is_counted = true;
        }
        measurement
    }

    #[test]
    fn a_table_has_everything_that_was_reached() {
        insta::assert_snapshot!(table(&mixed(), TERMINAL));
    }

    #[test]
    fn a_table_of_a_whole_enclosure_is_short() {
        let numbers =
            [[20, 0, 0, 0, 0], [120, 0, 0, 0, 9], [20, 0, 0, 0, 0], [18, 0, 1, 0, 0], [22, 0, 0, 0, 1]];
        insta::assert_snapshot!(table(&made_up::measurement("cofferdam", numbers), TERMINAL));
    }

    #[test]
    fn a_run_that_was_cut_short_says_so_twice() {
        let mut measurement =
            made_up::measurement("bwrap", [[3, 0, 0, 0, 0], [0; 5], [0; 5], [0; 5], [0; 5]]);
        measurement.cut_short = Some("the probe was killed by signal 9".to_owned());
        let text = table(&measurement, TERMINAL);
        assert_eq!(text.matches("cut short").count(), 2, "{text}");
        assert!(text.contains("not what was declared") && text.contains("nothing tried"), "{text}");
    }

    #[test]
    fn no_line_is_longer_than_the_terminal_and_no_control_character_is_shown() {
        let mut measurement = mixed();
        measurement.enclosure.command = "x".repeat(300);
        measurement.enclosure.version = Some("word ".repeat(60));
        for columns in [80, 100, 120] {
            let text = table(&measurement, Look { colour: false, columns: Some(columns) });
            assert!(text.lines().all(|line| line.chars().count() <= columns), "{text}");
            assert!(!text.contains(|character: char| character != '\n' && character.is_control()), "{text}");
        }
        assert!(!table(&measurement, Look { colour: false, columns: Some(7) }).is_empty());
    }

    #[test]
    fn colour_changes_no_letter() {
        let measurement = mixed();
        let coloured = table(&measurement, Look { colour: true, ..TERMINAL });
        let mut plain = coloured.clone();
        for code in ["0", "1", "2", "31", "32"] {
            plain = plain.replace(&format!("\u{1b}[{code}m"), "");
        }
        assert_ne!(plain, coloured);
        assert_eq!(plain, table(&measurement, TERMINAL));
    }

    #[test]
    fn off_a_terminal_each_attempt_is_one_line() {
        let text = table(&mixed(), Look { colour: false, columns: None });
        let lines = text.lines().filter(|line| line.contains("review-reached-")).count();
        assert_eq!(lines, 3, "{text}");
        assert!(
            text.lines()
                .filter(|line| line.contains("review-reached-"))
                .all(|line| line.contains("411 bytes"))
        );
    }

    #[test]
    fn a_single_attempt_that_was_reached_is_seen_in_the_bar() {
        let numbers = [[0; 5], [299, 1, 0, 0, 0], [0; 5], [0; 5], [0; 5]];
        let text = table(&made_up::measurement("x", numbers), TERMINAL);
        assert!(text.contains("███░  299 of 300 held, 1 reached"), "{text}");
    }
}
