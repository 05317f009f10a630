use std::time::Duration;

use quipu_record::{Aggregate, Millis, Offset, Series, StatePosition};
use quipu_topology::Topology;

use super::ports::{
    AggregateRecord, Checkpoint, DeadLetter, DeadLetters, Delivery, Failure, Log, RowUpdate, Step as Stepped, Store,
};

/// What a commit contained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The next source offset; `None` if the commit had bad records only, because the table was not built yet.
    pub position: Option<Offset>,
    /// The totals that changed or were published again.
    pub aggregates: Vec<Aggregate>,
    /// The series that no row has any more.
    pub removed: Vec<Series>,
    /// The number of rows.
    pub rows: usize,
    /// The number of bad records.
    pub dead_letters: usize,
}

/// Everything that one commit makes durable, as it was at one moment, and the next step.
pub(super) struct Commit {
    dead_letters: Vec<DeadLetter>,
    /// The totals, for the HTTP server of this process.
    aggregates: Vec<Aggregate>,
    /// The same totals, for Kafka.
    records: Vec<AggregateRecord>,
    removed: Vec<Series>,
    /// The rows that changed, for the changelog and then for the store.
    rows: Vec<RowUpdate>,
    /// The next source offset, if it is a part of the commit.
    pub(super) position: Option<Offset>,
    /// The end of the changelog: before the commit, and after its records were delivered.
    pub(super) changelog: Offset,
    /// When it was cut.
    at: Millis,
    next: Step,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    DeadLetters,
    Begin,
    /// Sends totals, from this one on.
    Aggregates(usize),
    /// Sends rows, from this one on.
    Rows(usize),
    /// Sends the position.
    Position,
    /// Waits until everything that was sent is delivered.
    Deliveries {
        /// Whether the position was sent.
        of_position: bool,
    },
    End,
    /// Writes rows to the store, from this one on, and the checkpoint with the last: Kafka has all of them now.
    Store(usize),
    Abort,
}

impl Commit {
    /// Takes what changed since the last commit; the changelog ends at `changelog`.
    pub(super) fn cut(topology: &mut Topology, dead_letters: Vec<DeadLetter>, changelog: Offset, now: Millis) -> Self {
        let aggregates = topology.take_aggregates(now);
        let removed = topology.take_removed();
        let records = aggregates.iter().map(|aggregate| AggregateRecord {
            key: aggregate.series.to_string().into_bytes(),
            value: Some(aggregate.to_json()),
        });
        // The zero of a series that was removed precedes its tombstone, so that sinks write it.
        let tombstones =
            removed.iter().map(|series| AggregateRecord { key: series.to_string().into_bytes(), value: None });
        let records = records.chain(tombstones).collect();
        let mut rows = Vec::new();
        topology.take_rows(|key, value| rows.push(RowUpdate { key: key.into(), value }));
        let position = Some(topology.position());
        Self { aggregates, records, removed, rows, position, ..Self::of_dead_letters(dead_letters, changelog, now) }
    }

    /// A commit of copies of bad records only.
    pub(super) fn of_dead_letters(dead_letters: Vec<DeadLetter>, changelog: Offset, now: Millis) -> Self {
        Self {
            dead_letters,
            aggregates: Vec::new(),
            records: Vec::new(),
            removed: Vec::new(),
            rows: Vec::new(),
            position: None,
            changelog,
            at: now,
            next: Step::DeadLetters,
        }
    }

    /// Whether the commit would change nothing, if the position of the last one is `committed`.
    pub(super) fn is_empty(&self, committed: Offset) -> bool {
        let position = self.position.is_none_or(|position| position == committed);
        position && self.dead_letters.is_empty() && self.aggregates.is_empty() && self.rows.is_empty()
    }

    /// Makes the next step, and returns whether it was the last. A step that failed is the next step again.
    pub(super) fn step<L: Log>(
        &mut self,
        log: &mut L,
        store: &mut impl Store<Error = L::Error>,
        records: usize,
        patience: Duration,
    ) -> Stepped<bool, L::Error> {
        let slice = |len: usize, from: usize| from..len.min(from.saturating_add(records));
        self.next = match self.next {
            Step::DeadLetters => {
                DeadLetters::write(log, &self.dead_letters)?;
                match self.position {
                    Some(_) => Step::Begin,
                    None => return Ok(true),
                }
            }
            Step::Begin => {
                log.begin()?;
                Step::Aggregates(0)
            }
            Step::Aggregates(from) if from < self.records.len() => {
                let slice = slice(self.records.len(), from);
                log.send_aggregates(&self.records[slice.clone()])?;
                Step::Aggregates(slice.end)
            }
            Step::Aggregates(_) => Step::Rows(0),
            Step::Rows(from) if from < self.rows.len() => {
                let slice = slice(self.rows.len(), from);
                log.send_rows(&self.rows[slice.clone()])?;
                Step::Rows(slice.end)
            }
            Step::Rows(_) if log.is_atomic() => Step::Position,
            // Each record is visible by itself: those that the position includes must be delivered before it.
            Step::Rows(_) => Step::Deliveries { of_position: false },
            Step::Position => {
                if let Some(position) = self.position {
                    let (key, value) = (StatePosition::KEY.to_vec(), Some(StatePosition { position }.encode()));
                    log.send_rows(&[RowUpdate { key, value }])?;
                }
                Step::Deliveries { of_position: true }
            }
            Step::Deliveries { of_position } => match log.deliveries(patience)? {
                Delivery::Waiting => Step::Deliveries { of_position },
                Delivery::All { changelog } => {
                    self.changelog = changelog.unwrap_or(self.changelog);
                    if of_position { Step::End } else { Step::Position }
                }
            },
            Step::End => {
                log.end()?;
                if let Some(position) = self.position {
                    log.committed(position);
                }
                Step::Store(0)
            }
            Step::Store(from) => {
                let slice = slice(self.rows.len(), from);
                let last = slice.end == self.rows.len();
                let checkpoint = self.position.filter(|_| last).map(|position| Checkpoint {
                    position,
                    changelog: self.changelog,
                    written_at: self.at,
                });
                store.write(&self.rows[slice.clone()], checkpoint).map_err(Failure::Fatal)?;
                if last {
                    return Ok(true);
                }
                Step::Store(slice.end)
            }
            Step::Abort => match log.abort() {
                // If the abort had no effect, `begin` fails.
                Ok(()) | Err(Failure::Again(_) | Failure::Undone(_)) => Step::Begin,
                Err(failure) => return Err(failure),
            },
        };
        Ok(false)
    }

    /// Makes the next steps those of an abort and of the whole commit again.
    pub(super) fn undo(&mut self) {
        self.next = Step::Abort;
    }

    pub(super) fn into_committed(self) -> Committed {
        let Self { position, aggregates, removed, .. } = self;
        Committed { position, aggregates, removed, rows: self.rows.len(), dead_letters: self.dead_letters.len() }
    }
}
