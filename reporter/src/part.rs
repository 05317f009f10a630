//! One row of the table: the series that are always sent in the same record, and what Kafka has acknowledged of them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use quipu_record::{CounterPrefix, RangesPrefix, ReportHeader, ReportWriter, limits};

use crate::processed::{Mark, PartitionCell};
use crate::registry::{Cell, NewSeries};

/// The time of a report and the reasons to send one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// Now.
    pub(crate) now: Instant,
    /// Whether the interval is over, so that changes and heartbeats are due.
    pub(crate) tick: bool,
    /// The newest flush that was requested before the counters are read.
    pub(crate) flush: u64,
    /// Whether a caller waits for that flush.
    pub(crate) flushing: bool,
}

/// How often a part is reported without a change, and how soon it is retried after a failure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) heartbeat: Duration,
    pub(crate) retry: Duration,
}

#[derive(Debug, Default)]
pub(crate) struct Part {
    counters: Vec<Counter>,
    ranges: Vec<Ranges>,
    /// Whether Kafka acknowledged the values of the last report.
    confirmed: bool,
    in_flight: Option<InFlight>,
    sent_at: Option<Instant>,
    failed_at: Option<Instant>,
    /// The newest flush whose counts of this part Kafka has acknowledged.
    flushed: u64,
    closed: bool,
}

#[derive(Debug)]
struct Counter {
    prefix: CounterPrefix,
    cell: Cell,
    reported: Option<u64>,
}

#[derive(Debug)]
struct Ranges {
    prefix: RangesPrefix,
    partition: Arc<PartitionCell>,
    reported: Option<Mark>,
    has_warned: bool,
}

#[derive(Debug)]
struct InFlight {
    flush: u64,
    is_final: bool,
}

impl Part {
    pub(crate) fn push(&mut self, series: NewSeries) {
        match series {
            NewSeries::Counter { prefix, cell } => self.counters.push(Counter { prefix, cell, reported: None }),
            NewSeries::Ranges { prefix, partition, .. } => {
                self.ranges.push(Ranges { prefix, partition, reported: None, has_warned: false });
            }
        }
    }

    /// Returns the value of the record that is due, if one is. The record counts as in flight from now on.
    pub(crate) fn report(&mut self, moment: &Moment, pace: Pace, header: &ReportHeader<'_>) -> Option<Vec<u8>> {
        if !self.is_due(moment, pace, header.is_final) {
            return None;
        }
        let mut writer = ReportWriter::new(header);
        for counter in &mut self.counters {
            let value = counter.cell.load(Ordering::Acquire);
            writer.push(&counter.prefix, value);
            counter.reported = Some(value);
        }
        for ranges in &mut self.ranges {
            let (mark, value) = ranges.partition.value(header.is_final);
            writer.push_ranges(&ranges.prefix, &value);
            ranges.reported = Some(mark);
            if value.inexact && !std::mem::replace(&mut ranges.has_warned, true) {
                tracing::warn!(
                    limit = limits::RANGES,
                    "a partition has more ranges than the limit; the oldest are merged, and its duplicates become a lower bound"
                );
            }
        }
        self.confirmed = false;
        self.sent_at = Some(moment.now);
        self.in_flight = Some(InFlight { flush: moment.flush, is_final: header.is_final });
        Some(writer.finish())
    }

    /// Kafka acknowledged the record in flight.
    pub(crate) fn acked(&mut self) {
        if let Some(InFlight { flush, is_final }) = self.in_flight.take() {
            self.confirmed = true;
            self.failed_at = None;
            self.flushed = self.flushed.max(flush);
            self.closed = is_final;
        }
    }

    /// The record in flight failed. Its counts are sent again later, with newer values.
    pub(crate) fn failed(&mut self, now: Instant) {
        if self.in_flight.take().is_some() {
            self.failed_at = Some(now);
        }
    }

    /// The record was not sent, because the client's queue had no room.
    pub(crate) fn withdrawn(&mut self) {
        self.in_flight = None;
    }

    pub(crate) fn is_in_flight(&self) -> bool {
        self.in_flight.is_some()
    }

    pub(crate) fn is_failing(&self) -> bool {
        self.failed_at.is_some()
    }

    /// Whether Kafka has acknowledged every count made before this flush was requested.
    pub(crate) fn is_flushed(&self, flush: u64) -> bool {
        self.flushed >= flush
    }

    /// Whether Kafka has the final report.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    fn is_due(&mut self, moment: &Moment, pace: Pace, is_final: bool) -> bool {
        let waits = self.failed_at.is_some_and(|failed_at| moment.now.duration_since(failed_at) < pace.retry);
        if self.closed || self.in_flight.is_some() || waits {
            return false;
        }
        if is_final {
            return true;
        }
        let flushing = moment.flushing && self.flushed < moment.flush;
        if !(flushing || moment.tick) {
            return false;
        }
        if self.is_changed() {
            return true;
        }
        // Kafka has acknowledged these values, so the flush needs no record.
        self.flushed = moment.flush;
        moment.tick && self.sent_at.is_none_or(|sent_at| moment.now.duration_since(sent_at) >= pace.heartbeat)
    }

    fn is_changed(&self) -> bool {
        let changed = |counter: &Counter| counter.reported != Some(counter.cell.load(Ordering::Acquire));
        let moved = |ranges: &Ranges| ranges.reported != Some(ranges.partition.mark());
        !self.confirmed || self.counters.iter().any(changed) || self.ranges.iter().any(moved)
    }
}
