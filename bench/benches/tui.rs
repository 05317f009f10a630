//! The terminal dashboard with 10,000 series: a batch that changes all of them, and a frame.

use criterion::{BatchSize, Criterion};
use quipu_bench::{is_whole, report};
use quipu_record::{Aggregate, Millis, Offset, Series, Total};
use quipu_tui::app::{App, Input};
use quipu_tui::render::render;
use quipu_tui::view::View;
use quipu_tui::{Batch, RawRecord, Theme, Topic, TopicState};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const SERIES: u64 = 10_000;
const START: i64 = 1_718_900_000_000;
const SCREEN: Rect = Rect { x: 0, y: 0, width: 140, height: 45 };

fn main() {
    let mut criterion = Criterion::default().configure_from_args().sample_size(20);
    let mut app = App::new("localhost:9092", None);
    app.update(Input::Resize(SCREEN.width, SCREEN.height), START);
    for topic in [Topic::Metrics, Topic::Aggregates] {
        app.update(Input::Batch(Batch::Topic { topic, state: TopicState::CaughtUp }), START);
    }
    let mut second = 0;
    // A minute of history, so that the frame has something to draw.
    while second < if is_whole() { 60 } else { 2 } {
        feed(&mut app, second, [reports(second), totals(second)]);
        second += 1;
    }
    criterion.bench_function("tui/batch of 10,000 counters and as many totals", |bencher| {
        bencher.iter_batched(
            || {
                second += 1;
                (second, [reports(second), totals(second)])
            },
            |(second, batches)| feed(&mut app, second, batches),
            BatchSize::PerIteration,
        );
    });
    let now = START + second * 1000;
    criterion.bench_function("tui/frame", |bencher| {
        let mut buffer = Buffer::empty(SCREEN);
        bencher.iter(|| {
            buffer.reset();
            render(&View::new(&app, now), Theme::Colour, SCREEN, &mut buffer);
        });
    });
    criterion.final_summary();
}

fn feed(app: &mut App, second: i64, batches: [Batch; 2]) {
    let now = START + second * 1000;
    for batch in batches {
        app.update(Input::Batch(batch), now);
    }
    app.update(Input::Tick, now);
}

fn reports(second: i64) -> Batch {
    let (key, value) = report(1, SERIES, u64::try_from(second).expect("a second"));
    let record = record(second, second, key, value.into_bytes());
    Batch::Records { topic: Topic::Metrics, records: vec![record] }
}

fn totals(second: i64) -> Batch {
    let total = |number: u64| {
        let series = Series::new("records_processed", [("topic", format!("t{number}"))]).expect("a series");
        let aggregate = Aggregate {
            series,
            total: Total::Counter(i128::from(1_000_000 + second)),
            timestamp: Millis(START + second * 1000),
            offset: Offset(second),
            instances: 1,
        };
        let offset = second * i64::try_from(SERIES).expect("few series") + i64::try_from(number).expect("few series");
        record(offset, second, aggregate.series.to_string(), aggregate.to_json())
    };
    Batch::Records { topic: Topic::Aggregates, records: (0..SERIES).map(total).collect() }
}

fn record(offset: i64, second: i64, key: String, value: Vec<u8>) -> RawRecord {
    RawRecord { offset, timestamp: START + second * 1000, key: Some(key.into_bytes()), value: Some(value) }
}
