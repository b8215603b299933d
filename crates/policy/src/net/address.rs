//! Which addresses are globally routable: an allow-list, made from the registries of special-purpose addresses.
//!
//! What is not known to be out on the internet is not. Sources: IANA IPv4 Special-Purpose Address Registry and IANA
//! IPv6 Special-Purpose Address Registry (RFC 6890, RFC 8190), IANA IPv4 Multicast (RFC 5771), IANA IPv6 Global
//! Unicast Address Assignments. Addresses that carry another one (NAT64, 6to4, Teredo, mapped, compatible) are never
//! routable here, whatever they carry: something on the way would take them apart after the check.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IPv4 network: address and length of its prefix.
type V4 = (Ipv4Addr, u32);

/// An IPv6 network: address and length of its prefix.
type V6 = (Ipv6Addr, u32);

/// All of IPv4 is out but for these.
const V4_EXCEPT: [V4; 19] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),        // this network, RFC 791
    (Ipv4Addr::new(10, 0, 0, 0), 8),       // private, RFC 1918
    (Ipv4Addr::new(100, 64, 0, 0), 10),    // shared by carriers, RFC 6598; also metadata of some clouds
    (Ipv4Addr::new(127, 0, 0, 0), 8),      // loopback, RFC 1122
    (Ipv4Addr::new(168, 63, 129, 16), 32), // in no registry: a cloud's own service, reachable from its machines only
    (Ipv4Addr::new(169, 254, 0, 0), 16),   // link-local, RFC 3927; metadata of most clouds
    (Ipv4Addr::new(172, 16, 0, 0), 12),    // private, RFC 1918
    (Ipv4Addr::new(192, 0, 0, 0), 24), // protocol assignments, RFC 6890; its global anycasts serve nobody here
    (Ipv4Addr::new(192, 0, 2, 0), 24), // documentation, RFC 5737
    (Ipv4Addr::new(192, 31, 196, 0), 24), // AS112, RFC 7535
    (Ipv4Addr::new(192, 52, 193, 0), 24), // AMT, RFC 7450
    (Ipv4Addr::new(192, 88, 99, 0), 24), // 6to4 relays, RFC 7526
    (Ipv4Addr::new(192, 168, 0, 0), 16), // private, RFC 1918
    (Ipv4Addr::new(192, 175, 48, 0), 24), // AS112, RFC 7534
    (Ipv4Addr::new(198, 18, 0, 0), 15), // benchmarks, RFC 2544; the answers of a cell's own resolver
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation, RFC 5737
    (Ipv4Addr::new(203, 0, 113, 0), 24), // documentation, RFC 5737
    (Ipv4Addr::new(224, 0, 0, 0), 4),  // multicast, RFC 5771
    (Ipv4Addr::new(240, 0, 0, 0), 4),  // reserved, RFC 1112; broadcast, RFC 919
];

/// Of IPv6 only what is assigned as global unicast can be out.
const V6_GLOBAL: V6 = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// And of that not these.
const V6_EXCEPT: [V6; 6] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments, RFC 2928: Teredo, benchmarks, ORCHID
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation, RFC 3849
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4, RFC 3056
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48), // AS112, RFC 7534
    (Ipv6Addr::new(0x3ffe, 0, 0, 0, 0, 0, 0, 0), 16), // 6bone, given back, RFC 3701
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation, RFC 9637
];

/// Whether `address` is out on the internet, so that a name may lead to it.
#[must_use]
pub fn globally_routable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !V4_EXCEPT.iter().any(|network| is_in_v4(address, *network)),
        IpAddr::V6(address) => {
            is_in_v6(address, V6_GLOBAL) && !V6_EXCEPT.iter().any(|network| is_in_v6(address, *network))
        }
    }
}

fn is_in_v4(address: Ipv4Addr, (network, length): V4) -> bool {
    let differing = u32::from(address) ^ u32::from(network);
    differing.leading_zeros() >= length
}

fn is_in_v6(address: Ipv6Addr, (network, length): V6) -> bool {
    let differing = u128::from(address) ^ u128::from(network);
    differing.leading_zeros() >= length
}
