//! Any message on the socket between supervisor and cell is refused, or understood so that it can be sent on.

use super::*;
use cofferdam_fuzz::fuzz;
use rustix::fd::AsFd as _;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

#[test]
fn a_message_is_understood_whole_or_refused() {
    fuzz("wire", target);
}

fn target(input: &[u8]) -> [Option<String>; 4] {
    [taken::<Order>(input), taken::<Report>(input), taken::<Program>(input), taken::<Sealed>(input)]
}

fn taken<M: Serialize + DeserializeOwned>(input: &[u8]) -> Option<String> {
    let kind = SocketType::SEQPACKET;
    let (near, far) = socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap();
    rustix::io::write(&near, input).unwrap();
    let flags = RecvFlags::DONTWAIT;
    let (message, descriptors) = receive::<M>(far.as_fd(), flags).ok()??;
    assert!(descriptors.is_empty());
    send(near.as_fd(), &message, &[]).unwrap();
    let (again, _) = receive::<M>(far.as_fd(), flags).unwrap().unwrap();
    let text = serde_json::to_string(&message).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
    Some(text.chars().filter(char::is_ascii_alphabetic).take(24).collect())
}
