//! Checks the servers and clients that the other tests rely on.

use quipu_testkit::{Cluster, DEADLINE, Kafka, Kcat, eventually, require};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, Producer};

#[test]
fn records_written_by_kcat_are_read_to_the_end() {
    let (Some(kafka), Some(kcat)) = (require(Kafka::shared()), require(Kcat::find())) else {
        return;
    };
    let cluster = Cluster::new(kafka.bootstrap());
    let topic = cluster.create_topic("cords", 2, &[]);

    let produce = ["-b", cluster.bootstrap(), "-P", "-t", &topic, "-K", "="];
    kcat.run(&produce, "app-1=one\napp-2=two\napp-1=three\n");

    let mut read: Vec<_> = cluster
        .read_to_end(&topic)
        .iter()
        .map(|message| text(message.key()) + "=" + &text(message.payload()))
        .collect();
    read.sort();
    assert_eq!(read, ["app-1=one", "app-1=three", "app-2=two"]);
}

#[test]
fn an_aborted_transaction_is_not_read() {
    let Some(kafka) = require(Kafka::shared()) else {
        return;
    };
    let cluster = Cluster::new(kafka.bootstrap());
    let topic = cluster.create_topic("cords", 1, &[]);
    let producer = cluster.producer(&[("transactional.id", &topic)]);
    producer.init_transactions(DEADLINE).unwrap();
    for (value, commit) in [("aborted", false), ("committed", true)] {
        producer.begin_transaction().unwrap();
        producer.send(BaseRecord::<str, str>::to(&topic).payload(value)).map_err(|(error, _)| error).unwrap();
        producer.flush(DEADLINE).unwrap();
        if commit {
            producer.commit_transaction(DEADLINE).unwrap();
        } else {
            producer.abort_transaction(DEADLINE).unwrap();
        }
    }

    let read = eventually("a committed record", || Some(cluster.read_to_end(&topic)).filter(|read| !read.is_empty()));
    let values: Vec<_> = read.iter().map(|message| text(message.payload())).collect();
    assert_eq!(values, ["committed"]);
}

#[test]
fn a_killed_broker_has_its_records_after_a_restart() {
    let Some(kafka) = require(Kafka::start()) else {
        return;
    };
    let cluster = Cluster::new(kafka.bootstrap());
    let topic = cluster.create_topic("cords", 1, &[("cleanup.policy", "compact")]);
    cluster.produce(&topic, [(Some("app-1"), Some("one")), (Some("app-1"), None)]);

    kafka.kill();
    kafka.restart();

    let read = cluster.read_to_end(&topic);
    let values: Vec<_> = read.iter().map(Message::payload).collect();
    assert_eq!(values, [Some(&b"one"[..]), None]);
}

fn text(bytes: Option<&[u8]>) -> String {
    String::from_utf8(bytes.unwrap().to_vec()).unwrap()
}
