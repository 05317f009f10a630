use std::collections::BTreeMap;

use proptest::prelude::*;
use quipu_tui::{ObservedSeries, RawRecord};

use super::observed::{Observed, processed};
use crate::support::synthetic::{START, report, run};

proptest! {
    /// For any reports in any order, a run's count is that of its newest report that is not bad.
    #[test]
    fn counts_are_those_of_the_newest_reports(
        reports in prop::collection::vec((0_u64..3, 0_u64..20, 0_u64..1_000, any::<bool>()), 0..60),
    ) {
        let (mut observed, of) = (Observed::new(), processed());
        let mut expected = BTreeMap::<u64, (u64, u64)>::new();
        for (instance, seq, count, is_final) in reports {
            let id = run(START, instance);
            observed.metric(report(&format!("app-{instance}"), id, seq, START, &[(&of, count)], is_final));
            let row = expected.entry(instance).or_insert((seq, count));
            if seq >= row.0 && count >= row.1 {
                *row = (seq, count);
            }
        }
        for (instance, (_, count)) in &expected {
            prop_assert_eq!(observed.count(&format!("app-{instance}"), &of), Some(u128::from(*count)));
        }
        let reporters = observed.fleet.find(&of).map_or(0, ObservedSeries::reporters);
        prop_assert_eq!(usize::try_from(reporters).ok(), Some(expected.len()));
    }

    /// No record can make the fleet panic.
    #[test]
    fn no_record_panics(
        records in prop::collection::vec(
            (any::<bool>(), any::<i64>(), prop::option::of(".{0,20}"), prop::option::of("\\PC{0,60}|[{}\":,a-z0-9]{0,60}")),
            0..20,
        ),
        now in 0..i64::MAX / 4,
    ) {
        let mut observed = Observed::new();
        observed.now = now;
        for (is_metric, timestamp, key, value) in records {
            let (key, value) = (key.map(String::into_bytes), value.map(String::into_bytes));
            let record = RawRecord { offset: timestamp, timestamp, key, value };
            if is_metric { observed.metric(record) } else { observed.total(record) }
        }
        observed.wait(2);
    }
}
