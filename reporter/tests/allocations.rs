//! Counting allocates nothing once a counter is registered. Only the calling thread is measured.

mod common;

use std::hint::black_box;

use allocation_counter::measure;
use common::{broker, builder};
use metrics::{Key, Label, Level, Metadata, Recorder, counter, with_local_recorder};

static METADATA: Metadata<'static> = Metadata::new("test", Level::INFO, None);

#[test]
fn recording_the_next_offset_allocates_nothing() {
    let broker = broker();
    let (_, reporter) = builder(&broker).build().unwrap();
    let processed = reporter.processed("orders").with_group("shop");
    let partition = processed.partition("records", 0);
    let mut offset = 0;
    let mut record = || {
        partition.delivered(offset);
        partition.record(offset);
        processed.delivered("records", 1, offset);
        processed.record("records", 1, offset);
        offset += 1;
    };
    record();
    assert_eq!(measure(|| (0..1000).for_each(|_| record())).count_total, 0);
}

#[test]
fn counting_allocates_nothing() {
    let broker = broker();
    let (recorder, _reporter) = builder(&broker).build().unwrap();
    let dynamic = Key::from_parts("dynamic", vec![Label::new("n", 7.to_string()), Label::new("m", 8.to_string())]);

    with_local_recorder(&recorder, || {
        let handle = counter!("handle", "n" => 7.to_string());
        let count = || {
            handle.increment(1);
            counter!("name").increment(1);
            counter!("static_labels", "topic" => "auth", "kind" => "new").increment(1);
            // The macro itself allocates labels that are made at run time, so this calls the recorder directly.
            recorder.register_counter(&dynamic, &METADATA).increment(1);
        };
        count();
        assert_eq!(measure(|| (0..1000).for_each(|_| count())).count_total, 0);
        assert_ne!(measure(|| drop(black_box(vec![black_box(1)]))).count_total, 0, "nothing is measured at all");
    });
}
