//! Tables and paragraphs, as wide as the terminal. Off a terminal, where a program may read them, every row and every
//! paragraph is one line.
//!
//! Nothing is lost: what does not fit goes on in the next line. A single word that is longer than a line, such as a
//! path, stays whole, and the terminal breaks it; so it can still be copied.

use crate::output::{Tone, toned};

const GAP: usize = 2;
/// The least room for the last column to go on in; with less its row goes on where the terminal breaks it.
const LAST_COLUMNS_MIN: usize = 16;

/// Rows of cells, aligned by the widest of each column, each with the lines that its last cell goes on in. Cells hold
/// no control characters.
pub(super) fn aligned(rows: &[Vec<String>], columns: Option<usize>) -> Vec<String> {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| chars(cell)).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count.saturating_sub(1)).map(width).collect();
    let before = widths.iter().map(|width| width + GAP).sum::<usize>();
    let columns = columns.filter(|columns| before + LAST_COLUMNS_MIN <= *columns);
    rows.iter()
        .map(|row| {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', width.saturating_sub(chars(cell)) + GAP));
            }
            match row.get(widths.len()) {
                Some(last) => wrapped(&line, before, last, columns).join("\n"),
                None => line.trim_end().to_owned(),
            }
        })
        .collect()
}

/// `text` in lines of at most `columns`: the first begins with `first`, the others are indented by `indent`.
pub(super) fn wrapped(first: &str, indent: usize, text: &str, columns: Option<usize>) -> Vec<String> {
    let Some(columns) = columns else { return vec![format!("{first}{text}")] };
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut is_begun = false;
    for word in text.split(' ') {
        let needed = chars(&line) + usize::from(is_begun) + chars(word);
        if is_begun && needed > columns {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
            is_begun = false;
        }
        if is_begun {
            line.push(' ');
        }
        line.push_str(word);
        is_begun = true;
    }
    lines.push(line);
    lines
}

/// As [`wrapped`], with a dim label before the text, which goes on below itself.
pub(super) fn labelled(label: &str, text: &str, columns: Option<usize>) -> Vec<String> {
    let mut lines = wrapped(label, chars(label), text, columns);
    if let Some(first) = lines.first_mut()
        && let Some(rest) = first.strip_prefix(label)
    {
        *first = format!("{}{rest}", toned(Tone::Dim, label));
    }
    lines
}

fn chars(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_goes_on_below_and_nothing_is_lost() {
        let words = vec!["word"; 30].join(" ");
        let rows = vec![vec!["a".repeat(30), words.clone()], vec!["short".into(), "x".into()]];
        let lines = aligned(&rows, Some(80));
        assert!(lines.iter().flat_map(|row| row.lines()).all(|line| line.chars().count() <= 80), "{lines:?}");
        assert_eq!(lines[0].matches("word").count(), 30);
        assert!(lines[0].lines().skip(1).all(|line| line.starts_with(&" ".repeat(32))), "{lines:?}");
        assert_eq!(lines[1], format!("short{}x", " ".repeat(27)));
        assert_eq!(aligned(&rows, None)[0], format!("{}  {words}", "a".repeat(30)));
    }

    #[test]
    fn a_word_that_is_longer_than_a_line_stays_whole() {
        let path = "/a".repeat(60);
        let lines = wrapped("  • ", 4, &format!("{path}: read-only"), Some(80));
        assert_eq!(lines, [format!("  • {path}:"), "    read-only".to_owned()]);
        let narrow = aligned(&[vec!["a".repeat(70), "b c".into()]], Some(80));
        assert_eq!(narrow, [format!("{}  b c", "a".repeat(70))]);
    }
}
