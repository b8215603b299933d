//! Any bytes are refused as a path, or canonical for whoever decodes them; a pattern means what it says.

use super::*;
use cofferdam_fuzz::{fuzz, parts};

#[test]
fn a_path_is_canonical_or_refused_and_matched_as_written() {
    fuzz("request_path", target);
}

fn target(input: &[u8]) -> (Option<PathError>, Option<PathError>, bool) {
    let [pattern, path] = parts(input);
    let path = CanonicalPath::parse_with_encoded_slash(path);
    if let Ok(path) = &path {
        let again = CanonicalPath::parse_with_encoded_slash(path.as_str().as_bytes()).unwrap();
        assert_eq!(&again, path);
        assert_eq!(CanonicalPath::parse(path.as_str().as_bytes()).is_ok(), !path.has_encoded_slash());
        let decoded = decoded(path.as_str());
        assert!(std::str::from_utf8(&decoded).is_ok(), "{:?}", path.as_str());
        let segments: Vec<&[u8]> = decoded.split(|byte| *byte == b'/').skip(1).collect();
        let is_plain = |(at, segment): (usize, &&[u8])| {
            let is_end = segment.is_empty() && at + 1 == segments.len();
            let is_name = segment.iter().any(|byte| !matches!(byte, b'.' | b' '))
                && !segment.starts_with(b" ")
                && !segment.ends_with(b" ");
            let is_cut = segment.iter().any(|byte| byte.is_ascii_control() || b"\\;?#%".contains(byte));
            (is_end || is_name) && !is_cut
        };
        assert!(segments.iter().enumerate().all(is_plain), "{:?}", path.as_str());
        if let Some(pattern) = PathPattern::of(path) {
            assert!(pattern.matches(path), "{pattern}");
            assert_eq!(pattern.as_str(), path.as_str());
        }
    }
    let text = String::from_utf8_lossy(pattern);
    let pattern = text.parse::<PathPattern>();
    let mut is_meant = false;
    if let Ok(pattern) = &pattern {
        assert_eq!(&pattern.to_string().parse::<PathPattern>().unwrap(), pattern);
        if let Ok(path) = &path {
            is_meant = pattern.matches(path);
            let own: Vec<&str> = pattern.as_str().split('/').skip(1).collect();
            let segments: Vec<&str> = path.as_str().split('/').skip(1).collect();
            assert_eq!(is_meant, reads_as(&own, &segments), "{pattern} {:?}", path.as_str());
        }
    }
    (pattern.err(), path.err(), is_meant)
}

fn decoded(path: &str) -> Vec<u8> {
    let mut bytes = path.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => decoded.push(hex(bytes.next().unwrap(), bytes.next().unwrap()).unwrap()),
            plain => decoded.push(plain),
        }
    }
    decoded
}

/// All ways at once: which beginnings of the path the beginning of the pattern means.
fn reads_as(pattern: &[&str], path: &[&str]) -> bool {
    let mut reached = vec![false; path.len() + 1];
    reached[0] = true;
    for own in pattern {
        let mut next = vec![false; path.len() + 1];
        for at in 0..=path.len() {
            next[at] = if *own == "**" {
                reached[at] || (at > 0 && next[at - 1] && !path[at - 1].contains("%2F"))
            } else {
                at > 0 && reached[at - 1] && is_segment(own, path[at - 1])
            };
        }
        reached = next;
    }
    reached[path.len()]
}

fn is_segment(pattern: &str, segment: &str) -> bool {
    let (own, pieces): (Vec<&str>, Vec<&str>) =
        (pattern.split("%2F").collect(), segment.split("%2F").collect());
    own.len() == pieces.len()
        && own.iter().zip(pieces).all(|(own, piece)| is_piece(own.as_bytes(), piece.as_bytes()))
}

fn is_piece(pattern: &[u8], piece: &[u8]) -> bool {
    if pattern == b"*" {
        return !piece.is_empty();
    }
    let mut reached = vec![false; piece.len() + 1];
    reached[0] = true;
    for own in pattern {
        let mut next = vec![false; piece.len() + 1];
        for at in 0..=piece.len() {
            next[at] = if *own == b'*' {
                reached[at] || (at > 0 && next[at - 1])
            } else {
                at > 0 && reached[at - 1] && *own == piece[at - 1]
            };
        }
        reached = next;
    }
    reached[piece.len()]
}
