//! The small parts of a scenario's text: times, keys, counters, records.

use quipu_record::Series;
use serde_json::{Map, Value, json};

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

/// The first digits of the UUID of every run; the last twelve digits are the number of the run.
const RUN: &str = "01920000-0000-7000-8000-";

fn run_uuid(number: u64) -> String {
    format!("{RUN}{number:012}")
}

/// A key as a scenario writes it: `app-1 run 2 part 1` for that of a run.
pub(crate) fn key_text(key: &[u8]) -> String {
    let key = String::from_utf8_lossy(key);
    let Some((instance, run)) = key.split_once(&format!("/{RUN}")) else { return key.into_owned() };
    let (run, part) = run.split_once('/').map_or((run, String::new()), |(run, part)| (run, format!(" part {part}")));
    format!("{instance} run {}{part}", run.trim_start_matches('0'))
}

/// `report app-1 run 1 seq 3: done 2`
pub(crate) fn report(text: &str, now: i64) -> Result<Logged, String> {
    let (head, counters) = head_and_counters(text, now)?;
    let seq = head.seq.ok_or("a report needs `seq N`")?;
    let run = head.run.ok_or("a report needs `run N`")?;
    let counters: Vec<Value> = counters
        .iter()
        .map(|(series, count)| json!({"name": series.name(), "labels": labels(series), "value": count}))
        .collect();
    let value = json!({
        "v": 1, "instance": head.name, "run": run_uuid(run), "at": START_MS + now, "seq": seq, "interval_ms": 1000,
        "final": head.is_final, "counters": counters,
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
    });
    Ok(head.logged(Some(value.to_string().into_bytes())))
}

/// `tombstone app-1.done`
pub(crate) fn tombstone(text: &str, now: i64) -> Result<Logged, String> {
    Ok(Head::parse(text, now)?.logged(None))
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
    Ok(Logged { key: raw(key)?, value: raw(value.trim())?, timestamp: Some(now) })
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
            Some(("run", run)) => bytes.extend_from_slice(run_uuid(number(run)?).as_bytes()),
            Some((times, text)) if text.starts_with("x ") => bytes.extend(text[2..].repeat(number(times)?).bytes()),
            _ => return Err(format!("<{token}> is unknown")),
        }
        rest = after;
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(Some(bytes))
}

/// What stands before the colon: whose record it is, and its options.
struct Head<'a> {
    name: &'a str,
    run: Option<u64>,
    part: u32,
    seq: Option<u64>,
    is_final: bool,
    /// The timestamp in a plain record's payload.
    at: Option<i64>,
    /// The timestamp of the record.
    timestamp: Option<i64>,
}

impl<'a> Head<'a> {
    fn parse(text: &'a str, now: i64) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let name = words.next().ok_or("the key is missing")?;
        let mut head = Self { name, run: None, part: 0, seq: None, is_final: false, at: None, timestamp: Some(now) };
        while let Some(option) = words.next() {
            if option == "final" {
                head.is_final = true;
                continue;
            }
            let value = words.next().ok_or_else(|| format!("`{option}` has no value"))?;
            match option {
                "run" => head.run = Some(number(value)?),
                "part" => head.part = number(value)?,
                "seq" => head.seq = Some(number(value)?),
                "at" => head.at = Some(duration(value)?),
                "logged" if value == "never" => head.timestamp = None,
                "logged" => head.timestamp = Some(duration(value)?),
                _ => return Err(format!("`{option}` is unknown")),
            }
        }
        Ok(head)
    }

    fn logged(&self, value: Option<Vec<u8>>) -> Logged {
        let run = self.run.map(|run| format!("/{}", run_uuid(run))).unwrap_or_default();
        let part = if self.part == 0 { String::new() } else { format!("/{}", self.part) };
        let key = format!("{}{run}{part}", self.name);
        Logged { key: Some(key.into_bytes()), value, timestamp: self.timestamp }
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
