//! All calls into the crate under test, and the names that its results have in a scenario.

use quipu_record::{
    Aggregate, AggregateType, BadRecord, Millis, Offset, RetiredSum, StateClock, StateKey, StateMarker, StateRetired,
    StateRowError,
};
use quipu_topology::{Audit, Declared, Events, Outcome, Retention, RowKind, RowMeta, Settings, SourceRecord, Topology};

use crate::text::{duration_text, key_text};

/// Zero on the clock of a scenario, in ms since 1970. It is 2024, because a small timestamp would mean seconds.
pub(crate) const START_MS: i64 = 1_704_067_200_000;

/// The settings of a scenario; the times are in ms.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) instance_timeout: i64,
    pub(crate) refresh_interval: i64,
    pub(crate) retention_runs: Option<i64>,
    pub(crate) retention_finished: Option<i64>,
    pub(crate) max_rows: usize,
    pub(crate) max_series: usize,
    pub(crate) audits: Vec<Audit>,
}

/// A record on the log of a scenario.
#[derive(Debug)]
pub(crate) struct Logged {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    /// The record's timestamp on the clock of the scenario, if it has one.
    pub(crate) timestamp: Option<i64>,
    /// Whether the timestamp is the broker's.
    pub(crate) is_append_time: bool,
}

/// What one commit publishes and writes.
#[derive(Debug)]
pub(crate) struct Committed {
    pub(crate) lines: Vec<String>,
    pub(crate) rows: Vec<StoredRow>,
    pub(crate) position: i64,
}

/// A row as it is written to the changelog: its key, and its value unless the row was removed.
pub(crate) type StoredRow = (Vec<u8>, Option<Vec<u8>>);

/// The topology under test.
#[derive(Debug)]
pub(crate) struct Core(Topology);

macro_rules! outcomes {
    ($($variant:ident => $name:literal,)*) => {
        /// The name of every outcome.
        pub(crate) const OUTCOMES: &[&str] = &[$($name),*];

        fn outcome_text(outcome: Outcome) -> &'static str {
            match outcome {
                $(Outcome::$variant => $name,)*
            }
        }
    };
}

// A new variant of `Outcome` does not compile until it has a name here, and then it needs a scenario.
outcomes! {
    Applied => "applied",
    Restarted => "restarted",
    Rebased => "rebased",
    Removed => "removed",
    Absent => "absent",
    Stale => "stale",
    Replayed => "replayed",
}

/// The reasons of all variants of [`BadRecord`]. The enum can't be enumerated, so they are read from its source.
pub(crate) fn reasons() -> Vec<&'static str> {
    let source = include_str!("../../../record/src/error.rs");
    let (_, reason) = source.split_once("fn reason(").expect("error.rs has the function `reason`");
    let (body, _) = reason.split_once("\n    }\n").expect("`reason` has an end");
    body.lines().filter_map(|line| line.split_once("=> \"")?.1.split_once('"')).map(|(reason, _)| reason).collect()
}

/// An audit of the series that two selectors select.
pub(crate) fn audit(name: &str, sent: &str, processed: &str) -> Result<Audit, String> {
    let selector = |text: &str| text.parse().map_err(|error| format!("{text:?}: {error}"));
    Ok(Audit { name: name.to_owned(), sent: selector(sent)?, processed: selector(processed)? })
}

impl Core {
    pub(crate) fn new(config: &Config) -> Self {
        Self(Topology::new(Settings {
            instance_timeout: Millis(config.instance_timeout),
            refresh_interval: Millis(config.refresh_interval),
            retention: Retention {
                runs: config.retention_runs.map(Millis),
                finished: config.retention_finished.map(Millis),
            },
            max_rows: config.max_rows,
            max_series: config.max_series,
            audits: config.audits.clone(),
        }))
    }

    /// Applies the record at `offset` and names the outcome.
    pub(crate) fn process(&mut self, offset: usize, record: &Logged, now: i64) -> String {
        let record = SourceRecord {
            offset: Offset(i64::try_from(offset).expect("a short log")),
            timestamp: record.timestamp.map(at),
            is_append_time: record.is_append_time,
            key: record.key.as_deref(),
            value: record.value.as_deref(),
        };
        match self.0.process(&record, at(now)) {
            Ok(outcome) => outcome_text(outcome).to_owned(),
            Err(bad) => bad_text(&bad),
        }
    }

    pub(crate) fn commit(&mut self, now: i64) -> Committed {
        let mut lines: Vec<String> = self.0.take_aggregates(at(now)).iter().map(aggregate_text).collect();
        // The order within one commit is not a rule.
        lines.sort();
        lines.extend(self.0.take_removed().iter().map(|series| format!("removed series {series}")));
        let Events { joined, left, silent, expired } = self.0.take_events();
        for (count, event) in [(joined, "joined"), (left, "left"), (silent, "silent"), (expired, "expired")] {
            if count > 0 {
                lines.push(format!("{event} {count}"));
            }
        }
        let mut rows = Vec::new();
        self.0.take_rows(|key, value| rows.push((key.to_owned(), value)));
        Committed { lines, rows, position: self.0.position().0 }
    }

    /// Puts back the rows of a changelog.
    pub(crate) fn restore(&mut self, rows: &[StoredRow], position: i64) -> Result<(), String> {
        for (key, value) in rows {
            self.0.load(key, value.as_deref()).map_err(|error| match error {
                StateRowError::Counters(bad) => bad_text(&bad),
                error => format!("error: {error}"),
            })?;
        }
        self.0.set_position(Offset(position));
        Ok(())
    }

    /// Describes all rows, sorted by key, and how many series and live runs there are.
    pub(crate) fn rows(&self) -> Vec<String> {
        let row = |(_, key, meta, counters): (usize, &[u8], &RowMeta, usize)| row_text(key, meta, counters);
        let mut lines: Vec<String> = self.0.rows_from(0).map(row).collect();
        lines.sort();
        lines.push(format!("rows {}, series {}, live runs {}", self.0.rows(), self.0.series(), self.0.live_runs()));
        lines
    }

    pub(crate) fn position(&self) -> i64 {
        self.0.position().0
    }

    pub(crate) fn clear(&mut self, now: i64) {
        self.0.clear(at(now));
    }

    pub(crate) fn touch_rows(&mut self) {
        self.0.touch_rows();
    }
}

fn bad_text(bad: &BadRecord) -> String {
    format!("bad: {}", bad.reason())
}

fn aggregate_text(aggregate: &Aggregate) -> String {
    let Aggregate { series, kind, count, timestamp, offset, instances } = aggregate;
    let kind = match kind {
        AggregateType::Counter => "",
        AggregateType::Gauge => " (gauge)",
    };
    let time = since_start(*timestamp);
    format!("{series} {count}{kind} instances {instances} offset {offset} at {time}")
}

fn row_text(key: &[u8], meta: &RowMeta, counters: usize) -> String {
    let RowMeta { kind, live, last_seen, offset, .. } = meta;
    let kind = match kind {
        RowKind::Run { seq, .. } => format!("seq {seq}"),
        RowKind::Plain { base, timestamp, declared } => {
            let time = |word, time: Option<Millis>| time.map(|time| format!(" {word} {}", since_start(time)));
            let Declared { start, previous, expires } = declared.as_deref().copied().unwrap_or_default();
            let previous = previous.map(|life| format!(" previous {} since {}", life.count, since_start(life.start)));
            let expires = expires.then(|| " expires".to_owned());
            let details = [time("at", *timestamp), time("start", start), previous, expires];
            format!("base {base}{}", details.into_iter().flatten().collect::<String>())
        }
    };
    let live = if *live { "live" } else { "not live" };
    let (key, last_seen) = (key_text(key), since_start(*last_seen));
    format!("{key}: {kind}, counters {counters}, offset {offset}, last seen {last_seen}, {live}")
}

/// The moment that a scenario writes as this many ms after its start.
fn at(ms: i64) -> Millis {
    Millis(START_MS + ms)
}

fn since_start(moment: Millis) -> String {
    duration_text(moment.0 - START_MS)
}

/// Describes a record of the changelog that is no row.
pub(crate) fn state_text(key: &[u8], value: &[u8]) -> Option<String> {
    let unreadable = |error: StateRowError| format!("unreadable: {error}");
    let text = match StateKey::decode(key) {
        StateKey::Row(_) | StateKey::Position => return None,
        StateKey::Clock => StateClock::decode(value).map(|StateClock { log_time, horizon, .. }| {
            let horizon = horizon.map_or_else(String::new, |horizon| format!(", horizon {}", since_start(horizon)));
            format!("log time {}{horizon}", duration_text(log_time.0))
        }),
        StateKey::Retired(series) => StateRetired::decode(value).map(|StateRetired { sum, rows }| {
            let RetiredSum::Counter(sum) = sum;
            format!("retired {series} {sum} of {rows} rows")
        }),
        StateKey::Marker(key) => StateMarker::decode(value).map(|StateMarker { began, seq, log_time }| {
            let began = began.map_or_else(|| "unknown".to_owned(), since_start);
            format!(
                "marker {}: began {began}, seq {seq}, expired at log time {}",
                key_text(key),
                duration_text(log_time.0)
            )
        }),
    };
    Some(text.unwrap_or_else(unreadable))
}
