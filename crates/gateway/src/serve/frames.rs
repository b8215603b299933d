//! The frames of a WebSocket on their way into the cell (RFC 6455, 5.2), followed so that a secret is taken out of each.
//!
//! Nothing of a frame is changed but the bytes of a secret, so its length stays; and nothing is held back beyond the
//! frame's end, or a short frame would wait for the next one. A secret that is cut by
//! frames, or compressed, is not found: compression is not agreed to where there is one.

use crate::exchange::Scrubber;
use hyper::body::Bytes;

/// The two bytes that every frame begins with.
const SHORT_HEAD_BYTES: usize = 2;
/// Lengths that say how many bytes of the length follow.
const LENGTH_OF_TWO: u8 = 126;
const LENGTH_OF_EIGHT: u8 = 127;
const LENGTH_BITS: u8 = 0x7f;
const MASKED_BIT: u8 = 0x80;
const MASK_BYTES: usize = 4;

/// How far the frames of one direction have come.
#[derive(Debug)]
pub(super) struct Frames {
    scrubber: Scrubber,
    /// The head of the frame that is being read, as far as it came.
    head: Vec<u8>,
    /// Bytes of its content that are to come.
    left: u64,
}

impl Frames {
    pub(super) fn new(scrubber: Scrubber) -> Self {
        Self { scrubber, head: Vec::new(), left: 0 }
    }

    /// Takes what came, and gives what can go on.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) -> Vec<u8> {
        let mut passed = Vec::with_capacity(bytes.len());
        while let Some((first, rest)) = bytes.split_first() {
            if self.left == 0 {
                passed.push(*first);
                self.head.push(*first);
                if let Some(length) = length(&self.head) {
                    self.left = length;
                    self.head.clear();
                }
                bytes = rest;
                continue;
            }
            let here = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
            let (content, after) = bytes.split_at(here);
            passed.extend_from_slice(&self.scrubber.push(Bytes::copy_from_slice(content)));
            self.left -= u64::try_from(here).unwrap_or(self.left);
            if self.left == 0 {
                passed.extend_from_slice(&self.scrubber.finish());
            }
            bytes = after;
        }
        passed
    }
}

/// How long the content is behind this head; `None` while the head is not whole.
fn length(head: &[u8]) -> Option<u64> {
    let (_kind, second) = (head.first()?, head.get(1)?);
    let mask = if second & MASKED_BIT == 0 { 0 } else { MASK_BYTES };
    let (digits, short) = match second & LENGTH_BITS {
        LENGTH_OF_TWO => (2, 0),
        LENGTH_OF_EIGHT => (8, 0),
        short => (0, u64::from(short)),
    };
    if head.len() < SHORT_HEAD_BYTES + digits + mask {
        return None;
    }
    let written = head.get(SHORT_HEAD_BYTES..SHORT_HEAD_BYTES + digits)?;
    Some(written.iter().fold(short, |length, byte| (length << 8) | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::tests::scrubbing;

    fn frame(content: &str) -> Vec<u8> {
        let length = content.len();
        let head = match u8::try_from(length).ok().filter(|short| *short < LENGTH_OF_TWO) {
            Some(short) => vec![0x81, short],
            None => [&[0x81, LENGTH_OF_TWO][..], &u16::try_from(length).unwrap().to_be_bytes()].concat(),
        };
        [head, content.as_bytes().to_vec()].concat()
    }

    #[test]
    fn a_secret_in_a_frame_is_replaced_however_it_comes_and_no_frame_waits_for_the_next() {
        let (scrubber, secret) = scrubbing();
        let contents = [
            format!("a {secret} b"),
            format!("{} {secret}", "x".repeat(300)),
            String::new(),
            secret[..5].to_owned(),
        ];
        let all: Vec<u8> = contents.iter().flat_map(|content| frame(content)).collect();
        for step in [1, 2, 3, 7, 64, all.len()] {
            let mut frames = Frames::new(scrubber());
            let passed: Vec<u8> = all.chunks(step).flat_map(|piece| frames.pass(piece)).collect();
            let text = String::from_utf8_lossy(&passed).into_owned();
            assert_eq!(passed.len(), all.len(), "{step}");
            assert!(!text.contains(&secret) && text.ends_with(&secret[..5]), "{step}: {text}");
            assert!(text.contains("a ") && text.contains(" b"), "{step}: {text}");
        }
    }

    #[test]
    fn lengths_of_every_form_are_read() {
        assert_eq!(length(&[0x82]), None);
        assert_eq!(length(&[0x82, 5]), Some(5));
        assert_eq!(length(&[0x82, 126, 1]), None);
        assert_eq!(length(&[0x82, 126, 1, 0]), Some(256));
        assert_eq!(length(&[0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0]), Some(1 << 32));
        assert_eq!(length(&[0x82, 0x85, 1, 2, 3]), None);
        assert_eq!(length(&[0x82, 0x85, 1, 2, 3, 4]), Some(5));
    }
}
