//! What a client says by HTTP/2, as far as it takes memory before it means anything: blocks of header fields (RFC 9113,
//! 4.3), which are kept until their last frame has come, however many and long their frames are.
//!
//! It follows the stream from frame to frame and bounds the blocks. Whether a frame is lawful, hyper says.

use super::head::{HEAD_BYTES_MAX, HeadError};

/// What a connection begins with: `PRI * HTTP/2.0` and so on.
const PREFACE_BYTES: usize = 24;
const FRAME_HEAD_BYTES: usize = 9;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// Follows one connection.
#[derive(Debug)]
pub(crate) struct Blocks {
    state: State,
    /// Of the block that has not ended: its bytes so far, with the heads of its frames.
    block: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// The preface, or what a frame holds, of which so much is missing. A block may end with it.
    Skipping { left: usize, ends: bool },
    /// The head of a frame, of which so much has come.
    Head { bytes: [u8; FRAME_HEAD_BYTES], count: usize },
}

const NEXT: State = State::Head { bytes: [0; FRAME_HEAD_BYTES], count: 0 };

impl Blocks {
    pub(crate) fn new() -> Self {
        Self { state: State::Skipping { left: PREFACE_BYTES, ends: false }, block: None }
    }

    /// Takes the next bytes of the stream, all of which may go on iff it is `Ok`.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Result<(), HeadError> {
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Skipping { left, ends } => self.skip(left, ends, bytes)?,
                State::Head { bytes: head, count } => self.head(head, count, bytes)?,
            };
        }
        Ok(())
    }

    /// How much has come of a block that has not ended.
    pub(crate) fn gathered(&self) -> Option<usize> {
        self.block
    }

    fn skip<'b>(&mut self, left: usize, ends: bool, bytes: &'b [u8]) -> Result<&'b [u8], HeadError> {
        let (here, rest) = bytes.split_at(left.min(bytes.len()));
        self.grow(here.len())?;
        let left = left - here.len();
        if left > 0 {
            self.state = State::Skipping { left, ends };
            return Ok(rest);
        }
        if ends {
            self.block = None;
        }
        self.state = NEXT;
        Ok(rest)
    }

    fn head<'b>(
        &mut self,
        mut head: [u8; FRAME_HEAD_BYTES],
        mut count: usize,
        bytes: &'b [u8],
    ) -> Result<&'b [u8], HeadError> {
        let mut rest = bytes;
        while let Some(place) = head.get_mut(count)
            && let Some((byte, after)) = rest.split_first()
        {
            *place = *byte;
            (rest, count) = (after, count + 1);
        }
        if count < FRAME_HEAD_BYTES {
            self.state = State::Head { bytes: head, count };
            return Ok(rest);
        }
        let [a, b, c, kind, flags, ..] = head;
        let is_of_a_block = kind == HEADERS || (kind == CONTINUATION && self.block.is_some());
        if is_of_a_block {
            self.block.get_or_insert(0);
            self.grow(FRAME_HEAD_BYTES)?;
        }
        let left = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        self.state = State::Skipping { left, ends: is_of_a_block && flags & END_HEADERS != 0 };
        // A frame may be empty, and end here.
        if left == 0 { self.skip(0, is_of_a_block && flags & END_HEADERS != 0, rest) } else { Ok(rest) }
    }

    fn grow(&mut self, count: usize) -> Result<(), HeadError> {
        let Some(block) = &mut self.block else { return Ok(()) };
        *block += count;
        if *block > HEAD_BYTES_MAX { Err(HeadError::TooLong) } else { Ok(()) }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    pub(crate) fn frame(kind: u8, flags: u8, content: &[u8]) -> Vec<u8> {
        let [.., a, b, c] = u32::try_from(content.len()).unwrap().to_be_bytes();
        [&[a, b, c, kind, flags, 0, 0, 0, 1][..], content].concat()
    }

    #[test]
    fn blocks_are_counted_until_their_end_however_they_come() {
        let settings = frame(4, 0, b"");
        let whole = [PREFACE, &settings, &frame(HEADERS, END_HEADERS, &[1; 50]), &frame(0, 1, &[2; 30_000])];
        let begun = [
            &frame(HEADERS, 0, &[1; 100])[..],
            &frame(CONTINUATION, 0, b""),
            &frame(CONTINUATION, 0, &[1; 20]),
        ];
        for step in [1, 7, 100_000] {
            let mut blocks = Blocks::new();
            for piece in whole.concat().chunks(step) {
                blocks.push(piece).unwrap();
            }
            assert_eq!(blocks.gathered(), None);
            for piece in begun.concat().chunks(step) {
                blocks.push(piece).unwrap();
            }
            assert_eq!(blocks.gathered(), Some(120 + 3 * FRAME_HEAD_BYTES), "{step}");
            blocks.push(&frame(CONTINUATION, END_HEADERS, b"")).unwrap();
            assert_eq!(blocks.gathered(), None, "{step}");
        }
    }

    #[test]
    fn the_attack_of_a_block_without_an_end_comes_to_one() {
        let mut blocks = Blocks::new();
        blocks.push(&[PREFACE, &frame(HEADERS, 0, &[1; 16_000])].concat()).unwrap();
        let ended = (0..10).find_map(|_| blocks.push(&frame(CONTINUATION, 0, &[1; 16_000])).err());
        assert_eq!(ended, Some(HeadError::TooLong));
        let mut blocks = Blocks::new();
        blocks.push(PREFACE).unwrap();
        let ended = (0..10_000)
            .find_map(|n| blocks.push(&frame(if n == 0 { HEADERS } else { CONTINUATION }, 0, b"")).err());
        assert_eq!(ended, Some(HeadError::TooLong), "empty ones count, too");
    }
}
