//! The tables of `docs/review.md`, written from the code, and compared with what stands there.
//!
//! The words around the tables are written by hand.

use super::lock::LockFormat;
use super::runs_later::document_rows;
use super::suspicious::Finding;
use std::fmt::Write as _;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/review.md");

fn runs_later() -> String {
    let mut table = "| reason | names | why |\n|---|---|---|\n".to_owned();
    for (reason, names, why) in document_rows() {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        writeln!(table, "| `{reason}` | {} | {why} |", names.join(" ")).unwrap();
    }
    table
}

fn findings() -> String {
    let mut table = "| code | what it is |\n|---|---|\n".to_owned();
    for finding in Finding::ALL {
        writeln!(table, "| `{finding}` | {} |", finding.sentence()).unwrap();
    }
    table
}

#[test]
fn the_document_has_every_row_of_the_tables() {
    let document = std::fs::read_to_string(DOCUMENT).unwrap_or_default();
    for (name, table) in [("what runs later", runs_later()), ("findings", findings())] {
        assert!(
            document.contains(&format!("\n\n{table}\n")),
            "docs/review.md does not have the table of {name}; write, between two empty lines:\n{table}"
        );
    }
    for format in LockFormat::ALL {
        assert!(
            document.contains(&format!("`{}`", format.as_str())),
            "docs/review.md lacks {}",
            format.as_str()
        );
    }
}
