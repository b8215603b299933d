//! What the words of a line are, for colouring it: comments, strings, numbers, keywords.
//!
//! The text is hostile: one pass, a byte at a time, with no memory but a small state from line to line. It is not a
//! parser, and nothing depends on its being right.

mod languages;

pub(super) use languages::Language;

use super::cells::Tokens;
use languages::Style;

/// What a stretch of a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    Plain,
    Comment,
    String,
    Number,
    Keyword,
    /// A name that is given a value, a heading, a type.
    Name,
}

/// What goes on from the line before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum State {
    #[default]
    Nothing,
    /// A comment, nested so deep.
    Comment(u8),
    /// A string that ends with three of this byte, or one.
    String { quote: u8, tripled: bool },
}

impl Language {
    /// The tokens of `line`, in order, and what goes on in the next. Only the first `bytes_max` bytes are looked at.
    pub(super) fn scan(self, state: State, line: &[u8], bytes_max: usize) -> (Tokens, State) {
        let line = line.get(..bytes_max).unwrap_or(line);
        let mut scan = Scan { style: self.style(), line, at: 0, tokens: Vec::new() };
        let mut state = scan.go_on(state);
        while scan.at < line.len() {
            state = scan.next();
        }
        (scan.tokens, state)
    }
}

struct Scan<'l> {
    style: Style,
    line: &'l [u8],
    at: usize,
    tokens: Tokens,
}

impl Scan<'_> {
    fn rest(&self) -> &[u8] {
        self.line.get(self.at..).unwrap_or_default()
    }

    fn emit(&mut self, from: usize, token: Token) {
        if from < self.at && token != Token::Plain {
            self.tokens.push((from..self.at, token));
        }
    }

    fn go_on(&mut self, state: State) -> State {
        match state {
            State::Nothing => State::Nothing,
            State::Comment(depth) => self.comment(self.at, depth),
            State::String { quote, tripled } => self.string(self.at, quote, tripled),
        }
    }

    /// One token, or one byte that is none.
    fn next(&mut self) -> State {
        let start = self.at;
        let Some(first) = self.line.get(start).copied() else { return State::Nothing };
        let begins_line = self.line.get(..start).is_some_and(|before| before.trim_ascii().is_empty());
        if self.style.headings && begins_line && first == b'#' {
            self.at = self.line.len();
            self.emit(start, Token::Name);
            return State::Nothing;
        }
        let blank_before = start == 0 || self.line.get(start - 1).is_some_and(u8::is_ascii_whitespace);
        let begins_comment =
            |mark: &&&str| self.rest().starts_with(mark.as_bytes()) && (**mark != "#" || blank_before);
        if self.style.line_comments.iter().find(begins_comment).is_some() {
            self.at = self.line.len();
            self.emit(start, Token::Comment);
            return State::Nothing;
        }
        if let Some((open, _)) = self.style.block_comment
            && self.rest().starts_with(open.as_bytes())
        {
            self.at += open.len();
            return self.comment(start, 1);
        }
        if self.style.quotes.contains(&first) && !self.is_lifetime(first) {
            let tripled = self.style.tripled && self.rest().starts_with(&[first; 3]);
            self.at += if tripled { 3 } else { 1 };
            return self.string(start, first, tripled);
        }
        self.word(start, first);
        State::Nothing
    }

    /// Rust's `'a` is no string that never ends.
    fn is_lifetime(&self, first: u8) -> bool {
        first == b'\'' && self.style.lifetimes && !matches!(self.rest(), [_, b'\\', ..] | [_, _, b'\'', ..])
    }

    fn word(&mut self, start: usize, first: u8) {
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
        if !is_word(&first) {
            self.at += 1;
            return;
        }
        let length = self.rest().iter().take_while(|byte| is_word(byte)).count();
        self.at += length;
        let word = self.line.get(start..self.at).unwrap_or_default();
        let token = if first.is_ascii_digit() {
            Token::Number
        } else if std::str::from_utf8(word).is_ok_and(|word| self.style.keywords.contains(&word)) {
            Token::Keyword
        } else if (self.style.keys && self.is_key(start)) || (self.style.types && first.is_ascii_uppercase())
        {
            Token::Name
        } else {
            Token::Plain
        };
        self.emit(start, token);
    }

    /// The first word of a line, before `:` or `=`.
    fn is_key(&self, start: usize) -> bool {
        let before = self.line.get(..start).unwrap_or_default();
        let after = self.rest().trim_ascii_start().first();
        before.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'-' | b'.'))
            && matches!(after, Some(b':' | b'=' | b'-' | b'.'))
    }

    fn comment(&mut self, start: usize, mut depth: u8) -> State {
        let Some((open, close)) = self.style.block_comment else { return State::Nothing };
        while depth > 0 && self.at < self.line.len() {
            if self.rest().starts_with(close.as_bytes()) {
                self.at += close.len();
                depth -= 1;
            } else if self.style.nested && self.rest().starts_with(open.as_bytes()) {
                self.at += open.len();
                depth = depth.saturating_add(1);
            } else {
                self.at += 1;
            }
        }
        self.emit(start, Token::Comment);
        if depth > 0 { State::Comment(depth) } else { State::Nothing }
    }

    fn string(&mut self, start: usize, quote: u8, tripled: bool) -> State {
        let end: &[u8] = if tripled { &[quote; 3] } else { &[quote] };
        let mut open = true;
        while open && self.at < self.line.len() {
            if self.style.escapes && self.rest().first() == Some(&b'\\') {
                self.at = (self.at + 2).min(self.line.len());
            } else if self.rest().starts_with(end) {
                self.at += end.len();
                open = false;
            } else {
                self.at += 1;
            }
        }
        let is_key = self.style.keys && self.rest().trim_ascii_start().first() == Some(&b':');
        self.emit(start, if is_key { Token::Name } else { Token::String });
        let goes_on = open && (tripled || self.style.long_quotes.contains(&quote));
        if goes_on { State::String { quote, tripled } } else { State::Nothing }
    }
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;

    fn scanned(path: &str, text: &str) -> Vec<(String, Token)> {
        let language = Language::of(path.as_bytes(), text.as_bytes());
        let (mut state, mut found) = (State::default(), Vec::new());
        for line in text.lines() {
            let (tokens, next) = language.scan(state, line.as_bytes(), 10_000);
            found.extend(tokens.into_iter().map(|(range, token)| (line[range].to_owned(), token)));
            state = next;
        }
        found
    }

    #[test]
    fn words_of_common_languages_are_told_apart() {
        let rust =
            scanned("a.rs", "fn f<'a>(x: &'a str) { /* a /* b */\nc */ \"s\\\"t\" + 'c' + 12_u8 } // end");
        let expected = [
            ("fn", Token::Keyword),
            ("/* a /* b */", Token::Comment),
            ("c */", Token::Comment),
            ("\"s\\\"t\"", Token::String),
            ("'c'", Token::String),
            ("12_u8", Token::Number),
            ("// end", Token::Comment),
        ];
        assert_eq!(rust, expected.map(|(text, token)| (text.to_owned(), token)));
        let python = scanned("a.py", "x = \"\"\"one\ntwo\"\"\" # c");
        assert_eq!(python.last().unwrap().1, Token::Comment);
        assert_eq!(python.len(), 3);
        assert_eq!(scanned("ci.yml", "on: push # x")[0], ("on".to_owned(), Token::Name));
        assert_eq!(scanned("a.json", "{\"a\": \"b\"}")[0], ("\"a\"".to_owned(), Token::Name));
        assert_eq!(scanned("run", "#!/bin/sh\necho $# x#y")[0].1, Token::Comment);
        assert_eq!(scanned("run", "#!/bin/sh\necho $# x#y").len(), 1, "a # in a word begins no comment");
    }

    #[test]
    fn a_hostile_line_is_passed_once_and_covered_in_order() {
        for text in ["\"\\", "'", "/*", "\"\"\"", "\\", "#", "`\\`", "/*/*/*"] {
            let line = text.repeat(30_000);
            for path in ["a.rs", "a.py", "a.js", "a.c", "a.sh", "a.toml", "a.md", "a.json", "x"] {
                let language = Language::of(path.as_bytes(), line.as_bytes());
                for state in
                    [State::Nothing, State::Comment(255), State::String { quote: b'"', tripled: true }]
                {
                    let (tokens, _) = language.scan(state, line.as_bytes(), usize::MAX);
                    assert!(tokens.is_sorted_by(|a, b| a.0.end <= b.0.start));
                    assert!(tokens.last().is_none_or(|last| last.0.end <= line.len()));
                }
            }
        }
    }
}
