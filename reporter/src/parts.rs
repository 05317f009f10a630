//! The parts of a run: which series is in which record, and which records are due. Pure: the time is an argument.

use std::sync::Arc;
use std::time::Instant;

use quipu_record::{ReportHeader, ReportWriter, RunKey};
use uuid::Uuid;

use crate::part::{Moment, Pace, Part};
use crate::registry::NewSeries;

/// What all reports of a run share.
#[derive(Debug, Clone)]
pub(crate) struct RunInfo {
    pub(crate) instance: Arc<str>,
    pub(crate) run: Uuid,
    pub(crate) interval_ms: u64,
    pub(crate) max_record_bytes: usize,
    pub(crate) pace: Pace,
}

/// A record that is to be sent.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) key: String,
    pub(crate) value: Vec<u8>,
}

/// The parts of one run, in the order in which they were opened; there is always one.
#[derive(Debug)]
pub(crate) struct Parts {
    info: RunInfo,
    list: Vec<Part>,
    /// The largest size that a report of the open part can reach, in bytes.
    open_bytes: usize,
}

impl Parts {
    pub(crate) fn new(info: RunInfo) -> Self {
        let open_bytes = ReportWriter::overhead_bytes(&info.instance);
        Self { info, list: vec![Part::default()], open_bytes }
    }

    /// Adds a series to the open part, where it stays. A new part is opened when the report would become too large.
    pub(crate) fn add(&mut self, series: NewSeries) {
        let bytes = series.value_bytes();
        if self.open_bytes + bytes > self.info.max_record_bytes {
            self.list.push(Part::default());
            self.open_bytes = ReportWriter::overhead_bytes(&self.info.instance);
        }
        self.open_bytes += bytes;
        if let Some(open) = self.list.last_mut() {
            open.push(series);
        }
    }

    /// Returns the record of part `index`, if it is due. The record counts as in flight until `acked`, `failed` or
    /// `withdrawn` is called.
    pub(crate) fn report(
        &mut self,
        index: usize,
        moment: &Moment,
        seq: u64,
        at: i64,
        is_final: bool,
    ) -> Option<Outgoing> {
        let RunInfo { instance, run, interval_ms, pace, .. } = &self.info;
        let parts = u32::try_from(self.list.len()).ok()?;
        let header = ReportHeader { instance, run: *run, at, seq, interval_ms: *interval_ms, parts, is_final };
        let value = self.list.get_mut(index)?.report(moment, *pace, &header)?;
        let key = RunKey { instance, run: *run, part: u32::try_from(index).ok()? }.to_string();
        Some(Outgoing { key, value })
    }

    pub(crate) fn acked(&mut self, index: usize) {
        if let Some(part) = self.list.get_mut(index) {
            part.acked();
        }
    }

    pub(crate) fn failed(&mut self, index: usize, now: Instant) {
        if let Some(part) = self.list.get_mut(index) {
            part.failed(now);
        }
    }

    pub(crate) fn withdrawn(&mut self, index: usize) {
        if let Some(part) = self.list.get_mut(index) {
            part.withdrawn();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.list.iter().filter(|part| part.is_in_flight()).count()
    }

    pub(crate) fn failing(&self) -> usize {
        self.list.iter().filter(|part| part.is_failing()).count()
    }

    pub(crate) fn is_flushed(&self, flush: u64) -> bool {
        self.list.iter().all(|part| part.is_flushed(flush))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.list.iter().all(Part::is_closed)
    }
}

#[cfg(test)]
mod tests;
