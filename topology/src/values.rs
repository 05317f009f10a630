//! What rows hold, in columns by type, so that a counter takes no more than its number and that of its series.

use std::ops::{Deref, DerefMut};
use std::slice;

use quipu_record::Value;

use crate::reduce::GroupId;

/// A series and its value.
pub(crate) type Entry<T> = (GroupId, T);

/// The values of a row: each series once, in the order of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Values {
    counters: Column<u64>,
}

/// The same, borrowed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ValuesRef<'a> {
    pub(crate) counters: &'a [Entry<u64>],
}

/// The same, in memory that is used again for every record.
#[derive(Debug, Default)]
pub(crate) struct ValuesBuf {
    pub(crate) counters: Vec<Entry<u64>>,
}

/// The values of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Column<T> {
    /// A single value is kept in the row itself, which spares an access to memory elsewhere for every plain record.
    One(Entry<T>),
    Many(Box<[Entry<T>]>),
}

impl Values {
    pub(crate) fn as_ref(&self) -> ValuesRef<'_> {
        let Self { counters } = self;
        ValuesRef { counters }
    }

    /// The memory that the values take beyond their own size, in bytes.
    pub(crate) fn heap_bytes(&self) -> usize {
        let Self { counters } = self;
        counters.heap_bytes()
    }

    /// Takes over newer values, in place where their number is the same.
    pub(crate) fn set(&mut self, values: ValuesRef<'_>) {
        let ValuesRef { counters } = values;
        self.counters.set(counters);
    }
}

impl From<ValuesRef<'_>> for Values {
    fn from(values: ValuesRef<'_>) -> Self {
        let ValuesRef { counters } = values;
        Self { counters: counters.into() }
    }
}

impl<'a> ValuesRef<'a> {
    pub(crate) fn len(&self) -> usize {
        let Self { counters } = self;
        counters.len()
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = (GroupId, Value)> + use<'a> {
        let Self { counters } = self;
        counters.iter().map(|(id, count)| (*id, Value::Counter(*count)))
    }
}

impl ValuesBuf {
    pub(crate) fn as_ref(&self) -> ValuesRef<'_> {
        let Self { counters } = self;
        ValuesRef { counters }
    }

    pub(crate) fn clear(&mut self) {
        let Self { counters } = self;
        counters.clear();
    }
}

impl<T: Copy> Column<T> {
    fn heap_bytes(&self) -> usize {
        match self {
            Self::One(_) => 0,
            Self::Many(entries) => size_of_val(&**entries),
        }
    }

    fn set(&mut self, entries: &[Entry<T>]) {
        if self.len() == entries.len() {
            self.copy_from_slice(entries);
        } else {
            *self = entries.into();
        }
    }
}

impl<T: Copy> From<&[Entry<T>]> for Column<T> {
    fn from(entries: &[Entry<T>]) -> Self {
        match entries {
            [entry] => Self::One(*entry),
            entries => Self::Many(entries.into()),
        }
    }
}

impl<T> Deref for Column<T> {
    type Target = [Entry<T>];

    fn deref(&self) -> &[Entry<T>] {
        match self {
            Self::One(entry) => slice::from_ref(entry),
            Self::Many(entries) => entries,
        }
    }
}

impl<T> DerefMut for Column<T> {
    fn deref_mut(&mut self) -> &mut [Entry<T>] {
        match self {
            Self::One(entry) => slice::from_mut(entry),
            Self::Many(entries) => entries,
        }
    }
}
