//! Any packet on a session's socket is refused, or understood so that it can be sent on.

use super::*;
use cofferdam_fuzz::fuzz;
use rustix::net::socketpair;
use serde::de::DeserializeOwned;

#[test]
fn a_packet_is_understood_whole_or_refused() {
    fuzz("control", target);
}

fn target(input: &[u8]) -> [Option<String>; 2] {
    [taken::<Ask>(input), taken::<Answer>(input)]
}

fn taken<W: Serialize + DeserializeOwned>(input: &[u8]) -> Option<String> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (near, far) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    send(near.as_fd(), input, &[]).unwrap();
    match hear::<W>(far.as_fd()).ok()? {
        Packet::Word(word, descriptors) => {
            assert!(descriptors.is_empty());
            say(near.as_fd(), &word, &[]).unwrap();
            let Packet::Word(again, _) = hear::<W>(far.as_fd()).unwrap() else {
                panic!("words became bytes")
            };
            let text = serde_json::to_string(&word).unwrap();
            assert_eq!(serde_json::to_string(&again).unwrap(), text);
            Some(text.chars().filter(char::is_ascii_alphabetic).take(24).collect())
        }
        Packet::Data(bytes) => {
            assert_eq!(input.split_first(), Some((&DATA, bytes.as_slice())));
            Some("data".to_owned())
        }
        Packet::Gone => {
            assert!(input.is_empty());
            None
        }
        Packet::Silent => panic!("a packet was lost"),
    }
}
