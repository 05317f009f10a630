//! A dashboard at a fixed time, and the comparison of frames with files.

// The examples and the tests of this crate share the synthetic data.
#[expect(dead_code, reason = "the examples use the rest of it")]
#[path = "../../examples/synthetic/mod.rs"]
pub(crate) mod synthetic;

use std::fmt::Write as _;
use std::path::PathBuf;

use quipu_tui::app::{App, Input};
use quipu_tui::render::render;
use quipu_tui::view::{Report, View};
use quipu_tui::{Batch, Form, RawRecord, Theme, Topic};
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseEvent, MouseEventKind};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

/// If this variable is set, the frames are written to the files instead of compared with them.
const UPDATE: &str = "QUIPU_UPDATE_FRAMES";

/// The smallest screen, a usual one, and two larger ones, in columns and rows.
pub(crate) const SIZES: [(u16, u16); 4] = [(60, 15), (80, 24), (100, 30), (140, 45)];

pub(crate) struct Dashboard {
    pub(crate) app: App,
    pub(crate) now: i64,
}

impl Dashboard {
    pub(crate) fn new() -> Self {
        Self { app: App::new("localhost:9092", Some("records_processed".to_owned())), now: synthetic::START }
    }

    /// Creates a dashboard with the data of the experiment up to a second.
    pub(crate) fn experiment(until: u64) -> Self {
        let mut dashboard = Self::new();
        for second in 0..=until {
            dashboard.now = synthetic::START + i64::try_from(second).expect("a second") * 1_000 + 200;
            dashboard.feed(synthetic::second(synthetic::START, second));
            dashboard.tick();
        }
        dashboard
    }

    /// Creates a dashboard that is connected and has read empty topics.
    pub(crate) fn connected() -> Self {
        let mut dashboard = Self::new();
        dashboard.feed(synthetic::caught_up());
        dashboard
    }

    pub(crate) fn feed(&mut self, batches: impl IntoIterator<Item = Batch>) {
        for batch in batches {
            self.app.update(Input::Batch(batch), self.now);
        }
    }

    pub(crate) fn metrics(&mut self, records: Vec<RawRecord>) {
        self.feed([Batch::Records { topic: Topic::Metrics, records }]);
    }

    pub(crate) fn aggregates(&mut self, records: Vec<RawRecord>) {
        self.feed([Batch::Records { topic: Topic::Aggregates, records }]);
    }

    pub(crate) fn tick(&mut self) {
        self.app.update(Input::Tick, self.now);
    }

    /// Presses the keys of a text one after the other.
    pub(crate) fn press(&mut self, text: &str) {
        for c in text.chars() {
            self.key(KeyCode::Char(c));
        }
    }

    pub(crate) fn key(&mut self, code: KeyCode) {
        self.app.update(Input::Key(KeyEvent::from(code)), self.now);
    }

    /// Uses the mouse at a place of the screen.
    pub(crate) fn mouse(&mut self, kind: MouseEventKind, column: u16, row: u16) {
        let event = MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE };
        self.app.update(Input::Mouse(event), self.now);
    }

    pub(crate) fn draw(&mut self, columns: u16, rows: u16, theme: Theme) -> Buffer {
        self.app.update(Input::Resize(columns, rows), self.now);
        let area = Rect::new(0, 0, columns, rows);
        let mut buffer = Buffer::empty(area);
        render(&View::new(&self.app, self.now), theme, area, &mut buffer);
        buffer
    }

    /// Returns the frame as text.
    pub(crate) fn text(&mut self, columns: u16, rows: u16) -> String {
        text(&self.draw(columns, rows, Theme::Colour))
    }

    /// Returns the frame as text, in 80 columns and 24 rows.
    pub(crate) fn small(&mut self) -> String {
        self.text(80, 24)
    }

    /// Compares the frames of all sizes with the files of this name.
    pub(crate) fn assert_frames(&mut self, name: &str) {
        for (columns, rows) in SIZES {
            assert_frame(&format!("{name}-{columns}x{rows}"), &self.text(columns, rows));
        }
    }

    pub(crate) fn report(&self, form: Form) -> String {
        form.text(&Report::new(&self.app, self.now))
    }
}

/// Returns the rows of a frame. Cells that a wide character covers are left out, as on a terminal.
pub(crate) fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let mut row = String::new();
        let mut covered = 0;
        for x in 0..buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            if covered == 0 {
                row.push_str(symbol);
                covered = unicode_width::UnicodeWidthStr::width(symbol).max(1);
            }
            covered -= 1;
        }
        let _ = writeln!(text, "{}", row.trim_end());
    }
    text
}

/// Returns the styles of a frame: one line for each sequence of cells with the same style, except the default style.
pub(crate) fn styles(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let mut x = 0;
        while x < buffer.area.width {
            let style = |x: u16| {
                let cell = &buffer[(x, y)];
                (cell.fg, cell.bg, cell.modifier)
            };
            let (start, look) = (x, style(x));
            let mut run = String::new();
            while x < buffer.area.width && style(x) == look {
                run.push_str(buffer[(x, y)].symbol());
                x += 1;
            }
            if look != (Color::Reset, Color::Reset, Modifier::empty())
                && !(run.trim().is_empty() && look.1 == Color::Reset)
            {
                let (fg, bg, modifier) = look;
                let _ = writeln!(text, "{y:>2} {start:>3} {fg} on {bg} {modifier:?} {:?}", run.trim());
            }
        }
    }
    text
}

/// Compares a text with the file of this name under `tests/frames`.
pub(crate) fn assert_frame(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/frames").join(format!("{name}.txt"));
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, text).expect("the frame can be written");
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        text == expected,
        "{} differs; the frame is now:\n{text}\n(set {UPDATE}=1 to write all frames)",
        path.display()
    );
}
