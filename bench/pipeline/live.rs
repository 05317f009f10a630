//! How long reading pauses under a live load: no record is applied during a step of a commit.

use std::time::Duration;

use anyhow::{Context as _, Result};
use quipu_testkit::get;

use crate::contender::Site;
use crate::load::Load;
use crate::quipu::Quipu;
use crate::report::Report;
use crate::totals::Totals;

/// Every second all 20,000 keys have a new count.
const RATE: u64 = 20_000;

/// Lets the aggregator follow a load for this number of seconds and reads from its metrics how long its commits paused
/// it.
pub(crate) fn measure(site: &Site<'_>, seconds: u64, report: &mut Report) -> Result<()> {
    Quipu::create_topics(site);
    let mut load = Load::empty(site.cluster, &format!("{}-input", site.name));
    let mut totals = Totals::read(site.cluster, &site.output())?;
    let process = Quipu::start(site, &load.topic, &[])?;
    let (_, serving) = process.line("serving HTTP")?;
    let address = serving.split("address=").nth(1).and_then(|rest| rest.split_whitespace().next());
    let address = address.context("the log has no address of /metrics")?;
    process.until("caught up")?;
    load.grow(site.cluster, RATE * seconds, Some(RATE))?;
    totals.until(&load.totals)?;
    let (_, metrics) = get(address, "/metrics").context("no answer from /metrics")?;
    for (quantile, label) in [("0.5", "median"), ("1", "longest")] {
        let line = format!("quipu_commit_pause_seconds{{quantile=\"{quantile}\"}} ");
        let seconds =
            metrics.lines().find_map(|metric| metric.strip_prefix(&line)).context("no commit was measured")?;
        let pause = Duration::from_secs_f64(seconds.parse()?);
        report.seconds(&format!("Quipu, {}: {label} pause for a commit of 20,000 rows", site.guarantee.name()), pause);
    }
    process.stop()
}
