//! The frames of a WebSocket as they pass: what a client sends is looked through for handles, and secrets are taken out of
//! what a server sends.
//!
//! Nothing of a frame is changed but the bytes of a secret, so its length stays; and nothing is held back beyond the
//! frame's end, or a short frame would wait for the next one. A secret that is cut by frames can't be taken out any more:
//! then there is no next frame. What is compressed can't be read, so compression is not agreed to where there is anything
//! to look for.

use crate::exchange::{BodyScanner, Exchange, Leak, Scrubber, Seam};
use crate::protocol::frame::{FrameError, Frames, Kind, Piece, Speaker, unmask};
use hyper::body::Bytes;
use thiserror::Error;

/// How much of a client's frame is unmasked at once.
const UNMASKED_BYTES_MAX: usize = 4 << 10;

/// Why no more frames of a client's go on.
#[derive(Debug, Error)]
pub(super) enum Unfit {
    /// There is no such frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A handle stands in what was said.
    #[error("a handle stands in a frame")]
    Leaked(Leak),
}

/// What a client sends: nothing of it is changed, and all of it looked at.
#[derive(Debug)]
pub(super) struct FromClient {
    frames: Frames,
    scanners: Option<Scanners>,
}

/// All messages are one stream, and so is what stands in control frames between their pieces, and so is all of it in the
/// order in which it comes: wherever a handle is cut, it is found.
#[derive(Debug)]
struct Scanners {
    messages: BodyScanner,
    controls: BodyScanner,
    all: BodyScanner,
    unmasked: Vec<u8>,
}

impl FromClient {
    pub(super) fn new(exchange: &Exchange, is_extended: bool) -> Self {
        let scanner = || exchange.body_scanner();
        let scanners = scanner().zip(scanner()).zip(scanner());
        let scanners = scanners.map(|((messages, controls), all)| {
            let unmasked = Vec::new();
            Scanners { messages, controls, all, unmasked }
        });
        Self { frames: Frames::of(Speaker::Client, is_extended), scanners }
    }

    /// Takes what came, which may go on as it is.
    ///
    /// # Errors
    /// [`Unfit`], and then nothing more may go on. A handle may have begun in what went on before.
    pub(super) fn look(&mut self, mut bytes: &[u8]) -> Result<(), Unfit> {
        while let Some((piece, rest)) = self.frames.next(bytes)? {
            if let (Piece::Content { kind, bytes, mask, .. }, Some(scanners)) = (piece, &mut self.scanners) {
                scanners.look(kind, bytes, mask).map_err(Unfit::Leaked)?;
            }
            bytes = rest;
        }
        Ok(())
    }
}

impl Scanners {
    /// The mask is as long as it divides the pieces evenly.
    fn look(&mut self, kind: Kind, bytes: &[u8], mask: [u8; 4]) -> Result<(), Leak> {
        let scanner = match kind {
            Kind::Message => &mut self.messages,
            Kind::Control => &mut self.controls,
        };
        for piece in bytes.chunks(UNMASKED_BYTES_MAX) {
            self.unmasked.clear();
            self.unmasked.extend_from_slice(piece);
            unmask(&mut self.unmasked, mask);
            scanner.push(&self.unmasked)?;
            self.all.push(&self.unmasked)?;
        }
        Ok(())
    }
}

/// Why no more frames of a server's go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum Unclean {
    /// There is no such frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A secret comes in more frames than one.
    #[error("a secret stands across frames")]
    Cut,
}

/// What a server sends to whom a secret was sent.
#[derive(Debug)]
pub(super) struct FromServer {
    frames: Frames,
    scrubber: Scrubber,
    messages: Seam,
    controls: Seam,
    all: Seam,
}

impl FromServer {
    pub(super) fn new(scrubber: Scrubber) -> Self {
        let [messages, controls, all] = [scrubber.seam(), scrubber.seam(), scrubber.seam()];
        Self { frames: Frames::of(Speaker::Server, false), scrubber, messages, controls, all }
    }

    /// Takes what came, and gives what can go on.
    ///
    /// # Errors
    /// [`Unclean`], and then nothing of this may go on, nor anything after it.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) -> Result<Vec<u8>, Unclean> {
        let mut passed = Vec::with_capacity(bytes.len());
        while let Some((piece, rest)) = self.frames.next(bytes)? {
            match piece {
                Piece::Head(head) => passed.extend_from_slice(head),
                Piece::Content { kind, bytes, is_last, .. } => {
                    let start = passed.len();
                    passed.extend_from_slice(&self.scrubber.push(Bytes::copy_from_slice(bytes)));
                    if is_last {
                        passed.extend_from_slice(&self.scrubber.finish());
                    }
                    let content = passed.get(start..).unwrap_or_default();
                    let seam = match kind {
                        Kind::Message => &mut self.messages,
                        Kind::Control => &mut self.controls,
                    };
                    if seam.is_cut(content) | self.all.is_cut(content) {
                        return Err(Unclean::Cut);
                    }
                }
            }
            bytes = rest;
        }
        Ok(passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::tests::scrubbing;
    use crate::protocol::frame::tests::frame;

    fn server(first: u8, content: &[u8]) -> Vec<u8> {
        frame(first, None, content)
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
        let all: Vec<u8> = contents.iter().flat_map(|content| server(0x81, content.as_bytes())).collect();
        for step in [1, 2, 3, 7, 64, all.len()] {
            let mut frames = FromServer::new(scrubber());
            let passed: Vec<u8> = all.chunks(step).flat_map(|piece| frames.pass(piece).unwrap()).collect();
            let text = String::from_utf8_lossy(&passed).into_owned();
            assert_eq!(passed.len(), all.len(), "{step}");
            assert!(!text.contains(&secret) && text.ends_with(&secret[..5]), "{step}: {text}");
            assert!(text.contains("a ") && text.contains(" b"), "{step}: {text}");
        }
    }

    #[test]
    fn a_secret_that_is_cut_by_frames_does_not_come_to_its_end() {
        let (scrubber, secret) = scrubbing();
        for cut in 1..secret.len() {
            let (first, second) = secret.split_at(cut);
            let pieces = [
                server(0x01, first.as_bytes()),
                server(0x89, b"ping"),
                server(0x00, b""),
                server(0x80, second.as_bytes()),
            ];
            let two = |one: u8, other: u8| {
                [server(one, first.as_bytes()), server(other, second.as_bytes())].concat()
            };
            let (ping, message, close) = (0x89, 0x81, 0x88);
            let apart =
                [server(ping, first.as_bytes()), server(message, b"-"), server(ping, second.as_bytes())];
            for frames in [
                pieces.concat(),
                two(message, message),
                two(ping, ping),
                two(ping, message),
                two(message, ping),
                two(ping, close),
                apart.concat(),
            ] {
                assert_eq!(FromServer::new(scrubber()).pass(&frames), Err(Unclean::Cut), "{cut}");
                let mut one_by_one = FromServer::new(scrubber());
                let ended = frames.chunks(1).find_map(|byte| one_by_one.pass(byte).err());
                assert_eq!(ended, Some(Unclean::Cut), "{cut}");
            }
            let other = [server(0x01, first.as_bytes()), server(0x80, b"-"), server(0x81, second.as_bytes())];
            assert_eq!(FromServer::new(scrubber()).pass(&other.concat()), Ok(other.concat()), "{cut}");
        }
    }

    #[test]
    fn what_a_server_masks_or_compresses_hides_no_secret() {
        let (scrubber, secret) = scrubbing();
        let masked = frame(0x81, Some([1, 2, 3, 4]), secret.as_bytes());
        assert_eq!(FromServer::new(scrubber()).pass(&masked), Err(Unclean::Frame(FrameError::Mask)));
        let compressed = server(0xC1, b"anything");
        assert_eq!(FromServer::new(scrubber()).pass(&compressed), Err(Unclean::Frame(FrameError::Reserved)));
    }
}
