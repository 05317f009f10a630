//! Batches between the topic and the target: which were sent, which have settled, and which must be sent again. Pure.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::batch::Batch;

/// From this number of aggregates in the outbox on, the sink reads no more from the topic.
const LIMIT: usize = 200_000;

/// Batches that wait to be sent, and batches that were sent and wait to settle: the target accepted them, but it may not
/// have stored them yet.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    unsettled: VecDeque<(Instant, Batch)>,
    waiting: VecDeque<Batch>,
    aggregates: usize,
}

impl Outbox {
    /// Adds what was read. A batch without aggregates only moves the position of the batch before it, if there is one.
    pub(crate) fn push(&mut self, batch: Batch) {
        let last = self.waiting.back_mut().or_else(|| self.unsettled.back_mut().map(|(_, batch)| batch));
        if let (true, Some(last)) = (batch.aggregates.is_empty(), last) {
            for (partition, next) in batch.offsets {
                last.advance(partition, next);
            }
            return;
        }
        self.aggregates += batch.aggregates.len();
        self.waiting.push_back(batch);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.aggregates >= LIMIT
    }

    /// The next batch to send.
    pub(crate) fn next(&self) -> Option<&Batch> {
        self.waiting.front()
    }

    /// The target accepted the next batch.
    pub(crate) fn sent(&mut self, now: Instant) {
        self.unsettled.extend(self.waiting.pop_front().map(|batch| (now, batch)));
    }

    /// The target failed: batches that had not settled are sent again, before those that follow them.
    pub(crate) fn failed(&mut self) {
        while let Some((_, batch)) = self.unsettled.pop_back() {
            self.waiting.push_front(batch);
        }
    }

    /// When the newest of the settled batches was sent. A batch has settled when `settle` has passed since it was sent.
    pub(crate) fn settled(&self, now: Instant, settle: Duration) -> Option<Instant> {
        let sent = self.unsettled.iter().map(|(sent, _)| *sent);
        sent.take_while(|sent| now.duration_since(*sent) >= settle).last()
    }

    /// Takes out the batches that were sent at `sent` or before. Returns the position after them, which can be committed in
    /// one request.
    pub(crate) fn take_sent(&mut self, sent: Instant) -> Vec<(i32, i64)> {
        let mut position = Batch::default();
        let settled = self.unsettled.partition_point(|(at, _)| *at <= sent);
        for (_, batch) in self.unsettled.drain(..settled) {
            self.aggregates -= batch.aggregates.len();
            for (partition, next) in batch.offsets {
                position.advance(partition, next);
            }
        }
        position.offsets
    }

    /// Removes everything. The process that has the partitions now reads it again.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::aggregate;
    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Read,
        Send,
        Fail,
        Wait,
        Settle,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => Just(Step::Read),
            4 => Just(Step::Send),
            1 => Just(Step::Fail),
            2 => Just(Step::Wait),
            2 => Just(Step::Settle),
        ];
        prop::collection::vec(step, 0..80)
    }

    #[test]
    fn progress_without_aggregates_goes_with_the_batch_before_it() {
        let progress = |next| Batch { aggregates: Vec::new(), offsets: vec![(0, next)] };
        let mut outbox = Outbox::default();
        outbox.push(progress(1));
        outbox.push(Batch { aggregates: vec![aggregate(1)], offsets: vec![(0, 2)] });
        outbox.push(progress(3));
        let now = Instant::now();
        outbox.sent(now);
        outbox.sent(now);
        outbox.push(progress(4));
        assert_eq!(outbox.take_sent(now), [(0, 4)], "in one commit");
        assert_eq!((outbox.take_sent(now), outbox.aggregates), (Vec::new(), 0));
    }

    proptest! {
        /// The target loses at each failure what it got within the settle time. It still has everything that was
        /// committed, in order, each once or more.
        #[test]
        fn what_is_committed_was_kept_by_the_target(steps in steps()) {
            const SETTLE: Duration = Duration::from_secs(5);
            let mut now = Instant::now();
            let (mut outbox, mut read, mut committed) = (Outbox::default(), 0, 0);
            let mut target: Vec<(Instant, i64)> = Vec::new();
            for step in steps {
                match step {
                    Step::Read => {
                        read += 1;
                        outbox.push(Batch { aggregates: vec![aggregate(read)], offsets: vec![(0, read)] });
                    }
                    Step::Send => {
                        if let Some(batch) = outbox.next() {
                            target.push((now, batch.offsets[0].1));
                            outbox.sent(now);
                        }
                    }
                    Step::Fail => {
                        outbox.failed();
                        target.retain(|(sent, _)| now.duration_since(*sent) >= SETTLE);
                    }
                    Step::Wait => now += Duration::from_secs(2),
                    Step::Settle => {
                        let Some(sent) = outbox.settled(now, SETTLE) else { continue };
                        for (_, position) in outbox.take_sent(sent) {
                            prop_assert!(position > committed);
                            for number in committed + 1..=position {
                                prop_assert!(target.iter().any(|(_, kept)| *kept == number));
                            }
                            committed = position;
                        }
                    }
                }
                let held = outbox.waiting.len() + outbox.unsettled.len();
                prop_assert_eq!(held, outbox.aggregates);
                prop_assert_eq!(i64::try_from(held), Ok(read - committed));
            }
        }
    }
}
