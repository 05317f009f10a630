//! The plan of the experiment. A stage ends when enough progress is made, not after a time, so that short runs and slow
//! machines go through the same stages.

/// A stage of the experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// The producer sends and no consumer runs.
    Sending,
    /// Consumer 1 processes alone.
    Alone,
    /// Consumer 2 was started and waits for its share.
    Joining,
    /// Both share the work.
    Sharing,
    /// Consumer 2 was sent `stop`.
    Stopping,
    /// Consumer 1 processes again what consumer 2 did not commit, and then the rest.
    Draining,
    /// All records are read. Consumer 1 was sent `stop`, and the final reports are not in the totals yet.
    Settling,
    /// The totals are final.
    Done,
}

/// The progress of the experiment, which decides when the next stage begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent of each other")]
pub(crate) struct Progress {
    /// Records that the producer counts as sent.
    pub(crate) sent: u64,
    /// Records that consumer 1 counts as processed.
    pub(crate) processed_by_1: u64,
    /// Records that consumer 2 counts as processed.
    pub(crate) processed_by_2: u64,
    /// Whether consumer 2 has partitions.
    pub(crate) consumer_2_has_work: bool,
    /// Whether consumer 2 received `stop`; it commits nothing after that.
    pub(crate) consumer_2_is_stopping: bool,
    /// Whether the producer and consumer 2 have exited.
    pub(crate) only_consumer_1_left: bool,
    /// Whether the group committed the end of every partition.
    pub(crate) drained: bool,
    /// Whether consumer 1 has exited and the totals include all final reports.
    pub(crate) settled: bool,
}

/// The plan for a number of records.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    records: u64,
}

impl Plan {
    pub(crate) fn new(records: u64) -> Self {
        Self { records }
    }

    /// Returns the stage after `stage`, if it begins now.
    pub(crate) fn next(self, stage: Stage, now: &Progress) -> Option<Stage> {
        let sent = |percent| now.sent >= self.percent(percent);
        let (over, next) = match stage {
            Stage::Sending => (sent(5), Stage::Alone),
            Stage::Alone => (sent(30) && now.processed_by_1 > 0, Stage::Joining),
            Stage::Joining => (now.consumer_2_has_work, Stage::Sharing),
            Stage::Sharing => (sent(70) && now.processed_by_2 > 0, Stage::Stopping),
            Stage::Stopping => (now.consumer_2_is_stopping, Stage::Draining),
            Stage::Draining => (now.only_consumer_1_left && now.drained, Stage::Settling),
            Stage::Settling => (now.settled, Stage::Done),
            Stage::Done => return None,
        };
        over.then_some(next)
    }

    /// Returns how many records the producer may send until `stage` ends. At the default rate the producer never reaches
    /// the limit. In a short run the limit keeps enough records for consumer 2 to process and to leave uncommitted.
    pub(crate) fn limit(self, stage: Stage) -> u64 {
        match stage {
            Stage::Sending | Stage::Alone => self.percent(50),
            Stage::Joining => self.percent(60),
            Stage::Sharing | Stage::Stopping => self.percent(85),
            Stage::Draining | Stage::Settling | Stage::Done => self.records,
        }
    }

    fn percent(self, percent: u64) -> u64 {
        let part = u128::from(self.records) * u128::from(percent) / 100;
        u64::try_from(part).unwrap_or(self.records)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STAGES: [Stage; 8] = [
        Stage::Sending,
        Stage::Alone,
        Stage::Joining,
        Stage::Sharing,
        Stage::Stopping,
        Stage::Draining,
        Stage::Settling,
        Stage::Done,
    ];

    /// The most progress that the producer's limit allows in a stage.
    fn quick(plan: Plan, stage: Stage) -> Progress {
        Progress {
            sent: plan.limit(stage),
            processed_by_1: 1,
            processed_by_2: 1,
            consumer_2_has_work: true,
            consumer_2_is_stopping: true,
            only_consumer_1_left: true,
            drained: true,
            settled: true,
        }
    }

    #[test]
    fn consumer_2_joins_only_after_consumer_1_worked_alone() {
        let plan = Plan::new(1_000_000);
        let now = Progress { sent: 500_000, ..Progress::default() };
        assert_eq!(plan.next(Stage::Alone, &now), None);
        assert_eq!(plan.next(Stage::Alone, &Progress { processed_by_1: 1, ..now }), Some(Stage::Joining));
    }

    #[test]
    fn consumer_2_stops_only_after_it_processed_records_and_before_all_are_sent() {
        let plan = Plan::new(100);
        assert_eq!(plan.next(Stage::Sharing, &Progress { sent: 70, ..Progress::default() }), None);
        let now = Progress { sent: 70, processed_by_2: 1, ..Progress::default() };
        assert_eq!(plan.next(Stage::Sharing, &now), Some(Stage::Stopping));
        assert_eq!(plan.next(Stage::Stopping, &now), None);
        assert!(plan.limit(Stage::Stopping) <= 85);
    }

    #[test]
    fn the_experiment_ends_when_all_records_are_read_and_the_totals_are_final() {
        let plan = Plan::new(100);
        let now = Progress { sent: 100, drained: true, ..Progress::default() };
        assert_eq!(plan.next(Stage::Draining, &now), None);
        let now = Progress { only_consumer_1_left: true, ..now };
        assert_eq!(plan.next(Stage::Draining, &now), Some(Stage::Settling));
        assert_eq!(plan.next(Stage::Settling, &now), None);
        assert_eq!(plan.next(Stage::Settling, &Progress { settled: true, ..now }), Some(Stage::Done));
    }

    proptest! {
        #[test]
        fn the_limit_never_prevents_the_next_stage(records in 100..=u64::MAX) {
            let plan = Plan::new(records);
            let mut stage = Stage::Sending;
            while stage != Stage::Done {
                let next = plan.next(stage, &quick(plan, stage));
                prop_assert!(next > Some(stage), "{stage:?} is stuck");
                stage = next.unwrap_or(Stage::Done);
            }
        }

        #[test]
        fn the_limit_never_decreases_and_ends_at_all_records(records in any::<u64>()) {
            let plan = Plan::new(records);
            prop_assert!(STAGES.windows(2).all(|pair| plan.limit(pair[0]) <= plan.limit(pair[1])));
            prop_assert_eq!(plan.limit(Stage::Done), records);
        }
    }
}
