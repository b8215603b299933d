//! Bytes that are read from anywhere in them: a file, or what stands for one.
//!
//! Files are read in pieces and never mapped: one that is cut off meanwhile gives an error and no signal.

use super::{Broken, Fault};
use miniz_oxide::inflate::stream::{InflateState, inflate as inflated};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};
use rustix::fd::OwnedFd;
use rustix::io::Errno;

/// How much is read at once, in bytes.
const INPUT_BYTES: usize = 16 << 10;
/// How much is unpacked at once, in bytes. No more is reserved on a header's word.
const OUTPUT_BYTES: usize = 64 << 10;
/// What a compressed content may be longer than the content, in bytes, besides an eighth: empty blocks cost no output
/// and could go on for ever.
const OVERHEAD_BYTES_MAX: u64 = 64 << 10;

/// Something that can be read anywhere.
pub(super) trait Source {
    /// Fills `into` as far as there is something at `at`.
    fn read_at(&self, into: &mut [u8], at: u64) -> Result<usize, Errno>;

    /// Fills all of `into`.
    fn read_exactly(&self, mut into: &mut [u8], mut at: u64) -> Result<(), Broken> {
        while !into.is_empty() {
            let read = self.read_at(into, at)?;
            if read == 0 {
                return Err(Fault::Truncated.into());
            }
            at = at.checked_add(as_u64(read)).ok_or(Fault::Number)?;
            into = into.get_mut(read..).unwrap_or_default();
        }
        Ok(())
    }
}

impl Source for OwnedFd {
    fn read_at(&self, into: &mut [u8], at: u64) -> Result<usize, Errno> {
        loop {
            match rustix::io::pread(self, &mut *into, at) {
                Err(Errno::INTR) => {}
                answer => return answer,
            }
        }
    }
}

impl Source for &[u8] {
    fn read_at(&self, into: &mut [u8], at: u64) -> Result<usize, Errno> {
        let rest = usize::try_from(at).ok().and_then(|at| self.get(at..)).unwrap_or_default();
        let length = rest.len().min(into.len());
        if let (Some(into), Some(from)) = (into.get_mut(..length), rest.get(..length)) {
            into.copy_from_slice(from);
        }
        Ok(length)
    }
}

/// Unpacks the zlib stream (RFC 1950) at `at`, of at most `bytes_max` bytes.
pub(super) fn unpack(source: &impl Source, mut at: u64, bytes_max: u64) -> Result<Vec<u8>, Broken> {
    let mut input_left = bytes_max.saturating_add(bytes_max / 8).saturating_add(OVERHEAD_BYTES_MAX);
    let mut state = InflateState::new_boxed(DataFormat::Zlib);
    let (mut input, mut output) = (vec![0; INPUT_BYTES], vec![0; OUTPUT_BYTES]);
    let mut content = Vec::new();
    loop {
        let wanted = usize::try_from(input_left).unwrap_or(usize::MAX).min(INPUT_BYTES);
        let read = source.read_at(input.get_mut(..wanted).unwrap_or_default(), at)?;
        let result = inflated(&mut state, input.get(..read).unwrap_or_default(), &mut output, MZFlush::None);
        let (consumed, written) = (result.bytes_consumed, result.bytes_written);
        at = at.checked_add(as_u64(consumed)).ok_or(Fault::Number)?;
        input_left = input_left.saturating_sub(as_u64(consumed));
        if as_u64(content.len()).saturating_add(as_u64(written)) > bytes_max {
            return Err(Broken::TooLong);
        }
        content.extend_from_slice(output.get(..written).unwrap_or_default());
        match result.status {
            Ok(MZStatus::StreamEnd) => return Ok(content),
            // Out of input or of room: neither is an end, unless nothing moves any more.
            Ok(MZStatus::Ok) | Err(MZError::Buf) if consumed > 0 || written > 0 => {}
            Ok(MZStatus::Ok | MZStatus::NeedDict) | Err(_) => return Err(Fault::Compression.into()),
        }
    }
}

pub(super) fn as_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
