//! Shows the dashboard without a broker, with synthetic data of the experiment, or writes images of it.
//!
//! ```text
//! cargo run -p quipu-tui --example dashboard                         on the terminal, in real time
//! cargo run -p quipu-tui --example dashboard -- --load 10000         with 10,000 series that change each second
//! cargo run -p quipu-tui --example dashboard -- --svg audit 48       the 48th second as an image
//! cargo run -p quipu-tui --example dashboard -- --text overview 48   the same as text
//! cargo run -p quipu-tui --example dashboard -- --last audit localhost:9092
//!                                                                    an image of the last data before the brokers stopped
//! ```

mod synthetic;

use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, bail};
use quipu_tui::app::{Action, App, Input, Tab, bindings};
use quipu_tui::render::render;
use quipu_tui::view::View;
use quipu_tui::{Batch, Connection, ScreenOptions, Source, SourceOptions, Theme, svg, watch};
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::Rect;

/// The number of columns and rows of an image.
const SIZE: (u16, u16) = (110, 30);
/// The series that is selected.
const SERIES: &str = "records_processed";
const TICK: Duration = Duration::from_millis(250);
/// The aggregator is taken to run if its newest aggregate is not older than this.
const FRESH_MS: i64 = 600;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => live(synthetic::second),
        ["--load", count] => {
            let count = count.parse()?;
            live(move |start, second| synthetic::load(start, second, count))
        }
        ["--svg", tab, second] => {
            print!("{}", svg(&synthetic_frame(tab, second.parse()?)?));
            Ok(())
        }
        ["--last", tab, brokers] => {
            print!("{}", svg(&last_frame(tab, brokers)?));
            Ok(())
        }
        ["--text", tab, second] => {
            print!("{}", text(&synthetic_frame(tab, second.parse()?)?));
            Ok(())
        }
        _ => bail!(
            "expected nothing, --load with a number, --svg or --text with a tab and a second, or --last with a tab and brokers"
        ),
    }
}

/// Shows the dashboard in real time; `second` returns the batches of each second.
fn live(second: impl Fn(i64, u64) -> Vec<Batch>) -> Result<()> {
    let began = Instant::now();
    let start = now()?;
    let mut next = 0;
    let mut waiting: VecDeque<Batch> = VecDeque::new();
    let feed = |_| {
        if waiting.is_empty() && began.elapsed().as_secs() >= next {
            waiting.extend(second(start, next));
            next += 1;
        }
        waiting.pop_front().map(Input::Batch)
    };
    let options = ScreenOptions { brokers: "synthetic:9092".to_owned(), ..ScreenOptions::default() };
    let fleet = watch(feed, &options, &AtomicBool::new(false))?;
    println!("{} series", fleet.series().count());
    Ok(())
}

/// Returns the screen at the end of a second.
fn synthetic_frame(tab: &str, second: u64) -> Result<Buffer> {
    let mut app = App::new("localhost:9092", Some(SERIES.to_owned()));
    let mut now = synthetic::START;
    for second in 0..=second {
        now = synthetic::START + i64::try_from(second)? * 1_000 + 200;
        for batch in synthetic::second(synthetic::START, second) {
            app.update(Input::Batch(batch), now);
        }
        app.update(Input::Tick, now);
    }
    show(&mut app, tab, now)?;
    Ok(frame(&mut app, now))
}

/// Returns the last screen before the brokers stopped answering.
fn last_frame(tab: &str, brokers: &str) -> Result<Buffer> {
    let source = Source::start(SourceOptions { brokers: brokers.to_owned(), ..SourceOptions::default() })?;
    let mut app = App::new(brokers, Some(SERIES.to_owned()));
    show(&mut app, tab, now()?)?;
    let mut last = None;
    loop {
        let tick = Instant::now() + TICK;
        while let Some(batch) = source.recv_timeout(tick.saturating_duration_since(Instant::now())) {
            if matches!(batch, Batch::Connection(Connection::Lost { .. })) {
                return last.context("no broker answers");
            }
            app.update(Input::Batch(batch), now()?);
        }
        let now = now()?;
        app.update(Input::Tick, now);
        // The source needs some time to notice that the brokers stopped.
        let age = app.fleet.pipeline().newest_aggregate().map(|newest| now - newest);
        if age.is_some_and(|age| age < FRESH_MS) {
            last = Some(frame(&mut app, now));
        }
    }
}

fn show(app: &mut App, tab: &str, now: i64) -> Result<()> {
    let tab = Tab::ALL.into_iter().find(|other| other.title().eq_ignore_ascii_case(tab)).context("no such tab")?;
    let binding = bindings(app.mode()).iter().find(|binding| binding.action == Action::Show(tab));
    let key = binding.and_then(|binding| binding.keys.first()).context("no key shows that tab")?;
    app.update(Input::Key(KeyEvent::from(KeyCode::Char(key.name().chars().next().unwrap_or(' ')))), now);
    Ok(())
}

fn frame(app: &mut App, now: i64) -> Buffer {
    let area = Rect::new(0, 0, SIZE.0, SIZE.1);
    app.update(Input::Resize(area.width, area.height), now);
    let mut buffer = Buffer::empty(area);
    render(&View::new(app, now), Theme::Colour, area, &mut buffer);
    buffer
}

/// Returns the time in ms since 1970.
fn now() -> Result<i64> {
    Ok(i64::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis())?)
}

fn text(buffer: &Buffer) -> String {
    let row = |y| (0..buffer.area.width).map(move |x| buffer[(x, y)].symbol()).collect::<String>();
    (0..buffer.area.height).flat_map(|y| [row(y).trim_end().to_owned(), "\n".to_owned()]).collect()
}
