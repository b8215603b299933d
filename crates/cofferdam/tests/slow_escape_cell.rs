//! The part of the escape suite that takes long, or much of the machine: a hundred sessions at once, a start killed at
//! each of its steps, and floods. The rest is in `escape_cell`.
#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::duplicate_mod,
    reason = "a panic is how a test fails; every attack is tried for both owners"
)]

#[path = "slow_escape_cell"]
mod root {
    const OWNER: cofferdam_testkit::Owner = cofferdam_testkit::Owner::Root;

    mod crowd;
    mod floods;
    mod killed_starts;
    #[path = "../escape_cell/scene.rs"]
    mod scene;
}

#[path = "slow_escape_cell"]
mod ordinary {
    const OWNER: cofferdam_testkit::Owner = cofferdam_testkit::Owner::Ordinary;

    mod crowd;
    mod floods;
    mod killed_starts;
    #[path = "../escape_cell/scene.rs"]
    mod scene;
}
