use std::collections::BTreeMap;

use proptest::prelude::*;

use super::topics::report;
use super::{OTHER, RUN};

const KEYS: [&str; 6] = [RUN, "app-1/01920000-0000-7000-8000-000000000001/1", OTHER, "k", "l", "m"];
pub(super) const NAMES: [&str; 3] = ["a", "b", "c"];

/// A record as it was meant, before it is bytes.
#[derive(Debug, Clone)]
pub(super) enum Meant {
    Tombstone,
    Garbage,
    Report { seq: u64, counters: Vec<(&'static str, u64)> },
    Plain { name: &'static str, count: u64, timestamp: Option<i64> },
}

fn counter() -> impl Strategy<Value = (&'static str, u64)> {
    (0..NAMES.len(), 0..8_u64).prop_map(|(name, value)| (NAMES[name], value))
}

pub(super) fn records() -> impl Strategy<Value = Vec<(usize, Meant)>> {
    let report =
        (0..9_u64, prop::collection::vec(counter(), 0..4)).prop_map(|(seq, counters)| Meant::Report { seq, counters });
    let ordinary = (0..9_u64, 0..12_u64).prop_map(|(seq, value)| Meant::Report { seq, counters: vec![("a", value)] });
    let plain = (counter(), prop::option::of(1_i64..5)).prop_map(|((name, count), timestamp)| Meant::Plain {
        name,
        count,
        timestamp,
    });
    let plain_again = (0..12_u64).prop_map(|count| Meant::Plain { name: "b", count, timestamp: None });
    let meant = prop_oneof![
        1 => Just(Meant::Tombstone),
        1 => Just(Meant::Garbage),
        3 => report,
        4 => ordinary,
        3 => plain,
        4 => plain_again,
    ];
    prop::collection::vec((0..KEYS.len(), meant), 1..60)
}

pub(super) fn encode((key, meant): &(usize, Meant)) -> (String, Option<Vec<u8>>) {
    let value = match meant {
        Meant::Tombstone => None,
        Meant::Garbage => Some(b"?".to_vec()),
        // Under a plain key it is bad.
        Meant::Report { seq, counters } => Some(report(if *key < 3 { KEYS[*key] } else { RUN }, *seq, counters)),
        Meant::Plain { name, count, timestamp } => {
            let timestamp = timestamp.map(|at| format!(r#","timestamp":{at}"#)).unwrap_or_default();
            Some(format!(r#"{{"name":"{name}","count":{count}{timestamp}}}"#).into_bytes())
        }
    };
    (KEYS[*key].to_owned(), value)
}

/// The totals after these records, by the most plain-minded reading of the contract: nothing is kept between records
/// but what was counted, and the sums are made anew.
pub(super) fn totals(records: &[(usize, Meant)]) -> BTreeMap<&'static str, i128> {
    let mut runs = BTreeMap::<usize, (u64, BTreeMap<&str, u64>)>::new();
    let mut plain = BTreeMap::<usize, (&str, Vec<u64>, Option<i64>)>::new();
    for (key, meant) in records {
        match meant {
            Meant::Tombstone => {
                runs.remove(key);
                plain.remove(key);
            }
            Meant::Report { seq, counters } if *key < 3 => {
                let new: BTreeMap<_, _> = counters.iter().copied().collect();
                let (last, old) = runs.entry(*key).or_default();
                let grows = old.iter().all(|(name, value)| new.get(name).is_some_and(|new| new >= value));
                if seq >= last && grows && new.len() == counters.len() {
                    (*last, *old) = (*seq, new);
                } else if old.is_empty() && *last == 0 {
                    runs.remove(key);
                }
            }
            Meant::Plain { name, count, timestamp } if *key >= 3 => {
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
            // Bad, or under a key of the other kind.
            Meant::Garbage | Meant::Report { .. } | Meant::Plain { .. } => {}
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
