//! The changelog: the newest state of every row, each as of the offset that it carries.

use std::collections::HashMap;

use quipu_record::{StatePosition, StateRow, StateRowError};

use crate::names::Names;
use crate::row::Row;

/// The content of the changelog.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    /// The position: the next offset of `metrics` at the last commit. A changelog of the former format has none.
    position: Option<i64>,
    rows: HashMap<Box<[u8]>, Row>,
}

impl Snapshot {
    /// Applies one record of the changelog.
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

    /// The offset up to which every change was published.
    pub(crate) fn committed(&self) -> Option<i64> {
        self.position.map(|position| position - 1)
    }

    /// The newest offset of a row.
    pub(crate) fn newest(&self) -> Option<i64> {
        self.rows.values().map(|row| row.offset).max()
    }

    /// The rows, ordered by their offsets.
    pub(crate) fn into_rows(self) -> Vec<(Box<[u8]>, Row)> {
        let mut rows: Vec<_> = self.rows.into_iter().collect();
        rows.sort_unstable_by_key(|(_, row)| row.offset);
        rows
    }
}
