//! Any bytes are a hello, the beginning of one, or none; and more bytes never change what was read.

use super::*;
use cofferdam_fuzz::fuzz;

#[test]
fn a_hello_once_read_stays_what_it_is() {
    fuzz("client_hello", target);
}

fn target(input: &[u8]) -> Result<Option<bool>, HelloError> {
    let whole = read(input);
    for cut in 0..input.len() {
        match read(&input[..cut]) {
            Ok(None) => {}
            early => {
                // What follows a hello may be of no use to it, but can't make another of it.
                assert!(early == whole || whole.is_err(), "{cut}");
                break;
            }
        }
    }
    whole.map(|hello| hello.map(|hello| hello.encrypted))
}
