//! Real agent programs at work in a cell that has nothing but a handle: unmodified, as both owners, against model
//! endpoints that follow a script. That they work so outside is tested beside the test kit.
#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::duplicate_mod,
    reason = "a panic is how a test fails; every promise is kept for both owners"
)]

#[path = "slow_network_agents"]
mod root {
    const OWNER: cofferdam_testkit::Owner = cofferdam_testkit::Owner::Root;

    mod logins;
    mod scene;
    mod working;
}

#[path = "slow_network_agents"]
mod ordinary {
    const OWNER: cofferdam_testkit::Owner = cofferdam_testkit::Owner::Ordinary;

    mod logins;
    mod scene;
    mod working;
}
