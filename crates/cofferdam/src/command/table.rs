//! Tables that fit 80 columns: aligned, the last column cut where it must be.

/// The columns of a terminal that tables fit.
const COLUMNS_MAX: usize = 80;
const GAP: usize = 2;

/// Rows of cells, aligned by the widest of each column. Cells hold no control characters.
pub(super) fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| chars(cell)).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    rows.iter()
        .map(|row| {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', width.saturating_sub(chars(cell)) + GAP));
            }
            cut(line.trim_end(), COLUMNS_MAX)
        })
        .collect()
}

/// `text` in lines of at most 80 columns: the first begins with `first`, the others are indented by `indent`.
pub(super) fn wrapped(first: &str, indent: usize, text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut is_begun = false;
    for word in text.split(' ') {
        let needed = chars(&line) + usize::from(is_begun) + chars(word);
        if is_begun && needed > COLUMNS_MAX {
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
    lines.iter().map(|line| cut(line, COLUMNS_MAX)).collect()
}

fn chars(text: &str) -> usize {
    text.chars().count()
}

/// At most `columns` characters, the last of them an ellipsis if something was cut.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if chars(text) <= columns {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(columns.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let rows = vec![vec!["a".repeat(30), "b".repeat(70)], vec!["short".into(), "x".into()]];
        let lines = aligned(&rows);
        assert!(lines.iter().all(|line| line.chars().count() <= COLUMNS_MAX));
        assert!(lines[0].ends_with('…'));
        assert_eq!(lines[1], format!("short{}x", " ".repeat(27)));
    }
}
