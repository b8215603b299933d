//! The commits that a session made: shown one by one, and brought into the owner's repository under a name of their own.
#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::duplicate_mod,
    reason = "a panic is how a test fails; every promise is kept for both owners"
)]

#[path = "commits"]
mod root {
    const OWNER: cofferdam_testkit::Owner = cofferdam_testkit::Owner::Root;

    mod hostile;
    mod importing;
    mod scene;
}

#[path = "commits"]
mod ordinary {
    const OWNER: cofferdam_testkit::Owner = cofferdam_testkit::Owner::Ordinary;

    mod hostile;
    mod importing;
    mod scene;
}
