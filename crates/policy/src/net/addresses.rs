//! The addresses that names have inside a cell: ours, one of each family a name, the same as long as the cell lives.
//!
//! No such address is ever connected to outside; the gateway resolves the name anew, and judges what it finds.

use super::host::DnsName;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The most names of one cell; further ones have no address.
pub const NAMES_MAX: usize = 65_536;

/// The first address of 198.18.0.0/15 that a name gets (RFC 2544: not routed anywhere). Those below are the gateway's.
const FIRST_V4: u32 = u32::from_be_bytes([198, 18, 0, 16]);
/// The first one of fd00:c0ff:e::/64, a local network (RFC 4193).
const FIRST_V6: u128 = 0xFD00_C0FF_000E_0000_0000_0000_0000_0010;

/// What all addresses of a family have in common that lie in the range of [`FIRST_V4`]: /15, and of [`FIRST_V6`]: /64.
const COMMON_BITS_V4: u32 = 15;
const COMMON_BITS_V6: u32 = 64;

/// Whether an address is of the ranges that names get theirs from, given to a name or not. It leads to nothing outside,
/// whatever the host's network has there.
#[must_use]
pub fn stands_for_a_name(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => (u32::from(address) ^ FIRST_V4).leading_zeros() >= COMMON_BITS_V4,
        IpAddr::V6(address) => (u128::from(address) ^ FIRST_V6).leading_zeros() >= COMMON_BITS_V6,
    }
}

/// The cell's own addresses, beside loopback: programs that ask which families this machine speaks count loopback out
/// (`AI_ADDRCONFIG`, getaddrinfo(3)).
pub const OWN_V4: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 2);
/// The one of IPv6.
pub const OWN_V6: Ipv6Addr = Ipv6Addr::new(0xFD00, 0xC0FF, 0xE, 0, 0, 0, 0, 2);

/// The proxies' address inside a cell.
pub const PROXY_ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
/// The port of the HTTP proxy.
pub const HTTP_PROXY_PORT: u16 = 3_128;
/// The port of the SOCKS5 proxy.
pub const SOCKS_PROXY_PORT: u16 = 1_080;

/// Which name has which addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressBook {
    names: Vec<DnsName>,
    numbers: BTreeMap<DnsName, u32>,
}

/// The addresses of one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// The one of IPv4.
    pub v4: Ipv4Addr,
    /// The one of IPv6.
    pub v6: Ipv6Addr,
}

impl AddressBook {
    /// The addresses of a name, given to it now or before; `None` when there are [`NAMES_MAX`] others.
    pub fn addresses(&mut self, name: &DnsName) -> Option<Addresses> {
        if let Some(number) = self.numbers.get(name) {
            return Some(Addresses::of(*number));
        }
        let number = u32::try_from(self.names.len()).ok().filter(|_| self.names.len() < NAMES_MAX)?;
        self.names.push(name.clone());
        self.numbers.insert(name.clone(), number);
        Some(Addresses::of(number))
    }

    /// The name that has this address.
    #[must_use]
    pub fn name(&self, address: IpAddr) -> Option<&DnsName> {
        let number = match address.to_canonical() {
            IpAddr::V4(address) => u32::from(address).checked_sub(FIRST_V4)?.into(),
            IpAddr::V6(address) => u128::from(address).checked_sub(FIRST_V6)?,
        };
        self.names.get(usize::try_from(number).ok()?)
    }
}

impl Addresses {
    fn of(number: u32) -> Self {
        let v6 = FIRST_V6 + u128::from(number);
        Self { v4: Ipv4Addr::from(FIRST_V4 + number), v6: Ipv6Addr::from(v6) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> DnsName {
        DnsName::parse(text).unwrap()
    }

    #[test]
    fn a_name_keeps_its_addresses_and_is_found_by_both() {
        let mut book = AddressBook::default();
        let one = book.addresses(&name("one.example")).unwrap();
        let two = book.addresses(&name("two.example")).unwrap();
        assert_eq!(one.v4, Ipv4Addr::new(198, 18, 0, 16));
        assert_eq!(one.v6, "fd00:c0ff:e::10".parse::<Ipv6Addr>().unwrap());
        assert!(one.v4 != two.v4 && one.v6 != two.v6);
        assert_eq!(book.addresses(&name("One.Example")), Some(one));
        for address in [IpAddr::V4(two.v4), IpAddr::V6(two.v6), IpAddr::V6(two.v4.to_ipv6_mapped())] {
            assert_eq!(book.name(address), Some(&name("two.example")), "{address}");
        }
        for other in ["198.18.0.1", "198.18.0.15", "198.18.0.18", "::", "fd00:c0ff:e::f", "8.8.8.8", "ffff::"]
        {
            assert_eq!(book.name(other.parse().unwrap()), None, "{other}");
        }
    }

    #[test]
    fn every_address_that_a_name_can_have_is_known_for_one_and_no_other() {
        let last = Addresses::of(u32::try_from(NAMES_MAX).unwrap() - 1);
        for address in [
            IpAddr::V4(Ipv4Addr::from(FIRST_V4)),
            last.v4.into(),
            last.v6.into(),
            last.v4.to_ipv6_mapped().into(),
            PROXY_ADDRESS.into(),
            OWN_V6.into(),
            "198.19.255.255".parse().unwrap(),
            "fd00:c0ff:e:0:ffff::".parse().unwrap(),
        ] {
            assert!(stands_for_a_name(address), "{address}");
        }
        for other in
            ["198.17.255.255", "198.20.0.0", "127.0.0.1", "::1", "fd00:c0ff:e:1::", "fd00:c0ff:d::10"]
        {
            assert!(!stands_for_a_name(other.parse().unwrap()), "{other}");
        }
    }

    #[test]
    fn a_book_that_is_full_gives_no_address_and_keeps_those_it_gave() {
        let mut book = AddressBook::default();
        let first = book.addresses(&name("n0.example"));
        for number in 1..NAMES_MAX {
            assert!(book.addresses(&name(&format!("n{number}.example"))).is_some());
        }
        assert_eq!(book.addresses(&name("one-more.example")), None);
        assert_eq!(book.addresses(&name("n0.example")), first);
        let last = book.addresses(&name("n65535.example")).unwrap();
        assert_eq!(last.v4, Ipv4Addr::new(198, 19, 0, 15), "within 198.18.0.0/15");
        assert_eq!(book.name(last.v6.into()), Some(&name("n65535.example")));
    }
}
