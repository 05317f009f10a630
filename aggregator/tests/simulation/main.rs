//! The real topology and commit protocol on a simulated Kafka, disk and fate.
//!
//! A schedule is a random sequence of reports, restarts, bad records, commits, crashes between any two steps (with the
//! step done or not), commits of unknown outcome, processes that were taken for dead, lost disks, and compaction. An
//! outside reader sees every total that becomes visible and holds it against the oracle at the offset that it carries.
//!
//! ```text
//! cargo test -p quipu-aggregator --test simulation -- --schedules 100000
//! cargo test -p quipu-aggregator --test simulation -- --seed 42
//! ```

mod disk;
mod kafka;
mod random;
mod schedule;

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let mut schedules = 3000;
    let mut only = None;
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let number = |args: &mut dyn Iterator<Item = String>| args.next().and_then(|text| text.parse().ok());
        match (arg.as_str(), number(&mut args)) {
            ("--schedules", Some(number)) => schedules = number,
            ("--seed", Some(seed)) => only = Some(seed),
            // What the test runner adds for all test targets is not for this one.
            _ => {}
        }
    }
    let began = Instant::now();
    let seeds = only.map_or(0..schedules, |seed| seed..seed + 1);
    let mut failed = Vec::new();
    let mut seen = schedule::Seen::default();
    for seed in seeds.clone() {
        if let Ok(of_this) = catch_unwind(|| schedule::run(seed)) {
            seen.add(&of_this);
        } else {
            println!("seed {seed} failed; again: cargo test -p quipu-aggregator --test simulation -- --seed {seed}");
            failed.push(seed);
        }
    }
    println!("simulation: {seen} in {:.1} s", began.elapsed().as_secs_f64());
    let idle = only.is_none() && seen.is_missing_something();
    if idle {
        println!("the schedules did not do all that they are for: {seen}");
    }
    println!("{} passed, {} failed", seeds.end - seeds.start - failed.len() as u64, failed.len());
    if failed.is_empty() && !idle { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
