//! A repository's configuration as a session sees it: an allow-list of keys that neither run commands nor hold
//! credentials.
//!
//! What is not in the table is dropped, known or not. Values are kept as they are, but for addresses, which lose
//! user and password.

use super::config::{self, ConfigError, Entry};
use super::url::without_credentials;

/// A configuration for the cell, and what became of the original.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sanitised {
    /// The text of the file for the cell.
    pub text: Vec<u8>,
    /// Keys that were left out, for `explain`; names only.
    pub dropped: Vec<String>,
    /// Keys whose address lost its credentials.
    pub stripped: Vec<String>,
}

/// How a value is treated.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Treatment {
    /// Kept; if it holds an address nevertheless, that loses its credentials.
    Text,
    /// An address or path of a repository.
    Address,
    /// Kept unless it begins with `!`, which makes it a command.
    NoCommand,
}

use Treatment::{Address, NoCommand, Text};

/// Section, keys (`*`: all), treatment; for sections without a subsection.
const PLAIN: &[(&str, &[&str], Treatment)] = &[
    (
        "core",
        &[
            "repositoryformatversion",
            "filemode",
            "bare",
            "logallrefupdates",
            "ignorecase",
            "symlinks",
            "precomposeunicode",
            "protecthfs",
            "protectntfs",
            "worktree",
            "sparsecheckout",
            "sparsecheckoutcone",
            "autocrlf",
            "eol",
            "safecrlf",
            "quotepath",
            "checkstat",
            "trustctime",
            "splitindex",
            "untrackedcache",
            "preloadindex",
            "sharedrepository",
            "abbrev",
            "commentchar",
            "whitespace",
            "compression",
            "loosecompression",
            "bigfilethreshold",
            "commitgraph",
            "multipackindex",
            "usereplacerefs",
            "notesref",
            "warnambiguousrefs",
            "checkroundtripencoding",
            "deltabasecachelimit",
            "packedgitlimit",
        ],
        Text,
    ),
    ("extensions", &["*"], Text),
    ("user", &["name", "email", "useconfigonly"], Text),
    ("author", &["name", "email"], Text),
    ("committer", &["name", "email"], Text),
    ("init", &["defaultbranch"], Text),
    ("push", &["default", "autosetupremote", "followtags", "recursesubmodules"], Text),
    ("pull", &["rebase", "ff", "octopus", "twohead"], Text),
    (
        "fetch",
        &["prune", "prunetags", "recursesubmodules", "writecommitgraph", "parallel", "unpacklimit"],
        Text,
    ),
    (
        "merge",
        &["conflictstyle", "ff", "renames", "renamelimit", "directoryrenames", "stat", "log", "branchdesc"],
        Text,
    ),
    (
        "rebase",
        &["autosquash", "autostash", "updaterefs", "rebasemerges", "stat", "missingcommitscheck"],
        Text,
    ),
    (
        "diff",
        &[
            "algorithm",
            "renames",
            "renamelimit",
            "context",
            "interhunkcontext",
            "colormoved",
            "colormovedws",
            "noprefix",
            "mnemonicprefix",
            "submodule",
            "ignoresubmodules",
            "indentheuristic",
            "suppressblankempty",
            "wserrorhighlight",
            "relative",
            "statgraphwidth",
        ],
        Text,
    ),
    ("status", &["*"], Text),
    (
        "log",
        &["date", "decorate", "follow", "abbrevcommit", "showroot", "mailmap", "excludedecoration"],
        Text,
    ),
    ("blame", &["coloring", "date", "markignoredlines", "markunblamablelines", "ignorerevsfile"], Text),
    ("branch", &["autosetupmerge", "autosetuprebase", "sort"], Text),
    ("checkout", &["defaultremote", "guess", "workers", "thresholdforparallelism"], Text),
    ("clone", &["defaultremotename", "rejectshallow", "filtersubmodules"], Text),
    ("commit", &["cleanup", "status", "verbose"], Text),
    ("tag", &["sort"], Text),
    ("versionsort", &["suffix"], Text),
    ("color", &["*"], Text),
    ("column", &["*"], Text),
    ("advice", &["*"], Text),
    ("rerere", &["enabled", "autoupdate"], Text),
    (
        "index",
        &["version", "threads", "sparse", "skiphash", "recordendofindexentries", "recordoffsettable"],
        Text,
    ),
    ("feature", &["*"], Text),
    ("pack", &["*"], Text),
    ("repack", &["usedeltabaseoffset", "usedeltaislands", "writebitmaps", "updateserverinfo"], Text),
    (
        "gc",
        &[
            "auto",
            "autodetach",
            "autopacklimit",
            "pruneexpire",
            "reflogexpire",
            "reflogexpireunreachable",
            "writecommitgraph",
        ],
        Text,
    ),
    ("maintenance", &["auto", "strategy"], Text),
    ("i18n", &["*"], Text),
    (
        "submodule",
        &[
            "recurse",
            "active",
            "fetchjobs",
            "propagatebranches",
            "alternatelocation",
            "alternateerrorstrategy",
        ],
        Text,
    ),
    ("stash", &["showincludeuntracked", "showpatch", "showstat"], Text),
    ("receive", &["denycurrentbranch", "denynonfastforwards", "denydeletes"], Text),
    ("transfer", &["fsckobjects", "hiderefs", "unpacklimit"], Text),
    ("remote", &["pushdefault"], Address),
    ("worktree", &["guessremote", "userelativepaths"], Text),
    (
        "lfs",
        &[
            "repositoryformatversion",
            "fetchinclude",
            "fetchexclude",
            "fetchrecentrefsdays",
            "allowincompletepush",
        ],
        Text,
    ),
];

/// The same for sections with a subsection.
const NAMED: &[(&str, &[&str], Treatment)] = &[
    ("remote", &["url", "pushurl"], Address),
    (
        "remote",
        &[
            "fetch",
            "push",
            "mirror",
            "prune",
            "prunetags",
            "tagopt",
            "skipdefaultupdate",
            "skipfetchall",
            "promisor",
            "partialclonefilter",
            "followremotehead",
        ],
        Text,
    ),
    ("branch", &["remote", "pushremote"], Address),
    ("branch", &["merge", "rebase", "mergeoptions", "description"], Text),
    ("submodule", &["url"], Address),
    ("submodule", &["active", "path", "branch", "ignore", "shallow", "fetchrecursesubmodules"], Text),
    ("submodule", &["update"], NoCommand),
    ("color", &["*"], Text),
    ("i18n", &["*"], Text),
];

/// Git LFS as its own installer configures it: the words are ours, so that nothing of the repository's runs.
const LFS_FILTER: &[(&str, &str)] = &[
    ("clean", "git-lfs clean -- %f"),
    ("smudge", "git-lfs smudge -- %f"),
    ("process", "git-lfs filter-process"),
    ("required", "true"),
];

/// The configuration `bytes` of a repository as a session may see it.
///
/// # Errors
/// [`ConfigError`]; a file that is not understood must be hidden, not passed.
pub fn sanitise(bytes: &[u8]) -> Result<Sanitised, ConfigError> {
    let mut kept = Vec::new();
    let (mut dropped, mut stripped) = (Vec::new(), Vec::new());
    let mut uses_lfs = false;
    for entry in config::parse(bytes)? {
        if entry.section == "filter" && entry.subsection.as_deref() == Some(b"lfs") {
            uses_lfs = true;
            continue;
        }
        let name = entry.shown();
        match admit(entry) {
            Admitted::Whole(entry) => kept.push(entry),
            Admitted::Stripped(entry) => {
                kept.push(entry);
                stripped.push(name);
            }
            Admitted::No => dropped.push(name),
        }
    }
    if uses_lfs {
        kept.extend(lfs_filter());
    }
    Ok(Sanitised { text: config::print(&kept), dropped, stripped })
}

/// The entries that make git use Git LFS.
pub(super) fn lfs_filter() -> impl Iterator<Item = Entry> {
    LFS_FILTER.iter().map(|(key, value)| Entry {
        section: "filter".to_owned(),
        subsection: Some(b"lfs".to_vec()),
        key: (*key).to_owned(),
        value: Some(value.as_bytes().to_vec()),
    })
}

enum Admitted {
    Whole(Entry),
    Stripped(Entry),
    No,
}

fn admit(mut entry: Entry) -> Admitted {
    let table = if entry.subsection.is_some() { NAMED } else { PLAIN };
    let row = table.iter().find(|(section, keys, _)| {
        *section == entry.section && keys.iter().any(|key| *key == "*" || *key == entry.key)
    });
    let Some((_, _, treatment)) = row else { return Admitted::No };
    let before = entry.clone();
    let Some(value) = treated(entry.value.take(), *treatment) else { return Admitted::No };
    entry.value = value;
    // A remote can be called by its address.
    if let Some(subsection) = entry.subsection.take() {
        let Some(subsection) = treated_text(subsection) else { return Admitted::No };
        entry.subsection = Some(subsection);
    }
    if entry == before { Admitted::Whole(entry) } else { Admitted::Stripped(entry) }
}

fn treated(value: Option<Vec<u8>>, treatment: Treatment) -> Option<Option<Vec<u8>>> {
    let Some(value) = value else { return Some(None) };
    match treatment {
        Text => treated_text(value),
        Address => without_credentials(&value),
        NoCommand if value.trim_ascii_start().starts_with(b"!") => None,
        NoCommand => treated_text(value),
    }
    .map(Some)
}

fn treated_text(value: Vec<u8>) -> Option<Vec<u8>> {
    if value.windows(3).any(|window| window == b"://") { without_credentials(&value) } else { Some(value) }
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(bytes: &str) -> String {
        String::from_utf8(sanitise(bytes.as_bytes()).unwrap().text).unwrap()
    }

    #[test]
    fn an_ordinary_configuration_stays_as_it_is() {
        let ordinary = "[core]\n\trepositoryformatversion = \"0\"\n\tbare = \"false\"\n[remote \"origin\"]\n\turl = \"https://host/a\"\n\
            \tfetch = \"+refs/heads/*:refs/remotes/origin/*\"\n[branch \"main\"]\n\tremote = \"origin\"\n\tmerge = \"refs/heads/main\"\n";
        let sanitised = sanitise(ordinary.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(sanitised.text).unwrap(), ordinary);
        assert!(sanitised.dropped.is_empty() && sanitised.stripped.is_empty());
    }

    #[test]
    fn what_runs_a_command_is_left_out() {
        let hostile = "[core]\nsshCommand=x\nfsmonitor=x\nhooksPath=x\npager=x\neditor=x\naskPass=x\ngitProxy=x\nattributesFile=x\n\
            excludesFile=x\nalternateRefsCommand=x\n[alias]\na=!x\n[filter \"f\"]\nclean=x\nsmudge=x\n[diff \"d\"]\ntextconv=x\ncommand=x\n\
            [diff]\nexternal=x\n[merge \"m\"]\ndriver=x\n[gpg]\nprogram=x\n[commit]\ngpgsign=true\ntemplate=x\n[credential]\nhelper=x\n\
            [include]\npath=x\n[includeIf \"gitdir:/\"]\npath=x\n[remote \"o\"]\nuploadpack=x\nreceivepack=x\nvcs=x\nproxy=x\nurl=ext::x\n\
            [submodule \"s\"]\nupdate=!x\n[uploadpack]\npackObjectsHook=x\n[pager]\nlog=x\n[sequence]\neditor=x\n[difftool \"t\"]\ncmd=x\n\
            [interactive]\ndiffFilter=x\n[unknown]\nkey=x\n[instaweb]\nhttpd=x\n[man \"m\"]\ncmd=x\n[gc]\nrecentObjectsHook=x\n\
            [filter \"lfs\"]\nclean=evil\n";
        let shown = text(hostile);
        assert!(!shown.contains('x') || shown.lines().all(|line| !line.ends_with("\"x\"")), "{shown}");
        assert!(!shown.contains("evil") && shown.contains("git-lfs clean"), "{shown}");
    }

    #[test]
    fn credentials_are_left_out_wherever_they_stand() {
        let hostile = "[remote \"origin\"]\nurl = https://me:SECRET@host/a\npushurl = https://SECRET@host/a?t=SECRET\n\
            [remote \"https://SECRET@host/b\"]\nfetch = x\n[branch \"m\"]\nremote = https://SECRET@host/c\n\
            [http]\nextraheader = Authorization: SECRET\n[http \"https://SECRET@host\"]\ncookiefile = SECRET\n\
            [url \"https://SECRET@host/\"]\ninsteadOf = x\n[submodule \"s\"]\nurl = https://a:SECRET@host/s\n\
            [github]\ntoken = SECRET\n[sendemail]\nsmtppass = SECRET\n[user]\nname = https://SECRET@host\nsigningkey = SECRET\n\
            [remote]\npushDefault = https://SECRET@host/c\n[lfs \"https://SECRET@h\"]\naccess = basic\n";
        let sanitised = sanitise(hostile.as_bytes()).unwrap();
        let shown = String::from_utf8(sanitised.text).unwrap();
        assert!(!shown.contains("SECRET"), "{shown}");
        assert!(
            shown.contains("url = \"https://host/a\"") && shown.contains("[remote \"https://host/b\"]"),
            "{shown}"
        );
        assert!(sanitised.dropped.iter().chain(&sanitised.stripped).all(|name| !name.contains("SECRET")));
        assert!(sanitised.stripped.contains(&"remote.origin.url".to_owned()));
    }

    /// Whatever row of the tables lets a key through, those of all keys among them.
    #[test]
    fn no_kept_key_brings_an_addresss_credentials_along() {
        let plain = PLAIN.iter().map(|(section, keys, _)| (format!("[{section}]"), keys));
        let named =
            NAMED.iter().map(|(section, keys, _)| (format!("[{section} \"https://SECRET@host/\"]"), keys));
        for (header, keys) in plain.chain(named) {
            for key in *keys {
                let key = if *key == "*" { "anything" } else { key };
                for value in [
                    "https://me:SECRET@host/a",
                    "x https://SECRET@host/ y",
                    "https://host/?t=SECRET",
                    "ssh://me:SECRET@host/",
                ] {
                    let shown = text(&format!("{header}\n{key} = {value}\n"));
                    assert!(!shown.contains("SECRET"), "{header} {key} = {value}: {shown}");
                }
            }
        }
    }

    #[test]
    fn what_git_needs_to_read_the_repository_stays() {
        let needed = "[core]\nrepositoryformatversion = 1\nworktree = ../../../sub\nsparseCheckout = true\n\
            [extensions]\nobjectFormat = sha256\nworktreeConfig = true\npartialClone = origin\nrefStorage = reftable\n";
        let shown = text(needed);
        for key in [
            "repositoryformatversion",
            "worktree",
            "sparsecheckout",
            "objectformat",
            "worktreeconfig",
            "partialclone",
            "refstorage",
        ] {
            assert!(shown.contains(&format!("\t{key} = ")), "{key}: {shown}");
        }
    }

    #[test]
    fn a_value_cannot_break_out_of_its_quotes() {
        let shown = text("[user]\nname = \"a\\\"\\n[core]\\n\\tpager = x\"\n");
        let entries = config::parse(shown.as_bytes()).unwrap();
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].value.as_deref(), Some(&b"a\"\n[core]\n\tpager = x"[..]));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_shown_unchanged_the_second_time(bytes in "(\\[(core|remote \"[a-z:/@]{0,9}\"|user)\\]\n|(name|url|bare|pager) ?= ?[a-z:/@\"!]{0,12}\n){0,9}") {
            if let Ok(once) = sanitise(bytes.as_bytes()) {
                let twice = sanitise(&once.text);
                prop_assert_eq!(twice.map(|again| again.text), Ok(once.text));
            }
        }
    }
}
