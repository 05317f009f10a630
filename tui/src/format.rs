//! Formats numbers and times for people.

use crate::name::fit;

/// Writes a whole number with separators: `-1,234,567`.
#[must_use]
pub fn count(count: i128) -> String {
    let digits = count.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    if count < 0 {
        text.push('-');
    }
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Writes a whole number with its sign, also if it is positive.
#[must_use]
pub fn signed(number: i128) -> String {
    if number > 0 { format!("+{}", count(number)) } else { count(number) }
}

/// Writes a whole number right-aligned in `columns`; rounded (`12.3M`) if it is too long.
#[must_use]
pub fn count_in(number: i128, columns: usize) -> String {
    let exact = count(number);
    let text = if exact.len() <= columns { exact } else { rounded(to_f64(number)) };
    right(&text, columns)
}

/// Writes a rate; a small rate has one decimal place.
#[must_use]
pub fn rate(per_second: f64) -> String {
    if !per_second.is_finite() {
        return "-".to_owned();
    }
    // A rate below half a unit of its last digit is zero, and zero has no sign.
    if per_second.abs() < 0.05 {
        return "0".to_owned();
    }
    if per_second.abs() < 99.95 { format!("{per_second:.1}") } else { count(to_i128(per_second)) }
}

/// Writes a rate right-aligned in `columns`, or `-` if there is no rate.
#[must_use]
pub fn rate_in(per_second: Option<f64>, columns: usize) -> String {
    let text = per_second.map_or_else(
        || "-".to_owned(),
        |per_second| {
            let exact = rate(per_second);
            if exact.len() <= columns { exact } else { rounded(per_second) }
        },
    );
    right(&text, columns)
}

/// Writes a number in few characters, for an axis: `950`, `12.3k`, `1.2M`.
#[must_use]
pub fn rounded(number: f64) -> String {
    const UNITS: [&str; 9] = ["", "k", "M", "G", "T", "P", "E", "Z", "Y"];
    if !number.is_finite() {
        return "-".to_owned();
    }
    let mut scaled = number;
    let mut unit = 0;
    // A number that would be printed as 1000 gets the next unit.
    while scaled.abs() >= 999.5 && unit + 1 < UNITS.len() {
        scaled /= 1000.0;
        unit += 1;
    }
    let is_whole = unit == 0 && scaled.fract() == 0.0;
    let decimals = usize::from(!is_whole && scaled.abs() < 99.95);
    format!("{scaled:.decimals$}{}", UNITS[unit])
}

/// Writes a time span in ms: `0.4 s`, `12 s`, `3m12s`, `2h05m`, `9d04h`.
#[must_use]
pub fn span(ms: i64) -> String {
    let ms = ms.max(0);
    let seconds = ms / 1000;
    let tenths = (ms.min(10_000) + 50) / 100;
    match seconds {
        0..=9 if tenths < 100 => format!("{}.{} s", tenths / 10, tenths % 10),
        0..=9 => "10 s".to_owned(),
        10..=59 => format!("{seconds} s"),
        60..=3_599 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3_600..=86_399 => format!("{}h{:02}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// Writes a time span in ms exactly if it is below a minute: `0.25 s`, `10 s`; otherwise as [`span`] does.
#[must_use]
pub fn interval(ms: i64) -> String {
    if !(0..60_000).contains(&ms) {
        return span(ms);
    }
    let fraction = format!("{:03}", ms % 1000);
    match fraction.trim_end_matches('0') {
        "" => format!("{} s", ms / 1000),
        fraction => format!("{}.{fraction} s", ms / 1000),
    }
}

/// Writes a time span in ms that is a whole number of minutes or hours: `5 min`, `3 h`.
#[must_use]
pub fn length(ms: i64) -> String {
    let minutes = ms / 60_000;
    if minutes % 60 == 0 { format!("{} h", minutes / 60) } else { format!("{minutes} min") }
}

/// Writes a time of day in UTC: `14:03:59Z`.
#[must_use]
pub fn clock(ms: i64) -> String {
    let seconds = ms.div_euclid(1000).rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}Z", seconds / 3_600, seconds % 3_600 / 60, seconds % 60)
}

/// Writes a part of a whole: `48.1 %`.
#[must_use]
pub fn percent(part: f64) -> String {
    let percent = part * 100.0;
    if percent < 99.95 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

/// Writes an escaped text right-aligned in `columns`.
#[must_use]
pub fn right(text: &str, columns: usize) -> String {
    if text.chars().count() >= columns { fit(text, columns) } else { format!("{text:>columns$}") }
}

#[expect(clippy::cast_precision_loss, reason = "the number is rounded for display")]
fn to_f64(number: i128) -> f64 {
    number as f64
}

#[expect(clippy::cast_possible_truncation, reason = "a float as large as i128 saturates")]
fn to_i128(number: f64) -> i128 {
    number.round() as i128
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_separators_and_are_rounded_only_if_they_are_too_long() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(-1_000), "-1,000");
        assert_eq!(count(i128::MIN), "-170,141,183,460,469,231,731,687,303,715,884,105,728");
        assert_eq!(signed(8_731), "+8,731");
        assert_eq!(count_in(1_000_000, 11), "  1,000,000");
        assert_eq!(count_in(12_345_678, 6), " 12.3M");
        assert_eq!(count_in(i128::from(u64::MAX), 8), "   18.4E");
    }

    #[test]
    fn rates_are_short() {
        assert_eq!(rate(0.0), "0");
        assert_eq!(rate(-0.01), "0");
        assert_eq!(rate(0.25), "0.2");
        assert_eq!(rate(99.94), "99.9");
        assert_eq!(rate(99.96), "100");
        assert_eq!(rate(25_012.4), "25,012");
        assert_eq!(rate(f64::NAN), "-");
        assert_eq!(rate_in(None, 3), "  -");
        assert_eq!(rate_in(Some(1_234_567.0), 6), "  1.2M");
    }

    #[test]
    fn the_axis_has_round_numbers() {
        let texts: Vec<_> = [0.0, 950.0, 999.9, 12_300.0, 99_960.0, 1.25e6, -8e9, 0.5].map(rounded).into();
        assert_eq!(texts, ["0", "950", "1.0k", "12.3k", "100k", "1.2M", "-8.0G", "0.5"]);
    }

    #[test]
    fn spans_have_two_units_at_most() {
        let texts: Vec<_> = [-5, 440, 12_000, 192_000, 7_500_000, 792_000_000].map(span).into();
        assert_eq!(texts, ["0.0 s", "0.4 s", "12 s", "3m12s", "2h05m", "9d04h"]);
    }

    #[test]
    fn short_spans_are_rounded_to_the_nearest_tenth() {
        let texts: Vec<_> = [249, 250, 949, 950, 9_949, 9_950, 9_999, 10_000].map(span).into();
        assert_eq!(texts, ["0.2 s", "0.3 s", "0.9 s", "1.0 s", "9.9 s", "10 s", "10 s", "10 s"]);
    }

    #[test]
    fn intervals_are_exact() {
        let texts: Vec<_> = [0, 5, 250, 1_000, 1_500, 10_000, 60_000, 90_000].map(interval).into();
        assert_eq!(texts, ["0 s", "0.005 s", "0.25 s", "1 s", "1.5 s", "10 s", "1m00s", "1m30s"]);
    }

    #[test]
    fn lengths_are_round() {
        assert_eq!([60_000, 900_000, 21_600_000].map(length), ["1 min", "15 min", "6 h"]);
    }

    #[test]
    fn the_clock_is_utc() {
        assert_eq!(clock(1_718_900_012_345), "16:13:32Z");
    }
}
