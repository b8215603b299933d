//! Which addresses are globally routable: an allow-list, made from the registries of special-purpose addresses.
//!
//! What is not known to be out on the internet is not. Sources: IANA IPv4 Special-Purpose Address Registry and IANA
//! IPv6 Special-Purpose Address Registry (RFC 6890, RFC 8190), IANA IPv4 Multicast (RFC 5771), IANA IPv6 Global
//! Unicast Address Assignments. Addresses that carry another one (NAT64, 6to4, Teredo, mapped, compatible) are never
//! routable here, whatever they carry: something on the way would take them apart after the check.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IPv4 network: address and length of its prefix.
pub(super) type V4 = (Ipv4Addr, u32);

/// An IPv6 network: address and length of its prefix.
pub(super) type V6 = (Ipv6Addr, u32);

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

pub(super) fn is_in_v4(address: Ipv4Addr, (network, length): V4) -> bool {
    let differing = u32::from(address) ^ u32::from(network);
    differing.leading_zeros() >= length
}

pub(super) fn is_in_v6(address: Ipv6Addr, (network, length): V6) -> bool {
    let differing = u128::from(address) ^ u128::from(network);
    differing.leading_zeros() >= length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_on_the_internet_are_routable() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "93.184.216.34",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.255.255",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.255.255",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2001:4860:4860::8888",
            "2001:200::1",
            "2a00:1450:4001::1",
        ] {
            assert!(globally_routable(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn no_special_address_is_routable_however_it_is_carried() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200", // metadata
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "168.63.129.16", // metadata
            "169.254.0.1",
            "169.254.169.254", // metadata
            "169.254.170.2",   // metadata
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192", // metadata
            "192.0.2.1",
            "192.31.196.1",
            "192.52.193.1",
            "192.88.99.1",
            "192.168.1.1",
            "192.175.48.1",
            "198.18.0.16",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::8.8.8.8",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::ffff:0:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::10.0.0.1",
            "100::1",
            "100:0:0:1::1",
            "2001::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:1ff::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:808:808::1",
            "2620:4f:8000::1",
            "3ffe::1",
            "3fff::1",
            "3fff:fff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254", // metadata
            "fd20:ce::254",  // metadata
            "fe80::1",
            "fe80::a9fe:a9fe",
            "fec0::1",
            "ff02::1",
            "ff0e::1",
        ] {
            assert!(!globally_routable(address.parse().unwrap()), "{address}");
        }
    }
}
