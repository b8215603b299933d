//! Any message on the socket between supervisor and gateway is refused, or understood so that it can be sent on.

use super::*;
use cofferdam_fuzz::fuzz;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

#[test]
fn a_message_is_understood_whole_or_refused() {
    fuzz("gateway_wire", target);
}

fn target(input: &[u8]) -> [Option<String>; 2] {
    [taken::<Order>(input), taken::<Word>(input)]
}

fn taken<M: Message>(input: &[u8]) -> Option<String> {
    let kind = SocketType::SEQPACKET;
    let (near, far) = socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap();
    rustix::io::write(&near, input).unwrap();
    let message = receive::<M>(far.as_fd(), RecvFlags::DONTWAIT).ok()??;
    send(near.as_fd(), &message).unwrap();
    let again = receive::<M>(far.as_fd(), RecvFlags::DONTWAIT).unwrap().unwrap();
    let text = serde_json::to_string(&message).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
    Some(text.chars().filter(char::is_ascii_alphabetic).take(24).collect())
}
