//! The consumer that reports by itself, on a real broker: what it reports is compared with what happened.
#![cfg(feature = "consumer")]

mod common;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use common::{DEADLINE, Table};
use quipu_record::{Ranges, limits};
use quipu_reporter::consumer::{ConsumerCallbacks, ReportingBaseConsumer, ReportingContext, ReportingStreamConsumer};
use quipu_reporter::{Error, KafkaReporter};
use quipu_testkit::{Cluster, Kafka, require};
use rdkafka::consumer::{BaseConsumer, Consumer, DefaultConsumerContext, Rebalance};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::{ClientConfig, ClientContext};

const POLL: Duration = Duration::from_millis(50);

/// A topic of this test, a topic for the reports, and a reporter that does not publish by itself.
struct Bench {
    cluster: Cluster,
    topic: String,
    reports: String,
    reporter: KafkaReporter,
}

impl Bench {
    fn new(kafka: &Kafka, partitions: i32) -> Self {
        let cluster = Cluster::new(kafka.bootstrap());
        let topic = cluster.create_topic("records", partitions, &[]);
        let reports = cluster.create_topic("reports", 1, &[]);
        let (_, reporter) = Self::builder(&cluster, &reports).build().unwrap();
        Self { cluster, topic, reports, reporter }
    }

    fn builder(cluster: &Cluster, reports: &str) -> quipu_reporter::KafkaReporterBuilder {
        let hour = Duration::from_secs(3600);
        KafkaReporter::builder(cluster.bootstrap()).topic(reports).interval(hour).heartbeat(hour)
    }

    fn config(&self, more: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", self.cluster.bootstrap())
            .set("group.id", &self.topic)
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("heartbeat.interval.ms", "500")
            .set("fetch.wait.max.ms", "20");
        for (name, value) in more {
            config.set(*name, *value);
        }
        config
    }

    fn consumer(&self, more: &[(&str, &str)]) -> ReportingBaseConsumer {
        let processed = self.reporter.processed("orders");
        ReportingBaseConsumer::new(&self.config(more), processed, DefaultConsumerContext).unwrap()
    }

    /// The keys spread the records over the partitions.
    fn produce(&self, records: usize) {
        self.cluster.produce(&self.topic, (0..records).map(|n| (Some(n.to_string()), Some("x"))));
    }

    /// What the reporter has published, by partition.
    fn ranges(&self, reporter: &KafkaReporter) -> BTreeMap<i32, Ranges> {
        reporter.flush(DEADLINE).unwrap();
        let mut table = Table::of(self.cluster.bootstrap(), &self.reports);
        let run = reporter.run().to_string();
        table.read_to_end();
        let rows = table.rows.into_values().filter(|row| row.run == run);
        rows.flat_map(|row| row.ranges)
            .map(|(series, value)| {
                let series: quipu_record::Series = series.parse().unwrap();
                assert_eq!((series.label("topic"), series.label("group")), (Some(&*self.topic), Some(&*self.topic)));
                (series.label("partition").unwrap().parse().unwrap(), value)
            })
            .collect()
    }
}

fn layers(value: &Ranges) -> Vec<Vec<(i64, i64, u64)>> {
    let of = |layer: &quipu_record::Layer| {
        layer.ranges().iter().map(|range| (range.start.0, range.end.0, range.records)).collect()
    };
    value.layers.as_slice().iter().map(of).collect()
}

fn spans(spans: &quipu_record::Spans) -> Vec<(i64, i64)> {
    spans.as_slice().iter().map(|span| (span.start.0, span.end.0)).collect()
}

/// Receives this many records and returns their partitions and offsets.
fn receive<X: ConsumerCallbacks>(
    consumer: &ReportingBaseConsumer<X>,
    records: usize,
    does_record: bool,
) -> Vec<(i32, i64)> {
    let deadline = Instant::now() + DEADLINE;
    let mut received = Vec::new();
    while received.len() < records {
        assert!(Instant::now() < deadline, "{received:?}");
        if let Some(message) = consumer.poll(POLL) {
            let message = message.unwrap();
            received.push((message.partition(), message.offset()));
            if does_record {
                consumer.record(&message);
            }
        }
    }
    received
}

/// Polls until the callbacks have done what is awaited.
fn poll_until<X: ConsumerCallbacks>(consumer: &ReportingBaseConsumer<X>, what: &str, is_true: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_true() {
        assert!(Instant::now() < deadline, "timed out waiting for {what}");
        if let Some(message) = consumer.poll(POLL) {
            consumer.record(&message.unwrap());
        }
    }
}

#[test]
fn a_commit_publishes_first_and_the_next_consumer_continues_there() {
    let Some(kafka) = require(Kafka::shared()) else { return };
    let bench = Bench::new(kafka, 1);
    bench.produce(10);
    let consumer = bench.consumer(&[]);
    consumer.subscribe(&[&bench.topic]).unwrap();
    receive(&consumer, 6, true);
    receive(&consumer, 2, false);
    consumer.commit(DEADLINE).unwrap();
    consumer.commit(DEADLINE).unwrap();
    let acked = bench.reporter.stats().reports_acked;
    assert!(acked >= 1, "{acked}");
    let value = bench.ranges(&bench.reporter).remove(&0).unwrap();
    assert_eq!((layers(&value), spans(&value.in_hand)), (vec![vec![(0, 6, 6)]], vec![(6, 8)]));
    receive(&consumer, 2, true);
    assert_eq!(bench.ranges(&bench.reporter)[&0].committed, Some(quipu_record::Offset(8)));
    drop(consumer);

    let (_, other) = Bench::builder(&bench.cluster, &bench.reports).build().unwrap();
    let next =
        ReportingBaseConsumer::new(&bench.config(&[]), other.processed("orders"), DefaultConsumerContext).unwrap();
    next.subscribe(&[&bench.topic]).unwrap();
    assert_eq!(receive(&next, 2, true), [(0, 8), (0, 9)]);
    assert_eq!(layers(&bench.ranges(&other)[&0]), [[(8, 10, 2)]]);
    let value = bench.ranges(&bench.reporter).remove(&0).unwrap();
    assert_eq!(layers(&value), [[(0, 6, 6), (8, 10, 2)]]);
    assert!(value.in_hand.is_empty(), "the partition was taken away");
}

#[test]
fn markers_and_aborted_records_are_skipped_also_where_an_assignment_begins() {
    let Some(kafka) = require(Kafka::shared()) else { return };
    let bench = Bench::new(kafka, 1);
    let producer = bench.cluster.producer(&[("transactional.id", &bench.topic)]);
    producer.init_transactions(DEADLINE).unwrap();
    for commits in [true, false, true, true] {
        producer.begin_transaction().unwrap();
        for _ in 0..3 {
            producer.send(BaseRecord::<str, str>::to(&bench.topic).payload("x")).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(DEADLINE).unwrap();
        if commits {
            producer.commit_transaction(DEADLINE).unwrap();
        } else {
            producer.abort_transaction(DEADLINE).unwrap();
        }
    }
    // Each transaction takes four offsets, the last one for its marker.
    let consumer = bench.consumer(&[("isolation.level", "read_committed")]);
    consumer.subscribe(&[&bench.topic]).unwrap();
    receive(&consumer, 3, true);
    consumer.commit(DEADLINE).unwrap();
    drop(consumer);
    let consumer = bench.consumer(&[("isolation.level", "read_committed")]);
    consumer.subscribe(&[&bench.topic]).unwrap();
    assert_eq!(receive(&consumer, 6, true), [(0, 8), (0, 9), (0, 10), (0, 12), (0, 13), (0, 14)]);
    let value = bench.ranges(&bench.reporter).remove(&0).unwrap();
    assert_eq!(layers(&value), [[(0, 3, 3), (8, 11, 3), (12, 15, 3)]]);
    assert_eq!(spans(&value.skipped), [(3, 8), (11, 12)]);

    consumer.commit(DEADLINE).unwrap();
    let value = bench.ranges(&bench.reporter).remove(&0).unwrap();
    assert_eq!(value.committed, Some(quipu_record::Offset(15)));
    assert_eq!(layers(&value), [[(0, 3, 3), (8, 15, 6)]], "joined below the committed offset");
}

#[test]
fn a_seek_backwards_makes_duplicates_and_one_forwards_skips_nothing() {
    let Some(kafka) = require(Kafka::shared()) else { return };
    let bench = Bench::new(kafka, 1);
    bench.produce(10);
    let consumer = bench.consumer(&[]);
    let mut start = TopicPartitionList::new();
    start.add_partition_offset(&bench.topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&start).unwrap();
    receive(&consumer, 5, true);
    consumer.seek(&bench.topic, 0, Offset::Offset(2), DEADLINE).unwrap();
    assert_eq!(receive(&consumer, 2, true), [(0, 2), (0, 3)]);
    consumer.seek(&bench.topic, 0, Offset::Offset(8), DEADLINE).unwrap();
    let paused = consumer.inner().assignment().unwrap();
    consumer.pause(&paused).unwrap();
    assert!(consumer.poll(POLL).is_none());
    consumer.resume(&paused).unwrap();
    assert_eq!(receive(&consumer, 2, true), [(0, 8), (0, 9)]);
    let value = bench.ranges(&bench.reporter).remove(&0).unwrap();
    assert_eq!(layers(&value), [vec![(0, 5, 5), (8, 10, 2)], vec![(2, 4, 2)]]);
    assert!(value.skipped.is_empty(), "{value:?}");

    receive_none(&consumer);
    consumer.unassign().unwrap();
    let mut start = TopicPartitionList::new();
    start.add_partition_offset(&bench.topic, 0, Offset::Offset(9)).unwrap();
    consumer.incremental_assign(&start).unwrap();
    receive(&consumer, 1, false);
    assert_eq!(spans(&bench.ranges(&bench.reporter)[&0].in_hand), [(9, 10)]);
    consumer.incremental_unassign(&start).unwrap();
    assert!(bench.ranges(&bench.reporter)[&0].in_hand.is_empty());
}

fn receive_none(consumer: &ReportingBaseConsumer) {
    assert!(consumer.poll(POLL).is_none());
}

#[test]
fn records_that_were_deleted_before_they_were_read_are_not_skipped() {
    let Some(kafka) = require(Kafka::shared()) else { return };
    let bench = Bench::new(kafka, 1);
    bench.produce(10);
    let consumer = bench.consumer(&[]);
    let mut start = TopicPartitionList::new();
    start.add_partition_offset(&bench.topic, 0, Offset::Offset(2)).unwrap();
    bench.cluster.delete_records(&bench.topic, 6);
    consumer.assign(&start).unwrap();
    assert_eq!(receive(&consumer, 4, true), [(0, 6), (0, 7), (0, 8), (0, 9)]);
    let value = bench.ranges(&bench.reporter).remove(&0).unwrap();
    assert_eq!((layers(&value), spans(&value.skipped)), (vec![vec![(6, 10, 4)]], vec![]));
}

/// Counts the calls of the program's own context.
#[derive(Default)]
struct Counting(std::sync::Mutex<Vec<&'static str>>);

impl ClientContext for Counting {}

impl ConsumerCallbacks for Counting {
    fn pre_rebalance(&self, _: &BaseConsumer<ReportingContext<Self>>, rebalance: &Rebalance<'_>) {
        self.0.lock().unwrap().push(if matches!(rebalance, Rebalance::Assign(_)) { "assign" } else { "revoke" });
    }

    fn commit_callback(&self, result: rdkafka::error::KafkaResult<()>, _: &TopicPartitionList) {
        if result.is_ok() {
            self.0.lock().unwrap().push("commit");
        }
    }
}

/// Polls once, and processes and counts what was received.
fn take_one<X: ConsumerCallbacks>(consumer: &ReportingBaseConsumer<X>, counts: &mut BTreeMap<(i32, i64), u64>) {
    if let Some(message) = consumer.poll(POLL) {
        let message = message.unwrap();
        consumer.record(&message);
        *counts.entry((message.partition(), message.offset())).or_default() += 1;
    }
}

/// Two consumers of a group share the partitions; what each reports is what it received.
fn share(strategy: &str) {
    let Some(kafka) = require(Kafka::shared()) else { return };
    let bench = Bench::new(kafka, 4);
    let more = [
        ("partition.assignment.strategy", strategy),
        ("enable.auto.commit", "true"),
        ("auto.commit.interval.ms", "100"),
    ];
    let first: ReportingBaseConsumer<Counting> =
        ReportingBaseConsumer::new(&bench.config(&more), bench.reporter.processed("orders"), Counting::default())
            .unwrap();
    first.subscribe(&[&bench.topic]).unwrap();
    bench.produce(200);
    let mut counts: BTreeMap<(i32, i64), u64> = BTreeMap::new();
    for at in receive(&first, 200, true) {
        *counts.entry(at).or_default() += 1;
    }
    let committed = || bench.ranges(&bench.reporter).values().filter_map(|value| Some(value.committed?.0)).sum::<i64>();
    poll_until(&first, "the automatic commit", || committed() == 200);

    let (_, other) = Bench::builder(&bench.cluster, &bench.reports).build().unwrap();
    let second =
        ReportingBaseConsumer::new(&bench.config(&more), other.processed("orders"), DefaultConsumerContext).unwrap();
    second.subscribe(&[&bench.topic]).unwrap();
    let mut poll = || {
        take_one(&first, &mut counts);
        take_one(&second, &mut counts);
        counts.len()
    };
    let partitions = || [first.inner().assignment(), second.inner().assignment()].map(|own| own.unwrap().count());
    let deadline = Instant::now() + DEADLINE;
    while partitions() != [2, 2] {
        assert!(Instant::now() < deadline, "{:?}", partitions());
        poll();
    }
    bench.produce(200);
    while poll() < 400 {
        assert!(Instant::now() < deadline);
    }
    let mut reported: BTreeMap<(i32, i64), u64> = BTreeMap::new();
    for (partition, value) in bench.ranges(&bench.reporter).into_iter().chain(bench.ranges(&other)) {
        assert!(value.skipped.is_empty() && value.in_hand.is_empty() && value.len() < limits::RANGES, "{value:?}");
        for range in value.layers.as_slice().iter().flat_map(quipu_record::Layer::ranges) {
            assert!(range.is_full());
            (range.start.0..range.end.0).for_each(|offset| *reported.entry((partition, offset)).or_default() += 1);
        }
    }
    assert_eq!(reported, counts);
    let calls = first.inner().context().callbacks().0.lock().unwrap().clone();
    assert!(["assign", "revoke", "commit"].iter().all(|call| calls.contains(call)), "{calls:?}");
}

#[test]
fn eager_rebalances_are_reported() {
    share("range");
}

#[test]
fn cooperative_rebalances_are_reported() {
    share("cooperative-sticky");
}

#[test]
fn a_commit_whose_report_is_not_acknowledged_marks_the_run() {
    let Some(kafka) = require(Kafka::shared()) else { return };
    let bench = Bench::new(kafka, 1);
    bench.produce(3);
    // This topic does not exist yet.
    let late = bench.cluster.name("late");
    let (_, reporter) = Bench::builder(&bench.cluster, &late).build().unwrap();
    let consumer =
        ReportingBaseConsumer::new(&bench.config(&[]), reporter.processed("orders"), DefaultConsumerContext).unwrap();
    consumer.subscribe(&[&bench.topic]).unwrap();
    receive(&consumer, 3, true);
    assert!(matches!(consumer.processed().flush(POLL), Err(Error::Timeout { .. })));
    // Under load, a commit may take longer than the time that its report is given.
    quipu_testkit::eventually("the commit", || consumer.commit(Duration::from_secs(1)).ok());
    let committed = consumer.inner().committed(DEADLINE).unwrap();
    assert_eq!(committed.elements()[0].offset(), Offset::Offset(3));

    bench.cluster.create_topic("late", 1, &[]);
    let value = Bench { reports: late, ..bench }.ranges(&reporter).remove(&0).unwrap();
    assert!(value.unpublished && !value.inexact, "{value:?}");
}

struct Tokio;

impl rdkafka::util::AsyncRuntime for Tokio {
    type Delay = tokio::time::Sleep;

    fn spawn<T: Future<Output = ()> + Send + 'static>(task: T) {
        tokio::spawn(task);
    }

    fn delay_for(duration: Duration) -> Self::Delay {
        tokio::time::sleep(duration)
    }
}

#[test]
fn several_tasks_receive_from_one_stream_and_nothing_seems_to_be_skipped() {
    const RECORDS: usize = 5000;
    let Some(kafka) = require(Kafka::shared()) else { return };
    let bench = Bench::new(kafka, 1);
    bench.produce(RECORDS);
    tokio::runtime::Runtime::new().unwrap().block_on(receive_in_tasks(&bench, RECORDS));
    let value = bench.ranges(&bench.reporter).remove(&0).unwrap();
    assert_eq!(layers(&value), [[(0, 5000, 5000)]]);
    assert!(value.skipped.is_empty() && value.in_hand.is_empty());
}

async fn receive_in_tasks(bench: &Bench, records: usize) {
    let processed = bench.reporter.processed("orders");
    let consumer: ReportingStreamConsumer<DefaultConsumerContext, Tokio> =
        ReportingStreamConsumer::new(&bench.config(&[]), processed, DefaultConsumerContext).unwrap();
    consumer.subscribe(&[&bench.topic]).unwrap();
    let consumer = std::sync::Arc::new(consumer);
    let left = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(records));
    let tasks: Vec<_> = (0..3)
        .map(|_| {
            let (consumer, left) = (consumer.clone(), left.clone());
            tokio::spawn(async move {
                while left.load(std::sync::atomic::Ordering::Acquire) > 0 {
                    // A task that waits while another one receives the last record has to look again.
                    if let Ok(message) = tokio::time::timeout(POLL, consumer.recv()).await {
                        consumer.record(&message.unwrap());
                        left.fetch_sub(1, std::sync::atomic::Ordering::AcqRel);
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        tokio::time::timeout(DEADLINE, task).await.unwrap().unwrap();
    }
}
