//! The escape suite: a hostile program in a cell against the machine around it, for both owners.
//!
//! The attacks are the probe's, and what they aim at stands outside and tells whether it was reached. What takes long,
//! or much of the machine, is in `slow_escape_cell`.
#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::duplicate_mod,
    clippy::panic,
    reason = "a panic is how a test fails; every attack is tried for both owners"
)]

#[path = "escape_cell"]
mod root {
    const OWNER: cofferdam_testkit::Owner = cofferdam_testkit::Owner::Root;

    mod aims;
    mod answers;
    mod attempts;
    mod beyond;
    mod denials;
    mod destruction;
    mod fail_open;
    mod ids;
    mod lifecycle;
    mod mounts;
    mod neighbours;
    mod no_room;
    mod reports;
    mod resources;
    mod scene;
    mod secrets;
    mod strangers;
    mod terminal;
    mod unreadable;
}

#[path = "escape_cell"]
mod ordinary {
    const OWNER: cofferdam_testkit::Owner = cofferdam_testkit::Owner::Ordinary;

    mod aims;
    mod answers;
    mod attempts;
    mod beyond;
    mod denials;
    mod destruction;
    mod fail_open;
    mod lifecycle;
    mod mounts;
    mod neighbours;
    mod no_room;
    mod reports;
    mod resources;
    mod scene;
    mod second_namespaces;
    mod secrets;
    mod strangers;
    mod terminal;
    mod unreadable;
}
