//! The few netlink messages that attempts send. Those that would change something name routes and devices that do
//! not exist, without asking for their creation: the kernel checks the permission first.

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType};

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_REPLACE: u16 = 0x100;
const NLM_F_DUMP: u16 = 0x300;
const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;
/// `NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN`.
const NFT_MSG_GETGEN: u16 = (10 << 8) | 16;
const AUDIT_GET: u16 = 1000;
const IFLA_IFNAME: u16 = 3;
const RTA_DST: u16 = 1;
/// `struct nlmsghdr` and `struct ifinfomsg`, in bytes.
const HEADER_BYTES: usize = 16;
const IFINFO_BYTES: usize = 16;
/// A device index that nothing has.
const ABSENT_INDEX: i32 = i32::MAX;
/// What is read of a dump at most, and in how many pieces.
const ANSWER_BYTES_MAX: usize = 1 << 16;
const ANSWERS_MAX: usize = 64;

/// The names of the network devices: a plain question, which everybody may ask.
pub(crate) fn links() -> Result<Vec<String>, Errno> {
    let mut names = Vec::new();
    exchange(None, RTM_GETLINK, NLM_F_DUMP, &[0; IFINFO_BYTES], |kind, body| {
        if kind == RTM_NEWLINK {
            names.extend(attribute(body.get(IFINFO_BYTES..).unwrap_or_default(), IFLA_IFNAME));
        }
    })?;
    Ok(names)
}

/// Replaces a blackhole route to one documentation address, which has none: `ENOENT` for whoever may.
pub(crate) fn replace_absent_route() -> Result<(), Errno> {
    exchange(None, RTM_NEWROUTE, NLM_F_ACK | NLM_F_REPLACE, &route(), |_, _| {})
}

/// Deletes it: `ESRCH` for whoever may.
pub(crate) fn delete_absent_route() -> Result<(), Errno> {
    exchange(None, RTM_DELROUTE, NLM_F_ACK, &route(), |_, _| {})
}

/// Sets a device up that does not exist: `ENODEV` for whoever may.
pub(crate) fn set_absent_link() -> Result<(), Errno> {
    // struct ifinfomsg: family, pad, type, index, flags, change.
    let mut body = vec![0; 4];
    body.extend(ABSENT_INDEX.to_ne_bytes());
    body.extend([1_u32.to_ne_bytes(), 1_u32.to_ne_bytes()].concat());
    exchange(None, RTM_NEWLINK, NLM_F_ACK, &body, |_, _| {})
}

/// Asks which generation of rules the packet filter has; the kernel wants the right to change them even for that.
pub(crate) fn ask_netfilter_generation() -> Result<(), Errno> {
    exchange(Some(net::netlink::NETFILTER), NFT_MSG_GETGEN, NLM_F_ACK, &[0; 4], |_, _| {})
}

/// Asks for the state of the audit system.
pub(crate) fn ask_audit_status() -> Result<(), Errno> {
    exchange(Some(net::netlink::AUDIT), AUDIT_GET, NLM_F_ACK, &[], |_, _| {})
}

/// `struct rtmsg` of a blackhole route to 198.51.100.77/32 in the main table, with its destination.
fn route() -> Vec<u8> {
    const INET: u8 = 2;
    const PREFIX_BITS: u8 = 32;
    const TABLE_MAIN: u8 = 254;
    const PROTOCOL_BOOT: u8 = 3;
    const BLACKHOLE: u8 = 6;
    let mut body = vec![INET, PREFIX_BITS, 0, 0, TABLE_MAIN, PROTOCOL_BOOT, 0, BLACKHOLE, 0, 0, 0, 0];
    body.extend(8_u16.to_ne_bytes());
    body.extend(RTA_DST.to_ne_bytes());
    body.extend([198, 51, 100, 77]);
    body
}

/// Sends one message to the kernel and reads its answers until the acknowledgement.
fn exchange(
    protocol: Option<Protocol>,
    kind: u16,
    flags: u16,
    body: &[u8],
    mut each: impl FnMut(u16, &[u8]),
) -> Result<(), Errno> {
    let socket = net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?;
    let length = u32::try_from(HEADER_BYTES + body.len()).map_err(|_too_long| Errno::MSGSIZE)?;
    let mut message = length.to_ne_bytes().to_vec();
    message.extend([kind.to_ne_bytes(), (flags | NLM_F_REQUEST).to_ne_bytes()].concat());
    message.extend([0; 8]);
    message.extend(body);
    net::send(&socket, &message, SendFlags::empty())?;
    let mut buffer = vec![0; ANSWER_BYTES_MAX];
    for _ in 0..ANSWERS_MAX {
        let (read, _) = net::recv(&socket, buffer.as_mut_slice(), RecvFlags::empty())?;
        let mut rest = buffer.get(..read).unwrap_or_default();
        while let Some((kind, body, after)) = next_message(rest) {
            match kind {
                NLMSG_DONE => return Ok(()),
                NLMSG_ERROR => return acknowledgement(body),
                _ => each(kind, body),
            }
            rest = after;
        }
    }
    Err(Errno::TIMEDOUT)
}

fn next_message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?)).ok()?;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let body = bytes.get(HEADER_BYTES..length)?;
    let after = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((kind, body, after))
}

fn acknowledgement(body: &[u8]) -> Result<(), Errno> {
    let code = body.get(..4).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
    match code {
        Some(0) => Ok(()),
        Some(code) => Err(Errno::from_raw_os_error(code.saturating_neg())),
        None => Err(Errno::IO),
    }
}

/// The text of the attribute `wanted` in a chain of them.
fn attribute(mut rest: &[u8], wanted: u16) -> Option<String> {
    loop {
        let length = usize::from(u16::from_ne_bytes(rest.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(rest.get(2..4)?.try_into().ok()?);
        let value = rest.get(4..length)?;
        if kind == wanted {
            return Some(String::from_utf8_lossy(value).trim_end_matches('\0').to_owned());
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_is_listed() {
        assert!(links().unwrap().iter().any(|name| name == "lo"));
    }

    #[test]
    fn a_cut_message_ends_the_reading() {
        assert_eq!(next_message(&[200, 0, 0, 0, 3, 0]), None);
        assert_eq!(attribute(&[9, 0, 3, 0, b'l'], IFLA_IFNAME), None);
    }
}
