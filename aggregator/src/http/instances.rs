//! The rows of the table.

use axum::http::Uri;
use quipu_record::{Key, Millis, Offset, RunKey};
use quipu_topology::{RowKind, RowMeta, Topology};
use serde::Serialize;

use super::parameters::Parameters;
use super::query::QueryError;

/// Which rows are wanted.
#[derive(Debug)]
pub(super) struct InstancesQuery {
    /// The most rows in the answer.
    limit: usize,
    /// Where to begin: `next` of the page before.
    after: Option<usize>,
}

impl InstancesQuery {
    pub(super) fn read(uri: &Uri) -> Result<Self, QueryError> {
        let parameters = Parameters::read(uri, &["limit", "after"])?;
        Ok(Self { limit: parameters.limit()?, after: parameters.after_row()? })
    }
}

#[derive(Debug, Serialize)]
pub(super) struct InstancesAnswer {
    /// The next source offset to be applied; the last commit may be behind it.
    position: Offset,
    instances: Vec<RowAnswer>,
    /// Where the next page begins, if there is one.
    next: Option<usize>,
}

/// A row: (a part of) a run, or a plain counter.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct RowAnswer {
    /// The key of its records.
    key: String,
    /// What the user calls it; nothing for a plain counter.
    instance: Option<String>,
    /// The UUID of its run; nothing for a plain counter.
    run: Option<String>,
    /// Which part of the run's counters it has, from 0 on; nothing for a plain counter.
    part: Option<u32>,
    /// Whether it contributes to `instances`: the run is live.
    live: bool,
    /// Event time of its newest record, in ms since 1970.
    last_seen: Millis,
    /// The offset of that record.
    offset: Offset,
    /// The number of that report within its run.
    seq: Option<u64>,
    /// How many series it counts.
    counters: usize,
}

pub(super) fn instances(topology: &Topology, query: &InstancesQuery) -> InstancesAnswer {
    let mut rows = topology.rows_from(query.after.map_or(0, |after| after.saturating_add(1)));
    let (mut instances, mut last) = (Vec::new(), None);
    for (number, key, meta, counters) in rows.by_ref().take(query.limit) {
        instances.push(instance(key, meta, counters));
        last = Some(number);
    }
    let next = rows.next().and(last);
    InstancesAnswer { position: topology.position(), instances, next }
}

fn instance(key: &[u8], meta: &RowMeta, counters: usize) -> RowAnswer {
    let run = match Key::decode(Some(key)) {
        Ok(Key::Run(run)) => Some(run),
        _ => None,
    };
    let RowMeta { kind, live, last_seen, offset, .. } = meta;
    RowAnswer {
        key: String::from_utf8_lossy(key).into_owned(),
        instance: run.map(|RunKey { instance, .. }| instance.to_owned()),
        run: run.map(|run| run.run.to_string()),
        part: run.map(|run| run.part),
        live: *live,
        last_seen: *last_seen,
        offset: *offset,
        seq: match kind {
            RowKind::Run { seq, .. } => Some(*seq),
            RowKind::Plain { .. } => None,
        },
        counters,
    }
}

#[cfg(test)]
mod tests {
    use quipu_topology::{Retention, Settings, SourceRecord};

    use super::*;

    #[test]
    fn rows_come_in_pages() {
        let settings = Settings {
            instance_timeout: Millis(1000),
            refresh_interval: Millis(1000),
            retention: Retention::default(),
            max_rows: 9,
            max_series: 9,
            audits: Vec::new(),
        };
        let mut topology = Topology::new(settings);
        for (offset, key) in (0..).zip(["a", "b", "c"]) {
            let value = Some(&br#"{"name":"n","count":1}"#[..]);
            let (timestamp, key) = (Some(Millis(5)), Some(key.as_bytes()));
            let record = SourceRecord { offset: Offset(offset), timestamp, is_append_time: true, key, value };
            topology.process(&record, Millis(5)).expect("a counter");
        }
        let page = |after| instances(&topology, &InstancesQuery { limit: 2, after });
        let first = page(None);
        assert_eq!((first.instances.len(), first.next, first.position), (2, Some(1), Offset(3)));
        let rest = page(Some(1));
        assert_eq!(rest.next, None);
        let expected = RowAnswer {
            key: "c".into(),
            instance: None,
            run: None,
            part: None,
            live: true,
            last_seen: Millis(5),
            offset: Offset(2),
            seq: None,
            counters: 1,
        };
        assert_eq!(rest.instances, [expected]);
    }

    #[test]
    fn a_run_has_its_instance_and_part() {
        let key = b"app/1/01920000-0000-7000-8000-000000000001/2";
        let kind = RowKind::Run { seq: 7, parts: 3, is_final: false, is_rebased: false };
        let (last_seen, log_time, offset) = (Millis(1), Millis(0), Offset(2));
        let meta = RowMeta { kind, live: false, last_seen, log_time, offset };
        let row = instance(key, &meta, 3);
        assert_eq!((row.instance.as_deref(), row.part, row.seq), (Some("app/1"), Some(2), Some(7)));
    }
}
