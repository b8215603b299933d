//! What a program prints and the owner's terminal would obey: clipboards, reports, titles, pictures, modes left on.
//!
//! The attempts themselves do nothing: `cofferdam-probe terminal` prints all sequences, each once and behind the
//! attempt's name, and the host's side looks for them in all that reached the terminal. Until it knows that the
//! printing came to its end, nothing is known. No sequence does harm: clipboards and titles get the program's name.

use std::io::{self, Write};

use crate::attempt::{Attempt, Radius, Run};
use crate::classes::{Class, class};
use crate::finding::Finding;
use crate::inside::proc;
use crate::plants::{PlantError, Plants};
use crate::witness::HostSide;

mod sequences;

use sequences::{SEQUENCES, Sequence, Trace};

/// The listener that holds all that reached the terminal.
pub(crate) const LISTENER: &str = "terminal";
/// The last that is printed; without small letters, which line drawing would turn into lines.
const END: &str = "COFFERDAM PROBE 1 END";

pub(crate) const ATTEMPTS: &[Attempt] = &[
    prints("terminal-clipboard-set", Radius::Credential, "Writes to the clipboard.", "CVE-2003-0063"),
    prints(
        "terminal-clipboard-primary",
        Radius::Credential,
        "Writes to the selection that a middle click pastes.",
        "xterm ctlseqs",
    ),
    prints(
        "terminal-clipboard-query",
        Radius::Credential,
        "Has the clipboard typed into what runs next.",
        "xterm ctlseqs",
    ),
    prints(
        "terminal-clipboard-kitty",
        Radius::Credential,
        "Asks for the clipboard by another protocol.",
        "kitty clipboard protocol",
    ),
    prints(
        "terminal-clipboard-wrapped",
        Radius::Credential,
        "Writes to the clipboard of the terminal beyond a multiplexer.",
        "tmux(1)",
    ),
    prints(
        "terminal-clipboard-c1",
        Radius::Credential,
        "Writes to the clipboard by control characters of the upper half.",
        "ECMA-48",
    ),
    prints(
        "terminal-title-report",
        Radius::Collateral,
        "Has the title typed into what runs next.",
        "CVE-2003-0063",
    ),
    prints(
        "terminal-attributes",
        Radius::Collateral,
        "Has the kind of terminal typed into what runs next.",
        "attacks 21",
    ),
    prints(
        "terminal-cursor-report",
        Radius::Collateral,
        "Has the cursor's place typed into what runs next.",
        "attacks 21",
    ),
    prints(
        "terminal-setting-report",
        Radius::Collateral,
        "Has a setting typed into what runs next.",
        "CVE-2008-2383",
    ),
    prints(
        "terminal-colour-report",
        Radius::Collateral,
        "Has the background's colour typed into what runs next.",
        "attacks 21",
    ),
    prints(
        "terminal-answerback",
        Radius::Collateral,
        "Has the terminal's answer typed into what runs next.",
        "CVE-2010-2713",
    ),
    prints("terminal-title", Radius::Collateral, "Sets the title of the window.", "attacks 21"),
    prints("terminal-directory", Radius::Collateral, "Tells the terminal another directory.", "attacks 21"),
    prints("terminal-notification", Radius::Collateral, "Shows a notification.", "attacks 21"),
    prints(
        "terminal-notification-desktop",
        Radius::Collateral,
        "Shows a notification by another sequence.",
        "attacks 21",
    ),
    prints(
        "terminal-prompt-mark",
        Radius::Review,
        "Marks what it printed as the owner's prompt and command.",
        "attacks 21",
    ),
    prints("terminal-variable", Radius::Collateral, "Sets a variable of the terminal's.", "attacks 21"),
    prints("terminal-sixel", Radius::Review, "Draws a picture.", "attacks 21"),
    prints("terminal-graphics", Radius::Review, "Draws a picture by another protocol.", "attacks 21"),
    prints("terminal-file", Radius::Review, "Hands the terminal a file.", "attacks 21"),
    prints("terminal-keys", Radius::Collateral, "Has a function key type a command.", "CVE-2003-0063"),
    prints("terminal-private-message", Radius::Review, "Sends the terminal a private message.", "attacks 21"),
    prints(
        "terminal-alternate-screen",
        Radius::Review,
        "Leaves the terminal on its other screen.",
        "attacks 21",
    ),
    prints("terminal-mouse", Radius::Review, "Leaves motions of the mouse being typed.", "attacks 21"),
    prints("terminal-paste", Radius::Review, "Leaves pastes in brackets.", "attacks 21"),
    prints("terminal-link", Radius::Review, "Leaves all that follows a link.", "attacks 21"),
    prints("terminal-line-drawing", Radius::Review, "Leaves letters drawn as lines.", "attacks 21"),
    prints("terminal-hidden-cursor", Radius::Review, "Leaves the cursor hidden.", "attacks 21"),
    prints("terminal-bidi", Radius::Review, "Prints text that reads backwards.", "CVE-2021-42574"),
    prints("terminal-tags", Radius::Review, "Prints letters that nobody sees.", "attacks 21"),
    prints(
        "terminal-c1",
        Radius::Review,
        "Clears the screen by a control character of the upper half.",
        "ECMA-48",
    ),
];

pub(crate) const CLASSES: &[Class] = &[
    class(
        "terminal-clipboards",
        21,
        &[
            "terminal-clipboard-set",
            "terminal-clipboard-primary",
            "terminal-clipboard-query",
            "terminal-clipboard-kitty",
            "terminal-clipboard-wrapped",
            "terminal-clipboard-c1",
        ],
    ),
    class(
        "terminal-reports",
        21,
        &[
            "terminal-title-report",
            "terminal-attributes",
            "terminal-cursor-report",
            "terminal-setting-report",
            "terminal-colour-report",
            "terminal-answerback",
        ],
    ),
    class(
        "terminal-messages",
        21,
        &[
            "terminal-title",
            "terminal-directory",
            "terminal-notification",
            "terminal-notification-desktop",
            "terminal-prompt-mark",
            "terminal-variable",
        ],
    ),
    class(
        "terminal-strings",
        21,
        &[
            "terminal-sixel",
            "terminal-graphics",
            "terminal-file",
            "terminal-keys",
            "terminal-private-message",
        ],
    ),
    class(
        "terminal-modes",
        21,
        &[
            "terminal-alternate-screen",
            "terminal-mouse",
            "terminal-paste",
            "terminal-link",
            "terminal-line-drawing",
            "terminal-hidden-cursor",
        ],
    ),
    class("terminal-disguises", 21, &["terminal-bidi", "terminal-tags", "terminal-c1"]),
];

/// What puts a terminal back altogether.
const FULL_RESET: &[u8] = b"\x1bc";

/// Prints all sequences.
pub(crate) fn print(out: &mut dyn Write) -> io::Result<()> {
    for sequence in SEQUENCES {
        out.write_all(b"\r\n")?;
        out.write_all(&behind_name(sequence))?;
        out.write_all(b".")?;
    }
    write!(out, "\r\n{END}\r\n")?;
    out.flush()
}

fn behind_name(sequence: &Sequence) -> Vec<u8> {
    [sequence.id.as_bytes(), b":", sequence.bytes].concat()
}

const fn prints(id: &'static str, radius: Radius, sentence: &'static str, source: &'static str) -> Attempt {
    const ELSEWHERE: Run = elsewhere;
    Attempt::forbidden(id, sentence, source, ELSEWHERE)
        .of(radius)
        .witnessed(obeyed)
        .ready_when(came_to_its_end)
}

fn elsewhere(_: &Plants) -> Result<Finding, PlantError> {
    Ok(Finding::Held("nothing of it reached the terminal".to_owned()))
}

fn came_to_its_end(host: &HostSide<'_>) -> bool {
    transcripts(host).any(|bytes| proc::contains(bytes, END))
}

fn transcripts<'h>(host: &HostSide<'h>) -> impl Iterator<Item = &'h [u8]> {
    host.contacts
        .iter()
        .filter(|contact| contact.listener == LISTENER)
        .map(|contact| contact.bytes.as_slice())
}

fn obeyed(host: &HostSide<'_>) -> Option<String> {
    let sequence = SEQUENCES.iter().find(|sequence| sequence.id == host.plants.attempt())?;
    let shown = sequence.bytes.escape_ascii();
    let reached = transcripts(host).any(|transcript| is_left_in(transcript, sequence));
    let how = match sequence.trace {
        Trace::Bytes(_) | Trace::BehindName => "got",
        Trace::LeftOn(_) => "was left with",
    };
    reached.then(|| format!("the terminal {how} {shown}"))
}

fn is_left_in(transcript: &[u8], sequence: &Sequence) -> bool {
    match sequence.trace {
        Trace::Bytes(bytes) => end_of(transcript, bytes).is_some(),
        Trace::BehindName => end_of(transcript, &behind_name(sequence)).is_some(),
        Trace::LeftOn(undone) => end_of(transcript, sequence.bytes).is_some_and(|end| {
            let after = transcript.get(end..).unwrap_or_default();
            !undone.iter().chain([&FULL_RESET]).any(|undo| end_of(after, undo).is_some())
        }),
    }
}

/// Where the last `part` of `bytes` ends.
fn end_of(bytes: &[u8], part: &[u8]) -> Option<usize> {
    let start = bytes.windows(part.len()).rposition(|window| window == part)?;
    Some(start + part.len())
}

#[cfg(test)]
mod tests;
