use quipu_record::{Key, RunKey};

/// How many runs report, and how many came and went since this was last asked.
///
/// A run counts by its part 0, which has a heartbeat. A plain counter has none: nobody can tell its silence from idleness.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    live: usize,
    events: Events,
}

/// How many runs came and went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Events {
    /// They reported for the first time, or again after a silence.
    pub joined: usize,
    /// They said their final report, or their row was removed.
    pub left: usize,
    /// No report came for the instance timeout.
    pub silent: usize,
}

/// Why a row is no longer live.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Gone {
    Left,
    Silent,
    /// It fell silent while no process looked, or one that told it: an old story told at each start.
    Unnoticed,
}

impl Presence {
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// The row of `key` became live.
    pub(crate) fn joined(&mut self, key: &[u8]) {
        if is_run(key) {
            self.live += 1;
            self.events.joined += 1;
        }
    }

    /// The row of `key` is live no longer.
    pub(crate) fn gone(&mut self, key: &[u8], why: Gone) {
        if is_run(key) {
            self.live = self.live.saturating_sub(1);
            match why {
                Gone::Left => self.events.left += 1,
                Gone::Silent => self.events.silent += 1,
                Gone::Unnoticed => {}
            }
        }
    }

    pub(crate) fn take_events(&mut self) -> Events {
        std::mem::take(&mut self.events)
    }
}

fn is_run(key: &[u8]) -> bool {
    matches!(Key::decode(Some(key)), Ok(Key::Run(RunKey { part: 0, .. })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::{Settings, SourceRecord, Topology};

    const RUN: &str = "app-1/01920000-0000-7000-8000-000000000001";
    const TIMEOUT: i64 = 1000;

    fn topology() -> Topology {
        Topology::new(Settings {
            instance_timeout_ms: TIMEOUT,
            refresh_interval_ms: 1_000_000,
            max_rows: 9,
            max_series: 9,
            audits: Vec::new(),
        })
    }

    /// Processes a run's report, the number of which is its offset too.
    fn report(topology: &mut Topology, key: &str, seq: i64, now: i64, is_final: bool) {
        let run = &key[6..42];
        let value = format!(
            r#"{{"v":1,"instance":"app-1","run":"{run}","at":{now},"seq":{seq},"interval_ms":1000,"final":{is_final},"counters":[]}}"#
        );
        process(topology, key, Some(&value), seq, now);
    }

    fn process(topology: &mut Topology, key: &str, value: Option<&str>, offset: i64, now: i64) {
        let value = value.map(str::as_bytes);
        let record = SourceRecord { offset, timestamp: Some(now), key: Some(key.as_bytes()), value };
        topology.process(&record, now).expect("a good record");
    }

    fn seen(topology: &mut Topology, now: i64) -> (usize, [usize; 3]) {
        topology.take_aggregates(now);
        let Events { joined, left, silent } = topology.take_events();
        (topology.live_runs(), [joined, left, silent])
    }

    #[test]
    fn runs_join_fall_silent_return_and_leave() {
        let mut topology = topology();
        report(&mut topology, RUN, 1, 0, false);
        assert_eq!(seen(&mut topology, 0), (1, [1, 0, 0]));
        report(&mut topology, RUN, 2, 500, false);
        assert_eq!(seen(&mut topology, 500 + TIMEOUT), (1, [0, 0, 0]));
        assert_eq!(seen(&mut topology, 501 + TIMEOUT), (0, [0, 0, 1]));
        report(&mut topology, RUN, 3, 5000, false);
        assert_eq!(seen(&mut topology, 5000), (1, [1, 0, 0]));
        report(&mut topology, RUN, 4, 5001, true);
        assert_eq!(seen(&mut topology, 9000), (0, [0, 1, 0]));
        process(&mut topology, RUN, None, 5, 9000);
        assert_eq!(seen(&mut topology, 9000), (0, [0, 0, 0]));
    }

    #[test]
    fn parts_and_plain_counters_are_no_runs() {
        let mut topology = topology();
        report(&mut topology, &format!("{RUN}/1"), 1, 0, false);
        process(&mut topology, "plain", Some(r#"{"name":"n","count":1}"#), 2, 0);
        assert_eq!(seen(&mut topology, 0), (0, [0, 0, 0]));
        assert_eq!(seen(&mut topology, 10_000), (0, [0, 0, 0]));
    }

    #[test]
    fn what_a_process_before_has_told_is_not_told_again() {
        let mut before = topology();
        report(&mut before, RUN, 1, 0, false);
        let mut rows = Vec::new();
        before.take_rows(|key, value| rows.push((key.to_owned(), value)));
        for (now, expected) in [(TIMEOUT, (1, [0, 0, 0])), (TIMEOUT + 1, (0, [0, 0, 0]))] {
            let mut after = topology();
            for (key, value) in &rows {
                after.restore(key, value.as_deref()).expect("a row");
            }
            assert_eq!(seen(&mut after, now), expected);
        }
    }
}
