//! Frames of a WebSocket (RFC 6455, 5), followed as they stream: heads are checked, contents handed on piece by piece.
//!
//! It gathers no content, understands no extension and changes no byte. What is not as the RFC says, two readers could
//! cut in different places; so there is no such frame.

use thiserror::Error;

/// The longest head: two bytes, eight of the length, four of the mask.
const HEAD_BYTES_MAX: usize = 14;
/// The two bytes that every frame begins with.
const SHORT_HEAD_BYTES: usize = 2;
const MASK_BYTES: usize = 4;
/// Lengths that say how many bytes of the length follow.
const LENGTH_OF_TWO: u8 = 126;
const LENGTH_OF_EIGHT: u8 = 127;
/// The longest length that a length of two bytes can say.
const TWO_BYTES_MAX: u64 = 0xFFFF;
const LENGTH_BITS: u8 = 0x7F;
const MASKED_BIT: u8 = 0x80;
const LAST_BIT: u8 = 0x80;
const RESERVED_BITS: u8 = 0x70;
const OPCODE_BITS: u8 = 0x0F;
const CONTINUATION: u8 = 0;
const DATA: std::ops::RangeInclusive<u8> = 1..=2;
const CONTROL: std::ops::RangeInclusive<u8> = 8..=10;

/// Why bytes are no frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum FrameError {
    /// A bit of an extension's where none was agreed to: the content may be compressed.
    #[error("cannot read a frame of an extension that was not agreed to")]
    Reserved,
    /// A kind of frame that there is not.
    #[error("cannot tell what kind a frame is of")]
    Opcode,
    /// A control frame in pieces, or longer than 125 bytes.
    #[error("cannot take a control frame in pieces or of more than 125 bytes")]
    Control,
    /// A client's frame without a mask, or a server's with one.
    #[error("cannot take a frame that is masked by the wrong side")]
    Mask,
    /// A length that is said with more bytes than it takes, or that no file has.
    #[error("cannot tell the length of a frame")]
    Length,
    /// A piece of no message, or a message within another.
    #[error("cannot tell which message a frame belongs to")]
    Order,
}

/// Whose frames these are: a client masks its own, a server does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaker {
    /// Who has asked for the WebSocket.
    Client,
    /// Who has agreed.
    Server,
}

/// What a frame is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A message of the application.
    Message,
    /// Close, ping or pong, which may stand between the pieces of a message.
    Control,
}

/// The next bytes, and what they are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'b> {
    /// Of a head that is not whole, or the end of one.
    Head(&'b [u8]),
    /// Of a frame's content, as it came.
    Content {
        kind: Kind,
        bytes: &'b [u8],
        /// What these bytes are masked with, from the first of them on.
        mask: [u8; MASK_BYTES],
        /// Whether the frame ends with them.
        is_last: bool,
    },
}

/// How far the frames of one direction have come.
#[derive(Debug)]
pub(crate) struct Frames {
    speaker: Speaker,
    /// Whether an extension was agreed to.
    is_extended: bool,
    /// The head of the frame that is being read, as far as it came.
    head: Vec<u8>,
    /// Bytes of its content that are to come.
    left: u64,
    kind: Kind,
    mask: [u8; MASK_BYTES],
    /// Whether a message has begun whose last frame has not.
    is_in_message: bool,
}

impl Frames {
    pub(crate) fn of(speaker: Speaker, is_extended: bool) -> Self {
        Self {
            speaker,
            is_extended,
            head: Vec::with_capacity(HEAD_BYTES_MAX),
            left: 0,
            kind: Kind::Message,
            mask: [0; MASK_BYTES],
            is_in_message: false,
        }
    }

    /// The first piece of `bytes`, and what follows it; `None` if there are none.
    ///
    /// # Errors
    /// [`FrameError`]; nothing that follows means anything then.
    pub(crate) fn next<'b>(&mut self, bytes: &'b [u8]) -> Result<Option<(Piece<'b>, &'b [u8])>, FrameError> {
        if bytes.is_empty() {
            return Ok(None);
        }
        if self.left == 0 {
            return self.head(bytes).map(Some);
        }
        let here = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        let (bytes, rest) = bytes.split_at_checked(here).unwrap_or((bytes, &[]));
        self.left = self.left.saturating_sub(u64::try_from(here).unwrap_or(self.left));
        let mask = self.mask;
        self.mask.rotate_left(here % MASK_BYTES);
        Ok(Some((Piece::Content { kind: self.kind, bytes, mask, is_last: self.left == 0 }, rest)))
    }

    fn head<'b>(&mut self, bytes: &'b [u8]) -> Result<(Piece<'b>, &'b [u8]), FrameError> {
        for (at, byte) in bytes.iter().enumerate() {
            self.head.push(*byte);
            if let [first, second] = *self.head.as_slice() {
                self.check(first, second)?;
            }
            if self.head.len() == head_bytes(&self.head) {
                self.begin()?;
                self.head.clear();
                let (head, rest) = bytes.split_at_checked(at + 1).unwrap_or((bytes, &[]));
                return Ok((Piece::Head(head), rest));
            }
        }
        Ok((Piece::Head(bytes), &[]))
    }

    /// The first two bytes of a head.
    fn check(&mut self, first: u8, second: u8) -> Result<(), FrameError> {
        if first & RESERVED_BITS != 0 && !self.is_extended {
            return Err(FrameError::Reserved);
        }
        let (opcode, is_last) = (first & OPCODE_BITS, first & LAST_BIT != 0);
        if CONTROL.contains(&opcode) {
            if !is_last || second & LENGTH_BITS >= LENGTH_OF_TWO {
                return Err(FrameError::Control);
            }
            self.kind = Kind::Control;
        } else if opcode == CONTINUATION || DATA.contains(&opcode) {
            if (opcode == CONTINUATION) != self.is_in_message {
                return Err(FrameError::Order);
            }
            self.is_in_message = !is_last;
            self.kind = Kind::Message;
        } else {
            return Err(FrameError::Opcode);
        }
        let is_masked = second & MASKED_BIT != 0;
        if is_masked == (self.speaker == Speaker::Client) { Ok(()) } else { Err(FrameError::Mask) }
    }

    /// A whole head.
    fn begin(&mut self) -> Result<(), FrameError> {
        let second = self.head.get(1).copied().unwrap_or_default();
        let digits = digits(second);
        let written = self.head.get(SHORT_HEAD_BYTES..SHORT_HEAD_BYTES + digits).unwrap_or_default();
        let said = written.iter().fold(0, |length: u64, byte| (length << 8) | u64::from(*byte));
        self.left = match second & LENGTH_BITS {
            LENGTH_OF_TWO if said >= u64::from(LENGTH_OF_TWO) => said,
            LENGTH_OF_EIGHT if said > TWO_BYTES_MAX && i64::try_from(said).is_ok() => said,
            LENGTH_OF_TWO | LENGTH_OF_EIGHT => return Err(FrameError::Length),
            short => u64::from(short),
        };
        self.mask = match self.speaker {
            Speaker::Client => self.head.last_chunk().copied().unwrap_or_default(),
            Speaker::Server => [0; MASK_BYTES],
        };
        Ok(())
    }
}

/// How many bytes the head has that begins so.
fn head_bytes(head: &[u8]) -> usize {
    let Some(second) = head.get(1) else { return SHORT_HEAD_BYTES };
    let mask = if second & MASKED_BIT == 0 { 0 } else { MASK_BYTES };
    SHORT_HEAD_BYTES + digits(*second) + mask
}

fn digits(second: u8) -> usize {
    match second & LENGTH_BITS {
        LENGTH_OF_TWO => 2,
        LENGTH_OF_EIGHT => 8,
        _short => 0,
    }
}

/// Takes a mask off, or puts it on.
pub(crate) fn unmask(bytes: &mut [u8], mask: [u8; MASK_BYTES]) {
    for (byte, mask) in bytes.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
pub(crate) mod tests;
