//! The rounds: the contenders take turns, so that other load on the machine affects all of them.

use std::collections::HashMap;

use anyhow::{Result, ensure};
use quipu_testkit::Cluster;
use tempfile::TempDir;

use crate::bare;
use crate::contender::{Contender, Site};
use crate::guarantee::Guarantee;
use crate::live;
use crate::load::Load;
use crate::quipu::Quipu;
use crate::report::Report;
use crate::streams::Streams;

/// Runs all rounds and prints the results. `live` is the number of seconds for which a live load is followed.
pub(crate) fn run(cluster: &Cluster, streams: Option<Streams>, counters: u64, rounds: u32, live: u64) -> Result<()> {
    let mut plain = Load::plain(cluster, "plain", counters)?;
    let reports = Load::reports(cluster, "reports", counters)?;
    let small = Load::plain(cluster, "small", counters.min(20_000))?;
    eprintln!("loaded {counters} plain counters, and as many in reports");
    let mut contenders: Vec<Box<dyn Contender>> = vec![Box::new(Quipu)];
    contenders.extend(streams.map(|streams| Box::new(streams) as Box<dyn Contender>));
    let mut report = Report::default();
    for round in 1..=rounds {
        for guarantee in Guarantee::ALL {
            eprintln!("round {round} of {rounds}, {}", guarantee.name());
            let folder = TempDir::new()?;
            let site = |contender: &dyn Contender, what: &str| Site {
                cluster,
                name: format!("{}-{what}-{}-{round}", contender.name().replace(' ', "-"), guarantee.name()),
                guarantee,
                folder: folder.path(),
            };
            report.measured("bare consumer, plain", bare::measure(cluster, &plain)?);
            let mut totals: Vec<HashMap<String, u64>> = Vec::new();
            for contender in &contenders {
                let (measured, counts) = contender.read(&site(&**contender, "plain"), &plain)?;
                report.measured(&format!("{}, {}, plain", contender.name(), guarantee.name()), measured);
                totals.push(counts);
            }
            let equal = totals.windows(2).all(|pair| pair[0] == pair[1]);
            ensure!(equal, "the totals of Quipu and Kafka Streams differ: {totals:?}");
            eprintln!("{} totals of {} are equal", plain.totals.len(), totals.len());
            report.measured("bare consumer, reports", bare::measure(cluster, &reports)?);
            let (measured, _) = Quipu.read(&site(&Quipu, "reports"), &reports)?;
            report.measured(&format!("Quipu, {}, reports", guarantee.name()), measured);
            plain.grow(cluster, 1, None)?;
            for contender in &contenders {
                let name = format!("{}, {}", contender.name(), guarantee.name());
                let restart = contender.restart(&site(&**contender, "plain"), &plain)?;
                let first = contender.first_total(&site(&**contender, "small"), &small)?;
                report.seconds(&format!("{name}: restart to caught up"), restart);
                report.seconds(&format!("{name}: exec to first total"), first);
            }
            live::measure(&site(&Quipu, "live"), live, &mut report)?;
        }
    }
    report.print();
    Ok(())
}
