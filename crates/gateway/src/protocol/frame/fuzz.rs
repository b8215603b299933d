//! Any stream is cut into the same frames however it comes, and nothing of it is lost.

use super::*;
use cofferdam_fuzz::fuzz;

#[test]
fn a_stream_of_frames_is_the_same_however_it_is_cut() {
    fuzz("websocket_frame", target);
}

type Seen = (Vec<u8>, Result<(bool, u64), FrameError>);

type Outcome = Result<bool, FrameError>;

fn target(input: &[u8]) -> (Outcome, Outcome) {
    let follow = |speaker, bytes_each: usize| -> Seen {
        let (mut frames, mut contents) = (Frames::of(speaker, false), Vec::new());
        for mut bytes in input.chunks(bytes_each) {
            loop {
                match frames.next(bytes) {
                    Ok(None) => break,
                    Ok(Some((Piece::Head(head), rest))) => {
                        assert!(!head.is_empty() && head.len() + rest.len() == bytes.len());
                        bytes = rest;
                    }
                    Ok(Some((Piece::Content { bytes: content, mask, .. }, rest))) => {
                        assert!(!content.is_empty() && content.len() + rest.len() == bytes.len());
                        let start = contents.len();
                        contents.extend_from_slice(content);
                        unmask(&mut contents[start..], mask);
                        bytes = rest;
                    }
                    Err(error) => return (contents, Err(error)),
                }
            }
            assert!(frames.head.len() < HEAD_BYTES_MAX);
        }
        (contents, Ok((frames.is_in_message, frames.left)))
    };
    let all = |bytes_each| (follow(Speaker::Client, bytes_each), follow(Speaker::Server, bytes_each));
    let whole = all(usize::MAX);
    for bytes_each in [1, 5] {
        assert_eq!(all(bytes_each), whole);
    }
    let ((_, client), (_, server)) = whole;
    (client.map(|(is_in_message, _)| is_in_message), server.map(|(is_in_message, _)| is_in_message))
}
