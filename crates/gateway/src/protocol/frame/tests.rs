//! What is a frame and what is none, by the figures and the rules of RFC 6455.

use super::*;

/// A frame as a client sends it, or a server where there is no mask.
pub(crate) fn frame(first: u8, mask: Option<[u8; 4]>, content: &[u8]) -> Vec<u8> {
    let masked = if mask.is_some() { MASKED_BIT } else { 0 };
    let mut frame = vec![first];
    match content.len() {
        short @ 0..126 => frame.push(masked | u8::try_from(short).unwrap()),
        long => {
            frame.push(masked | LENGTH_OF_TWO);
            frame.extend_from_slice(&u16::try_from(long).unwrap().to_be_bytes());
        }
    }
    frame.extend_from_slice(mask.as_ref().map_or(&[], |mask| mask.as_slice()));
    let start = frame.len();
    frame.extend_from_slice(content);
    unmask(&mut frame[start..], mask.unwrap_or_default());
    frame
}

fn read(speaker: Speaker, bytes: &[u8]) -> Result<Vec<(Kind, String)>, FrameError> {
    let (mut frames, mut all, mut rest) = (Frames::of(speaker, false), Vec::new(), bytes);
    while let Some((piece, after)) = frames.next(rest)? {
        if let Piece::Content { kind, bytes, mask, .. } = piece {
            let mut content = bytes.to_vec();
            unmask(&mut content, mask);
            all.push((kind, String::from_utf8(content).unwrap()));
        }
        rest = after;
    }
    Ok(all)
}

#[test]
fn the_examples_of_the_rfc_are_read() {
    let message = |text: &str| (Kind::Message, text.to_owned());
    let masked = [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58];
    assert_eq!(read(Speaker::Client, &masked), Ok(vec![message("Hello")]));
    let pieces = b"\x01\x03Hel\x89\x05Hello\x80\x02lo";
    let expected = vec![message("Hel"), (Kind::Control, "Hello".to_owned()), message("lo")];
    assert_eq!(read(Speaker::Server, pieces), Ok(expected));
    let long = frame(0x82, None, &[b'x'; 256]);
    assert_eq!(long[..4], [0x82, 0x7E, 1, 0]);
    assert_eq!(read(Speaker::Server, &long), Ok(vec![message(&"x".repeat(256))]));
    let longest = [&[0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0][..], &[b'y'; 65_536]].concat();
    assert_eq!(read(Speaker::Server, &longest), Ok(vec![message(&"y".repeat(65_536))]));
}

#[test]
fn what_breaks_the_rfc_is_no_frame() {
    let mask = Some([1, 2, 3, 4]);
    for (bytes, error) in [
        (frame(0x81, None, b"ab"), FrameError::Mask),
        (frame(0xC1, mask, b"ab"), FrameError::Reserved),
        (frame(0xA1, mask, b"ab"), FrameError::Reserved),
        (frame(0x91, mask, b"ab"), FrameError::Reserved),
        (frame(0x83, mask, b"ab"), FrameError::Opcode),
        (frame(0x8B, mask, b"ab"), FrameError::Opcode),
        (frame(0x8F, mask, b"ab"), FrameError::Opcode),
        (frame(0x89, mask, &[b'x'; 126]), FrameError::Control),
        (frame(0x08, mask, b""), FrameError::Control),
        (frame(0x80, mask, b"ab"), FrameError::Order),
        ([frame(0x01, mask, b"a"), frame(0x81, mask, b"b")].concat(), FrameError::Order),
        (b"\x82\xFE\x00\x7D\0\0\0\0".to_vec(), FrameError::Length),
        (b"\x82\xFF\0\0\0\0\0\0\xFF\xFF\0\0\0\0".to_vec(), FrameError::Length),
        (b"\x82\xFF\x80\0\0\0\0\x01\0\0\0\0\0\0".to_vec(), FrameError::Length),
    ] {
        assert_eq!(read(Speaker::Client, &bytes), Err(error), "{bytes:?}");
    }
    assert_eq!(read(Speaker::Server, &frame(0x81, mask, b"ab")), Err(FrameError::Mask));
    // The same frames as they should be.
    for bytes in [
        frame(0x81, mask, b"ab"),
        frame(0x89, mask, &[b'x'; 125]),
        [frame(0x01, mask, b"a"), frame(0x8A, mask, b""), frame(0x80, mask, b"b")].concat(),
    ] {
        assert!(read(Speaker::Client, &bytes).is_ok(), "{bytes:?}");
    }
}

#[test]
fn an_extension_that_was_agreed_to_may_use_its_bits() {
    let mut frames = Frames::of(Speaker::Client, true);
    assert!(frames.next(&frame(0xC1, Some([9; 4]), b"ab")).is_ok());
}
