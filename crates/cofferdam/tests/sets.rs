//! Named sets: what each comes to on a machine, how it is confirmed, and real package programs that install through them
//! in a cell and can't publish. The registries are the tests' own, on loopback.
#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::duplicate_mod,
    reason = "a panic is how a test fails; every promise is kept for both owners"
)]

#[path = "sets"]
mod root {
    const OWNER: cofferdam_testkit::Owner = cofferdam_testkit::Owner::Root;

    mod archives;
    mod building;
    mod confirming;
    mod installing;
    mod inward;
    mod scene;
}

#[path = "sets"]
mod ordinary {
    const OWNER: cofferdam_testkit::Owner = cofferdam_testkit::Owner::Ordinary;

    mod archives;
    mod building;
    mod confirming;
    mod installing;
    mod inward;
    mod scene;
}
