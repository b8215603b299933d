//! The owner's secrets on the command line: kept, named, revoked, and in the open nowhere.
#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::duplicate_mod,
    reason = "a panic is how a test fails; every promise is kept for both owners"
)]

#[path = "cli_secrets"]
mod root {
    const OWNER: cofferdam_testkit::Owner = cofferdam_testkit::Owner::Root;

    mod keeping;
    mod prompting;
    mod refusing;
    mod scene;
}

#[path = "cli_secrets"]
mod ordinary {
    const OWNER: cofferdam_testkit::Owner = cofferdam_testkit::Owner::Ordinary;

    mod keeping;
    mod prompting;
    mod refusing;
    mod scene;
}
