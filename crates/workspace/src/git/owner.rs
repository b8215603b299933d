//! Who the owner is to git: name, address and default branch, and nothing else of their configuration.
//!
//! Helpers, aliases, signing keys and includes stay outside. (An identity that is set only in an included file is
//! not found: includes can name any file.)

use super::config::{self, ConfigError, Entry};
use super::sanitise::lfs_filter;

/// What of the owner's configuration a session gets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OwnerIdentity {
    /// `user.name`.
    pub name: Option<Vec<u8>>,
    /// `user.email`.
    pub email: Option<Vec<u8>>,
    /// `init.defaultBranch`.
    pub default_branch: Option<Vec<u8>>,
    /// Whether the owner has Git LFS installed in their configuration.
    pub uses_lfs: bool,
    /// Work trees of other users' that the owner works on all the same: git would refuse them (`safe.directory`).
    pub foreign: Vec<Vec<u8>>,
}

impl OwnerIdentity {
    /// Reads the texts of the owner's files, in git's order: `$XDG_CONFIG_HOME/git/config`, then `~/.gitconfig`. The
    /// last word counts.
    ///
    /// # Errors
    /// [`ConfigError`] for the first text that is not understood.
    pub fn from_texts<'a>(texts: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, ConfigError> {
        let mut identity = Self::default();
        for text in texts {
            for entry in config::parse(text)? {
                identity.take(&entry);
            }
        }
        Ok(identity)
    }

    fn take(&mut self, entry: &Entry) {
        let slot = match (entry.section.as_str(), entry.subsection.as_deref(), entry.key.as_str()) {
            ("user", None, "name") => &mut self.name,
            ("user", None, "email") => &mut self.email,
            ("init", None, "defaultbranch") => &mut self.default_branch,
            ("filter", Some(b"lfs"), _) => {
                self.uses_lfs = true;
                return;
            }
            _ => return,
        };
        slot.clone_from(&entry.value);
    }

    /// A `.gitconfig` for the cell.
    #[must_use]
    pub fn print(&self) -> Vec<u8> {
        let entry = |section: &str, key: &str, value: &Option<Vec<u8>>| {
            value.as_ref().map(|value| Entry {
                section: section.to_owned(),
                subsection: None,
                key: key.to_owned(),
                value: Some(value.clone()),
            })
        };
        let mut entries: Vec<Entry> = [
            entry("user", "name", &self.name),
            entry("user", "email", &self.email),
            entry("init", "defaultBranch", &self.default_branch),
        ]
        .into_iter()
        .flatten()
        .collect();
        // In the cell a file may have another owner and inode than the index has noted; without this git would read
        // every file again at its first look.
        entries.push(Entry {
            section: "core".to_owned(),
            subsection: None,
            key: "checkStat".to_owned(),
            value: Some(b"minimal".to_vec()),
        });
        entries.extend(self.foreign.iter().map(|path| Entry {
            section: "safe".to_owned(),
            subsection: None,
            key: "directory".to_owned(),
            value: Some(path.clone()),
        }));
        if self.uses_lfs {
            entries.extend(lfs_filter());
        }
        config::print(&entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_identity_and_the_default_branch_are_taken() {
        let xdg = b"[user]\nname = Old\nemail = a@b\n[init]\ndefaultBranch = trunk\n".as_slice();
        let home = b"[user]\n\tname = New Name\n\tsigningkey = KEY\n[alias]\n\tx = !evil\n[credential]\n\thelper = store\n\
            [include]\n\tpath = ~/other\n[core]\n\tpager = evil\n[init]\n\ttemplateDir = /evil\n"
            .as_slice();
        let identity = OwnerIdentity::from_texts([xdg, home]).unwrap();
        let printed = String::from_utf8(identity.print()).unwrap();
        assert_eq!(
            printed,
            "[user]\n\tname = \"New Name\"\n\temail = \"a@b\"\n[init]\n\tdefaultBranch = \"trunk\"\n\
             [core]\n\tcheckStat = \"minimal\"\n"
        );
    }

    #[test]
    fn git_lfs_is_carried_over_in_our_own_words() {
        let identity =
            OwnerIdentity::from_texts([b"[filter \"lfs\"]\nclean = evil %f\nrequired = true\n".as_slice()])
                .unwrap();
        let printed = String::from_utf8(identity.print()).unwrap();
        assert!(printed.contains("git-lfs clean -- %f") && !printed.contains("evil"));
    }

    #[test]
    fn a_work_tree_of_another_user_is_named_and_nothing_above_it() {
        let foreign = vec![b"/srv/a b".to_vec(), b"/srv/c".to_vec()];
        let printed = OwnerIdentity { foreign, ..OwnerIdentity::default() }.print();
        let printed = String::from_utf8(printed).unwrap();
        assert!(
            printed.ends_with("[safe]\n\tdirectory = \"/srv/a b\"\n\tdirectory = \"/srv/c\"\n"),
            "{printed}"
        );
    }

    #[test]
    fn nothing_configured_names_nobody() {
        assert_eq!(OwnerIdentity::from_texts([]).unwrap().print(), b"[core]\n\tcheckStat = \"minimal\"\n");
    }
}
