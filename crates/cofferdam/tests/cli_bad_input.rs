//! What is refused: three lines that say what, why and what to do, the documented exit code, nothing changed and
//! nothing left behind. What is granted is in the other files.
#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::duplicate_mod,
    reason = "a panic is how a test fails; every promise is kept for both owners"
)]

#[path = "cli_bad_input"]
mod root {
    const OWNER: cofferdam_testkit::Owner = cofferdam_testkit::Owner::Root;

    mod commands;
    mod flags;
    mod machines;
    mod places;
    mod policies;
    mod scene;
    mod trusting;
}

#[path = "cli_bad_input"]
mod ordinary {
    const OWNER: cofferdam_testkit::Owner = cofferdam_testkit::Owner::Ordinary;

    mod closed;
    mod commands;
    mod flags;
    mod machines;
    mod places;
    mod policies;
    mod scene;
    mod trusting;
}
