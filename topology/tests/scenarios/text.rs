//! The small parts of a scenario's text: times, keys, counters, records.

use quipu_record::{ForgetSeries, Key, RunKey, Series, StateKey};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::core::{Logged, START_MS};

/// Reads `12s` or `1500ms`, in ms.
pub(crate) fn duration(text: &str) -> Result<i64, String> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1),
        None => (text.strip_suffix('s').unwrap_or(text), 1000),
    };
    let number: i64 = number.parse().map_err(|_| format!("{text:?} is not a time such as 12s or 1500ms"))?;
    Ok(number * unit)
}

pub(crate) fn duration_text(ms: i64) -> String {
    if ms % 1000 == 0 { format!("{}s", ms / 1000) } else { format!("{ms}ms") }
}

pub(crate) fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("{text:?} is not a number"))
}

/// The id of a run: a UUID of version 7 with the time at which the run began, in ms after the start of the scenario, and
/// the number of the run in its last twelve digits.
fn run_uuid(number: u64, began: i64) -> String {
    let time = format!("{:012x}", START_MS + began);
    format!("{}-{}-7000-8000-{number:012}", &time[..8], &time[8..])
}

/// A key as a scenario writes it: `app-1 run 2 part 1` for that of a run.
pub(crate) fn key_text(key: &[u8]) -> String {
    match StateKey::decode(key) {
        StateKey::Row(_) => {}
        StateKey::Position => return "position".to_owned(),
        StateKey::Clock => return "clock".to_owned(),
        StateKey::Retired(series) => return format!("retired {series}"),
        StateKey::Marker(key) => return format!("marker {}", key_text(key)),
    }
    let Ok(Key::Run(RunKey { instance, run, part })) = Key::decode(Some(key)) else {
        return String::from_utf8_lossy(key).into_owned();
    };
    let part = if part == 0 { String::new() } else { format!(" part {part}") };
    let id = run.to_string();
    format!("{instance} run {}{part}", id[id.len() - 12..].trim_start_matches('0'))
}

/// `report app-1 run 1 seq 3: done 2`
pub(crate) fn report(text: &str, now: i64) -> Result<Logged, String> {
    let (head, counters) = head_and_counters(text, now)?;
    let seq = head.seq.ok_or("a report needs `seq N`")?;
    let run = head.run.ok_or("a report needs `run N`")?;
    let run = run_uuid(run, head.began);
    let counters: Vec<Value> = counters
        .iter()
        .map(|(series, count)| json!({"name": series.name(), "labels": labels(series), "value": count}))
        .collect();
    let value = json!({
        "v": 1, "instance": head.name, "run": run, "at": START_MS + now, "seq": seq, "interval_ms": 1000,
        "parts": head.parts, "final": head.is_final, "counters": counters,
    });
    Ok(head.logged(Some(value.to_string().into_bytes())))
}

/// `plain app-1.done at 12s: done 5`
pub(crate) fn plain(text: &str, now: i64) -> Result<Logged, String> {
    let (head, counters) = head_and_counters(text, now)?;
    let [(series, count)] = &*counters else { return Err("a plain record has one counter".to_owned()) };
    let timestamp = head.at.map(|at| START_MS + at);
    let value = json!({
        "type": "COUNTER", "name": series.name(), "labels": labels(series), "count": count, "timestamp": timestamp,
        "start": head.start.map(|start| START_MS + start), "baseline": head.is_baseline, "expires": head.expires,
    });
    Ok(head.logged(Some(value.to_string().into_bytes())))
}

/// `tombstone app-1.done`
pub(crate) fn tombstone(text: &str, now: i64) -> Result<Logged, String> {
    Ok(Head::parse(text, now)?.logged(None))
}

/// `forget done{topic="auth"}`
pub(crate) fn forget(text: &str, now: i64) -> Result<Logged, String> {
    let series = text.parse().map_err(|error| format!("{text:?}: {error}"))?;
    let id = Uuid::from_u128(u128::try_from(now).map_err(|error| error.to_string())?);
    let value = Some(ForgetSeries { series }.to_json());
    Ok(Logged { key: Some(ForgetSeries::key(id)), value, timestamp: Some(now), is_append_time: true })
}

/// `record KEY VALUE`
pub(crate) fn record(text: &str, now: i64) -> Result<Logged, String> {
    // A key has no space, except within `<…>`.
    let mut depth = 0;
    let end = text.find(|c| {
        depth += i32::from(c == '<') - i32::from(c == '>');
        c == ' ' && depth == 0
    });
    let (key, value) = text.split_at(end.ok_or("a record needs a key and a value")?);
    Ok(Logged { key: raw(key)?, value: raw(value.trim())?, timestamp: Some(now), is_append_time: true })
}

/// Reads a text in which `<null>`, `<empty>`, `<byte ff>`, `<run 1>` and `<300 x a>` stand for what is hard to write.
fn raw(text: &str) -> Result<Option<Vec<u8>>, String> {
    if text == "<null>" {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        let (token, after) = after.split_once('>').ok_or("`<` has no `>`")?;
        bytes.extend_from_slice(before.as_bytes());
        match token.split_once(' ') {
            None if token == "empty" => {}
            Some(("byte", hex)) => bytes.push(u8::from_str_radix(hex, 16).map_err(|error| error.to_string())?),
            Some(("run", run)) => bytes.extend_from_slice(run_uuid(number(run)?, 0).as_bytes()),
            Some((times, text)) if text.starts_with("x ") => bytes.extend(text[2..].repeat(number(times)?).bytes()),
            _ => return Err(format!("<{token}> is unknown")),
        }
        rest = after;
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(Some(bytes))
}

/// What stands before the colon: whose record it is, and its options.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option that a scenario may write")]
struct Head<'a> {
    name: &'a str,
    run: Option<u64>,
    part: u32,
    seq: Option<u64>,
    /// How many parts the run has; 1 if that is not given.
    parts: u32,
    is_final: bool,
    /// When the run began.
    began: i64,
    /// When a plain count began at zero.
    start: Option<i64>,
    is_baseline: bool,
    expires: bool,
    /// Whether the timestamp of the record is that of its producer.
    is_created: bool,
    /// The timestamp in a plain record's payload.
    at: Option<i64>,
    /// The timestamp of the record.
    timestamp: Option<i64>,
}

impl<'a> Head<'a> {
    fn parse(text: &'a str, now: i64) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let name = words.next().ok_or("the key is missing")?;
        let mut head = Self { name, parts: 1, timestamp: Some(now), ..Self::default() };
        while let Some(option) = words.next() {
            match option {
                "final" => head.is_final = true,
                "baseline" => head.is_baseline = true,
                "expires" => head.expires = true,
                _ => head.set(option, words.next().ok_or_else(|| format!("`{option}` has no value"))?)?,
            }
        }
        Ok(head)
    }

    fn set(&mut self, option: &str, value: &str) -> Result<(), String> {
        match option {
            "run" => self.run = Some(number(value)?),
            "part" => {
                self.part = number(value)?;
                self.parts = self.parts.max(self.part + 1);
            }
            "parts" => self.parts = number(value)?,
            "began" => self.began = duration(value)?,
            "start" => self.start = Some(duration(value)?),
            "seq" => self.seq = Some(number(value)?),
            "at" => self.at = Some(duration(value)?),
            "logged" if value == "never" => self.timestamp = None,
            "logged" => self.timestamp = Some(duration(value)?),
            "created" => (self.timestamp, self.is_created) = (Some(duration(value)?), true),
            _ => return Err(format!("`{option}` is unknown")),
        }
        Ok(())
    }

    fn logged(&self, value: Option<Vec<u8>>) -> Logged {
        let run = self.run.map(|run| format!("/{}", run_uuid(run, self.began))).unwrap_or_default();
        let part = if self.part == 0 { String::new() } else { format!("/{}", self.part) };
        let key = format!("{}{run}{part}", self.name);
        Logged { key: Some(key.into_bytes()), value, timestamp: self.timestamp, is_append_time: !self.is_created }
    }
}

type Counters = Vec<(Series, u64)>;

fn head_and_counters(text: &str, now: i64) -> Result<(Head<'_>, Counters), String> {
    let (head, counters) = text.split_once(": ").unwrap_or((text, ""));
    let counters = counters.split(", ").map(str::trim).filter(|counter| !counter.is_empty()).map(|counter| {
        let (series, count) = counter.rsplit_once(' ').ok_or_else(|| format!("{counter:?} has no count"))?;
        Ok((series.parse().map_err(|error| format!("{series:?}: {error}"))?, number(count)?))
    });
    Ok((Head::parse(head, now)?, counters.collect::<Result<_, String>>()?))
}

fn labels(series: &Series) -> Map<String, Value> {
    series.labels().iter().map(|(name, value)| (name.to_string(), json!(value))).collect()
}
