//! What a session reaches and what it does not: the real program, its gateway, and servers of the tests' own on loopback,
//! as both owners.
#![forbid(unsafe_code)]
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::duplicate_mod,
    reason = "a panic is how a test fails; every promise is kept for both owners"
)]

#[path = "network"]
mod root {
    const OWNER: cofferdam_testkit::Owner = cofferdam_testkit::Owner::Root;

    mod asking;
    mod bypassing;
    mod credentials;
    mod granted;
    mod names;
    mod notifying;
    mod planted;
    mod publishing;
    mod raw;
    mod scene;
    mod spoofing;
}

#[path = "network"]
mod ordinary {
    const OWNER: cofferdam_testkit::Owner = cofferdam_testkit::Owner::Ordinary;

    mod asking;
    mod bypassing;
    mod credentials;
    mod granted;
    mod names;
    mod notifying;
    mod planted;
    mod publishing;
    mod raw;
    mod scene;
    mod spoofing;
}
