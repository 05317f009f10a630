//! Divides the screen into regions.

use std::ops::Range;

use ratatui::layout::{Constraint, Layout, Rect};

use crate::app::Tab;

/// The smallest supported screen in columns and rows.
pub(crate) const SMALLEST: (u16, u16) = (60, 15);
/// On a screen of less width, tables have fewer columns, and the audit has no chart beside the timeline.
pub(crate) const NARROW: u16 = 80;
/// A body of less height shows no chart of a series.
const LOW: u16 = 14;
/// A body of less height shows no large digits.
const LARGE_DIGITS: u16 = 18;
/// The fewest rows of a chart of the delta, with its title, marks and times.
const DELTA: u16 = 6;
/// How many lines of a list hold its title and the heads of its columns.
const HEADS: u16 = 2;

/// The regions that all tabs have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Regions {
    pub(crate) header: Rect,
    pub(crate) tabs: Rect,
    pub(crate) body: Rect,
    pub(crate) footer: Rect,
}

pub(crate) fn regions(screen: Rect) -> Regions {
    let rows = [Constraint::Length(2), Constraint::Length(1), Constraint::Min(0), Constraint::Length(1)];
    let [header, tabs, body, footer] = Layout::vertical(rows).areas(screen);
    Regions { header, tabs, body, footer }
}

/// Returns whether a screen has room for the dashboard.
pub(crate) fn is_large_enough((columns, rows): (u16, u16)) -> bool {
    columns >= SMALLEST.0 && rows >= SMALLEST.1
}

/// Returns the tabs with their labels and the columns of the labels.
pub(crate) fn tabs() -> impl Iterator<Item = (Tab, String, Range<u16>)> {
    (1..).zip(Tab::ALL).scan(1, |start: &mut u16, (number, tab)| {
        let label = format!(" {number} {} ", tab.title());
        let columns = *start..*start + u16::try_from(label.len()).unwrap_or(0);
        *start = columns.end;
        Some((tab, label, columns))
    })
}

/// Returns the areas of the chart (empty on a low screen) and of the table below it.
pub(crate) fn overview(body: Rect) -> [Rect; 2] {
    let chart = if body.height < LOW { 0 } else { (body.height * 45 / 100).clamp(7, 24) };
    Layout::vertical([Constraint::Length(chart), Constraint::Min(0)]).areas(body)
}

/// Returns the areas of the numbers, of the chart (empty on a small screen), and of the timeline.
pub(crate) fn audit(body: Rect) -> [Rect; 3] {
    let numbers = if body.height < LARGE_DIGITS { 5 } else { 7 };
    let [numbers, rest] = Layout::vertical([Constraint::Length(numbers), Constraint::Min(0)]).areas(body);
    if body.width >= NARROW && rest.height >= DELTA {
        let timeline = (body.width * 2 / 5).clamp(30, 56);
        let [chart, timeline] = Layout::horizontal([Constraint::Min(0), Constraint::Length(timeline)]).areas(rest);
        return [numbers, chart, timeline];
    }
    let chart = if rest.height >= 2 * DELTA { rest.height * 3 / 5 } else { 0 };
    let [chart, timeline] = Layout::vertical([Constraint::Length(chart), Constraint::Min(0)]).areas(rest);
    [numbers, chart, timeline]
}

/// Returns the area of the list of a tab, without its title and the heads of its columns; empty for the other tabs.
pub(crate) fn list((columns, rows): (u16, u16), tab: Tab) -> Rect {
    let body = regions(Rect::new(0, 0, columns, rows)).body;
    let table = match tab {
        Tab::Overview => overview(body)[1],
        Tab::Instances => body,
        Tab::Audit | Tab::Pipeline => Rect::default(),
    };
    let heads = HEADS.min(table.height);
    Rect { y: table.y + heads, height: table.height - heads, ..table }
}

/// Returns how many rows of a tab are visible on a screen.
pub(crate) fn page(size: (u16, u16), tab: Tab) -> usize {
    let rows = match tab {
        Tab::Overview | Tab::Instances => list(size, tab).height,
        Tab::Audit => 1,
        Tab::Pipeline => regions(Rect::new(0, 0, size.0, size.1)).body.height,
    };
    usize::from(rows)
}

/// Returns the area of a window over the tab that has `lines` lines, with its border. The footer stays visible.
pub(crate) fn popup(screen: Rect, lines: usize) -> Rect {
    let above = Rect { height: screen.height.saturating_sub(1), ..screen };
    let margin = if screen.width < NARROW { 2 } else { 8 };
    let width = screen.width.saturating_sub(margin).min(100);
    let height = u16::try_from(lines + 2).unwrap_or(u16::MAX).min(above.height);
    above.centered(Constraint::Length(width), Constraint::Length(height))
}

/// Returns how many columns and lines of text a window over the tab has.
pub(crate) fn popup_text((columns, rows): (u16, u16)) -> (usize, usize) {
    let popup = popup(Rect::new(0, 0, columns, rows), usize::from(u16::MAX));
    (usize::from(popup.width.saturating_sub(2)), usize::from(popup.height.saturating_sub(2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(columns: u16, rows: u16) -> Rect {
        regions(Rect::new(0, 0, columns, rows)).body
    }

    #[test]
    fn the_smallest_screen_has_room_for_lists() {
        let body = body(SMALLEST.0, SMALLEST.1);
        let [chart, table] = overview(body);
        assert!(chart.height == 0 && table.height >= 10, "{chart:?} {table:?}");
        assert!(page(SMALLEST, Tab::Instances) >= 9);
        let [numbers, chart, timeline] = audit(body);
        assert!(numbers.height >= 4 && chart.is_empty() && timeline.height >= 5 && timeline.width == body.width);
        let labels = tabs().last().expect("a tab").2;
        assert!(labels.end <= SMALLEST.0);
    }

    #[test]
    fn a_usual_screen_has_room_for_charts() {
        let body = body(80, 24);
        let [chart, table] = overview(body);
        assert!(chart.height >= 8 && table.height >= 10, "{chart:?} {table:?}");
        let [numbers, chart, timeline] = audit(body);
        assert!(numbers.height + chart.height == body.height && timeline.width >= 30 && chart.width >= 40);
    }

    #[test]
    fn a_window_leaves_the_footer_visible() {
        let screen = Rect::new(0, 0, SMALLEST.0, SMALLEST.1);
        let window = popup(screen, 100);
        assert!(window.bottom() <= regions(screen).footer.y, "{window:?}");
        assert_eq!(popup_text(SMALLEST), (usize::from(window.width) - 2, usize::from(window.height) - 2));
    }

    #[test]
    fn the_layout_of_a_tiny_screen_does_not_panic() {
        for size in [(0, 0), (1, 1), (10, 3), (59, 14)] {
            for tab in Tab::ALL {
                let _ = (page(size, tab), list(size, tab), popup_text(size));
            }
        }
    }
}
