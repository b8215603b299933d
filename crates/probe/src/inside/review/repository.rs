//! What git itself runs or believes on the host: hooks, settings, and files of the repository.
//!
//! What was brought is tried on the host's side by [`super::occasion`], in the planted workspace only: the scripts leave
//! a mark and do nothing else.

use std::path::Path;

use super::{add, append, brings, came, holds, make, occasion, place, put};
use crate::attempt::{Attempt, Run};
use crate::classes::{Class, class};
use crate::finding::Finding;
use crate::plants::{Plant, PlantError, Plants};
use crate::witness::{HostSide, Witness};

/// What an owner does with git sooner or later.
const STATUS: &[&[&str]] = &[&["status", "--short"]];
const COMMIT: &[&[&str]] = &[&["commit", "--quiet", "--allow-empty", "--message=probe"]];
const COMMIT_AND_WRITE: &[&[&str]] = &[&["commit", "--quiet", "--allow-empty"]];
const CHECKOUT: &[&[&str]] = &[&["checkout", "--quiet", "HEAD"]];
const ADD_FILTERED: &[&[&str]] = &[&["add", "--force", "review/filtered.txt"]];
const ADD_INDEXED: &[&[&str]] = &[&["add", "--force", "review/source.rs"]];
const DIFF_PICTURED: &[&[&str]] =
    &[&["add", "--force", "review/pictured.txt"], &["diff", "--cached", "--", "review/pictured.txt"]];
const FETCH: &[&[&str]] = &[&["ls-remote", "ssh://probe.invalid/probe"]];
const ALIAS: &[&[&str]] = &[&["probe"]];

pub(crate) const ATTEMPTS: &[Attempt] = &[
    is_run(
        "review-hook-pre-commit",
        "Adds a program that git runs before a commit.",
        "githooks(5)",
        |plants| hook(plants, ".git/hooks/pre-commit"),
        |host| ran(host, ".git/hooks/pre-commit", COMMIT),
    ),
    is_run(
        "review-hook-post-commit",
        "Adds a program that git runs after a commit.",
        "githooks(5)",
        |plants| hook(plants, ".git/hooks/post-commit"),
        |host| ran(host, ".git/hooks/post-commit", COMMIT),
    ),
    is_run(
        "review-hook-prepare-message",
        "Adds a program that git runs for the message of a commit.",
        "githooks(5)",
        |plants| hook(plants, ".git/hooks/prepare-commit-msg"),
        |host| ran(host, ".git/hooks/prepare-commit-msg", COMMIT),
    ),
    is_run(
        "review-hook-post-checkout",
        "Adds a program that git runs after a checkout.",
        "CVE-2024-32002",
        |plants| hook(plants, ".git/hooks/post-checkout"),
        |host| ran(host, ".git/hooks/post-checkout", CHECKOUT),
    ),
    is_run(
        "review-hook-index-change",
        "Adds a program that git runs when the index changes.",
        "githooks(5)",
        |plants| hook(plants, ".git/hooks/post-index-change"),
        |host| ran(host, ".git/hooks/post-index-change", ADD_INDEXED),
    ),
    is_run(
        "review-hook-reference",
        "Adds a program that git runs when a reference changes.",
        "githooks(5)",
        |plants| hook(plants, ".git/hooks/reference-transaction"),
        |host| ran(host, ".git/hooks/reference-transaction", COMMIT),
    ),
    is_run(
        "review-setting-fsmonitor",
        "Names git a program that it asks for what changed.",
        "CVE-2022-24765",
        |plants| set(plants, "[core]\n\tfsmonitor = @\n", &[]),
        |host| obeyed(host, "fsmonitor = sh", STATUS),
    ),
    is_run(
        "review-setting-editor",
        "Names git an editor.",
        "git-config(1)",
        |plants| set(plants, "[core]\n\teditor = @\n", &[]),
        |host| obeyed(host, "editor = sh", COMMIT_AND_WRITE),
    ),
    is_run(
        "review-setting-filter",
        "Names git a program that every file passes through.",
        "gitattributes(5)",
        |plants| {
            set(
                plants,
                "[filter \"probe\"]\n\tclean = @\n",
                &[
                    ("review/.gitattributes", "filtered.txt filter=probe\n"),
                    ("review/filtered.txt", "text\n"),
                ],
            )
        },
        |host| obeyed(host, "clean = sh", ADD_FILTERED),
    ),
    is_run(
        "review-setting-textconv",
        "Names git a program that shows files.",
        "gitattributes(5)",
        |plants| {
            set(
                plants,
                "[diff \"probe\"]\n\ttextconv = @\n",
                &[("review/.gitattributes", "pictured.txt diff=probe\n"), ("review/pictured.txt", "text\n")],
            )
        },
        |host| obeyed(host, "textconv = sh", DIFF_PICTURED),
    ),
    is_run(
        "review-setting-include",
        "Has git read settings from the work directory, which name a program for ssh.",
        "git-config(1)",
        |plants| {
            set(
                plants,
                "[include]\n\tpath = ../review/included\n",
                &[("review/included", "[core]\n\tsshCommand = @\n")],
            )
        },
        |host| obeyed(host, "path = ../review/included", FETCH),
    ),
    is_run(
        "review-setting-alias",
        "Gives git a command of its own.",
        "git-config(1)",
        |plants| set(plants, "[alias]\n\tprobe = !@\n", &[]),
        |host| obeyed(host, "probe = !sh", ALIAS),
    ),
    brings(
        "review-git-submodule",
        "Adds a submodule that is fetched by a command.",
        "CVE-2018-17456",
        |plants| put(plants, ".gitmodules", SUBMODULE),
        |host| came(host, ".gitmodules"),
    ),
    brings(
        "review-git-link",
        "Adds a directory whose repository lies outside.",
        "attacks 19",
        |plants| put(plants, "review/nested/.git", "gitdir: ../../../outside\n"),
        |host| came(host, "review/nested/.git"),
    ),
    brings(
        "review-git-alternates",
        "Has git take objects from elsewhere.",
        "gitrepository-layout(5)",
        |plants| put(plants, ".git/objects/info/alternates", "../../review/objects\n"),
        |host| came(host, ".git/objects/info/alternates"),
    ),
    brings(
        "review-git-odd-ref",
        "Adds a reference whose name is an option.",
        "attacks 19",
        |plants| put(plants, ".git/refs/tags/--upload-pack=probe", NO_COMMIT),
        |host| came(host, ".git/refs/tags/--upload-pack=probe"),
    ),
    brings(
        "review-git-exclude",
        "Has git ignore files without saying so in the tree.",
        "gitignore(5)",
        |plants| add(plants, ".git/info/exclude", EXCLUDED),
        |host| holds(host, ".git/info/exclude", EXCLUDED),
    ),
    brings(
        "review-git-worktree",
        "Adds a work tree that git believes to have.",
        "gitrepository-layout(5)",
        |plants| put(plants, ".git/worktrees/probe/gitdir", "../../../review/worktree/.git\n"),
        |host| came(host, ".git/worktrees/probe/gitdir"),
    ),
];

pub(crate) const CLASSES: &[Class] = &[
    class(
        "git-hooks",
        19,
        &[
            "review-hook-pre-commit",
            "review-hook-post-commit",
            "review-hook-prepare-message",
            "review-hook-post-checkout",
            "review-hook-index-change",
            "review-hook-reference",
        ],
    ),
    class(
        "git-settings",
        19,
        &[
            "review-setting-fsmonitor",
            "review-setting-editor",
            "review-setting-filter",
            "review-setting-textconv",
            "review-setting-include",
            "review-setting-alias",
        ],
    ),
    class(
        "git-metadata",
        19,
        &[
            "review-git-submodule",
            "review-git-link",
            "review-git-alternates",
            "review-git-odd-ref",
            "review-git-exclude",
            "review-git-worktree",
        ],
    ),
];

const SUBMODULE: &str = "[submodule \"probe\"]\n\tpath = review/submodule\n\turl = ext::true\n";
const NO_COMMIT: &str = "4ad57e7ab9f502943e37f9fa5040e819f7179be7\n";
const EXCLUDED: &str = "/review/excluded-by-a-probe\n";
const FILTER: &str = "review-setting-filter";
const NEEDS: &[Plant] = &[Plant::Workspace, Plant::ScratchOutside];
const SETTINGS: &str = ".git/config";

/// Brings something that git runs.
const fn is_run(
    id: &'static str,
    sentence: &'static str,
    source: &'static str,
    run: Run,
    witness: Witness,
) -> Attempt {
    brings(id, sentence, source, run, witness).needs(NEEDS)
}

/// Where the attempt's script lies; with slashes only, so that it needs no quoting.
fn script_name(plants: &Plants) -> String {
    format!("review/scripts/{}.sh", plants.attempt())
}

/// A script that leaves the attempt's mark; a filter's must pass on what it is given.
fn script(plants: &Plants) -> Result<String, PlantError> {
    let rest = if plants.attempt() == FILTER { "exec cat\n" } else { "" };
    let mark = occasion::mark(plants)?.to_string_lossy().replace('\'', r"'\''");
    Ok(format!("#!/bin/sh\n: > '{mark}'\n{rest}"))
}

fn hook(plants: &Plants, name: &str) -> Result<Finding, PlantError> {
    let (path, text) = (place(plants, name)?, script(plants)?);
    Ok(Finding::claimed(name, make(&path, &text, 0o755)))
}

/// A setting, `@` standing for the command that runs the script, with the files that belong to it.
fn set(plants: &Plants, setting: &str, files: &[(&str, &str)]) -> Result<Finding, PlantError> {
    let (script_path, text) = (place(plants, script_name(plants))?, script(plants)?);
    let command = format!("sh {}", script_name(plants));
    let made = make(&script_path, &text, 0o755).and_then(|()| {
        for (name, text) in files {
            let path = Path::new(plants.text(Plant::Workspace).unwrap_or_default()).join(name);
            append(&path, &text.replace('@', &command))?;
        }
        append(&place(plants, SETTINGS).map_err(std::io::Error::other)?, &setting.replace('@', &command))
    });
    Ok(Finding::claimed(SETTINGS, made))
}

/// The file is there; and did anything run it?
fn ran(host: &HostSide<'_>, name: &str, acts: &[&[&str]]) -> Option<String> {
    let evidence = came(host, name)?;
    Some(occasion::and_ran(host.plants, evidence, acts))
}

/// The setting is there; and did anything run its script?
fn obeyed(host: &HostSide<'_>, words: &str, acts: &[&[&str]]) -> Option<String> {
    let evidence = holds(host, SETTINGS, words)?;
    Some(occasion::and_ran(host.plants, evidence, acts))
}
