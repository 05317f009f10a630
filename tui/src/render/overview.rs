use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::chart;
use super::line::{arrow, row, select, sparkline, title, write};
use crate::app::SeriesColumn;
use crate::format;
use crate::layout;
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
    trend: usize,
    instances: usize,
}

/// Draws the chart of the selected series and the table of series.
pub(super) fn render(view: &OverviewView, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let [chart_area, table] = layout::overview(area);
    match &view.chart {
        Some(chart) => chart::render(chart, theme, chart_area, buffer),
        None => nothing(view, theme, chart_area, buffer),
    }
    title(buffer, row(table, 0), theme, heading(view, theme));
    let columns = Columns::new(area.width);
    let Columns { name, total, rate, trend, instances } = columns;
    let head = |column: SeriesColumn| format!("{}{}", column.title(), arrow(view.sort == column, view.is_reversed));
    let heads = format!(
        " {:name$} {:>total$} {:>rate$}  {:trend$} {:>instances$}",
        head(SeriesColumn::Name),
        head(SeriesColumn::Total),
        head(SeriesColumn::Rate),
        "TREND",
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

fn heading<'a>(view: &OverviewView, theme: Theme) -> Vec<Span<'a>> {
    let all = format::count(i128::try_from(view.all).unwrap_or(i128::MAX));
    if view.filter.raw().is_empty() {
        return vec![Span::styled(format!("{all} series"), theme.style(Role::Title))];
    }
    let count = format::count(i128::try_from(view.count).unwrap_or(i128::MAX));
    let filter = format!("{count} of {all} series, filter {}", view.filter.at_most(40));
    vec![Span::styled(filter, theme.style(Role::Key))]
}

fn cells<'a>(series: &SeriesRow, columns: Columns, theme: Theme) -> Vec<Span<'a>> {
    let Columns { name, total, rate, trend, instances } = columns;
    let count = series.total.map_or_else(|| format::right("-", total), |count| format::count_in(count, total));
    // The newest rates are at the right end, so the oldest are cut off.
    let points = &series.trend[series.trend.len().saturating_sub(trend)..];
    vec![
        Span::raw(format!(" {} {count} {}  ", series.series.fit(name), format::rate_in(series.rate, rate))),
        Span::styled(crate::fit(&sparkline(points), trend), theme.style(Role::Fleet)),
        Span::raw(format!(" {:>instances$}", series.instances)),
    ]
}

impl Columns {
    fn new(width: u16) -> Self {
        let columns = if width < WIDE {
            Self { name: 0, total: 15, rate: 10, trend: 10, instances: 5 }
        } else {
            Self { name: 0, total: 26, rate: 14, trend: 24, instances: 7 }
        };
        let Self { total, rate, trend, instances, .. } = columns;
        // A space is before the name and after each column, and two are before the trend.
        let name = usize::from(width).saturating_sub(total + rate + trend + instances + 7);
        Self { name, ..columns }
    }
}

fn nothing(view: &OverviewView, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let text =
        if view.all == 0 { "  No series yet." } else { "  No series matches the filter. Esc removes the filter." };
    title(buffer, row(area, 0), theme, vec![Span::styled("throughput", theme.style(Role::Title))]);
    write(buffer, row(area, 2), vec![Span::styled(text, theme.style(Role::Faint))]);
}
