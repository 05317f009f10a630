//! Tests what keys do.

use quipu_record::Total;
use quipu_tui::RawRecord;
use quipu_tui::app::{Mode, Overlay, SeriesColumn, Tab};
use quipu_tui::view::{Body, View};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEventKind};

use crate::support::Dashboard;
use crate::support::synthetic::{START, aggregate, report, run, second, series};

/// Returns the rows of the table that is shown, and which one is selected.
fn rows(dashboard: &Dashboard) -> (Vec<String>, Option<usize>) {
    match View::new(&dashboard.app, dashboard.now).body {
        Body::Overview(view) => (
            view.rows.iter().map(|row| row.series.raw().to_owned()).collect(),
            view.rows.iter().position(|row| row.is_selected),
        ),
        Body::Instances(view) => (
            view.rows.iter().map(|row| row.instance.raw().to_owned()).collect(),
            view.rows.iter().position(|row| row.is_selected),
        ),
        _ => (Vec::new(), None),
    }
}

/// Creates a dashboard with four series whose totals are in another order than their names.
fn four() -> Dashboard {
    let mut dashboard = Dashboard::connected();
    let totals = [("d", 1), ("a", 30), ("quipu_own", 99), ("b", 200)];
    let record = |(name, count)| aggregate(&series(name), Total::Counter(count), START, 1);
    dashboard.aggregates(totals.map(record).to_vec());
    dashboard.tick();
    dashboard.press("o");
    dashboard
}

#[test]
fn tabs_are_reached_by_number_and_in_turn() {
    let mut dashboard = Dashboard::connected();
    for (key, tab) in [("2", Tab::Instances), ("4", Tab::Pipeline), ("1", Tab::Overview), ("3", Tab::Audit)] {
        dashboard.press(key);
        assert_eq!(dashboard.app.tab, tab);
    }
    dashboard.key(KeyCode::Tab);
    dashboard.key(KeyCode::Right);
    assert_eq!(dashboard.app.tab, Tab::Overview);
    dashboard.key(KeyCode::BackTab);
    dashboard.key(KeyCode::Left);
    assert_eq!(dashboard.app.tab, Tab::Audit);
}

#[test]
fn own_series_are_hidden_until_asked_for() {
    let mut dashboard = four();
    dashboard.press("o");
    assert_eq!(rows(&dashboard).0, ["a", "b", "d"]);
    assert!(dashboard.small().contains("3 series, 1 of Quipu hidden (o)"), "{}", dashboard.small());
    dashboard.press("/quipu");
    dashboard.key(KeyCode::Enter);
    assert!(dashboard.small().contains("0 of 3 series, filter quipu (Esc clears it), 1 of Quipu hidden (o)"));
    dashboard.press("o");
    assert_eq!(rows(&dashboard).0, ["quipu_own"]);

    let mut dashboard = Dashboard::connected();
    dashboard.app = quipu_tui::app::App::new("", Some("quipu_own".to_owned()));
    dashboard.aggregates(vec![aggregate(&series("quipu_own"), Total::Counter(1), START, 1)]);
    dashboard.tick();
    assert_eq!(rows(&dashboard), (vec!["quipu_own".to_owned()], Some(0)), "the user asked for it by --series");
}

#[test]
fn a_series_that_does_not_exist_is_reported_with_the_nearest_names() {
    let mut dashboard = Dashboard::new();
    dashboard.app = quipu_tui::app::App::new("", Some("record_procesed".to_owned()));
    dashboard.tick();
    assert_eq!(dashboard.app.missing_series(), None, "the topics have not been read");
    dashboard.feed(crate::support::synthetic::caught_up());
    dashboard.tick();
    assert_eq!(dashboard.app.missing_series().as_deref(), Some("no series record_procesed: there are no series yet"));
    let record = |name: &str| aggregate(&series(name), Total::Counter(1), START, 1);
    let names = ["other", "records_sent", r#"records_processed{topic="auth"}"#, "zzz"];
    dashboard.aggregates(names.map(record).to_vec());
    dashboard.tick();
    let missing = dashboard.app.missing_series().expect("a text");
    let nearest = r#"no series record_procesed; the nearest: records_processed{topic="auth"}, records_sent, "#;
    assert!(missing.starts_with(nearest), "{missing}");
    assert!(!dashboard.text(140, 45).contains("no series"), "its program may be starting");
    dashboard.now += 11_000;
    assert!(dashboard.text(140, 45).contains(nearest), "the bottom line shows it");
    dashboard.press("j");
    assert_eq!(dashboard.app.missing_series(), None, "the user selected another series");
}

#[test]
fn own_series_come_last_and_columns_are_sorted_in_turn() {
    let mut dashboard = four();
    assert_eq!(rows(&dashboard).0, ["a", "b", "d", "quipu_own"]);
    dashboard.press("s");
    assert_eq!(dashboard.app.series.sort, SeriesColumn::Total);
    assert_eq!(rows(&dashboard).0, ["b", "quipu_own", "a", "d"]);
    dashboard.press("r");
    assert_eq!(rows(&dashboard).0, ["d", "a", "quipu_own", "b"]);
    dashboard.press("rsss");
    assert_eq!(rows(&dashboard).0, ["a", "b", "d", "quipu_own"], "the first column again");
}

#[test]
fn the_selection_moves_and_stays_with_its_series() {
    let mut dashboard = four();
    assert_eq!(rows(&dashboard).1, Some(0));
    dashboard.press("j");
    dashboard.key(KeyCode::Down);
    assert_eq!(rows(&dashboard).1, Some(2));
    dashboard.press("s");
    assert_eq!(rows(&dashboard), (["b", "quipu_own", "a", "d"].map(str::to_owned).to_vec(), Some(3)), "d is selected");
    dashboard.press("g");
    assert_eq!(rows(&dashboard).1, Some(0));
    dashboard.press("k");
    dashboard.key(KeyCode::PageUp);
    assert_eq!(rows(&dashboard).1, Some(0));
    dashboard.press("G");
    assert_eq!(rows(&dashboard).1, Some(3));
}

#[test]
fn a_filter_works_while_it_is_typed_and_escape_restores_the_old_one() {
    let mut dashboard = four();
    dashboard.press("/!own");
    assert_eq!(rows(&dashboard).0, ["a", "b", "d"]);
    dashboard.key(KeyCode::Enter);
    dashboard.press("/|a");
    assert_eq!(dashboard.app.series.filter.text(), "!own|a");
    assert_eq!(rows(&dashboard).0, ["b", "d"]);
    dashboard.key(KeyCode::Backspace);
    dashboard.key(KeyCode::Backspace);
    assert_eq!(rows(&dashboard).0, ["a", "b", "d"]);
    dashboard.press("q?1");
    assert!(!dashboard.app.is_done, "letters are text");
    dashboard.key(KeyCode::Esc);
    assert_eq!(dashboard.app.series.filter.text(), "!own");
    dashboard.key(KeyCode::Esc);
    assert_eq!(rows(&dashboard).0.len(), 4, "the next Esc removes the filter");
}

#[test]
fn escape_undoes_one_thing_at_a_time() {
    let mut dashboard = Dashboard::experiment(30);
    dashboard.press("/records");
    dashboard.key(KeyCode::Enter);
    dashboard.press("p");
    dashboard.key(KeyCode::Enter);
    dashboard.key(KeyCode::Enter);
    assert_eq!(dashboard.app.overlay, Some(Overlay::Details));
    dashboard.key(KeyCode::Esc);
    assert_eq!((dashboard.app.overlay, dashboard.app.tab), (None, Tab::Instances));
    dashboard.key(KeyCode::Esc);
    assert_eq!(dashboard.app.tab, Tab::Overview);
    assert!(dashboard.app.frozen_at().is_some());
    dashboard.key(KeyCode::Esc);
    assert_eq!(dashboard.app.series.filter.text(), "");
    dashboard.key(KeyCode::Esc);
    assert!(dashboard.app.frozen_at().is_none());
    dashboard.key(KeyCode::Esc);
    assert!(!dashboard.app.is_done);
}

#[test]
fn drilling_down_lists_the_instances_that_count_the_series() {
    let mut dashboard = Dashboard::experiment(30);
    dashboard.press("2");
    assert_eq!(rows(&dashboard).0, ["app-1", "app-2", "producer"]);
    dashboard.press("1");
    dashboard.key(KeyCode::Enter);
    assert_eq!(rows(&dashboard).0, ["app-1", "app-2"], "the producer does not count it");
    dashboard.press("/app-2");
    assert_eq!(rows(&dashboard).0, ["app-2"]);
}

#[test]
fn drilling_down_names_what_the_listed_counts_leave_of_the_total() {
    let mut dashboard = Dashboard::connected();
    let of = series("records_processed");
    let report = |seq, count| report("app-1", run(START, 1), seq, START, &[(&of, count)], false);
    dashboard.metrics(vec![report(1, 50)]);
    let total = |offset, count| {
        let record = aggregate(&of, Total::Counter(count), START, 1);
        let value = String::from_utf8(record.value.clone().expect("a value")).expect("JSON");
        let value = value.replace(&format!(r#""offset":{}"#, record.offset), &format!(r#""offset":{offset}"#));
        RawRecord { value: Some(value.into_bytes()), ..record }
    };
    dashboard.aggregates(vec![total(1, 1_050)]);
    dashboard.tick();
    assert!(!dashboard.text(100, 30).contains("others"));
    dashboard.key(KeyCode::Enter);
    let heading = "1 instances that count records_processed, others 1,000 (Esc: all)";
    assert!(dashboard.text(100, 30).contains(heading), "{}", dashboard.text(100, 30));
    // The last known number stays until the total includes the newest report.
    dashboard.metrics(vec![report(2, 70)]);
    dashboard.tick();
    assert!(dashboard.text(100, 30).contains(heading));
    dashboard.aggregates(vec![total(2, 70)]);
    dashboard.tick();
    assert!(dashboard.text(100, 30).contains("count records_processed (Esc: all)"));
}

#[test]
fn a_frozen_display_does_not_change_while_data_is_read() {
    let mut dashboard = Dashboard::experiment(20);
    dashboard.press("p");
    let frozen = dashboard.small();
    for next in 21..=25 {
        dashboard.now += 1_000;
        dashboard.feed(second(START, next));
        dashboard.tick();
    }
    let later = dashboard.small();
    assert_eq!(frozen.lines().skip(3).collect::<Vec<_>>(), later.lines().skip(3).collect::<Vec<_>>());
    assert!(later.contains("FROZEN 5.0 s"));
    dashboard.press("j");
    assert_eq!(rows(&dashboard).1, Some(1), "the selection can move");
    dashboard.press("p");
    assert!(dashboard.small().contains("625,000"), "the data that was read meanwhile is shown");
}

#[test]
fn the_time_span_has_a_minimum_and_a_maximum() {
    let mut dashboard = Dashboard::connected();
    assert_eq!(dashboard.app.span(), 60_000);
    dashboard.press("-");
    assert_eq!(dashboard.app.span(), 60_000);
    dashboard.press("++");
    assert_eq!(dashboard.app.span(), 300_000);
    dashboard.press("+++++++++++");
    assert_eq!(dashboard.app.span(), 6 * 3_600_000);
    dashboard.press("-");
    assert_eq!(dashboard.app.span(), 3 * 3_600_000);
}

#[test]
fn some_keys_close_the_help_and_quit_quits() {
    let mut dashboard = Dashboard::connected();
    dashboard.press("??");
    assert_eq!(dashboard.app.overlay, None);
    for key in [KeyCode::Esc, KeyCode::Enter] {
        dashboard.press("?");
        dashboard.key(key);
        assert_eq!((dashboard.app.overlay, dashboard.app.tab), (None, Tab::Overview));
    }
    dashboard.press("?q");
    assert!(dashboard.app.is_done);

    let mut dashboard = Dashboard::connected();
    dashboard.press("/abc");
    let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    dashboard.app.update(quipu_tui::app::Input::Key(ctrl_c), dashboard.now);
    assert!(dashboard.app.is_done, "also while a filter is typed");
}

#[test]
fn no_key_acts_behind_a_window_or_on_a_screen_that_is_too_small() {
    const KEYS: &str = "2sr/x+pom";
    let mut dashboard = four();
    let state = |dashboard: &Dashboard| {
        let app = &dashboard.app;
        let list = (rows(dashboard), app.series.sort, app.series.is_reversed, app.series.filter.text().to_owned());
        (list, app.tab, app.span(), app.frozen_at(), app.uses_mouse, app.shows_own, app.mode())
    };
    dashboard.press("?");
    let before = state(&dashboard);
    dashboard.press(KEYS);
    dashboard.press("jj");
    assert_eq!(state(&dashboard), before);
    assert_eq!((dashboard.app.overlay, dashboard.app.overlay_top), (Some(Overlay::Help), 2), "the help was scrolled");
    dashboard.key(KeyCode::Esc);

    dashboard.draw(59, 24, quipu_tui::Theme::Colour);
    let before = state(&dashboard);
    dashboard.press(KEYS);
    dashboard.press("?j");
    dashboard.key(KeyCode::Enter);
    dashboard.mouse(MouseEventKind::ScrollDown, 5, 5);
    assert_eq!((state(&dashboard), dashboard.app.overlay), (before, None));
    dashboard.press("q");
    assert!(dashboard.app.is_done);
}

#[test]
fn ctrl_z_asks_to_suspend_in_each_mode() {
    for keys in ["", "?", "/"] {
        let mut dashboard = four();
        dashboard.press(keys);
        let ctrl_z = KeyEvent::new(KeyCode::Char('z'), KeyModifiers::CONTROL);
        dashboard.app.update(quipu_tui::app::Input::Key(ctrl_z), dashboard.now);
        assert!(dashboard.app.is_suspending, "{keys}");
    }
}

const CLICK: MouseEventKind = MouseEventKind::Down(MouseButton::Left);

/// Returns the place of a text on the screen.
fn place(screen: &str, text: &str) -> (u16, u16) {
    let (y, x) = screen
        .lines()
        .enumerate()
        .find_map(|(y, line)| Some((y, line[..line.find(text)?].chars().count())))
        .unwrap_or_else(|| panic!("no {text}:\n{screen}"));
    (u16::try_from(x).expect("a column"), u16::try_from(y).expect("a row"))
}

#[test]
fn a_click_selects_a_row_or_a_tab() {
    for (columns, lines) in crate::support::SIZES {
        let mut dashboard = four();
        let screen = dashboard.text(columns, lines);
        // A chart above the table may have the same names.
        let above = screen.lines().position(|line| line.contains("TOTAL")).expect("the heads");
        let table: String = screen
            .lines()
            .enumerate()
            .map(|(y, line)| if y > above { line } else { "" })
            .collect::<Vec<_>>()
            .join("\n");
        for (name, index) in [(" d ", 2), (" a ", 0), (" quipu_own ", 3)] {
            let (x, y) = place(&table, name);
            dashboard.mouse(CLICK, x + 1, y);
            assert_eq!(rows(&dashboard).1, Some(index), "{name} at {columns}x{lines}");
        }
        dashboard.mouse(CLICK, 1, lines - 2);
        assert_eq!(rows(&dashboard).1, Some(3), "there is no row");
        dashboard.press("/b");
        let (x, y) = place(&screen, "3 Audit");
        dashboard.mouse(CLICK, x, y);
        assert_eq!((dashboard.app.tab, dashboard.app.mode()), (Tab::Audit, Mode::Command));
        let (x, y) = place(&screen, "1 Overview");
        dashboard.mouse(CLICK, x + 8, y);
        assert_eq!(dashboard.app.tab, Tab::Overview);
    }
}

#[test]
fn a_click_selects_the_instance_under_it_after_scrolling() {
    let mut dashboard = Dashboard::connected();
    let of = series("s");
    let records = (0..100)
        .map(|number| report(&format!("app-{number:04}"), run(START, number), 1, START, &[(&of, number)], false));
    dashboard.metrics(records.collect());
    dashboard.tick();
    dashboard.press("2");
    dashboard.key(KeyCode::End);
    let (x, y) = place(&dashboard.text(60, 15), "app-0095");
    dashboard.mouse(CLICK, x, y);
    let (shown, selected) = rows(&dashboard);
    assert_eq!(selected.map(|index| shown[index].as_str()), Some("app-0095"));
    assert_eq!(shown.last().map(String::as_str), Some("app-0099"), "the page did not move");
}

#[test]
fn the_wheel_moves_the_selection_and_scrolls_the_help() {
    let mut dashboard = four();
    dashboard.mouse(MouseEventKind::ScrollDown, 5, 5);
    dashboard.mouse(MouseEventKind::ScrollDown, 5, 5);
    dashboard.mouse(MouseEventKind::ScrollUp, 5, 5);
    assert_eq!(rows(&dashboard).1, Some(1));
    dashboard.press("?");
    dashboard.mouse(MouseEventKind::ScrollDown, 5, 5);
    assert_eq!((dashboard.app.overlay_top, rows(&dashboard).1), (1, Some(1)));
    dashboard.mouse(CLICK, 5, 5);
    assert_eq!((dashboard.app.overlay, rows(&dashboard).1), (None, Some(1)), "the click closes the help only");
    dashboard.press("m");
    assert!(!dashboard.app.uses_mouse);
    dashboard.press("m");
    assert!(dashboard.app.uses_mouse);
}

#[test]
fn the_preferred_series_is_selected_when_it_is_read_unless_the_user_selected_another() {
    let mut dashboard = four();
    let record = |name: &str| aggregate(&series(name), Total::Counter(1), START, 1);
    dashboard.aggregates(vec![record(r#"records_processed{topic="auth"}"#)]);
    dashboard.tick();
    assert_eq!(rows(&dashboard).1, Some(3));

    let mut dashboard = four();
    dashboard.press("j");
    dashboard.aggregates(vec![record("records_processed")]);
    dashboard.tick();
    assert_eq!(rows(&dashboard).1, Some(1));
}

#[test]
fn j_and_k_select_an_audit() {
    let mut dashboard = Dashboard::connected();
    for name in ["a", "b", "c"] {
        let delta = series(&format!(r#"quipu_audit_delta{{audit="{name}"}}"#));
        dashboard.aggregates(vec![aggregate(&delta, Total::Delta(0), START, 1)]);
    }
    let shown = |dashboard: &Dashboard| match View::new(&dashboard.app, dashboard.now).body {
        Body::Audit(view) => view.shown.map(|audit| audit.audit.raw().to_owned()),
        _ => None,
    };
    dashboard.press("3j");
    assert_eq!(shown(&dashboard).as_deref(), Some("b"));
    dashboard.press("jjj");
    assert_eq!(shown(&dashboard).as_deref(), Some("c"));
    dashboard.press("g");
    assert_eq!(shown(&dashboard).as_deref(), Some("a"));
}

#[test]
fn the_page_scrolls_through_a_thousand_instances() {
    let mut dashboard = Dashboard::connected();
    let of = series("s");
    let records = (0..1_000)
        .map(|number| report(&format!("app-{number:04}"), run(START, number), 1, START, &[(&of, number)], false));
    dashboard.metrics(records.collect());
    dashboard.tick();
    dashboard.press("2");
    assert_eq!(rows(&dashboard).0.first().map(String::as_str), Some("app-0000"));
    dashboard.key(KeyCode::End);
    let (shown, selected) = rows(&dashboard);
    assert_eq!(shown.last().map(String::as_str), Some("app-0999"));
    assert_eq!(selected, Some(shown.len() - 1));
}
