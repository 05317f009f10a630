use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::chart;
use super::line::{arrow, filtered, highest, row, select, sparkline, title, write};
use crate::app::SeriesColumn;
use crate::format;
use crate::layout::{self, NARROW};
use crate::theme::{Role, Theme};
use crate::view::{OverviewView, SeriesRow};

/// On a screen of at least this width, the columns are wide.
const WIDE: u16 = 110;

/// The widths of the columns.
#[derive(Clone, Copy)]
struct Columns {
    name: usize,
    total: usize,
    rate: usize,
    /// 0 if the table has no such column.
    trend: usize,
    instances: usize,
}

/// Draws the chart of the selected series, if there is room for it, and the table of series.
pub(super) fn render(view: &OverviewView, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let [chart_area, table] = layout::overview(area);
    match &view.chart {
        Some(chart) if chart_area.height > 0 => chart::render(chart, theme, chart_area, buffer),
        Some(_) => {}
        None => nothing(view, theme, chart_area, row(table, 2), buffer),
    }
    title(buffer, row(table, 0), theme, heading(view, theme, usize::from(area.width)));
    let columns = Columns::new(area.width);
    let Columns { name, total, rate, trend, instances } = columns;
    let head = |column: SeriesColumn| format!("{}{}", column.title(), arrow(view.sort == column, view.is_reversed));
    let heads = format!(
        " {:name$} {:>total$} {:>rate$}{} {:>instances$}",
        head(SeriesColumn::Name),
        head(SeriesColumn::Total),
        head(SeriesColumn::Rate),
        if trend > 0 { format!("  {:trend$}", "TREND") } else { String::new() },
        head(SeriesColumn::Instances),
    );
    write(buffer, row(table, 1), vec![Span::styled(heads, theme.style(Role::Title))]);
    for (index, series) in view.rows.iter().enumerate() {
        let place = row(table, index + 2);
        write(buffer, place, cells(series, columns, theme));
        if series.is_selected {
            select(buffer, place, theme);
        }
    }
}

/// Returns how many series are listed, with which filter, and how many are hidden. The filter is cut before the hints are.
fn heading<'a>(view: &OverviewView, theme: Theme, columns: usize) -> Vec<Span<'a>> {
    let number = |count: usize| format::count(i128::try_from(count).unwrap_or(i128::MAX));
    let hidden = match view.hidden {
        0 => String::new(),
        hidden => format!(", {} of Quipu hidden (o)", number(hidden)),
    };
    let hidden = Span::styled(hidden, theme.style(Role::Faint));
    if view.filter.raw().is_empty() {
        return vec![Span::styled(format!("{} series", number(view.all)), theme.style(Role::Title)), hidden];
    }
    let before = format!("{} of {} series, filter ", number(view.count), number(view.all));
    let filter = filtered(&before, &view.filter, columns.saturating_sub(hidden.width()));
    vec![Span::styled(filter, theme.style(Role::Key)), hidden]
}

fn cells<'a>(series: &SeriesRow, columns: Columns, theme: Theme) -> Vec<Span<'a>> {
    let Columns { name, total, rate, trend, instances } = columns;
    let count = series.total.map_or_else(|| format::right("-", total), |count| format::count_in(count, total));
    // The newest rates are at the right end, so the oldest are cut off.
    let points = &series.trend[series.trend.len().saturating_sub(trend)..];
    let mut spans =
        vec![Span::raw(format!(" {} {count} {}", series.series.fit(name), format::rate_in(series.rate, rate)))];
    if trend > 0 {
        let bars = crate::fit(&sparkline(points, highest(points)), trend);
        spans.push(Span::styled(format!("  {bars}"), theme.style(Role::Fleet)));
    }
    spans.push(Span::raw(format!(" {:>instances$}", series.instances)));
    spans
}

impl Columns {
    fn new(width: u16) -> Self {
        let columns = match width {
            ..NARROW => Self { name: 0, total: 13, rate: 8, trend: 0, instances: 5 },
            NARROW..WIDE => Self { name: 0, total: 15, rate: 10, trend: 10, instances: 5 },
            WIDE.. => Self { name: 0, total: 26, rate: 14, trend: 24, instances: 7 },
        };
        let Self { total, rate, trend, instances, .. } = columns;
        // A space is before the name and after each column, and two are before the trend.
        let spaces = if trend > 0 { 7 } else { 5 };
        let name = usize::from(width).saturating_sub(total + rate + trend + instances + spaces);
        Self { name, ..columns }
    }
}

/// Writes why there is no series: in the area of the chart or, without one, in the first row of the table.
fn nothing(view: &OverviewView, theme: Theme, area: Rect, first: Rect, buffer: &mut Buffer) {
    let text = if view.all == 0 { "  No series yet." } else { "  No series matches the filter. Esc clears it." };
    title(buffer, row(area, 0), theme, vec![Span::styled("throughput", theme.style(Role::Title))]);
    let place = if area.height > 0 { row(area, 2) } else { first };
    write(buffer, place, vec![Span::styled(text, theme.style(Role::Faint))]);
}
