//! Durations as text, for `#[serde(with)]`: a whole number and a unit, such as `250ms`, `1s` or `5m`.

use std::time::Duration;

use serde::de::{Deserialize as _, Deserializer, Error, Unexpected};
use serde::ser::Serializer;

/// The units with their lengths in ms, the longest first.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(*duration))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| {
        D::Error::invalid_value(
            Unexpected::Str(&text),
            &"a whole number and its unit (ms, s, m, h or d), such as \"250ms\"",
        )
    })
}

pub(crate) fn format(duration: Duration) -> String {
    let ms = duration.as_millis();
    match UNITS.iter().find(|(_, length)| ms != 0 && ms.is_multiple_of(u128::from(*length))) {
        Some((unit, length)) => format!("{}{unit}", ms / u128::from(*length)),
        None => "0s".to_owned(),
    }
}

/// A duration, or `off`.
pub(crate) mod or_off {
    use super::{Deserializer, Duration, Error as _, Serializer, Unexpected, parse};
    use serde::de::Deserialize as _;

    const OFF: &str = "off";

    // serde's `with` calls this signature.
    #[allow(clippy::ref_option)]
    pub(crate) fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => super::serialize(duration, serializer),
            None => serializer.serialize_str(OFF),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == OFF {
            return Ok(None);
        }
        parse(&text).map(Some).ok_or_else(|| {
            D::Error::invalid_value(
                Unexpected::Str(&text),
                &"a whole number and its unit (ms, s, m, h or d), such as \"60s\", or \"off\"",
            )
        })
    }
}

fn parse(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    if number == 0 && unit.is_empty() {
        return Some(Duration::ZERO);
    }
    let (_, length) = UNITS.iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(*length).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_round_trip_in_their_longest_whole_unit() {
        for (text, ms) in
            [("0s", 0), ("250ms", 250), ("1500ms", 1_500), ("1s", 1_000), ("1m", 60_000), ("30d", 2_592_000_000)]
        {
            assert_eq!(parse(text), Some(Duration::from_millis(ms)));
            assert_eq!(format(Duration::from_millis(ms)), text);
        }
        assert_eq!(parse("90s").map(format).as_deref(), Some("90s"));
        assert_eq!(parse("60s").map(format).as_deref(), Some("1m"));
        assert_eq!(parse("0"), Some(Duration::ZERO));
    }

    #[test]
    fn a_text_without_number_or_unit_is_not_a_duration() {
        for text in
            ["", "5", "s", "-1s", "1.5s", "1 s", "1S", "1min", "99999999999999999999s", "18446744073709551615d", "٣s"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
