//! The sink that writes to standard output.

use quipu_record::Aggregate;
use quipu_testkit::count_of;

use crate::stream::{Points, Stream};

#[test]
fn each_total_is_a_line_of_json() {
    let mut stream = Stream::new();
    stream.publish_seconds(0..2);
    let sink = stream.start_sink("type = 'stdout'");
    stream.expect(&sink, || {
        let text = sink.printed();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let aggregates = whole.lines().map(|line| Aggregate::decode(line.as_bytes()).unwrap());
        let point = |aggregate: Aggregate| ((aggregate.series.clone(), aggregate.timestamp.0), count_of(&aggregate));
        aggregates.map(point).collect::<Points>()
    });
}
