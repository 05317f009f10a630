//! The changelog: the newest state of every row, each as of the offset that it carries, and what is kept of expired rows.

use std::collections::HashMap;

use quipu_record::{
    RetiredSum, Series, StateClock, StateKey, StateMarker, StatePosition, StateRetired, StateRow, StateRowError,
};

use crate::names::{Names, SeriesId};
use crate::row::Row;

/// A row and its key.
pub(crate) type KeyedRow = (Box<[u8]>, Row);

/// The content of the changelog.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    /// The position: the next offset of `metrics` at the last commit. A changelog of the former format has none.
    position: Option<i64>,
    rows: HashMap<Box<[u8]>, Row>,
    expired: Expired,
}

/// Everything in the changelog but the rows. It is true at the position.
#[derive(Debug, Default)]
pub(crate) struct Expired {
    /// The log time and the horizon; none if no row could expire so far.
    pub(crate) clock: Option<StateClock>,
    /// The markers of expired runs and plain keys.
    pub(crate) markers: HashMap<Box<[u8]>, StateMarker>,
    /// What expired rows contributed: the sum, and the number of rows.
    pub(crate) retired: HashMap<SeriesId, (i128, u64)>,
}

impl Snapshot {
    /// Applies one record of the changelog.
    pub(crate) fn see(&mut self, key: &[u8], value: Option<&[u8]>, names: &mut Names) -> Result<(), StateRowError> {
        match (StateKey::decode(key), value) {
            (StateKey::Position, Some(value)) => self.position = Some(StatePosition::decode(value)?.position.0),
            (StateKey::Position, None) => {}
            (StateKey::Clock, value) => self.expired.clock = value.map(StateClock::decode).transpose()?,
            (StateKey::Marker(key), Some(value)) => {
                self.expired.markers.insert(key.into(), StateMarker::decode(value)?);
            }
            (StateKey::Marker(key), None) => {
                self.expired.markers.remove(key);
            }
            (StateKey::Retired(series), value) => {
                let Ok(series) = series.parse::<Series>() else {
                    return Err(StateRowError::Shape(format!("no series: {series}")));
                };
                let id = names.id(series.as_ref(), None);
                match value.map(StateRetired::decode).transpose()? {
                    Some(StateRetired { sum: RetiredSum::Counter(sum), rows }) => {
                        self.expired.retired.insert(id, (sum, rows));
                    }
                    None => {
                        self.expired.retired.remove(&id);
                    }
                }
            }
            (StateKey::Row(key), Some(value)) => {
                let row = Row::stored(&StateRow::decode(value)?, names);
                self.rows.insert(key.into(), row);
            }
            (StateKey::Row(key), None) => {
                self.rows.remove(key);
            }
        }
        Ok(())
    }

    /// The offset up to which the changelog has every change, and every change was published. None if the changelog has
    /// neither a position nor a row.
    pub(crate) fn newest(&self) -> Option<i64> {
        // A row is committed together with its offset, but the row of a tombstone has no offset.
        let committed = self.position.map(|position| position - 1);
        self.rows.values().map(|row| row.offset).max().max(committed)
    }

    /// The rows, ordered by their offsets, and everything else.
    pub(crate) fn into_parts(self) -> (Vec<KeyedRow>, Expired) {
        let mut rows: Vec<_> = self.rows.into_iter().collect();
        rows.sort_unstable_by_key(|(_, row)| row.offset);
        (rows, self.expired)
    }
}
