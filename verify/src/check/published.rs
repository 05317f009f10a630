use std::collections::BTreeMap;

use quipu_record::{Aggregate, Series};

/// The content of `metrics-agg`: the latest aggregate of each series, and the records that are not aggregates.
#[derive(Debug, Clone, Default)]
pub(crate) struct Published {
    pub(crate) aggregates: BTreeMap<Series, Aggregate>,
    pub(crate) unreadable: BTreeMap<Vec<u8>, String>,
    /// The series that were removed after their last total, and the offset of that.
    removed: BTreeMap<Series, i64>,
}

impl Published {
    /// Applies one record of `metrics-agg`.
    pub(crate) fn see(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) {
        let key = key.unwrap_or_default();
        self.unreadable.remove(key);
        let series = std::str::from_utf8(key).ok().and_then(|text| text.parse::<Series>().ok());
        if let Some(series) = series {
            self.removed.remove(&series);
            let latest = self.aggregates.remove(&series);
            if value.is_none() {
                self.removed.extend(latest.map(|latest| (series, latest.offset.0)));
            }
        }
        let Some(value) = value else { return };
        match Aggregate::decode(value) {
            Ok(aggregate) if aggregate.series.to_string().as_bytes() == key => {
                self.aggregates.insert(aggregate.series.clone(), aggregate);
            }
            Ok(aggregate) => {
                self.unreadable.insert(key.into(), format!("its value is about {}", aggregate.series));
            }
            Err(error) => {
                self.unreadable.insert(key.into(), error.to_string());
            }
        }
    }

    /// Whether a series was removed because of a record after `offset`.
    pub(crate) fn was_removed_after(&self, series: &Series, offset: i64) -> bool {
        self.removed.get(series).is_some_and(|removed| *removed > offset)
    }
}
