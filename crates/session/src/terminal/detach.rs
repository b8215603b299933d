//! The one keystroke of the owner's that is ours: Ctrl-^ and then `d`.
//!
//! Every control key belongs to some program: Ctrl-P Ctrl-Q (containers) takes history away from shells, Ctrl-] is
//! tags in vim, Ctrl-\ quits, Ctrl-A and Ctrl-B are line editing, Ctrl-_ is undo. Ctrl-^ (0x1e, Ctrl-6 on many
//! keyboards) is free in shells, in emacs-like editing and in the agents' own screens; in vim it switches files,
//! which works still: the prefix is passed on when another key follows, when it is struck twice, or when the caller
//! lets it go after a pause ([`DetachKey::release`]).
//!
//! Nothing else of what the owner types is looked at, changed or kept.

/// How the keystroke is called in messages.
pub const DETACH_KEY_NAME: &str = "Ctrl-^ d";

const PREFIX: u8 = 0x1e;
const KEY: u8 = b'd';

/// What came of a chunk of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a detach that nobody acts on locks the owner in"]
pub enum Stroke {
    /// All was passed on, but perhaps for a prefix whose next key is awaited.
    Passed,
    /// The owner wants out; what followed in the chunk was thrown away.
    Detach,
}

/// Looks for the keystroke in a stream of input.
#[derive(Debug, Default)]
pub struct DetachKey {
    prefix_held: bool,
}

impl DetachKey {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends to `out` what is for the agent.
    pub fn feed(&mut self, input: &[u8], out: &mut Vec<u8>) -> Stroke {
        for byte in input {
            match (self.prefix_held, *byte) {
                (false, PREFIX) => self.prefix_held = true,
                (false, other) => out.push(other),
                (true, KEY) => {
                    self.prefix_held = false;
                    return Stroke::Detach;
                }
                (true, PREFIX) => {
                    self.prefix_held = false;
                    out.push(PREFIX);
                }
                (true, other) => {
                    self.prefix_held = false;
                    out.extend_from_slice(&[PREFIX, other]);
                }
            }
        }
        Stroke::Passed
    }

    /// True while a prefix waits for its second key; the caller may set a timer then.
    #[must_use]
    pub fn is_holding(&self) -> bool {
        self.prefix_held
    }

    /// Passes a waiting prefix on.
    pub fn release(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.prefix_held) {
            out.push(PREFIX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(chunks: &[&[u8]]) -> (Stroke, Vec<u8>) {
        let (mut key, mut out) = (DetachKey::new(), Vec::new());
        for chunk in chunks {
            if key.feed(chunk, &mut out) == Stroke::Detach {
                return (Stroke::Detach, out);
            }
        }
        (Stroke::Passed, out)
    }

    #[test]
    fn the_two_strokes_detach_wherever_the_chunks_end() {
        assert_eq!(typed(&[b"ab\x1ed"]), (Stroke::Detach, b"ab".to_vec()));
        assert_eq!(typed(&[b"ab\x1e", b"dxyz"]), (Stroke::Detach, b"ab".to_vec()));
    }

    #[test]
    fn every_other_byte_passes_unchanged() {
        let all: Vec<u8> = (0..=u8::MAX).filter(|byte| *byte != PREFIX).collect();
        assert_eq!(typed(&[&all]), (Stroke::Passed, all.clone()));
        assert_eq!(typed(&[b"\x1ex"]), (Stroke::Passed, b"\x1ex".to_vec()));
        assert_eq!(typed(&[b"\x1b[A\x1b[<0;3;4M\x1b[200~d\x1b[201~"]).0, Stroke::Passed);
    }

    #[test]
    fn a_doubled_prefix_is_one_for_the_agent_and_does_not_detach() {
        assert_eq!(typed(&[b"\x1e\x1ed"]), (Stroke::Passed, b"\x1ed".to_vec()));
    }

    #[test]
    fn a_prefix_alone_waits_until_it_is_released() {
        let (mut key, mut out) = (DetachKey::new(), Vec::new());
        assert_eq!(key.feed(b"\x1e", &mut out), Stroke::Passed);
        assert!(key.is_holding() && out.is_empty());
        key.release(&mut out);
        key.release(&mut out);
        assert_eq!(out, b"\x1e");
        assert_eq!(key.feed(b"d", &mut out), Stroke::Passed);
    }
}
