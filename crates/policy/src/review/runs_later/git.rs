//! What git and the other version control programs run.
//!
//! Git directories of the work tree are no part of a change set; their names stand here for what is made elsewhere.

use super::{ReasonCode, Row};

pub(super) const ROWS: &[Row] = &[
    Row {
        patterns: "
            .githooks/ .git-hooks/ githooks/ git-hooks/ **/.git/hooks/ **/git/hooks/ pre-commit commit-msg
            prepare-commit-msg pre-merge-commit post-commit pre-rebase post-rewrite post-checkout post-merge
            pre-push pre-receive post-receive proc-receive post-update push-to-checkout
            reference-transaction applypatch-msg pre-applypatch post-applypatch pre-auto-gc
            sendemail-validate post-index-change fsmonitor-watchman
        ",
        reason: ReasonCode::GitHook,
        why: "git runs it by itself when something is committed, checked out, merged or pushed",
    },
    Row {
        patterns: "
            .husky/ .huskyrc .huskyrc.* husky.config.js .cargo-husky/ lefthook.* .lefthook.*
            lefthook-local.* .lefthook/ .lefthook-local/ .pre-commit-config.* .pre-commit-hooks.* prek.toml
            .overcommit.yml .overcommit/ .lintstagedrc .lintstagedrc.* lint-staged.config.*
            .simple-git-hooks.* simple-git-hooks.* captainhook.json grumphp.yml grumphp.yml.dist
            .commitlintrc .commitlintrc.* commitlint.config.* .czrc .hgrc hgrc .gitleaks.toml
            rusty-hook.toml .rusty-hook.toml
        ",
        reason: ReasonCode::HookManager,
        why: "a manager of git hooks runs what it names at the next commit or push",
    },
    Row {
        patterns: "
            .gitattributes .gitmodules .gitconfig gitconfig .lfsconfig .git .git/ .hg/ .svn/ .jj/ .bzr/
            **/.config/git/ .gitreview .gitlint
        ",
        reason: ReasonCode::GitConfiguration,
        why: "git takes filters, commands and addresses from it",
    },
];
