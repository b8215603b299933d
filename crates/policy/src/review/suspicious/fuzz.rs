//! Whatever stands in a line, what is printed of it is harmless, and nothing of it is lost.

use super::*;
use crate::glyph::{Glyph, takes_joiner, takes_presentation};
use crate::review::visible::{Piece, visible};
use cofferdam_fuzz::fuzz;

#[test]
fn a_line_is_shown_so_that_it_can_be_read_back() {
    fuzz("suspicious", target);
}

fn target(input: &[u8]) -> Vec<Finding> {
    let line = input;
    let marks = marks(line);
    assert!(marks.iter().all(|mark| mark.at.start < mark.at.end && mark.at.end <= line.len()));
    assert!(marks.windows(2).all(|two| two[0].at.end <= two[1].at.start), "{marks:?}");
    let shown: String = visible(line).iter().map(ToString::to_string).collect();
    let pieces = visible(line);
    assert!(pieces.iter().all(|piece| *piece != Piece::Text("")));
    let mut before = None;
    for c in shown.chars() {
        let harmless = match Glyph::of(c) {
            Glyph::Base | Glyph::Mark => true,
            Glyph::Presentation => before.is_some_and(takes_presentation),
            Glyph::Joiner => before.is_some_and(takes_joiner),
            Glyph::Blank | Glyph::WideBlank | Glyph::Icon | Glyph::Hidden => c == '\t',
        };
        assert!(harmless, "U+{:04X} in {shown:?}", u32::from(c));
        before = Some(c);
    }
    assert_eq!(read_back(&shown), line);
    let found: Vec<Finding> = of_line(line).into_iter().collect();
    let whole = line.strip_suffix(b"\n").unwrap_or(line);
    let whole = whole.strip_suffix(b"\r").unwrap_or(whole);
    let in_whole = marks.iter().filter(|mark| mark.at.end <= whole.len());
    assert!(in_whole.into_iter().all(|mark| found.contains(&mark.finding)));
    let name = of_name(line);
    assert!(marks.iter().all(|mark| name.contains(&mark.finding)));
    assert!(TextFindings::of(line).iter().all(|(_, at)| at.first_line >= 1 && at.lines >= 1));
    found
}

fn read_back(shown: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = shown;
    while let Some(c) = rest.chars().next() {
        let spelt = rest.strip_prefix('<').and_then(|inner| inner.split_once('>'));
        match spelt {
            Some((code, after)) if code.starts_with("U+") => {
                let c = u32::from_str_radix(&code[2..], 16).ok().and_then(char::from_u32).unwrap();
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                rest = after;
            }
            Some((code, after)) if code.starts_with("0x") => {
                bytes.push(u8::from_str_radix(&code[2..], 16).unwrap());
                rest = after;
            }
            _ => {
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    bytes
}
