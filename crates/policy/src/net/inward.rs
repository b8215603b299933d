//! Which addresses lead inwards: to the owner's own machine, or into a network of their own.
//!
//! A company's mirror has such an address, and may be offered to the owner with a question of its own. What else is not
//! out on the internet is no place of packages and is never offered: link-local addresses, and those by which clouds
//! hand out a machine's credentials, though some of these lie in private ranges. Nothing is granted here.

use super::address::{V4, V6, is_in_v4, is_in_v6};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where an address leads that is not out on the internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Inward {
    /// To this machine.
    Machine,
    /// Into a private network.
    Network,
    /// To where only a network of one's own leads: a range for documentation, as some closed networks use it.
    Special,
}

const LOOPBACK_V4: V4 = (Ipv4Addr::new(127, 0, 0, 0), 8); // RFC 1122
const LOOPBACK_V6: V6 = (Ipv6Addr::LOCALHOST, 128); // RFC 4291

const PRIVATE_V4: [V4; 4] = [
    (Ipv4Addr::new(10, 0, 0, 0), 8),     // RFC 1918
    (Ipv4Addr::new(172, 16, 0, 0), 12),  // RFC 1918
    (Ipv4Addr::new(192, 168, 0, 0), 16), // RFC 1918
    (Ipv4Addr::new(100, 64, 0, 0), 10),  // RFC 6598, which overlay networks of companies use
];

const PRIVATE_V6: [V6; 1] = [(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7)]; // RFC 4193

const SPECIAL_V4: [V4; 3] = [
    (Ipv4Addr::new(192, 0, 2, 0), 24),    // RFC 5737
    (Ipv4Addr::new(198, 51, 100, 0), 24), // RFC 5737
    (Ipv4Addr::new(203, 0, 113, 0), 24),  // RFC 5737
];

const SPECIAL_V6: [V6; 2] = [
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // RFC 3849
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),     // RFC 9637
];

/// Metadata services that lie in private ranges: Alibaba's, Amazon's and Google's.
const METADATA: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

impl Inward {
    /// Where `address` leads; `None` if it is out on the internet, or no place to be offered.
    #[must_use]
    pub fn of(address: IpAddr) -> Option<Self> {
        if METADATA.contains(&address) {
            return None;
        }
        let is_in = |v4: &[V4], v6: &[V6]| match address {
            IpAddr::V4(address) => v4.iter().any(|of| is_in_v4(address, *of)),
            IpAddr::V6(address) => v6.iter().any(|of| is_in_v6(address, *of)),
        };
        if is_in(&[LOOPBACK_V4], &[LOOPBACK_V6]) {
            Some(Self::Machine)
        } else if is_in(&PRIVATE_V4, &PRIVATE_V6) {
            Some(Self::Network)
        } else if is_in(&SPECIAL_V4, &SPECIAL_V6) {
            Some(Self::Special)
        } else {
            None
        }
    }

    /// `your own network`
    #[must_use]
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Machine => "your own machine",
            Self::Network => "your own network",
            Self::Special => "a network that is not the internet",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::address::globally_routable;

    fn of(text: &str) -> Option<Inward> {
        Inward::of(text.parse().unwrap())
    }

    #[test]
    fn private_networks_and_this_machine_are_inward() {
        for text in
            ["10.0.0.1", "172.16.0.1", "172.31.255.254", "192.168.1.1", "100.64.0.1", "fd00::1", "fc00::1"]
        {
            assert_eq!(of(text), Some(Inward::Network), "{text}");
        }
        for text in ["192.0.2.1", "203.0.113.80", "2001:db8::1"] {
            assert_eq!(of(text), Some(Inward::Special), "{text}");
        }
        for text in ["127.0.0.1", "127.255.0.1", "::1"] {
            assert_eq!(of(text), Some(Inward::Machine), "{text}");
        }
    }

    #[test]
    fn metadata_services_and_special_addresses_are_never_offered() {
        for text in [
            "169.254.169.254",
            "100.100.100.200",
            "fd00:ec2::254",
            "fd20:ce::254",
            "168.63.129.16",
            "fe80::1",
            "0.0.0.0",
            "::",
            "::ffff:10.0.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.16",
            "172.32.0.1",
            "93.184.216.34",
            "2606:2800:220:1::1",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn nothing_out_on_the_internet_is_inward() {
        for text in ["10.0.0.1", "100.127.255.255", "fdff::1", "127.0.0.1", "::1", "3fff::1"] {
            assert!(of(text).is_some() && !globally_routable(text.parse().unwrap()), "{text}");
        }
    }
}
