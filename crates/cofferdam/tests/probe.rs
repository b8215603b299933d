//! `cofferdam probe`: what it measures of our own cell, of no enclosure at all, and of enclosures that misbehave.
#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::duplicate_mod,
    reason = "a panic is how a test fails; everything is measured for both owners"
)]

#[path = "probe"]
mod root {
    const OWNER: cofferdam_testkit::Owner = cofferdam_testkit::Owner::Root;

    mod measured;
    mod scene;
}

#[path = "probe"]
mod ordinary {
    const OWNER: cofferdam_testkit::Owner = cofferdam_testkit::Owner::Ordinary;

    mod measured;
    mod scene;
}
