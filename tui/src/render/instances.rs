use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::line::{arrow, filtered, highest, row, select, sparkline, title, write};
use crate::app::RunColumn;
use crate::format;
use crate::layout::NARROW;
use crate::theme::{Role, Theme};
use crate::view::{InstanceRow, InstancesView};

/// On a screen of at least this width, the table has a column with the trend.
const MEDIUM: u16 = 100;
/// On a screen of at least this width, the columns are wide.
const WIDE: u16 = 130;

/// The widths of the columns; 0 for a column that the table does not have.
#[derive(Clone, Copy)]
struct Columns {
    name: usize,
    /// The number of last letters of the run's UUID. Its first letters are a time, which may be the same for several runs.
    run: usize,
    started: usize,
    age: usize,
    count: usize,
    rate: usize,
    share: usize,
    trend: usize,
    state: usize,
}

/// Draws the table of instances.
pub(super) fn render(view: &InstancesView, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let columns = Columns::new(area.width);
    title(buffer, row(area, 0), theme, heading(view, columns, theme, usize::from(area.width)));
    write(buffer, row(area, 1), vec![Span::styled(heads(view, columns), theme.style(Role::Title))]);
    // All trends have one scale, because they are rates of the same series.
    let scale = view.rows.iter().map(|row| highest(&row.trend)).fold(0.0, f64::max);
    for (index, instance) in view.rows.iter().enumerate() {
        let place = row(area, index + 2);
        write(buffer, place, cells(instance, columns, view.now, scale, theme));
        if instance.is_selected {
            select(buffer, place, theme);
        }
    }
    if view.rows.is_empty() {
        let text = if view.filter.raw().is_empty() {
            "  No instances yet."
        } else {
            "  No instance matches the filter. Esc clears it."
        };
        write(buffer, row(area, 2), vec![Span::styled(text, theme.style(Role::Faint))]);
    }
}

fn heads(view: &InstancesView, columns: Columns) -> String {
    let Columns { name, run, started, age, count, rate, share, trend, state } = columns;
    let head = |column: RunColumn| format!("{}{}", column.title(), arrow(view.sort == column, view.is_reversed));
    let mut heads = format!("  {:name$}", head(RunColumn::Instance));
    for (text, columns, is_number) in [
        ("RUN".to_owned(), run, false),
        (head(RunColumn::Started), started, true),
        (head(RunColumn::LastReport), age, true),
        (head(RunColumn::Count), count, true),
        (head(RunColumn::Rate), rate, true),
        ("SHARE".to_owned(), share, true),
        ("TREND".to_owned(), trend, false),
        (head(RunColumn::State), state, false),
    ] {
        match (columns, is_number) {
            (0, _) => {}
            (_, true) => heads.extend([" ", &format!("{text:>columns$}")]),
            (_, false) => heads.extend([" ", &format!("{text:columns$}")]),
        }
    }
    heads
}

/// Returns how many instances are listed, which series is counted, and the filter, which is cut before the hint is.
fn heading<'a>(view: &InstancesView, columns: Columns, theme: Theme, width: usize) -> Vec<Span<'a>> {
    let mut before = format!("{} instances", view.count);
    if view.sort == RunColumn::Started && columns.started == 0 {
        before = format!("{before} by STARTED{}", arrow(true, view.is_reversed));
    }
    if !view.filter.raw().is_empty() {
        let filter = filtered(&format!("{before}, filter "), &view.filter, width);
        return vec![Span::styled(filter, theme.style(Role::Key))];
    }
    let Some(series) = &view.series else {
        return vec![Span::raw(before)];
    };
    let before = if view.is_drilled { format!("{before} that count ") } else { format!("{before}, counts of ") };
    let others = view.others.map(|others| format!(", others {}", format::count(others))).unwrap_or_default();
    let after = if view.is_drilled { " (Esc: all)" } else { "" };
    let room = width.saturating_sub(before.len() + others.len() + after.len() + 4);
    vec![
        Span::raw(before),
        Span::styled(series.at_most(room), theme.style(Role::Title)),
        Span::raw(others),
        Span::styled(after, theme.style(Role::Key)),
    ]
}

fn cells<'a>(instance: &InstanceRow, columns: Columns, now: i64, scale: f64, theme: Theme) -> Vec<Span<'a>> {
    let age = |at: i64, columns: usize| format::right(&format::span(now - at), columns);
    let count = instance.count.map_or_else(
        || format::right("-", columns.count),
        |count| format::count_in(i128::try_from(count).unwrap_or(i128::MAX), columns.count),
    );
    let run = instance.run.as_ref().map_or("-", |run| &run[run.len().saturating_sub(columns.run)..]);
    let share = instance.share.map_or_else(|| "-".to_owned(), format::percent);
    let mut text = format!(" {}", instance.instance.fit(columns.name));
    for (cell, columns) in [
        (format!("{run:width$}", width = columns.run), columns.run),
        (age(instance.started, columns.started), columns.started),
        (age(instance.last_report, columns.age), columns.age),
        (count, columns.count),
        (format::rate_in(instance.rate, columns.rate), columns.rate),
        (format::right(&share, columns.share), columns.share),
    ] {
        if columns > 0 {
            text.extend([" ", &cell]);
        }
    }
    let mark = if instance.changed_lately { "*" } else { " " };
    let mut spans = vec![Span::styled(mark, theme.style(Role::Warning)), Span::raw(text)];
    if columns.trend > 0 {
        let trend = narrowed(&instance.trend, columns.trend);
        spans.push(Span::styled(
            format!(" {}", crate::fit(&sparkline(&trend, scale), columns.trend)),
            theme.style(Role::Fleet),
        ));
    }
    spans.push(Span::raw(" "));
    spans.push(Span::styled(instance.state.word(), theme.style(Role::of_state(instance.state))));
    spans
}

/// Returns rates at `columns` equal distances.
fn narrowed(points: &[Option<f64>], columns: usize) -> Vec<Option<f64>> {
    (0..columns).filter_map(|column| points.get(column * points.len() / columns).copied()).collect()
}

impl Columns {
    fn new(width: u16) -> Self {
        let least = Self { name: 0, run: 0, started: 0, age: 8, count: 11, rate: 8, share: 0, trend: 0, state: 9 };
        let columns = match width {
            ..NARROW => least,
            NARROW..MEDIUM => Self { run: 6, started: 8, share: 6, ..least },
            MEDIUM..WIDE => Self { run: 6, started: 8, share: 6, trend: 16, ..least },
            WIDE.. => Self {
                run: 12,
                started: 9,
                age: 9,
                count: 16,
                rate: 10,
                share: 7,
                trend: if width >= 180 { 48 } else { 24 },
                state: 10,
                ..least
            },
        };
        let Self { run, started, age, count, rate, share, trend, state, .. } = columns;
        let others = [run, started, age, count, rate, share, trend, state].into_iter().filter(|columns| *columns > 0);
        // A mark and a space are before the name, and a space is before each other column.
        let name = usize::from(width).saturating_sub(2 + others.map(|columns| columns + 1).sum::<usize>());
        Self { name, ..columns }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trend_is_narrowed_to_the_columns() {
        let points: Vec<_> = [1.0, 2.0, 3.0, 4.0].map(Some).into();
        assert_eq!(narrowed(&points, 2), [Some(1.0), Some(3.0)]);
        assert_eq!(narrowed(&points, 4), points);
        assert_eq!(narrowed(&[], 4), []);
    }
}
