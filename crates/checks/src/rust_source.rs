//! Just enough reading of Rust to tell code from comments and texts, and production code from tests.
//!
//! It is no parser: it knows where a comment, a string and a character begin and end, and nothing of the grammar.

/// The part of a Rust file that is built into a program.
#[derive(Debug, Clone, Copy)]
pub struct Production<'a> {
    /// Its lines, up to the tests at the end of the file.
    pub text: &'a str,
}

impl<'a> Production<'a> {
    /// What stands above the first `#[cfg(test)]`: in this project tests come last in a file.
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        let end = text.find("#[cfg(test)]").unwrap_or(text.len());
        Self { text: text.get(..end).unwrap_or(text) }
    }

    /// How many lines that is.
    #[must_use]
    pub fn lines(self) -> usize {
        self.text.lines().count()
    }
}

/// The text with comments, strings and characters blanked out, line by line as before.
#[must_use]
pub fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let hidden = hidden_length(rest, code.chars().next_back());
        if hidden == 0 {
            code.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        } else {
            let (blanked, after) = rest.split_at(hidden);
            code.extend(blanked.chars().map(|character| if character == '\n' { '\n' } else { ' ' }));
            rest = after;
        }
    }
    code
}

/// The identifiers and keywords of the code, each with its line number.
#[must_use]
pub fn identifiers(text: &str) -> Vec<(usize, String)> {
    let code = code_only(text);
    let mut found = Vec::new();
    for (number, line) in (1..).zip(code.lines()) {
        let words = line.split(|character: char| !(character.is_alphanumeric() || character == '_'));
        found.extend(words.filter(|word| !word.is_empty()).map(|word| (number, word.to_owned())));
    }
    found
}

/// How many bytes at the start of `rest` are a comment or a literal; 0 when it is code. `before` is what stands
/// before it, for `r"` is a raw string and `for"` is not.
fn hidden_length(rest: &str, before: Option<char>) -> usize {
    let after_word = before.is_some_and(|character| character.is_alphanumeric() || character == '_');
    if rest.starts_with("//") {
        rest.find('\n').unwrap_or(rest.len())
    } else if rest.starts_with("/*") {
        block_comment_length(rest)
    } else if rest.starts_with('"') {
        quoted_length(rest, '"')
    } else if rest.starts_with('\'') {
        character_length(rest)
    } else if after_word {
        0
    } else {
        raw_string_length(rest)
    }
}

/// Block comments nest.
fn block_comment_length(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut position = 0;
    while let Some(tail) = rest.get(position..).filter(|tail| !tail.is_empty()) {
        if tail.starts_with("/*") {
            depth += 1;
            position += 2;
        } else if tail.starts_with("*/") {
            depth -= 1;
            position += 2;
            if depth == 0 {
                return position;
            }
        } else {
            position += tail.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn quoted_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (position, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            end if end == quote => return position + end.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

/// `'x'` and `'\n'` are characters; `'a` is a lifetime, and code.
fn character_length(rest: &str) -> usize {
    let mut characters = rest.chars().skip(1);
    match (characters.next(), characters.next()) {
        (Some('\\'), _) | (Some(_), Some('\'')) => quoted_length(rest, '\''),
        _ => 0,
    }
}

/// `r"…"`, `r#"…"#` and the like, with `b` or `c` before.
fn raw_string_length(rest: &str) -> usize {
    let Some(opening) = rest.strip_prefix("br").or(rest.strip_prefix("cr")).or(rest.strip_prefix('r')) else {
        return 0;
    };
    let content = opening.trim_start_matches('#');
    if !content.starts_with('"') {
        return 0;
    }
    let closing = format!("\"{}", "#".repeat(opening.len() - content.len()));
    let start = rest.len() - content.len() + 1;
    let end = rest.get(start..).and_then(|inside| inside.find(&closing));
    end.map_or(rest.len(), |end| start + end + closing.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        identifiers(text).into_iter().map(|(_, word)| word).collect()
    }

    #[test]
    fn comments_and_literals_are_not_code() {
        let text = r####"a // hidden
b /* hidden /* hidden */ hidden */ c "hidden \" hidden" d r#"hidden " hidden"# e '"' f b"hidden" g"####;
        assert_eq!(words(text), ["a", "b", "c", "d", "e", "f", "b", "g"]);
    }

    #[test]
    fn a_lifetime_does_not_start_a_character() {
        assert_eq!(
            words("fn f<'a>(x: &'a str) -> &'a str { x } // '"),
            ["fn", "f", "a", "x", "a", "str", "a", "str", "x"]
        );
    }

    #[test]
    fn a_word_with_the_searched_one_in_it_is_another_word() {
        assert!(!words("#![forbid(unsafe_code)]").contains(&"unsafe".to_owned()));
        assert!(words("unsafe { f() }").contains(&"unsafe".to_owned()));
    }

    #[test]
    fn lines_keep_their_numbers() {
        assert_eq!(identifiers("\"\n\n\"\nx"), [(4, "x".to_owned())]);
    }

    #[test]
    fn production_ends_where_the_tests_begin() {
        assert_eq!(Production::of("a\nb\n#[cfg(test)]\nmod tests {}\n").lines(), 2);
        assert_eq!(Production::of("a\n").lines(), 1);
    }
}
