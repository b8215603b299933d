//! Printing: text for people, one JSON object for programs, three lines for failures.
//!
//! Colour only on a terminal and never with `NO_COLOR`; everything untrusted is made visible before it comes here.

use clap::error::{ContextKind, ContextValue, ErrorKind as ClapKind};
use cofferdam_session::error::{Error, ErrorKind};
use cofferdam_session::supervise::{Streams, columns};
use cofferdam_session::terminal::visible_within;
use serde::Serialize;
use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

/// The most columns of one text: longer ones than paths and command lines commonly are, and still a bound.
pub(crate) const TEXT_COLUMNS_MAX: usize = 65_535;

/// How much waits to be printed at once, in bytes.
const WAITING_BYTES_MAX: usize = 64 << 10;

/// Where and how things are printed.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) json: bool,
    /// The columns of the terminal that standard output is; off a terminal no line is wrapped or cut.
    pub(crate) columns: Option<usize>,
    /// The session that was chosen because none was named, until it is said.
    chosen: RefCell<Option<String>>,
    /// Lines that wait to be printed together, while that is asked for.
    waiting: RefCell<Option<String>>,
}

/// `bytes` on one line, made visible, and not shortened.
pub(crate) fn whole(bytes: &[u8]) -> String {
    visible_within(bytes, TEXT_COLUMNS_MAX)
}

/// Restrained colours: a heading, good, bad, and what matters less.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tone {
    Strong,
    Good,
    Bad,
    Dim,
}

/// `text` in a tone; `anstream` takes it away where it does not belong.
pub(crate) fn toned(tone: Tone, text: &str) -> String {
    let code = match tone {
        Tone::Strong => "1",
        Tone::Good => "32",
        Tone::Bad => "31",
        Tone::Dim => "2",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, columns: columns(), chosen: RefCell::new(None), waiting: RefCell::new(None) }
    }

    /// The latest session was meant; it is said before anything else is printed, or with the failure.
    pub(crate) fn chose(&self, name: &str) {
        self.chosen.replace(Some(name.to_owned()));
    }

    /// Says which session was chosen, if it was not said yet.
    pub(crate) fn say_chosen(&self) {
        if let Some(name) = self.chosen.take() {
            emit(&mut anstream::stderr(), &harmless(&toned(Tone::Dim, &format!("session {name}"))));
        }
    }

    /// The owner's streams for a program: with `--json`, standard output is for the one object alone.
    pub(crate) fn streams(&self) -> Streams {
        if self.json { Streams::look_aside() } else { Streams::look() }
    }

    /// A line on standard output; with `--json`, nothing.
    pub(crate) fn line(&self, text: &str) {
        self.say_chosen();
        if self.json {
            return;
        }
        let mut waiting = self.waiting.borrow_mut();
        let Some(lines) = waiting.as_mut() else { return emit(&mut anstream::stdout(), &harmless(text)) };
        if !lines.is_empty() {
            lines.push('\n');
        }
        lines.push_str(&harmless(text));
        if lines.len() > WAITING_BYTES_MAX {
            emit_whole(lines);
            lines.clear();
        }
    }

    /// Lets `print` print its lines in large pieces: to write each by itself would cost more than to make it.
    pub(crate) fn in_pieces(&self, print: impl FnOnce()) {
        self.waiting.replace(Some(String::new()));
        print();
        if let Some(lines) = self.waiting.take().filter(|lines| !lines.is_empty()) {
            emit_whole(&lines);
        }
    }

    /// What comes next is painted from the top of an empty screen; off a terminal it just follows.
    pub(crate) fn clear_screen(&self) {
        if self.columns.is_some() && !self.json {
            let _closed = write!(anstream::stdout(), "\u{1b}[H\u{1b}[2J").is_err();
        }
    }

    /// A line beside the result, on standard error.
    pub(crate) fn aside(&self, text: &str) {
        self.say_chosen();
        emit(&mut anstream::stderr(), &harmless(text));
    }

    /// The one object of `--json`; without it, nothing.
    pub(crate) fn object(&self, value: &impl Serialize) -> Result<(), Error> {
        if !self.json {
            return Ok(());
        }
        self.say_chosen();
        let text = serde_json::to_string_pretty(value).map_err(unprintable)?;
        let mut stdout = std::io::stdout().lock();
        match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
            // A record that is not there must not be taken for one that says that all is well.
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(Error::new(ErrorKind::State, "cannot print the report")
                    .because(error)
                    .hint("look where the standard output leads, and whether there is room"))
            }
            _ => Ok(()),
        }
    }

    /// One object of many, on a line of its own; whether somebody still reads them.
    pub(crate) fn object_line(&self, value: &impl Serialize) -> Result<bool, Error> {
        self.say_chosen();
        let text = serde_json::to_string(value).map_err(unprintable)?;
        let mut stdout = std::io::stdout().lock();
        Ok(writeln!(stdout, "{text}").and_then(|()| stdout.flush()).is_ok())
    }

    /// Three lines: what, why, what to do.
    pub(crate) fn failure(&self, error: &Error) -> ExitCode {
        let mut what = error.to_string();
        // Which session was chosen belongs to the first line: a failure has three.
        if let Some(name) = self.chosen.take().filter(|name| !what.contains(name.as_str())) {
            what = format!("{what} (session {name})");
        }
        if self.json {
            let value = serde_json::json!({ "error": {
                "kind": error.kind.name(), "what": what, "why": error.why(),
                "what_to_do": error.what_to_do(),
            }});
            emit(&mut std::io::stdout().lock(), &value.to_string());
        }
        three_lines(&what, &error.why(), error.what_to_do().unwrap_or("cofferdam --help"));
        ExitCode::from(error.kind.exit_code())
    }

    /// Whether there is somebody to ask.
    pub(crate) fn can_ask(&self) -> bool {
        !self.json && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// Asks a question that must be answered with yes; off a terminal the answer is no.
    pub(crate) fn confirm(&self, question: &str) -> bool {
        if !self.can_ask() {
            return false;
        }
        // What was typed before the question is no answer to it.
        cofferdam_session::screen::drop_what_was_typed();
        let mut stderr = anstream::stderr();
        let asked = write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush());
        let mut answer = String::new();
        asked.is_ok()
            && std::io::stdin().read_line(&mut answer).is_ok()
            && matches!(answer.trim(), "y" | "Y" | "yes")
    }
}

fn unprintable(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Internal, "cannot print the report").because(error).hint("please report this")
}

/// A write that nobody reads any more is no failure of ours.
fn emit(to: &mut impl std::io::Write, text: &str) {
    let _closed = writeln!(to, "{text}").is_err();
}

/// Many lines on standard output by one write; `anstream`'s own stream makes one of each.
fn emit_whole(lines: &str) {
    let mut stdout = std::io::stdout().lock();
    if anstream::AutoStream::choice(&stdout) == anstream::ColorChoice::Never {
        emit(&mut stdout, &anstream::adapter::strip_str(lines).to_string());
    } else {
        emit(&mut stdout, lines);
    }
}

fn three_lines(what: &str, why: &str, what_to_do: &str) {
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut text = String::new();
    let _infallible = write!(
        text,
        "{} {}\n  {} {}\n  {} {}",
        toned(Tone::Bad, "error:"),
        one_line(what),
        toned(Tone::Dim, "why:"),
        one_line(if why.is_empty() { what } else { why }),
        toned(Tone::Dim, "try:"),
        one_line(what_to_do)
    );
    emit(&mut anstream::stderr(), &harmless(&text));
}

/// The last wall before a terminal (ATTACKS 21): our own tones and line ends stay, and every other control, bidi or
/// invisible character becomes visible, whichever file or name it came from.
fn harmless(text: &str) -> String {
    const TONES: [&str; 5] = ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[2m", "\u{1b}[31m", "\u{1b}[32m"];
    // Blanks, and backslashes of what was made visible before, are no danger and stay as they are.
    let plain = |part: &str| -> String {
        part.split_inclusive([' ', '\\'])
            .map(|piece| {
                let word = piece.trim_end_matches([' ', '\\']);
                let end = piece.get(word.len()..).unwrap_or_default();
                whole(word.as_bytes()) + end
            })
            .collect()
    };
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\u{1b}', '\n']) {
        let (before, from) = rest.split_at(at);
        shown.push_str(&plain(before));
        let kept = TONES.iter().copied().chain(["\n"]).find(|tone| from.starts_with(tone));
        let length = kept.map_or(1, str::len);
        shown.push_str(kept.unwrap_or("\\u{1b}"));
        rest = from.get(length..).unwrap_or_default();
    }
    shown.push_str(&plain(rest));
    shown
}

/// Help and versions go out as they are; everything else is a usage error in three lines.
/// With `json` it is an object too.
pub(crate) fn usage(error: &clap::Error, json: bool) -> ExitCode {
    let kind = error.kind();
    if matches!(kind, ClapKind::DisplayHelp | ClapKind::DisplayVersion) {
        let _closed = error.print().is_err();
        return ExitCode::SUCCESS;
    }
    if kind == ClapKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _closed = error.print().is_err();
        return ExitCode::from(cofferdam_session::exit::USAGE);
    }
    let rendered = error.render().to_string();
    let mut paragraphs = rendered.split("\n\n");
    let first = paragraphs.next().unwrap_or_default();
    let why = first.strip_prefix("error: ").unwrap_or(first);
    // Only what it suggests: that an unknown flag could be passed as a value helps nobody.
    let suggested =
        [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue];
    let tip = suggested
        .iter()
        .any(|kind| error.get(*kind).is_some())
        .then(|| {
            paragraphs.find_map(|text| text.trim().strip_prefix("tip: ")?.lines().next().map(str::to_owned))
        })
        .flatten();
    let try_this = without_dashes(error).or(tip).unwrap_or_else(|| help_of(error));
    let error = Error::new(ErrorKind::Usage, "cannot understand the command line").since(why).hint(try_this);
    Output::new(json).failure(&error)
}

/// The help of the command that was begun, or of all.
fn help_of(error: &clap::Error) -> String {
    let usage = match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => usage.to_string(),
        _ => String::new(),
    };
    let command = usage.split_whitespace().nth(2).filter(|word| word.chars().all(|c| c.is_ascii_lowercase()));
    match command {
        Some(command) => format!("cofferdam {command} --help"),
        None => "cofferdam --help, or cofferdam COMMAND --help".into(),
    }
}

/// What was meant, where a command was typed without the `--` before it.
fn without_dashes(error: &clap::Error) -> Option<String> {
    let word = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(word)) if !word.starts_with('-') => word,
        _ => return None,
    };
    let usage = match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => usage.to_string(),
        _ => return None,
    };
    let command = usage.split_whitespace().nth(2).filter(|_| usage.contains("-- <COMMAND>"))?;
    Some(format!("COMMAND follows `--`: cofferdam {command} -- {word} …"))
}

/// The current directory is gone or can't be entered.
pub(crate) fn no_directory(error: &std::io::Error) -> Error {
    Error::new(ErrorKind::Workspace, "cannot find the current directory")
        .since(error.to_string())
        .hint("cd to another")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_repository_is_called_reaches_the_terminal_raw() {
        let hostile = "note: /x\u{1b}]52;c;cHduZWQ=\u{7}\u{1b}[2J\u{9b}6n\u{202e}\r";
        let shown = harmless(hostile);
        assert!(shown.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{shown:?}");
        let ours = format!("{} a\\nb  c\n", toned(Tone::Bad, "error:"));
        assert_eq!(harmless(&ours), ours, "our own tones, lines and blanks stay");
    }
}
