//! What runs inside an enclosure: the attempts, by what they go for, and the helpers that they share.
//!
//! Nothing here knows what was planted outside but by the plants that it was given, and nothing judges an enclosure.

pub(crate) mod channels;
pub(crate) mod confidants;
pub(crate) mod control;
pub(crate) mod controls;
pub(crate) mod credential;
pub(crate) mod destruction;
pub(crate) mod devices;
pub(crate) mod egress;
pub(crate) mod encoding;
pub(crate) mod errno;
pub(crate) mod files;
pub(crate) mod gateway;
pub(crate) mod grant;
pub(crate) mod inherited;
pub(crate) mod kernel;
mod knock;
mod made;
pub(crate) mod masked;
pub(crate) mod model;
pub(crate) mod mounts;
pub(crate) mod namespaces;
mod netlink;
pub(crate) mod network;
pub(crate) mod outlive;
pub(crate) mod paths;
pub(crate) mod places;
pub(crate) mod privileges;
pub(crate) mod proc;
pub(crate) mod processes;
pub(crate) mod resources;
pub(crate) mod review;
pub(crate) mod runner;
pub(crate) mod secrets;
pub(crate) mod smuggling;
pub(crate) mod sockets;
pub(crate) mod tallies;
pub(crate) mod terminal;
mod ways;
