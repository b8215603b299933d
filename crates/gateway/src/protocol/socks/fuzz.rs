//! Any bytes are a message of SOCKS5, the beginning of one, or none; its length lies within what came.

use super::*;
use cofferdam_fuzz::fuzz;

#[test]
fn a_message_is_within_its_bytes() {
    fuzz("socks", target);
}

fn target(input: &[u8]) -> (Result<bool, SocksError>, Result<bool, SocksError>) {
    let greeted = greeting(input);
    if let Ok(Some(length)) = greeted {
        assert!(length <= input.len());
        assert_eq!(greeting(&input[..length - 1]), Ok(None));
    }
    let asked = request(input);
    if let Ok(Some((_, length))) = &asked {
        assert!(*length <= input.len() && *length <= MESSAGE_BYTES_MAX);
        assert_eq!(request(&input[..length - 1]), Ok(None));
    }
    (greeted.map(|length| length.is_some()), asked.map(|target| target.is_some()))
}
