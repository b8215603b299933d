//! From when until when a certificate of our own making is good (RFC 5280, 4.1.2.5).
//!
//! It walks over as much DER as lies before that, and reads no certificate of others.

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xA0;
const UTC_TIME: u8 = 0x17;

/// Both ends, in seconds since 1970.
pub(super) fn of(certificate: &[u8]) -> Option<(u64, u64)> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (signed, _) = element(certificate, SEQUENCE)?;
    let (_, rest) = element(signed, VERSION)?;
    let (_, rest) = element(rest, INTEGER)?;
    let (_algorithm, rest) = element(rest, SEQUENCE)?;
    let (_issuer, rest) = element(rest, SEQUENCE)?;
    let (validity, _) = element(rest, SEQUENCE)?;
    let (from, rest) = element(validity, UTC_TIME)?;
    let (until, _) = element(rest, UTC_TIME)?;
    Some((seconds(from)?, seconds(until)?))
}

/// The content of the element at the beginning, which must be of this kind, and what follows it.
fn element(der: &[u8], kind: u8) -> Option<(&[u8], &[u8])> {
    let (&[tag, short], rest) = der.split_first_chunk()?;
    let (length, rest) = match short {
        0..0x80 => (usize::from(short), rest),
        0x81 => rest.split_first().map(|(&length, rest)| (usize::from(length), rest))?,
        0x82 => rest.split_first_chunk().map(|(&length, rest)| (u16::from_be_bytes(length).into(), rest))?,
        0x80 | 0x83.. => return None,
    };
    (tag == kind).then(|| rest.split_at_checked(length))?
}

/// `YYMMDDHHMMSSZ`, of this century.
fn seconds(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let number = |at: usize| text.get(at..at + 2).and_then(|digits| digits.parse::<u64>().ok());
    let (year, month, day) = (2000 + number(0)?, number(2)?, number(4)?);
    // Days before a date, counted from March, so that the leap day is a year's last (H. Hinnant, chrono algorithms).
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days =
        365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day.checked_sub(1)?;
    const DAYS_BEFORE_1970: u64 = 719_468;
    let days = days.checked_sub(DAYS_BEFORE_1970)?;
    Some(((days * 24 + number(6)?) * 60 + number(8)?) * 60 + number(10)?)
}
