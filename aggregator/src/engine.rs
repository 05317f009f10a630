//! The commit protocol: what is read, said and stored, in which order, and what a failure of each step means.
//!
//! It is written against two traits, so that the same code runs on Kafka and RocksDB and in the simulation.
//!
//! A commit is a cut of what changed, and many small steps that make it durable, with records applied between them: the
//! copies of bad records; the totals and the changelog with the position, made visible together by [`Log::end`] (one
//! transaction with exactly-once; with at-least-once each record is durable by itself, the position last); and only after
//! that the local store, its checkpoint last. So the store is never ahead of the changelog, and the changelog has
//! everything that the store lacks behind the checkpoint.
//!
//! The position is a record of the changelog ([`StatePosition`]). The consumer group gives out the partition and nothing
//! else: whether a process may commit is decided by the fence in [`Log::assigned`].

mod commit;
mod dead_letter;
mod ports;

use std::time::Duration;

use quipu_record::{BadRecord, Millis, Offset, StatePosition, StateRowError};
use quipu_topology::{Events, Outcome, Settings, SourceRecord, Topology};
use tracing::{error, info, warn};

use commit::Commit;
pub use commit::Committed;
use dead_letter::dead_letter;
pub use ports::{Assigned, Checkpoint, Delivery, Destination, Failure, Log, Output, RowSink, Store};

/// A store older than this is not brought up to date from the changelog: Kafka forgets tombstones after a day
/// (`delete.retention.ms`), and a row that one removed would come back.
const OLDEST_STORE: Millis = Millis(12 * 60 * 60 * 1000);
/// The most dead letters that wait for a commit.
const DEAD_LETTERS: usize = 1000;
/// How many restored rows are written to the store at once.
const RESTORE_ROWS: usize = 10_000;
/// How many records of a commit are handed over, or rows stored, in one step: a millisecond or two.
const RECORDS_PER_STEP: usize = 1000;

/// The topology, the log it reads from and writes to, and the store of its rows.
pub struct Engine<L, S> {
    /// Kafka.
    pub log: L,
    /// The local store.
    pub store: S,
    /// How many records of a commit are handed over, or rows stored, in one step; 1000 unless it is set.
    pub records_per_step: usize,
    settings: Settings,
    source_topic: String,
    topology: Topology,
    state: State,
    dead_letters: Vec<Output>,
    /// The commit under way.
    commit: Option<Commit>,
    /// The position of the last commit.
    committed: Offset,
    /// The next changelog offset.
    changelog: Offset,
}

/// Whether the engine may speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Another process has the partition.
    Waiting,
    /// The log is being read to this end, which it had at assignment; nothing is said yet.
    CatchingUp(Offset),
    /// Every commit says what changed.
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

    /// The topology, to look at.
    #[must_use]
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// [`Topology::take_events`].
    pub fn take_events(&mut self) -> Events {
        self.topology.take_events()
    }

    /// Whether the engine may speak.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// The partition is ours: restores the rows and finds where to read on.
    ///
    /// # Errors
    /// What nothing mends.
    pub fn assigned(&mut self, now: Millis) -> Result<(), L::Error> {
        loop {
            match self.restore(now) {
                Ok(()) => return Ok(()),
                Err(Failure::Fatal(error)) => return Err(error),
                Err(Failure::Lost(why)) => return self.rejoin(&why),
                Err(Failure::Again(why) | Failure::Undone(why)) => {
                    warn!(why, "can't restore the table, and tries again");
                    if !self.log.pause() {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// The partition is another process's: forgets everything.
    pub fn revoked(&mut self) {
        self.log.release();
        self.forget();
        self.store.close();
    }

    /// Leaves it to the group who has the partition; nothing of the last commit counts unless Kafka has it.
    fn rejoin(&mut self, why: &str) -> Result<(), L::Error> {
        warn!(why, "the partition or the commit is lost; joining the group again");
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

    fn restore(&mut self, now: Millis) -> Result<(), Failure<L::Error>> {
        self.forget();
        let Assigned { begin, end, changelog_end } = self.log.assigned()?;
        let checkpoint = self.restore_from_store(changelog_end, now).map_err(Failure::Fatal)?;
        let from = checkpoint.map_or(Offset::ZERO, |checkpoint| checkpoint.changelog);
        // A store that is ahead of the changelog has what the changelog lost.
        let lost = from > changelog_end;
        let newest = self.restore_from_changelog(if lost { Offset::ZERO } else { from }, changelog_end)?;
        if lost {
            warn!(%from, %changelog_end, "the changelog was created anew; all rows are written to it again");
            self.topology.touch_rows();
        }
        let mut start = match newest.or(checkpoint.map(|checkpoint| checkpoint.position)) {
            Some(position) => position,
            // A state of the former form has rows and no position, which was the group's offset then.
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
        info!(rows = self.topology.rows(), position = %start, %end, "the partition is ours; reading to the log's end");
        self.state = State::CatchingUp(end);
        if start >= end {
            self.caught_up();
        }
        Ok(())
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

    /// Restores rows from a part of the changelog. Returns the newest position in it.
    fn restore_from_changelog(&mut self, from: Offset, end: Offset) -> Result<Option<Offset>, Failure<L::Error>> {
        if from >= end {
            return Ok(None);
        }
        info!(%from, %end, "restoring rows from the changelog");
        let Self { log, store, topology, .. } = self;
        let mut rows = Vec::new();
        let mut position = None;
        let mut unreadable = None;
        log.changelog(from, end, &mut |key, value| {
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
            rows.push(Output { key: Some(key.into()), value: value.map(Into::into), headers: Vec::new() });
            if rows.len() >= RESTORE_ROWS {
                store.write(&rows, None)?;
                rows.clear();
            }
            Ok(())
        })?;
        if let Some(why) = unreadable {
            return Err(Failure::Fatal(log.unreadable(&why)));
        }
        store.write(&rows, None).map_err(Failure::Fatal)?;
        Ok(position)
    }

    /// Applies a record. Gives what became of it, unless a process before this one dealt with it already.
    pub fn apply(&mut self, record: &SourceRecord<'_>, now: Millis) -> Option<Result<Outcome, BadRecord>> {
        if self.state == State::Waiting {
            return None;
        }
        let result = self.topology.process(record, now);
        // The rows may be ahead of what was read again, but not all of them: a commit may have been cut short.
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

    /// The log was read to its end.
    pub fn caught_up(&mut self) {
        if matches!(self.state, State::CatchingUp(_)) {
            self.state = State::Running;
            let (position, rows, series) = (self.topology.position(), self.topology.rows(), self.topology.series());
            info!(%position, rows, series, "caught up");
        }
    }

    /// Whether so many bad records wait that a commit should not be waited for.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.dead_letters.len() >= DEAD_LETTERS
    }

    /// The position of the last commit, or where this process began.
    #[must_use]
    pub fn committed(&self) -> Offset {
        self.committed
    }

    /// Whether records were applied that the next commit may speak of.
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
            // Nothing may be said yet, but bad records must not pile up.
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

    /// Makes the next step of the commit under way, and gives what it contained when that was the last. Where there is
    /// nothing to do but to wait for Kafka, it waits for no longer than `patience`.
    ///
    /// # Errors
    /// What nothing mends. What was not committed is computed again at the next start.
    pub fn advance(&mut self, patience: Duration) -> Result<Option<Committed>, L::Error> {
        let Some(mut commit) = self.commit.take() else { return Ok(None) };
        match commit.step(&mut self.log, &mut self.store, self.records_per_step, patience) {
            Ok(false) => {}
            Ok(true) => {
                self.committed = commit.position.unwrap_or(self.committed);
                self.changelog = commit.changelog;
                return Ok(Some(commit.into_committed()));
            }
            Err(Failure::Fatal(error)) => return Err(error),
            Err(Failure::Lost(why)) => {
                self.rejoin(&why)?;
                return Ok(None);
            }
            Err(Failure::Undone(why)) => {
                warn!(why, "the commit was undone, and is made again");
                commit.undo();
                self.pause()?;
            }
            Err(Failure::Again(why)) => {
                warn!(why, "a step of the commit is made again");
                self.pause()?;
            }
        }
        self.commit = Some(commit);
        Ok(None)
    }

    fn pause(&mut self) -> Result<(), L::Error> {
        if self.log.pause() { Ok(()) } else { Err(self.log.gave_up()) }
    }
}

fn read_position(value: Option<&[u8]>) -> Result<Option<Offset>, StateRowError> {
    value.map(|value| StatePosition::decode(value).map(|read| read.position)).transpose()
}
