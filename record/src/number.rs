//! Numbers in records. They are read leniently and then checked, so that an error can name what is wrong.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use crate::{BadRecord, Millis};

/// A count as it is in a record.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Count {
    Whole(u64),
    Negative,
    Fractional,
    TooLarge,
}

impl Count {
    pub(crate) fn check(self) -> Result<u64, BadRecord> {
        match self {
            Self::Whole(count) => Ok(count),
            Self::Negative => Err(BadRecord::NegativeCount),
            Self::Fractional => Err(BadRecord::FractionalCount),
            Self::TooLarge => Err(BadRecord::CountTooLarge),
        }
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_u64(CountVisitor)
    }
}

struct CountVisitor;

impl Visitor<'_> for CountVisitor {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number from 0 to 2^64 - 1")
    }

    fn visit_u64<E: Error>(self, count: u64) -> Result<Count, E> {
        Ok(Count::Whole(count))
    }

    fn visit_i64<E: Error>(self, count: i64) -> Result<Count, E> {
        Ok(u64::try_from(count).map_or(Count::Negative, Count::Whole))
    }

    /// JSON has one kind of number: `5e3` is fractional for the parser, and so is what does not fit 64 bits.
    fn visit_f64<E: Error>(self, count: f64) -> Result<Count, E> {
        Ok(if count < 0.0 {
            Count::Negative
        } else if count >= 18_446_744_073_709_551_616.0 {
            Count::TooLarge
        } else {
            Count::Fractional
        })
    }
}

/// A timestamp as it is in a plain record: a number, or a string of one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timestamp(f64);

impl Timestamp {
    /// Milliseconds since 1970. What is below 10^11 are seconds: as milliseconds that would be before March 1973, as
    /// seconds it lasts until the year 5138.
    pub(crate) fn millis(self) -> Result<Millis, BadRecord> {
        const SECONDS_BELOW: f64 = 1e11;
        const MILLIS_BELOW: f64 = 1e14;
        let millis = if self.0 < SECONDS_BELOW { self.0 * 1000.0 } else { self.0 };
        if !(0.0..MILLIS_BELOW).contains(&millis) {
            return Err(BadRecord::InvalidTimestamp);
        }
        #[expect(clippy::cast_possible_truncation, reason = "the range was just checked")]
        // Seconds such as 8711900012.345 have no exact binary form, and their thousandfold may be less than 8711900012345.
        Ok(Millis(millis.round() as i64))
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TimestampVisitor)
    }
}

struct TimestampVisitor;

#[expect(clippy::cast_precision_loss, reason = "a timestamp beyond 2^53 is refused anyway")]
impl Visitor<'_> for TimestampVisitor {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("seconds or milliseconds since 1970, as a number or a string")
    }

    fn visit_u64<E: Error>(self, time: u64) -> Result<Timestamp, E> {
        Ok(Timestamp(time as f64))
    }

    fn visit_i64<E: Error>(self, time: i64) -> Result<Timestamp, E> {
        Ok(Timestamp(time as f64))
    }

    fn visit_f64<E: Error>(self, time: f64) -> Result<Timestamp, E> {
        Ok(Timestamp(time))
    }

    /// A string that is no number becomes NaN, which [`Timestamp::millis`] refuses.
    fn visit_str<E: Error>(self, time: &str) -> Result<Timestamp, E> {
        // Whole numbers, which are usual, are read several times as fast.
        Ok(Timestamp(match time.parse::<u64>() {
            Ok(whole) => whole as f64,
            Err(_) => time.parse().unwrap_or(f64::NAN),
        }))
    }
}
