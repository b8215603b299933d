//! What the relay in a cell says of a connection that it hands over: where it was going, and the name that the cell's
//! resolver had given that address to.
//!
//! Both are claims of the cell. The gateway judges by them and believes nothing else in them; the descriptor that
//! comes with the message is not dealt with here.

use crate::net::host::DnsName;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// The longest message, in bytes.
pub const ARRIVAL_BYTES_MAX: usize = 512;

/// The version of the message.
pub const ARRIVAL_VERSION: u32 = 1;

/// A connection out of a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The address and port that it was made to.
    pub destination: SocketAddr,
    /// The name that the cell's resolver had answered with that address, if any.
    pub name: Option<DnsName>,
}

/// Why bytes are no arrival.
#[derive(Debug, thiserror::Error)]
pub enum ArrivalError {
    /// Longer than [`ARRIVAL_BYTES_MAX`].
    #[error("the message is longer than {ARRIVAL_BYTES_MAX} bytes")]
    TooLong,
    /// Not of the known form.
    #[error("cannot read the message")]
    Form(#[source] serde_json::Error),
    /// Another version.
    #[error("the message has version {0}, and {ARRIVAL_VERSION} is known")]
    Version(u32),
    /// Port 0.
    #[error("the message names port 0")]
    NoPort,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    v: u32,
    to: SocketAddr,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<DnsName>,
}

impl Arrival {
    /// The message; at most [`ARRIVAL_BYTES_MAX`] bytes for whatever arrival.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let wire = Wire { v: ARRIVAL_VERSION, to: self.destination, name: self.name.clone() };
        serde_json::to_vec(&wire).unwrap_or_default()
    }

    /// Reads a message.
    ///
    /// # Errors
    /// [`ArrivalError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, ArrivalError> {
        if bytes.len() > ARRIVAL_BYTES_MAX {
            return Err(ArrivalError::TooLong);
        }
        let Wire { v, to, name } = serde_json::from_slice(bytes).map_err(ArrivalError::Form)?;
        if v != ARRIVAL_VERSION {
            return Err(ArrivalError::Version(v));
        }
        if to.port() == 0 { Err(ArrivalError::NoPort) } else { Ok(Self { destination: to, name }) }
    }
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests;
