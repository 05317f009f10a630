//! A process has only one recorder, so this is a test binary of its own with a single test.

mod common;

use common::{DEADLINE, Table, broker, builder};
use metrics::counter;
use quipu_reporter::Error;

#[test]
fn the_macros_reach_the_installed_reporter_and_a_second_one_is_refused() {
    let broker = broker();
    let mut table = Table::new(&broker);
    let reporter = builder(&broker).install().unwrap();
    std::thread::spawn(|| counter!("records_processed", "topic" => "auth").increment(1)).join().unwrap();

    let second = builder(&broker).instance("app-2").install();
    assert!(matches!(second, Err(Error::RecorderInstalled)), "{second:?}");

    reporter.shutdown(DEADLINE).unwrap();
    table.read_until("final", Table::all_final);
    assert_eq!(table.run(&reporter.run().to_string()).get(r#"records_processed{topic="auth"}"#), Some(&1));
    assert_eq!(table.rows.len(), 1, "the refused reporter was seen: {:?}", table.rows);
}
