//! What the engine works on, and what it needs of Kafka and of a store.

use std::time::Duration;

use quipu_record::{Millis, Offset, StateRowError};

/// A record to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value; none is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<(&'static str, String)>,
}

/// Where a record of a commit goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// The topic of the totals.
    Totals,
    /// The topic of the rows.
    Changelog,
}

/// What became of the records that were handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// That is not known of all of them yet.
    Waiting,
    /// Kafka has all of them.
    All {
        /// Where the changelog ends behind them, if any went there.
        changelog: Option<Offset>,
    },
}

/// The log as it was when the partition was assigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assigned {
    /// Where the source log begins.
    pub begin: Offset,
    /// Where the source log ends.
    pub end: Offset,
    /// Where the changelog ends.
    pub changelog_end: Offset,
}

/// Why a step failed, by what can be done about it.
#[derive(Debug)]
pub enum Failure<E> {
    /// Whether it was done is not known, or it can be done later: the same step again.
    Again(String),
    /// The commit is undone: all of it again.
    Undone(String),
    /// The partition may be another's now, or nobody knows what became of the commit: the group decides anew, and
    /// whoever it assigns begins with what Kafka has.
    Lost(String),
    /// Nothing mends it.
    Fatal(E),
}

/// What the engine needs of Kafka.
pub trait Log {
    /// What ends the process.
    type Error;

    /// Whether what a commit hands over becomes visible together, at [`Self::end`]; if not, each record becomes visible
    /// by itself.
    fn is_atomic(&self) -> bool;
    /// Keeps every other process from committing, and asks where the logs stand.
    fn assigned(&mut self) -> Result<Assigned, Failure<Self::Error>>;
    /// Asks for the group's offset, if it has one. Only a state of the former form needs it, which has no position.
    fn group_offset(&mut self) -> Result<Option<Offset>, Failure<Self::Error>>;
    /// Gives the changelog from `from` to `end`.
    fn changelog(
        &mut self,
        from: Offset,
        end: Offset,
        row: RowSink<'_, Self::Error>,
    ) -> Result<(), Failure<Self::Error>>;
    /// Reads on from `position`.
    fn seek(&mut self, position: Offset) -> Result<(), Failure<Self::Error>>;
    /// Publishes copies of bad records. They are not a part of the commit, and what is refused for good is left out.
    fn dead_letters(&mut self, copies: &[Output]) -> Result<(), Failure<Self::Error>>;
    /// Begins a commit.
    fn begin(&mut self) -> Result<(), Failure<Self::Error>>;
    /// Hands over records of the commit, to be published.
    fn send(&mut self, to: Destination, records: &[Output]) -> Result<(), Failure<Self::Error>>;
    /// Asks what became of them; waits for no longer than `patience`.
    fn deliveries(&mut self, patience: Duration) -> Result<Delivery, Failure<Self::Error>>;
    /// Makes the commit visible.
    fn end(&mut self) -> Result<(), Failure<Self::Error>>;
    /// The commit that ended has this position. Tools that show the group's lag may be given it, without waiting;
    /// nothing else depends on that.
    fn committed(&mut self, position: Offset);
    /// Undoes a commit that was begun.
    fn abort(&mut self) -> Result<(), Failure<Self::Error>>;
    /// Lets go of what was begun, without waiting: it is undone by whoever is assigned next, or by its timeout.
    fn release(&mut self);
    /// Undoes what was begun, leaves the group and joins it again.
    ///
    /// # Errors
    /// This process can't join the group any more.
    fn rejoin(&mut self) -> Result<(), Self::Error>;
    /// Waits a little before a step is tried again; `false` if the process is to stop and has tried long enough.
    fn pause(&mut self) -> bool;
    /// The error of a process that stopped before its commit was accepted.
    fn gave_up(&self) -> Self::Error;
    /// The error of a changelog that can't be read, for the reason given.
    fn unreadable(&self, why: &StateRowError) -> Self::Error;
}

/// Takes the rows of the changelog: key, and value or nothing if it was removed.
pub type RowSink<'a, E> = &'a mut dyn FnMut(&[u8], Option<&[u8]>) -> Result<(), E>;

/// How far a store's rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// The next source offset.
    pub position: Offset,
    /// The next changelog offset.
    pub changelog: Offset,
    /// When it was written.
    pub written_at: Millis,
}

/// Where rows outlive the process, near it.
pub trait Store {
    /// What ends the process.
    type Error;

    /// Gives all rows, and how far they are; none if there is no checkpoint. `row` says whether it could read the row:
    /// a store with one that it can't is moved aside, as is one that is damaged or of another format.
    fn load(&mut self, row: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<Option<Checkpoint>, Self::Error>;
    /// Begins with no rows.
    fn clear(&mut self) -> Result<(), Self::Error>;
    /// Writes rows and, if given, the checkpoint, in one step: all or nothing.
    fn write(&mut self, rows: &[Output], checkpoint: Option<Checkpoint>) -> Result<(), Self::Error>;
    /// Lets go of what only one process can hold.
    fn close(&mut self);
}
