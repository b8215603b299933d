//! The sequences that are printed, and how each is known again. What they do to a terminal is the attempts' business.

/// What is printed for one attempt, and how it is known again.
#[derive(Debug)]
pub(super) struct Sequence {
    pub(super) id: &'static str,
    pub(super) bytes: &'static [u8],
    pub(super) trace: Trace,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Trace {
    /// These bytes are found nowhere else.
    Bytes(&'static [u8]),
    /// The sequence as a whole, right behind the attempt's name: others print it too.
    BehindName,
    /// The sequence, if none of these comes after it.
    LeftOn(&'static [&'static [u8]]),
}

/// One for each attempt.
pub(super) const SEQUENCES: &[Sequence] = &[
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
    // Last, as letters that follow may come out as lines.
    Sequence {
        id: "terminal-line-drawing",
        bytes: b"\x1b(0",
        trace: Trace::LeftOn(&[b"\x1b(B", b"\x1b[!p"]),
    },
];
