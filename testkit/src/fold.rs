//! A log as data, before it is encoded.

use quipu_record::{ForgetSeries, Millis};
use uuid::Uuid;

/// A record of the log before it is encoded.
#[derive(Debug, Clone)]
pub enum LogRecord {
    Report { run: usize, part: usize, parts: u32, seq: u64, is_final: bool, counters: Vec<(usize, u64)> },
    Plain { key: usize, series: usize, count: u64, timestamp: Option<i64>, declared: Declared },
    Tombstone { key: String },
    Forget { id: u128, series: usize },
    Bad { key: String, value: &'static str },
}

/// What a plain record declares.
#[derive(Debug, Clone, Copy, Default)]
pub struct Declared {
    pub start: Option<i64>,
    pub is_baseline: bool,
    pub expires: bool,
}

#[derive(Debug, Clone)]
pub struct Logged {
    pub timestamp: i64,
    pub record: LogRecord,
}

pub const SERIES: [&str; 5] = ["sent", "done", "done{topic=\"auth\"}", "{\"odd name\"}", "e"];

/// The time in the id of run 0.
pub const FIRST_RUN: Millis = Millis(0x0192_0000_0000);

/// When a run began, by the time in its id. The clock of run 5 is ahead.
pub fn began(run: usize) -> Millis {
    const MINUTES: [i64; 6] = [0, 1, 2, 5, 30, 300];
    let later = i64::try_from(run / MINUTES.len()).expect("few runs");
    FIRST_RUN.saturating_add(Millis((MINUTES[run % MINUTES.len()] + later) * 60_000))
}

fn run_id(run: usize) -> String {
    let time = format!("{:012x}", began(run).0);
    format!("{}-{}-7000-8000-{run:012}", &time[..8], &time[8..])
}

pub fn run_key(run: usize, part: usize) -> String {
    // Three instances of two runs each.
    let suffix = if part == 0 { String::new() } else { format!("/{part}") };
    format!("app-{}/{}{suffix}", run / 2, run_id(run))
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
            Self::Forget { .. } => String::from_utf8_lossy(&self.key_bytes()).into_owned(),
        }
    }

    /// The record's key as it is on the log.
    pub fn key_bytes(&self) -> Vec<u8> {
        match self {
            Self::Forget { id, .. } => ForgetSeries::key(Uuid::from_u128(*id)),
            _ => self.key().into_bytes(),
        }
    }

    pub fn value(&self) -> Option<String> {
        match self {
            Self::Report { run, parts, seq, is_final, counters, .. } => {
                let counters: Vec<_> = counters
                    .iter()
                    .map(|(series, value)| format!("{{{}}}", counter_json(*series, "value", *value)))
                    .collect();
                Some(format!(
                    r#"{{"v":1,"instance":"app-{}","run":"{}","at":0,"seq":{seq},"interval_ms":1000,"parts":{parts},"final":{is_final},"counters":[{}]}}"#,
                    run / 2,
                    run_id(*run),
                    counters.join(",")
                ))
            }
            Self::Plain { series, count, timestamp, declared: Declared { start, is_baseline, expires }, .. } => {
                let time =
                    |name, time: &Option<i64>| time.map_or_else(String::new, |time| format!(r#","{name}":{time}"#));
                let (timestamp, start) = (time("timestamp", timestamp), time("start", start));
                let declared = format!(r#"{start},"baseline":{is_baseline},"expires":{expires}"#);
                Some(format!("{{{}{timestamp}{declared}}}", counter_json(*series, "count", *count)))
            }
            Self::Forget { series, .. } => {
                let series = SERIES[*series].parse().expect("a series");
                Some(String::from_utf8(ForgetSeries { series }.to_json()).expect("JSON"))
            }
            Self::Tombstone { .. } => None,
            Self::Bad { value, .. } => Some((*value).to_owned()),
        }
    }
}
