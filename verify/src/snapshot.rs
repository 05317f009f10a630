//! The changelog: the newest state of every row, each true as of the offset that it names.

use std::collections::HashMap;

use quipu_record::{StatePosition, StateRow, StateRowError};

use crate::names::Names;
use crate::row::Row;

/// What the changelog says.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    /// The next offset of `metrics` when the changelog was written last; a state of the former form has none.
    position: Option<i64>,
    rows: HashMap<Box<[u8]>, Row>,
}

impl Snapshot {
    /// One record of the changelog.
    pub(crate) fn see(&mut self, key: &[u8], value: Option<&[u8]>, names: &mut Names) -> Result<(), StateRowError> {
        match value {
            Some(value) if key == StatePosition::KEY => self.position = Some(StatePosition::decode(value)?.position.0),
            Some(value) => {
                let row = Row::stored(&StateRow::decode(value)?, names);
                self.rows.insert(key.into(), row);
            }
            None => {
                self.rows.remove(key);
            }
        }
        Ok(())
    }

    /// The last offset up to which everything that changed was published.
    pub(crate) fn committed(&self) -> Option<i64> {
        self.position.map(|position| position - 1)
    }

    /// The newest offset that a row names.
    pub(crate) fn newest(&self) -> Option<i64> {
        self.rows.values().map(|row| row.offset).max()
    }

    /// The rows in the order of their offsets.
    pub(crate) fn into_rows(self) -> Vec<(Box<[u8]>, Row)> {
        let mut rows: Vec<_> = self.rows.into_iter().collect();
        rows.sort_unstable_by_key(|(_, row)| row.offset);
        rows
    }
}
