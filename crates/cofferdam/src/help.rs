//! What `cofferdam --help` prints: the commands in the order in which they are needed, in groups.
//!
//! The words about each command stand in the grammar, once.

use crate::arguments::Command;
use clap::Subcommand as _;

/// Every command that people are meant to type, once.
const GROUPS: &[(&str, &[&str])] = &[
    ("Start", &["explain", "run", "probe"]),
    (
        "Look after it",
        &[
            "ls", "show", "attach", "logs", "events", "net", "publish", "pending", "exec", "refresh", "stop",
            "resume",
        ],
    ),
    ("Bring its work back", &["review", "diff", "apply", "undo"]),
    ("Go back within a session, or end it", &["checkpoint", "restore", "discard"]),
    ("Settings and this machine", &["init", "trust", "untrust", "sets", "secret", "doctor", "completions"]),
];

const NAME_COLUMNS: usize = 13;

const HEADING: &str = "\u{1b}[1;4m";
const STRONG: &str = "\u{1b}[1m";
const PLAIN: &str = "\u{1b}[0m";

/// A template for clap, which takes the colours away where they don't belong.
pub(crate) fn template() -> String {
    let all = Command::augment_subcommands(clap::Command::new("cofferdam"));
    let mut template = String::from("{about-with-newline}\n{usage-heading} {usage}\n");
    for (title, names) in GROUPS {
        template.push_str(&format!("\n{HEADING}{title}:{PLAIN}\n"));
        for name in *names {
            let Some(command) = all.find_subcommand(name) else { continue };
            let about = about(command);
            template.push_str(&format!("  {STRONG}{name:<NAME_COLUMNS$}{PLAIN}{about}\n"));
        }
    }
    template.push_str(&format!("\n{HEADING}Options:{PLAIN}\n{{options}}{{after-help}}"));
    template
}

/// One line about a command, with the other name that it has.
fn about(command: &clap::Command) -> String {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let aliases: Vec<&str> = command.get_visible_aliases().collect();
    if aliases.is_empty() { about } else { format!("{about} [alias: {}]", aliases.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_stands_in_one_group_and_its_line_fits() {
        let all = Command::augment_subcommands(clap::Command::new("cofferdam"));
        let listed: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let visible = all.get_subcommands().filter(|command| !command.is_hide_set());
        for command in visible {
            let name = command.get_name();
            assert_eq!(listed.iter().filter(|listed| **listed == name).count(), 1, "{name}");
            let about = about(command);
            assert!(2 + NAME_COLUMNS + about.chars().count() <= 80, "{name}: {about}");
        }
        assert!(listed.iter().all(|name| all.find_subcommand(name).is_some()), "{listed:?}");
    }
}
