//! Addresses and routes by which every address belongs to this machine, the cell (`rtnetlink(7)`, `ip-route(8)`:
//! `local`).

use super::netlink::{ACKNOWLEDGE, Batch, CREATE, EXCLUSIVE};
use cofferdam_policy::net::addresses::{OWN_V4, OWN_V6};
use rustix::io::Errno;

// <linux/rtnetlink.h>
const NEW_ADDRESS: u16 = 20;
const NEW_ROUTE: u16 = 24;
const ADDRESS: u16 = 1;
const ADDRESS_LOCAL: u16 = 2;
const OUTPUT_DEVICE: u16 = 4;
const PREFERRED_SOURCE: u16 = 7;
const TABLE_LOCAL: u8 = 255;
const PROTOCOL_BOOT: u8 = 3;
/// `IFA_F_NODAD`; IPv4 asks nobody anyway.
const NOT_ASKED_FOR: u8 = 2;
const SCOPE_GLOBAL: u8 = 0;
const SCOPE_HOST: u8 = 254;
const KIND_LOCAL: u8 = 2;
const FAMILY_V4: u8 = 2;
const FAMILY_V6: u8 = 10;
/// In every network namespace `lo` comes first (net/core/dev.c).
const LOOPBACK_DEVICE: u32 = 1;

/// Adds them. Connections come from the cell's own address: without that, they would come from the address that they go
/// to, and one could be connected to itself.
pub(super) fn make_all_local(v6: bool) -> Result<(), Errno> {
    let mut batch = Batch::default();
    if v6 {
        add(&mut batch, FAMILY_V6, &OWN_V6.octets(), 0);
    }
    add(&mut batch, FAMILY_V4, &OWN_V4.octets(), ACKNOWLEDGE);
    // NETLINK_ROUTE is number 0, which stands for itself.
    batch.send(None)
}

fn add(batch: &mut Batch, family: u8, own: &[u8], flags: u16) {
    let bits = u8::try_from(own.len() * 8).unwrap_or(u8::MAX);
    let [a, b, c, d] = LOOPBACK_DEVICE.to_ne_bytes();
    batch.message(NEW_ADDRESS, CREATE | EXCLUSIVE, |address| {
        // Nobody else could have it; and until that was asked, it would be no source.
        address.fixed(&[family, bits, NOT_ASKED_FOR, SCOPE_GLOBAL, a, b, c, d]);
        address.bytes(ADDRESS, own);
        address.bytes(ADDRESS_LOCAL, own);
    });
    batch.message(NEW_ROUTE, flags | CREATE | EXCLUSIVE, |route| {
        // Family, length of the destination's and of the source's prefix, type of service, and so on; then flags.
        route.fixed(&[family, 0, 0, 0, TABLE_LOCAL, PROTOCOL_BOOT, SCOPE_HOST, KIND_LOCAL, 0, 0, 0, 0]);
        route.bytes(OUTPUT_DEVICE, &[a, b, c, d]);
        route.bytes(PREFERRED_SOURCE, own);
    });
}
