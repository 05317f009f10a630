//! The dashboard without a broker, on the experiment's data.
//!
//! ```text
//! cargo run -p quipu-tui --example dashboard                         on the terminal, in real time
//! cargo run -p quipu-tui --example dashboard -- --load 10000         with so many series that change each second
//! cargo run -p quipu-tui --example dashboard -- --svg audit 48       the 48th second as an image
//! cargo run -p quipu-tui --example dashboard -- --text overview 48   the same as text
//! ```

mod synthetic;

use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;
use std::time::{Instant, SystemTime};

use anyhow::{Context as _, Result, bail};
use quipu_tui::app::{Action, App, Input, Tab, bindings};
use quipu_tui::render::render;
use quipu_tui::view::View;
use quipu_tui::{Batch, ScreenOptions, Theme, svg, watch};
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::Rect;

/// Columns and rows of an image.
const SIZE: (u16, u16) = (110, 30);

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
            print!("{}", svg(&frame(tab, second.parse()?)?));
            Ok(())
        }
        ["--text", tab, second] => {
            print!("{}", text(&frame(tab, second.parse()?)?));
            Ok(())
        }
        _ => bail!("expected nothing, --load with a number, or --svg or --text with a tab and a second"),
    }
}

/// Shows what happens in each second as it goes on.
fn live(second: impl Fn(i64, u64) -> Vec<Batch>) -> Result<()> {
    let began = Instant::now();
    let start = i64::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis())?;
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

/// The screen at the end of a second.
fn frame(tab: &str, second: u64) -> Result<Buffer> {
    let mut app = App::new("localhost:9092", Some("records_processed".to_owned()));
    let mut now = synthetic::START;
    for second in 0..=second {
        now = synthetic::START + i64::try_from(second)? * 1_000 + 200;
        for batch in synthetic::second(synthetic::START, second) {
            app.update(Input::Batch(batch), now);
        }
        app.update(Input::Tick, now);
    }
    let tab = Tab::ALL.into_iter().find(|other| other.title().eq_ignore_ascii_case(tab)).context("no such tab")?;
    let binding = bindings(app.mode()).iter().find(|binding| binding.action == Action::Show(tab));
    let key = binding.and_then(|binding| binding.keys.first()).context("no key shows that tab")?;
    let area = Rect::new(0, 0, SIZE.0, SIZE.1);
    app.update(Input::Resize(area.width, area.height), now);
    app.update(Input::Key(KeyEvent::from(KeyCode::Char(key.name().chars().next().unwrap_or(' ')))), now);
    let mut buffer = Buffer::empty(area);
    render(&View::new(&app, now), Theme::Colour, area, &mut buffer);
    Ok(buffer)
}

fn text(buffer: &Buffer) -> String {
    let row = |y| (0..buffer.area.width).map(move |x| buffer[(x, y)].symbol()).collect::<String>();
    (0..buffer.area.height).flat_map(|y| [row(y).trim_end().to_owned(), "\n".to_owned()]).collect()
}
