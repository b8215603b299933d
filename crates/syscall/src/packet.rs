//! Packets with descriptors beside them, over a unix socket that keeps their bounds; each comes whole or not at all.
//!
//! What is in them is for those who speak over the socket to say: supervisor and cell, commands and supervisor, gateway.

use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;

/// The most descriptors beside one packet.
pub const DESCRIPTORS_MAX: usize = 64;

/// Sends one packet.
///
/// # Errors
/// The kernel's answer; `EMSGSIZE` for more than [`DESCRIPTORS_MAX`] descriptors.
pub fn send(socket: BorrowedFd<'_>, packet: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(Errno::MSGSIZE);
    }
    retry_on_intr(|| sendmsg(socket, &[IoSlice::new(packet)], &mut ancillary, SendFlags::NOSIGNAL)).map(drop)
}

/// A packet and the descriptors that came with it; `None` when the other side is gone.
pub type Received = Option<(Vec<u8>, Vec<OwnedFd>)>;

/// Receives one packet. Waits, unless `flags` or the socket say otherwise.
///
/// # Errors
/// The kernel's answer; `EMSGSIZE` for a packet of more than `bytes_max`, or with more descriptors than were taken.
pub fn receive(socket: BorrowedFd<'_>, bytes_max: usize, flags: RecvFlags) -> Result<Received, Errno> {
    let mut packet = vec![0_u8; bytes_max];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut once = || {
        let flags = flags | RecvFlags::CMSG_CLOEXEC;
        retry_on_intr(|| recvmsg(socket, &mut [IoSliceMut::new(&mut packet)], &mut ancillary, flags))
    };
    // A peer that ended with something unread resets the socket; it is told once, and what the peer said before comes
    // after that (unix(7)).
    let received = match once() {
        Err(Errno::CONNRESET) => once(),
        other => other,
    };
    let received = match received {
        Err(Errno::CONNRESET) => return Ok(None),
        other => other?,
    };
    let mut descriptors = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    if received.bytes == 0 && descriptors.is_empty() {
        return Ok(None);
    }
    if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(Errno::MSGSIZE);
    }
    packet.truncate(received.bytes);
    Ok(Some((packet, descriptors)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fd::AsFd as _;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    #[test]
    fn a_packet_that_is_too_long_is_refused_and_not_cut() {
        let kind = SocketType::SEQPACKET;
        let (near, far) = socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap();
        send(near.as_fd(), b"12345", &[]).unwrap();
        assert_eq!(receive(far.as_fd(), 4, RecvFlags::empty()).unwrap_err(), Errno::MSGSIZE);
        send(near.as_fd(), b"1234", &[far.as_fd()]).unwrap();
        let (packet, descriptors) = receive(far.as_fd(), 4, RecvFlags::empty()).unwrap().unwrap();
        assert_eq!((packet.as_slice(), descriptors.len()), (&b"1234"[..], 1));
        drop(near);
        assert!(receive(far.as_fd(), 4, RecvFlags::empty()).unwrap().is_none());
    }
}
