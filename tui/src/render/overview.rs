use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::chart;
use super::line::{arrow, paint, row, sparkline, title, write};
use crate::app::SeriesColumn;
use crate::format;
use crate::layout;
use crate::theme::{Role, Theme};
use crate::view::{OverviewView, SeriesRow};

/// Columns of the numbers.
const TOTAL: usize = 18;
const RATE: usize = 11;
const INSTANCES: usize = 6;

/// The chart of the selected series and the table of series.
pub(super) fn render(view: &OverviewView, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let [chart_area, table] = layout::overview(area);
    match &view.chart {
        Some(chart) => chart::render(chart, theme, chart_area, buffer),
        None => nothing(view, theme, chart_area, buffer),
    }
    let columns = usize::from(area.width);
    let trend = if columns < 110 { 12 } else { 24 };
    let name = columns.saturating_sub(TOTAL + RATE + INSTANCES + trend + 5);
    let count = if view.count == view.all {
        format!("{} series", view.all)
    } else {
        format!("{} of {} series", view.count, view.all)
    };
    title(buffer, row(table, 0), theme, vec![Span::styled(count, theme.style(Role::Title))]);
    let head = |column: SeriesColumn| format!("{}{}", column.title(), arrow(view.sort == column, view.is_reversed));
    let heads = format!(
        " {:name$} {:>TOTAL$} {:>RATE$}  {:trend$}{:>INSTANCES$}",
        head(SeriesColumn::Name),
        head(SeriesColumn::Total),
        head(SeriesColumn::Rate),
        "TREND",
        head(SeriesColumn::Instances),
    );
    write(buffer, row(table, 1), vec![Span::styled(heads, theme.style(Role::Title))]);
    for (index, series) in view.rows.iter().enumerate() {
        let place = row(table, index + 2);
        write(buffer, place, cells(series, name, trend, theme));
        if series.is_selected {
            paint(buffer, place, theme.style(Role::Selected));
        }
    }
}

fn cells<'a>(series: &SeriesRow, name: usize, trend: usize, theme: Theme) -> Vec<Span<'a>> {
    let total = series.total.map_or_else(|| format::right("-", TOTAL), |total| format::count_in(total, TOTAL));
    let rate = format::rate_in(series.rate, RATE);
    // The newest steps are the ones at the right end.
    let points = &series.trend[series.trend.len().saturating_sub(trend)..];
    vec![
        Span::raw(format!(" {} {total} {rate}  ", series.series.fit(name))),
        Span::styled(crate::fit(&sparkline(points), trend), theme.style(Role::Fleet)),
        Span::raw(format!("{:>INSTANCES$}", series.instances)),
    ]
}

fn nothing(view: &OverviewView, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let text = if view.all == 0 { "  No series yet." } else { "  No series matches the filter: Esc drops it." };
    title(buffer, row(area, 0), theme, vec![Span::styled("throughput", theme.style(Role::Title))]);
    write(buffer, row(area, 2), vec![Span::styled(text, theme.style(Role::Faint))]);
}
