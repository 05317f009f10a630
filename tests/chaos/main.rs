//! Faults at random moments on real Kafka brokers, while reporters report: a reader compares every total that it sees with
//! the oracle at the offset that the total carries.
//!
//! ```text
//! cargo test --test chaos                        # all of it, short
//! cargo test --test chaos -- --cycles 300        # the aggregator and its broker are killed
//! cargo test --test chaos -- --faults 100        # three brokers are killed, hang and restart; the aggregator keeps
//! running
//! cargo test --test chaos -- --faults 100 --guarantee at_least_once
//! ```

mod brokers;
mod chance;
mod check;
mod fleet;
mod kills;
mod program;
mod reader;
mod seen;

use quipu_testkit::Quipu;

/// The binary of this build.
const QUIPU: Quipu = Quipu::new(env!("CARGO_BIN_EXE_quipu"));

fn main() {
    let cycles = option("--cycles").map(|cycles| cycles.parse().expect("a number of cycles"));
    let faults = option("--faults").map(|faults| faults.parse().expect("a number of faults"));
    let mut passed = 0;
    if cycles.is_some() || faults.is_none() {
        kills::run_all(cycles);
        passed += 1;
    }
    if faults.is_some() || cycles.is_none() {
        brokers::run_all(faults, option("--guarantee").as_deref());
        passed += 1;
    }
    println!("test result: ok. {passed} passed; 0 failed");
}

/// The value of an option of the command line.
fn option(name: &str) -> Option<String> {
    std::env::args().skip_while(|arg| arg != name).nth(1)
}
