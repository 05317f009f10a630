//! Kafka, as the engine sees it, with faults.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use quipu_aggregator::engine::{
    AggregateRecord, Assigned, Changelog, Coordination, DeadLetter, DeadLetters, Delivery, Failure, Port, RowSink,
    RowUpdate, Step as Stepped, Transaction,
};
use quipu_record::{Aggregate, Millis, Offset, StatePosition};
use quipu_testkit::fold::{FIRST_RUN, Logged};

use crate::random::Random;

/// Why a simulated process ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    Crash,
    Fenced,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Visible {
    Pending(u64),
    Yes,
    Never,
}

#[derive(Debug)]
struct Row {
    key: Vec<u8>,
    value: Option<Vec<u8>>,
    visible: Visible,
    written_at: Millis,
    compacted: bool,
}

/// All that outlives a process, apart from its disk.
pub(crate) struct World {
    pub(crate) random: Random,
    pub(crate) exactly_once: bool,
    pub(crate) now: Millis,
    pub(crate) log: Vec<Option<Logged>>,
    /// The group's offset. Nothing depends on it, except for a state of the former form.
    pub(crate) group_offset: Option<Offset>,
    /// Whether processes are of the former version, which kept the position as the group's offset only.
    pub(crate) is_former: bool,
    /// Totals in the order in which they became visible.
    pub(crate) visible: Vec<Aggregate>,
    pub(crate) faults: usize,
    /// How many steps pass until the next fault; none while the end of a schedule is checked.
    pub(crate) fault_in: Option<usize>,
    /// How long silent and finished runs are kept, in ms of log time.
    pub(crate) retention: (Option<i64>, Option<i64>),
    changelog: Vec<Row>,
    epoch: u64,
    transaction: Option<OpenTransaction>,
}

#[derive(Debug, Default)]
struct OpenTransaction {
    epoch: u64,
    aggregates: Vec<Aggregate>,
    position: Option<Offset>,
    ended: bool,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let exactly_once = !random.once_in(3);
        let is_former = random.once_in(4);
        let fault_in = Some(random.below(40));
        // The former version keeps no position, so nothing expires; with at-least-once nothing does either.
        let expires = exactly_once && !is_former && !random.once_in(3);
        let retention = if expires { (Some(60_000), Some(20_000)) } else { (None, None) };
        Self {
            random,
            exactly_once,
            now: FIRST_RUN.saturating_add(Millis(10_000)),
            log: Vec::new(),
            group_offset: None,
            is_former,
            visible: Vec::new(),
            faults: 0,
            fault_in,
            retention,
            changelog: Vec::new(),
            epoch: 0,
            transaction: None,
        }
    }

    /// The position that the changelog has.
    pub(crate) fn position(&self) -> Option<Offset> {
        let mut visible = self.changelog.iter().rev().filter(|row| row.visible == Visible::Yes);
        let position = visible.find(|row| row.key == StatePosition::KEY)?;
        Some(StatePosition::decode(position.value.as_deref().expect("a value")).expect("a position").position)
    }

    /// Somebody resets the group's offset, or it expires. Only processes of the former version mind.
    pub(crate) fn spoil_group_offset(&mut self) {
        if !self.is_former && self.position().is_some() {
            let offset = offset(self.random.below(self.log.len() + 5));
            self.group_offset = self.random.once_in(2).then_some(offset);
        }
    }

    /// Keeps the last record of each key, before the position, as compaction does.
    pub(crate) fn compact_log(&mut self) {
        let position = if self.is_former { self.group_offset } else { self.position().or(self.group_offset) };
        let behind = index(position.unwrap_or_default()).min(self.log.len());
        let mut seen = BTreeSet::new();
        for slot in self.log[..behind].iter_mut().rev() {
            if slot.as_ref().is_some_and(|logged| !seen.insert(logged.record.key())) {
                *slot = None;
            }
        }
    }

    /// Keeps the last visible row of each key, and forgets tombstones after a day.
    pub(crate) fn compact_changelog(&mut self) {
        let mut seen = BTreeSet::new();
        let now = self.now;
        for row in self.changelog.iter_mut().rev().filter(|row| row.visible == Visible::Yes) {
            let old_tombstone = row.value.is_none() && now.saturating_sub(row.written_at) > Millis(24 * 3600 * 1000);
            row.compacted |= !seen.insert(row.key.clone()) || old_tombstone;
        }
    }

    /// A total of a commit arrives.
    fn receive_aggregate(&mut self, record: &AggregateRecord) {
        // The tombstone of a series follows its zero.
        let Some(value) = &record.value else { return };
        let aggregate = Aggregate::decode(value).expect("an aggregate");
        match &mut self.transaction {
            Some(transaction) if self.exactly_once => transaction.aggregates.push(aggregate),
            _ => self.visible.push(aggregate),
        }
    }

    /// A record for the changelog arrives.
    fn receive_row(&mut self, epoch: u64, RowUpdate { key, value }: RowUpdate) {
        if self.is_former && key == StatePosition::KEY {
            let position = StatePosition::decode(&value.expect("a value")).expect("a position").position;
            match &mut self.transaction {
                Some(transaction) if self.exactly_once => transaction.position = Some(position),
                _ => self.group_offset = Some(position),
            }
            return;
        }
        let visible = if self.exactly_once { Visible::Pending(epoch) } else { Visible::Yes };
        self.changelog.push(Row { key, value, visible, written_at: self.now, compacted: false });
    }

    fn changelog_end(&self) -> Offset {
        offset(self.changelog.len())
    }

    fn set_visible(&mut self, epoch: u64, visible: Visible) {
        for row in self.changelog.iter_mut().filter(|row| row.visible == Visible::Pending(epoch)) {
            row.visible = visible;
        }
        // The mark of the transaction has an offset of its own.
        let mark =
            Row { key: Vec::new(), value: None, visible: Visible::Never, written_at: self.now, compacted: false };
        self.changelog.push(mark);
    }

    /// Whether something happens at this step instead of, or after, what should.
    pub(crate) fn fault(&mut self) -> Option<Fault> {
        let left = self.fault_in?;
        if left > 0 {
            self.fault_in = Some(left - 1);
            return None;
        }
        self.fault_in = Some(self.random.below(25));
        self.faults += 1;
        Some(match self.random.below(8) {
            0 | 1 => Fault::CrashBefore,
            2 | 3 => Fault::CrashAfter,
            4 => Fault::AgainBefore,
            5 => Fault::AgainAfter,
            6 => Fault::Undone,
            _ => Fault::Lost,
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    CrashBefore,
    CrashAfter,
    AgainBefore,
    AgainAfter,
    Undone,
    Lost,
}

/// One process's connection to the world.
pub(crate) struct SimLog {
    pub(crate) world: Rc<RefCell<World>>,
    pub(crate) epoch: u64,
    /// Set when the group is to decide anew who has the partition.
    pub(crate) left_group: bool,
    /// Where reading goes on.
    pub(crate) next: Offset,
    /// Records on their way, of which those of one topic arrive in order; they are lost with the process.
    aggregates: VecDeque<AggregateRecord>,
    rows: VecDeque<RowUpdate>,
    /// Where the changelog ends behind the last row that arrived.
    changelog_end: Option<Offset>,
}

type Step<T> = Stepped<T, End>;

impl SimLog {
    pub(crate) fn new(world: &Rc<RefCell<World>>) -> Self {
        Self {
            world: Rc::clone(world),
            epoch: 0,
            left_group: false,
            next: Offset::ZERO,
            aggregates: VecDeque::new(),
            rows: VecDeque::new(),
            changelog_end: None,
        }
    }

    /// Some of what is on its way arrives, in any order of the topics.
    fn arrive(&mut self, mut records: usize) {
        let world = &mut *self.world.borrow_mut();
        while records > 0 && !(self.aggregates.is_empty() && self.rows.is_empty()) {
            if world.random.once_in(2) {
                let Some(record) = self.aggregates.pop_front() else { continue };
                world.receive_aggregate(&record);
            } else {
                let Some(row) = self.rows.pop_front() else { continue };
                world.receive_row(self.epoch, row);
                self.changelog_end = Some(world.changelog_end());
            }
            records -= 1;
        }
    }

    fn arrive_some(&mut self) {
        let some = self.world.borrow_mut().random.below(4);
        self.arrive(some);
    }

    /// Does a step, unless a fault happens instead.
    fn step<T>(&self, mut step: impl FnMut(&mut World) -> Step<T>) -> Step<T> {
        let mut world = self.world.borrow_mut();
        let fault = world.fault();
        match fault {
            Some(Fault::CrashBefore) => return Err(Failure::Fatal(End::Crash)),
            Some(Fault::AgainBefore) => return Err(Failure::Again("simulated: not done".into())),
            Some(Fault::Undone) => return Err(Failure::Undone("simulated".into())),
            Some(Fault::Lost) => return Err(Failure::Lost("simulated".into())),
            _ => {}
        }
        if world.exactly_once && self.epoch != world.epoch {
            return Err(Failure::Fatal(End::Fenced));
        }
        let done = step(&mut world)?;
        match fault {
            Some(Fault::CrashAfter) => Err(Failure::Fatal(End::Crash)),
            Some(Fault::AgainAfter) => Err(Failure::Again("simulated: outcome unknown".into())),
            _ => Ok(done),
        }
    }
}

impl Port for SimLog {
    type Error = End;
}

impl Coordination for SimLog {
    fn assigned(&mut self) -> Step<Assigned> {
        self.left_group = false;
        let mut world = self.world.borrow_mut();
        world.epoch += 1;
        self.epoch = world.epoch;
        // What the process before left open is undone; what it ended stays.
        if let Some(transaction) = world.transaction.take()
            && !transaction.ended
        {
            world.set_visible(transaction.epoch, Visible::Never);
        }
        drop(world);
        self.step(|world| {
            let end = offset(world.log.len());
            Ok(Assigned { begin: Offset::ZERO, end, changelog_end: world.changelog_end() })
        })
    }

    fn group_offset(&mut self) -> Step<Option<Offset>> {
        self.step(|world| Ok(world.group_offset))
    }

    fn seek(&mut self, position: Offset) -> Step<()> {
        self.next = position;
        self.step(|_| Ok(()))
    }

    fn rejoin(&mut self) -> Result<(), End> {
        self.release();
        self.left_group = true;
        Ok(())
    }

    fn pause(&mut self) -> bool {
        let mut world = self.world.borrow_mut();
        world.now = world.now.saturating_add(Millis(500));
        true
    }
}

impl Transaction for SimLog {
    fn is_atomic(&self) -> bool {
        self.world.borrow().exactly_once
    }

    fn begin(&mut self) -> Step<()> {
        let epoch = self.epoch;
        self.step(|world| {
            if world.exactly_once {
                match &world.transaction {
                    // As in librdkafka: beginning twice is an error, so an unknown outcome is answered by the state.
                    Some(transaction) if transaction.epoch == epoch && !transaction.ended => {}
                    _ => world.transaction = Some(OpenTransaction { epoch, ..OpenTransaction::default() }),
                }
            }
            Ok(())
        })
    }

    fn send_aggregates(&mut self, records: &[AggregateRecord]) -> Step<()> {
        self.step(|_| Ok(()))?;
        self.aggregates.extend(records.iter().cloned());
        self.arrive_some();
        Ok(())
    }

    fn send_rows(&mut self, rows: &[RowUpdate]) -> Step<()> {
        self.step(|_| Ok(()))?;
        self.rows.extend(rows.iter().cloned());
        self.arrive_some();
        Ok(())
    }

    fn deliveries(&mut self, _: Duration) -> Step<Delivery> {
        self.step(|_| Ok(()))?;
        if self.world.borrow_mut().random.once_in(2) {
            self.arrive(2);
            return Ok(Delivery::Waiting);
        }
        self.arrive(usize::MAX);
        Ok(Delivery::All { changelog: self.changelog_end.take() })
    }

    fn end(&mut self) -> Step<()> {
        self.step(|world| {
            if let Some(transaction) = &mut world.transaction
                && !transaction.ended
            {
                transaction.ended = true;
                let (epoch, position) = (transaction.epoch, transaction.position);
                let totals = std::mem::take(&mut transaction.aggregates);
                world.visible.extend(totals);
                world.group_offset = position.or(world.group_offset);
                world.set_visible(epoch, Visible::Yes);
            }
            Ok(())
        })
    }

    fn committed(&mut self, position: Offset) {
        let world = &mut *self.world.borrow_mut();
        // It is on its way, and may be lost.
        if !world.is_former && world.random.once_in(2) {
            world.group_offset = Some(position);
        }
    }

    fn abort(&mut self) -> Step<()> {
        self.release();
        self.step(|world| {
            if let Some(transaction) = world.transaction.take()
                && !transaction.ended
            {
                world.set_visible(transaction.epoch, Visible::Never);
            }
            Ok(())
        })
    }

    fn release(&mut self) {
        self.aggregates.clear();
        self.rows.clear();
        self.changelog_end = None;
    }
}

impl Changelog for SimLog {
    fn read(&mut self, from: Offset, end: Offset, row: RowSink<'_, End>) -> Step<()> {
        let rows: Vec<_> = {
            let world = self.world.borrow();
            let range = index(from)..index(end);
            let rows = world.changelog[range].iter().filter(|row| row.visible == Visible::Yes && !row.compacted);
            rows.map(|row| (row.key.clone(), row.value.clone())).collect()
        };
        for (key, value) in rows {
            row(&key, value.as_deref()).map_err(Failure::Fatal)?;
        }
        self.step(|_| Ok(()))
    }
}

impl DeadLetters for SimLog {
    fn write(&mut self, _: &[DeadLetter]) -> Step<()> {
        self.step(|_| Ok(()))
    }
}

/// The offset of the record at this index of a log.
pub(crate) fn offset(index: usize) -> Offset {
    Offset(i64::try_from(index).expect("an offset"))
}

/// The index in a log of the record at this offset.
pub(crate) fn index(offset: Offset) -> usize {
    usize::try_from(offset.0).expect("an offset")
}
