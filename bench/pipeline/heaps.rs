//! Which JVM serves Kafka Streams best: the smallest heap that stays within 5 % of its best throughput.

use anyhow::Result;
use tempfile::TempDir;

use crate::contender::{Contender as _, Site};
use crate::guarantee::Guarantee;
use crate::load::Load;
use crate::streams::{Jvm, Streams};
use crate::support::Cluster;

const HEAPS: [u32; 7] = [1024, 512, 256, 128, 96, 64, 48];
const COLLECTORS: [&str; 2] = ["-XX:+UseSerialGC", "-XX:+UseG1GC"];
const THREADS: [u32; 2] = [1, 2];

/// Measures every combination, warm and with at-least-once.
pub(crate) fn find(cluster: &Cluster, mut streams: Streams, records: u64) -> Result<()> {
    let load = Load::plain(cluster, "heaps", records)?;
    let folder = TempDir::new()?;
    println!(
        "| heap, MB | collector | threads | records/s | CPU-s per million | peak RSS, MB |\n|---|---|---|---|---|---|"
    );
    for threads in THREADS {
        for collector in COLLECTORS {
            for heap in HEAPS {
                streams.jvm = Jvm { heap, collector, threads };
                let name = format!("heaps-{threads}-{heap}-{}", collector.trim_start_matches("-XX:+"));
                let site = Site { cluster, name, guarantee: Guarantee::AtLeastOnce, folder: folder.path() };
                match streams.read(&site, &load) {
                    Ok((measured, _)) => println!(
                        "| {heap} | {collector} | {threads} | {:.0} | {:.2} | {:.0} |",
                        measured.rate, measured.cpu, measured.peak_rss
                    ),
                    Err(error) => println!("| {heap} | {collector} | {threads} | {error:#} |"),
                }
            }
        }
    }
    Ok(())
}
