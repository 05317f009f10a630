//! A log as data, before it is encoded, and the oracle: a plain fold over such a log.

use std::collections::BTreeMap;

/// A record of the log before it is encoded.
#[derive(Debug, Clone)]
pub enum LogRecord {
    Report { run: usize, part: usize, seq: u64, is_final: bool, counters: Vec<(usize, u64)> },
    Plain { key: usize, series: usize, count: u64, timestamp: Option<i64> },
    Tombstone { key: String },
    Bad { key: String, value: &'static str },
}

#[derive(Debug, Clone)]
pub struct Logged {
    pub timestamp: i64,
    pub record: LogRecord,
}

pub const SERIES: [&str; 5] = ["sent", "done", "done{topic=\"auth\"}", "{\"odd name\"}", "e"];

pub fn run_key(run: usize, part: usize) -> String {
    // Three instances of two runs each.
    let suffix = if part == 0 { String::new() } else { format!("/{part}") };
    format!("app-{}/01920000-0000-7000-8000-{run:012}{suffix}", run / 2)
}

pub fn plain_key(key: usize) -> String {
    format!("plain-{key}")
}

fn counter_json(series: usize, field: &str, value: u64) -> String {
    let (name, labels) = match series {
        2 => ("done", r#""labels":{"topic":"auth"},"#),
        3 => ("odd name", ""),
        _ => (SERIES[series], ""),
    };
    format!(r#""name":"{name}",{labels}"{field}":{value}"#)
}

impl LogRecord {
    pub fn key(&self) -> String {
        match self {
            Self::Report { run, part, .. } => run_key(*run, *part),
            Self::Plain { key, .. } => plain_key(*key),
            Self::Tombstone { key } | Self::Bad { key, .. } => key.clone(),
        }
    }

    pub fn value(&self) -> Option<String> {
        match self {
            Self::Report { run, seq, is_final, counters, .. } => {
                let counters: Vec<_> = counters
                    .iter()
                    .map(|(series, value)| format!("{{{}}}", counter_json(*series, "value", *value)))
                    .collect();
                Some(format!(
                    r#"{{"v":1,"instance":"app-{}","run":"01920000-0000-7000-8000-{run:012}","at":0,"seq":{seq},"interval_ms":1000,"final":{is_final},"counters":[{}]}}"#,
                    run / 2,
                    counters.join(",")
                ))
            }
            Self::Plain { series, count, timestamp, .. } => {
                let timestamp = timestamp.map_or_else(String::new, |timestamp| format!(r#","timestamp":{timestamp}"#));
                Some(format!("{{{}{timestamp}}}", counter_json(*series, "count", *count)))
            }
            Self::Tombstone { .. } => None,
            Self::Bad { value, .. } => Some((*value).to_owned()),
        }
    }
}

/// A row of the oracle.
#[derive(Debug, Clone, PartialEq)]
pub struct OracleRow {
    pub counters: BTreeMap<usize, u64>,
    pub base: u128,
    seq: u64,
    plain_timestamp: Option<i64>,
    pub is_final: bool,
    pub last_seen: i64,
}

/// The result of a log: the latest valid record of every key, and the bases of plain rows.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Oracle {
    pub rows: BTreeMap<String, OracleRow>,
    pub bad: usize,
}

impl<'a> FromIterator<&'a Logged> for Oracle {
    fn from_iter<I: IntoIterator<Item = &'a Logged>>(log: I) -> Self {
        let mut oracle = Self::default();
        for logged in log {
            oracle.push(logged);
        }
        oracle
    }
}

impl Oracle {
    pub fn push(&mut self, Logged { timestamp, record }: &Logged) {
        let Self { rows, bad } = self;
        let key = record.key();
        let before = rows.get(&key);
        match record {
            LogRecord::Report { seq, is_final, counters, .. } => {
                let last_seen = before.map_or(*timestamp, |row| row.last_seen.max(*timestamp));
                let new: BTreeMap<_, _> = counters.iter().copied().collect();
                if before.is_some_and(|row| *seq < row.seq) {
                    return;
                }
                let follows = before.is_none_or(|row| {
                    row.counters.iter().all(|(series, count)| new.get(series).is_some_and(|after| after >= count))
                });
                if new.len() < counters.len() || !follows {
                    *bad += 1;
                    return;
                }
                let row = OracleRow {
                    counters: new,
                    base: 0,
                    seq: *seq,
                    plain_timestamp: None,
                    is_final: *is_final,
                    last_seen,
                };
                rows.insert(key, row);
            }
            LogRecord::Plain { series, count, timestamp: reported_at, .. } => {
                let mut base = 0;
                let mut last_seen = *timestamp;
                if let Some(row) = before {
                    let Some(counted) = row.counters.get(series) else {
                        *bad += 1;
                        return;
                    };
                    base = row.base;
                    last_seen = last_seen.max(row.last_seen);
                    if count < counted {
                        if let (Some(before), Some(after)) = (row.plain_timestamp, reported_at)
                            && after <= &before
                        {
                            return;
                        }
                        base += u128::from(*counted);
                    }
                }
                let counters = [(*series, *count)].into();
                rows.insert(
                    key,
                    OracleRow { counters, base, seq: 0, plain_timestamp: *reported_at, is_final: false, last_seen },
                );
            }
            LogRecord::Tombstone { .. } => {
                rows.remove(&key);
            }
            LogRecord::Bad { .. } => *bad += 1,
        }
    }
}
