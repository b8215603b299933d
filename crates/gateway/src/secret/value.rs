//! A secret in memory: nothing prints it, nothing serialises it, and its bytes are overwritten when it goes.
//!
//! It can't keep the kernel from swapping a page out, and says nothing of copies that others make of what it exposes.

use cofferdam_policy::net::handle::{Shape, ShapeError};
use std::fmt;
use zeroize::{Zeroize as _, Zeroizing};

/// One secret: visible ASCII, so that no header can be broken with it, of a length that a header takes.
///
/// It can be looked at by [`Secret::expose`] only:
///
/// ```compile_fail,E0277
/// let secret = cofferdam_gateway::secret::Secret::new(b"hunter2hunter2".to_vec()).unwrap();
/// println!("{secret}");
/// ```
///
/// ```compile_fail,E0277
/// let secret = cofferdam_gateway::secret::Secret::new(b"hunter2hunter2".to_vec()).unwrap();
/// serde_json::to_string(&secret).unwrap();
/// ```
///
/// ```
/// let secret = cofferdam_gateway::secret::Secret::new(b"hunter2hunter2".to_vec()).unwrap();
/// assert_eq!(secret.expose(), b"hunter2hunter2");
/// assert_eq!(format!("{secret:?}"), "Secret(…)");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes; what is refused is overwritten all the same.
    ///
    /// # Errors
    /// [`ShapeError`]: too short, too long, or not of visible ASCII.
    pub fn new(mut bytes: Vec<u8>) -> Result<Self, ShapeError> {
        match Shape::of(&bytes) {
            Ok(_) => Ok(Self(Zeroizing::new(bytes))),
            Err(error) => {
                bytes.zeroize();
                Err(error)
            }
        }
    }

    /// The bytes, for the place that they are put in and for nothing else.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// What may be known of it in the open.
    ///
    /// # Errors
    /// None for what [`Secret::new`] took.
    pub fn shape(&self) -> Result<Shape, ShapeError> {
        Shape::of(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_end_makes_no_secret_so_no_header_can_be_broken_with_one() {
        for text in ["token\r\nx-injected: 1", "token\nhost=elsewhere", "short", "nul\0within it"] {
            assert!(Secret::new(text.into()).is_err(), "{text:?}");
        }
        assert!(Secret::new(b"token with a blank".to_vec()).is_ok());
    }
}
