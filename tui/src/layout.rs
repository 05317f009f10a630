//! Divides the screen into regions.

use ratatui::layout::{Constraint, Layout, Rect};

use crate::app::Tab;

/// The smallest supported screen in columns and rows.
pub(crate) const SMALLEST: (u16, u16) = (80, 24);
/// A body of at least this height shows a chart above the instances.
const TALL: u16 = 28;

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

/// Returns the areas of the chart and of the table below it.
pub(crate) fn overview(body: Rect) -> [Rect; 2] {
    let chart = (body.height * 45 / 100).clamp(7, 24);
    Layout::vertical([Constraint::Length(chart), Constraint::Min(0)]).areas(body)
}

/// Returns the areas of the chart (empty on a low screen) and of the table below it.
pub(crate) fn instances(body: Rect) -> [Rect; 2] {
    let chart = if body.height < TALL { 0 } else { (body.height * 40 / 100).min(20) };
    Layout::vertical([Constraint::Length(chart), Constraint::Min(0)]).areas(body)
}

/// Returns the areas of the numbers, of the chart, and of the timeline beside it.
pub(crate) fn audit(body: Rect) -> [Rect; 3] {
    let [numbers, rest] = Layout::vertical([Constraint::Length(7), Constraint::Min(0)]).areas(body);
    let timeline = (body.width * 2 / 5).clamp(30, 56);
    let [chart, timeline] = Layout::horizontal([Constraint::Min(0), Constraint::Length(timeline)]).areas(rest);
    [numbers, chart, timeline]
}

/// Returns how many rows of a list are visible on a screen.
pub(crate) fn page((columns, rows): (u16, u16), tab: Tab) -> usize {
    let body = regions(Rect::new(0, 0, columns, rows)).body;
    let list = match tab {
        // Two lines above the rows hold the title and the column heads.
        Tab::Overview => overview(body)[1].height.saturating_sub(2),
        Tab::Instances => instances(body)[1].height.saturating_sub(2),
        Tab::Audit => 1,
        Tab::Pipeline => body.height,
    };
    usize::from(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_screen_has_room_for_a_chart_and_some_rows() {
        let body = regions(Rect::new(0, 0, SMALLEST.0, SMALLEST.1)).body;
        let [chart, table] = overview(body);
        assert!(chart.height >= 8 && table.height >= 10, "{chart:?} {table:?}");
        assert!(page(SMALLEST, Tab::Instances) >= 15);
        let [numbers, chart, timeline] = audit(body);
        assert!(numbers.height + chart.height == body.height && timeline.width >= 30 && chart.width >= 40);
    }

    #[test]
    fn the_layout_of_a_tiny_screen_does_not_panic() {
        for size in [(0, 0), (1, 1), (10, 3), (79, 23)] {
            for tab in Tab::ALL {
                let _ = page(size, tab);
            }
        }
    }
}
