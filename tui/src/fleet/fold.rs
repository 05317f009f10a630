//! Applies batches to the fleet.

use quipu_record::{Aggregate, AggregateError, BadRecord, Key, Record, Series, decode};

use super::Fleet;
use super::run::Changes;
use crate::batch::{Batch, RawRecord, Topic, TopicState};

/// A timestamp that is further ahead of this machine's clock is not used. The limit is large, because this clock may be
/// wrong.
const MAX_AHEAD_MS: i64 = 86_400_000;

impl Fleet {
    /// Applies a batch.
    pub fn apply(&mut self, batch: &Batch, now: i64) {
        match batch {
            Batch::Records { topic, records } => {
                for record in records {
                    self.pipeline.read(*topic, record.offset);
                    let result = match topic {
                        Topic::Metrics => self.metric(record, now).map_err(|bad| bad.reason()),
                        Topic::Aggregates => self.aggregate(record),
                    };
                    if let Err(reason) = result {
                        self.pipeline.count_bad(*topic, reason);
                    }
                }
            }
            Batch::Topic { topic, state } => {
                if matches!(state, TopicState::Recreated | TopicState::Reading { .. }) {
                    self.clear_topic(*topic);
                }
                self.pipeline.set_state(*topic, state);
            }
            Batch::Connection(connection) => self.pipeline.connect(connection, now),
            Batch::Lag(report) => self.pipeline.lags(report, now),
        }
    }

    fn metric(&mut self, record: &RawRecord, now: i64) -> Result<(), BadRecord> {
        let fleet_now = self.clock.fleet_time(now);
        let is_time = (1..fleet_now.saturating_add(MAX_AHEAD_MS)).contains(&record.timestamp);
        let at = if is_time { record.timestamp } else { fleet_now };
        if self.pipeline.topic(Topic::Metrics).state == TopicState::CaughtUp && is_time {
            self.clock.observe(now, record.timestamp);
        }
        match decode(record.key.as_deref(), record.value.as_deref())? {
            Record::Report { key, report } => {
                let row = format!("{}/{}", key.instance, key.run);
                let Some(run) = self.runs.admit(&row, key.instance, Some(key.run), at) else {
                    self.cut_off += 1;
                    return Ok(());
                };
                let changes = run.report(key.part, &report, at, &mut self.series);
                self.note(&row, changes, at, record.offset)
            }
            Record::Plain { key, plain } => {
                let Some(run) = self.runs.admit(key, key, None, at) else {
                    self.cut_off += 1;
                    return Ok(());
                };
                let changes = run.plain(&plain, at, &mut self.series);
                self.note(key, changes, at, record.offset)
            }
            // The total of a series that was forgotten comes from the aggregator.
            Record::Forget(_) | Record::Tombstone { key: Key::Forget(_) } => Ok(()),
            Record::Tombstone { key: Key::Run(key) } => {
                self.remove(&format!("{}/{}", key.instance, key.run), key.part, record.offset);
                Ok(())
            }
            Record::Tombstone { key: Key::Plain(key) } => {
                self.remove(key, 0, record.offset);
                Ok(())
            }
        }
    }

    /// Applies the changes that a record made in a run to the series and the lines.
    fn note(&mut self, row: &str, changes: Result<Changes, BadRecord>, at: i64, offset: i64) -> Result<(), BadRecord> {
        let Some(run) = self.runs.get(row) else {
            return Ok(());
        };
        let (id, started, is_empty) = (run.id(), run.started(), run.is_empty());
        // If the run started just before, its line starts at zero.
        let is_young = at - started <= 3 * run.interval();
        let changes = match changes {
            Ok(changes) => changes,
            Err(bad) => {
                if is_empty {
                    self.runs.remove(row);
                }
                return Err(bad);
            }
        };
        self.cut_off += changes.cut_off;
        for change in changes.counts {
            self.series.get_mut(change.series).counted_at = Some(offset);
            if change.is_new {
                self.series.get_mut(change.series).reporters += 1;
                if is_young {
                    self.lines.push(change.series, id, started, 0);
                }
            }
            self.lines.push(change.series, id, at, change.after);
        }
        Ok(())
    }

    fn remove(&mut self, row: &str, part: u32, offset: i64) {
        let Some(run) = self.runs.get_mut(row) else {
            return;
        };
        for series in run.remove(part) {
            let series = self.series.get_mut(series);
            series.reporters = series.reporters.saturating_sub(1);
            series.counted_at = Some(offset);
        }
        if run.is_empty() {
            self.lines.remove(run.id());
            self.runs.remove(row);
        }
    }

    fn aggregate(&mut self, record: &RawRecord) -> Result<(), &'static str> {
        let Some(value) = &record.value else {
            let text = std::str::from_utf8(record.key.as_deref().unwrap_or_default()).map_err(|_| "key_not_utf8")?;
            let series = text.parse::<Series>().map_err(|_| "key_not_a_series")?;
            if let Some(id) = self.series.find(&series) {
                self.series.get_mut(id).total = None;
            }
            return Ok(());
        };
        let aggregate = Aggregate::decode(value).map_err(|error| match error {
            AggregateError::UnknownVersion(_) => "unknown_version",
            AggregateError::Series(bad) => bad.reason(),
            _ => "unexpected_shape",
        })?;
        self.pipeline.aggregate(&aggregate);
        if !self.series.observe(&aggregate) {
            self.cut_off += 1;
        }
        Ok(())
    }

    /// Removes the data of a topic that was replaced or is read from its beginning again.
    fn clear_topic(&mut self, topic: Topic) {
        self.pipeline.clear_topic(topic);
        match topic {
            Topic::Metrics => {
                self.runs.clear();
                self.lines.clear();
                self.series.clear_reporters();
            }
            Topic::Aggregates => self.series.clear_totals(),
        }
    }
}
