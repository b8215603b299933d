//! What deceives in names and in lines of text, as findings with stable codes.
//!
//! What can be seen is an allow-list ([`crate::glyph`]); everything else is found and marked. Letters that imitate ASCII
//! are those of Unicode's confusables (UTS 39). Nothing is judged by its meaning: a finding is no proof of intent, and
//! text without one can still lie in plain letters. Whether a text is code is not known here.

mod finding;
mod line;
mod look_alike;
mod marks;
mod name;

#[cfg(test)]
mod fuzz;

pub use finding::Finding;
pub use line::{
    FAR_RIGHT_BLANKS_MIN, INDENT_BLANKS_MIN, LONG_LINE_BYTES, Occurrences, TextFindings, of_line,
};
pub use marks::{MARKS_PER_CHARACTER_MAX, Mark, marks};
pub use name::{collisions, is_ignore_file, of_name, of_path};
