//! Routes by which every address belongs to this machine, the cell (`rtnetlink(7)`, `ip-route(8)`: `local`).

use super::netlink::{ACKNOWLEDGE, Batch, CREATE, EXCLUSIVE};
use rustix::io::Errno;
use std::net::{Ipv4Addr, Ipv6Addr};

// <linux/rtnetlink.h>
const NEW_ROUTE: u16 = 24;
const OUTPUT_DEVICE: u16 = 4;
const PREFERRED_SOURCE: u16 = 7;
const TABLE_LOCAL: u8 = 255;
const PROTOCOL_BOOT: u8 = 3;
const SCOPE_HOST: u8 = 254;
const KIND_LOCAL: u8 = 2;
const FAMILY_V4: u8 = 2;
const FAMILY_V6: u8 = 10;
/// In every network namespace `lo` comes first (net/core/dev.c).
const LOOPBACK_DEVICE: u32 = 1;

/// Adds them. Connections come from loopback's own address: without that, they would come from the address that they
/// go to, and one could be connected to itself.
pub(super) fn make_all_local(v6: bool) -> Result<(), Errno> {
    add(FAMILY_V4, &Ipv4Addr::LOCALHOST.octets())?;
    if v6 { add(FAMILY_V6, &Ipv6Addr::LOCALHOST.octets()) } else { Ok(()) }
}

fn add(family: u8, source: &[u8]) -> Result<(), Errno> {
    let mut batch = Batch::default();
    batch.message(NEW_ROUTE, ACKNOWLEDGE | CREATE | EXCLUSIVE, |route| {
        // Family, length of the destination's and of the source's prefix, type of service, and so on; then flags.
        route.fixed(&[family, 0, 0, 0, TABLE_LOCAL, PROTOCOL_BOOT, SCOPE_HOST, KIND_LOCAL, 0, 0, 0, 0]);
        route.bytes(OUTPUT_DEVICE, &LOOPBACK_DEVICE.to_ne_bytes());
        route.bytes(PREFERRED_SOURCE, source);
    });
    // NETLINK_ROUTE is number 0, which stands for itself.
    batch.send(None)
}
