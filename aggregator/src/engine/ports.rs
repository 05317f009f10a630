//! What the engine publishes, and what it needs of Kafka and of a store.

use std::error::Error;
use std::time::Duration;

use quipu_record::{Millis, Offset};

/// An aggregate as a record of its topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AggregateRecord {
    /// The text form of the series.
    pub key: Vec<u8>,
    /// The aggregate as JSON, or `None` for a series that was removed.
    pub value: Option<Vec<u8>>,
}

/// A row that changed, as a record of the changelog and as an entry of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowUpdate {
    /// The key of the row.
    pub key: Vec<u8>,
    /// The row, or `None` if it was removed.
    pub value: Option<Vec<u8>>,
}

/// A copy of a bad record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The key of the bad record.
    pub key: Option<Vec<u8>>,
    /// The value of the bad record.
    pub value: Option<Vec<u8>>,
    /// Why the record is bad and where it comes from.
    pub headers: Vec<(&'static str, String)>,
}

/// The state of the records that were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Kafka has not acknowledged all of them yet.
    Waiting,
    /// Kafka acknowledged all of them.
    All {
        /// The end of the changelog after them, if any were sent there.
        changelog: Option<Offset>,
    },
}

/// The ends of the logs when the partition was assigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assigned {
    /// The first offset of the source log.
    pub begin: Offset,
    /// The end of the source log.
    pub end: Offset,
    /// The end of the changelog.
    pub changelog_end: Offset,
}

/// The error behind a failure.
pub type Cause = Box<dyn Error + Send + Sync>;

/// Why a step failed, by what can be done about it.
#[derive(Debug)]
pub enum Failure<E> {
    /// The outcome is unknown, or the step may succeed later: it is repeated.
    Again(Cause),
    /// The commit is undone: all of it is repeated.
    Undone(Cause),
    /// Another process may have the partition, or the outcome of the commit is unknown for good. The group assigns the
    /// partition anew, and the new owner starts with what Kafka has.
    Lost(Cause),
    /// Retrying does not help: the process ends.
    Fatal(E),
}

/// The result of a step.
pub type Step<T, E> = Result<T, Failure<E>>;

/// What all ports have in common.
pub trait Port {
    /// An error that ends the process.
    type Error;
}

/// Decides which process has the partition, and where it reads on.
pub trait Coordination: Port {
    /// Prevents every other process from committing, and finds out where the logs end.
    fn assigned(&mut self) -> Step<Assigned, Self::Error>;
    /// Reads the group's offset, if it has one. Only a state of the former form needs it, which has no position.
    fn group_offset(&mut self) -> Step<Option<Offset>, Self::Error>;
    /// Reads on from `position`.
    fn seek(&mut self, position: Offset) -> Step<(), Self::Error>;
    /// Undoes what was begun, leaves the group and joins it again.
    ///
    /// # Errors
    /// This process can't join the group any more.
    fn rejoin(&mut self) -> Result<(), Self::Error>;
    /// Waits a little before a step is repeated; `false` if the process is stopping and has tried long enough.
    fn pause(&mut self) -> bool;
}

/// Makes a commit durable and visible.
pub trait Transaction: Port {
    /// Whether the records of a commit become visible together, at [`Self::end`]. If not, each is visible by itself.
    fn is_atomic(&self) -> bool;
    /// Begins a commit.
    fn begin(&mut self) -> Step<(), Self::Error>;
    /// Sends totals of the commit.
    fn send_aggregates(&mut self, records: &[AggregateRecord]) -> Step<(), Self::Error>;
    /// Sends rows of the commit, or its position, to the changelog.
    fn send_rows(&mut self, rows: &[RowUpdate]) -> Step<(), Self::Error>;
    /// Returns the state of what was sent; waits for at most `patience`.
    fn deliveries(&mut self, patience: Duration) -> Step<Delivery, Self::Error>;
    /// Makes the commit visible.
    fn end(&mut self) -> Step<(), Self::Error>;
    /// Publishes the position of a commit that ended as the group's offset, without waiting. Only tools that show the
    /// group's lag depend on it.
    fn committed(&mut self, position: Offset);
    /// Undoes a commit that was begun.
    fn abort(&mut self) -> Step<(), Self::Error>;
    /// Lets go of what was begun, without waiting: the next owner of the partition undoes it, or its timeout does.
    fn release(&mut self);
}

/// Reads the rows that earlier commits wrote.
pub trait Changelog: Port {
    /// Passes the records of the changelog from `from` to `end`.
    fn read(&mut self, from: Offset, end: Offset, row: RowSink<'_, Self::Error>) -> Step<(), Self::Error>;
}

/// Publishes copies of bad records, which are not a part of the transaction.
pub trait DeadLetters: Port {
    /// Publishes the copies. A copy that Kafka rejects for good is counted and left out.
    fn write(&mut self, copies: &[DeadLetter]) -> Step<(), Self::Error>;
}

/// What the engine needs of Kafka.
pub trait Log: Coordination + Transaction + Changelog + DeadLetters {}

impl<L: Coordination + Transaction + Changelog + DeadLetters> Log for L {}

/// Takes a record of the changelog: its key, and its value, or `None` if the row was removed.
pub type RowSink<'a, E> = &'a mut dyn FnMut(&[u8], Option<&[u8]>) -> Result<(), E>;

/// The commit that a store's rows are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// The next source offset.
    pub position: Offset,
    /// The next changelog offset.
    pub changelog: Offset,
    /// When it was written.
    pub written_at: Millis,
}

/// Keeps the rows on this machine, so that a restart need not read the whole changelog.
pub trait Store: Port {
    /// Passes all rows, and returns their checkpoint; `None` if there is none. `row` returns whether it could read the
    /// row. A store with an unreadable row is moved aside, as is one that is damaged or of another format.
    fn load(&mut self, row: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<Option<Checkpoint>, Self::Error>;
    /// Removes all rows.
    fn clear(&mut self) -> Result<(), Self::Error>;
    /// Writes rows and, if given, the checkpoint, in one step: all or nothing.
    fn write(&mut self, rows: &[RowUpdate], checkpoint: Option<Checkpoint>) -> Result<(), Self::Error>;
    /// Releases what only one process can hold.
    fn close(&mut self);
}
