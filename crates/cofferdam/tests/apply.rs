//! What comes back and what does not: `cofferdam apply` and `undo` with the real program, as both owners.
#![forbid(unsafe_code)]
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::duplicate_mod,
    reason = "a panic is how a test fails; every promise is kept for both owners"
)]

#[path = "apply"]
mod root {
    const OWNER: cofferdam_testkit::Owner = cofferdam_testkit::Owner::Root;

    mod consent;
    mod differential;
    mod edits;
    mod exact;
    mod hostile;
    mod merging;
    mod moving;
    mod refusing;
    mod scene;
    mod several;
    mod undoing;
    mod writing;
}

#[path = "apply"]
mod ordinary {
    const OWNER: cofferdam_testkit::Owner = cofferdam_testkit::Owner::Ordinary;

    mod consent;
    mod differential;
    mod edits;
    mod exact;
    mod hostile;
    mod merging;
    mod moving;
    mod refusing;
    mod scene;
    mod several;
    mod undoing;
    mod writing;
}
