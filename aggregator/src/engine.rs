//! The commit protocol: what is read, published and stored, in which order, and what a failure of each step means.
//!
//! It is written against the traits in `ports`, so that the same code runs on Kafka and RocksDB and in the simulation.
//!
//! A commit takes everything that changed at one moment, and makes it durable in many small steps, between which records
//! are applied. The copies of bad records are written first. Then follow the totals and the changelog with the position,
//! which [`Transaction::end`] makes visible together (with exactly-once they are one transaction; with at-least-once each
//! record is durable by itself, the position last). The local store is written last, and its checkpoint at the end. So
//! the store is never ahead of the changelog, and the changelog after the checkpoint has everything that the store lacks.
//!
//! The position is a record of the changelog ([`StatePosition`]). The consumer group assigns the partition and decides
//! nothing else: [`Coordination::assigned`] fences all other processes, so that only this one can commit.

mod commit;
mod dead_letter;
mod error;
mod ports;

use std::time::Duration;

use quipu_record::{BadRecord, Millis, Offset, StatePosition, StateRowError};
use quipu_topology::{Events, Outcome, Settings, SourceRecord, Topology};
use tracing::{error, info, warn};

use commit::Commit;
pub use commit::Committed;
use dead_letter::dead_letter;
pub use error::EngineError;
pub use ports::{
    AggregateRecord, Assigned, Cause, Changelog, Checkpoint, Coordination, DeadLetter, DeadLetters, Delivery, Failure,
    Log, Port, RowSink, RowUpdate, Step, Store, Transaction,
};

/// The rows of a store older than this are not used: Kafka removes tombstones from the changelog after a day
/// (`delete.retention.ms`), and without its tombstone a removed row would come back.
const OLDEST_STORE: Millis = Millis(12 * 60 * 60 * 1000);
/// The most dead letters that wait for a commit.
const DEAD_LETTERS: usize = 1000;
/// How many rows from the changelog are written to the store at once.
const RESTORE_ROWS: usize = 10_000;
/// How many records of a commit are sent, or rows stored, in one step. It takes one or two milliseconds.
const RECORDS_PER_STEP: usize = 1000;

/// The topology, the log it reads from and writes to, and the store of its rows.
pub struct Engine<L, S> {
    /// Kafka.
    pub log: L,
    /// The local store.
    pub store: S,
    /// How many records of a commit are sent, or rows stored, in one step; 1000 by default.
    pub records_per_step: usize,
    settings: Settings,
    source_topic: String,
    topology: Topology,
    state: State,
    dead_letters: Vec<DeadLetter>,
    /// The commit under way.
    commit: Option<Commit>,
    /// The position of the last commit.
    committed: Offset,
    /// The next changelog offset.
    changelog: Offset,
}

/// Whether the engine may publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Another process has the partition.
    Waiting,
    /// The log is read up to the end that it had at assignment; nothing is published before.
    CatchingUp(Offset),
    /// Every commit publishes what changed.
    Running,
}

impl<L: Log, S: Store<Error = L::Error>> Engine<L, S> {
    /// An engine that waits for the partition.
    #[must_use]
    pub fn new(log: L, store: S, settings: Settings, source_topic: impl Into<String>) -> Self {
        Self {
            log,
            store,
            records_per_step: RECORDS_PER_STEP,
            topology: Topology::new(settings.clone()),
            settings,
            source_topic: source_topic.into(),
            state: State::Waiting,
            dead_letters: Vec::new(),
            commit: None,
            committed: Offset::ZERO,
            changelog: Offset::ZERO,
        }
    }

    /// The topology.
    #[must_use]
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The topology, to explain a total.
    pub(crate) fn topology_mut(&mut self) -> &mut Topology {
        &mut self.topology
    }

    /// See [`Topology::take_events`].
    pub fn take_events(&mut self) -> Events {
        self.topology.take_events()
    }

    /// Whether the engine may publish.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Restores the rows and reads on, after the partition was assigned to this process.
    ///
    /// # Errors
    /// Retrying does not help.
    pub fn assigned(&mut self, now: Millis) -> Result<(), EngineError<L::Error>> {
        loop {
            match self.restore(now) {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(unreadable)) => return Err(EngineError::Unreadable(unreadable)),
                Err(Failure::Fatal(error)) => return Err(error.into()),
                Err(Failure::Lost(why)) => return Ok(self.rejoin(&why)?),
                Err(Failure::Again(why) | Failure::Undone(why)) => {
                    warn!(%why, "can't restore the rows; retrying");
                    if !self.log.pause() {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Forgets everything, after the partition was taken away from this process.
    pub fn revoked(&mut self) {
        self.log.release();
        self.forget();
        self.store.close();
    }

    /// Joins the group again, which assigns the partition anew. The last commit counts only if Kafka has it.
    fn rejoin(&mut self, why: &Cause) -> Result<(), L::Error> {
        warn!(%why, "the partition or the commit is lost; joining the group again");
        self.forget();
        self.store.close();
        self.log.rejoin()
    }

    fn forget(&mut self) {
        self.state = State::Waiting;
        self.topology = Topology::new(self.settings.clone());
        self.dead_letters.clear();
        self.commit = None;
    }

    /// The inner error is that of a record of the changelog that can't be read.
    fn restore(&mut self, now: Millis) -> Step<Result<(), StateRowError>, L::Error> {
        self.forget();
        let Assigned { begin, end, changelog_end } = self.log.assigned()?;
        let checkpoint = self.restore_from_store(changelog_end, now).map_err(Failure::Fatal)?;
        let from = checkpoint.map_or(Offset::ZERO, |checkpoint| checkpoint.changelog);
        // A store is ahead of the changelog only if the changelog lost rows that it had.
        let lost = from > changelog_end;
        let newest = match self.restore_from_changelog(if lost { Offset::ZERO } else { from }, changelog_end)? {
            Ok(newest) => newest,
            Err(unreadable) => return Ok(Err(unreadable)),
        };
        if lost {
            warn!(%from, %changelog_end, "the changelog was created anew; all rows are written to it again");
            self.topology.touch_rows();
        }
        let mut start = match newest.or(checkpoint.map(|checkpoint| checkpoint.position)) {
            Some(position) => position,
            // A state of the former form has rows and no position: its position was the group's offset.
            None if self.topology.rows() > 0 => self.log.group_offset()?.unwrap_or(begin),
            None => begin,
        };
        if start.max(self.topology.position()) > end {
            error!(position = %start, %end, "the source topic was created anew: totals begin again with what it has now");
            self.topology.clear(now);
            start = begin;
        } else if start < begin {
            error!(position = %start, %begin, "records expired before they were read: what only they reported is lost");
            start = begin;
        }
        self.topology.set_position(start.max(self.topology.position()));
        self.log.seek(start)?;
        self.committed = start;
        self.changelog = changelog_end;
        info!(rows = self.topology.rows(), position = %start, %end, "active; reading to the log's end");
        self.state = State::CatchingUp(end);
        if start >= end {
            self.caught_up();
        }
        Ok(Ok(()))
    }

    fn restore_from_store(&mut self, changelog_end: Offset, now: Millis) -> Result<Option<Checkpoint>, L::Error> {
        let topology = &mut self.topology;
        let checkpoint = self.store.load(&mut |key, value| topology.load(key, Some(value)).is_ok())?;
        let too_old = checkpoint.is_some_and(|checkpoint| {
            checkpoint.changelog < changelog_end && now.saturating_sub(checkpoint.written_at) > OLDEST_STORE
        });
        if checkpoint.is_none() || too_old {
            self.topology = Topology::new(self.settings.clone());
            self.store.clear()?;
            return Ok(None);
        }
        Ok(checkpoint)
    }

    /// Restores rows from a part of the changelog, and returns the newest position in it.
    fn restore_from_changelog(
        &mut self,
        from: Offset,
        end: Offset,
    ) -> Step<Result<Option<Offset>, StateRowError>, L::Error> {
        if from >= end {
            return Ok(Ok(None));
        }
        info!(%from, %end, "restoring rows from the changelog");
        let Self { log, store, topology, .. } = self;
        let mut rows = Vec::new();
        let mut position = None;
        let mut unreadable = None;
        Changelog::read(log, from, end, &mut |key, value| {
            if key == StatePosition::KEY {
                match read_position(value) {
                    Ok(read) => position = read,
                    Err(why) => _ = unreadable.get_or_insert(why),
                }
                return Ok(());
            }
            if let Err(why) = topology.load(key, value) {
                unreadable.get_or_insert(why);
                return Ok(());
            }
            rows.push(RowUpdate { key: key.into(), value: value.map(Into::into) });
            if rows.len() >= RESTORE_ROWS {
                store.write(&rows, None)?;
                rows.clear();
            }
            Ok(())
        })?;
        if let Some(why) = unreadable {
            return Ok(Err(why));
        }
        store.write(&rows, None).map_err(Failure::Fatal)?;
        Ok(Ok(position))
    }

    /// Applies a record, and returns the outcome, unless an earlier commit included the record already.
    pub fn apply(&mut self, record: &SourceRecord<'_>, now: Millis) -> Option<Result<Outcome, BadRecord>> {
        if self.state == State::Waiting {
            return None;
        }
        let result = self.topology.process(record, now);
        // Some rows may include later records than this one, because a commit was interrupted. So the end counts.
        if let State::CatchingUp(end) = self.state
            && record.offset.next() >= end
        {
            self.caught_up();
        }
        if record.offset < self.committed {
            return None;
        }
        if let Err(bad) = &result {
            self.dead_letters.push(dead_letter(&self.source_topic, record, bad));
        }
        Some(result)
    }

    /// Lets the engine publish, after the log was read to its end.
    pub fn caught_up(&mut self) {
        if matches!(self.state, State::CatchingUp(_)) {
            self.state = State::Running;
            let (position, rows, series) = (self.topology.position(), self.topology.rows(), self.topology.series());
            info!(%position, rows, series, "caught up");
        }
    }

    /// Whether as many dead letters wait as can be kept, so that a commit is due.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.dead_letters.len() >= DEAD_LETTERS
    }

    /// The position of the last commit, or where this process began.
    #[must_use]
    pub fn committed(&self) -> Offset {
        self.committed
    }

    /// Whether records were applied since the last commit.
    #[must_use]
    pub fn has_uncommitted(&self) -> bool {
        self.state == State::Running && self.topology.position() != self.committed
    }

    /// Whether a commit is under way.
    #[must_use]
    pub fn is_committing(&self) -> bool {
        self.commit.is_some()
    }

    /// Begins a commit of what changed, if anything did and none is under way. [`Self::advance`] makes its steps.
    pub fn begin_commit(&mut self, now: Millis) {
        if self.commit.is_some() {
            return;
        }
        let commit = match self.state {
            // Nothing may be published yet, but dead letters must not pile up.
            State::CatchingUp(_) if self.is_full() => {
                Commit::of_dead_letters(std::mem::take(&mut self.dead_letters), self.changelog, now)
            }
            State::Waiting | State::CatchingUp(_) => return,
            State::Running => {
                Commit::cut(&mut self.topology, std::mem::take(&mut self.dead_letters), self.changelog, now)
            }
        };
        if !commit.is_empty(self.committed) {
            self.commit = Some(commit);
        }
    }

    /// Makes the next step of the commit under way, and after the last step returns what the commit contained. A step
    /// that waits for Kafka waits for at most `patience`.
    ///
    /// # Errors
    /// Retrying does not help. The next start computes again what was not committed.
    pub fn advance(&mut self, patience: Duration) -> Result<Option<Committed>, EngineError<L::Error>> {
        let Some(mut commit) = self.commit.take() else { return Ok(None) };
        match commit.step(&mut self.log, &mut self.store, self.records_per_step, patience) {
            Ok(false) => {}
            Ok(true) => {
                self.committed = commit.position.unwrap_or(self.committed);
                self.changelog = commit.changelog;
                return Ok(Some(commit.into_committed()));
            }
            Err(Failure::Fatal(error)) => return Err(error.into()),
            Err(Failure::Lost(why)) => {
                self.rejoin(&why)?;
                return Ok(None);
            }
            Err(Failure::Undone(why)) => {
                warn!(%why, "the commit was undone; retrying");
                commit.undo();
                self.pause()?;
            }
            Err(Failure::Again(why)) => {
                warn!(%why, "a step of the commit failed; retrying");
                self.pause()?;
            }
        }
        self.commit = Some(commit);
        Ok(None)
    }

    fn pause(&mut self) -> Result<(), EngineError<L::Error>> {
        if self.log.pause() { Ok(()) } else { Err(EngineError::Uncommitted) }
    }
}

fn read_position(value: Option<&[u8]>) -> Result<Option<Offset>, StateRowError> {
    value.map(|value| StatePosition::decode(value).map(|read| read.position)).transpose()
}
