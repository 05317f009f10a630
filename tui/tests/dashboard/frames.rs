//! Compares frames of the screen with the files in `frames/`.

use quipu_record::Total;
use quipu_tui::{Batch, Connection, GroupOffset, LagReport, Theme, Topic, TopicState};
use ratatui::crossterm::event::KeyCode;
use ratatui::style::Color;

use crate::support::synthetic::{START, aggregate, report, run, series};
use crate::support::{Dashboard, assert_frame, styles, text};

#[test]
fn overview() {
    let mut dashboard = Dashboard::experiment(40);
    assert_frame("overview-80x24", &dashboard.small());
    assert_frame("overview-140x45", &dashboard.large());
}

#[test]
fn instances() {
    let mut dashboard = Dashboard::experiment(40);
    dashboard.press("2");
    assert_frame("instances-80x24", &dashboard.small());
    assert_frame("instances-140x45", &dashboard.large());
    dashboard.key(KeyCode::Enter);
    assert_frame("details-80x24", &dashboard.small());
}

#[test]
fn audit_before_and_after_the_duplicates() {
    let mut dashboard = Dashboard::experiment(40);
    dashboard.press("3");
    assert_frame("audit-behind-80x24", &dashboard.small());
    let mut dashboard = Dashboard::experiment(75);
    dashboard.press("3");
    assert_frame("audit-duplicates-80x24", &dashboard.small());
    assert_frame("audit-duplicates-140x45", &dashboard.large());
}

#[test]
fn pipeline() {
    let mut dashboard = Dashboard::experiment(40);
    dashboard.press("4");
    assert_frame("pipeline-80x24", &dashboard.small());
    assert_frame("pipeline-140x45", &dashboard.large());
}

#[test]
fn help_fits_the_smallest_screen() {
    let mut dashboard = Dashboard::connected();
    dashboard.press("?");
    assert_frame("help-80x24", &dashboard.small());
}

#[test]
fn frames_without_data() {
    let mut dashboard = Dashboard::new();
    assert_frame("connecting-80x24", &dashboard.small());
    assert_frame("connecting-140x45", &dashboard.large());
    let state = TopicState::Missing;
    let missing = Batch::Topic { topic: Topic::Aggregates, state };
    dashboard.feed([Batch::Connection(Connection::Connected), missing]);
    assert_frame("waiting-80x24", &dashboard.small());
    for (tab, name) in [("2", "instances"), ("3", "audit"), ("4", "pipeline")] {
        dashboard.press(tab);
        assert_frame(&format!("empty-{name}-80x24"), &dashboard.small());
    }
}

#[test]
fn reading_a_long_topic_shows_progress() {
    let mut dashboard = Dashboard::new();
    let reading = |topic, end| Batch::Topic { topic, state: TopicState::Reading { start: 0, end } };
    dashboard.feed([
        Batch::Connection(Connection::Connected),
        reading(Topic::Metrics, 100),
        reading(Topic::Aggregates, 900),
    ]);
    let mut record = aggregate(&series("records_processed"), Total::Counter(7), START, 1);
    record.offset = 399;
    dashboard.aggregates(vec![record]);
    assert_frame("reading-80x24", &dashboard.small());
}

#[test]
fn disconnected() {
    let mut dashboard = Dashboard::experiment(40);
    let reason = "127.0.0.1:9092/1: Connect to ipv4#127.0.0.1:9092 failed: Connection refused".to_owned();
    dashboard.feed([Batch::Connection(Connection::Lost { reason })]);
    dashboard.now += 12_000;
    dashboard.tick();
    assert_frame("disconnected-80x24", &dashboard.small());
    assert_frame("disconnected-140x45", &dashboard.large());
}

#[test]
fn a_stopped_aggregator_is_shown_as_stalled_and_without_rates() {
    let mut dashboard = Dashboard::experiment(20);
    for _ in 0..20 {
        dashboard.now += 1_000;
        dashboard.feed([Batch::Lag(LagReport { log_ends: vec![(Topic::Metrics, 9_000_250)], groups: Vec::new() })]);
        dashboard.tick();
    }
    assert_frame("stalled-80x24", &dashboard.small());
}

#[test]
fn a_filter_is_typed_and_the_display_frozen() {
    let mut dashboard = Dashboard::experiment(30);
    dashboard.press("p/sent");
    dashboard.now += 5_000;
    assert_frame("filter-80x24", &dashboard.small());
    dashboard.press("(");
    assert!(dashboard.small().contains("/sent(   error: unclosed group"));
}

#[test]
fn ten_thousand_series() {
    let mut dashboard = Dashboard::connected();
    for step in 0..4_i64 {
        dashboard.now = START + step * 1_000;
        let total = |index: i64| {
            let series = series(&format!(r#"requests_total{{path="/item/{index:05}"}}"#));
            aggregate(&series, Total::Counter(i128::from(index * (step + 1))), dashboard.now, 3)
        };
        let records = (0..10_000).map(total).collect();
        dashboard.aggregates(records);
        dashboard.tick();
    }
    assert_frame("series-10000-80x24", &dashboard.small());
    dashboard.press("ss");
    dashboard.key(KeyCode::End);
    assert_frame("series-10000-140x45", &dashboard.large());
}

/// Names that could control the terminal, forge lines or shift columns.
const HOSTILE: [&str; 6] = [
    "\u{1b}[2J\u{1b}[31mred\u{7}",
    "two\nlines\r\tand a tab",
    "\u{202e}sdrawkcab\u{2066}",
    "z\u{300}\u{301}\u{302}\u{303}\u{304}algo\u{200b}\u{200d}\u{feff}",
    "\u{9b}31mC1 日本語の長い名前がここに続いて続いて続いて続いて続きます",
    "very_long_very_long_very_long_very_long_very_long_very_long_very_long_very_long_very_long_very_long_very_long",
];

fn hostile() -> Dashboard {
    let mut dashboard = Dashboard::connected();
    HOSTILE[0].clone_into(&mut dashboard.app.brokers);
    for second in 0..5_i64 {
        dashboard.now = START + second * 1_000;
        for (number, name) in (1_u32..).zip(HOSTILE) {
            let count = u64::from(number) * 100 * u64::try_from(second).expect("a second");
            let of = quipu_record::Series::new(name, [(name, name)]).expect("a series");
            let id = run(START, u64::from(number));
            let seq = u64::try_from(second).expect("a second");
            dashboard.metrics(vec![report(name, id, seq, dashboard.now, &[(&of, count)], false)]);
            let delta = quipu_record::Series::new("quipu_audit_delta", [("audit", name)]).expect("a series");
            dashboard.aggregates(vec![
                aggregate(&of, Total::Counter(count.into()), dashboard.now, 1),
                aggregate(&delta, Total::Delta(count.into()), dashboard.now, 1),
            ]);
        }
        let group = |name: &&str| GroupOffset { group: (*name).to_owned(), topic: Topic::Metrics, committed: Some(1) };
        let lag = LagReport { log_ends: vec![(Topic::Metrics, 9)], groups: HOSTILE.iter().map(group).collect() };
        let state = TopicState::Failed { reason: HOSTILE[1].to_owned() };
        dashboard.feed([Batch::Lag(lag), Batch::Topic { topic: Topic::Aggregates, state }]);
        dashboard.tick();
    }
    dashboard
}

#[test]
fn hostile_names_do_no_harm() {
    let mut dashboard = hostile();
    for (keys, name) in [("1", "overview"), ("2", "instances"), ("3", "audit"), ("4", "pipeline")] {
        dashboard.press(keys);
        for size in [(80, 24), (140, 45)] {
            let buffer = dashboard.draw(size.0, size.1, Theme::Colour);
            for cell in buffer.content() {
                let symbol = cell.symbol();
                let harmful = |c: char| {
                    c.is_control()
                        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
                };
                assert!(!symbol.chars().any(harmful), "{symbol:?} on {name}");
            }
            let rows = text(&buffer);
            let widest = rows.lines().map(unicode_width::UnicodeWidthStr::width).max();
            assert!(widest <= Some(size.0.into()), "{name}: {widest:?} columns");
        }
        assert_frame(&format!("hostile-{name}-80x24"), &dashboard.small());
    }
    dashboard.press("2");
    dashboard.key(KeyCode::Enter);
    assert_frame("hostile-details-80x24", &dashboard.small());
    dashboard.key(KeyCode::Esc);
    dashboard.press("/\u{202e}");
    assert!(!dashboard.small().contains('\u{202e}'));
}

#[test]
fn styles_match_the_frames() {
    let mut dashboard = Dashboard::experiment(75);
    assert_frame("styles-overview-80x24", &styles(&dashboard.draw(80, 24, Theme::Colour)));
    assert_frame("styles-overview-monochrome-80x24", &styles(&dashboard.draw(80, 24, Theme::Monochrome)));
    dashboard.press("2");
    assert_frame("styles-instances-80x24", &styles(&dashboard.draw(80, 24, Theme::Colour)));
    dashboard.press("3");
    assert_frame("styles-audit-duplicates-80x24", &styles(&dashboard.draw(80, 24, Theme::Colour)));
    let mut dashboard = Dashboard::experiment(40);
    dashboard.press("3");
    assert_frame("styles-audit-behind-80x24", &styles(&dashboard.draw(80, 24, Theme::Colour)));
}

#[test]
fn the_monochrome_theme_has_the_same_text() {
    for second in [0, 20, 40, 75] {
        let mut dashboard = Dashboard::experiment(second);
        for tab in ["1", "2", "3", "4", "?"] {
            dashboard.press(tab);
            let colour = dashboard.draw(80, 24, Theme::Colour);
            let monochrome = dashboard.draw(80, 24, Theme::Monochrome);
            assert_eq!(text(&colour), text(&monochrome));
            assert!(monochrome.content().iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
        }
    }
}

#[test]
fn every_size_can_be_drawn() {
    let mut dashboard = hostile();
    for tab in ["1", "2", "3", "4", "?"] {
        dashboard.press(tab);
        for (columns, rows) in [(0, 0), (1, 1), (20, 5), (79, 24), (80, 23), (81, 25), (110, 31), (300, 100)] {
            dashboard.draw(columns, rows, Theme::Colour);
        }
    }
    let small = text(&dashboard.draw(60, 10, Theme::Colour));
    assert!(small.contains("60x10 is too small: 80x24 is needed"), "{small}");
}
