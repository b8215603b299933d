//! What a person types and gets: a program in a session through pipes and in a terminal, the commands around it, and
//! what they report. What is refused is in `cli_bad_input`, what is shown in the cell in `cli_workspaces`.
#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::duplicate_mod,
    reason = "a panic is how a test fails; every promise is kept for both owners"
)]

#[path = "cli_run"]
mod root {
    const OWNER: cofferdam_testkit::Owner = cofferdam_testkit::Owner::Root;

    mod checkpoints;
    mod commands;
    mod diffs;
    mod following;
    mod merges;
    mod pipes;
    mod reports;
    mod reviews;
    mod sessions;
    mod terminal;
}

#[path = "cli_run"]
mod ordinary {
    const OWNER: cofferdam_testkit::Owner = cofferdam_testkit::Owner::Ordinary;

    mod checkpoints;
    mod commands;
    mod diffs;
    mod following;
    mod merges;
    mod pipes;
    mod reports;
    mod reviews;
    mod sessions;
    mod terminal;
}
