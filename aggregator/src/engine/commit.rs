use std::time::Duration;

use quipu_record::{Aggregate, Millis, Offset, Series, StatePosition};
use quipu_topology::Topology;

use super::ports::{Checkpoint, Delivery, Destination, Failure, Log, Output, Store};

/// What a commit contained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The next source offset; none if it was of bad records only, before the table was built.
    pub position: Option<Offset>,
    /// The totals that changed or were said again.
    pub totals: Vec<Aggregate>,
    /// The series that no row has any more.
    pub removed: Vec<Series>,
    /// How many rows.
    pub rows: usize,
    /// How many bad records.
    pub dead_letters: usize,
}

/// All that one commit makes durable, as it was at one moment, and how far that is.
pub(super) struct Commit {
    dead_letters: Vec<Output>,
    aggregates: Vec<Output>,
    /// The same, for who asks this process.
    totals: Vec<Aggregate>,
    removed: Vec<Series>,
    /// For the changelog, and then for the store.
    rows: Vec<Output>,
    /// The next source offset, if it is a part of the commit.
    pub(super) position: Option<Offset>,
    /// Where the changelog ends: before it, and after its records were delivered.
    pub(super) changelog: Offset,
    /// When it was cut.
    at: Millis,
    next: Step,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    DeadLetters,
    Begin,
    /// Totals and rows are handed over, from this one on.
    Totals(usize),
    Rows(usize),
    /// The position is handed over.
    Position,
    Deliveries {
        /// Whether the position is among what was handed over.
        of_position: bool,
    },
    End,
    /// Kafka has all of it: so may the store, from this row on, and the checkpoint with the last.
    Store(usize),
    Abort,
}

impl Commit {
    /// Takes what changed; the changelog ends at `changelog`.
    pub(super) fn cut(topology: &mut Topology, dead_letters: Vec<Output>, changelog: Offset, now: Millis) -> Self {
        let totals = topology.take_aggregates(now);
        let removed = topology.take_removed();
        let aggregates = totals.iter().map(|aggregate| {
            let (key, value) = (aggregate.series.to_string().into_bytes(), aggregate.to_json());
            Output { key: Some(key), value: Some(value), headers: Vec::new() }
        });
        let aggregates = aggregates.collect();
        let mut rows = Vec::new();
        topology.take_rows(|key, value| rows.push(Output { key: Some(key.into()), value, headers: Vec::new() }));
        let position = Some(topology.position());
        Self { aggregates, totals, removed, rows, position, ..Self::of_dead_letters(dead_letters, changelog, now) }
    }

    /// Only copies of bad records.
    pub(super) fn of_dead_letters(dead_letters: Vec<Output>, changelog: Offset, now: Millis) -> Self {
        Self {
            dead_letters,
            aggregates: Vec::new(),
            totals: Vec::new(),
            removed: Vec::new(),
            rows: Vec::new(),
            position: None,
            changelog,
            at: now,
            next: Step::DeadLetters,
        }
    }

    /// Whether it would change nothing, the group's offset being `committed`.
    pub(super) fn is_empty(&self, committed: Offset) -> bool {
        let position = self.position.is_none_or(|position| position == committed);
        position && self.dead_letters.is_empty() && self.aggregates.is_empty() && self.rows.is_empty()
    }

    /// Makes the next step, and says whether it was the last. After an error it is the next again.
    pub(super) fn step<L: Log>(
        &mut self,
        log: &mut L,
        store: &mut impl Store<Error = L::Error>,
        records: usize,
        patience: Duration,
    ) -> Result<bool, Failure<L::Error>> {
        let slice = |all: &[Output], from: usize| from..all.len().min(from.saturating_add(records));
        self.next = match self.next {
            Step::DeadLetters => {
                log.dead_letters(&self.dead_letters)?;
                match self.position {
                    Some(_) => Step::Begin,
                    None => return Ok(true),
                }
            }
            Step::Begin => {
                log.begin()?;
                Step::Totals(0)
            }
            Step::Totals(from) if from < self.aggregates.len() => {
                let slice = slice(&self.aggregates, from);
                log.send(Destination::Totals, &self.aggregates[slice.clone()])?;
                Step::Totals(slice.end)
            }
            Step::Totals(_) => Step::Rows(0),
            Step::Rows(from) if from < self.rows.len() => {
                let slice = slice(&self.rows, from);
                log.send(Destination::Changelog, &self.rows[slice.clone()])?;
                Step::Rows(slice.end)
            }
            Step::Rows(_) if log.is_atomic() => Step::Position,
            // Where each record is visible by itself, nothing may be missing that the position covers.
            Step::Rows(_) => Step::Deliveries { of_position: false },
            Step::Position => {
                if let Some(position) = self.position {
                    let (key, value) = (StatePosition::KEY.to_vec(), StatePosition { position }.encode());
                    let record = Output { key: Some(key), value: Some(value), headers: Vec::new() };
                    log.send(Destination::Changelog, &[record])?;
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
                let slice = slice(&self.rows, from);
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
                // If it is not undone yet, the next attempt says so.
                Ok(()) | Err(Failure::Again(_) | Failure::Undone(_)) => Step::Begin,
                Err(failure) => return Err(failure),
            },
        };
        Ok(false)
    }

    /// Begins again, after what was done is undone.
    pub(super) fn undo(&mut self) {
        self.next = Step::Abort;
    }

    pub(super) fn into_committed(self) -> Committed {
        let Self { position, totals, removed, .. } = self;
        Committed { position, totals, removed, rows: self.rows.len(), dead_letters: self.dead_letters.len() }
    }
}
