//! Tests what keys do.

use quipu_record::Total;
use quipu_tui::app::{Overlay, SeriesColumn, Tab};
use quipu_tui::view::{Body, View};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

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
fn any_key_closes_the_help_and_quit_quits() {
    let mut dashboard = Dashboard::connected();
    dashboard.press("??");
    assert_eq!(dashboard.app.overlay, None);
    dashboard.press("?2");
    assert_eq!((dashboard.app.overlay, dashboard.app.tab), (None, Tab::Instances));
    dashboard.press("?q");
    assert!(dashboard.app.is_done);

    let mut dashboard = Dashboard::connected();
    dashboard.press("/abc");
    let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    dashboard.app.update(quipu_tui::app::Input::Key(ctrl_c), dashboard.now);
    assert!(dashboard.app.is_done, "also while a filter is typed");
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
