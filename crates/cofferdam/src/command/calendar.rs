//! Days as dates.
//!
//! The Gregorian calendar, also for times before it; zones and leap seconds are nobody's here.

/// The Gregorian date of a day counted from 1970-01-01. Years are counted from March, so that a leap day is the last
/// day of one; 400 of them have 146,097 days.
pub(super) fn date(days_since_1970: i64) -> (i64, i64, i64) {
    const DAYS_TO_1970: i64 = 719_468;
    const DAYS_AN_ERA: i64 = 146_097;
    let days = days_since_1970 + DAYS_TO_1970;
    let (era, of_era) = (days.div_euclid(DAYS_AN_ERA), days.rem_euclid(DAYS_AN_ERA));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day)
}
