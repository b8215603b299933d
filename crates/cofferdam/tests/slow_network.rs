//! Messages that two programs could cut in different places, origins that mean ill, and real programs at work: through
//! the real gateway, from within cells.
#![forbid(unsafe_code)]
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::duplicate_mod,
    dead_code,
    reason = "a panic is how a test fails; every promise is kept for both owners; scenes are shared with other tests"
)]

#[path = "slow_network"]
mod root {
    const OWNER: cofferdam_testkit::Owner = cofferdam_testkit::Owner::Root;

    mod crowds;
    mod hostile;
    mod programs;
    #[path = "../network/raw.rs"]
    mod raw;
    mod registries;
    #[path = "../network/scene.rs"]
    mod scene;
    mod smuggling;
}

#[path = "slow_network"]
mod ordinary {
    const OWNER: cofferdam_testkit::Owner = cofferdam_testkit::Owner::Ordinary;

    mod crowds;
    mod hostile;
    mod programs;
    #[path = "../network/raw.rs"]
    mod raw;
    mod registries;
    #[path = "../network/scene.rs"]
    mod scene;
    mod smuggling;
}
