//! One random schedule, and what an outside reader expects of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use quipu_aggregator::engine::{Engine, EngineError, State};
use quipu_record::{Millis, Offset};
use quipu_testkit::fold::{Declared, LogRecord, Logged, SERIES, plain_key, run_key};
use quipu_testkit::oracle::Oracle;
use quipu_topology::{Retention, Settings, SourceRecord};

use crate::disk::{Disk, SimStore};
use crate::kafka::{End, SimLog, World, index, offset};
use crate::random::Random;

const STEPS: usize = 160;
const MACHINES: usize = 2;

type Process = Engine<SimLog, SimStore>;
type Totals = [i128; SERIES.len()];

/// What the schedules did: one that does nothing proves nothing.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Seen {
    schedules: usize,
    faults: usize,
    crashes: usize,
    takeovers: usize,
    fenced: usize,
    upgrades: usize,
    expired: usize,
    rebased: usize,
    totals: usize,
}

impl Seen {
    pub(crate) fn add(&mut self, other: &Self) {
        self.schedules += other.schedules;
        self.faults += other.faults;
        self.crashes += other.crashes;
        self.takeovers += other.takeovers;
        self.fenced += other.fenced;
        self.upgrades += other.upgrades;
        self.expired += other.expired;
        self.rebased += other.rebased;
        self.totals += other.totals;
    }

    pub(crate) fn is_missing_something(&self) -> bool {
        let Self { schedules: _, faults, crashes, takeovers, fenced, upgrades, expired, rebased, totals } = *self;
        [faults, crashes, takeovers, fenced, upgrades, expired, rebased, totals].contains(&0)
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { schedules, faults, crashes, takeovers, fenced, upgrades, expired, rebased, totals } = self;
        write!(
            f,
            "{schedules} schedules, {faults} faults, {crashes} crashes, {takeovers} takeovers, {fenced} fenced, {upgrades} upgrades, {expired} runs expired, {rebased} rows rebased, {totals} totals seen, 0 wrong"
        )
    }
}

/// A schedule while it runs.
struct Schedule {
    random: Random,
    world: Rc<RefCell<World>>,
    disks: Vec<Rc<RefCell<Disk>>>,
    active: Option<Process>,
    /// A process that was taken for dead and does not know it.
    zombie: Option<Process>,
    oracle: Oracle,
    /// The totals after each record.
    expected: Vec<Totals>,
    /// Whether a total may be lower after each record than before: an operator removed a row.
    fell: Vec<bool>,
    latest: BTreeMap<String, (Offset, i128, Millis)>,
    read: usize,
    seen: Seen,
}

/// Runs the schedule of a seed.
///
/// # Panics
/// If a total is wrong or went back.
pub(crate) fn run(seed: u64) -> Seen {
    let world = World::new(seed);
    let world_retention = world.retention;
    let mut schedule = Schedule {
        random: Random(seed ^ 0x5eed),
        world: Rc::new(RefCell::new(world)),
        disks: (0..MACHINES).map(|_| Rc::default()).collect(),
        active: None,
        zombie: None,
        oracle: Oracle::with_retention(world_retention, []),
        expected: Vec::new(),
        fell: Vec::new(),
        latest: BTreeMap::new(),
        read: 0,
        seen: Seen { schedules: 1, ..Seen::default() },
    };
    for step in 0..STEPS {
        schedule.step(step as u64);
        schedule.outsider();
    }
    schedule.finish();
    (schedule.seen.expired, schedule.seen.rebased) = (schedule.oracle.expired, schedule.oracle.rebased);
    schedule.seen.faults = schedule.world.borrow().faults;
    schedule.seen
}

impl Schedule {
    fn step(&mut self, step: u64) {
        self.pass(10);
        match self.random.below(20) {
            0..=6 => self.report(step),
            7..=10 => self.read_on(),
            11 => self.commit(),
            12..=13 => self.commit_in_part(),
            14 => self.start(),
            // Somebody starts what is down.
            15 if self.active.is_none() => self.start(),
            15 => self.kill(),
            16 => self.compact(),
            17 if self.random.once_in(4) => self.rebalance(),
            17 => self.wait(),
            18 if self.random.once_in(4) => self.upgrade(),
            18 if self.random.once_in(3) => self.assign_zombie(),
            18 => self.wake_zombie(),
            _ => self.damage(),
        }
    }

    /// Somebody reports.
    fn report(&mut self, step: u64) {
        let random = &mut self.random;
        let record = match random.below(12) {
            0..=6 => {
                let most = 1 + random.below(SERIES.len());
                let mut slack = || random.next() % 4;
                let counters = (0..most).map(|series| (series, step * 3 + slack())).collect();
                let seq = step + slack();
                let part = random.below(2);
                LogRecord::Report {
                    run: random.below(5),
                    part,
                    parts: u32::try_from(part).expect("small") + 1 + u32::from(random.once_in(3)),
                    seq,
                    is_final: random.once_in(8),
                    counters,
                }
            }
            7..=9 => {
                let timestamp = (!random.once_in(3)).then(|| i64::try_from(step).expect("small"));
                let start = random.once_in(2).then(|| i64::try_from(random.below(5)).expect("small"));
                let declared = Declared { start, is_baseline: random.once_in(8), expires: random.once_in(2) };
                LogRecord::Plain { key: random.below(2), series: 1, count: random.next() % 40, timestamp, declared }
            }
            10 => LogRecord::Bad {
                key: if random.once_in(2) { run_key(random.below(4), 0) } else { plain_key(0) },
                value: "{",
            },
            _ if random.once_in(3) => LogRecord::Forget { id: step.into(), series: random.below(SERIES.len()) },
            _ => {
                LogRecord::Tombstone { key: if random.once_in(2) { run_key(random.below(4), 0) } else { plain_key(0) } }
            }
        };
        let logged = Logged { timestamp: self.world.borrow().now.0, record };
        self.fell.push(matches!(logged.record, LogRecord::Tombstone { .. } | LogRecord::Forget { .. }));
        self.oracle.push(&logged);
        self.expected.push(self.oracle.all_totals());
        self.world.borrow_mut().log.push(Some(logged));
    }

    /// A process starts on some machine, in place of the one before, which dies or does not know.
    fn start(&mut self) {
        if let Some(before) = self.active.take() {
            let exactly_once = self.world.borrow().exactly_once;
            // With at-least-once nothing fences: two at once are not promised to be exact.
            if exactly_once && self.random.once_in(2) {
                self.zombie = Some(before);
            }
            self.seen.takeovers += 1;
        }
        let machine = self.random.below(MACHINES);
        if self.zombie.is_some() {
            // A machine's disk is one process's; the zombie keeps its own.
            self.disks[machine] = Rc::default();
        }
        self.start_on(machine);
    }

    fn start_on(&mut self, machine: usize) {
        let store = SimStore { world: Rc::clone(&self.world), disk: Rc::clone(&self.disks[machine]) };
        let (runs, finished) = self.world.borrow().retention;
        let retention = Retention { runs: runs.map(Millis), finished: finished.map(Millis) };
        let settings = Settings {
            instance_timeout: Millis(30_000),
            refresh_interval: Millis(60_000),
            retention,
            max_rows: 1000,
            max_series: 1000,
            audits: Vec::new(),
        };
        let mut process = Engine::new(SimLog::new(&self.world), store, settings, "metrics");
        process.records_per_step = 1 + self.random.below(4);
        self.active = Some(process);
        self.assign();
    }

    fn assign(&mut self) {
        let now = self.world.borrow().now;
        let result = self.active.as_mut().map_or(Ok(()), |process| process.assigned(now));
        if let Some(process) = self.active.as_ref().filter(|process| process.state() != State::Waiting) {
            let world = self.world.borrow();
            let of_group = world.group_offset.filter(|_| process.topology().rows() > 0);
            let position = world.position().or(process.store.disk.borrow().position()).or(of_group);
            assert_eq!(process.committed(), position.unwrap_or_default(), "it goes on from somewhere else");
        }
        self.survived(result);
    }

    /// A process that met its end is gone.
    fn survived(&mut self, result: Result<(), EngineError<End>>) {
        match result {
            Ok(()) => {}
            Err(EngineError::Port(End::Fenced)) => {
                self.seen.fenced += 1;
                self.active = None;
            }
            Err(EngineError::Port(End::Crash)) => {
                self.seen.crashes += 1;
                self.active = None;
            }
            Err(end) => panic!("a process ended with {end:?}"),
        }
        if self.active.as_ref().is_some_and(|process| process.log.left_group) && self.random.once_in(2) {
            self.assign();
        }
    }

    fn read_on(&mut self) {
        let records = 1 + self.random.below(12);
        if let Some(process) = &mut self.active {
            read(process, records);
        }
    }

    fn commit(&mut self) {
        let now = self.world.borrow().now;
        let result = self.active.as_mut().map_or(Ok(()), |process| commit(process, now));
        self.survived(result);
    }

    /// Some steps of a commit; what happens next happens in the middle of it.
    fn commit_in_part(&mut self) {
        let (now, steps) = (self.world.borrow().now, self.random.below(8));
        let Some(process) = &mut self.active else { return };
        process.begin_commit(now);
        let result = (0..steps).try_for_each(|_| process.advance(Duration::ZERO).map(|_| ()));
        self.survived(result);
    }

    /// The group takes the partition away and gives it back.
    fn rebalance(&mut self) {
        if let Some(process) = &mut self.active {
            process.revoked();
            self.assign();
        }
    }

    fn kill(&mut self) {
        if self.active.take().is_some() {
            self.seen.crashes += 1;
        }
    }

    fn compact(&mut self) {
        let mut world = self.world.borrow_mut();
        world.compact_log();
        world.compact_changelog();
    }

    fn wait(&mut self) {
        let hours = if self.random.once_in(4) { 30 } else { 0 };
        self.pass(hours * 3_600_000 + 20_000);
    }

    fn pass(&self, ms: i64) {
        let mut world = self.world.borrow_mut();
        world.now = world.now.saturating_add(Millis(ms));
    }

    /// The process that was taken for dead goes on: it must be stopped, and nothing of it may count.
    fn wake_zombie(&mut self) {
        let Some(mut zombie) = self.zombie.take() else { return };
        read(&mut zombie, 20);
        let (now, seen) = (self.world.borrow().now, self.world.borrow().visible.len());
        match commit(&mut zombie, now) {
            Err(EngineError::Port(End::Fenced)) => self.seen.fenced += 1,
            Err(EngineError::Port(End::Crash)) | Ok(()) => {}
            Err(end) => panic!("a zombie ended with {end:?}"),
        }
        assert_eq!(self.world.borrow().visible.len(), seen, "a zombie published something");
    }

    /// A process learns late that the partition was given to it, when another one has it already: it fences the one that
    /// has it, and is as good as that.
    fn assign_zombie(&mut self) {
        let Some(zombie) = self.zombie.take() else { return };
        self.zombie = self.active.replace(zombie);
        self.assign();
    }

    /// The processes of the former version end, and those that start after them are of this one.
    fn upgrade(&mut self) {
        if std::mem::take(&mut self.world.borrow_mut().is_former) {
            (self.active, self.zombie) = (None, None);
            self.seen.upgrades += 1;
        }
    }

    /// A disk is lost, damaged, or lacks its last writes; only while no process uses it.
    fn damage(&mut self) {
        let fate = self.random.below(4);
        if self.active.is_some() && fate < 3 {
            return;
        }
        let machine = self.random.below(MACHINES);
        match fate {
            0 => self.disks[machine] = Rc::default(),
            1 => self.disks[machine].borrow_mut().damage(&mut self.random),
            2 => {
                let writes = 1 + self.random.below(3);
                self.disks[machine].borrow_mut().lose_last_writes(writes);
            }
            _ => self.world.borrow_mut().spoil_group_offset(),
        }
    }

    /// What an outside reader checks of every total that became visible.
    fn outsider(&mut self) {
        let world = self.world.borrow();
        for aggregate in &world.visible[self.read..] {
            let key = aggregate.series.to_string();
            let series = SERIES.iter().position(|series| *series == key).expect("a series of the fleet");
            let offset = index(aggregate.offset);
            assert_eq!(aggregate.count, self.expected[offset][series], "{key} at offset {offset} is wrong");
            let published = (aggregate.offset, aggregate.count, aggregate.timestamp);
            if let Some((before, count, timestamp)) = self.latest.insert(key.clone(), published) {
                assert!(before <= aggregate.offset, "{key}: the offset went back from {before} to {offset}");
                let may_fall = self.fell[index(before)..=offset].contains(&true);
                assert!(may_fall || count <= aggregate.count, "{key} went back from {count} to {}", aggregate.count);
                assert!(timestamp <= aggregate.timestamp, "{key}: the time went back");
            }
            self.seen.totals += 1;
        }
        self.read = world.visible.len();
        // A reader of the position relies on the totals up to it.
        let Some(last) = world.position().filter(|position| *position > Offset::ZERO) else { return };
        let last = last.previous();
        for (series, total) in SERIES.iter().zip(self.expected[index(last)]) {
            let (offset, count, _) = self.latest.get(*series).copied().unwrap_or((Offset(-1), 0, Millis(0)));
            let is_newer = offset > last;
            assert!(is_newer || count == total, "{series} is {count} and not {total} although the position covers it");
        }
    }

    /// Without further faults, everything that was reported is published.
    fn finish(&mut self) {
        self.world.borrow_mut().fault_in = None;
        self.zombie = None;
        if self.active.is_none() {
            self.start_on(0);
        } else if self.active.as_ref().is_some_and(|process| process.state() == State::Waiting) {
            self.assign();
        }
        let process = self.active.as_mut().expect("a process without faults");
        read(process, usize::MAX);
        self.commit();
        self.outsider();
        let Some(last) = self.expected.last() else { return };
        for (series, total) in SERIES.iter().zip(last) {
            let published = self.latest.get(*series).map_or(0, |(_, count, _)| *count);
            assert_eq!(published, *total, "{series} at the end");
        }
        if !self.world.borrow().is_former {
            let end = offset(self.expected.len());
            assert_eq!(self.world.borrow().position(), Some(end), "the position at the end");
        }
    }
}

/// Lets a process finish the commit under way, and make another.
fn commit(process: &mut Process, now: Millis) -> Result<(), EngineError<End>> {
    for _ in 0..2 {
        process.begin_commit(now);
        while process.is_committing() {
            process.advance(Duration::ZERO)?;
        }
    }
    Ok(())
}

/// Lets a process read on.
fn read(process: &mut Process, records: usize) {
    if process.state() == State::Waiting {
        return;
    }
    for _ in 0..records {
        let (logged, now) = {
            let world = process.log.world.borrow();
            let at = index(process.log.next);
            let Some(slot) = world.log.get(at) else { break };
            (slot.clone(), world.now)
        };
        let offset = process.log.next;
        process.log.next = offset.next();
        if let Some(logged) = logged {
            let (key, value) = (logged.record.key_bytes(), logged.record.value());
            let record = SourceRecord {
                offset,
                timestamp: Some(Millis(logged.timestamp)),
                is_append_time: true,
                key: Some(&key),
                value: value.as_deref().map(str::as_bytes),
            };
            process.apply(&record, now);
        }
    }
    let end = offset(process.log.world.borrow().log.len());
    if process.log.next >= end {
        process.caught_up();
    }
}
