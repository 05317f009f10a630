//! When what happens, as a function of progress rather than of time: a short run and a slow machine tell the same
//! story as a long run on a fast one.

/// Where the experiment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// The producer sends and nobody reads.
    Sending,
    /// Consumer 1 processes alone.
    Alone,
    /// Consumer 2 was started and waits for its share.
    Joining,
    /// Both share the work.
    Sharing,
    /// Consumer 2 was told to stop.
    Stopping,
    /// Consumer 1 does again what consumer 2 did not commit, and the rest.
    Draining,
    /// Nothing is left to read; consumer 1 was told to stop, and the last reports are on their way.
    Settling,
    /// The totals are what they will stay.
    Done,
}

/// What the plan needs to know of the world.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent facts, not states of one thing")]
pub(crate) struct Progress {
    /// Records that the producer counts as sent.
    pub(crate) sent: u64,
    /// Records that consumer 1 counts as processed.
    pub(crate) processed_by_1: u64,
    /// Records that consumer 2 counts as processed.
    pub(crate) processed_by_2: u64,
    /// Whether consumer 2 got partitions.
    pub(crate) consumer_2_has_work: bool,
    /// Whether consumer 2 knows that it shall stop: from now on it commits nothing.
    pub(crate) consumer_2_heard: bool,
    /// Whether producer and consumer 2 are gone.
    pub(crate) only_consumer_1_left: bool,
    /// Whether the group committed all that is in the topic.
    pub(crate) drained: bool,
    /// Whether consumer 1 is gone and the totals reflect every last report.
    pub(crate) settled: bool,
}

/// The experiment's script for a number of records.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    records: u64,
}

impl Plan {
    pub(crate) fn new(records: u64) -> Self {
        Self { records }
    }

    /// The stage after `stage`, if it is time.
    pub(crate) fn next(self, stage: Stage, now: &Progress) -> Option<Stage> {
        let sent = |percent| now.sent >= self.percent(percent);
        let (over, next) = match stage {
            Stage::Sending => (sent(5), Stage::Alone),
            Stage::Alone => (sent(30) && now.processed_by_1 > 0, Stage::Joining),
            Stage::Joining => (now.consumer_2_has_work, Stage::Sharing),
            Stage::Sharing => (sent(70) && now.processed_by_2 > 0, Stage::Stopping),
            Stage::Stopping => (now.consumer_2_heard, Stage::Draining),
            Stage::Draining => (now.only_consumer_1_left && now.drained, Stage::Settling),
            Stage::Settling => (now.settled, Stage::Done),
            Stage::Done => return None,
        };
        over.then_some(next)
    }

    /// How many records the producer may send as long as `stage` lasts. At the default rate it never gets there; in a
    /// short run it keeps enough back for consumer 2 to have some work in the middle and some that it cannot commit.
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

    /// A world in which everything comes true at once, as far as the producer's limit lets it.
    fn quick(plan: Plan, stage: Stage) -> Progress {
        Progress {
            sent: plan.limit(stage),
            processed_by_1: 1,
            processed_by_2: 1,
            consumer_2_has_work: true,
            consumer_2_heard: true,
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
    fn consumer_2_is_stopped_only_while_records_are_kept_back_for_it() {
        let plan = Plan::new(100);
        assert_eq!(plan.next(Stage::Sharing, &Progress { sent: 70, ..Progress::default() }), None);
        let now = Progress { sent: 70, processed_by_2: 1, ..Progress::default() };
        assert_eq!(plan.next(Stage::Sharing, &now), Some(Stage::Stopping));
        assert_eq!(plan.next(Stage::Stopping, &now), None);
        assert!(plan.limit(Stage::Stopping) <= 85);
    }

    #[test]
    fn it_is_over_when_all_is_read_again_and_settled() {
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
        fn the_limit_never_keeps_back_what_the_next_stage_waits_for(records in 100..=u64::MAX) {
            let plan = Plan::new(records);
            let mut stage = Stage::Sending;
            while stage != Stage::Done {
                let next = plan.next(stage, &quick(plan, stage));
                prop_assert!(next > Some(stage), "{stage:?} is stuck");
                stage = next.unwrap_or(Stage::Done);
            }
        }

        #[test]
        fn the_limit_only_grows_and_ends_with_all_records(records in any::<u64>()) {
            let plan = Plan::new(records);
            prop_assert!(STAGES.windows(2).all(|pair| plan.limit(pair[0]) <= plan.limit(pair[1])));
            prop_assert_eq!(plan.limit(Stage::Done), records);
        }
    }
}
