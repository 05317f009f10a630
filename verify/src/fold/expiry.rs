//! Rows expire by log time: their contributions go to the retired sums, and markers stay for a while.

use std::collections::{BTreeSet, HashMap};

use quipu_record::{Key, Millis, Record, RunKey, StateClock, StateMarker, StateRowKind};
use rdkafka::Timestamp;

use super::markers::Markers;
use super::{At, Expires, Fold, Sum, in_future};
use crate::names::SeriesId;
use crate::retention::Retention;

/// The longest gap between two records that counts.
const LONGEST_GAP: i64 = 60_000;

/// What is known of time and of expired rows.
#[derive(Debug, Default)]
pub(super) struct Expiry {
    pub(super) retention: Retention,
    pub(super) clock: StateClock,
    pub(super) markers: Markers,
    /// What expired rows contributed.
    pub(super) retired: HashMap<SeriesId, Sum>,
    groups: HashMap<Box<[u8]>, Group>,
    /// The groups, by a time at which, or before which, they don't expire.
    queue: BTreeSet<(Millis, Box<[u8]>)>,
}

/// The rows that expire together: the parts of a run, or one plain key.
#[derive(Debug, Default)]
struct Group {
    keys: BTreeSet<Box<[u8]>>,
    queued: Option<Millis>,
}

/// What is known about the history of a key without a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Nothing of it is counted yet.
    New,
    /// Some of it may be counted already, in a retired sum.
    Unknown,
    /// The record is older than what is counted.
    Stale,
}

/// The name of a key's group, and the number of the part if the key is that of a run.
fn group_of(key: &[u8]) -> (&[u8], Option<u32>) {
    match Key::decode(Some(key)) {
        Ok(Key::Run(run)) => (&key[..run.run_bytes()], Some(run.part)),
        _ => (key, None),
    }
}

impl Expiry {
    pub(super) fn new(retention: Retention) -> Self {
        Self { retention, ..Self::default() }
    }

    /// Moves log time.
    fn tick(&mut self, appended_at: i64) {
        let StateClock { log_time, appended_at: before, .. } = &mut self.clock;
        let gap = before.map_or(0, |before| appended_at.saturating_sub(before.0).clamp(0, LONGEST_GAP));
        *log_time = log_time.saturating_add(Millis(gap));
        *before = Some(Millis(appended_at));
    }

    /// Whether a run without rows, or a plain key that may expire, began so early that it may have expired, or so late
    /// that its clock must be wrong.
    fn is_doubtful(&self, began: Option<Millis>, at: At) -> bool {
        let is_ahead = at.timestamp.is_some_and(|timestamp| in_future(began, timestamp));
        began.is_some() && (began <= self.clock.horizon || self.retention.is_on() && is_ahead)
    }
}

impl Fold {
    /// Moves log time, and lets expire what is due before the record itself is applied. Only the broker's time counts.
    pub(super) fn tick(&mut self, timestamp: Timestamp) {
        let Timestamp::LogAppendTime(appended_at) = timestamp else { return };
        self.expiry.tick(appended_at);
        let now = self.expiry.clock.log_time;
        while let Some((when, _)) = self.expiry.queue.first()
            && *when <= now
        {
            let Some((_, group)) = self.expiry.queue.pop_first() else { return };
            if let Some(group) = self.expiry.groups.get_mut(&group) {
                group.queued = None;
            }
            match self.due(&group) {
                Some(when) if when <= now => self.retire(&group),
                _ => self.enqueue(&group),
            }
        }
        let Expiry { retention, markers, .. } = &mut self.expiry;
        let began = markers.drop_due(now, retention.markers(), retention.max_markers, Millis(appended_at));
        self.expiry.clock.horizon = self.expiry.clock.horizon.max(began);
    }

    /// What is known about the history of a key without a row, and of its group.
    pub(super) fn origin(&self, key: &[u8], record: &Record<'_>, at: At) -> Origin {
        let (name, _) = group_of(key);
        if let Some(group) = self.expiry.groups.get(name) {
            // A run that was counted before was counted before in its other parts, too.
            let mut rows = group.keys.iter().filter_map(|key| self.row(key));
            let is_rebased = rows.any(|row| matches!(row.kind, StateRowKind::Run { is_rebased: true, .. }));
            return if is_rebased { Origin::Unknown } else { Origin::New };
        }
        let unknown = match (record, self.expiry.markers.get(name)) {
            (Record::Report { report, .. }, Some(marker)) if report.seq <= marker.seq => return Origin::Stale,
            (Record::Report { .. }, Some(_)) => true,
            (Record::Report { key, .. }, None) => self.expiry.is_doubtful(key.began(), at),
            (Record::Plain { plain, .. }, Some(marker)) => plain.start <= marker.began,
            (Record::Plain { plain, .. }, None) => plain.expires && self.expiry.is_doubtful(plain.start, at),
            (Record::Forget(_) | Record::Tombstone { .. }, _) => false,
        };
        if unknown { Origin::Unknown } else { Origin::New }
    }

    /// Notes that a key has a row now.
    pub(super) fn joined(&mut self, key: &[u8]) {
        let (name, _) = group_of(key);
        self.expiry.markers.remove(name);
        self.expiry.groups.entry(name.into()).or_default().keys.insert(key.into());
        self.enqueue(name);
    }

    /// Notes that a key has no row any more.
    pub(super) fn left(&mut self, key: &[u8]) {
        let (name, _) = group_of(key);
        let Some(group) = self.expiry.groups.get_mut(name) else { return };
        group.keys.remove(key);
        if !group.keys.is_empty() {
            return self.enqueue(name);
        }
        if let Some(queued) = group.queued {
            self.expiry.queue.remove(&(queued, name.into()));
        }
        self.expiry.groups.remove(name);
    }

    /// Computes anew when the rows expire, after log times changed.
    pub(super) fn enqueue_all(&mut self) {
        self.expiry.queue.clear();
        let names: Vec<_> = self.expiry.groups.keys().cloned().collect();
        for name in names {
            if let Some(group) = self.expiry.groups.get_mut(&name) {
                group.queued = None;
            }
            self.enqueue(&name);
        }
    }

    /// Queues a group, unless it is queued for an earlier time already.
    fn enqueue(&mut self, name: &[u8]) {
        let due = self.due(name);
        let Expiry { groups, queue, .. } = &mut self.expiry;
        let (Some(due), Some(group)) = (due, groups.get_mut(name)) else { return };
        match group.queued {
            Some(queued) if queued <= due => return,
            Some(queued) => _ = queue.remove(&(queued, name.into())),
            None => {}
        }
        group.queued = Some(due);
        queue.insert((due, name.into()));
    }

    /// The log time at which a group expires, if nothing comes of it until then.
    fn due(&self, name: &[u8]) -> Option<Millis> {
        let Retention { runs, finished, .. } = self.expiry.retention;
        let group = self.expiry.groups.get(name)?;
        let rows = || group.keys.iter().filter_map(|key| Some((group_of(key).1, self.row(key)?)));
        let last = rows().map(|(_, row)| row.log_time).max()?;
        let is_final = rows().all(|(_, row)| matches!(row.kind, StateRowKind::Run { is_final: true, .. }));
        let parts =
            rows().map(|(_, row)| if let StateRowKind::Run { parts, .. } = row.kind { parts } else { 0 }).max()?;
        let present = rows().filter(|(part, _)| part.is_some_and(|part| part < parts)).count();
        let is_finished = is_final && parts > 0 && u32::try_from(present) == Ok(parts);
        let silent = runs.filter(|_| rows().all(|(_, row)| row.may_expire()));
        let after = [silent, finished.filter(|_| is_finished)].into_iter().flatten().min()?;
        Some(last.saturating_add(after))
    }

    /// Moves what the rows of a group contribute to the retired sums, and leaves a marker. No total changes.
    fn retire(&mut self, name: &[u8]) {
        let Some(group) = self.expiry.groups.remove(name) else { return };
        let mut marker = StateMarker { began: None, seq: 0, log_time: self.expiry.clock.log_time };
        for key in &group.keys {
            let Some(entry) = self.entries.get_mut(key) else { continue };
            let Some(row) = entry.row.take() else { continue };
            entry.expires = Expires::Has;
            self.rows -= 1;
            for (id, mut sum) in entry.contributions(&row) {
                *self.sums.of(id) -= sum;
                (sum.retired_from_changelog, sum.from_changelog) = (sum.from_changelog, 0);
                *self.sums.of(id) += sum;
                *self.expiry.retired.entry(id).or_default() += sum;
            }
            match row.kind {
                StateRowKind::Run { seq, .. } => marker.seq = marker.seq.max(seq),
                StateRowKind::Plain { start, .. } => marker.began = start,
            }
            if let Ok(Key::Run(run)) = Key::decode(Some(key)) {
                marker.began = RunKey::began(&run);
            }
        }
        self.expiry.markers.insert(name, marker, self.expiry.retention.markers());
    }
}
