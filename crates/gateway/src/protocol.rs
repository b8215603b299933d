//! What a connection speaks: readers of first bytes that decide on nothing but what was said.

pub(crate) mod block;
pub(crate) mod frame;
pub(crate) mod head;
pub(crate) mod hello;
pub(crate) mod socks;
