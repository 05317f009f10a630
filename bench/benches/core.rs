//! Decoding a record and applying it to the table and the sums, compared with the JSON parser alone on the same bytes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use quipu_bench::{Record, is_whole, plain, report, topology};
use quipu_record::{Millis, Offset, decode};
use quipu_topology::{SourceRecord, Topology};
use serde::Deserialize;
use serde::de::IgnoredAny;

const NOW: Millis = Millis(1_718_900_000_000);

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    kind(&mut criterion, "plain", 1, 1000, &plain, |value| _ = black_box(parse::<Plain<'_>>(value)));
    for (counters, rows) in [(1, 1000), (100, 1000), (1000, 100)] {
        let name = format!("report of {counters}");
        let record = move |run, seq| report(run, counters, seq);
        kind(&mut criterion, &name, counters, rows, &record, |value| _ = black_box(parse::<Report<'_>>(value)));
    }
    rows(&mut criterion);
    criterion.final_summary();
}

/// Measures records of one kind: the parser, the decoder, and both with the table and the sums.
fn kind(
    criterion: &mut Criterion,
    name: &str,
    counters: u64,
    rows: u64,
    record: &dyn Fn(u64, u64) -> Record,
    parse_it: fn(&[u8]),
) {
    let mut group = criterion.benchmark_group(format!("core/{name}"));
    group.throughput(Throughput::Elements(counters));
    let (key, value) = record(7, 42);
    let (key, value) = (key.as_bytes(), value.as_bytes());
    group.bench_function("parser, nothing kept", |bencher| bencher.iter(|| parse::<IgnoredAny>(black_box(value))));
    group.bench_function("parser, into structs", |bencher| bencher.iter(|| parse_it(black_box(value))));
    group.bench_function("decode", |bencher| bencher.iter(|| drop(black_box(decode(Some(key), Some(value))))));
    let mut table = None;
    group.bench_function("decode and apply", |bencher| {
        let table = table.get_or_insert_with(|| Table::new(rows, counters, record));
        bencher.iter_custom(|iterations| table.measure(iterations));
    });
    group.finish();
}

/// Measures plain counters with tables of different sizes.
fn rows(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("core/rows");
    group.throughput(Throughput::Elements(1));
    let sizes: &[u64] = if is_whole() { &[1_000, 100_000, 1_000_000] } else { &[1_000] };
    for &rows in sizes {
        let mut table = None;
        group.bench_function(BenchmarkId::from_parameter(rows), |bencher| {
            let table = table.get_or_insert_with(|| Table::new(rows, 1, &plain));
            bencher.iter_custom(|iterations| table.measure(iterations));
        });
    }
    group.finish();
}

/// A topology in which every row has a report, and a source of further records.
struct Table<'a> {
    topology: Topology,
    rows: u64,
    /// This number of records is generated at once, outside the measured time. They are few enough to stay in the
    /// cache, like records that the client has just unpacked.
    chunk: u64,
    offset: u64,
    record: &'a dyn Fn(u64, u64) -> Record,
}

impl<'a> Table<'a> {
    fn new(rows: u64, counters: u64, record: &'a dyn Fn(u64, u64) -> Record) -> Self {
        let chunk = (1000 / counters).max(1);
        let mut table = Self { topology: topology(), rows, chunk, offset: 0, record };
        for row in 0..rows {
            table.apply(&record(row, 0));
        }
        table
    }

    /// How long this number of records takes, each for a row that the processor can't predict.
    fn measure(&mut self, records: u64) -> Duration {
        let mut took = Duration::ZERO;
        let mut left = records;
        while left > 0 {
            let chunk: Vec<Record> = (self.offset..self.offset + left.min(self.chunk))
                .map(|offset| (self.record)((offset.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) % self.rows, offset))
                .collect();
            let began = Instant::now();
            // The aggregator's task also prefetches the rows of a batch.
            for batch in chunk.chunks(100) {
                self.topology.prefetch(batch.iter().map(|(key, _)| key.as_bytes()));
                for record in batch {
                    self.apply(record);
                }
            }
            took += began.elapsed();
            left -= left.min(self.chunk);
            // The topology is emptied as in a commit.
            self.topology.take_aggregates(NOW);
            self.topology.take_rows(|_, _| {});
        }
        took
    }

    fn apply(&mut self, (key, value): &Record) {
        let offset = Offset(i64::try_from(self.offset).expect("few records"));
        let (key, value) = (Some(key.as_bytes()), Some(value.as_bytes()));
        let record = SourceRecord { offset, timestamp: Some(NOW), is_append_time: true, key, value };
        self.topology.process(&record, NOW).expect("a good record");
        self.offset += 1;
    }
}

fn parse<'a, T: Deserialize<'a>>(value: &'a [u8]) -> T {
    serde_json::from_slice(value).expect("JSON of the expected shape")
}

/// The struct that a program would use if it did nothing else than parse a plain counter.
#[derive(Deserialize)]
#[expect(dead_code, reason = "the parser fills them")]
struct Plain<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    count: u64,
    #[serde(borrow)]
    timestamp: Cow<'a, str>,
}

/// The struct that a program would use if it did nothing else than parse a report.
#[derive(Deserialize)]
#[expect(dead_code, reason = "the parser fills them")]
struct Report<'a> {
    v: u64,
    #[serde(borrow)]
    instance: Cow<'a, str>,
    #[serde(borrow)]
    run: Cow<'a, str>,
    at: i64,
    seq: u64,
    interval_ms: u64,
    r#final: bool,
    #[serde(borrow)]
    counters: Vec<Counter<'a>>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "the parser fills them")]
struct Counter<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    labels: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    value: u64,
}
