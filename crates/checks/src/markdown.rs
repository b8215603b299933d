//! Tables and links of markdown files, as far as the project's own documents use them.
//!
//! No HTML, no reference definitions, no nested tables.

/// A table: its column names, then its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The cells of the first line.
    pub columns: Vec<String>,
    /// The cells of each line below the rule.
    pub rows: Vec<Vec<String>>,
}

/// A link from one document to something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The line it stands in, from 1.
    pub line: usize,
    /// What stands between the brackets after the text.
    pub target: String,
}

/// The first table below the line `heading`, before the next heading.
#[must_use]
pub fn table_under(text: &str, heading: &str) -> Option<Table> {
    let below = text.lines().skip_while(|line| line.trim_end() != heading).skip(1);
    let section = below.take_while(|line| !line.starts_with('#'));
    let mut lines =
        section.skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let columns = cells(lines.next()?);
    // The rule under the column names.
    lines.next()?;
    Some(Table { columns, rows: lines.map(cells).collect() })
}

/// The inline links outside code, pictures included.
#[must_use]
pub fn links(text: &str) -> Vec<Link> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (line, content) in (1..).zip(text.lines()) {
        if content.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced && !content.starts_with("    ") {
            found.extend(targets(content).into_iter().map(|target| Link { line, target }));
        }
    }
    found
}

fn targets(line: &str) -> Vec<String> {
    // Every second part between backticks is code.
    let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("code");
    let after_texts = prose.split("](").skip(1);
    after_texts.filter_map(|rest| Some(rest.split_once(')')?.0.trim().to_owned())).collect()
}

fn cells(line: &str) -> Vec<String> {
    let inner = line.trim().trim_start_matches('|').trim_end_matches('|');
    inner.split('|').map(|cell| cell.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_found_under_its_heading_only() {
        let text = "# A\n| no |\n|---|\n| x |\n## Crates\ntext\n\n| crate | may |\n|---|---|\n| `a` | b, c |\n\nend\n";
        let table = table_under(text, "## Crates").unwrap();
        assert_eq!(table.columns, ["crate", "may"]);
        assert_eq!(table.rows, [["`a`", "b, c"]]);
        assert_eq!(table_under(text, "## Other"), None);
    }

    #[test]
    fn links_are_found_outside_code() {
        let text = "see [a](a.md) and [b](b.md#part)\n```\n[no](no.md)\n```\n`[no](no.md)` ![p](p.png)\n";
        let found: Vec<_> = links(text).into_iter().map(|link| (link.line, link.target)).collect();
        assert_eq!(found, [(1, "a.md".to_owned()), (1, "b.md#part".to_owned()), (5, "p.png".to_owned())]);
    }
}
