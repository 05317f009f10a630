//! Compares frames of the screen with the files in `frames/`.

use quipu_record::Total;
use quipu_tui::{Batch, Connection, GroupOffset, LagReport, Theme, Topic, TopicState};
use ratatui::crossterm::event::KeyCode;
use ratatui::style::Color;

use crate::support::synthetic::{START, aggregate, report, run, series};
use crate::support::{Dashboard, SIZES, assert_frame, styles, text};

#[test]
fn overview() {
    let mut dashboard = Dashboard::experiment(40);
    dashboard.assert_frames("overview");
    dashboard.press("o");
    assert_frame("overview-own-80x24", &dashboard.small());
}

#[test]
fn instances() {
    let mut dashboard = Dashboard::experiment(40);
    dashboard.press("2");
    dashboard.assert_frames("instances");
    dashboard.key(KeyCode::Enter);
    dashboard.assert_frames("details");
}

#[test]
fn audit_before_and_after_the_duplicates() {
    let mut dashboard = Dashboard::experiment(40);
    dashboard.press("3");
    dashboard.assert_frames("audit-behind");
    let mut dashboard = Dashboard::experiment(75);
    dashboard.press("3");
    dashboard.assert_frames("audit-duplicates");
}

#[test]
fn pipeline() {
    let mut dashboard = Dashboard::experiment(40);
    dashboard.press("4");
    dashboard.assert_frames("pipeline");
}

#[test]
fn help_is_scrolled() {
    let mut dashboard = Dashboard::connected();
    dashboard.press("?");
    dashboard.assert_frames("help");
    dashboard.small();
    dashboard.key(KeyCode::End);
    let end = dashboard.small();
    assert_frame("help-end-80x24", &end);
    dashboard.key(KeyCode::PageUp);
    dashboard.key(KeyCode::PageDown);
    dashboard.press("k");
    assert_ne!(dashboard.small(), end, "each step is visible");
    dashboard.press("j");
    assert_eq!(dashboard.small(), end);
}

/// Every text that is explained is on one of the pages.
#[test]
fn all_of_the_help_can_be_read_on_the_smallest_screen() {
    let mut dashboard = Dashboard::connected();
    dashboard.draw(60, 15, Theme::Colour);
    dashboard.press("?");
    let mut pages = String::new();
    for _ in 0..20 {
        pages.push_str(&dashboard.text(60, 15));
        dashboard.key(KeyCode::PageDown);
    }
    for text in ["quit", "Ctrl-z", "COUNTING", "BEHIND", "NO DUPLICATES", "restarted", "! duplicates", "▼ ▲", "FROZEN"]
    {
        assert!(pages.contains(text), "{text}\n{pages}");
    }
}

#[test]
fn frames_without_data() {
    let mut dashboard = Dashboard::new();
    dashboard.assert_frames("connecting");
    let state = TopicState::Missing;
    let missing = Batch::Topic { topic: Topic::Aggregates, state };
    dashboard.feed([Batch::Connection(Connection::Connected), missing]);
    assert_frame("waiting-80x24", &dashboard.small());
    for (tab, name) in [("2", "instances"), ("3", "audit"), ("4", "pipeline")] {
        dashboard.press(tab);
        for (columns, rows) in [(60, 15), (80, 24)] {
            assert_frame(&format!("empty-{name}-{columns}x{rows}"), &dashboard.text(columns, rows));
        }
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
    dashboard.assert_frames("disconnected");
}

#[test]
fn a_stopped_aggregator_is_shown_as_stalled_and_without_rates() {
    let mut dashboard = Dashboard::experiment(20);
    for _ in 0..20 {
        dashboard.now += 1_000;
        dashboard.feed([Batch::Lag(LagReport { log_ends: vec![(Topic::Metrics, 9_000_250)], groups: Vec::new() })]);
        dashboard.tick();
    }
    dashboard.assert_frames("stalled");
}

#[test]
fn an_aggregator_that_reads_nothing_is_behind_before_it_is_stalled() {
    let mut dashboard = Dashboard::experiment(75);
    for second in 0..6 {
        dashboard.now += 1_000;
        dashboard.feed([Batch::Lag(LagReport { log_ends: vec![(Topic::Metrics, 9_000_900)], groups: Vec::new() })]);
        dashboard.tick();
        assert_eq!(dashboard.small().contains("BEHIND"), second >= 3, "after {second} s: {}", dashboard.small());
    }
    assert!(dashboard.small().contains(" BEHIND  by 149 records; newest total 6.2 s old "), "{}", dashboard.small());
}

/// The delta is positive for some seconds before it proves duplicates.
#[test]
fn there_is_no_verdict_before_the_data_is_final() {
    let mut dashboard = Dashboard::new();
    let mut verdicts: Vec<&str> = Vec::new();
    for second in 0..=75 {
        dashboard.now = START + i64::try_from(second).expect("a second") * 1_000 + 200;
        dashboard.feed(crate::support::synthetic::second(START, second));
        dashboard.tick();
        let screen = dashboard.small();
        let words = ["no verdict yet", "NO DUPLICATES", "behind", "not final", "DUPLICATES in records"];
        let found = words.into_iter().find(|word| screen.contains(word)).expect("a verdict");
        if verdicts.last() != Some(&found) {
            verdicts.push(found);
        }
    }
    assert_eq!(verdicts, ["NO DUPLICATES", "behind", "not final", "DUPLICATES in records"]);
}

#[test]
fn a_filter_is_typed_and_the_display_frozen() {
    let mut dashboard = Dashboard::experiment(30);
    dashboard.press("p/sent");
    dashboard.now += 5_000;
    assert_frame("filter-80x24", &dashboard.small());
    dashboard.press("(");
    assert!(dashboard.small().contains("/sent(   error: unclosed group"));
    dashboard.key(KeyCode::Esc);
    dashboard.press(&format!("/{}", "a".repeat(100)));
    for (columns, rows) in SIZES {
        let screen = dashboard.text(columns, rows);
        assert!(screen.contains("aaaa") && screen.contains("Enter keep  Esc cancel"), "{screen}");
    }
    dashboard.key(KeyCode::Enter);
    for (columns, rows) in SIZES {
        let screen = dashboard.text(columns, rows);
        assert!(screen.contains("… (Esc clears it)") && screen.contains("No series matches"), "{screen}");
    }
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
    assert_frame("series-10000-140x45", &dashboard.text(140, 45));
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
        for size in SIZES {
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
        for (columns, rows) in [(60, 15), (80, 24)] {
            assert_frame(&format!("hostile-{name}-{columns}x{rows}"), &dashboard.text(columns, rows));
        }
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
        for columns in [0, 1, 20, 59, 60, 61, 79, 80, 99, 100, 110, 129, 130, 180, 300] {
            for rows in [0, 1, 5, 14, 15, 16, 18, 20, 22, 23, 24, 30, 45, 100] {
                dashboard.draw(columns, rows, Theme::Colour);
            }
        }
        dashboard.draw(80, 24, Theme::Colour);
    }
    let small = dashboard.text(60, 14);
    assert!(small.contains("60x14 is too small: 60x15 is needed; q quits"), "{small}");
}

#[test]
fn hints_are_left_out_rather_than_cut() {
    let mut dashboard = Dashboard::experiment(40);
    for keys in ["1", "2", "3", "4", "1?", "1/", "/sent"] {
        dashboard.draw(80, 24, Theme::Colour);
        dashboard.press(keys);
        let hints = |screen: &str| screen.lines().last().unwrap_or_default().trim().to_owned();
        let all = hints(&dashboard.text(200, 24));
        for notice in
            [None, Some("a notice that is long enough to fill the bottom line of a small screen alone".to_owned())]
        {
            dashboard.app.notice.clone_from(&notice);
            for columns in 60..200 {
                let shown = hints(&dashboard.text(columns, 24));
                let is_typed = keys.contains('/');
                let is_notice = notice.is_some() && !is_typed;
                let shown =
                    if is_notice { shown.split_once("   ").map_or("", |(_, hints)| hints).trim() } else { &shown };
                let rest = all.strip_prefix(shown).unwrap_or_else(|| panic!("{keys}, {columns}: {shown:?} of {all:?}"));
                assert!(rest.is_empty() || rest.starts_with("  "), "{keys}, {columns}: {shown:?} is cut");
                assert!(shown.split("  ").count() >= 2, "{keys}, {columns}: {shown:?}");
            }
        }
        dashboard.app.notice = None;
        dashboard.key(KeyCode::Esc);
    }
}

/// The state, the numbers of runs and the verdict of the audits are whole on each screen.
#[test]
fn the_header_cuts_names_and_no_numbers() {
    let mut dashboard = Dashboard::experiment(75);
    for columns in 60..160 {
        let screen = dashboard.text(columns, 24);
        let line = screen.lines().nth(1).expect("the second line");
        assert!(line.contains(" IDLE  0/s") && line.ends_with(" 8,731 DUPLICATES in records"), "{columns}: {line}");
        assert!(line.contains(" 2 live") && (columns < 62 || line.contains(" 1 left ")), "{columns}: {line}");
    }
}
