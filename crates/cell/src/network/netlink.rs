//! Messages to the kernel about its network (`netlink(7)`): written, sent together, and their fate heard.

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with,
};

// <linux/netlink.h>
pub(super) const REQUEST: u16 = 0x1;
pub(super) const ACKNOWLEDGE: u16 = 0x4;
pub(super) const EXCLUSIVE: u16 = 0x200;
pub(super) const CREATE: u16 = 0x400;
pub(super) const APPEND: u16 = 0x800;
const TYPE_ERROR: u16 = 2;
const NESTED: u16 = 0x8000;
const HEADER_BYTES: usize = 16;
const ALIGNMENT: usize = 4;
/// What the kernel says is a header and an error for each message, and as much of the message again.
const REPLY_BYTES_MAX: usize = 8 << 10;
/// More replies than messages were ever sent.
const REPLIES_MAX: usize = 64;

/// Messages that are sent together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    sequence: u32,
}

impl Batch {
    /// Adds a message: what `fill` writes after its header.
    pub(super) fn message(&mut self, kind: u16, flags: u16, fill: impl FnOnce(&mut Attributes<'_>)) {
        let start = self.bytes.len();
        self.sequence += 1;
        self.bytes.extend([0; 4]);
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend((flags | REQUEST).to_ne_bytes());
        self.bytes.extend(self.sequence.to_ne_bytes());
        self.bytes.extend([0; 4]);
        fill(&mut Attributes { bytes: &mut self.bytes });
        let length = u32::try_from(self.bytes.len() - start).unwrap_or(u32::MAX);
        put(&mut self.bytes, start, &length.to_ne_bytes());
    }

    /// Sends them, the last of which asks for an acknowledgement, and hears whether all were followed. The kernel
    /// does what they say before the call returns, so nothing is waited for.
    pub(super) fn send(&self, protocol: Option<Protocol>) -> Result<(), Errno> {
        let kind = SocketType::RAW;
        let socket = socket_with(AddressFamily::NETLINK, kind, SocketFlags::CLOEXEC, protocol)?;
        let kernel = SocketAddrNetlink::new(0, 0);
        sendto(&socket, &self.bytes, SendFlags::empty(), &kernel)?;
        hear(&socket)
    }
}

/// The first error that the kernel tells.
fn hear(socket: &OwnedFd) -> Result<(), Errno> {
    let mut reply = [0_u8; REPLY_BYTES_MAX];
    let mut acknowledged = false;
    for _ in 0..REPLIES_MAX {
        let length = match recv(socket, &mut reply, RecvFlags::DONTWAIT) {
            Ok((length, _)) => length.min(REPLY_BYTES_MAX),
            Err(Errno::AGAIN) => break,
            Err(errno) => return Err(errno),
        };
        let mut rest = reply.get(..length).unwrap_or_default();
        while let Some((kind, payload, after)) = split(rest) {
            if kind == TYPE_ERROR {
                let errno = payload.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code));
                if errno != 0 {
                    return Err(Errno::from_raw_os_error(errno.saturating_neg()));
                }
                acknowledged = true;
            }
            rest = after;
        }
    }
    if acknowledged { Ok(()) } else { Err(Errno::BADMSG) }
}

/// The first message of a reply: its kind, what it holds, and what comes after it.
fn split(reply: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(u32::from_ne_bytes(*reply.first_chunk()?)).ok()?;
    let kind = u16::from_ne_bytes(*reply.get(4..)?.first_chunk()?);
    let payload = reply.get(HEADER_BYTES..length)?;
    Some((kind, payload, reply.get(aligned(length)..).unwrap_or_default()))
}

/// The inside of a message, or of an attribute that holds others.
#[derive(Debug)]
pub(super) struct Attributes<'b> {
    bytes: &'b mut Vec<u8>,
}

impl Attributes<'_> {
    /// The fixed part that comes before any attribute.
    pub(super) fn fixed(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    pub(super) fn bytes(&mut self, kind: u16, data: &[u8]) {
        self.put(kind, |inside| inside.fixed(data));
    }

    /// Numbers of nf_tables are in the network's order.
    pub(super) fn number(&mut self, kind: u16, number: u32) {
        self.bytes(kind, &number.to_be_bytes());
    }

    pub(super) fn text(&mut self, kind: u16, text: &str) {
        self.put(kind, |inside| {
            inside.fixed(text.as_bytes());
            inside.fixed(&[0]);
        });
    }

    pub(super) fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Attributes<'_>)) {
        self.put(kind | NESTED, fill);
    }

    fn put(&mut self, kind: u16, fill: impl FnOnce(&mut Attributes<'_>)) {
        let start = self.bytes.len();
        self.bytes.extend([0; 2]);
        self.bytes.extend(kind.to_ne_bytes());
        fill(&mut Attributes { bytes: &mut *self.bytes });
        let length = self.bytes.len() - start;
        put(self.bytes, start, &u16::try_from(length).unwrap_or(u16::MAX).to_ne_bytes());
        // Each message begins at such a place too, since all that is in one ends there.
        self.bytes.resize(start + aligned(length), 0);
    }
}

fn put(bytes: &mut [u8], at: usize, data: &[u8]) {
    for (place, byte) in bytes.iter_mut().skip(at).zip(data) {
        *place = *byte;
    }
}

fn aligned(length: usize) -> usize {
    length.next_multiple_of(ALIGNMENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_counts_all_that_is_in_it_and_pads_what_is_odd() {
        let mut batch = Batch::default();
        batch.message(7, ACKNOWLEDGE, |message| {
            message.fixed(&[9; 4]);
            message.nest(1, |inside| inside.text(2, "ab"));
        });
        let expected: [&[u8]; 7] = [
            &36_u32.to_ne_bytes(),
            &7_u16.to_ne_bytes(),
            &(REQUEST | ACKNOWLEDGE).to_ne_bytes(),
            &[1, 0, 0, 0, 0, 0, 0, 0],
            &[9; 4],
            &[12, 0, 1, 0x80],
            &[7, 0, 2, 0, b'a', b'b', 0, 0],
        ];
        let mut expected = expected.concat();
        expected[0] = u8::try_from(expected.len()).unwrap();
        assert_eq!(batch.bytes, expected);
    }

    #[test]
    fn a_reply_that_is_cut_short_or_counts_wrong_is_no_message() {
        let good = [20, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF];
        assert_eq!(split(&good), Some((2, &[0xFF; 4][..], &[][..])));
        assert_eq!(split(&good[..19]), None);
        for length in [0_u8, 15, 21] {
            let mut bad = good;
            bad[0] = length;
            assert_eq!(split(&bad), None, "{length}");
        }
    }
}
