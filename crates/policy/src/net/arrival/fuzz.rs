//! Any message of a cell is refused, or an arrival that is written as it was read.

use super::*;
use cofferdam_fuzz::fuzz;

#[test]
fn an_arrival_is_understood_whole_or_refused() {
    fuzz("arrival", target);
}

fn target(input: &[u8]) -> Result<(bool, bool), String> {
    match Arrival::decode(input) {
        Ok(arrival) => {
            let bytes = arrival.encode();
            assert!(bytes.len() <= ARRIVAL_BYTES_MAX);
            // The flow and scope of an address in text are not kept, nor is a name's spelling.
            assert_eq!(Arrival::decode(&bytes).unwrap(), arrival);
            assert_ne!(arrival.destination.port(), 0);
            Ok((arrival.destination.is_ipv4(), arrival.name.is_some()))
        }
        Err(ArrivalError::Form(error)) => Err(format!("{:?}", error.classify())),
        Err(error @ (ArrivalError::TooLong | ArrivalError::Version(_) | ArrivalError::NoPort)) => {
            Err(error.to_string().chars().take(30).collect())
        }
    }
}
