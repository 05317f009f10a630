//! RocksDB as the state store: a commit that writes rows, and a restart that loads them into the table.

use std::time::{Duration, Instant};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use quipu_aggregator::engine::{Checkpoint, RowUpdate, Store as _};
use quipu_aggregator::store::AnyStore;
use quipu_bench::{is_whole, plain, topology};
use quipu_config::Config;
use quipu_record::{Millis, Offset};
use quipu_topology::SourceRecord;
use tempfile::TempDir;

const NOW: Millis = Millis(1_718_900_000_000);

fn main() {
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    let sizes: &[u64] = if is_whole() { &[10_000, 100_000, 1_000_000] } else { &[1_000] };
    for rows in sizes {
        measure(&mut criterion, *rows);
    }
    criterion.final_summary();
}

fn measure(criterion: &mut Criterion, rows: u64) {
    let mut group = criterion.benchmark_group("store");
    group.throughput(Throughput::Elements(rows)).measurement_time(Duration::from_secs(5));
    let mut setting = None;
    group.bench_function(BenchmarkId::new("commit", rows), |bencher| {
        let Setting { outputs, .. } = setting.get_or_insert_with(|| Setting::new(rows));
        bencher.iter_batched_ref(
            Folder::new,
            |folder| folder.store.write(outputs, Some(checkpoint(rows))).expect("written"),
            BatchSize::PerIteration,
        );
    });
    group.bench_function(BenchmarkId::new("restore", rows), |bencher| {
        let Setting { stored, .. } = setting.get_or_insert_with(|| Setting::new(rows));
        bencher.iter_custom(|iterations| (0..iterations).map(|_| stored.restore(rows)).sum());
    });
    group.finish();
}

/// The rows of a commit, and a store that contains them.
struct Setting {
    outputs: Vec<RowUpdate>,
    stored: Folder,
}

impl Setting {
    fn new(rows: u64) -> Self {
        let mut topology = topology();
        for row in 0..rows {
            let (key, value) = plain(row, 0);
            let record = SourceRecord {
                offset: Offset(i64::try_from(row).expect("few rows")),
                timestamp: Some(NOW),
                is_append_time: true,
                key: Some(key.as_bytes()),
                value: Some(value.as_bytes()),
            };
            topology.process(&record, NOW).expect("a good record");
        }
        let mut outputs = Vec::new();
        topology.take_rows(|key, value| outputs.push(RowUpdate { key: key.into(), value }));
        let mut stored = Folder::new();
        stored.store.write(&outputs, Some(checkpoint(rows))).expect("written");
        Self { outputs, stored }
    }
}

/// A store in its own folder.
struct Folder {
    store: AnyStore,
    config: Config,
    // Fields are dropped in order, so the folder is removed last.
    _dir: TempDir,
}

impl Folder {
    fn new() -> Self {
        let dir = TempDir::new().expect("a folder");
        let mut config = Config::default();
        config.state.dir = dir.path().into();
        let mut store = AnyStore::new(&config).expect("a store");
        store.clear().expect("a folder that can be written");
        Self { store, config, _dir: dir }
    }

    /// How long it takes to open the store and to load all rows into a table.
    fn restore(&mut self, rows: u64) -> Duration {
        self.store.close();
        let began = Instant::now();
        self.store = AnyStore::new(&self.config).expect("a store");
        let mut topology = topology();
        let checkpoint = self.store.load(&mut |key, value| topology.load(key, Some(value)).is_ok());
        let took = began.elapsed();
        assert!(checkpoint.expect("loaded").is_some(), "the store has no checkpoint");
        assert_eq!(topology.rows() as u64, rows);
        took
    }
}

fn checkpoint(rows: u64) -> Checkpoint {
    let position = Offset(i64::try_from(rows).expect("few rows"));
    Checkpoint { position, changelog: position, written_at: NOW }
}
