//! What a session is shown of the owner's directories, home and identity, and that none of it is ever written.
#![forbid(unsafe_code)]
#![expect(
    clippy::duplicate_mod,
    reason = "a panic is how a test fails; every promise is kept for both owners"
)]

#[path = "cli_workspaces"]
mod root {
    const OWNER: cofferdam_testkit::Owner = cofferdam_testkit::Owner::Root;

    mod directories;
    mod environment;
    mod foreign;
    mod homes;
    mod repositories;
    mod trusting;
}

#[path = "cli_workspaces"]
mod ordinary {
    const OWNER: cofferdam_testkit::Owner = cofferdam_testkit::Owner::Ordinary;

    mod directories;
    mod environment;
    mod homes;
    mod repositories;
    mod trusting;
}
