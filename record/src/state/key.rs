use super::StatePosition;

const RETIRED: &[u8] = b"\xffretired/";
const MARKER: &[u8] = b"\xffmarker/";

/// The key of a record on `metrics-state`, and of an entry of the state store.
///
/// All keys but those of rows begin with a byte that is not UTF-8, so no row has such a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateKey<'a> {
    /// A row: the key of its records on `metrics`.
    Row(&'a [u8]),
    /// The position.
    Position,
    /// The log time and the horizon.
    Clock,
    /// The retired sum of the series with this text form.
    Retired(&'a str),
    /// The marker of an expired run or plain key: `instance/run`, or the plain key.
    Marker(&'a [u8]),
}

impl<'a> StateKey<'a> {
    /// The key of [`super::StateClock`].
    pub const CLOCK: &'static [u8] = b"\xffclock";

    /// Reads a key. What this version does not know is the key of a row, whose value is then an error.
    #[must_use]
    pub fn decode(key: &'a [u8]) -> Self {
        if key.first() != Some(&0xff) {
            return Self::Row(key);
        }
        let series = |text| std::str::from_utf8(text).ok().map(Self::Retired);
        match key {
            StatePosition::KEY => Self::Position,
            Self::CLOCK => Self::Clock,
            key => key
                .strip_prefix(RETIRED)
                .and_then(series)
                .or_else(|| key.strip_prefix(MARKER).map(Self::Marker))
                .unwrap_or(Self::Row(key)),
        }
    }

    /// Writes the key.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        match self {
            Self::Row(key) => key.to_vec(),
            Self::Position => StatePosition::KEY.to_vec(),
            Self::Clock => Self::CLOCK.to_vec(),
            Self::Retired(series) => [RETIRED, series.as_bytes()].concat(),
            Self::Marker(key) => [MARKER, key].concat(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_round_trips() {
        for key in [
            StateKey::Row(b"app-1.done"),
            StateKey::Position,
            StateKey::Clock,
            StateKey::Retired("done{topic=\"auth\"}"),
            StateKey::Marker(b"app-1/01920000-0000-7000-8000-000000000001"),
        ] {
            assert_eq!(StateKey::decode(&key.encode()), key);
        }
    }

    #[test]
    fn what_is_not_known_is_a_row() {
        assert_eq!(StateKey::decode(b"\xffnew"), StateKey::Row(b"\xffnew"));
    }
}
