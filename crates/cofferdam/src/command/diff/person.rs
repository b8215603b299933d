//! Who made a commit and when, as people read it.
//!
//! Only a line of the form that git writes is put otherwise; every other is shown as it is, made visible.

use super::super::calendar::date;
use crate::output::whole;

const SECONDS_A_DAY: i64 = 86_400;

/// The latest time that is put into words: 9999-12-31.
const SECONDS_MAX: i64 = 253_402_300_799;

/// `Name <address> 1795411976 +0100` as `Name <address>, 2026-11-23 06:32 +0100`.
pub(super) fn person(line: &[u8]) -> String {
    let text = whole(line);
    dated(&text).unwrap_or(text)
}

fn dated(text: &str) -> Option<String> {
    let mut words = text.rsplitn(3, ' ');
    let (zone, seconds, name) = (words.next()?, words.next()?, words.next()?);
    let seconds: i64 = seconds.parse().ok().filter(|seconds| (0..=SECONDS_MAX).contains(seconds))?;
    let local = seconds.checked_add(offset(zone)?)?;
    let (day, second) = (local.div_euclid(SECONDS_A_DAY), local.rem_euclid(SECONDS_A_DAY));
    let (hour, minute) = (second / 3_600, second % 3_600 / 60);
    let (year, month, day) = date(day);
    Some(format!("{name}, {year:04}-{month:02}-{day:02} {hour:02}:{minute:02} {zone}"))
}

/// `+0130` in seconds.
fn offset(zone: &str) -> Option<i64> {
    let (sign, digits) = match zone.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, zone.strip_prefix('+')?),
    };
    let is_plain = digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_digit());
    let number: i64 = digits.parse().ok().filter(|_| is_plain)?;
    Some(sign * (number / 100 * 3_600 + number % 100 * 60))
}

#[cfg(test)]
mod tests {
    use super::person;

    #[test]
    fn times_are_put_as_dates_and_what_is_no_time_stays() {
        for (line, shown) in [
            ("A <a@b> 0 +0000", "A <a@b>, 1970-01-01 00:00 +0000"),
            ("A B <a@b> 1795411976 +0100", "A B <a@b>, 2026-11-23 06:32 +0100"),
            ("A <a@b> 951782399 +0000", "A <a@b>, 2000-02-28 23:59 +0000"),
            ("A <a@b> 951782400 +0000", "A <a@b>, 2000-02-29 00:00 +0000"),
            ("A <a@b> 0 -0130", "A <a@b>, 1969-12-31 22:30 -0130"),
            ("A <a@b> 253402300799 +0000", "A <a@b>, 9999-12-31 23:59 +0000"),
            ("A <a@b> 253402300800 +0000", "A <a@b> 253402300800 +0000"),
            ("A <a@b> 9223372036854775807 +0000", "A <a@b> 9223372036854775807 +0000"),
            ("A <a@b> -1 +0000", "A <a@b> -1 +0000"),
            ("A <a@b> 1 CET", "A <a@b> 1 CET"),
            ("A <a@b>", "A <a@b>"),
            ("", ""),
        ] {
            assert_eq!(person(line.as_bytes()), shown);
        }
    }
}
