//! Which colours things have, on terminals of three kinds: true colours, the sixteen, none at all.
//!
//! Nothing is told by colour alone: signs and words say the same. No terminal is asked what it can; the environment
//! says, and what it does not say is taken for sixteen colours.

use super::cells::{Cell, Kind};
use super::colour::Token;
use ratatui_core::style::{Color, Modifier, Style};

/// What the terminal can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Palette {
    /// On a dark ground.
    Dark,
    /// On a light ground.
    Light,
    Sixteen,
    None,
}

/// What something is, that is no text of others'.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Plain,
    Strong,
    Dim,
    Heading,
    /// Where one is.
    Here,
    Taken,
    Left,
    Alarm,
    Notice,
    Key,
}

/// Which side of a change a line is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ground {
    None,
    Added,
    Removed,
}

impl Palette {
    /// By what the environment says: `NO_COLOR`, `COLORTERM`, `COLORFGBG`.
    pub(super) fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        if set("NO_COLOR").is_some() || variable("TERM").is_some_and(|term| term == "dumb") {
            return Self::None;
        }
        if !set("COLORTERM").is_some_and(|kind| kind == "truecolor" || kind == "24bit") {
            return Self::Sixteen;
        }
        // The last of `fg;bg`: 7 and 15 are the light ones.
        let ground = set("COLORFGBG").and_then(|both| both.rsplit(';').next().map(str::to_owned));
        if ground.is_some_and(|ground| ground == "7" || ground == "15") { Self::Light } else { Self::Dark }
    }

    /// Of our own words and lines.
    pub(super) fn role(self, role: Role) -> Style {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        let coloured = |style: Style, colour| if self == Self::None { style } else { style.fg(colour) };
        match role {
            Role::Plain => plain,
            Role::Strong => bold,
            Role::Dim => plain.add_modifier(Modifier::DIM),
            Role::Heading => coloured(bold, Color::Blue),
            Role::Here => bold.add_modifier(Modifier::REVERSED),
            Role::Taken => coloured(bold, Color::Green),
            Role::Left => coloured(plain.add_modifier(Modifier::DIM), Color::Red),
            Role::Alarm => coloured(bold, Color::Red),
            Role::Notice => coloured(bold, Color::Yellow),
            Role::Key => coloured(bold, Color::Cyan),
        }
    }

    /// Of the empty part of a line.
    pub(super) fn ground(self, ground: Ground) -> Style {
        let style = Style::new();
        match (self, ground) {
            (_, Ground::None) | (Self::Sixteen | Self::None, _) => style,
            (Self::Dark, Ground::Added) => style.fg(rgb(0xc9d1d9)).bg(rgb(0x12261e)),
            (Self::Dark, Ground::Removed) => style.fg(rgb(0xc9d1d9)).bg(rgb(0x2b1618)),
            (Self::Light, Ground::Added) => style.fg(rgb(0x24292f)).bg(rgb(0xe6ffec)),
            (Self::Light, Ground::Removed) => style.fg(rgb(0x24292f)).bg(rgb(0xffebe9)),
        }
    }

    /// Of a sign, or a line's number, on a ground.
    pub(super) fn sign(self, ground: Ground) -> Style {
        let style = self.ground(ground);
        match (self, ground) {
            (Self::None, _) | (_, Ground::None) => style.add_modifier(Modifier::DIM),
            (Self::Dark, Ground::Added) => style.fg(rgb(0x3fb950)),
            (Self::Dark, Ground::Removed) => style.fg(rgb(0xf85149)),
            (Self::Light, Ground::Added) => style.fg(rgb(0x1a7f37)),
            (Self::Light, Ground::Removed) => style.fg(rgb(0xcf222e)),
            (Self::Sixteen, Ground::Added) => style.fg(Color::Green),
            (Self::Sixteen, Ground::Removed) => style.fg(Color::Red),
        }
    }

    /// Of others' text.
    pub(super) fn cell(self, ground: Ground, cell: &Cell) -> Style {
        let style = match cell.kind {
            Kind::Spelt => return self.spelt(),
            Kind::Said => return self.ground(ground).add_modifier(Modifier::DIM | Modifier::ITALIC),
            Kind::Text(token) => self.token(ground, token),
        };
        if !cell.stressed {
            return style;
        }
        match (self, ground) {
            (_, Ground::None) => style,
            (Self::Dark, Ground::Added) => style.bg(rgb(0x1f5135)),
            (Self::Dark, Ground::Removed) => style.bg(rgb(0x6b2a2e)),
            (Self::Light, Ground::Added) => style.bg(rgb(0xabf2bc)),
            (Self::Light, Ground::Removed) => style.bg(rgb(0xffc1bc)),
            (Self::Sixteen | Self::None, _) => style.add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
        }
    }

    /// What deceives stands out on every terminal.
    fn spelt(self) -> Style {
        let style = Style::new().add_modifier(Modifier::BOLD);
        match self {
            Self::Dark | Self::Light => style.fg(rgb(0xffffff)).bg(rgb(0xbf3989)),
            Self::Sixteen => style.fg(Color::Magenta).add_modifier(Modifier::REVERSED),
            Self::None => style.add_modifier(Modifier::REVERSED),
        }
    }

    fn token(self, ground: Ground, token: Token) -> Style {
        let style = self.ground(ground);
        match (self, ground) {
            (Self::None, _) => style,
            (Self::Sixteen, Ground::Added | Ground::Removed) => self.sign(ground),
            // The terminal's own colours: they go with its ground, whichever that is.
            (_, Ground::None) => match token {
                Token::Plain => style,
                Token::Comment => style.add_modifier(Modifier::DIM),
                Token::String => style.fg(Color::Yellow),
                Token::Number => style.fg(Color::Cyan),
                Token::Keyword => style.fg(Color::Magenta),
                Token::Name => style.fg(Color::Blue),
            },
            (Self::Dark, _) => match token {
                Token::Plain => style,
                Token::Comment => style.fg(rgb(0x8b949e)),
                Token::String => style.fg(rgb(0xe3b341)),
                Token::Number => style.fg(rgb(0x76e3ea)),
                Token::Keyword => style.fg(rgb(0xd2a8ff)),
                Token::Name => style.fg(rgb(0x79c0ff)),
            },
            (Self::Light, _) => match token {
                Token::Plain => style,
                Token::Comment => style.fg(rgb(0x6e7781)),
                Token::String => style.fg(rgb(0x7d4e00)),
                Token::Number => style.fg(rgb(0x1b7c83)),
                Token::Keyword => style.fg(rgb(0x8250df)),
                Token::Name => style.fg(rgb(0x0550ae)),
            },
        }
    }
}

const fn rgb(colour: u32) -> Color {
    Color::from_u32(colour)
}
