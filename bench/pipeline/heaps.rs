//! Finds the best JVM settings for Kafka Streams: first the collectors and the numbers of threads, then smaller heaps
//! with the best of these. It prints a table from which a person chooses a heap that is small and still fast
//! (`Jvm::BEST`).

use anyhow::Result;
use quipu_testkit::Cluster;
use tempfile::TempDir;

use crate::contender::{Contender as _, Site};
use crate::guarantee::Guarantee;
use crate::load::Load;
use crate::streams::{Jvm, Streams};

const LARGE: u32 = 1024;
const SMALLER: [u32; 6] = [512, 256, 192, 128, 96, 64];

/// Measures the settings with a warm JVM and at-least-once, and prints the results.
pub(crate) fn find(cluster: &Cluster, mut streams: Streams, counters: u64) -> Result<()> {
    let load = Load::plain(cluster, "heaps", counters)?;
    let folder = TempDir::new()?;
    println!(
        "| heap, MB | collector | threads | counters/s | CPU-s per million | peak RSS, MB |\n|---|---|---|---|---|---|"
    );
    let mut rate = |jvm: Jvm| {
        streams.jvm = jvm;
        let Jvm { heap, collector, threads } = jvm;
        let name = format!("heaps-{threads}-{heap}-{}", collector.trim_start_matches("-XX:+"));
        let site = Site { cluster, name, guarantee: Guarantee::AtLeastOnce, folder: folder.path() };
        match streams.read(&site, &load) {
            Ok((measured, _)) => {
                let (rate, cpu, rss) = (measured.rate, measured.cpu, measured.peak_rss);
                println!("| {heap} | {collector} | {threads} | {rate:.0} | {cpu:.2} | {rss:.0} |");
                rate
            }
            Err(error) => {
                println!("| {heap} | {collector} | {threads} | {error:#} |");
                0.0
            }
        }
    };
    let mut best = (0.0, Jvm::BEST);
    for collector in ["-XX:+UseSerialGC", "-XX:+UseParallelGC", "-XX:+UseG1GC"] {
        for threads in [1, 2] {
            let jvm = Jvm { heap: LARGE, collector, threads };
            let rate = rate(jvm);
            if rate > best.0 {
                best = (rate, jvm);
            }
        }
    }
    let (fastest, jvm) = best;
    for heap in SMALLER {
        // A heap that is far slower spends its time collecting garbage, and a smaller one runs out of memory.
        if rate(Jvm { heap, ..jvm }) < fastest * 0.6 {
            break;
        }
    }
    Ok(())
}
