//! The findings in names and texts: a code that scripts can rely on, and a sentence for people.
//!
//! Codes are only ever added. When one is raised is told by the modules beside this.

use std::fmt;

/// Something that can deceive who reads it, or a program that does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Finding {
    /// U+202E and its like.
    Bidi,
    /// U+E0000 to U+E007F.
    Tag,
    /// Selectors of variants where none has a meaning.
    VariationSelector,
    /// What no font draws.
    Invisible,
    /// Blanks other than U+0020 and the tab.
    UnusualBlank,
    /// Characters without a meaning of their own.
    PrivateUse,
    /// More marks on a character than writing needs, or on none.
    PiledMarks,
    /// The beginning of a sequence that a terminal obeys.
    ControlSequence,
    /// OSC 8.
    Hyperlink,
    /// A carriage return within a line.
    CarriageReturn,
    /// Any other control character.
    Control,
    /// Bytes that are no text.
    NotUtf8,
    /// A word that reads as ASCII and is not.
    LookAlike,
    /// A word of several scripts, with letters that imitate ASCII.
    MixedScript,
    /// Letters of scripts that are written from right to left, among ASCII.
    RightToLeft,
    /// Text far behind blanks.
    FarRight,
    /// A line too long to be read.
    LongLine,
    /// A long line almost without blanks.
    Minified,
    /// A line break in a name.
    NameNewline,
    /// A blank or dot at the end, or a blank at the beginning of a name.
    NameBlankEnd,
    /// A dash at the beginning of a name.
    NameDash,
    /// A name that Windows can't have, or that means something else there.
    NameWindows,
    /// A name that some file system takes for one of git's own.
    NameGit,
    /// Two names that some file system takes for one.
    NameCollision,
    /// A file of rules by which later reviews leave out what they name.
    IgnoreRules,
    /// More text than is looked through.
    NotLookedThrough,
}

impl Finding {
    /// Every finding, in order.
    pub const ALL: [Self; 26] = [
        Self::Bidi,
        Self::Tag,
        Self::VariationSelector,
        Self::Invisible,
        Self::UnusualBlank,
        Self::PrivateUse,
        Self::PiledMarks,
        Self::ControlSequence,
        Self::Hyperlink,
        Self::CarriageReturn,
        Self::Control,
        Self::NotUtf8,
        Self::LookAlike,
        Self::MixedScript,
        Self::RightToLeft,
        Self::FarRight,
        Self::LongLine,
        Self::Minified,
        Self::NameNewline,
        Self::NameBlankEnd,
        Self::NameDash,
        Self::NameWindows,
        Self::NameGit,
        Self::NameCollision,
        Self::IgnoreRules,
        Self::NotLookedThrough,
    ];

    /// The stable text of the code.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bidi => "bidi",
            Self::Tag => "tag",
            Self::VariationSelector => "variation-selector",
            Self::Invisible => "invisible",
            Self::UnusualBlank => "unusual-blank",
            Self::PrivateUse => "private-use",
            Self::PiledMarks => "piled-marks",
            Self::ControlSequence => "control-sequence",
            Self::Hyperlink => "hyperlink",
            Self::CarriageReturn => "carriage-return",
            Self::Control => "control",
            Self::NotUtf8 => "not-utf8",
            Self::LookAlike => "look-alike",
            Self::MixedScript => "mixed-script",
            Self::RightToLeft => "right-to-left",
            Self::FarRight => "far-right",
            Self::LongLine => "long-line",
            Self::Minified => "minified",
            Self::NameNewline => "name-newline",
            Self::NameBlankEnd => "name-blank-end",
            Self::NameDash => "name-dash",
            Self::NameWindows => "name-windows",
            Self::NameGit => "name-git",
            Self::NameCollision => "name-collision",
            Self::IgnoreRules => "ignore-rules",
            Self::NotLookedThrough => "not-looked-through",
        }
    }

    /// One sentence for people.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Bidi => "a character that turns the order of writing: it reads otherwise than it runs",
            Self::Tag => "characters of the tag block, which nobody sees and models read as text",
            Self::VariationSelector => {
                "a variation selector where it selects nothing; rows of them can carry hidden bytes"
            }
            Self::Invisible => "a character that no font draws, or that Unicode has not assigned",
            Self::UnusualBlank => "a blank that is not the ordinary one, and that programs read differently",
            Self::PrivateUse => "a character of private use: what it looks like depends on the font",
            Self::PiledMarks => "marks that stand on no character, or too many on one",
            Self::ControlSequence => {
                "an escape or another control by which a terminal can be made to erase, move or answer"
            }
            Self::Hyperlink => {
                "a terminal's hyperlink: the text shows another address than the one it leads to"
            }
            Self::CarriageReturn => {
                "a carriage return within a line: what stands before it is overwritten on a terminal"
            }
            Self::Control => "a control character",
            Self::NotUtf8 => "bytes that are not UTF-8",
            Self::LookAlike => "a word that looks like plain ASCII and consists of other characters",
            Self::MixedScript => "a word that mixes scripts, with letters that look like ASCII ones",
            Self::RightToLeft => {
                "letters that are written from right to left beside others: their order on the screen may differ"
            }
            Self::FarRight => "text behind so many blanks that it may be out of sight",
            Self::LongLine => "a line too long to be read as a whole",
            Self::Minified => "a long line almost without blanks, as minified or encoded code has",
            Self::NameNewline => "a name with a line break, which looks like two",
            Self::NameBlankEnd => "a name that begins with a blank, or ends with a blank or a dot",
            Self::NameDash => "a name that begins with a dash, which programs take for an option",
            Self::NameWindows => "a name that Windows can't have, or takes for a device, a stream or a path",
            Self::NameGit => "a name that macOS or Windows takes for `.git` or another file of git's own",
            Self::NameCollision => "two names in one directory that macOS or Windows takes for one",
            Self::IgnoreRules => "rules of what to ignore: later reviews leave out what they name",
            Self::NotLookedThrough => "a text so long that only its first 4 MiB were looked through",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
