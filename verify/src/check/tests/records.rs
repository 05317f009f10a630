use std::collections::BTreeMap;

use proptest::prelude::*;

use super::topics::report;
use super::{OTHER, RUN};

const KEYS: [&str; 6] = [RUN, "app-1/01920000-0000-7000-8000-000000000001/1", OTHER, "k", "l", "m"];
pub(super) const NAMES: [&str; 3] = ["a", "b", "c"];

/// A record before it is encoded.
#[derive(Debug, Clone)]
pub(super) enum Draft {
    Tombstone,
    Garbage,
    Report { seq: u64, counters: Vec<(&'static str, u64)> },
    Plain { name: &'static str, count: u64, timestamp: Option<i64> },
}

fn counter() -> impl Strategy<Value = (&'static str, u64)> {
    (0..NAMES.len(), 0..8_u64).prop_map(|(name, value)| (NAMES[name], value))
}

pub(super) fn records() -> impl Strategy<Value = Vec<(usize, Draft)>> {
    let report =
        (0..9_u64, prop::collection::vec(counter(), 0..4)).prop_map(|(seq, counters)| Draft::Report { seq, counters });
    let ordinary = (0..9_u64, 0..12_u64).prop_map(|(seq, value)| Draft::Report { seq, counters: vec![("a", value)] });
    let plain = (counter(), prop::option::of(1_i64..5)).prop_map(|((name, count), timestamp)| Draft::Plain {
        name,
        count,
        timestamp,
    });
    let plain_again = (0..12_u64).prop_map(|count| Draft::Plain { name: "b", count, timestamp: None });
    let draft = prop_oneof![
        1 => Just(Draft::Tombstone),
        1 => Just(Draft::Garbage),
        3 => report,
        4 => ordinary,
        3 => plain,
        4 => plain_again,
    ];
    prop::collection::vec((0..KEYS.len(), draft), 1..60)
}

pub(super) fn encode((key, draft): &(usize, Draft)) -> (String, Option<Vec<u8>>) {
    let value = match draft {
        Draft::Tombstone => None,
        Draft::Garbage => Some(b"?".to_vec()),
        // Under a plain key a report is a bad record.
        Draft::Report { seq, counters } => Some(report(if *key < 3 { KEYS[*key] } else { RUN }, *seq, counters)),
        Draft::Plain { name, count, timestamp } => {
            let timestamp = timestamp.map(|at| format!(r#","timestamp":{at}"#)).unwrap_or_default();
            Some(format!(r#"{{"name":"{name}","count":{count}{timestamp}}}"#).into_bytes())
        }
    };
    (KEYS[*key].to_owned(), value)
}

/// The totals after these records, computed as simply as possible: only the counts are kept between records, and the
/// sums are computed from scratch.
pub(super) fn totals(records: &[(usize, Draft)]) -> BTreeMap<&'static str, i128> {
    let mut runs = BTreeMap::<usize, (u64, BTreeMap<&str, u64>)>::new();
    let mut plain = BTreeMap::<usize, (&str, Vec<u64>, Option<i64>)>::new();
    for (key, draft) in records {
        match draft {
            Draft::Tombstone => {
                runs.remove(key);
                plain.remove(key);
            }
            Draft::Report { seq, counters } if *key < 3 => {
                let new: BTreeMap<_, _> = counters.iter().copied().collect();
                let (last, old) = runs.entry(*key).or_default();
                let grows = old.iter().all(|(name, value)| new.get(name).is_some_and(|new| new >= value));
                if seq >= last && grows && new.len() == counters.len() {
                    (*last, *old) = (*seq, new);
                } else if old.is_empty() && *last == 0 {
                    runs.remove(key);
                }
            }
            Draft::Plain { name, count, timestamp } if *key >= 3 => {
                let (counts, (first, lives, last)) = (*count, plain.entry(*key).or_insert((*name, vec![0], None)));
                let restarted = lives.last().is_some_and(|life| counts < *life);
                let newer = last.is_none() || timestamp.is_none() || *timestamp > *last;
                if name != first || restarted && !newer {
                    continue;
                }
                if restarted {
                    lives.push(0);
                }
                if let Some(life) = lives.last_mut() {
                    *life = counts;
                }
                *last = *timestamp;
            }
            // These records are bad, or their key is of the other kind.
            Draft::Garbage | Draft::Report { .. } | Draft::Plain { .. } => {}
        }
    }
    let mut totals = BTreeMap::new();
    for (_, counters) in runs.values() {
        for (name, value) in counters {
            *totals.entry(*name).or_default() += i128::from(*value);
        }
    }
    for (name, lives, _) in plain.values() {
        *totals.entry(*name).or_default() += lives.iter().map(|life| i128::from(*life)).sum::<i128>();
    }
    totals
}
