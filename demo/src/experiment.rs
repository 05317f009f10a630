//! Runs the experiment: starts and stops the programs according to the plan, and watches the totals.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::child::parent::{Command, Status};
use crate::child::{DemoChild, PARTITIONS};
use crate::display::Screen;
use crate::display::{Display, View};
use crate::event::Event;
use crate::format::grouped;
use crate::options::DemoOptions;
use crate::plan::{Plan, Progress, Stage};
use crate::programs;
use crate::programs::aggregator::Aggregator;
use crate::programs::children::Child;
use crate::venue::Venue;
use crate::watch::lag::GroupWatch;
use crate::watch::log::Log;
use crate::watch::observer::{CONSUMERS, Observer, PRODUCER};

/// How often the experiment checks whether the plan's next stage begins.
const TICK: Duration = Duration::from_millis(50);
/// If nothing changes for this time (plus the intervals of the options), the experiment is stuck and fails.
const STUCK: Duration = Duration::from_secs(60);
/// If the totals are not right after this time (plus two report intervals), the experiment stops waiting for them.
const SETTLING: Duration = Duration::from_secs(15);
/// How long a clean shutdown of the programs may take when the experiment ends early.
const GRACE: Duration = Duration::from_secs(5);

const APP_1: &str = CONSUMERS[0];
const APP_2: &str = CONSUMERS[1];

/// How an experiment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The plan was completed.
    Complete,
    /// The user stopped it.
    Interrupted,
}

/// A running experiment.
pub(crate) struct Experiment<'a> {
    options: &'a DemoOptions,
    venue: &'a Venue,
    /// The folder for the consumers' files of record ids.
    ids: &'a Path,
    display: &'a mut Display,
    events: SyncSender<Event>,
    group: GroupWatch,
    plan: Plan,
    stage: Stage,
    /// When the stage began.
    since: Instant,
    children: BTreeMap<&'static str, Child>,
    app_2_has_work: bool,
    app_2_is_stopping: bool,
    log: Log,
}

impl<'a> Experiment<'a> {
    pub(crate) fn new(
        options: &'a DemoOptions,
        venue: &'a Venue,
        ids: &'a Path,
        display: &'a mut Display,
        events: SyncSender<Event>,
    ) -> Result<Self> {
        Ok(Self {
            options,
            venue,
            ids,
            display,
            events,
            group: GroupWatch::new(&venue.client(), &venue.names.group, &venue.names.records, PARTITIONS)?,
            plan: Plan::new(options.records),
            stage: Stage::Sending,
            since: Instant::now(),
            children: BTreeMap::new(),
            app_2_has_work: false,
            app_2_is_stopping: false,
            log: Log::start(),
        })
    }

    /// Runs the experiment to its end and returns its log.
    pub(crate) fn run(mut self, events: &Receiver<Event>) -> Result<(End, Log)> {
        let aggregator = Aggregator::start(self.venue.aggregator(self.options)?, self.events.clone())?;
        let mut observer = Observer::start(self.venue.source())?;
        let end = match self.watch(&mut observer, events) {
            Ok(Some(End::Complete)) => Ok(self.keep_dashboard_open(events)),
            end => end,
        };
        let closed = self.display.close();
        // The programs stop before the aggregator, and the aggregator before the brokers, so that all final reports
        // are counted.
        self.end_children();
        let aggregator = aggregator.stop();
        let Some(end) = end? else {
            aggregator?;
            match self.stage {
                Stage::Done => bail!("all records were read, but the aggregator stopped while the dashboard was open"),
                _ => bail!("the aggregator stopped before the end of the experiment"),
            }
        };
        aggregator?;
        closed?;
        Ok((end, self.log))
    }

    /// Follows the plan. Returns `None` if the aggregator stopped.
    fn watch(&mut self, observer: &mut Observer, events: &Receiver<Event>) -> Result<Option<End>> {
        self.log = Log::start();
        self.enter(Stage::Sending)?;
        while self.stage != Stage::Done {
            self.log.add(observer.observe(TICK));
            for event in events.try_iter() {
                match event {
                    Event::Status { instance, status } => self.apply_status(&instance, &status),
                    Event::AggregatorStopped => return Ok(None),
                    Event::Interrupted => return Ok(Some(End::Interrupted)),
                }
            }
            if self.display.screen().is_some_and(Screen::is_closed) {
                return Ok(Some(End::Interrupted));
            }
            let progress = self.progress()?;
            if let Some(next) = self.plan.next(self.stage, &progress) {
                self.enter(next)?;
            }
            let patience = STUCK + self.options.commit_interval() + 2 * self.options.report_interval;
            if self.log.unchanged_for() > patience {
                bail!("the experiment is stuck: nothing has changed for {} s ({:?})", patience.as_secs(), self.stage);
            }
            self.display.show(&View {
                at: self.log.time(),
                seen: self.log.seen,
                records: self.options.records,
                rate: self.log.series.sending_rate(),
                skew: 2 * self.options.report_interval,
            });
        }
        Ok(Some(End::Complete))
    }

    /// Keeps the dashboard open until the user closes it. Returns `None` if the aggregator stopped.
    fn keep_dashboard_open(&mut self, events: &Receiver<Event>) -> Option<End> {
        if let Some(screen) = self.display.screen() {
            let duplicates = grouped(self.log.seen.delta);
            screen.show_notice(format!(
                "all records are read: {duplicates} duplicates; q closes and checks the record ids"
            ));
        }
        while self.display.screen().is_some_and(|screen| !screen.is_closed()) {
            match events.recv_timeout(TICK) {
                Ok(Event::AggregatorStopped) => return None,
                Ok(Event::Interrupted) => break,
                Ok(Event::Status { .. }) | Err(_) => {}
            }
        }
        Some(End::Complete)
    }

    /// Begins a stage.
    fn enter(&mut self, stage: Stage) -> Result<()> {
        self.stage = stage;
        self.since = Instant::now();
        match stage {
            Stage::Sending => {
                self.start(PRODUCER, &programs::producer(self.options, self.venue))?;
                self.note(None, "the producer starts");
            }
            Stage::Alone => {
                self.start(APP_1, &programs::consumer(0, self.options, self.venue, self.ids))?;
                self.note(Some("app-1 starts"), "app-1 starts; it has all the work");
            }
            Stage::Joining => {
                self.start(APP_2, &programs::consumer(1, self.options, self.venue, self.ids))?;
                self.note(Some("app-2 starts"), "app-2 starts in the same group");
            }
            Stage::Sharing => self.note(None, "app-2 has its share of the partitions"),
            Stage::Stopping => self.send(APP_2, Command::Stop),
            Stage::Settling => {
                self.send(APP_1, Command::Stop);
                self.note(Some("all is read"), "all records are read and committed; app-1 stops");
            }
            Stage::Draining | Stage::Done => {}
        }
        self.send(PRODUCER, Command::Limit(self.plan.limit(stage)));
        Ok(())
    }

    /// Applies a status of app-2, which the plan needs. Counts are never taken from a status: the observer reads them from
    /// the topics.
    fn apply_status(&mut self, instance: &str, status: &Status) {
        if instance != APP_2 {
            return;
        }
        match status {
            Status::Assigned(partitions) => self.app_2_has_work = *partitions > 0,
            Status::Stopping => self.app_2_is_stopping = true,
            Status::Left(uncommitted) => {
                let uncommitted = grouped(*uncommitted);
                let text = format!("app-2 stops; {uncommitted} records that it processed are not committed");
                self.note(Some("app-2 stops"), &text);
            }
        }
    }

    fn progress(&mut self) -> Result<Progress> {
        let producer_ended = self.has_ended(PRODUCER)?;
        let app_1_ended = self.has_ended(APP_1)?;
        let only_consumer_1_left = self.has_ended(APP_2)? && producer_ended;
        let seen = self.log.seen;
        let is_settled = seen.is_settled() || self.since.elapsed() > SETTLING + 2 * self.options.report_interval;
        Ok(Progress {
            sent: seen.sent,
            processed_by_1: seen.processed[0],
            processed_by_2: seen.processed[1],
            consumer_2_has_work: self.app_2_has_work,
            consumer_2_is_stopping: self.app_2_is_stopping,
            only_consumer_1_left,
            drained: self.stage == Stage::Draining && only_consumer_1_left && self.group.is_drained()?,
            settled: self.stage == Stage::Settling && app_1_ended && is_settled,
        })
    }

    /// Adds a milestone to the log and shows it.
    fn note(&mut self, mark: Option<&'static str>, text: &str) {
        let milestone = self.log.note(mark, text.to_owned());
        self.display.milestone(milestone);
    }

    fn start(&mut self, instance: &'static str, child: &DemoChild) -> Result<()> {
        self.children.insert(instance, Child::start(child, &self.events)?);
        Ok(())
    }

    fn send(&mut self, instance: &str, command: Command) {
        if let Some(child) = self.children.get_mut(instance) {
            child.send(command);
        }
    }

    /// Returns whether the program was started and has exited.
    fn has_ended(&mut self, instance: &str) -> Result<bool> {
        self.children.get_mut(instance).map_or(Ok(false), Child::has_ended)
    }

    /// Shuts the remaining programs down cleanly, and kills those that are still running after the grace period.
    fn end_children(&mut self) {
        for child in self.children.values_mut() {
            child.send(Command::Quit);
        }
        let deadline = Instant::now() + GRACE;
        for child in self.children.values() {
            child.wait(deadline.saturating_duration_since(Instant::now()));
        }
        self.children.clear();
    }
}
