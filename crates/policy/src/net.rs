//! The network as policy sees it: hosts, paths, grants, verdicts. Pure: nothing here opens a connection.

pub mod address;
pub mod addresses;
pub mod allow;
pub mod arrival;
pub mod budget;
pub mod credential;
pub mod dns;
pub mod grant;
pub mod handle;
pub mod host;
pub mod inward;
pub mod model;
pub mod path;
pub mod refusal;
pub mod secret;
pub mod verdict;
