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
use crate::plants::PlantError;
use crate::plants::Plants;
use crate::witness::{HostSide, Witness};

/// The listener that holds all that reached the terminal.
pub(crate) const LISTENER: &str = "terminal";
/// The last that is printed; without small letters, which line drawing would turn into lines.
const END: &str = "COFFERDAM PROBE 1 END";

pub(crate) const ATTEMPTS: &[Attempt] = &[
    prints(
        "terminal-clipboard-set",
        Radius::Credential,
        "Writes to the clipboard.",
        "CVE-2003-0063",
        |host| obeyed(host, "terminal-clipboard-set"),
    ),
    prints(
        "terminal-clipboard-primary",
        Radius::Credential,
        "Writes to the selection that a middle click pastes.",
        "xterm ctlseqs",
        |host| obeyed(host, "terminal-clipboard-primary"),
    ),
    prints(
        "terminal-clipboard-query",
        Radius::Credential,
        "Has the clipboard typed into what runs next.",
        "xterm ctlseqs",
        |host| obeyed(host, "terminal-clipboard-query"),
    ),
    prints(
        "terminal-clipboard-kitty",
        Radius::Credential,
        "Asks for the clipboard by another protocol.",
        "kitty clipboard protocol",
        |host| obeyed(host, "terminal-clipboard-kitty"),
    ),
    prints(
        "terminal-clipboard-wrapped",
        Radius::Credential,
        "Writes to the clipboard of the terminal beyond a multiplexer.",
        "tmux(1)",
        |host| obeyed(host, "terminal-clipboard-wrapped"),
    ),
    prints(
        "terminal-clipboard-c1",
        Radius::Credential,
        "Writes to the clipboard by control characters of the upper half.",
        "ECMA-48",
        |host| obeyed(host, "terminal-clipboard-c1"),
    ),
    prints(
        "terminal-title-report",
        Radius::Collateral,
        "Has the title typed into what runs next.",
        "CVE-2003-0063",
        |host| obeyed(host, "terminal-title-report"),
    ),
    prints(
        "terminal-attributes",
        Radius::Collateral,
        "Has the kind of terminal typed into what runs next.",
        "attacks 21",
        |host| obeyed(host, "terminal-attributes"),
    ),
    prints(
        "terminal-cursor-report",
        Radius::Collateral,
        "Has the cursor's place typed into what runs next.",
        "attacks 21",
        |host| obeyed(host, "terminal-cursor-report"),
    ),
    prints(
        "terminal-setting-report",
        Radius::Collateral,
        "Has a setting typed into what runs next.",
        "CVE-2008-2383",
        |host| obeyed(host, "terminal-setting-report"),
    ),
    prints(
        "terminal-colour-report",
        Radius::Collateral,
        "Has the background's colour typed into what runs next.",
        "attacks 21",
        |host| obeyed(host, "terminal-colour-report"),
    ),
    prints(
        "terminal-answerback",
        Radius::Collateral,
        "Has the terminal's answer typed into what runs next.",
        "CVE-2010-2713",
        |host| obeyed(host, "terminal-answerback"),
    ),
    prints("terminal-title", Radius::Collateral, "Sets the title of the window.", "attacks 21", |host| {
        obeyed(host, "terminal-title")
    }),
    prints(
        "terminal-directory",
        Radius::Collateral,
        "Tells the terminal another directory.",
        "attacks 21",
        |host| obeyed(host, "terminal-directory"),
    ),
    prints("terminal-notification", Radius::Collateral, "Shows a notification.", "attacks 21", |host| {
        obeyed(host, "terminal-notification")
    }),
    prints(
        "terminal-notification-desktop",
        Radius::Collateral,
        "Shows a notification by another sequence.",
        "attacks 21",
        |host| obeyed(host, "terminal-notification-desktop"),
    ),
    prints(
        "terminal-prompt-mark",
        Radius::Review,
        "Marks what it printed as the owner's prompt and command.",
        "attacks 21",
        |host| obeyed(host, "terminal-prompt-mark"),
    ),
    prints(
        "terminal-variable",
        Radius::Collateral,
        "Sets a variable of the terminal's.",
        "attacks 21",
        |host| obeyed(host, "terminal-variable"),
    ),
    prints("terminal-sixel", Radius::Review, "Draws a picture.", "attacks 21", |host| {
        obeyed(host, "terminal-sixel")
    }),
    prints(
        "terminal-graphics",
        Radius::Review,
        "Draws a picture by another protocol.",
        "attacks 21",
        |host| obeyed(host, "terminal-graphics"),
    ),
    prints("terminal-file", Radius::Review, "Hands the terminal a file.", "attacks 21", |host| {
        obeyed(host, "terminal-file")
    }),
    prints(
        "terminal-keys",
        Radius::Collateral,
        "Has a function key type a command.",
        "CVE-2003-0063",
        |host| obeyed(host, "terminal-keys"),
    ),
    prints(
        "terminal-private-message",
        Radius::Review,
        "Sends the terminal a private message.",
        "attacks 21",
        |host| obeyed(host, "terminal-private-message"),
    ),
    prints(
        "terminal-alternate-screen",
        Radius::Review,
        "Leaves the terminal on its other screen.",
        "attacks 21",
        |host| obeyed(host, "terminal-alternate-screen"),
    ),
    prints(
        "terminal-mouse",
        Radius::Review,
        "Leaves motions of the mouse being typed.",
        "attacks 21",
        |host| obeyed(host, "terminal-mouse"),
    ),
    prints("terminal-paste", Radius::Review, "Leaves pastes in brackets.", "attacks 21", |host| {
        obeyed(host, "terminal-paste")
    }),
    prints("terminal-link", Radius::Review, "Leaves all that follows a link.", "attacks 21", |host| {
        obeyed(host, "terminal-link")
    }),
    prints("terminal-line-drawing", Radius::Review, "Leaves letters drawn as lines.", "attacks 21", |host| {
        obeyed(host, "terminal-line-drawing")
    }),
    prints("terminal-hidden-cursor", Radius::Review, "Leaves the cursor hidden.", "attacks 21", |host| {
        obeyed(host, "terminal-hidden-cursor")
    }),
    prints("terminal-bidi", Radius::Review, "Prints text that reads backwards.", "CVE-2021-42574", |host| {
        obeyed(host, "terminal-bidi")
    }),
    prints("terminal-tags", Radius::Review, "Prints letters that nobody sees.", "attacks 21", |host| {
        obeyed(host, "terminal-tags")
    }),
    prints(
        "terminal-c1",
        Radius::Review,
        "Clears the screen by a control character of the upper half.",
        "ECMA-48",
        |host| obeyed(host, "terminal-c1"),
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

/// What is printed for one attempt, and how it is known again.
#[derive(Debug)]
struct Sequence {
    id: &'static str,
    bytes: &'static [u8],
    trace: Trace,
}

#[derive(Debug, Clone, Copy)]
enum Trace {
    /// These bytes are found nowhere else.
    Bytes(&'static [u8]),
    /// The sequence as a whole, right behind the attempt's name: others print it too.
    BehindName,
    /// The sequence, if none of these comes after it.
    LeftOn(&'static [&'static [u8]]),
}

const SEQUENCES: &[Sequence] = &[
    Sequence {
        id: "terminal-clipboard-set",
        bytes: b"\x1b]52;c;Y29mZmVyZGFtLXByb2Jl\x07",
        trace: Trace::Bytes(b"\x1b]52;c;Y29mZmVyZGFtLXByb2Jl"),
    },
    Sequence {
        id: "terminal-clipboard-primary",
        bytes: b"\x1b]52;p;Y29mZmVyZGFtLXByb2Jl\x1b\\",
        trace: Trace::Bytes(b"\x1b]52;p;Y29mZmVyZGFtLXByb2Jl"),
    },
    Sequence {
        id: "terminal-clipboard-query",
        bytes: b"\x1b]52;c;?\x1b\\",
        trace: Trace::Bytes(b"\x1b]52;c;?"),
    },
    Sequence {
        id: "terminal-clipboard-kitty",
        bytes: b"\x1b]5522;type=read;Lg==\x1b\\",
        trace: Trace::Bytes(b"\x1b]5522;type=read"),
    },
    Sequence {
        id: "terminal-clipboard-wrapped",
        bytes: b"\x1bPtmux;\x1b\x1b]52;c;Y29mZmVyZGFtLXByb2Jl\x07\x1b\\",
        trace: Trace::Bytes(b"\x1bPtmux;"),
    },
    Sequence {
        id: "terminal-clipboard-c1",
        bytes: b"\xc2\x9d52;c;Y29mZmVyZGFtLXByb2Jl\xc2\x9c",
        trace: Trace::Bytes(b"\xc2\x9d52;c;"),
    },
    Sequence { id: "terminal-title-report", bytes: b"\x1b[21t", trace: Trace::BehindName },
    Sequence { id: "terminal-attributes", bytes: b"\x1b[c", trace: Trace::BehindName },
    Sequence { id: "terminal-cursor-report", bytes: b"\x1b[6n", trace: Trace::BehindName },
    Sequence { id: "terminal-setting-report", bytes: b"\x1bP$qm\x1b\\", trace: Trace::Bytes(b"\x1bP$qm") },
    Sequence { id: "terminal-colour-report", bytes: b"\x1b]11;?\x1b\\", trace: Trace::Bytes(b"\x1b]11;?") },
    Sequence { id: "terminal-answerback", bytes: b"\x05", trace: Trace::BehindName },
    Sequence {
        id: "terminal-title",
        bytes: b"\x1b]0;cofferdam-probe\x07",
        trace: Trace::Bytes(b"\x1b]0;cofferdam-probe"),
    },
    Sequence {
        id: "terminal-directory",
        bytes: b"\x1b]7;file:///cofferdam-probe\x1b\\",
        trace: Trace::Bytes(b"\x1b]7;file:///cofferdam-probe"),
    },
    Sequence {
        id: "terminal-notification",
        bytes: b"\x1b]9;cofferdam-probe\x1b\\",
        trace: Trace::Bytes(b"\x1b]9;cofferdam-probe"),
    },
    Sequence {
        id: "terminal-notification-desktop",
        bytes: b"\x1b]777;notify;cofferdam-probe;x\x1b\\",
        trace: Trace::Bytes(b"\x1b]777;notify;cofferdam-probe"),
    },
    Sequence {
        id: "terminal-prompt-mark",
        bytes: b"\x1b]133;A;cofferdam-probe\x1b\\",
        trace: Trace::Bytes(b"\x1b]133;A;cofferdam-probe"),
    },
    Sequence {
        id: "terminal-variable",
        bytes: b"\x1b]1337;SetUserVar=probe=Y29mZmVyZGFtLXByb2Jl\x1b\\",
        trace: Trace::Bytes(b"\x1b]1337;SetUserVar=probe="),
    },
    Sequence {
        id: "terminal-sixel",
        bytes: b"\x1bPq#0;2;0;0;0#0~\x1b\\",
        trace: Trace::Bytes(b"\x1bPq#0;2;0;0;0"),
    },
    Sequence {
        id: "terminal-graphics",
        bytes: b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\",
        trace: Trace::Bytes(b"\x1b_Gi=31"),
    },
    Sequence {
        id: "terminal-file",
        bytes: b"\x1b]1337;File=inline=0;size=1:eA==\x07",
        trace: Trace::Bytes(b"\x1b]1337;File="),
    },
    Sequence {
        id: "terminal-keys",
        bytes: b"\x1bP1;1|24/70726f6265\x1b\\",
        trace: Trace::Bytes(b"\x1bP1;1|24/"),
    },
    Sequence {
        id: "terminal-private-message",
        bytes: b"\x1b^cofferdam-probe\x1b\\",
        trace: Trace::Bytes(b"\x1b^cofferdam-probe"),
    },
    Sequence {
        id: "terminal-alternate-screen",
        bytes: b"\x1b[?1049h",
        trace: Trace::LeftOn(&[b"\x1b[?1049l"]),
    },
    Sequence { id: "terminal-mouse", bytes: b"\x1b[?1003h", trace: Trace::LeftOn(&[b"\x1b[?1003l"]) },
    Sequence { id: "terminal-paste", bytes: b"\x1b[?2004h", trace: Trace::LeftOn(&[b"\x1b[?2004l"]) },
    Sequence {
        id: "terminal-link",
        bytes: b"\x1b]8;;https://probe.invalid/\x1b\\link",
        trace: Trace::LeftOn(&[b"\x1b]8;;\x1b\\", b"\x1b]8;;\x07"]),
    },
    Sequence {
        id: "terminal-line-drawing",
        bytes: b"\x1b(0",
        trace: Trace::LeftOn(&[b"\x1b(B", b"\x1b[!p"]),
    },
    Sequence {
        id: "terminal-hidden-cursor",
        bytes: b"\x1b[?25l",
        trace: Trace::LeftOn(&[b"\x1b[?25h", b"\x1b[!p"]),
    },
    Sequence {
        id: "terminal-bidi",
        bytes: b"\xe2\x80\xaetxt.probe",
        trace: Trace::Bytes(b"\xe2\x80\xaetxt.probe"),
    },
    Sequence { id: "terminal-tags", bytes: b"\xf3\xa0\x81\x81", trace: Trace::Bytes(b"\xf3\xa0\x81\x81") },
    Sequence { id: "terminal-c1", bytes: b"\xc2\x9b2J", trace: Trace::Bytes(b"\xc2\x9b2J") },
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

const fn prints(
    id: &'static str,
    radius: Radius,
    sentence: &'static str,
    source: &'static str,
    witness: Witness,
) -> Attempt {
    const ELSEWHERE: Run = elsewhere;
    Attempt::forbidden(id, sentence, source, ELSEWHERE)
        .of(radius)
        .witnessed(witness)
        .ready_when(came_to_its_end)
}

fn elsewhere(_: &Plants) -> Result<Finding, PlantError> {
    Ok(Finding::Inconclusive("only what reached the terminal tells".to_owned()))
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

fn obeyed(host: &HostSide<'_>, id: &str) -> Option<String> {
    let sequence = SEQUENCES.iter().find(|sequence| sequence.id == id)?;
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
mod tests {
    use super::*;
    use crate::witness::Contact;

    fn told(transcript: &[u8], attempt: &Attempt) -> (bool, Option<String>) {
        let contacts = [Contact { listener: LISTENER, bytes: transcript.to_vec() }];
        let plants = Plants::default();
        let host = HostSide { plants: &plants, contacts: &contacts, reported: None };
        ((attempt.ready)(&host), attempt.witness.unwrap()(&host))
    }

    fn printed() -> Vec<u8> {
        let mut out = Vec::new();
        print(&mut out).unwrap();
        out
    }

    #[test]
    fn each_sequence_is_seen_where_nothing_holds_it_back() {
        assert_eq!(SEQUENCES.len(), ATTEMPTS.len());
        for attempt in ATTEMPTS {
            let (ready, evidence) = told(&printed(), attempt);
            assert!(ready && evidence.is_some(), "{}", attempt.id);
        }
    }

    #[test]
    fn of_names_alone_nothing_is_told() {
        let names: Vec<_> = SEQUENCES.iter().map(|sequence| format!("{}:.\r\n", sequence.id)).collect();
        let transcript = format!("{}{END}\r\n", names.concat());
        for attempt in ATTEMPTS {
            assert_eq!(told(transcript.as_bytes(), attempt), (true, None), "{}", attempt.id);
        }
    }

    #[test]
    fn without_the_end_of_the_printing_nothing_is_known() {
        let plants = Plants::default();
        let silent = HostSide { plants: &plants, contacts: &[], reported: None };
        let cut = printed();
        let cut = cut.strip_suffix(format!("{END}\r\n").as_bytes()).unwrap();
        for attempt in ATTEMPTS {
            assert!(!(attempt.ready)(&silent), "{}", attempt.id);
            assert!(!told(cut, attempt).0, "{}", attempt.id);
        }
    }

    #[test]
    fn what_is_put_back_afterwards_was_not_left_on() {
        let undo = SEQUENCES.iter().filter_map(|sequence| match sequence.trace {
            Trace::LeftOn(undone) => undone.first().copied(),
            Trace::Bytes(_) | Trace::BehindName => None,
        });
        let transcript = [printed(), undo.collect::<Vec<_>>().concat()].concat();
        let left = |id: &str| ATTEMPTS.iter().find(|attempt| attempt.id == id).unwrap();
        for sequence in SEQUENCES.iter().filter(|sequence| matches!(sequence.trace, Trace::LeftOn(_))) {
            assert_eq!(told(&transcript, left(sequence.id)), (true, None), "{}", sequence.id);
        }
    }
}
