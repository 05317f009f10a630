use quipu_record::{Life, Millis, PlainRecord, StateRowKind, Value};

use super::{Row, is_reserved};
use crate::fold::At;
use crate::names::Names;

/// What a plain row has apart from its series.
#[derive(Clone, Copy)]
struct Plain {
    count: u64,
    base: i128,
    timestamp: Option<Millis>,
    start: Option<Millis>,
    previous: Option<Life>,
    expires: bool,
}

/// The row after a plain record, or `None` if the record is bad or stale.
///
/// `rebased` is whether a new row begins with a baseline, even if the record does not ask for one.
pub(crate) fn after_plain(
    before: Option<&Row>,
    record: &PlainRecord<'_>,
    rebased: bool,
    at: At,
    names: &mut Names,
) -> Option<Row> {
    if is_reserved(record.series()) {
        return None;
    }
    let id = names.id(record.series(), None);
    let after = match before {
        Some(Row { kind: StateRowKind::Plain { base, timestamp, start, previous, expires }, counters, .. }) => {
            let (series, count) = *counters.first()?;
            let (base, timestamp, start, previous, expires) = (*base, *timestamp, *start, *previous, *expires);
            let row = Plain { count, base, timestamp, start, previous, expires };
            (series == id).then(|| row.after(record))??
        }
        _ => Plain::first(record, rebased),
    };
    let Plain { count, base, timestamp, start, previous, expires } = after;
    let kind = StateRowKind::Plain { base, timestamp, start, previous, expires };
    let baseline = before.map_or_else(Vec::new, |row| row.baseline.clone());
    Some(Row { offset: at.offset, log_time: at.log_time, kind, counters: vec![(id, count)], baseline })
}

impl Plain {
    fn first(record: &PlainRecord<'_>, rebased: bool) -> Self {
        let Value::Counter(count) = record.value;
        let base = if rebased || record.is_baseline { -i128::from(count) } else { 0 };
        let PlainRecord { timestamp, start, expires, .. } = *record;
        Self { count, base, timestamp, start, previous: None, expires }
    }

    fn after(self, record: &PlainRecord<'_>) -> Option<Self> {
        let Value::Counter(count) = record.value;
        let Some(start) = record.start else {
            return if count >= self.count {
                Some(self.continued(record, self.start))
            } else {
                self.is_newer(record).then(|| self.restarted(record))
            };
        };
        if let Some(previous) = self.previous {
            if start < previous.start {
                return None;
            }
            if start == previous.start {
                return (count > previous.count).then(|| {
                    let timestamp = previous.timestamp.max(record.timestamp);
                    let base = self.base + i128::from(count - previous.count);
                    Self { base, previous: Some(Life { start, count, timestamp }), ..self }
                });
            }
        }
        match self.start {
            Some(latest) if start > latest => Some(self.restarted(record)),
            Some(latest) if start < latest => {
                let counted = if record.is_baseline { 0 } else { i128::from(count) };
                let previous = Some(Life { start, count, timestamp: record.timestamp });
                Some(Self { base: self.base + counted, previous, ..self })
            }
            None if self.timestamp.map_or(count < self.count, |then| start > then) => Some(self.restarted(record)),
            _ => (count >= self.count).then(|| self.continued(record, Some(start))),
        }
    }

    /// The same life, with another count.
    fn continued(self, record: &PlainRecord<'_>, start: Option<Millis>) -> Self {
        let Value::Counter(count) = record.value;
        let PlainRecord { timestamp, expires, .. } = *record;
        Self { count, timestamp, start, expires, ..self }
    }

    /// A new life. What was counted before is in the base from now on.
    fn restarted(self, record: &PlainRecord<'_>) -> Self {
        let ended = self.start.map(|start| Life { start, count: self.count, timestamp: self.timestamp });
        let first = Self::first(record, false);
        Self { base: self.base + i128::from(self.count) + first.base, previous: ended.or(self.previous), ..first }
    }

    /// Whether a lower count is that of a restart, and not of a record that came late.
    fn is_newer(self, record: &PlainRecord<'_>) -> bool {
        match (self.timestamp, record.timestamp) {
            (Some(then), Some(now)) => now > then,
            _ => true,
        }
    }
}
