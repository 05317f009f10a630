//! The experiment: starts and stops the programs as the plan says, and watches.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::child::parent::{Command, Word};
use crate::child::{DemoChild, PARTITIONS};
use crate::display::Screen;
use crate::display::{Display, View};
use crate::format::grouped;
use crate::happening::Happening;
use crate::options::DemoOptions;
use crate::plan::{Plan, Progress, Stage};
use crate::programs;
use crate::programs::aggregator::Aggregator;
use crate::programs::children::Child;
use crate::venue::Venue;
use crate::watch::lag::GroupWatch;
use crate::watch::log::Log;
use crate::watch::observer::{CONSUMERS, Observer, PRODUCER};

/// How often the plan is consulted.
const TICK: Duration = Duration::from_millis(50);
/// An experiment in which nothing changes for so long, apart from the intervals of its own, is stuck.
const STUCK: Duration = Duration::from_secs(60);
/// Totals that are not right after this time, and the time of some reports, will not become so.
const SETTLING: Duration = Duration::from_secs(15);
/// How long the programs may take to end in order when the experiment ends early.
const GRACE: Duration = Duration::from_secs(5);

const APP_1: &str = CONSUMERS[0];
const APP_2: &str = CONSUMERS[1];

/// How an experiment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// As planned.
    Complete,
    /// By the user.
    Interrupted,
}

/// An experiment that is going on.
pub(crate) struct Experiment<'a> {
    options: &'a DemoOptions,
    venue: &'a Venue,
    /// Where the consumers write ids down.
    ids: &'a Path,
    display: &'a mut Display,
    happenings: SyncSender<Happening>,
    group: GroupWatch,
    plan: Plan,
    stage: Stage,
    /// When the stage began.
    since: Instant,
    children: BTreeMap<&'static str, Child>,
    app_2_has_work: bool,
    app_2_heard: bool,
    log: Log,
}

impl<'a> Experiment<'a> {
    pub(crate) fn new(
        options: &'a DemoOptions,
        venue: &'a Venue,
        ids: &'a Path,
        display: &'a mut Display,
        happenings: SyncSender<Happening>,
    ) -> Result<Self> {
        Ok(Self {
            options,
            venue,
            ids,
            display,
            happenings,
            group: GroupWatch::new(&venue.client(), &venue.names.group, &venue.names.records, PARTITIONS)?,
            plan: Plan::new(options.records),
            stage: Stage::Sending,
            since: Instant::now(),
            children: BTreeMap::new(),
            app_2_has_work: false,
            app_2_heard: false,
            log: Log::start(),
        })
    }

    /// Runs it to its end, and hands out what was seen.
    pub(crate) fn run(mut self, happenings: &Receiver<Happening>) -> Result<(End, Log)> {
        let aggregator = Aggregator::start(self.venue.aggregator(self.options)?, self.happenings.clone())?;
        let mut observer = Observer::start(self.venue.source())?;
        let end = match self.watch(&mut observer, happenings) {
            Ok(Some(End::Complete)) => Ok(self.linger(happenings)),
            end => end,
        };
        let closed = self.display.close();
        // The programs are gone before the aggregator is, and it before the brokers.
        self.end_children();
        let aggregator = aggregator.stop();
        let Some(end) = end? else {
            aggregator?;
            match self.stage {
                Stage::Done => bail!("all was read, but the aggregator ended by itself while the dashboard was open"),
                _ => bail!("the aggregator ended before the experiment did"),
            }
        };
        aggregator?;
        closed?;
        Ok((end, self.log))
    }

    /// Follows the plan. Returns nothing if the aggregator ended.
    fn watch(&mut self, observer: &mut Observer, happenings: &Receiver<Happening>) -> Result<Option<End>> {
        self.log = Log::start();
        self.enter(Stage::Sending)?;
        while self.stage != Stage::Done {
            self.log.see(observer.look(TICK));
            for happening in happenings.try_iter() {
                match happening {
                    Happening::Said { instance, word } => self.hear(&instance, &word),
                    Happening::AggregatorEnded => return Ok(None),
                    Happening::Interrupted => return Ok(Some(End::Interrupted)),
                }
            }
            if self.display.screen().is_some_and(Screen::is_left) {
                return Ok(Some(End::Interrupted));
            }
            let progress = self.progress()?;
            if let Some(next) = self.plan.next(self.stage, &progress) {
                self.enter(next)?;
            }
            let patience = STUCK + self.options.commit_interval() + 2 * self.options.report_interval;
            if self.log.quiet_for() > patience {
                bail!("it is stuck: nothing has changed for {} s ({:?})", patience.as_secs(), self.stage);
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

    /// Leaves the dashboard open until the user has seen enough. Returns nothing if the aggregator ended.
    fn linger(&mut self, happenings: &Receiver<Happening>) -> Option<End> {
        if let Some(screen) = self.display.screen() {
            let duplicates = grouped(self.log.seen.delta);
            screen.say(format!("all is read: {duplicates} duplicates; q leaves and shows the check against the truth"));
        }
        while self.display.screen().is_some_and(|screen| !screen.is_left()) {
            match happenings.recv_timeout(TICK) {
                Ok(Happening::AggregatorEnded) => return None,
                Ok(Happening::Interrupted) => break,
                Ok(Happening::Said { .. }) | Err(_) => {}
            }
        }
        Some(End::Complete)
    }

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
            Stage::Stopping => self.tell(APP_2, Command::Stop),
            Stage::Settling => {
                self.tell(APP_1, Command::Stop);
                self.note(Some("all is read"), "everything is read and committed; app-1 stops");
            }
            Stage::Draining | Stage::Done => {}
        }
        self.tell(PRODUCER, Command::Limit(self.plan.limit(stage)));
        Ok(())
    }

    /// Only what app-2 says matters, and only for the plan: counts are watched from outside.
    fn hear(&mut self, instance: &str, word: &Word) {
        if instance != APP_2 {
            return;
        }
        match word {
            Word::Assigned(partitions) => self.app_2_has_work = *partitions > 0,
            Word::Stopping => self.app_2_heard = true,
            Word::Left(undone) => {
                let undone = grouped(*undone);
                self.note(Some("app-2 stops"), &format!("app-2 stops; {undone} records that it did are not committed"));
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
            consumer_2_heard: self.app_2_heard,
            only_consumer_1_left,
            drained: self.stage == Stage::Draining && only_consumer_1_left && self.group.is_drained()?,
            settled: self.stage == Stage::Settling && app_1_ended && is_settled,
        })
    }

    fn note(&mut self, mark: Option<&'static str>, meaning: &str) {
        let event = self.log.note(mark, meaning.to_owned());
        self.display.event(event);
    }

    fn start(&mut self, instance: &'static str, child: &DemoChild) -> Result<()> {
        self.children.insert(instance, Child::start(child, &self.happenings)?);
        Ok(())
    }

    fn tell(&mut self, instance: &str, command: Command) {
        if let Some(child) = self.children.get_mut(instance) {
            child.tell(command);
        }
    }

    /// Whether it ran and ended.
    fn has_ended(&mut self, instance: &str) -> Result<bool> {
        self.children.get_mut(instance).map_or(Ok(false), Child::has_ended)
    }

    /// Lets whoever is still there come to an end in order, or else without.
    fn end_children(&mut self) {
        for child in self.children.values_mut() {
            child.tell(Command::Quit);
        }
        let deadline = Instant::now() + GRACE;
        for child in self.children.values() {
            child.wait(deadline.saturating_duration_since(Instant::now()));
        }
        self.children.clear();
    }
}
