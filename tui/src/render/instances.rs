use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::chart;
use super::line::{arrow, row, select, title, write};
use crate::app::RunColumn;
use crate::fleet::RunState;
use crate::format;
use crate::layout;
use crate::theme::{Role, Theme};
use crate::view::{InstanceRow, InstancesView};

/// On a screen of at least this width, the columns are wide.
const WIDE: u16 = 110;

/// The widths of the columns.
#[derive(Clone, Copy)]
struct Columns {
    name: usize,
    /// The number of last letters of the run's UUID. Its first letters are a time, which may be the same for several runs.
    run: usize,
    age: usize,
    count: usize,
    rate: usize,
    share: usize,
    state: usize,
}

/// Draws the table of instances, below the chart of the series if there is room for it.
pub(super) fn render(view: &InstancesView, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let [chart_area, table] = layout::instances(area);
    if let Some(chart) = view.chart.as_ref().filter(|_| chart_area.height > 0) {
        chart::render(chart, theme, chart_area, buffer);
    }
    title(buffer, row(table, 0), theme, heading(view, theme, usize::from(area.width)));
    let columns = Columns::new(area.width);
    let Columns { name, run, age, count, rate, share, state } = columns;
    let head = |column: RunColumn| format!("{}{}", column.title(), arrow(view.sort == column, view.is_reversed));
    let heads = format!(
        "  {:name$} {:run$} {:>age$} {:>age$} {:>count$} {:>rate$} {:>share$} {:state$}",
        head(RunColumn::Instance),
        "RUN",
        head(RunColumn::Started),
        head(RunColumn::LastReport),
        head(RunColumn::Count),
        head(RunColumn::Rate),
        "SHARE",
        head(RunColumn::State),
    );
    write(buffer, row(table, 1), vec![Span::styled(heads, theme.style(Role::Title))]);
    for (index, instance) in view.rows.iter().enumerate() {
        let place = row(table, index + 2);
        write(buffer, place, cells(instance, columns, view.now, theme));
        if instance.is_selected {
            select(buffer, place, theme);
        }
    }
}

/// Returns the role that a state is drawn with.
pub(super) fn state_role(state: RunState) -> Role {
    match state {
        RunState::Live => Role::Good,
        RunState::Silent => Role::Bad,
        RunState::Restarted => Role::Warning,
        RunState::Idle | RunState::Left => Role::Faint,
    }
}

fn heading<'a>(view: &InstancesView, theme: Theme, columns: usize) -> Vec<Span<'a>> {
    let before = match (&view.series, view.is_drilled) {
        (None, _) => format!("{} instances", view.count),
        (Some(_), true) => format!("{} instances that count ", view.count),
        (Some(_), false) => format!("{} instances, counts of ", view.count),
    };
    let room = columns.saturating_sub(before.len() + 4);
    let series = view.series.as_ref().map_or_else(String::new, |series| series.at_most(room));
    let mut spans = vec![Span::raw(before), Span::styled(series, theme.style(Role::Title))];
    if !view.filter.raw().is_empty() {
        spans.push(Span::styled(format!(", filter {}", view.filter.at_most(40)), theme.style(Role::Key)));
    }
    spans
}

fn cells<'a>(instance: &InstanceRow, columns: Columns, now: i64, theme: Theme) -> Vec<Span<'a>> {
    let run = instance.run.as_ref().map_or("-", |run| &run[run.len().saturating_sub(columns.run)..]);
    let age = |at: i64| format::right(&format::span(now - at), columns.age);
    let count = instance.count.map_or_else(
        || format::right("-", columns.count),
        |count| format::count_in(i128::try_from(count).unwrap_or(i128::MAX), columns.count),
    );
    let share = instance.share.map_or_else(|| "-".to_owned(), format::percent);
    let mark = if instance.changed_lately { "*" } else { " " };
    vec![
        Span::styled(mark, theme.style(Role::Warning)),
        Span::raw(format!(
            " {} {run:width$} {} {} {count} {} {} ",
            instance.instance.fit(columns.name),
            age(instance.started),
            age(instance.last_report),
            format::rate_in(instance.rate, columns.rate),
            format::right(&share, columns.share),
            width = columns.run,
        )),
        Span::styled(instance.state.word(), theme.style(state_role(instance.state))),
    ]
}

impl Columns {
    fn new(width: u16) -> Self {
        let columns = if width < WIDE {
            Self { name: 0, run: 6, age: 8, count: 11, rate: 8, share: 6, state: 9 }
        } else {
            Self { name: 0, run: 12, age: 9, count: 18, rate: 11, share: 8, state: 10 }
        };
        let Self { run, age, count, rate, share, state, .. } = columns;
        // A mark and a space are before the name, and a space is after each column but the last.
        let name = usize::from(width).saturating_sub(2 + run + 2 * age + count + rate + share + state + 7);
        Self { name, ..columns }
    }
}
